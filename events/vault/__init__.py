"""What the history must not hold: sealed, named by events, and able to be forgotten."""
