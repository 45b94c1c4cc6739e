"""Where `twofold up` keeps things, and on which ports its parts listen."""

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from infra.local import ports
from services.settings import Settings, metrics_port_of
from services.up.errors import AlreadyUpError, ForeignSettingsError, PortInUseError


class Places(BaseSettings):
    """
    Settings of `twofold up` (environment variables, each with the prefix ``TWOFOLD_``).

    Attributes:
        folder: Holds everything: data, keys, logs, mails.
        kafka_port: The broker's.
        postgres_port: The database's.
        auth_port: The auth service's.
        staff_port: The staff service's.
        projections_port: The projector's health and metrics.
        auth_metrics_port: The auth service's; 0: what `twofold auth` takes by itself.
        staff_metrics_port: The staff service's, likewise.
        smtp_port: The development mail sink's.
    """

    model_config = SettingsConfigDict(env_prefix="TWOFOLD_", extra="ignore")

    folder: Path = Path(".twofold")
    kafka_port: int = Field(9092, ge=1, le=65535)
    postgres_port: int = Field(5432, ge=1, le=65535)
    auth_port: int = Field(8000, ge=1, le=65535)
    staff_port: int = Field(8001, ge=1, le=65535)
    projections_port: int = Field(8002, ge=1, le=65535)
    auth_metrics_port: int = Field(0, ge=0, le=65535)
    staff_metrics_port: int = Field(0, ge=0, le=65535)
    smtp_port: int = Field(1025, ge=1, le=65535)

    @model_validator(mode="after")
    def _metrics_ports(self) -> Self:
        self.auth_metrics_port = self.auth_metrics_port or metrics_port_of(self.auth_port)
        self.staff_metrics_port = self.staff_metrics_port or metrics_port_of(self.staff_port)
        return self

    @property
    def keys(self) -> Path:
        """The folder of the key files."""
        return self.folder / "keys"

    @property
    def logs(self) -> Path:
        """The folder of the children's logs."""
        return self.folder / "logs"

    @property
    def mail(self) -> Path:
        """The folder that the mail sink leaves mails in."""
        return self.folder / "mail"

    @property
    def demo(self) -> Path:
        """The demonstration's file: who can log in."""
        return self.folder / "demo.json"

    @property
    def settings(self) -> Path:
        """What the children are told, for other commands run in this folder."""
        return self.folder / "settings.json"

    def url(self, port: int) -> str:
        """Where a service on *port* is reached."""
        return f"http://127.0.0.1:{port}"

    def check_ports(self) -> None:
        """
        See that nobody else listens on our services' ports (the servers' are theirs to check).

        Raises:
            PortInUseError: Somebody does.
        """
        wanted = {
            "auth": self.auth_port,
            "staff": self.staff_port,
            "projections": self.projections_port,
            "auth_metrics": self.auth_metrics_port,
            "staff_metrics": self.staff_metrics_port,
            "smtp": self.smtp_port,
        }
        for name, port in wanted.items():
            if not ports.is_free(port):
                raise PortInUseError(
                    f"Port {port} on 127.0.0.1, wanted by {_WHOSE[name]}, is taken by another"
                    f" program: stop that program, or choose another port with"
                    f" TWOFOLD_{name.upper()}_PORT."
                )


_WHOSE = {
    "auth": "the auth service",
    "staff": "the staff service",
    "projections": "the projections' health page",
    "auth_metrics": "the auth service's metrics",
    "staff_metrics": "the staff service's metrics",
    "smtp": "the development mail sink",
}


@dataclass(frozen=True, slots=True)
class FolderLock:
    """Held by the one `twofold up` that uses a folder; ends with the process, however it ends."""

    file: IO[str]

    @classmethod
    def take(cls, folder: Path) -> Self:
        """
        Take it.

        Raises:
            AlreadyUpError: Another process holds it.
        """
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "up.lock").open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise AlreadyUpError(
                f"Twofold runs in {folder} already (process {holder}):"
                " stop that one first, with Ctrl-C where it runs."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        return cls(file)

    def release(self) -> None:
        self.file.close()


def environment(places: Places, *, kafka: str, database: str) -> dict[str, str]:
    """What the children are told, by environment variables."""
    folder = places.folder.resolve()
    return {
        "TWOFOLD_MODE": "development",
        "TWOFOLD_ENVIRONMENT": "development",
        "TWOFOLD_KAFKA": kafka,
        "TWOFOLD_DATABASE": database,
        "TWOFOLD_KEYS": str(folder / "keys" / "keys.json"),
        "TWOFOLD_PUBLISHERS": str(folder / "keys" / "publishers.toml"),
        "TWOFOLD_AUTH_URL": places.url(places.auth_port),
        "TWOFOLD_STAFF_URL": places.url(places.staff_port),
        "TWOFOLD_SMTP": f"127.0.0.1:{places.smtp_port}",
    }


def remember(places: Places, told: dict[str, str]) -> None:
    """Keep what the children are told, so that `twofold` commands in this folder find them."""
    places.settings.unlink(missing_ok=True)
    with os.fdopen(os.open(places.settings, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as f:
        json.dump(told, f, indent=2)


def recall(folder: Path) -> dict[str, str]:
    """
    What `remember` kept; nothing where it didn't.

    Commands are run in folders of others, too, such as /tmp: what is told there becomes part of the
    environment, which decides about much more than ours, up to which programs are loaded.

    Raises:
        ForeignSettingsError: Somebody else wrote it, or can.
    """
    path = folder / "settings.json"
    try:
        with path.open() as file:
            kept, told = os.fstat(file.fileno()), json.load(file)
    except (OSError, ValueError):
        return {}
    if kept.st_uid != os.geteuid() or kept.st_mode & 0o022:
        raise ForeignSettingsError(
            f"{path} is another user's, or others can write to it, so it isn't followed: run this"
            " in a folder of your own, or set TWOFOLD_MODE and what else it needs."
        )
    members = told.items() if isinstance(told, dict) else ()
    return {name: str(value) for name, value in members if name.startswith("TWOFOLD_")}


def settings_of(told: dict[str, str]) -> Settings:
    """The children's settings, for what `twofold up` does itself."""
    names = {name.removeprefix("TWOFOLD_").lower(): value for name, value in told.items()}
    return Settings.model_validate(names)
