"""`Loads` folded from a log in memory: the fake behind the port, for tests of handlers."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from events import organisation as organisations
from events import person as people
from events import stranger, streams
from events.acceptance import PartitionState
from events.facts import Counted, Heads, Position
from events.log.memory import MemoryLog
from events.organisation import Organisation
from events.person import Person
from events.staff import CodeChecked, LoggedOut, LoginAttempted
from events.stranger import Stranger
from services.projections.port import (
    LoadedClaim,
    LoadedForCommand,
    LoadedPerson,
    LoadedSession,
    LoadedStranger,
    Place,
    Session,
)


class MemoryLoads:
    """Folds everything anew at each question; one partition a topic."""

    def __init__(self, events: MemoryLog, strangers: MemoryLog) -> None:
        self._events, self._strangers = events, strangers
        self._seen: dict[str, datetime] = {}

    async def by_username(self, username_digest: str) -> LoadedPerson | LoadedStranger:
        stream = streams.stranger(username_digest)
        found = Stranger()
        for counted in _counted(self._strangers):
            if counted.stream == stream:
                found = stranger.evolve(found, counted)
        for person in self._people():
            if person.username_digest == username_digest and not person.forgotten:
                return replace(self._loaded(person), before=found.failed_logins)
        heads = {stream: _state(self._strangers).heads.get(stream)}
        return LoadedStranger(username_digest, found, heads, _place(self._strangers))

    async def by_staff(self, staff_id: str) -> LoadedPerson | None:
        found = (self._loaded(one) for one in self._people() if one.staff_id == staff_id)
        return next(found, None)

    async def by_link(self, ticket_digest: str) -> LoadedPerson | None:
        for person in self._people():
            if person.link is not None and person.link.ticket_digest == ticket_digest:
                return self._loaded(person)
        return None

    async def by_session(self, token_digest: str) -> LoadedSession | None:
        for digest, session in self._sessions():
            loaded = await self.by_staff(session.staff_id)
            if digest == token_digest and loaded is not None:
                seen = self._seen.get(session.id, session.last_seen)
                return LoadedSession(replace(session, last_seen=seen), loaded)
        return None

    async def live_sessions(self, staff_id: str) -> Sequence[Session]:
        loaded = await self.by_staff(staff_id)
        version = loaded.person.credential_version if loaded is not None else -1
        return [
            session
            for _, session in self._sessions()
            if session.staff_id == staff_id
            and session.ended is None
            and session.credential_version == version
        ]

    async def claim(self, username_digest: str) -> LoadedClaim:
        raise NotImplementedError

    async def for_command(
        self,
        *,
        organisation_id: str,
        publisher: str,
        command_id: str,
        staff_id: str | None,
        actor_id: str | None,
    ) -> LoadedForCommand:
        raise NotImplementedError

    async def event(self, event_id: str) -> Counted | None:
        both = (*_counted(self._events), *_counted(self._strangers))
        return next((one for one in both if one.id == event_id), None)

    async def seen(self, session_id: str, at: datetime) -> None:
        self._seen[session_id] = at

    def _people(self) -> list[Person]:
        found: dict[str, Person | None] = {}
        for counted in _counted(self._events):
            whose = streams.subject_id(counted.stream)
            if streams.kind(counted.stream) in {"account", "codes", "guesses", "links"}:
                found[whose] = people.evolve(found.get(whose), counted)
        return [person for person in found.values() if person is not None]

    def _organisation(self, organisation_id: str) -> Organisation:
        found: Organisation | None = None
        for counted in _counted(self._events):
            if counted.stream == streams.organisation(organisation_id):
                found = organisations.evolve(found, counted)
        assert found is not None
        return found

    def _loaded(self, person: Person) -> LoadedPerson:
        organisation = self._organisation(person.organisation_id)
        heads: Heads = dict(_state(self._events).heads)
        return LoadedPerson(person, organisation, heads, _place(self._events))

    def _sessions(self) -> list[tuple[str, Session]]:
        persons: dict[str, Person | None] = {}
        found: dict[str, tuple[str, Session]] = {}
        for counted in _counted(self._events):
            whose, fact = streams.subject_id(counted.stream), counted.fact
            if streams.kind(counted.stream) in {"account", "codes", "guesses", "links"}:
                persons[whose] = people.evolve(persons.get(whose), counted)
            person = persons.get(whose)
            if isinstance(fact, LoginAttempted) and fact.session is not None and person is not None:
                found[fact.session.id] = (
                    fact.session.token_digest,
                    Session(
                        id=fact.session.id,
                        staff_id=person.staff_id,
                        organisation_id=person.organisation_id,
                        role=person.role,
                        started=counted.at,
                        two_factor=fact.session.two_factor,
                        credential_version=person.credential_version,
                        verified=counted.at if fact.session.two_factor else None,
                        ended=None,
                        last_seen=counted.at,
                    ),
                )
            if isinstance(fact, CodeChecked) and fact.session and fact.outcome == "accepted":
                digest, session = found[fact.session]
                renewed = fact.token_digest or digest
                found[fact.session] = (renewed, replace(session, verified=counted.at))
            if isinstance(fact, LoggedOut):
                for name, (digest, session) in found.items():
                    if name == whose or (fact.everywhere and session.staff_id == fact.staff_id):
                        ended = session.ended or counted.at
                        found[name] = (digest, replace(session, ended=ended))
        return list(found.values())


def _counted(log: MemoryLog) -> Iterator[Counted]:
    return (one.counted for one in log.judged[0] if one.counted is not None)


def _state(log: MemoryLog) -> PartitionState:
    return log._states[0]


def _place(log: MemoryLog) -> Place:
    state = _state(log)
    return Place(Position(state.generation, 0, (state.next_offset or 0) - 1), state.clock)
