"""The folded states that a partition's owner keeps at hand, as of the last folded record."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import asyncpg

from events import organisation, person, stranger, streams, username
from events.envelope import Envelope
from events.facts import Counted, State
from events.organisation import Organisation
from events.person import Person
from events.staff import CodeChecked, LoggedOut, LoginAttempted
from events.stranger import Stranger
from events.username import Claim
from services.projections.tables import SessionState, Step

OF_A_PERSON: Final = frozenset({"account", "codes", "guesses", "links"})
KEPT: Final = 20_000
"""States of a kind that are kept at hand."""

S = TypeVar("S", bound=State)


class Cache(Generic[S]):
    """States of one kind by their keys, the most recently used; None: there is none."""

    def __init__(self, model: type[S], kept: int = KEPT) -> None:
        self._model, self._kept = model, kept
        self._states: OrderedDict[str, S | None] = OrderedDict()

    def __contains__(self, key: str) -> bool:
        return key in self._states

    def __getitem__(self, key: str) -> S | None:
        self._states.move_to_end(key)
        return self._states[key]

    def __setitem__(self, key: str, state: S | None) -> None:
        self._states[key] = state
        self._states.move_to_end(key)

    def put_in(self, key: str, stored: str | None) -> None:
        """Put in what the database holds."""
        self[key] = None if stored is None else self._model.model_validate_json(stored)

    def drop(self, keys: Iterable[str]) -> None:
        """Ask for these again, when they are needed."""
        for key in keys:
            self._states.pop(key, None)

    def shrink(self) -> None:
        """Let go of what wasn't used for longest; between batches alone."""
        while len(self._states) > self._kept:
            self._states.popitem(last=False)


@dataclass(slots=True)
class Needs:
    """What folding some records will ask for, by kind."""

    heads: set[str] = field(default_factory=set)
    people: set[str] = field(default_factory=set)
    organisations: set[str] = field(default_factory=set)
    claims: set[str] = field(default_factory=set)
    strangers: set[str] = field(default_factory=set)
    sessions: set[str] = field(default_factory=set)

    def add(self, read: Envelope) -> None:
        """What this envelope, should it count, will ask for; nothing where it can't."""
        if not all(map(streams.is_name, (read.subject, *read.basis))):
            return
        self.heads.update((read.subject, *read.basis))
        subject = streams.subject_id(read.subject)
        match streams.kind(read.subject):
            case "account" | "codes" | "guesses" | "links":
                self.people.add(subject)
                session = read.data.get("session")
                if isinstance(session, str):
                    self.sessions.add(session)
            case "organisation":
                self.organisations.add(streams.organisation_of(read.subject) or "")
            case "username":
                self.claims.add(subject)
            case "stranger":
                self.strangers.add(subject)
            case "session":
                self.sessions.add(subject)


