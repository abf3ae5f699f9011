"""JSON documents of other producers, into one VARIANT column, by a SELECT, or by the columns' names.

Source: https://docs.snowflake.com/en/sql-reference/sql/create-file-format (TYPE = JSON)
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from runbook.kinds import through as of
from runbook.kinds.through import Item, Shape, Through

_WHOLE = Item("field", 1)


def shape(through: Through) -> Shape | str:
    """A document with a member that is known again; or why there is none."""
    if wrong := next(_why_none(through), ""):
        return wrong
    member, path = _member(through)
    content = _content(path)
    if found := of.by_file(through, content):
        return found
    column = next(iter(_documents(through)), "")
    return of.by_member(column, content) if column else of.by_text(member, content)


def _why_none(through: Through) -> Iterator[str]:
    yield from of.why_unknown(through)
    member, _ = _member(through)
    documents = _documents(through)
    if any(item.is_a == "field" and name not in documents for name, item in through.filled.items()):
        yield "it reads a document into something else than a VARIANT"
    if not member and not documents and not through.file_column:
        yield "none of its columns takes a document, or a member that is text"
    yield from of.why_refused(through, [*documents, member])


def _documents(through: Through) -> list[str]:
    """The columns that take the whole document."""
    filled = through.filled.items()
    return [name for name, item in filled if item == _WHOLE and through.document(name)]


def _member(through: Through) -> tuple[str, tuple[str, ...]]:
    """A column of text, and the path of the member that fills it; empty where there is none."""
    if through.by_name:
        free = (name for name, _ in through.columns if name not in through.filled)
        column = next((name for name in free if through.text(name)), "")
        return column, (column,) if column else ()
    members = ((name, item) for name, item in through.filled.items() if item.is_a == "member")
    return next(((name, item.path) for name, item in members if through.text(name)), ("", ()))


def _content(path: tuple[str, ...]) -> Callable[[str], str]:
    """A document with the canary's own member, and the mark at the path of a column."""

    def content(run: str) -> str:
        inner: Any = of.marked(run)
        for name in reversed(path):
            inner = {name: inner}
        return json.dumps({of.MEMBER: run} | (inner if path else {})) + "\n"

    return content
