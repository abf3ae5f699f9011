"""The typed views as the settings want them: their statements, and what they are recognised by.

Sources: https://github.com/snowplow/snowplow-scala-analytics-sdk (names, ``_schema_version``),
https://docs.snowplow.io/docs/api-reference/loaders-storage-targets/snowflake-streaming-loader/migrating/ (the
same in Snowflake, entities only), docs/adr/0024-views.md (why FILTER and TRANSFORM).
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from runbook.settings import QualifiedName, Settings, Stream
from runbook.settings.views import column
from runbook.sql import Columns, SchemaName, Value, literal, rendered, template
from runbook.wanted.pipeline import columns

TYPED = {"enriched": "views/20_view_enriched.sql", "bad_rows": "views/21_view_bad_rows.sql"}
DOCUMENTED = {"enriched": "views/30_documented_enriched.sql", "bad_rows": "views/31_documented_bad_rows.sql"}
SCHEMA = "views/10_schema.sql"
PREFIXES = {"entity": "contexts", "event": "unstruct_event"}
_WHAT = {
    TYPED["enriched"]: "Snowplow events, typed",
    TYPED["bad_rows"]: "Snowplow failed events",
    DOCUMENTED["enriched"]: "Snowplow events as documented",
    DOCUMENTED["bad_rows"]: "Snowplow failed events as documented",
}


@dataclass(frozen=True)
class View:
    """One view: its name, its file, and the comment that says whose it is and which definition it has.

    ``installation``: the schema it is made for, as the comment writes it.
    """

    name: QualifiedName
    stream: Stream
    file: str
    sql: str
    comment: str
    installation: str

    @property
    def schema(self) -> str:
        """``DATABASE.SCHEMA``, as it is written in a statement."""
        return f"{self.name.database.sql}.{self.name.schema.sql}"


def wanted(settings: Settings) -> tuple[View, ...]:
    """Every view that the settings ask for; none where ``views.enabled`` is not set."""
    return tuple(_wanted(settings)) if settings.views.enabled else ()


def _wanted(settings: Settings) -> Iterator[View]:
    for stream in settings.viewed:
        yield _view(settings, stream, TYPED[stream.kind], settings.view(stream))
    for stream in settings.viewed if settings.views.documented_schema else ():
        yield _view(settings, stream, DOCUMENTED[stream.kind], settings.view(stream, documented=True))


def _view(settings: Settings, stream: Stream, file: str, name: QualifiedName) -> View:
    values: dict[str, Value] = {
        "view": name,
        "schema_columns": schema_columns(settings),
        "event_columns": event_columns(stream),
    }
    plain = rendered(file, settings, stream, values)
    digest = hashlib.sha256(plain.encode()).hexdigest()[:12]
    own = settings.schema_sql
    comment = f"{_WHAT[file]}, for {own}; definition {digest} (snowpipe-runbook)"
    sql = rendered(file, settings, stream, {**values, "view_comment": comment})
    return View(name, stream, file, sql, comment, own)


def schema_sql(settings: Settings, view: View) -> str:
    """The statements that make the view's schema."""
    return rendered(SCHEMA, settings, other={"view_schema": SchemaName(view.schema)})


def event_columns(stream: Stream) -> Columns:
    """The columns of the stream's table that an event has, in the documented order."""
    return Columns(name.lower() for name in columns(stream) if not name.startswith("_"))


def schema_columns(settings: Settings) -> Columns:
    """A column for every schema of the settings: self-describing events, then entities, by their names."""
    views = settings.views
    return Columns(
        [
            *(_event(name, schemas) for name, schemas in together("event", views.self_describing_events)),
            *(_entities(name, schemas) for name, schemas in together("entity", views.entities)),
        ]
    )


def schema_names(settings: Settings) -> frozenset[str]:
    """The names of these columns, as Snowflake shows them."""
    given = {"event": settings.views.self_describing_events, "entity": settings.views.entities}
    return frozenset(name.upper() for kind, those in given.items() for name, _ in together(kind, those))


def is_of_schema(name: str) -> bool:
    """Whether a column of the typed events is one that a schema has."""
    return name.startswith(tuple(f"{prefix}_".upper() for prefix in PREFIXES.values()))


def together(kind: str, schemas: Iterable[str]) -> list[tuple[str, list[str]]]:
    """Columns with their schemas: of two whose names differ in dots or capitals only, it is one."""
    found: dict[str, list[str]] = {}
    for schema in sorted(set(schemas)):
        found.setdefault(column(PREFIXES[kind], schema), []).append(schema)
    return sorted(found.items())


def _event(name: str, schemas: list[str]) -> str:
    return f"IFF({_is_of('_event', schemas)}, AS_OBJECT(_event:data), NULL) AS {name}"


def _entities(name: str, schemas: list[str]) -> str:
    these = f"FILTER(_entities, e -> {_is_of('e', schemas)})"
    data = "COALESCE(AS_OBJECT(e:data), OBJECT_CONSTRUCT())"  # any other data is lost, as with the loaders
    whole = f"OBJECT_INSERT({data}, '_schema_version', SPLIT_PART(e:schema::VARCHAR, '/', 4), TRUE)"
    return f"IFF(ARRAY_SIZE({these}) > 0, TRANSFORM({these}, e -> {whole}), NULL) AS {name}"


def _is_of(what: str, schemas: list[str]) -> str:
    """Whether what has a schema of one of these majors."""
    tests = []
    for schema in schemas:
        vendor, name, major = schema.split("/")
        tests.append(
            f"STARTSWITH({what}:schema::VARCHAR, {literal(f'iglu:{vendor}/{name}/jsonschema/{major}-')})"
        )
    return " OR ".join(tests)


@cache
def casts() -> dict[str, str]:
    """The columns of the typed events that are not text, each with the expression that makes it."""
    select = template(TYPED["enriched"]).partition("SELECT\n")[2].partition("  _loaded_at AS load_tstamp")[0]
    items = [" ".join(item.split()) for item in re.split(r",\n(?=  \S)", select)]
    made = [item.rpartition(" AS ") for item in items if " AS " in item]
    return {name.rstrip(","): expression for expression, _, name in made}


_COMMENT = re.compile(r"(?:, for (?P<whose>.+))?; definition [0-9a-f]{12} \(snowpipe-runbook\)$")


def is_ours(comment: str) -> bool:
    """Whether a view's comment is one that this project writes."""
    return _COMMENT.search(comment) is not None


def named_in(comment: str) -> str | None:
    """The schema whose installation a view was made for; None where a former version wrote the comment."""
    found = _COMMENT.search(comment)
    return found["whose"] if found else None
