"""What the projector keeps beside the projections: positions, heads, fates, and what went wrong."""

from typing import Final

from services.projections.tables.table import MOMENT, TEXT, Table

STREAM_HEAD: Final = Table("stream_head", {"stream": TEXT, "digest": TEXT}, key=("stream",))

RECENT_RECORD: Final = Table(
    "recent_record",
    {
        "topic": TEXT,
        "partition": "int NOT NULL",
        "offset": "bigint NOT NULL",
        "digest": TEXT,
        "fate": TEXT,
        "at": MOMENT,
        "event_id": "text",
        "staff_id": "text",
        "value": "bytea",
    },
    key=("topic", "partition", "offset"),
    indexes=("(digest, topic, partition)", "(event_id)", "USING brin (at)"),
    grows=True,
)
"""Every record of the last `KEPT`, with its fate; the bytes of those that counted."""

QUARANTINE: Final = Table(
    "quarantine",
    {
        "topic": TEXT,
        "partition": "int NOT NULL",
        "offset": "bigint NOT NULL",
        "append_time": MOMENT,
        "fate": TEXT,
        "complaint": TEXT,
        "digest": TEXT,
        "value": "bytea",
    },
    key=("topic", "partition", "offset"),
    grows=True,
)

TABLES: Final = (STREAM_HEAD, RECENT_RECORD, QUARANTINE)

KEPT_DAYS: Final = 7
"""How long the bytes and fates of records are kept in the database."""

STRANGERS_KEPT_DAYS: Final = 2 * KEPT_DAYS
"""Likewise what strangers tried: what their topic has forgotten, twice over, pauses nobody."""

PRUNED_AT_ONCE: Final = 20_000
"""Rows that one statement lets go of; as many statements follow each other as it takes."""

LEASES: Final = ("lease", "notify_lease")
"""
The projectors', and notify's. Who may write a table may lock it as a whole, and so stop everybody
else who needs it: whoever has taken notify over stops notify alone.
"""

OTHERS: Final = (
    """
    CREATE TABLE partition_state (
        topic text NOT NULL, partition int NOT NULL, next_offset bigint NOT NULL,
        clock timestamptz NOT NULL, running text NOT NULL, generation text NOT NULL,
        partitions int NOT NULL, oldest_key bigint NOT NULL,
        last_digest text NOT NULL, last_time_ms bigint NOT NULL,
        read_at timestamptz NOT NULL DEFAULT now(),
        fold uuid NOT NULL DEFAULT gen_random_uuid(), PRIMARY KEY (topic, partition)
    ) WITH (fillfactor = 20)
    """,
    """
    CREATE TABLE halt (
        topic text NOT NULL, partition int NOT NULL, kind text NOT NULL, reason text NOT NULL,
        at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (topic, partition)
    )
    """,
    *(
        f"CREATE TABLE {name} (name text PRIMARY KEY, owner text NOT NULL,"
        " until timestamptz NOT NULL)"
        for name in LEASES
    ),
    "CREATE TABLE session_activity (id text PRIMARY KEY, last_seen timestamptz NOT NULL)",
)
"""
Tables that aren't written in a batch's way. `session_activity` is the one that isn't folded.

`fold` names one folding from the start: whoever still holds what belongs to another one, from
before the schema was made anew or rebuilt, is fenced off, even where the positions are the same.
"""
