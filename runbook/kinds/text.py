"""Delimited text of other producers: CSV, TSV and their like, as Snowflake's format type CSV reads them.

Source: https://docs.snowflake.com/en/sql-reference/sql/create-file-format (TYPE = CSV)
"""

from collections.abc import Iterator

from runbook.kinds import through as of
from runbook.kinds.through import Shape, Through

_ODD = ("\n", "\r", '"', "'", "\\", "NONE", "none")


def shape(through: Through) -> Shape | str:
    """A record with one field that is known again, the others empty; or why there is none."""
    if wrong := next(_why_none(through), ""):
        return wrong
    fields, column = _fields(through), _marked(through)
    place = through.filled[column].number if column else 0
    delimiter = through.option("FIELD_DELIMITER", ",")
    header = int(through.option("SKIP_HEADER", "0"))

    def content(run: str) -> str:
        record = delimiter.join(of.marked(run) if number == place else "" for number in range(1, fields + 1))
        return f"{record}\n" * (header + 1)

    return of.by_file(through, content) or of.by_text(column, content)


def _why_none(through: Through) -> Iterator[str]:
    fields, column = _fields(through), _marked(through)
    if through.by_name:
        yield "its fields are matched with columns by the header of each file"
    yield from of.why_unknown(through)
    if fields > 1 and (delimiter := through.option("FIELD_DELIMITER", ",")) in _ODD:
        yield f"its fields are delimited by {delimiter!r}"
    if (encoding := through.option("ENCODING", "UTF8").upper()) not in ("UTF8", "UTF-8"):
        yield f"its files are written in {encoding}"
    if through.option("RECORD_DELIMITER", "\n") not in ("\n", "\r\n", "NONE"):
        yield "its records do not end with a line"
    if fields > 1 and through.option("EMPTY_FIELD_AS_NULL", "true").lower() == "false":
        yield "an empty field is text to it (EMPTY_FIELD_AS_NULL = FALSE)"
    if not column and (fields == 1 or not through.file_column):
        yield "no column of text takes a mark of its own"
    place = through.filled[column].number if column else 0
    yield from of.why_refused(through, [n for n, item in through.filled.items() if item.number == place])


def _marked(through: Through) -> str:
    """The column that takes the mark; empty where none does."""
    fields = (name for name, item in through.filled.items() if item.is_a == "field")
    return next((name for name in fields if through.text(name)), "")


def _fields(through: Through) -> int:
    """How many fields a record has, as far as the COPY says."""
    return max((item.number for item in through.filled.values()), default=0) or 1