class States:
    """Heads and folded states of one partition, valid while nobody else moves it."""

    def __init__(self) -> None:
        self.heads: dict[str, str | None] = {}
        self.absent: set[str] = set()
        self.people = Cache(Person)
        self.organisations = Cache(Organisation)
        self.claims = Cache(Claim)
        self.strangers = Cache(Stranger)
        self.sessions = Cache(SessionState)

    async def preload(self, connection: asyncpg.Connection, needs: Needs) -> None:
        """Fetch, in one statement, what *needs* asks for and isn't at hand."""
        heads = [s for s in needs.heads if s not in self.heads and s not in self.absent]
        by_kind = self._not_at_hand(needs)
        if not heads and not any(keys for _, keys in by_kind):
            return
        rows = await connection.fetch(_PRELOAD, heads, *(keys for _, keys in by_kind))
        found: dict[tuple[int, str], str | None] = {(row[0], row[1]): row[2] for row in rows}
        for stream in heads:
            digest = found.get((0, stream))
            if digest is None:
                self.absent.add(stream)
            else:
                self.heads[stream] = digest
        for kind, (cache, keys) in enumerate(by_kind, start=1):
            for key in keys:
                cache.put_in(key, found.get((kind, key)))

    def begin(self, needs: Needs) -> None:
        """In place of `preload`, where all was folded from the start: what isn't at hand isn't."""
        for cache, keys in self._not_at_hand(needs):
            for key in keys:
                cache[key] = None

    def _not_at_hand(self, needs: Needs) -> list[tuple[Cache[Any], list[str]]]:
        return [
            (cache, [key for key in keys if key not in cache])
            for cache, keys in (
                (self.people, needs.people),
                (self.organisations, needs.organisations),
                (self.claims, needs.claims),
                (self.strangers, needs.strangers),
                (self.sessions, needs.sessions),
            )
        ]

    def drop_strangers(self, digests: Iterable[str]) -> None:
        """Ask for these strangers and their heads again; between batches alone."""
        digests = list(digests)
        self.strangers.drop(digests)
        for one in digests:
            self.heads.pop(streams.stranger(one), None)

    def shrink(self) -> None:
        """Keep memory bounded; between batches alone."""
        for cache in (
            self.people, self.organisations, self.claims, self.strangers, self.sessions,
        ):  # fmt: skip
            cache.shrink()
        for known in (self.heads, self.absent):
            if len(known) > 10 * KEPT:
                known.clear()

    def step(self, counted: Counted) -> Step:
        """Move the states on by *counted*; what it needs is at hand."""
        self.absent.discard(counted.stream)
        subject, kind = streams.subject_id(counted.stream), streams.kind(counted.stream)
        if kind in OF_A_PERSON:
            was = self.people[subject]
            now = person.evolve(was, counted)
            self.people[subject] = now
            return Step(counted, was=was, person=now, session=self._session(counted, now))
        match kind:
            case "organisation":
                key = streams.organisation_of(counted.stream) or ""
                moved = organisation.evolve(self.organisations[key], counted)
                self.organisations[key] = moved
                return Step(counted, organisation=moved)
            case "username":
                claim = username.evolve(self.claims[subject], counted)
                self.claims[subject] = claim
                return Step(counted, claim=claim)
            case "stranger":
                tried = stranger.evolve(self.strangers[subject] or Stranger(), counted)
                self.strangers[subject] = tried
                return Step(counted, stranger=tried)
            case "session" if isinstance(counted.fact, LoggedOut):
                return Step(counted, session=self._changed(subject, {"ended": counted.at}))
            case _:
                return Step(counted)

    def _session(self, counted: Counted, now: Person | None) -> SessionState | None:
        fact = counted.fact
        if isinstance(fact, LoginAttempted) and fact.session and now:
            opened = SessionState(
                id=fact.session.id,
                staff_id=now.staff_id,
                organisation_id=now.organisation_id,
                role=now.role,
                token_digest=fact.session.token_digest,
                begun=counted.position.offset,
                started=counted.at,
                two_factor=fact.session.two_factor,
                credential_version=now.credential_version,
                verified=counted.at if fact.session.two_factor else None,
            )
            self.sessions[opened.id] = opened
            return opened
        if isinstance(fact, CodeChecked) and fact.session and fact.outcome == "accepted":
            renewed = {"token_digest": fact.token_digest} if fact.token_digest else {}
            return self._changed(fact.session, {"verified": counted.at, **renewed})
        return None

    def _changed(self, session_id: str, changes: Mapping[str, Any]) -> SessionState | None:
        session = self.sessions[session_id]
        if session is None:
            return None
        changed = session.model_copy(update=changes)
        self.sessions[session_id] = changed
        return changed


def needs_of(envelopes: Iterable[Envelope]) -> Needs:
    """What folding *envelopes* will ask for."""
    needs = Needs()
    for read in envelopes:
        needs.add(read)
    return needs


def staff_of(counted: Counted) -> str | None:
    """Whom an event is about, where it is about somebody."""
    if streams.kind(counted.stream) in OF_A_PERSON:
        return streams.subject_id(counted.stream)
    return counted.fact.staff_id if isinstance(counted.fact, LoggedOut) else None


_PRELOAD: Final = """
    SELECT 0, stream, digest FROM stream_head WHERE stream = ANY($1::text[])
    UNION ALL
    SELECT 1, staff_id, state::text FROM staff_account WHERE staff_id = ANY($2::text[])
    UNION ALL
    SELECT 2, organisation_id, state::text FROM organisation_policy
     WHERE organisation_id = ANY($3::text[])
    UNION ALL
    SELECT 3, username_digest, state::text FROM username_claim
     WHERE username_digest = ANY($4::text[])
    UNION ALL
    SELECT 4, username_digest, state::text FROM stranger WHERE username_digest = ANY($5::text[])
    UNION ALL
    SELECT 5, id, state::text FROM session WHERE id = ANY($6::text[])
"""
