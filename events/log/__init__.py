"""Reading the history, and appending to it on condition."""
