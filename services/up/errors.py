"""What keeps `twofold up` from coming up: each message is one sentence that says what to do."""


class UpError(Exception):
    """The base of this package's errors; raised as one of the others."""


class AlreadyUpError(UpError):
    """Another `twofold up` runs in this folder."""


class ForeignSettingsError(UpError):
    """The settings that are kept in a folder are somebody else's."""


class PortInUseError(UpError):
    """Another program listens where a part of ours must."""


class SeedingError(UpError):
    """The demonstration organisation couldn't be made."""
