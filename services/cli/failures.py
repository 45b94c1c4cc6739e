"""What a command refuses for: each message is one sentence."""


class FailureError(Exception):
    """The command didn't do what was asked."""
