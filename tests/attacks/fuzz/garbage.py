"""Records that nobody of ours would write, made of ones that somebody of ours did."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

HUGE: Final = 200_000
"""Bytes: more than a record of ours may have, and less than what the broker refuses."""
MOST_CHANGED: Final = 70_000
"""Bytes of a record that are changed and written again."""

NASTY: Final[Sequence[Any]] = (
    None, True, 0, -1, 2**53, 2**63, 10**400, 1.5, "", "\0", "\ud800", "é" * 300, "'; DROP TABLE",
    "../../x", [], {}, [[[]]], {"a": {"a": {}}}, "0001-01-01T00:00:00.000Z",
    "9999-12-31T23:59:59.999Z", "0000-00-00T00:00:00.000Z", "log/0", "f" * 64, "x" * 5_000,
)  # fmt: skip
"""Values that stand where others are due."""


@dataclass(frozen=True, slots=True)
class Written:
    """A record as it goes to the broker, or as it came from it."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def garbage(dice: random.Random, real: Sequence[Written], *, most: int = HUGE) -> Iterator[Written]:
    """Garbage without end; *real* are records that were written in earnest."""
    ways: list[Callable[[], Written]] = [
        lambda: Written(_key(dice, real), dice.randbytes(dice.randrange(2_000)), _headers(dice)),
        lambda: Written(_key(dice, real), None, _headers(dice)),
        lambda: Written(_key(dice, real), _json(dice), _headers(dice)),
        lambda: Written(_key(dice, real), dice.choice(_DEEP), ()),
    ]
    if real:
        ways += 4 * [lambda: flipped(dice, dice.choice(real))]
        ways += 6 * [lambda: member_changed(dice, dice.choice(real))]
        ways += 2 * [lambda: dice.choice(real)]  # Again, at another offset.
        ways += [lambda: Written(_key(dice, real), dice.choice(real).value, _headers(dice))]
    while True:
        if dice.random() < 0.002:
            yield Written(_key(dice, real), b"[" * dice.randrange(most // 2, most))
        elif dice.random() < 0.002:
            yield Written(b"k" * most, b"{}", dice.choice(real).headers if real else ())
        else:
            yield dice.choice(ways)()


def flipped(dice: random.Random, record: Written) -> Written:
    """*record* with some bytes changed, cut out, repeated, or of another record."""
    value = bytearray((record.value or b"{}")[:MOST_CHANGED])
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(value) + 1)
        match dice.randrange(5):
            case 0:
                value[at : at + 1] = dice.randbytes(1)
            case 1:
                del value[at : at + dice.randrange(1, 40)]
            case 2:
                value[at:at] = value[: dice.randrange(1, 40)]
            case 3:
                value[at:at] = dice.choice([b"\0", b"\\u0000", b"\xff", b"\xed\xa0\x80", b" "])
            case _:
                del value[at:]
    return Written(record.key, bytes(value), record.headers)


def member_changed(dice: random.Random, record: Written) -> Written:
    """*record* with a member gone, another, new or nasty; its MAC or signature stays as it was."""
    try:
        told = json.loads(record.value or b"{}")
    except (ValueError, RecursionError):
        return flipped(dice, record)
    if not isinstance(told, dict) or not told:
        return flipped(dice, record)
    inner = told["data"] if isinstance(told.get("data"), dict) and dice.random() < 0.5 else told
    name = dice.choice([*inner, "another"])
    if dice.random() < 0.2:
        inner.pop(name, None)
    else:
        inner[name] = dice.choice(NASTY)
    # Mostly in the canonical spelling, so that it isn't refused for its spelling alone.
    spelt = {"separators": (",", ":"), "sort_keys": True} if dice.random() < 0.8 else {}
    value = json.dumps(told, ensure_ascii=dice.random() < 0.2, **spelt)  # type: ignore[arg-type]
    return Written(record.key, value.encode(errors="surrogatepass"), record.headers)


_DEEP: Final = (
    b"[" * 50_000, b'{"a":' * 20_000, b"[" * 40 + b"]" * 40, b"1" * 10_000, b"NaN", b"-0", b"1e999",
    b'"\\ud800"', b'{"a":1,"a":2}', b"\xef\xbb\xbf{}", b"null", b"{}", b"",
)  # fmt: skip


def _json(dice: random.Random) -> bytes:
    names = ["id", "kind", "owner", "deadline", "key", "subject", "type", "mac", "data", "expiry"]
    told = {name: dice.choice(NASTY) for name in dice.sample(names, dice.randrange(len(names)))}
    return json.dumps(told, separators=(",", ":"), sort_keys=True).encode()


def _key(dice: random.Random, real: Sequence[Written]) -> bytes | None:
    made = [None, b"", b"\0", b"\xff\xfe", b"k" * 3_000, dice.randbytes(16)]
    return dice.choice([*made, dice.choice(real).key] if real else made)


def _headers(dice: random.Random) -> tuple[tuple[str, bytes | None], ...]:
    made = [("keyid", b"operator"), ("signature", b"x" * 88), ("keyid", b"\xff"), ("", b""),
            ("signature", None), ("content-type", b"\0"), ("é" * 50, b"x" * 500)]  # fmt: skip
    return tuple(dice.sample(made, dice.choice([0, 0, 1, 2, 3])))
