"""Load, decide, append, learn the verdict, answer."""
