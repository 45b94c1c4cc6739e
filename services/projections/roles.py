"""
PostgreSQL's roles: each service may do what it does, and reads no secret that isn't its own.

A role is named after the database that it is for (``twofold_auth`` in ``twofold``). Their rights on
a schema are granted by whoever makes it, in the same transaction; where there are no such roles (on
a developer's machine) nothing is granted, and the owner does everything.

Row-level security holds where rows of one table are different people's business: of the vault's
entries auth reads all, staff and notify only people's data keys, never a password's or an
authenticator's entry. It isn't used to keep organisations apart: the staff service serves all of
them with one connection, so that a setting which it makes itself would stop nobody who has taken it
over. Organisations are kept apart by what each query asks for.

Whoever may change a table's rows, be it one, may lock the whole table (LOCK TABLE), and with it
everybody who needs it. So notify keeps its leases apart from the projectors'; `session_activity` is
written by auth and staff, and either could stop the other's sessions by it.
"""

import hmac
import os
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import pbkdf2_hmac, sha256
from typing import Final

import asyncpg

from services.projections.bookkeeping import LEASES

ITERATIONS: Final = 16_384

_READ: Final = ("SELECT",)
_KEPT: Final = ("SELECT", "INSERT", "UPDATE")

_SEEN_BY_ALL: Final = ("partition_state", "organisation_policy")
_FACTS: Final = ("account_history", "login_history", "command_outcome", "two_factor_status")
_PEOPLE: Final = ("staff_account", "stream_head", "recent_record")
_SESSIONS: Final = ("session", "logged_out_everywhere")
_STATUS: Final = ("halt", "quarantine", *LEASES)


@dataclass(frozen=True, slots=True)
class Role:
    """
    Who connects.

    Attributes:
        name: In this project's words; in PostgreSQL ``<database>_<name>``.
        reads: Tables and views, whole.
        writes: More rights, by table.
        columns: Columns that it reads, of tables that it doesn't read whole.
        rows: What must hold for the rows that it sees, by table; tables with row-level security
            show nothing to a role that isn't named there.
        owns: Makes the schemas and everything in them, and folds.
    """

    name: str
    reads: tuple[str, ...] = ()
    writes: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    rows: Mapping[str, str] = field(default_factory=dict, hash=False)
    owns: bool = False


ROLES: Final = (
    Role("projections", owns=True),
    Role(
        "auth",
        reads=(
            *_SEEN_BY_ALL, *_PEOPLE, *_SESSIONS, "stranger", "username_claim", "login_history",
            "vault_entry",
        ),
        writes={"session_activity": _KEPT},
        rows={"vault_entry": "true"},
    ),
    Role(
        "staff",
        reads=(
            *_SEEN_BY_ALL, *_PEOPLE, *_SESSIONS, *_FACTS, "username_claim", "organisation_summary",
            "vault_entry", "halt",
        ),
        writes={"session_activity": _KEPT},
        rows={"vault_entry": "kind = 'personal'"},
    ),
    Role(
        "notify",
        reads=(*_SEEN_BY_ALL, "staff_account", "recent_record", "vault_entry"),
        writes={"notify_lease": (*_KEPT, "DELETE")},
        rows={"vault_entry": "kind = 'personal'"},
    ),
    Role(
        "auditor",
        reads=(*_SEEN_BY_ALL, *_FACTS, *_STATUS, "stream_head", "organisation_summary"),
    ),
    Role(
        "operator",
        reads=(*_SEEN_BY_ALL, *_STATUS, "stream_head"),
        columns={
            "vault_entry": ("id", "key_id", "partition"),
            "recent_record": ("topic", "partition", "offset", "digest", "fate"),
        },
        rows={"vault_entry": "true"},
    ),
)  # fmt: skip

PROTECTED: Final = ("vault_entry",)
"""Tables with row-level security."""


async def make(
    connection: asyncpg.Connection, passwords: Mapping[str, str], schema: str
) -> list[str]:
    """
    Make the roles of this database, and grant them what they need on the schemas that are there.

    Args:
        connection: As a superuser, outside a transaction.
        passwords: Of the roles that are to be made or changed, by their names in this project.
        schema: This code's.

    Returns:
        A sentence for each thing that was done.

    Raises:
        asyncpg.PostgresError: It isn't allowed, or the database is away.
    """
    done = []
    database = await connection.fetchval("SELECT current_database()")
    async with connection.transaction():
        for role in ROLES:
            name = f"{database}_{role.name}"
            if not await _is_there(connection, name):
                if role.name not in passwords:
                    continue
                await _run(connection, f"CREATE ROLE %I LOGIN {_MODEST}", name)
                done.append(f"Made role {name}.")
            if role.name in passwords:
                verifier = scram_verifier(passwords[role.name])
                await _run(connection, f"ALTER ROLE %I LOGIN {_MODEST} PASSWORD %L", name, verifier)
        await _run(connection, "REVOKE ALL ON DATABASE %I FROM PUBLIC", database)
        for name in (await _names(connection)).values():
            await _run(connection, "GRANT CONNECT ON DATABASE %I TO %I", database, name)
        owner = (await _names(connection)).get("projections")
        if owner is not None:
            await _run(connection, "GRANT CREATE ON DATABASE %I TO %I", database, owner)
        await _keep_locks(connection)
        for found in await connection.fetch(_SCHEMAS):
            if owner is not None:
                await _give(connection, found["nspname"], owner)
            if found["nspname"] == schema:
                await grant(connection, schema)
                done.append(f"Granted what each role needs on schema {schema}.")
    return done


