"""Settings of every service, from the environment, checked before anything starts."""

import os
import re
from datetime import timedelta
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import AfterValidator, BeforeValidator, Field, FilePath, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from events.facts import Uuid

_PREFIX: Final = "TWOFOLD_"
_NEAR: Final = 0.85
"""How alike a name is that must be a mistake (`difflib`): by then two settings aren't."""

_PLACE: Final = re.compile(r"[^\s,]+:[0-9]{1,5}")


def _place(text: str) -> str:
    if not _PLACE.fullmatch(text):
        raise ValueError("should be host:port")
    return text


def _places(text: str) -> str:
    if not all(_PLACE.fullmatch(one.strip()) for one in text.split(",")):
        raise ValueError("should be host:port, several separated by commas")
    return text


def _origin(text: str) -> str:
    if urlsplit(text).scheme not in {"http", "https"} or not urlsplit(text).hostname:
        raise ValueError("should be an address like https://staff.example")
    return text


def _postgresql(address: SecretStr) -> SecretStr:
    if not re.match(r"postgres(ql)?://", address.get_secret_value()):
        raise ValueError("should be an address like postgresql://user@host:5432/database")
    return address


def _separated(value: object) -> object:
    if isinstance(value, str):
        return tuple(one.strip() for one in value.split(",") if one.strip())
    return value


def _networks(addresses: tuple[str, ...]) -> tuple[str, ...]:
    try:
        for one in addresses:
            ip_network(one, strict=False)
    except ValueError:
        raise ValueError("should be IP addresses or networks, separated by commas") from None
    return addresses


class Settings(BaseSettings):
    """
    What a service is told (environment variables, each with the prefix ``TWOFOLD_``).

    Attributes:
        mode: ``development`` or ``production``; the latter refuses what is unsafe.
        environment: Names this installation in a command's audience.
        kafka: Bootstrap servers, ``host:port`` separated by commas.
        kafka_security: How they are reached; production refuses ``PLAINTEXT``.
        kafka_username: For SASL_SSL (SCRAM-SHA-512).
        kafka_password: For SASL_SSL.
        kafka_password_file: Holds it instead; closed to others.
        kafka_ca: Certificates to trust; the system's otherwise.
        kafka_certificate: The client's own, for SSL.
        kafka_key: Its private key, for SSL.
        database: PostgreSQL's address, with its password.
        database_password_file: Holds the password instead; closed to others.
        keys: The key ring's file.
        publishers: The file of publishers and API keys; read again when it changes.
        home_organisation: Where support's people are registered; 2FA is always mandatory there.
        auth_url: Where people reach the auth service.
        staff_url: Where people reach the staff service.
        smtp: ``host:port`` of the mail server.
        mail_from: Sender of e-mails.
        clock_ahead: How far decisions' clock is moved, development only; deadlines never are.
        trusted_proxies: Addresses or networks whose ``X-Forwarded-For`` is believed, separated by
            commas.
        connections: How many HTTP connections a process holds; the system's limit of open files is
            to be well above it.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, extra="ignore", hide_input_in_errors=True)

    mode: Literal["development", "production"] = "production"
    environment: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")] = "production"
    kafka: Annotated[str, AfterValidator(_places)] = "127.0.0.1:9092"
    kafka_security: Literal["PLAINTEXT", "SASL_SSL", "SSL"] = "PLAINTEXT"
    kafka_username: str | None = None
    kafka_password: SecretStr | None = None
    kafka_password_file: Path | None = None
    kafka_ca: FilePath | None = None
    kafka_certificate: FilePath | None = None
    kafka_key: FilePath | None = None
    database: Annotated[SecretStr, AfterValidator(_postgresql)] = SecretStr(
        "postgresql://twofold@127.0.0.1:5432/twofold"
    )
    database_password_file: Path | None = None
    keys: Path = Path(".twofold/keys/keys.json")
    publishers: Path = Path(".twofold/keys/publishers.toml")
    home_organisation: Uuid = "00000000-0000-4000-8000-000000000001"
    auth_url: Annotated[str, AfterValidator(_origin)] = "http://127.0.0.1:8000"
    staff_url: Annotated[str, AfterValidator(_origin)] = "http://127.0.0.1:8001"
    smtp: Annotated[str, AfterValidator(_place)] = "127.0.0.1:1025"
    mail_from: str = "Twofold <no-reply@twofold.example>"
    clock_ahead: timedelta = timedelta(0)
    trusted_proxies: Annotated[
        tuple[str, ...], NoDecode, BeforeValidator(_separated), AfterValidator(_networks)
    ] = ()
    connections: Annotated[int, Field(ge=10)] = 500

    @model_validator(mode="after")
    def _nothing_is_misspelt(self) -> "Settings":
        """What is nearly a setting's name was meant to be one, and would do nothing."""
        names = {name.upper() for name in type(self).model_fields}
        for name in sorted(one.upper() for one in os.environ):
            found = name.removeprefix(_PREFIX)
            near = get_close_matches(found, names, n=1, cutoff=_NEAR)
            if found != name and found not in names and near:
                raise ValueError(f"{name} is no setting; is {_PREFIX}{near[0]} meant?")
        return self

    @model_validator(mode="after")
    def _clock_stays_in_production(self) -> "Settings":
        if self.clock_ahead and self.mode != "development":
            raise ValueError("TWOFOLD_CLOCK_AHEAD may be set in TWOFOLD_MODE=development alone.")
        return self

    @model_validator(mode="after")
    def _passwords_from_files(self) -> "Settings":
        if self.kafka_password_file is not None:
            self.kafka_password = SecretStr(_secret(self.kafka_password_file))
        if self.database_password_file is not None:
            self.database = SecretStr(
                _with_password(
                    self.database.get_secret_value(), _secret(self.database_password_file)
                )
            )
        return self

    @property
    def commands_audience(self) -> str:
        """What a command to this installation names as its audience."""
        return f"{self.environment}/twofold.commands"


def metrics_port_of(port: int) -> int:
    """Where the metrics of the service on *port* are, unless it is told otherwise."""
    return port + 1000 if port + 1000 < 2**16 else port - 1000


def _secret(path: Path) -> str:
    try:
        if path.stat().st_mode & 0o077:
            raise ValueError(f"{path} can be read by others; run chmod 600 on it.")
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"{path} can't be read.") from error


def _with_password(url: str, password: str) -> str:
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    named = f"{user.partition(':')[0]}:{quote(password, safe='')}@{host}"
    return urlunsplit(parts._replace(netloc=named))
