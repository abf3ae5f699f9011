"""What is there in Snowflake: integration, stages, formats, tables, pipes, grants, load history.

Longer than 400 lines: a function for each read of Snowflake.
"""

import json
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Literal, TypeVar

from runbook.clouds.failures import DOES_NOT_EXIST, NO_PRIVILEGE, NO_WAREHOUSE, Row, SqlFailed
from runbook.clouds.reader import Reader
from runbook.errors import CannotTell
from runbook.facts.objects import (
    Entry,
    FileFormat,
    Listing,
    Load,
    Pause,
    Pipe,
    PipeStatus,
    Stage,
    StagedFile,
    StorageIntegration,
    Table,
)
from runbook.facts.rights import DATABASE_ROLE, first_missing, granted_to
from runbook.settings import Identifier, QualifiedName, Stream
from runbook.sql import literal
from runbook.wanted.grants import Grant

T = TypeVar("T")

LOAD_HISTORY_DAYS = 14  # https://docs.snowflake.com/en/sql-reference/functions/copy_history
REFRESH_DAYS = 7  # https://docs.snowflake.com/en/sql-reference/sql/alter-pipe

ORPHANED_STAGE = 3139  # the stage's integration was dropped or replaced


def ask(read: Callable[[], T], what: str, privilege: str) -> T | None:
    """What ``read`` gives; None where Snowflake says it does not exist (or may not be seen)."""
    try:
        return read()
    except SqlFailed as error:
        if error.errno in DOES_NOT_EXIST:
            return None
        missing = privilege if error.errno in NO_PRIVILEGE else ""
        remedy = f"grant {missing}" if missing else "run the command again"
        if error.errno in NO_WAREHOUSE:
            missing = "USAGE on a warehouse"
            remedy = f"name a warehouse in connections.toml (warehouse = …) and grant {missing} of that name"
        raise CannotTell(
            f"{what} cannot be read", why=str(error), remedy=remedy, missing_right=missing
        ) from None


def seen(
    found: T | None,
    reader: Reader,
    what: str,
    by: Literal["admin", "owner"],
    privilege: str,
    at: QualifiedName | None = None,
) -> T | None:
    """``found``, or None for what is surely not there; CannotTell where our role may just not see it.

    Snowflake gives one answer for both: "does not exist or not authorized". The role that made a
    thing, and the one above it, see it if it is there. ``at``: its name, which need not be in our schema.
    """
    if found is None and (role := reader.hidden_from.get(by)):
        snowflake = reader.settings.snowflake
        sees = snowflake.admin_role if by == "admin" else snowflake.owner_role
        database = (at.database if at else snowflake.database).sql
        schema = (at.schema if at else snowflake.schema_name).sql
        way = (
            () if by == "admin" else (f"USAGE on database {database}", f"USAGE on schema {database}.{schema}")
        )
        missing = first_missing(reader, role, (*way, privilege))
        raise CannotTell(
            f"{what} is not there, or the role {role} may not see it",
            why="Snowflake answers the same for both",
            remedy=f"read with the role {sees} (role in connections.toml), or grant {role} {missing}",
            missing_right=missing,
        )
    return found


def now(reader: Reader) -> datetime:
    """Snowflake's time: ages are measured against the clock that wrote the history."""
    return utc(reader.sql("SELECT SYSDATE() AS now")[0]["now"])


def integration(reader: Reader) -> StorageIntegration | None:
    """The storage integration; None when there is none of that name."""
    name = reader.settings.snowflake.integration

    def read() -> StorageIntegration:
        rows = reader.sql(f"DESC INTEGRATION {name.sql}")
        value = {str(row["property"]): str(row["property_value"] or "") for row in rows}
        return StorageIntegration(
            name=name,
            enabled=value.get("ENABLED", "").lower() == "true",
            provider=value.get("STORAGE_PROVIDER", ""),
            role_arn=value.get("STORAGE_AWS_ROLE_ARN", ""),
            external_id=value.get("STORAGE_AWS_EXTERNAL_ID", ""),
            iam_user_arn=value.get("STORAGE_AWS_IAM_USER_ARN", ""),
            allowed_locations=_locations(value.get("STORAGE_ALLOWED_LOCATIONS", "")),
            blocked_locations=frozenset(_locations(value.get("STORAGE_BLOCKED_LOCATIONS", ""))),
            comment=value.get("COMMENT", ""),
        )

    what, privilege = f"The integration {name}", f"USAGE on integration {name}"
    return seen(ask(read, what, privilege), reader, what, "admin", privilege)


