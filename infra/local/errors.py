"""What can keep the local stack from starting: each message is a sentence that says what to do."""


class StackError(Exception):
    """The base of this package's errors; raised as one of the others."""


class PortTakenError(StackError):
    """Another program listens on a port that was asked for."""


class PrerequisiteMissingError(StackError):
    """A program that this machine should have is not there, or its download failed."""


class FolderInUseError(StackError):
    """Another process keeps a stack in the same folder."""


class ServerFailedError(StackError):
    """A server ended, or didn't answer in time; its log file is named."""
