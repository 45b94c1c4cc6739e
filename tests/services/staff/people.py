"""People, organisations and publishers for the staff service's tests."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from events.credentials import Enrolled
from events.facts import Position
from events.organisation import Organisation, Policy
from events.person import Person
from events.staff import Role
from services.projections.port import LoadedPerson, Place, Session
from services.staff.domain.rights import Rights, Sender
from services.staff.domain.situation import Situation

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
ACME, OTHER, HOME = (str(uuid4()) for _ in range(3))
SEALED = "s" * 20
EVERYTHING = frozenset({"*"})
STAFF_KEY = Rights("staff-service", EVERYTHING, EVERYTHING, frozenset({"staff"}))
OPERATOR = Rights("operator", EVERYTHING, EVERYTHING, frozenset({"service"}), grants_support=True)
PLACE = Place(Position(ACME, 0, 7), NOW)


def uuid() -> str:
    return str(uuid4())


def organisation(organisation_id: str = ACME, policy: Policy | None = None) -> Organisation:
    return Organisation(
        organisation_id=organisation_id, name="Acme", registered=NOW, policy=policy or Policy()
    )


def person(
    role: Role = "staff",
    organisation_id: str = ACME,
    *,
    enrolled: bool = False,
    active: bool = True,
    forgotten: bool = False,
    verified: datetime | None = NOW,
) -> Person:
    made = Person(
        staff_id=uuid(),
        organisation_id=organisation_id,
        username_digest=uuid4().hex * 2,
        data_key=uuid(),
        details=SEALED,
        role=role,
        registered=NOW,
        active=active,
        forgotten=forgotten,
        verified=verified,
    )
    if not enrolled:
        return made
    factor = Enrolled(authenticator=uuid(), method="totp", since=NOW)
    return made.model_copy(update={"second_factor": factor})


def session_of(owner: Person, **changes: object) -> Session:
    fields: dict[str, object] = {
        "id": uuid(),
        "staff_id": owner.staff_id,
        "organisation_id": owner.organisation_id,
        "role": owner.role,
        "started": NOW - timedelta(minutes=5),
        "two_factor": True,
        "credential_version": owner.credential_version,
        "verified": NOW,
        "ended": None,
        "last_seen": NOW,
    }
    return Session(**(fields | changes))  # type: ignore[arg-type]


def loaded(one: Person) -> LoadedPerson:
    return LoadedPerson(one, organisation(one.organisation_id), {}, PLACE)


def acting(one: Person, rights: Rights = STAFF_KEY, session: Session | None = None) -> Sender:
    """A person who commands."""
    return Sender(
        f"staff/{one.staff_id}", rights, loaded(one), session, from_session=session is not None
    )


def serving(rights: Rights = OPERATOR) -> Sender:
    """A publisher that commands for itself."""
    return Sender(f"service/{rights.key_id}", rights)


def situation(
    target: Person | None = None,
    *,
    sender: Sender | None = None,
    where: Organisation | None = None,
    unregistered: bool = False,
    administrators: tuple[str, ...] = (),
    now: datetime = NOW,
) -> Situation:
    return Situation(
        organisation=None if unregistered else where or organisation(),
        target=target,
        administrators=administrators,
        sender=sender or serving(),
        home=HOME,
        now=now,
        clock=now,
    )
