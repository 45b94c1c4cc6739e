"""How a secret could be spelt wherever it stands."""

import json
from base64 import b32encode, b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus


def encoded(secret: bytes) -> dict[str, bytes]:
    """*secret* as it could stand somewhere: base64 and base32 at every alignment, too."""
    found = {
        "raw": secret,
        "hexadecimal": secret.hex().encode(),
        "HEXADECIMAL": secret.hex().upper().encode(),
        "UTF-16": secret.decode("latin-1").encode("utf-16-le"),
        "reversed": secret[::-1],
    }
    for shift in range(3):
        # Only the characters that no neighbouring byte has a part in.
        whole = b64encode(b"\0" * shift + secret)
        first, last = -(-shift * 8 // 6), (shift + len(secret)) * 8 // 6
        found[f"base64+{shift}"] = whole[first:last]
        found[f"base64url+{shift}"] = urlsafe_b64encode(b"\0" * shift + secret)[first:last]
    for shift in range(5):
        first, last = -(-shift * 8 // 5), (shift + len(secret)) * 8 // 5
        found[f"base32+{shift}"] = b32encode(b"\0" * shift + secret)[first:last]
    try:
        text = secret.decode()
    except UnicodeDecodeError:
        return found
    found["URL"] = quote(text, safe="").encode()
    found["URL, plus"] = quote_plus(text).encode()
    found["URL, lower"] = quote(text, safe="").lower().encode()
    found["JSON"] = json.dumps(text)[1:-1].encode()
    found["HTML"] = text.replace("&", "&amp;").encode()
    found["latin-1"] = text.encode("latin-1", "replace")
    return found
