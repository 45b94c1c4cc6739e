"""Debian's Chromium, and how tests start it."""

PROGRAM = "/usr/bin/chromium"

FLAGS = [
    "--no-sandbox",  # Tests may run as root, where Chromium has no sandbox.
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # Nothing that it would look up by itself.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
