"""What is seen of the typed views: that they are there, as they were made, and what is in the data.

The statements over rows need a warehouse. They read what was loaded in the last days, and the columns they
name, once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from runbook.clouds.failures import Row, SqlFailed
from runbook.clouds.reader import Reader
from runbook.facts.snowflake import ask
from runbook.settings import Stream
from runbook.settings.views import is_schema
from runbook.sql import literal
from runbook.wanted.views import PREFIXES, View, casts, is_ours, named_in

PARSED = {"contexts": "AS_ARRAY", "unstruct_event": "AS_OBJECT", "derived_contexts": "AS_ARRAY"}
"""The JSON columns, and what their ``data`` is read as."""


@dataclass(frozen=True)
class Present:
    """What has a view's name: a view, or something else."""

    kind: str
    comment: str

    @property
    def is_ours(self) -> bool:
        """Whether it is a view that this project made, for whichever installation."""
        return self.kind == "VIEW" and is_ours(self.comment)

    def is_for(self, view: View) -> bool:
        """Whether it is this installation's view: what a former version made names none."""
        return self.is_ours and named_in(self.comment) in (None, view.installation)


@dataclass(frozen=True)
class Found:
    """Something in the data: how often, and an example's file and row."""

    what: str
    count: int
    file: str
    row: int

    def __str__(self) -> str:
        return f"{self.what}: {self.count:,}, first in {self.file} row {self.row}"


@dataclass(frozen=True)
class Again:
    """Events of a day whose id came in several files: how many, and two of those files."""

    day: str
    count: int
    one: str
    other: str

    def __str__(self) -> str:
        events = "1 event" if self.count == 1 else f"{self.count:,} events"
        return f"{events} loaded on {self.day} came before too, such as in {self.one} and in {self.other}"


def present(reader: Reader, schema: str) -> dict[str, Present]:
    """The tables and views of a schema by name; nothing where there is no schema. Only reads.

    Source: https://docs.snowflake.com/en/sql-reference/sql/show-objects
    """
    rows = ask(
        lambda: reader.sql(f"SHOW OBJECTS IN SCHEMA {schema}"),
        f"The objects of {schema}",
        f"USAGE on schema {schema}",
    )
    return {str(row["name"]): Present(str(row["kind"]), str(row["comment"] or "")) for row in rows or ()}


def column_names(reader: Reader, view: View) -> tuple[str, ...]:
    """The columns of a view, in their order; none where it does not exist. Only reads.

    Source: https://docs.snowflake.com/en/sql-reference/sql/desc-view
    """
    rows = ask(
        lambda: reader.sql(f"DESC VIEW {view.name.sql}"),
        f"The columns of {view.name}",
        f"SELECT on view {view.name}",
    )
    return tuple(str(row["name"]) for row in rows or ())


def schema_is_there(reader: Reader, view: View) -> bool:
    """Whether the schema of a view exists. Only reads."""
    database = view.name.database.sql
    rows = ask(
        lambda: reader.sql(f"SHOW SCHEMAS IN DATABASE {database}"),
        f"The schemas of {database}",
        f"USAGE on database {database}",
    )
    return any(row["name"] == view.name.schema for row in rows or ())


def unreadable(reader: Reader, view: View) -> str:
    """Why the view gives no rows where it is asked for one; empty where it can be read. Only reads."""
    try:
        reader.sql(f"SELECT * FROM {view.name.sql} LIMIT 1")
    except SqlFailed as error:
        return str(error)
    return ""


def _rows(reader: Reader, stream: Stream, statement: str) -> list[Row]:
    """What a statement over the stream's table brings."""
    what, privilege = f"The rows of {stream.table}", f"SELECT on table {stream.table}"
    return ask(lambda: reader.sql(statement), what, privilege) or []


def schemas(reader: Reader, stream: Stream, since: datetime) -> dict[str, dict[str, Found]]:
    """The schemas in the events loaded since: ``event`` and ``entity``, each VENDOR/NAME/MAJOR. Only reads.

    What is not named as Snowplow names schemas (iglu:vendor/name/jsonschema/version) is left out: the
    settings refuse such a name, and no column could have it.
    """
    parts = [
        _schemas_of(stream, since, "event", "unstruct_event", "TRY_PARSE_JSON(unstruct_event, 'd'):data", ""),
        *(
            _schemas_of(stream, since, "entity", name, "e.value", _flat(name))
            for name in ("contexts", "derived_contexts")
        ),
    ]
    statement = (
        "SELECT kind, schema, COUNT(*) AS n, MIN(file || '\\n' || line) AS example FROM "
        f"({' UNION ALL '.join(parts)}) AS seen WHERE schema LIKE 'iglu:%/%/jsonschema/%-%' "
        "GROUP BY kind, schema ORDER BY kind, schema"
    )
    return _by_major(_rows(reader, stream, statement))


