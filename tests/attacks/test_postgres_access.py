"""Somebody with one service's password for PostgreSQL: what they can read and change."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
import pytest

from services.projections import schema, tables
from services.projections.bookkeeping import LEASES
from services.projections.roles import PROTECTED, ROLES, Role
from tests.attacks.earnest import Earnest

MODEST: Final = [role for role in ROLES if not role.owns]
NAMES: Final = [role.name for role in MODEST]
OTHERS: Final = (
    "partition_state", "halt", *LEASES, "session_activity", "organisation_summary",
)  # fmt: skip
TABLES: Final = tuple(table.name for table in schema.all_tables()) + OTHERS
VIEWS: Final = ("organisation_summary",)


@asynccontextmanager
async def connected(earnest: Earnest, name: str) -> AsyncIterator[asyncpg.Connection]:
    """As that role, on the schema."""
    connection = await asyncpg.connect(
        earnest.database(name), timeout=10, server_settings={"search_path": schema.name()}
    )
    try:
        yield connection
    finally:
        await connection.close()


async def may(connection: asyncpg.Connection, statement: str) -> bool:
    """Whether the server lets it; whatever it does is undone."""
    change = connection.transaction()
    await change.start()
    try:
        await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError as error:
        return "row-level security" in str(error)  # The table is open, if not for that row.
    except (asyncpg.NotNullViolationError, asyncpg.DependentObjectsStillExistError):
        return True
    finally:
        await change.rollback()
    return True


def granted(role: Role) -> set[tuple[str, str]]:
    """What the table of roles says, as pairs of operation and table."""
    rights = {("SELECT", table) for table in role.reads}
    return rights | {(what, table) for table, all_ in role.writes.items() for what in all_}


class TestTheMatrix:
    @pytest.mark.quick
    @pytest.mark.parametrize("name", NAMES)
    async def test_a_stolen_password_does_what_the_table_says_and_nothing_else(
        self, earnest: Earnest, name: str
    ) -> None:
        role = next(role for role in MODEST if role.name == name)
        did = set()
        async with connected(earnest, name) as connection:
            columns = await first_columns(earnest)
            for table in TABLES:
                column = columns[table]
                for what, statement in {
                    "SELECT": f"SELECT * FROM {table} LIMIT 0",  # noqa: S608
                    "INSERT": f"INSERT INTO {table} DEFAULT VALUES",
                    "UPDATE": f"UPDATE {table} SET {column} = {column} WHERE false",  # noqa: S608
                    "DELETE": f"DELETE FROM {table} WHERE false",  # noqa: S608
                    "TRUNCATE": f"TRUNCATE {table}",
                    "DROP": f"DROP TABLE {table}",
                    "POLICY": f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
                }.items():
                    if table in VIEWS and what != "SELECT":
                        continue  # Nothing can be written into a sum.
                    if await may(connection, statement):
                        did.add((what, table))
        assert did == granted(role)

    @pytest.mark.parametrize("name", NAMES)
    async def test_nobody_locks_out_anybody_but_those_who_write_the_same(
        self, earnest: Earnest, name: str
    ) -> None:
        """
        With a right on one row of `lease` notify could lock all of it: no projector kept its lease,
        nothing was folded any more, and every login got a 503.
        """
        written_by = {"auth": {"session_activity"}, "staff": {"session_activity"}}
        locked = set()
        async with connected(earnest, name) as connection:
            for table in TABLES:
                for mode in ("ROW EXCLUSIVE", "SHARE", "EXCLUSIVE", "ACCESS EXCLUSIVE"):
                    if await may(connection, f"LOCK TABLE {table} IN {mode} MODE"):
                        locked.add(table)
        assert locked == written_by.get(name, {"notify_lease"} if name == "notify" else set())

    @pytest.mark.parametrize("name", NAMES)
    async def test_nobody_gets_beyond_the_database(self, earnest: Earnest, name: str) -> None:
        async with connected(earnest, name) as connection:
            for statement in (
                "CREATE SCHEMA mine",
                f"CREATE TABLE {schema.name()}.mine (id int)",
                "CREATE TEMPORARY TABLE mine (id int)",
                "CREATE ROLE mine",
                "SET ROLE twofold_projections",
                "SET ROLE twofold",
                "COPY (SELECT 1) TO PROGRAM 'true'",
                "SELECT pg_read_file('/etc/hostname')",
                "SELECT rolpassword FROM pg_authid",
                f"ALTER ROLE twofold_{name} BYPASSRLS",
            ):
                assert not await may(connection, statement), statement


class TestRows:
    @pytest.mark.usefixtures("staffing")  # She has a password, an authenticator, a data key.
    async def test_the_vaults_secrets_are_auths_alone(self, earnest: Earnest) -> None:
        kinds: Mapping[str, set[str]] = {
            name: await kinds_seen_by(earnest, name) for name in ("auth", "staff", "notify")
        }
        assert kinds["auth"] == {"password", "authenticator", "personal"}
        assert kinds["staff"] == kinds["notify"] == {"personal"}
        async with connected(earnest, "operator") as connection:
            assert await may(connection, "SELECT key_id FROM vault_entry")
            assert not await may(connection, "SELECT value FROM vault_entry")
        async with connected(earnest, "auditor") as connection:
            assert not await may(connection, "SELECT key_id FROM vault_entry")

    async def test_notify_has_leases_of_its_own(self, earnest: Earnest) -> None:
        async with connected(earnest, "notify") as connection:
            seen = {row["name"] for row in await connection.fetch("SELECT name FROM notify_lease")}
            assert seen == {"twofold.notify", "twofold.status"}
            assert not await may(connection, "SELECT name FROM lease")
        async with connected(earnest, "admin") as connection:
            held = {row["name"] for row in await connection.fetch("SELECT name FROM lease")}
        assert "keeper" in held
        assert not held & seen

    @pytest.mark.parametrize("name", NAMES)
    async def test_nobody_holds_the_locks_of_those_who_deal_with_commands(
        self, earnest: Earnest, name: str
    ) -> None:
        async with connected(earnest, name) as connection:
            for kind in ("", "xact_"):
                for lock in (f"{kind}lock", f"{kind}lock_shared"):
                    taken = await may(connection, f"SELECT pg_try_advisory_{lock}(1, 1)")
                    assert taken == (name == "staff"), lock
                    assert not await may(connection, f"SELECT pg_try_advisory_{lock}(1)"), lock

    async def test_sessions_and_people_are_not_the_auditors_business(
        self, earnest: Earnest
    ) -> None:
        async with connected(earnest, "auditor") as connection:
            for table in ("session", "staff_account", "username_claim", "recent_record"):
                assert not await may(connection, f"SELECT * FROM {table}")  # noqa: S608


class TestGettingIn:
    async def test_nobody_gets_in_without_tls(self, earnest: Earnest) -> None:
        plain = earnest.database("auth").partition("?")[0]
        with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError, match="pg_hba"):
            await asyncpg.connect(f"{plain}?sslmode=disable", timeout=10)

    async def test_a_wrong_password_is_refused(self, earnest: Earnest) -> None:
        wrong = earnest.database("auth").replace("twofold_auth:", "twofold_auth:not-")
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(wrong, timeout=10)

    async def test_what_the_server_keeps_is_no_password(self, earnest: Earnest) -> None:
        async with connected(earnest, "admin") as connection:
            kept = await connection.fetch(
                "SELECT rolpassword FROM pg_authid WHERE rolname LIKE 'twofold\\_%'"
            )
        assert len(kept) == len(ROLES)
        assert all(row["rolpassword"].startswith("SCRAM-SHA-256$16384:") for row in kept)


def test_every_table_is_thought_of() -> None:
    named = {table for role in MODEST for table in (*role.reads, *role.writes)}
    assert named <= set(TABLES)
    assert set(PROTECTED) <= set(TABLES)
    assert {one.table.name for one in tables.ALL} <= set(TABLES)


async def kinds_seen_by(earnest: Earnest, name: str) -> set[str]:
    async with connected(earnest, name) as connection:
        found = await connection.fetch("SELECT DISTINCT kind FROM vault_entry")
    return {row["kind"] for row in found}


async def first_columns(earnest: Earnest) -> dict[str, str]:
    async with connected(earnest, "admin") as connection:
        found = await connection.fetch(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = $1 AND ordinal_position = 1",
            schema.name(),
        )
    return {row["table_name"]: row["column_name"] for row in found}
