"""
The decoders under atheris, which looks for inputs that reach new code: `make fuzz` runs it.

`python -m tests.attacks.fuzz.coverage_guided --seconds 600` gives each decoder its share of the
time, in a process of its own. A decoder may return or refuse; any other error ends the run with the
input that caused it, as Python bytes.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import atheris

with atheris.instrument_imports(include=["events", "services"]):
    from events import canonical, command_wire, commands, envelope, keys, streams
    from events.facts import Position
    from events.vault.sealing import SealedEntry, UnsealingError, seal
    from services.auth.domain.errors import TicketDeadError
    from services.auth.tickets import Candidate, Tickets
    from services.web.bodies import read_strictly

Decoder = Callable[[bytes], None]

NOW: Final = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
_RING = keys.generate()
_TICKETS = Tickets(_RING)
_UUID = "00000000-0000-4000-8000-000000000001"


def record(value: bytes) -> None:
    try:
        read = envelope.read(value)
    except envelope.MalformedError:
        return
    assert canonical.dumps(canonical.loads(value)) == value
    assert not envelope.is_authentic(read, {"k1": b"k" * 32})


def canonical_json(value: bytes) -> None:
    try:
        assert canonical.dumps(canonical.loads(value)) == value
    except canonical.NotCanonicalError:
        return


def command(value: bytes) -> None:
    try:
        command_wire.read_command(command_wire.read_envelope(value))
    except commands.UnreadableCommandError:
        return


def ticket(value: bytes) -> None:
    text = value.decode("latin-1")
    for opened in (_TICKETS.open_login, _TICKETS.open_candidate):
        try:
            opened(text, NOW)
        except TicketDeadError:
            continue
        assert text in _SEEDS["ticket"]
    _TICKETS.known_device(text, _UUID, NOW)


def vault_entry(value: bytes) -> None:
    try:
        entry = SealedEntry.from_bytes(value)
    except UnsealingError:
        return
    assert SealedEntry.from_bytes(entry.to_bytes()) == entry


def position(value: bytes) -> None:
    try:
        Position.parse(value.decode("utf-8", "replace"))
    except ValueError:
        return


def body(value: bytes) -> None:
    try:
        read_strictly(value)
    except json.JSONDecodeError:
        return


DECODERS: Final[Mapping[str, Decoder]] = {
    one.__name__: one
    for one in (record, canonical_json, command, ticket, vault_entry, position, body)
}

_ENVELOPE: Final = envelope.Envelope(
    id="1", source="twofold/tests", type="twofold.tick.v1", time=NOW, subject=streams.log(0),
    deadline=NOW, actor="system", correlation_id="1", data={"a": [1, None, True, {"b": "ä"}]},
    previous="a" * 64, basis={streams.organisation(_UUID): None}, causation_id="c",
)  # fmt: skip
_COMMAND: Final = command_wire.write_command(
    commands.DisableTwoFactor(organisation_id=_UUID, staff_id=_UUID, reason="r"),
    command_id="c", source="s", audience="a", actor="service/s", now=NOW,
)  # fmt: skip
_ENTRY: Final = seal(
    b"s", entry_id=_UUID, kind="password", owner=_UUID, deadline=NOW, key=_RING.encryption
)
_SEEDS: Final[Mapping[str, Sequence[str]]] = {
    "record": [envelope.seal(_ENVELOPE, "k2", b"x" * 32).decode()],
    "canonical_json": ['{"a":[1,null,true,{"b":"ä"}]}'],
    "command": [_COMMAND.decode()],
    "ticket": [
        _TICKETS.login("a" * 64, NOW),
        _TICKETS.candidate(Candidate(_UUID, _UUID, _UUID, b"s" * 20), NOW.replace(year=2027)),
        _TICKETS.device(_UUID, _UUID, NOW),
    ],
    "vault_entry": [_ENTRY.to_bytes().decode()],
    "position": [f"{_UUID}:3:42"],
    "body": ['{"a":[1,null,true,{"b":"ä"}]}'],
}


def _run_one(name: str, seconds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(_SEEDS[name]):
            (Path(folder) / str(number)).write_text(seed)
        told = [sys.argv[0], folder, f"-max_total_time={seconds}", "-max_len=70000",
                "-rss_limit_mb=2048", "-timeout=10", "-print_final_stats=1", "-verbosity=0",
                f"-artifact_prefix={folder}/"]  # fmt: skip
        atheris.Setup(told, DECODERS[name])
        atheris.Fuzz()


def main() -> int:
    """
    Fuzz all of them, or one.

    Returns:
        The exit status: 0 where no decoder did anything but read or refuse.
    """
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seconds", type=int, default=600, help="for all of them together")
    asked.add_argument("--decoder", choices=DECODERS)
    given = asked.parse_args()
    if given.decoder:
        _run_one(given.decoder, given.seconds)
        return 0
    failed = []
    for name in DECODERS:
        share = max(1, given.seconds // len(DECODERS))
        command_line = [sys.executable, "-m", __spec__.name, "--decoder", name]
        done = subprocess.run(
            [*command_line, "--seconds", str(share)],
            check=False, capture_output=True, text=True, timeout=share + 60,
        )  # fmt: skip
        tried = [line.split()[-1] for line in done.stderr.splitlines() if "executed_units" in line]
        print(f"{name:16} {tried[0] if tried else '?':>10} inputs in {share} s,"  # noqa: T201
              f" {'as it must be' if done.returncode == 0 else 'FAILED'}", flush=True)  # fmt: skip
        if done.returncode:
            failed.append(name)
            print(done.stdout[-2000:], done.stderr[-4000:])  # noqa: T201
    print(f"{len(DECODERS) - len(failed)} decoders held, {len(failed)} didn't")  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