def owner(reader: Reader, kind: str, name: str) -> str:
    """The role that owns an object; empty where we may not see it.

    Source: https://docs.snowflake.com/en/sql-reference/sql/show-grants
    """
    return next(iter(_holders(reader, kind, name, "OWNERSHIP")), "")


def operators(reader: Reader, pipe: str) -> frozenset[str]:
    """The roles that OPERATE on a pipe was granted to; none where we may not see it."""
    return frozenset(_holders(reader, "PIPE", pipe, "OPERATE"))


def _holders(reader: Reader, kind: str, name: str, privilege: str) -> list[str]:
    statement = f"SHOW GRANTS ON {kind} {name}"
    rows = ask(lambda: reader.sql(statement), f"The grants on {name}", f"USAGE on {kind.lower()} {name}")
    return [str(row["grantee_name"]) for row in rows or () if row["privilege"] == privilege]


def external_id(reader: Reader, name: Identifier) -> str:
    """The external ID of any integration; empty where there is none of that name."""
    rows = ask(
        lambda: reader.sql(f"DESC INTEGRATION {name.sql}"),
        f"The integration {name}",
        f"USAGE on integration {name}",
    )
    found = (row["property_value"] for row in rows or () if row["property"] == "STORAGE_AWS_EXTERNAL_ID")
    return str(next(found, "") or "")


def every_external_id(reader: Reader) -> frozenset[str] | None:
    """The external IDs of all storage integrations; None where our role may not see the whole account.

    Source: https://docs.snowflake.com/en/sql-reference/sql/show-integrations
    """
    if reader.hidden_from.get("admin"):
        return None
    with suppress(CannotTell):
        rows = ask(lambda: reader.sql("SHOW INTEGRATIONS"), "The integrations", "USAGE on the integrations")
        names = [Identifier(str(row["name"])) for row in rows or () if row["category"] == "STORAGE"]
        return frozenset(external_id(reader, name) for name in names)
    return None


def _locations(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part for part in text.split(",") if part))


def roles(reader: Reader) -> frozenset[str]:
    """The names of the account's roles we can see."""
    rows = ask(lambda: reader.sql("SHOW ROLES"), "The roles", "USAGE on a role")
    return frozenset(str(row["name"]) for row in rows or ())


def grants_to(reader: Reader, role: Identifier) -> frozenset[Grant] | None:
    """Everything granted to a role; None when there is no such role."""

    def read() -> frozenset[Grant]:
        return _grants(reader.sql(f"SHOW GRANTS TO ROLE {role.sql}"))

    return ask(read, f"The grants to {role}", f"being granted the role {role}")


def grants_to_database_role(reader: Reader, name: str) -> frozenset[Grant]:
    """Everything granted to a database role, its name as SHOW GRANTS has it; none that we may not see."""
    read = partial(granted_to, reader, DATABASE_ROLE, name)
    return _grants(ask(read, f"The grants to {name}", f"being granted {name}") or ())


def _grants(rows: Iterable[Row]) -> frozenset[Grant]:
    return frozenset(
        Grant(str(r["privilege"]), str(r["granted_on"]).replace("_", " "), str(r["name"])) for r in rows
    )


def schema_exists(reader: Reader) -> bool:
    """Whether the installation's schema is there."""
    snowflake = reader.settings.snowflake
    statement = f"SHOW SCHEMAS IN DATABASE {snowflake.database.sql}"
    what = f"The schemas of {snowflake.database}"
    rows = ask(lambda: reader.sql(statement), what, f"USAGE on database {snowflake.database}")
    found = next((row for row in rows or () if row["name"] == snowflake.schema_name), None)
    name = f"{snowflake.database.sql}.{snowflake.schema_name.sql}"
    return seen(found, reader, f"The schema {name}", "owner", f"USAGE on schema {name}") is not None


def schema_is_managed(reader: Reader) -> bool:
    """Whether the installation's schema has managed access: its owner grants, not those of its objects.

    Source: https://docs.snowflake.com/en/sql-reference/sql/show-schemas (options)
    """
    snowflake = reader.settings.snowflake
    rows = ask(
        lambda: reader.sql(f"SHOW SCHEMAS IN DATABASE {snowflake.database.sql}"),
        f"The schemas of {snowflake.database}",
        f"USAGE on database {snowflake.database}",
    )
    return any(
        "MANAGED ACCESS" in str(row.get("options") or "")
        for row in rows or ()
        if row["name"] == snowflake.schema_name
    )


