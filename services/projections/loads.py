"""Loads for decisions, each out of one snapshot."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import asyncpg

from events import streams
from events.facts import Counted
from events.organisation import Organisation
from events.person import Person
from events.stranger import Stranger
from events.username import Claim
from services.projections import rows
from services.projections.database import one, translated
from services.projections.port import (
    LoadedClaim,
    LoadedForCommand,
    LoadedPerson,
    LoadedSession,
    LoadedStranger,
    Session,
)
from services.projections.topology import Topology

MOST_SESSIONS: Final = 1_000


class PgLoads:
    """`Loads` from PostgreSQL."""

    def __init__(self, pool: asyncpg.Pool, topology: Topology | None = None) -> None:
        """
        Args:
            pool: On the projections' schema.
            topology: Of the topics; None: those of `events.topics`.
        """
        self._pool, self._topology = pool, topology or Topology(pool)

    async def by_username(self, username_digest: str) -> LoadedPerson | LoadedStranger:
        topology = self._topology
        partition = await topology.stranger_partition(username_digest)
        stream = streams.stranger(username_digest)
        row = await one(
            self._pool,
            _BY_USERNAME,
            username_digest,
            topology.events,
            topology.strangers,
            partition,
            stream,
        )
        tried = row["stranger"]
        stranger = Stranger.model_validate_json(tried) if tried else Stranger()
        if row["person"] is not None:
            return replace(rows.loaded_person(row), before=stranger.failed_logins)
        return LoadedStranger(
            username_digest=username_digest,
            stranger=stranger,
            heads={stream: row["stranger_head"]},
            place=rows.place(row, "stranger_"),
        )

    async def by_staff(self, staff_id: str) -> LoadedPerson | None:
        return await self._person(_BY_STAFF, staff_id)

    async def by_link(self, ticket_digest: str) -> LoadedPerson | None:
        return await self._person(_BY_LINK, ticket_digest)

    async def by_session(self, token_digest: str) -> LoadedSession | None:
        with translated():
            row = await self._pool.fetchrow(_BY_SESSION, token_digest, self._topology.events)
        return LoadedSession(rows.session(row), rows.loaded_person(row)) if row else None

    async def live_sessions(self, staff_id: str) -> Sequence[Session]:
        with translated():
            found = await self._pool.fetch(_LIVE_SESSIONS, staff_id, MOST_SESSIONS)
        return [rows.session(row) for row in found]

    async def claim(self, username_digest: str) -> LoadedClaim:
        stream = streams.username(username_digest)
        partition = await self._topology.event_partition(username_digest)
        row = await one(
            self._pool, _CLAIM, username_digest, self._topology.events, partition, stream
        )
        return LoadedClaim(
            claim=Claim.model_validate_json(row["claim"]) if row["claim"] else None,
            heads={stream: row["head"]},
            place=rows.place(row),
        )

    async def for_command(
        self,
        *,
        organisation_id: str,
        publisher: str,
        command_id: str,
        staff_id: str | None,
        actor_id: str | None,
    ) -> LoadedForCommand:
        partition = await self._topology.event_partition(organisation_id)
        with translated():
            async with (
                self._pool.acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                state = await connection.fetchrow(_PLACE, self._topology.events, partition)
                command = await connection.fetchrow(
                    _COMMAND, organisation_id, publisher, command_id
                )
                people = await connection.fetch(
                    _PEOPLE, organisation_id, [one for one in (staff_id, actor_id) if one]
                )
                organisation = await connection.fetchval(_ORGANISATION, organisation_id)
                administrators = [
                    row["staff_id"]
                    for row in await connection.fetch(
                        _ADMINISTRATORS, organisation_id, staff_id or ""
                    )
                ]
                named = {
                    streams.command(organisation_id, publisher, command_id),
                    streams.organisation(organisation_id),
                    *(streams.account(organisation_id, one) for one in administrators),
                    *(rows.streams_of(organisation_id, staff_id) if staff_id else ()),
                    *((streams.account(organisation_id, actor_id),) if actor_id else ()),
                }
                heads = await connection.fetch(_HEADS, sorted(named))
        found = {row["staff_id"]: Person.model_validate_json(row["person"]) for row in people}
        return LoadedForCommand(
            command=rows.command(command) if command else None,
            organisation=Organisation.model_validate_json(organisation) if organisation else None,
            target=found.get(staff_id or ""),
            actor=found.get(actor_id or ""),
            administrators=administrators,
            heads=dict.fromkeys(named) | {row["stream"]: row["digest"] for row in heads},
            place=rows.place(state),
        )

    async def event(self, event_id: str) -> Counted | None:
        with translated():
            row = await self._pool.fetchrow(_EVENT, event_id)
        return rows.counted(row) if row else None

    async def seen(self, session_id: str, at: datetime) -> None:
        with translated():
            await self._pool.execute(_SEEN, session_id, at)

    async def _person(self, statement: str, key: str) -> LoadedPerson | None:
        with translated():
            row = await self._pool.fetchrow(statement, key, self._topology.events)
        return rows.loaded_person(row) if row else None


_WITH_ORGANISATION: Final = """
    a.state::text AS person, o.state::text AS organisation,
    p.generation, p.partition, p.next_offset, p.clock,
    (SELECT jsonb_object_agg(h.stream, h.digest)::text
       FROM stream_head h WHERE h.stream = ANY(ARRAY[
        a.organisation_id || '/organisation',
        a.organisation_id || '/account/' || a.staff_id,
        a.organisation_id || '/codes/' || a.staff_id,
        a.organisation_id || '/guesses/' || a.staff_id,
        a.organisation_id || '/links/' || a.staff_id
    ])) AS heads
