"""QR codes, made here: a seed goes to no other server."""

import io

import segno


def qr_svg(text: str) -> str:
    """*text* as an SVG element that can stand in a page: dark on white, scalable, no script."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        out, kind="svg", scale=4, border=4, dark="#000", light="#fff", xmldecl=False, svgns=True,
        title="QR code for your authenticator app", omitsize=True,
    )  # fmt: skip
    return out.getvalue().decode().strip()
