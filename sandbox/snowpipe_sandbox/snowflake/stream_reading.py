"""SELECT from a stream: the rows that were inserted since its offset, which a change that reads it moves.

DuckDB numbers a table's rows in their order; what has a number at or above the offset is new. Where rows were
changed or deleted since (or the table recreated) there is nothing here that tells what they were: refused.

Source: https://docs.snowflake.com/en/user-guide/streams-intro (offset, metadata columns, privileges),
https://docs.snowflake.com/en/sql-reference/sql/create-stream (SHOW_INITIAL_ROWS)
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from sqlglot import exp

from snowpipe_sandbox.snowflake import errors, relations, resolve
from snowpipe_sandbox.snowflake.catalog import Stream, Table
from snowpipe_sandbox.snowflake.names import duckdb_name, qualify, split

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.account import Account
    from snowpipe_sandbox.snowflake.sessions import Session

Read = list[tuple[Stream, int]]
"""The streams a statement reads, each with the row number at which it stops reading."""
ADVANCES = (exp.Insert, exp.Update, exp.Delete, exp.Merge)


def start(account: Account, stream: Stream, table: Table, *, with_rows: bool) -> None:
    """A new stream's offset: now, or before the table's first row."""
    stream.offset = 0 if with_rows or table.is_query else end_of(account, table)
    stream.changes = table.changes


def end_of(account: Account, table: Table) -> int:
    """The number the table's next row will have."""
    with closing(account.engine.cursor()) as cursor:
        sql = f"SELECT coalesce(max(rowid) + 1, 0) FROM {duckdb_name(table.lies_at)}"
        return int(cursor.execute(sql).fetchall()[0][0])


def has_data(session: Session, name: str) -> bool:
    """SYSTEM$STREAM_HAS_DATA (https://docs.snowflake.com/en/sql-reference/functions/system_stream_has_data)."""
    account = session.account
    with account.lock:
        parts = split(name)
        stream = resolve.visible(account, session, account.catalog.streams, "Stream", parts)
    table = _table(session, stream)
    return end_of(account, table) > stream.offset


def place(session: Session, statement: exp.Expression) -> Read:
    """Put each stream's new rows in its place in a statement. Raises 2003, 3001, or not emulated."""
    read: Read = []
    for node in list(relations.named_tables(statement)):
        stream = find(session, node)
        if stream is None:
            continue
        with session.account.lock:
            session.account.privileges.require(session.role, stream, "SELECT")
        table = _table(session, stream)
        end = end_of(session.account, table)
        read.append((stream, end))
        node.replace(_rows(table, stream.offset, end, node.alias or stream.name))
    return read


def find(session: Session, node: exp.Table) -> Stream | None:
    """The stream that is named here, where no table has the name."""
    parts = relations.parts(node)
    if relations.is_system(parts) or (len(parts) < 3 and session.database is None):
        return None
    name = qualify(parts, session, "SELECT")
    with session.account.lock:
        catalog = session.account.catalog
        stream = catalog.streams.get(name)
        if stream is None or session.temporary.get(name) or catalog.tables.get(name):
            return None
        if not session.account.privileges.sees(session.role, stream):
            return None
        return stream


def _table(session: Session, stream: Stream) -> Table:
    """The stream's table, whose new rows can be told. Raises not emulated."""
    with session.account.lock:
        table = session.account.catalog.tables.get(stream.source)
    if table is None or table.id != stream.source_id:
        raise errors.not_emulated("reading a stream whose table is gone")
    if table.is_query or any(column.name == "ROWID" for column in table.columns):
        raise errors.not_emulated("reading a stream on a view, or on a table with a column ROWID")
    if table.changes != stream.changes:
        raise errors.not_emulated("reading a stream whose table was altered, or lost or changed rows")
    return table


def _rows(table: Table, first: int, end: int, shown: str) -> exp.Expression:
    metadata = (
        '\'INSERT\' AS "METADATA$ACTION", FALSE AS "METADATA$ISUPDATE", '
        f'md5(\'{table.id} \' || CAST("ROWID" AS VARCHAR)) AS "METADATA$ROW_ID"'
    )
    stands = exp.maybe_parse(
        f"SELECT *, {metadata} FROM {duckdb_name(table.full_name)} "
        f'WHERE "ROWID" >= {first} AND "ROWID" < {end}',
        dialect="snowflake",
    )
    return exp.Subquery(this=stands, alias=exp.TableAlias(this=exp.to_identifier(shown, quoted=True)))


def advance(session: Session, read: Read) -> None:
    """The change that read them is done: once it is committed, they are read up to there."""
    for stream, end in read:

        def move(stream: Stream = stream, end: int = end) -> None:
            stream.offset = max(stream.offset, end)

        session.after_commit(move)


# --- CREATE


def refuse(session: Session, query: exp.Expression | None) -> None:
    """A table made of a stream's rows would move its offset; what is made of them otherwise, nobody says."""
    named = [] if query is None else query.find_all(exp.Table)
    if any(isinstance(each.this, exp.Identifier) and find(session, each) for each in named):
        raise errors.not_emulated("a table or view made of a stream's rows")


def stand_in(session: Session, query: exp.Expression | None) -> bool:
    """In a view's query put what has a stream's columns, and no rows, in place of each stream it names.

    Source: https://docs.snowflake.com/en/user-guide/streams-intro (the metadata columns)
    """
    found = False
    for table in [] if query is None else list(relations.named_tables(query)):
        name = qualify(relations.parts(table), session, "SELECT")
        with session.account.lock:
            stream = session.account.catalog.streams.get(name)
            if stream is None or session.account.catalog.tables.get(name) is not None:
                continue
            session.account.privileges.require(session.role, stream, "SELECT")
        shown = table.alias or stream.name
        metadata = (
            ("METADATA$ACTION", "VARCHAR"),
            ("METADATA$ISUPDATE", "BOOLEAN"),
            ("METADATA$ROW_ID", "VARCHAR"),
        )
        more = ", ".join(f'CAST(NULL AS {type_}) AS "{column}"' for column, type_ in metadata)
        stands = exp.maybe_parse(
            f"SELECT *, {more} FROM {duckdb_name(stream.source)} WHERE FALSE", dialect="snowflake"
        )
        table.replace(
            exp.Subquery(this=stands, alias=exp.TableAlias(this=exp.to_identifier(shown, quoted=True)))
        )
        found = True
    return found