def _schemas_of(stream: Stream, since: datetime, kind: str, column: str, path: str, flat: str) -> str:
    return (
        f"SELECT {literal(kind)} AS kind, {path}:schema::VARCHAR AS schema, t._file AS file, "
        f"LPAD(t._file_row::VARCHAR, 12, '0') AS line FROM {stream.table.sql} AS t{flat} "
        f"WHERE t.{column} IS NOT NULL AND {_since(since)}"
    )


def _flat(column: str) -> str:
    return f", LATERAL FLATTEN(INPUT => AS_ARRAY(TRY_PARSE_JSON(t.{column}, 'd'):data)) AS e"


def _since(since: datetime, what: str = "_loaded_at") -> str:
    return f"{what} >= {literal(since.replace(tzinfo=None).isoformat(sep=' '))}::TIMESTAMP_NTZ"


def _by_major(rows: Iterable[Row]) -> dict[str, dict[str, Found]]:
    found: dict[str, dict[str, Found]] = {kind: {} for kind in PREFIXES}
    for row in rows:
        vendor, name, _, version = str(row["schema"]).removeprefix("iglu:").split("/", 3)
        key = f"{vendor}/{name}/{version.partition('-')[0]}"
        if not is_schema(key):
            continue
        file, _, line = str(row["example"]).partition("\n")
        first = found[row["kind"]].get(key) or Found(key, 0, file, int(line))
        found[row["kind"]][key] = replace(first, count=first.count + int(row["n"]))
    return found


def lost(reader: Reader, stream: Stream, since: datetime) -> tuple[Found, ...]:
    """The columns whose text is not of its type, so that it is NULL in the view, since then. Only reads."""
    tests = {name: f"{name} IS NOT NULL AND ({expression}) IS NULL" for name, expression in casts().items()}
    return _counted(reader, stream, since, tests)


def broken(reader: Reader, stream: Stream, since: datetime) -> tuple[Found, ...]:
    """The JSON columns with text that is not JSON, or not of Snowplow's shape, since then. Only reads."""
    tests = {
        name: f"{name} IS NOT NULL AND {kind}(TRY_PARSE_JSON({name}, 'd'):data) IS NULL"
        for name, kind in PARSED.items()
    }
    return _counted(reader, stream, since, tests)


def _counted(reader: Reader, stream: Stream, since: datetime, tests: dict[str, str]) -> tuple[Found, ...]:
    """For each test how many rows it is true of, and an example, in one pass over the table."""
    place = "_file || '\\n' || LPAD(_file_row::VARCHAR, 12, '0')"
    columns = [
        f"COUNT_IF({test}) AS n{number}, MIN(IFF({test}, {place}, NULL)) AS x{number}"
        for number, test in enumerate(tests.values())
    ]
    statement = f"SELECT {', '.join(columns)} FROM {stream.table.sql} WHERE {_since(since)}"
    rows, found = _rows(reader, stream, statement), []
    for number, name in enumerate(tests):
        if rows and (count := int(rows[0][f"n{number}"] or 0)):
            file, _, line = str(rows[0][f"x{number}"]).partition("\n")
            found.append(Found(name, count, file, int(line)))
    return tuple(found)


def repeated(reader: Reader, stream: Stream, since: datetime) -> tuple[Again, ...]:
    """By day, the events whose id came in several files, one of them since then. Only reads."""
    statement = (
        "WITH ids AS (SELECT LOWER(event_id) AS id, MIN(_file) AS one, MAX(_file) AS other, "
        "MAX(_loaded_at) AS newest "
        f"FROM {stream.table.sql} WHERE event_id IS NOT NULL GROUP BY 1 "
        f"HAVING COUNT(DISTINCT _file) > 1 AND {_since(since, 'MAX(_loaded_at)')}) "
        "SELECT TO_DATE(newest) AS day, COUNT(*) AS n, MIN(one || '\\n' || other) AS example FROM ids "
        "GROUP BY 1 ORDER BY 1"
    )
    rows = _rows(reader, stream, statement)
    return tuple(Again(str(row["day"]), int(row["n"]), *_two(row["example"])) for row in rows)


def _two(example: object) -> tuple[str, str]:
    one, _, other = str(example).partition("\n")
    return one, other


class WithoutColumn(list[str]):
    """Schemas with their count and an example; ``names``: the schemas alone."""

    names: tuple[str, ...] = ()


def without_a_column(seen: dict[str, dict[str, Found]], given: dict[str, tuple[str, ...]]) -> WithoutColumn:
    """What the data has and the view has no column for: schemas that the settings do not name."""
    missing = [
        found for kind, those in seen.items() for schema, found in those.items() if schema not in given[kind]
    ]
    told = WithoutColumn(str(found) for found in missing)
    told.names = tuple(dict.fromkeys(found.what for found in missing))
    return told
