"""What a projection is: its tables, and a pure fold from an event to rows."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pydantic import BaseModel

from services.projections.tables.step import Step
from services.projections.tables.table import Row, Table


@dataclass(frozen=True, slots=True)
class Projection:
    """
    One projection.

    Attributes:
        table: What it writes.
        fold: From a counted event to rows; a later row of the same key replaces an earlier one.
        version: Goes up with every change of what *fold* gives for the same event.
        models: Folded states that it stores: their shapes are part of the definition.
        views: Statements that create its views.
    """

    table: Table
    fold: Callable[[Step], Iterable[Row]]
    version: int = 1
    models: tuple[type[BaseModel], ...] = ()
    views: tuple[str, ...] = ()
