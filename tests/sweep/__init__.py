"""What `--sweep` does: notes every secret that a run handles, and looks for it wherever it ran."""