"""

_JOINED: Final = """
    LEFT JOIN organisation_policy o ON o.organisation_id = a.organisation_id
    LEFT JOIN partition_state p ON p.topic = $2 AND p.partition = a.partition
"""

# While a name changes hands, two people may carry it for a moment: the claim says whose it is.
_BY_USERNAME: Final = f"""
    SELECT {_WITH_ORGANISATION},
           (SELECT state::text FROM stranger WHERE username_digest = $1) AS stranger,
           (SELECT digest FROM stream_head WHERE stream = $5) AS stranger_head,
           s.generation AS stranger_generation, s.partition AS stranger_partition,
           s.next_offset AS stranger_next_offset, s.clock AS stranger_clock
      FROM (SELECT 1) asked
      LEFT JOIN LATERAL (
          SELECT held.* FROM staff_account held
            LEFT JOIN username_claim c ON c.username_digest = $1 AND c.staff_id = held.staff_id
           WHERE held.username_digest = $1 AND NOT held.forgotten
           ORDER BY c.staff_id NULLS LAST, held.staff_id LIMIT 1
      ) a ON true
      {_JOINED}
      LEFT JOIN partition_state s ON s.topic = $3 AND s.partition = $4
"""  # noqa: S608 # Constants of ours.

_BY_STAFF: Final = f"""
    SELECT {_WITH_ORGANISATION} FROM staff_account a {_JOINED} WHERE a.staff_id = $1
"""  # noqa: S608 # As above.

_BY_LINK: Final = f"""
    SELECT {_WITH_ORGANISATION} FROM staff_account a {_JOINED} WHERE a.ticket_digest = $1 LIMIT 1
"""  # noqa: S608 # As above.

_SESSION: Final = """
    s.state::text AS session, coalesce(s.ended, e.at) AS ended, v.last_seen
"""

_OF_SESSION: Final = """
    LEFT JOIN session_activity v ON v.id = s.id
    LEFT JOIN logged_out_everywhere e ON e.staff_id = s.staff_id AND e."offset" > s.begun
"""

_BY_SESSION: Final = f"""
    SELECT {_SESSION}, {_WITH_ORGANISATION}
      FROM session s JOIN staff_account a ON a.staff_id = s.staff_id {_JOINED} {_OF_SESSION}
     WHERE s.token_digest = $1 LIMIT 1
"""  # noqa: S608 # As above.

_LIVE_SESSIONS: Final = f"""
    SELECT {_SESSION}
      FROM staff_account a
      JOIN session s ON s.staff_id = a.staff_id AND s.credential_version = a.credential_version
      {_OF_SESSION}
     WHERE a.staff_id = $1 AND s.ended IS NULL AND e.at IS NULL
     ORDER BY s.begun DESC LIMIT $2
"""  # noqa: S608 # As above.

_CLAIM: Final = """
    SELECT (SELECT state::text FROM username_claim WHERE username_digest = $1) AS claim,
           (SELECT digest FROM stream_head WHERE stream = $4) AS head,
           p.generation, p.partition, p.next_offset, p.clock
      FROM (SELECT 1) asked LEFT JOIN partition_state p ON p.topic = $2 AND p.partition = $3
"""

_PLACE: Final = """
    SELECT generation, partition, next_offset, clock FROM partition_state
     WHERE topic = $1 AND partition = $2
"""

_COMMAND: Final = """
    SELECT * FROM command_outcome
     WHERE organisation_id = $1 AND publisher = $2 AND command_id = $3
"""

_PEOPLE: Final = """
    SELECT staff_id, state::text AS person FROM staff_account
     WHERE organisation_id = $1 AND staff_id = ANY($2::text[])
"""

_ORGANISATION: Final = "SELECT state::text FROM organisation_policy WHERE organisation_id = $1"

_ADMINISTRATORS: Final = """
    SELECT staff_id FROM staff_account
     WHERE organisation_id = $1 AND role = 'administrator' AND active AND staff_id <> $2
     ORDER BY staff_id LIMIT 10
"""

_HEADS: Final = "SELECT stream, digest FROM stream_head WHERE stream = ANY($1::text[])"

_EVENT: Final = """
    SELECT r.value, r.digest, r.at, r.partition, r."offset", p.generation
      FROM recent_record r JOIN partition_state p USING (topic, partition)
     WHERE r.event_id = $1 AND r.fate = 'counted' LIMIT 1
"""

_SEEN: Final = """
    INSERT INTO session_activity (id, last_seen) VALUES ($1, $2)
    ON CONFLICT (id) DO UPDATE SET last_seen = excluded.last_seen
     WHERE session_activity.last_seen < excluded.last_seen - interval '1 minute'
"""
