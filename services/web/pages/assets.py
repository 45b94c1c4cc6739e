"""The stylesheet, the script and the icon: small, our own, cached for ever by their content."""

import gzip
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

_TYPES: Final = {
    "style.css": "text/css; charset=utf-8",
    "enhance.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """
    A file as it is served.

    Attributes:
        digest: The first 12 hex digits of its SHA-256; they stand in its path.
        packed: Compressed once: nothing secret is in it, so that its length tells nothing.
    """

    media_type: str
    content: bytes = field(repr=False)
    packed: bytes = field(repr=False)
    digest: str


@lru_cache(1)
def assets() -> dict[str, Asset]:
    """All of them, by name."""
    found = {}
    for name, media_type in _TYPES.items():
        content = (files(__package__) / "assets" / name).read_bytes()
        packed = gzip.compress(content, compresslevel=9, mtime=0)
        found[name] = Asset(media_type, content, packed, sha256(content).hexdigest()[:12])
    return found


async def serve(request: Request) -> Response:
    """Route ``…/assets/{digest}/{name}``; another digest is another file, so it isn't there."""
    asset = assets().get(request.path_params["name"])
    if asset is None or asset.digest != request.path_params["digest"]:
        return Response(status_code=404)
    headers = {"cache-control": "public, max-age=31536000, immutable", "vary": "accept-encoding"}
    content = asset.content
    if "gzip" in request.headers.get("accept-encoding", ""):
        content, headers["content-encoding"] = asset.packed, "gzip"
    return Response(content, 200, headers, media_type=asset.media_type)