def file_format(reader: Reader, stream: Stream) -> FileFormat | None:
    """The stream's file format."""

    def read() -> FileFormat:
        rows = reader.sql(f"DESC FILE FORMAT {stream.file_format.sql}")
        return FileFormat({str(row["property"]): str(row["property_value"]) for row in rows})

    what, privilege = f"The file format {stream.file_format}", f"USAGE on file format {stream.file_format}"
    return seen(ask(read, what, privilege), reader, what, "owner", privilege, stream.file_format)


def table(reader: Reader, stream: Stream) -> Table | None:
    """The stream's table."""

    def read() -> Table:
        rows = reader.sql(f"DESC TABLE {stream.table.sql}")
        return Table(
            columns=tuple((str(row["name"]), str(row["type"])) for row in rows),
            required=tuple(
                str(row["name"]) for row in rows if row.get("null?") == "N" and not row.get("default")
            ),
        )

    what, privilege = f"The table {stream.table}", f"SELECT on table {stream.table}"
    return seen(ask(read, what, privilege), reader, what, "owner", privilege, stream.table)


def is_a_table(reader: Reader, stream: Stream) -> bool:
    """Whether a table has the name: DESC TABLE describes a view as well.

    Source: https://docs.snowflake.com/en/sql-reference/sql/desc-table
    """
    name = stream.table
    statement = f"SHOW TABLES LIKE {literal(name.name)} IN SCHEMA {name.database.sql}.{name.schema.sql}"
    rows = ask(lambda: reader.sql(statement), f"The table {name}", f"SELECT on table {name}")
    return any(row["name"] == name.name for row in rows or ())


def stages(reader: Reader, schema: str = "") -> dict[str, Stage]:
    """The stages of our schema, or of another one, by name."""
    return {
        str(row["name"]): Stage(
            url=whole_bucket(str(row["url"])),
            integration=row["storage_integration"],
            owner=str(row["owner"]),
            comment=str(row.get("comment") or ""),
        )
        for row in _in_schema(reader, "STAGES", schema)
    }


def whole_bucket(url: str) -> str:
    """A stage's URL, with a slash behind a bucket's name that has none."""
    return f"{url}/" if url.count("/") == 2 else url  # s3://bucket


def pipes(reader: Reader, schema: str = "") -> dict[str, Pipe]:
    """The pipes of our schema, or of another one, by name.

    Left out are those that Snowflake makes itself for streams: nobody owns them.

    Source: https://docs.snowflake.com/en/release-notes/2025/other/2025-12-11-default-pipe
    """
    return {
        str(row["name"]): Pipe(
            definition=str(row["definition"]),
            owner=str(row["owner"]),
            notification_channel=row["notification_channel"] or None,
            created_on=utc(row["created_on"]),
            invalid_reason=row["invalid_reason"] or None,
            comment=str(row["comment"] or ""),
            error_integration=row.get("error_integration") or None,
        )
        for row in _in_schema(reader, "PIPES", schema)
        if row["owner"]
    }


def _in_schema(reader: Reader, kind: str, schema: str) -> list[Row]:
    schema = schema or reader.settings.schema_sql
    what = f"The {kind.lower()} of {schema}"
    return ask(lambda: reader.sql(f"SHOW {kind} IN SCHEMA {schema}"), what, f"USAGE on schema {schema}") or []


def pipe_status(reader: Reader, pipe: QualifiedName) -> PipeStatus | None:
    """SYSTEM$PIPE_STATUS of a pipe."""

    def read() -> PipeStatus:
        rows = reader.sql(f"SELECT SYSTEM$PIPE_STATUS({literal(pipe.sql)}) AS status")
        return PipeStatus(json.loads(rows[0]["status"]))

    return ask(read, f"The status of {pipe}", f"MONITOR on pipe {pipe}")


def pause(reader: Reader, stream: Stream) -> Pause | None:
    """PIPE_EXECUTION_PAUSED as it applies to the stream's pipe."""

    def read() -> Pause:
        rows = reader.sql(f"SHOW PARAMETERS LIKE 'PIPE_EXECUTION_PAUSED' IN PIPE {stream.pipe.sql}")
        return Pause(str(rows[0]["value"]).lower() == "true", str(rows[0]["level"] or ""))

    return ask(read, f"The parameters of {stream.pipe}", f"MONITOR on pipe {stream.pipe}")


