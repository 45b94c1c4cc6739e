"""Admin commands, profiles, policy."""
