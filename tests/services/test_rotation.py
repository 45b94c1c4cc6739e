"""How far a rotation of the vault's key is."""

from events.keys import RotatingKey
from services.rotation import Progress

KEY = RotatingKey("k2", {"k1": b"1" * 32, "k2": b"2" * 32})


def test_what_is_under_no_key_of_the_ring_is_waited_for_by_nobody() -> None:
    """Somebody made it up: nobody can wrap it anew, and a rotation would never end."""
    progress = Progress({"k0": 3, "k1": 2, "k2": 5, "k9": 1}, KEY)
    assert (progress.left, progress.done) == (2, 5)
