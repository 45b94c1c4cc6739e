"""The projections, a file each: tables, and pure folds from events to rows."""

from typing import Final

from services.projections.tables import (
    account_history,
    command_outcome,
    login_history,
    organisation_policy,
    retired_entry,
    session,
    staff_account,
    stranger,
    two_factor_status,
    username_claim,
    vault_entry,
)
from services.projections.tables.projection import Projection
from services.projections.tables.step import SessionState, Step
from services.projections.tables.table import Row, Table

ALL: Final[tuple[Projection, ...]] = (
    staff_account.PROJECTION,
    two_factor_status.PROJECTION,
    organisation_policy.PROJECTION,
    login_history.PROJECTION,
    account_history.PROJECTION,
    session.PROJECTION,
    session.LOGGED_OUT_EVERYWHERE,
    username_claim.PROJECTION,
    stranger.PROJECTION,
    command_outcome.PROJECTION,
    retired_entry.PROJECTION,
)
"""Everything that is folded from the history and the strangers' topic."""

VAULT_ENTRY: Final = vault_entry.TABLE

__all__ = ["ALL", "VAULT_ENTRY", "Projection", "Row", "SessionState", "Step", "Table"]