def listing(reader: Reader, stream: Stream) -> Listing | None:
    """The files under the stage, by LIST: one statement however many files; None without a stage.

    Snowflake lists with the integration's role, so an error here is Snowflake's own experience.
    """
    try:
        rows = reader.sql(list_statement(stream))
    except SqlFailed as error:
        return None if error.errno in DOES_NOT_EXIST else Listing(error=error)
    return Listing(tuple(listed_file(row, stream) for row in rows))


_PLAIN_PLACE = re.compile(r"@[\w.$\"/=+-]+", re.ASCII)
"""A stage and path that can stand in a statement without quotes; any other is written as a string."""


def list_statement(stream: Stream) -> str:
    """LIST of the stream's stage, or of what its pipe reads of it."""
    place = f"@{stream.stage.sql}/{stream.path}" if stream.path else f"@{stream.stage.sql}"
    return f"LIST {place if _PLAIN_PLACE.fullmatch(place) else literal(place)}"


def listed_below(reader: Reader, stream: Stream, start: str) -> list[StagedFile]:
    """The files whose keys begin so; ``start`` lies in what the stream's pipe reads. Only reads.

    Source: https://docs.snowflake.com/en/sql-reference/sql/list (a path is a prefix)
    """
    place = literal(f"@{stream.stage.sql}/{stream.path}{stream.name_of(start)}")
    return [listed_file(row, stream) for row in reader.sql(f"LIST {place}")]


def listed_file(row: Row, stream: Stream) -> StagedFile:
    """One line of LIST."""
    cut = len(f"{stream.url.split('://', 1)[0]}://{stream.bucket}/")
    return StagedFile(
        key=str(row["name"])[cut:],
        size=int(row["size"]),
        etag=str(row["md5"]),
        modified=parsedate_to_datetime(str(row["last_modified"])).astimezone(UTC),
    )


def entry(reader: Reader) -> Entry | None:
    """Whether Snowflake can list the first stream's folder through the integration.

    ``list`` only: ``all`` writes into the folder, and what it writes would be loaded.
    The answer may be up to 60 minutes old, because Snowflake caches credentials.
    Source: https://docs.snowflake.com/en/sql-reference/functions/system_validate_storage_integration
    """
    name = reader.settings.snowflake.integration
    places = [(stream.url, "snowpipe-runbook.probe") for stream in reader.settings.streams]

    def read() -> Entry:
        try:
            answers = _validated(reader, places, "list")
        except SqlFailed as error:
            if error.errno in (*DOES_NOT_EXIST, *NO_PRIVILEGE):
                raise
            return Entry(succeeded=False, message=str(error))  # a disabled integration, a location it blocks
        found = [_entry(answer, url) for answer, (url, _) in zip(answers, places, strict=True)]
        return next((one for one in found if not one.succeeded), Entry(succeeded=True, message=""))

    return ask(read, "Whether Snowflake gets into the bucket", f"USAGE on integration {name}")


VALIDATED_TOGETHER = 4
"""Places that one statement asks for, so that the answer about many comes as soon as that about a few."""


def _validated(reader: Reader, places: list[tuple[str, str]], action: str) -> list[dict[str, Any]]:
    """What Snowflake answers of each folder and a file in it; some at a time, side by side."""
    name = reader.settings.snowflake.integration

    def some(first: int) -> list[dict[str, Any]]:
        these = places[first : first + VALIDATED_TOGETHER]
        calls = [
            f"SYSTEM$VALIDATE_STORAGE_INTEGRATION({literal(name)}, {literal(folder)}, "
            f"{literal(file)}, {literal(action)}) AS answer_{number}"
            for number, (folder, file) in enumerate(these)
        ]
        row = reader.sql(f"SELECT {', '.join(calls)}")[0]
        return [json.loads(row[f"answer_{number}"]) for number in range(len(these))]

    firsts = range(0, len(places), VALIDATED_TOGETHER)
    if len(firsts) == 1:
        return some(0)
    with reader.side_by_side(len(firsts)) as pool:
        return [answer for answers in pool.map(some, firsts) for answer in answers]


