"""Personal data in events, sealed under the person's own data key: forget the key, forget them."""

import hmac
import json
import unicodedata
from dataclasses import asdict, dataclass
from hashlib import sha256

from events.vault.sealing import UnsealingError, decrypt, encrypt, from_text, to_text

_SOURCE_BYTES = 640


@dataclass(frozen=True, slots=True)
class Details:
    """Who somebody is."""

    username: str
    email: str
    display_name: str


def username_digest(username: str, key: bytes) -> str:
    """HMAC-SHA256 over the NFKC-casefolded username, 64 hexadecimal digits."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username).casefold())
    return hmac.digest(key, folded.encode("utf-8", "replace"), sha256).hex()


def seal_text(text: str, *, field: str, owner: str, data_key: bytes) -> str:
    """Seal one *field* of *owner*'s."""
    return to_text(encrypt(data_key, text.encode(), _about(field, owner)))


def unseal_text(sealed: str, *, field: str, owner: str, data_key: bytes) -> str:
    """
    What `seal_text` sealed.

    Raises:
        UnsealingError: It is another's, another field, or altered.
    """
    try:
        return decrypt(data_key, from_text(sealed), _about(field, owner)).decode()
    except ValueError as error:
        raise UnsealingError("This is not sealed text.") from error


def seal_details(details: Details, *, owner: str, data_key: bytes) -> str:
    """Seal a person's details together."""
    return seal_text(json.dumps(asdict(details)), field="details", owner=owner, data_key=data_key)


def unseal_details(sealed: str, *, owner: str, data_key: bytes) -> Details:
    """
    What `seal_details` sealed.

    Raises:
        UnsealingError: It is another's, or altered.
    """
    text = unseal_text(sealed, field="details", owner=owner, data_key=data_key)
    return Details(**json.loads(text))


def seal_source(address: str, user_agent: str, *, owner: str, data_key: bytes) -> str:
    """Seal where a request came from, padded so that its length tells nothing."""
    # Printable ASCII takes two bytes at most in JSON: no agent pushes the address out.
    agent = "".join(one if " " <= one <= "~" else "?" for one in user_agent[:256])
    padded = json.dumps([address[:45], agent]).ljust(_SOURCE_BYTES)
    return seal_text(padded, field="source", owner=owner, data_key=data_key)


def unseal_source(sealed: str, *, owner: str, data_key: bytes) -> tuple[str, str]:
    """
    IP address and user agent.

    Raises:
        UnsealingError: They are another's, or altered.
    """
    text = unseal_text(sealed, field="source", owner=owner, data_key=data_key)
    try:
        address, user_agent = json.loads(text)
    except ValueError:
        return "", ""
    return address, user_agent


def _about(field: str, owner: str) -> bytes:
    return json.dumps([field, owner]).encode()
