"""
Every wire name that was ever written is read, for ever.

`golden/<wire name>.json` is one record's exact bytes as stored; `golden/<wire name>.read.json` is
what must be read of it today. Samples are added to, never edited: a changed shape is a new version.
"""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from events import catalogue, envelope, streams
from events.catalogue import IllFittingDataError, UnknownTypeError
from events.facts import Fact
from events.organisation import PasswordExpiryChanged
from events.staff import CodeChecked, PasswordSet
from tests.events.records import KEYS

GOLDEN = Path(__file__).parent / "golden"
NAMES = sorted(catalogue.TYPES)


@pytest.mark.parametrize("name", NAMES)
def test_its_sample_reads_as_it_always_did(name: str) -> None:
    stored = (GOLDEN / f"{name}.json").read_bytes()
    read = envelope.read(stored)
    assert envelope.is_authentic(read, KEYS)
    assert streams.partition_of(read.subject, 6) is not None
    fact = catalogue.read(read.type, read.data)
    expected = json.loads((GOLDEN / f"{name}.read.json").read_text())
    assert {"type": fact.wire_name, "data": fact.to_json()} == expected


@pytest.mark.parametrize("name", NAMES)
def test_an_added_field_is_a_new_version(name: str) -> None:
    read = envelope.read((GOLDEN / f"{name}.json").read_bytes())
    with pytest.raises(IllFittingDataError):
        catalogue.read(name, {**read.data, "added": "later"})


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_today_is_read_today(name: str) -> None:
    stored = (GOLDEN / f"{name}.json").read_bytes()
    fact = catalogue.read(name, envelope.read(stored).data)
    assert catalogue.read(fact.wire_name, fact.to_json()) == fact


@pytest.mark.parametrize(
    ("name", "field", "within", "beyond"),
    [
        ("twofold.genesis.v1", "partitions", (1, 10_000), (0, 10_001)),
        ("twofold.organisation_registered.v1", "name", ("n", "n" * 200), ("", "n" * 201)),
        ("twofold.two_factor_policy_changed.v1", "reason", ("r", "r" * 500), ("", "r" * 501)),
        ("twofold.password_expiry_changed.v1", "max_age_days", (0, 3650), (-1, 3651)),
        ("twofold.password_expiry_changed.v2", "max_age_days", (1, 3650), (0, 3651)),
        ("twofold.login_attempted.v1", "time_step", (0, 2**40), (-1, 2**40 + 1)),
        ("twofold.login_attempted.v1", "source", ("s" * 16, "s" * 2**14),
         ("s" * 15, "s" * (2**14 + 1))),
        ("twofold.command_accepted.v1", "name", ("n", "n" * 64), ("", "n" * 65)),
        ("twofold.command_rejected.v1", "reason", ("r", "r" * 64), ("", "r" * 65)),
        ("twofold.command_rejected.v1", "detail", ("d", "d" * 500), ("", "d" * 501)),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)  # fmt: skip
def test_its_limits_stay_where_they_are(
    name: str, field: str, within: tuple[object, ...], beyond: tuple[object, ...]
) -> None:
    """With closer ones, every reader would halt at what was written up to them."""
    data = envelope.read((GOLDEN / f"{name}.json").read_bytes()).data
    for value in within:
        catalogue.read(name, {**data, field: value})
    for value in beyond:
        with pytest.raises(IllFittingDataError):
            catalogue.read(name, {**data, field: value})


def test_every_sample_is_of_a_known_type() -> None:
    stored = {path.name.removesuffix(".json") for path in GOLDEN.glob("*.v?.json")}
    assert stored == set(NAMES)


def test_every_fact_has_a_permanent_name() -> None:
    def written(kind: type[Fact]) -> set[type[Fact]]:
        return {kind}.union(*[written(one) for one in kind.__subclasses__()])

    ours = {kind for kind in written(Fact) if kind.__module__.startswith("events.")} - {Fact}
    assert ours == set(catalogue.TYPES.values())


class TestUpcasting:
    def test_expiry_of_0_days_meant_off(self) -> None:
        fact = catalogue.read("twofold.password_expiry_changed.v1", {"max_age_days": 0})
        assert isinstance(fact, PasswordExpiryChanged)
        assert fact.max_age_days is None

    def test_expiry_keeps_its_days(self) -> None:
        fact = catalogue.read("twofold.password_expiry_changed.v1", {"max_age_days": 30})
        assert isinstance(fact, PasswordExpiryChanged)
        assert fact.max_age_days == 30

    def test_a_code_that_was_checked_renewed_no_session(self) -> None:
        data = {"purpose": "step_up", "outcome": "accepted", "source": "A" * 32, "time_step": 7}
        fact = catalogue.read("twofold.code_checked.v1", data)
        assert isinstance(fact, CodeChecked)
        assert (fact.time_step, fact.token_digest) == (7, None)
        with pytest.raises(IllFittingDataError):
            catalogue.read("twofold.code_checked.v1", {**data, "token_digest": "0" * 64})

    def test_a_password_that_was_set_made_no_device_known(self) -> None:
        data = {"credential": "0" * 8 + "-0000-4000-8000-" + "0" * 12, "choice": "no_thanks"}
        fact = catalogue.read("twofold.password_set.v1", {**data, "origin": "link"})
        assert isinstance(fact, PasswordSet)
        assert (fact.origin, fact.device) == ("link", None)

    def test_the_old_shape_is_still_checked(self) -> None:
        with pytest.raises(IllFittingDataError):
            catalogue.read(
                "twofold.password_expiry_changed.v1", {"max_age_days": 30, "reason": "x"}
            )


class TestRefusing:
    def test_an_unknown_version_is_said(self) -> None:
        with pytest.raises(UnknownTypeError):
            catalogue.read("twofold.tick.v2", {})

    def test_the_complaint_holds_no_value(self) -> None:
        """SECURITY V-4: pydantic's own message would."""
        data = {
            "username_digest": "hunter2",
            "data_key": "hunter2",
            "details": "hunter2",
            "role": 1,
        }
        with pytest.raises(IllFittingDataError) as caught:
            catalogue.read("twofold.staff_registered.v1", data)
        assert "hunter2" not in str(caught.value)
        assert "details" in str(caught.value)
        assert caught.value.__cause__ is None

    @pytest.mark.parametrize("days", ["30", True, 30.0, -1, 4000])
    def test_nothing_is_converted(self, days: object) -> None:
        with pytest.raises(IllFittingDataError):
            catalogue.read(
                "twofold.password_expiry_changed.v2", {"max_age_days": days, "reason": "x"}
            )

    @pytest.mark.parametrize("identity", ["00000000-0000-4000-8000-00000000000A", "1", "x" * 36])
    def test_an_id_is_a_uuid_in_lower_case(self, identity: str) -> None:
        with pytest.raises(ValidationError):
            catalogue.TYPES["twofold.logged_out.v1"].model_validate({"staff_id": identity})
