"""The outside, adapted."""
