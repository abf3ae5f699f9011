"""The ordered SQL files under ``sql/``: found, rendered, cut into statements.

Parameters are written ``<% name %>``, Snowflake CLI's standard client-side syntax, so that
``snow sql -f FILE -D name=value`` runs the same file. How a value is written follows from its
type, never from the template: a name as an identifier, text as a quoted literal, a list as a
parenthesised list of literals, an option that is not set as nothing. An unknown name, or one left
over, is an error.

Whatever comes from a cloud, a file or a record is data. It reaches a statement only as one of these types:
a name (``Identifier``, ``QualifiedName``), text (``literal``), a ``Keyword``, a ``Constant``, or a COPY that
is ``one_statement``. tests/unit/test_sql_values.py holds each statement put together in the code to it.
Source: https://docs.snowflake.com/en/developer-guide/snowflake-cli/sql/execute-sql
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache

from runbook.errors import SettingsWrong
from runbook.settings import Identifier, QualifiedName, Settings, Stream
from runbook.shipped import SQL

Value = Identifier | QualifiedName | str | int | bool | Sequence[str]
LITERAL = r"'(?:[^'\\]|''|\\.)*'"
NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_$]*)'

FOLDER = SQL

_PARAMETER = re.compile(r"<%\s*(\w+)\s*%>")
_NOTHING = re.compile(r"^[ ]+\n", re.MULTILINE)  # the line of an option that is not set
# a statement's text: comments, literals and names may hold semicolons; a name may hold $$
_PIECE = re.compile(
    r"--[^\n]*|/\*.*?\*/|'(?:[^'\\]|''|\\.)*'|\"(?:[^\"]|\"\")*\"|[A-Za-z_][\w$]*|\$\$.*?\$\$|;"
    r"|[^;'\"$/\-A-Za-z_]+|.",
    re.DOTALL,
)
_WHOLE = tuple(
    re.compile(rf"--[^\n]*|/\*.*?\*/|{LITERAL}|\"(?:[^\"]|\"\")*\"|{word}\$\$.*?\$\$", re.DOTALL)
    for word in ("", r"[A-Za-z_][\w$]*|")
)
"""What has a beginning and an end; two dollar signs after a word belong to the word, or begin a literal."""
_CONSTANT = re.compile(rf"{LITERAL}|-?[0-9]+(?:\.[0-9]+)?|{NAME}(?:\.{NAME}){{0,2}}", re.DOTALL)
_OPEN = re.compile(r"['\"]|/\*|//|\$\$")


def literal(text: str) -> str:
    r"""``text`` as a Snowflake string literal: quotes doubled, backslashes escaped.

    Source: https://docs.snowflake.com/en/sql-reference/data-types-text#single-quoted-string-constants
    """
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


class Keyword(str):
    """A word of Snowflake's own, such as MONITOR or LOG_LEVEL; raises ValueError for anything else."""

    __slots__ = ()

    def __new__(cls, text: str) -> "Keyword":
        """Words of letters, digits and _, a blank between two."""
        if not re.fullmatch(r"[A-Z][A-Z0-9_]*(?: [A-Z][A-Z0-9_]*)*", text, re.ASCII):
            raise ValueError(f"{text!r} is not a word of Snowflake's")
        return super().__new__(cls, text)

    @property
    def sql(self) -> str:
        """The word as it is written in a statement."""
        return str(self)


class Constant(str):
    """A value as a statement has it: a literal, a number, TRUE, or a name; else raises ValueError."""

    __slots__ = ()

    def __new__(cls, text: str) -> "Constant":
        """One value alone, and nothing behind it."""
        if not _CONSTANT.fullmatch(text):
            raise ValueError(f"{text!r} is not one value of a statement")
        return super().__new__(cls, text)

    @property
    def sql(self) -> str:
        """The value as it is written in a statement."""
        return str(self)


def written(value: Value) -> str:
    """``value`` as it stands in a statement."""
    match value:
        case Identifier() | QualifiedName() | SnsTopic() | Columns():
            return value.sql
        case bool():
            return str(value).upper()
        case int():
            return str(value)
        case str():
            return literal(value)
        case _:
            return "(" + ", ".join(literal(item) for item in value) + ")"


