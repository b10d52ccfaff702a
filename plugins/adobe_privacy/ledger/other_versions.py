"""Reads a ledger whose tables are those of another version of this package, and changes nothing in it.

What such tables lack is shown as empty: each connection gets temporary views, which hide the tables from this reader
and from nobody else.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Boolean, Column, Connection, Integer, String, Table, inspect

from adobe_privacy.ledger.schema import Base

# The rows of older tables mean something else: there were no verdicts.
OLDEST_READABLE = "0013"


def stand_ins(connection: Connection) -> list[str] | None:
    """The statements that make the tables look as this version needs them, to be run once in each connection. None
    where something is missing that nothing can stand for."""
    inspector = inspect(connection)
    there = set(inspector.get_table_names())
    schema = "main" if connection.dialect.name == "sqlite" else inspector.default_schema_name
    statements = []
    for table in Base.metadata.sorted_tables:
        known = (
            {column["name"] for column in inspector.get_columns(table.name)} if table.name in there else set()
        )
        missing = {column.name for column in table.columns} - known
        if not missing:
            continue
        if known and not all(_can_stand_in(column) for column in table.columns if column.name in missing):
            return None
        source = f"FROM {schema}.{table.name}" if known else "WHERE 1 = 0"
        statements.append(_view(table, missing, connection, source))
    return statements


def _view(table: Table, missing: Collection[str], connection: Connection, source: str) -> str:
    # Each column by its name: PostgreSQL would not let a later version drop one that a view shows.
    shown = [
        f"{_typed(column, connection)} AS {column.name}" if column.name in missing else column.name
        for column in table.columns
    ]
    return f"CREATE TEMPORARY VIEW {table.name} AS SELECT {', '.join(shown)} {source}"


def _typed(column: Column[Any], connection: Connection) -> str:
    if connection.dialect.name == "sqlite":
        # Its casts make numbers of times.
        return _empty(column)
    return f"CAST({_empty(column)} AS {column.type.compile(connection.dialect)})"


def _can_stand_in(column: Column[Any]) -> bool:
    return not column.primary_key and (bool(column.nullable) or _empty(column) != "NULL")


def _empty(column: Column[Any]) -> str:
    if column.server_default is not None:
        return f"'{column.server_default.arg}'"  # type: ignore[attr-defined]
    if column.nullable:
        return "NULL"
    kinds: dict[type, str] = {Boolean: "false", Integer: "0", String: "''"}
    return next((value for kind, value in kinds.items() if isinstance(column.type, kind)), "NULL")
