"""
A broker as it is run in earnest: TLS, SCRAM-SHA-512, and nobody allowed what isn't granted.

Its certificate authority is made on the spot, for this machine alone; see docs/operating.md for
what takes its place elsewhere.
"""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ADMINISTRATOR = "admin"
"""The user that exists from the start, and may do everything."""

_BROKER = "broker"
_LASTS = timedelta(days=365)

Key = ec.EllipticCurvePrivateKey


class Authority:
    """
    A certificate authority of one's own, in a folder.

    Args:
        folder: Where its certificate goes; made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.file = folder / "ca.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("Twofold's local authority")
        certificate = (
            _begun(self._name, self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_signs(), critical=True)
            .add_extension(_of(self._key), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *hosts: str) -> Path:
        """
        A certificate for *hosts* with its private key, in one PEM file (0600).

        Args:
            name: Whose, and the file's name.
            hosts: Addresses and names that clients may call it by.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = x509.SubjectAlternativeName([_host(host) for host in hosts])
        certificate = (
            _begun(_named(name), self._name, key)
            .add_extension(alternatives, critical=False)
            .add_extension(_of(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        file = self.folder / f"{name}.pem"
        file.touch(mode=0o600)
        file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        return file


@dataclass(frozen=True, slots=True)
class Security:
    """
    How a broker is protected.

    Attributes:
        authority: The certificates that clients trust, a file.
        certificate: The broker's own with its key, a file.
        password: The administrator's.
    """

    authority: Path
    certificate: Path
    password: str = field(repr=False)
    _between_brokers: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @classmethod
    def make(cls, folder: Path, *hosts: str) -> "Security":
        """Make an authority, a certificate for *hosts*, and a password, all anew."""
        authority = Authority(folder)
        return cls(authority.file, authority.issue(_BROKER, *hosts), secrets.token_urlsafe(24))

    def broker(self, address: str, controller: str) -> dict[str, str]:
        """The broker's settings; *address* is its clients', *controller* its own."""
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required"
        return {
            "listeners": f"SASL_SSL://{address},CONTROLLER://{controller}",
            "advertised.listeners": f"SASL_SSL://{address}",
            "listener.security.protocol.map": "SASL_SSL:SASL_SSL,CONTROLLER:SSL",
            "inter.broker.listener.name": "SASL_SSL",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
                f'{scram} username="{_BROKER}" password="{self._between_brokers}";'
            ),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.certificate),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority),
            "ssl.enabled.protocols": "TLSv1.3",
            "listener.name.controller.ssl.client.auth": "required",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": f"User:{ADMINISTRATOR};User:{_BROKER};User:CN={_BROKER}",
        }

    def first_users(self) -> list[str]:
        """What tells the storage tool which users there are from the start."""
        users = {ADMINISTRATOR: self.password, _BROKER: self._between_brokers}
        return [
            part
            for name, password in users.items()
            for part in ("--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]")
        ]

    def client(self) -> dict[str, str]:
        """The administrator's settings, for librdkafka's clients."""
        return {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": ADMINISTRATOR,
            "sasl.password": self.password,
            "ssl.ca.location": str(self.authority),
        }


def _begun(name: x509.Name, issuer: x509.Name, key: Key) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LASTS)
    )


def _of(key: Key) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def _signs() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
