"""The language of Twofold: what is on the log, and what it means."""