def reading(reader: Reader, files: list[tuple[Stream, str]]) -> Entry | None:
    """Whether Snowflake may read one file of each stream; None where its answer does not say.

    Listing and reading are two rights, and reading may be denied alone. A file that is gone by now, or
    archived, is not an answer to that.
    Source: https://docs.snowflake.com/en/sql-reference/functions/system_validate_storage_integration
    """
    name = reader.settings.snowflake.integration

    def read() -> Entry | None:
        places = [_folder_and_file(stream, key) for stream, key in files]
        found = _validated(reader, places, "read")
        answers = [
            _entry(answer, f"{folder}{file}") for answer, (folder, file) in zip(found, places, strict=True)
        ]
        refused = next((one for one in answers if not one.succeeded and "AccessDenied" in one.message), None)
        return refused or (
            Entry(succeeded=True, message="") if all(one.succeeded for one in answers) else None
        )

    return ask(read, "Whether Snowflake may read", f"USAGE on integration {name}") if files else None


def _folder_and_file(stream: Stream, key: str) -> tuple[str, str]:
    """A folder's URL and a file in it: what the pipe reads may end in mid name, a folder does not."""
    if stream.url.endswith("/"):
        return stream.url, key.removeprefix(stream.prefix)
    folder, slash, file = key.rpartition("/")
    return f"{stream.url.removesuffix(stream.prefix)}{folder}{slash}", file


def _entry(answer: dict[str, Any], url: str) -> Entry:
    actions = answer.get("actions", {})
    rows = actions.values() if isinstance(actions, dict) else actions
    messages = [str(row["message"]) for row in rows if row.get("message")]
    text = "; ".join(messages or [str(answer.get("message", ""))])
    return Entry(answer.get("status") == "success", f"{url}: {text}" if text else "")


def loads(reader: Reader, stream: Stream, *, since: datetime | None = None) -> tuple[Load, ...] | None:
    """Loads into the stream's table, by pipe and by COPY, of 14 days or ``since``; None without a table."""
    rows = ask(lambda: reader.sql(loads_statement(stream, since)), *loads_asked(stream))
    return None if rows is None else tuple(load_of(row, stream) for row in rows)


def loads_asked(stream: Stream) -> tuple[str, str]:
    """What the load history is called in an error, and the privilege it takes."""
    return f"The load history of {stream.table}", f"SELECT on table {stream.table}"


def loads_statement(stream: Stream, since: datetime | None = None) -> str:
    """COPY_HISTORY of the stream's table; of nearly all its 14 days, for the question takes time.

    Needs a warehouse. Source: https://docs.snowflake.com/en/sql-reference/info-schema
    """
    nearly = f"DATEADD('minute', {5 - LOAD_HISTORY_DAYS * 24 * 60}, CURRENT_TIMESTAMP())"
    begin = f"{literal(since.isoformat())}::TIMESTAMP_LTZ" if since else nearly
    table = stream.table
    return (
        f"SELECT {LOAD_COLUMNS} "
        f"FROM TABLE({table.database.sql}.INFORMATION_SCHEMA.COPY_HISTORY("
        f"TABLE_NAME => {literal(table.sql)}, START_TIME => {begin}))"
    )


LOAD_COLUMNS = (
    "file_name, stage_location, status, last_load_time, row_count, row_parsed, error_count, "
    "first_error_message, pipe_catalog_name, pipe_schema_name, pipe_name, file_size"
)


def load_of(row: Row, stream: Stream) -> Load:
    """One line of COPY_HISTORY, its path normalised to the object's key."""
    location, name = str(row["stage_location"] or ""), str(row["file_name"])
    return Load(
        key=key_of(location, name) or stream.prefix + name,
        status=str(row["status"]).upper().replace(" ", "_"),
        loaded_at=utc(row["last_load_time"]) if row["last_load_time"] else None,
        rows=int(row["row_count"] or 0),
        rows_parsed=int(row["row_parsed"] or 0),
        errors=int(row["error_count"] or 0),
        first_error=str(row["first_error_message"] or ""),
        pipe=row["pipe_name"],
        size=None if row.get("file_size") is None else int(row["file_size"]),
    )


def key_of(location: str, name: str) -> str:
    """The object's key: the slash between the two may stand at either one's end."""
    path = f"{location.rstrip('/')}/{name.lstrip('/')}" if location else name
    _, _, rest = path.partition("://")
    return rest.partition("/")[2] if rest else path


def utc(value: Any) -> datetime:
    """A time as the connector gives it, aware and in UTC; one without a zone is UTC."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