async def grant(connection: asyncpg.Connection, schema: str) -> None:
    """
    Grant each role that is there what it needs on *schema*, and nothing else.

    Args:
        connection: As the schema's owner, in a transaction.
        schema: This code's.
    """
    names = await _names(connection)
    names.pop("projections", None)
    if not names:
        return
    place = schema
    for table in PROTECTED:
        await _run(connection, "ALTER TABLE %I.%I ENABLE ROW LEVEL SECURITY", place, table)
    for role in ROLES:
        name = names.get(role.name)
        if name is None:
            continue
        await _run(connection, "REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM %I", place, name)
        await _run(connection, "GRANT USAGE ON SCHEMA %I TO %I", place, name)
        rights = dict.fromkeys(role.reads, _READ) | dict(role.writes)
        for table, operations in rights.items():
            words = ", ".join(operations)
            await _run(connection, f"GRANT {words} ON %I.%I TO %I", place, table, name)
        for table, columns in role.columns.items():
            words = ", ".join(f'"{column}"' for column in columns)
            await _run(connection, f"GRANT SELECT ({words}) ON %I.%I TO %I", place, table, name)
        for table in PROTECTED:
            await _run(connection, "DROP POLICY IF EXISTS %I ON %I.%I", role.name, place, table)
        for table, condition in role.rows.items():
            await _run(
                connection,
                f"CREATE POLICY %I ON %I.%I TO %I USING ({condition}) WITH CHECK ({condition})",
                role.name, place, table, name,
            )  # fmt: skip


def scram_verifier(password: str) -> str:
    """What PostgreSQL keeps of *password* (RFC 5803), so that it is never sent in clear."""
    salt = os.urandom(16)
    salted = pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    stored = sha256(hmac.digest(salted, b"Client Key", sha256)).digest()
    server = hmac.digest(salted, b"Server Key", sha256)
    texts = [b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${ITERATIONS}:{texts[0]}${texts[1]}:{texts[2]}"


async def _names(connection: asyncpg.Connection) -> dict[str, str]:
    """The roles of this database that are there, by their names in this project."""
    found = await connection.fetch(_ROLES, [role.name for role in ROLES])
    return {row["role"]: row["rolname"] for row in found}


async def _is_there(connection: asyncpg.Connection, name: str) -> bool:
    return bool(await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", name))


async def _keep_locks(connection: asyncpg.Connection) -> None:
    """
    Leave advisory locks to those who need them: anybody else could hold the staff service's for
    good, and no command would be dealt with.
    """
    names = await _names(connection)
    for row in await connection.fetch(_LOCKS):
        function = row["function"]
        await connection.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
        holder = names.get("staff" if row["two_numbers"] else "projections")
        if holder is not None:
            await _run(connection, f"GRANT EXECUTE ON FUNCTION {function} TO %I", holder)


async def _give(connection: asyncpg.Connection, place: str, owner: str) -> None:
    """Make *owner* the owner of the schema and of everything in it."""
    await _run(connection, "ALTER SCHEMA %I OWNER TO %I", place, owner)
    for row in await connection.fetch(_CONTENTS, place):
        await _run(connection, "ALTER TABLE %I.%I OWNER TO %I", place, row["relname"], owner)


async def _run(connection: asyncpg.Connection, statement: str, *names: str) -> None:
    """Run *statement* with *names* in it, quoted by the server itself."""
    marks = ", ".join(f"${number}::text" for number in range(2, len(names) + 2))
    asked = f"SELECT format($1, {marks})"
    await connection.execute(await connection.fetchval(asked, statement, *names))


_MODEST: Final = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"

_ROLES: Final = """
    SELECT role, rolname FROM unnest($1::text[]) AS role
      JOIN pg_roles ON rolname = current_database() || '_' || role
"""

_SCHEMAS: Final = "SELECT nspname FROM pg_namespace WHERE nspname ~ '^twofold_[0-9a-f]{12}$'"

_CONTENTS: Final = """
    SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v')
"""

# The staff service's are named by two numbers; those for making and rebuilding schemas by one.
_LOCKS: Final = """
    SELECT oid::regprocedure::text AS function, pronargs = 2 AS two_numbers FROM pg_proc
     WHERE pronamespace = 'pg_catalog'::regnamespace
       AND proname ~ '^pg_(try_)?advisory_(xact_)?lock(_shared)?$'
"""
