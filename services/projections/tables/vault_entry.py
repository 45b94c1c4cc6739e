"""The live vault, as sealed; folded from its own topic."""

from typing import Final

from services.projections.tables.table import MOMENT, TEXT, Table

TABLE: Final = Table(
    "vault_entry",
    {
        "id": TEXT,
        "owner": TEXT,
        "kind": TEXT,
        "deadline": MOMENT,
        "key_id": TEXT,
        "partition": "int NOT NULL",
        "value": "bytea NOT NULL",
        "overwritten": "boolean NOT NULL",
    },
    key=("id",),
    indexes=("(owner)", "(partition)", "(id) WHERE overwritten"),
)
"""`overwritten`: what the topic holds last under the id was refused; the keeper mends it."""
