"""Was it mandatory, and was Ann enrolled, then?"""

import pytest

from events.facts import Position
from services.audit.as_of import AsOf, Wanted, as_of
from services.audit.history import AuditError
from tests.events.records import GENERATION, KEYS, later, uuid
from tests.services.audit.histories import Author, written


@pytest.fixture(scope="module")
def author() -> Author:
    """Ann registers at second 2, enrols at 3; mandatory from 4; disabled at 5."""
    return written()


def state(author: Author, **wanted: object) -> AsOf:
    return as_of(author.history, KEYS, Wanted(**wanted))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("second", "enrolled", "mandatory"),
    [(2, False, False), (3, True, False), (3.999, True, False), (4, True, True), (9, False, True)],
)
def test_at_a_moment(author: Author, second: float, enrolled: bool, mandatory: bool) -> None:
    found = state(author, staff_id=author.person, at=later(second))
    assert found.person is not None
    assert (found.person.enrolled, found.mandatory) == (enrolled, mandatory)


def test_at_a_position(author: Author) -> None:
    found = state(author, staff_id=author.person, position=Position(GENERATION, 0, 3))
    assert found.person is not None
    assert found.person.enrolled
    assert not found.mandatory
    assert [one.position.offset for one in found.evidence] == [1, 3]
    assert found.at == later(3)


def test_by_the_username_of_then(author: Author) -> None:
    found = state(author, username_digest="a" * 64, at=later(3))
    assert found.to_json()["two_factor"] == "on"


def test_an_organisation_alone(author: Author) -> None:
    found = state(author, organisation_id=author.organisation, at=later(4))
    assert found.mandatory
    assert found.to_json()["two_factor"] is None


def test_supports_own_organisation_is_always_mandatory(author: Author) -> None:
    wanted = Wanted(organisation_id=author.organisation, at=later(1))
    assert as_of(author.history, KEYS, wanted, home=author.organisation).mandatory


@pytest.mark.parametrize("second", [-1, 1])
def test_before_there_was_anybody(author: Author, second: float) -> None:
    with pytest.raises(AuditError, match="no such person then"):
        state(author, staff_id=author.person, at=later(second))


def test_a_person_of_another_organisation(author: Author) -> None:
    with pytest.raises(AuditError, match="no such person"):
        state(author, staff_id=author.person, organisation_id=uuid(), at=later(9))


@pytest.mark.parametrize(
    "position", [Position(GENERATION, 0, 6), Position(GENERATION, 1, 0), Position("other", 0, 3)]
)
def test_a_position_that_there_is_not(author: Author, position: Position) -> None:
    with pytest.raises(AuditError, match=r"doesn't reach|another generation"):
        state(author, staff_id=author.person, position=position)