def render(template: str, values: Mapping[str, Value], *, source: str = "") -> str:
    """The template with every parameter written; raises SettingsWrong for an unknown one."""

    def one(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise SettingsWrong(f"{source or 'SQL'} asks for an unknown parameter {match[1]!r}")
        return written(values[match[1]])

    # a comment keeps its parameters' values from ending it: names only, one line each
    return _NOTHING.sub("", _PARAMETER.sub(one, template))


def parameters(template: str) -> tuple[str, ...]:
    """The names of the parameters a template uses, in order, once each."""
    return tuple(dict.fromkeys(_PARAMETER.findall(template)))


def statements(text: str) -> tuple[str, ...]:
    """The statements of a rendered file, without comments between them or semicolons."""
    found: list[str] = []
    current: list[str] = []
    for piece in _PIECE.findall(text):
        if piece == ";":
            found.append("".join(current).strip())
            current = []
        elif not piece.startswith("--"):
            current.append(" " if piece.startswith("/*") else piece)
    found.append("".join(current).strip())
    return tuple(statement for statement in found if statement)


def one_statement(text: str) -> str:
    """The statement without the semicolon at its end, to which more can be added; raises ValueError.

    For a statement somebody else wrote, as SHOW PIPES tells a pipe's: refused is what holds another one, or a
    literal, name or comment without an end, which would take in what is added.
    """
    alone = statements(text)
    if len(alone) != 1 or any(_OPEN.search(whole.sub(" ", text)) for whole in _WHOLE):
        raise ValueError("it is not one whole statement")
    return alone[0]


@cache
def template(name: str) -> str:
    """The text of ``sql/<name>``."""
    return (FOLDER / name).read_text(encoding="utf-8")


def files(folder: str) -> tuple[str, ...]:
    """The names of a folder's files in the order they run, as ``folder/NN_what.sql``."""
    return tuple(f"{folder}/{path.name}" for path in sorted((FOLDER / folder).glob("*.sql")))


def values(settings: Settings, stream: Stream | None = None) -> dict[str, Value]:
    """What the files may ask for; the stream's own names only where a stream is given."""
    snowflake = settings.snowflake
    common: dict[str, Value] = {
        "admin_role": snowflake.admin_role,
        "owner_role": snowflake.owner_role,
        "loader_role": snowflake.loader_role,
        "operator_role": snowflake.operator_role,
        "integration": snowflake.integration,
        "integration_comment": f"Reads Snowplow files from S3 for {settings.schema_sql} (snowpipe-runbook)",
        "storage_provider": settings.aws.storage_provider,
        "role_arn": settings.aws.role_arn,
        "allowed_locations": settings.allowed_locations,
        "database": snowflake.database,
        "schema": SchemaName(settings.schema_sql),
        "view_schema": SchemaName(f"{settings.views_database.sql}.{settings.views.schema_name.sql}"),
    }
    if stream is None:
        return common
    return common | {
        "table": stream.table,
        "stage": stream.stage,
        "pipe": stream.pipe,
        "pipe_name": stream.pipe.sql,
        "file_format": stream.file_format,
        "url": stream.url,
        "aws_sns_topic": SnsTopic(stream.sns_topic or ""),
        "view": settings.view(stream),
        "view_comment": "",
        "schema_columns": Columns(),
        "event_columns": Columns(),
        **_own_columns(stream),
    }


def _own_columns(stream: Stream) -> dict[str, Value]:
    """What a JSON stream's table and pipe have beside the document: a value of another type becomes NULL.

    Source: https://docs.snowflake.com/en/user-guide/data-load-transform (supported functions: CAST, TRY_CAST)
    """
    names = {name: Identifier.parse(name).sql for name, _ in stream.own_columns}
    return {
        "own_columns": Columns(f"{names[name]} {kind}" for name, kind in stream.own_columns),
        "own_names": Columns(names.values()),
        "own_values": Columns(_member(name, kind) for name, kind in stream.own_columns),
    }


def _member(name: str, kind: str) -> str:
    member = f'$1:"{name}"'
    if kind == "VARIANT":
        return member
    return f"{member}::VARCHAR" if kind == "VARCHAR" else f"TRY_CAST({member}::VARCHAR AS {kind})"


class SnsTopic(str):
    """A pipe's AWS_SNS_TOPIC option, whole; without a topic nothing is written."""

    __slots__ = ()

    @property
    def sql(self) -> str:
        """The option as it stands in CREATE PIPE."""
        return f"AWS_SNS_TOPIC = {literal(self)}" if self else ""


class Columns(tuple[str, ...]):
    """Columns of a view that follow from settings, each ``expression AS name``, already written."""

    __slots__ = ()

    @property
    def sql(self) -> str:
        """The columns as they stand in a SELECT, before others; without one nothing is written."""
        return "\n  ".join(f"{column}," for column in self)


class SchemaName(Identifier):
    """``DATABASE.SCHEMA``, already written."""

    __slots__ = ()

    @property
    def sql(self) -> str:
        """The name as it is written in a statement."""
        return str(self)


def rendered(
    name: str, settings: Settings, stream: Stream | None = None, other: Mapping[str, Value] | None = None
) -> str:
    """``sql/<name>`` for this installation, and for one stream where the file is a stream's.

    ``other``: values that are not the settings' own, such as locations that must stay.
    """
    return render(template(name), {**values(settings, stream), **(other or {})}, source=f"sql/{name}")
