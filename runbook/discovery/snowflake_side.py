"""Out of one pipe all that Snowflake knows: its stage and integration, the pipes beside it. Only reads."""

import re
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from runbook.clouds.failures import Row
from runbook.clouds.network import one_line
from runbook.clouds.reader import Reader
from runbook.discovery.described import Described
from runbook.discovery.differences import differences, file_column_statements
from runbook.errors import CannotTell, Refused, SettingsWrong
from runbook.facts.copy_columns import through
from runbook.facts.copy_statement import CopyStatement, read
from runbook.facts.found_format import described, format_of
from runbook.facts.snowflake import ask, pipe_status, whole_bucket
from runbook.kinds import KINDS, SNOWPLOWS, kind_read_by
from runbook.settings import Identifier, QualifiedName, joined
from runbook.sql import literal

_URL = re.compile(r"(s3(?:china|gov)?)://([^/]+)(?:/(.*))?")
_CHANNEL = re.compile(r"arn:[a-z-]+:(?:sqs|sns):([a-z0-9-]+):[0-9]{12}:.+")
_ROLE = re.compile(r"arn:[a-z-]+:iam::([0-9]{12}):role(/(?:.+/)?)([^/]+)")


@dataclass(frozen=True)
class FoundPipe:
    """A pipe as SHOW PIPES lists it, with its COPY read and its stage looked up."""

    name: QualifiedName
    table: QualifiedName
    stage_name: QualifiedName
    statement: str
    owner: str
    channel: str
    copy: CopyStatement
    stage: Row
    options: dict[str, str] = field(default_factory=dict)
    """What else CREATE PIPE would say, as it is written there."""

    @property
    def url(self) -> str:
        """The stage's URL; of a whole bucket with a slash at its end."""
        return whole_bucket(str(self.stage["url"]))

    @property
    def bucket(self) -> str:
        """The bucket the stage is on."""
        return _parts(self.url)[1]

    @property
    def prefix(self) -> str:
        """What the keys begin with that the pipe reads: a path ends where it says, also in mid name."""
        prefix = _parts(joined(self.url, self.copy.path))[2]
        return prefix if self.copy.path or prefix.endswith("/") or not prefix else f"{prefix}/"


def looked(
    reader: Reader, wanted: QualifiedName, found: Described, fits: Callable[[], object]
) -> list[FoundPipe]:
    """The pipe and those beside it, into ``found``; the pipes that became streams.

    ``fits`` raises SettingsWrong where settings cannot say what is found by then: a pipe beside is left out.

    Raises CannotTell naming the right that is missing, Refused for a pipe that reads no such stage.
    """
    rows = ask(
        lambda: reader.sql("SHOW PIPES IN ACCOUNT"), "The account's pipes", f"MONITOR on pipe {wanted}"
    )
    stages = ask(lambda: reader.sql("SHOW STAGES IN ACCOUNT"), "The account's stages", "USAGE on its stage")
    by_name = {name_of(row): row for row in stages or ()}
    pipes = {name_of(row): row for row in rows or ()}
    if wanted not in pipes:
        raise CannotTell(
            f"There is no pipe {wanted}, or our role may not see it",
            why="Snowflake answers the same for both" + _alike(wanted, pipes),
            remedy=f"correct --pipe, or grant the role MONITOR on pipe {wanted}",
            missing_right=f"MONITOR on pipe {wanted}",
        )
    first = pipe_of(wanted, pipes[wanted], by_name)
    _describe(reader, first, found)
    if first.stage["storage_integration"]:
        _describe_role(first, _integration(reader, first), found)
    else:
        _without_integration(first, found)
    taken = [first]
    for name in sorted(set(pipes) - {wanted}, key=str):
        beside = _beside(name, pipes[name], by_name, taken)
        if isinstance(beside, FoundPipe):
            taken.append(beside)
        elif beside:
            found.left_out.append(f"{name}: {beside}")
    _stream(reader, first, found)
    return [first, *(each for each in taken[1:] if _fits(reader, each, found, fits))]


def _fits(reader: Reader, pipe: FoundPipe, found: Described, fits: Callable[[], object]) -> bool:
    """Take one more pipe as a stream; False, and a note why, where the settings cannot say it."""
    streams, differs, aws = dict(found.streams), list(found.differs), deepcopy(found.aws)
    try:
        _stream(reader, pipe, found)
        fits()
    except (SettingsWrong, CannotTell) as error:
        found.streams, found.differs, found.aws = streams, differs, aws
        found.left_out.append(f"{pipe.name}: {error.what.removeprefix('Settings are wrong: ')}")
        return False
    return True


def auto_ingest(reader: Reader) -> list[Row]:
    """The pipes that load by themselves: name, stage, table and owner, sorted by name. Only reads."""
    rows = ask(lambda: reader.sql("SHOW PIPES IN ACCOUNT"), "The account's pipes", "MONITOR on the pipes")
    found = []
    for row in rows or ():
        if row["notification_channel"]:
            name = name_of(row)
            copy = read(str(row["definition"]), name.database, name.schema)
            found.append({"pipe": str(name), "stage": copy.stage, "table": copy.table, "owner": row["owner"]})
    return sorted(found, key=lambda row: str(row["pipe"]))


def _alike(wanted: QualifiedName, pipes: dict[QualifiedName, Row]) -> str:
    alike = [
        str(name) for name in pipes if str(name).upper() == str(wanted).upper() or name.name == wanted.name
    ]
    return f"; there is {', '.join(sorted(alike))}" if alike else ""


def name_of(row: Row) -> QualifiedName:
    """The full name of an object as a SHOW lists it."""
    return QualifiedName(*(Identifier(str(row[key])) for key in ("database_name", "schema_name", "name")))


def pipe_of(name: QualifiedName, row: Row, stages: dict[QualifiedName, Row]) -> FoundPipe:
    """A pipe as SHOW PIPES lists it; raises Refused or CannotTell for one that cannot be served."""
    statement = str(row["definition"])
    copy = read(statement, name.database, name.schema)
    if copy.stage is None or copy.table is None or copy.doubt:
        raise Refused(
            f"The COPY of the pipe {name} cannot be read",
            why=f"{copy.doubt}: {one_line(statement)[:120]}",
            remedy="a pipe that reads an external stage on S3 can be served",
        )
    if copy.stage not in stages:
        raise CannotTell(
            f"The stage {copy.stage} of the pipe cannot be seen",
            why="it was dropped, or our role may not see it",
            remedy=f"grant the role USAGE on stage {copy.stage}",
            missing_right=f"USAGE on stage {copy.stage}",
        )
    found = FoundPipe(
        name=name,
        table=copy.table,
        stage_name=copy.stage,
        statement=statement,
        owner=str(row["owner"]),
        channel=str(row["notification_channel"] or ""),
        copy=copy,
        stage=stages[copy.stage],
        options=_options_of(row),
    )
    if not _URL.fullmatch(found.url):
        raise Refused(f"The stage {copy.stage} is not on S3 ({found.url or 'internal'})")
    return found


def _options_of(row: Row) -> dict[str, str]:
    """A pipe's topic, error integration and comment as CREATE PIPE writes them; "" for what it has not.

    Source: https://docs.snowflake.com/en/sql-reference/sql/show-pipes
    """
    channel, errors = str(row.get("notification_channel") or ""), str(row.get("error_integration") or "")
    comment = str(row.get("comment") or "")
    return {
        "AWS_SNS_TOPIC": literal(channel) if ":sns:" in channel else "",
        "ERROR_INTEGRATION": Identifier(errors).sql if errors else "",
        "COMMENT": literal(comment) if comment else "",
    }


def _beside(
    name: QualifiedName, row: Row, stages: dict[QualifiedName, Row], taken: list[FoundPipe]
) -> FoundPipe | str:
    """Another pipe as a further stream; or why it is none ("" for one that has nothing to do with ours)."""
    first = taken[0]
    try:
        found = pipe_of(name, row, stages)
    except (Refused, CannotTell):
        return ""
    integration = first.stage["storage_integration"]
    if found.stage["storage_integration"] != integration or (
        not integration and found.bucket != first.bucket
    ):
        return ""
    if not found.channel:
        return "it does not load by itself (AUTO_INGEST is off)"
    return _in_the_way(found, taken) or found


def _in_the_way(found: FoundPipe, taken: list[FoundPipe]) -> str:
    """Why one file of settings cannot say this pipe beside those taken already."""
    if found.owner != taken[0].owner:
        return f"it is owned by {found.owner}: discover it into a file of its own"
    for other in taken:
        if found.bucket != other.bucket and found.table == other.table:
            return (
                f"it loads from another bucket ({found.bucket}) into the same table as {other.name}, whose "
                "rows name a file and not its bucket"
            )
        overlap = found.prefix.startswith(other.prefix) or other.prefix.startswith(found.prefix)
        if overlap and found.table == other.table:
            return f"it reads the same folder into the same table as {other.name}"
    return ""


def _integration(reader: Reader, pipe: FoundPipe) -> dict[str, str]:
    return described(reader, "integration", Identifier(str(pipe.stage["storage_integration"])))


def _describe_role(pipe: FoundPipe, integration: dict[str, str], found: Described) -> None:
    """The integration, and the role it assumes."""
    role = _ROLE.fullmatch(integration.get("STORAGE_AWS_ROLE_ARN", ""))
    if role is None:
        raise Refused(
            "The integration names no role",
            why=f"STORAGE_AWS_ROLE_ARN is {integration.get('STORAGE_AWS_ROLE_ARN', '')!r}",
        )
    found.aws |= {"account_id": role[1], "path": role[2], "role_name": role[3]}
    found.snowflake["integration"] = Identifier(str(pipe.stage["storage_integration"])).sql


def _without_integration(pipe: FoundPipe, found: Described) -> None:
    """Snowflake assumes no role: what it may is in keys that stand in the stage, or the bucket is public."""
    found.snowflake["without_integration"] = True
    by_keys = str(pipe.stage.get("has_credentials") or "").upper() == "Y"
    by = "keys that are written into it, which nobody can look at" if by_keys else "nothing (a public bucket)"
    found.differs.append(
        f"the stage {pipe.stage_name} has no storage integration: Snowflake reads by {by}, so roles and "
        "policies are not judged; a storage integration is safer"
    )


def _describe(reader: Reader, pipe: FoundPipe, found: Described) -> None:
    """Both sides' names, as far as the pipe and its stage say them."""
    found.aws["bucket"] = pipe.bucket
    if channel := _CHANNEL.fullmatch(pipe.channel):
        found.aws["region"] = channel[1]  # S3 notifies what is in its own region alone
    else:
        found.unseen.append(f"{pipe.name} has no queue (AUTO_INGEST is off), so aws.region may be wrong")
    found.snowflake |= {
        "database": pipe.name.database.sql,
        "schema": pipe.name.schema.sql,
        "owner_role": Identifier(_owner(reader, pipe) or pipe.owner).sql,
        "loader_role": Identifier(pipe.owner).sql,
        "operator_role": Identifier(pipe.owner).sql,
    }
    if pipe.owner in ("ACCOUNTADMIN", "SYSADMIN"):
        found.differs.append(
            f"the pipe is owned by {pipe.owner}, no role of its own: it loads with all its rights"
        )


def _owner(reader: Reader, pipe: FoundPipe) -> str | None:
    """Who owns the table, and so may COPY into it."""
    row = _table(reader, pipe)
    return str(row["owner"]) if row else None


def _table(reader: Reader, pipe: FoundPipe) -> Row | None:
    """The table as SHOW TABLES lists it; None where it cannot be seen."""
    table = pipe.table
    rows = reader.sql(
        f"SHOW TABLES LIKE {literal(table.name)} IN SCHEMA {table.database.sql}.{table.schema.sql}"
    )
    return next((row for row in rows if row["name"] == table.name), None)


def _columns(reader: Reader, pipe: FoundPipe) -> tuple[tuple[str, str], ...]:
    """Name and type of the columns of the pipe's table; none where they cannot be seen."""
    with suppress(CannotTell):
        table, what = pipe.table.sql, f"The columns of {pipe.table}"
        rows = ask(lambda: reader.sql(f"DESC TABLE {table}"), what, f"SELECT on table {table}")
        return tuple((str(row["name"]), str(row["type"])) for row in rows or ())
    return ()


def _stream(reader: Reader, pipe: FoundPipe, found: Described) -> None:
    """One pipe as a stream of the settings."""
    copy, columns = pipe.copy, _columns(reader, pipe)
    form = format_of(reader, copy, pipe.stage_name)
    filled = through(pipe.statement, columns, form.options)
    kind = kind_read_by(
        form.file_type,
        frozenset(name for name, _ in columns),
        delimiter=form.options.get("FIELD_DELIMITER", ""),
        names=f"{pipe.prefix} {pipe.table.name} {pipe.name.name}",
    )
    as_found: dict[str, Any] = {"stage_url": pipe.url}
    if copy.path:
        as_found["path"] = copy.path
    as_found["statement"] = pipe.statement
    if copy.pattern:
        as_found["pattern"] = copy.pattern
    if form.name:
        as_found["file_format"] = form.name.sql
        watched = KINDS[kind].FORMAT if kind in SNOWPLOWS else form.watched
        as_found["format"] = {key: form.watched.get(key, "") for key in watched}
    as_found |= _elsewhere(pipe, found)
    name = _stream_name(str(pipe.table.name), found.streams)
    found.streams[name] = {
        "kind": kind,
        **_another_bucket(pipe, found),
        "prefix": pipe.prefix,
        "suffix": "",
        "table": pipe.table.name.sql,
        "stage": pipe.stage_name.name.sql,
        "pipe": pipe.name.name.sql,
        "sns_topic": None,
        "found": as_found,
    }
    if _is_emptied_as_it_goes(reader, pipe):
        found.streams[name]["keeps_rows"] = False
        found.differs.append(
            f"{name}: the table is empty though the pipe has loaded files: taken for a landing table that is "
            "emptied as it goes (keeps_rows: true where that is wrong)"
        )
    found.differs += [f"{name}: {line}" for line in differences(copy, form, kind, filled)]
    if columns and not filled.file_column:
        names = [column for column, _ in columns]
        found.proposed[name] = file_column_statements(
            pipe.name,
            pipe.table,
            pipe.statement,
            names,
            pipe.options,
            counts_fields=form.file_type == "CSV" and not filled.selects and not filled.by_name,
        )


def _another_bucket(pipe: FoundPipe, found: Described) -> dict[str, str]:
    """The stream's bucket, where it is not the first pipe's; its region is noted, where that differs."""
    if pipe.bucket == found.aws["bucket"]:
        return {}
    channel = _CHANNEL.fullmatch(pipe.channel)
    if channel and channel[1] != found.aws.get("region"):
        found.aws.setdefault("buckets", {})[pipe.bucket] = {"region": channel[1]}
    return {"bucket": pipe.bucket}


def _elsewhere(pipe: FoundPipe, found: Described) -> dict[str, str]:
    """The full names of pipe, stage and table that are not in the settings' database and schema."""
    home = (found.snowflake["database"], found.snowflake["schema"])
    names = {"table": pipe.table, "stage": pipe.stage_name, "pipe": pipe.name}
    return {part: name.sql for part, name in names.items() if (name.database.sql, name.schema.sql) != home}


def _is_emptied_as_it_goes(reader: Reader, pipe: FoundPipe) -> bool:
    """Whether the table has no row, and the pipe has loaded some file; neither asks for a warehouse.

    Sources: https://docs.snowflake.com/en/sql-reference/sql/show-tables (rows),
    https://docs.snowflake.com/en/sql-reference/functions/system_pipe_status (lastIngestedTimestamp)
    """
    row = _table(reader, pipe)
    if row is None or row.get("rows") is None or int(row["rows"]):
        return False
    try:
        status = pipe_status(reader, pipe.name)
    except CannotTell:
        return False
    return status is not None and status.time("lastIngestedTimestamp") is not None


def _stream_name(table: str, taken: dict[str, Any]) -> str:
    """The table's name as a stream's: lower case letters, digits and _; told apart by a number."""
    name = re.sub(r"[^a-z0-9_]+", "_", table.lower()).strip("_")
    name = name if re.match(r"[a-z]", name) else f"stream_{name}".rstrip("_")
    number = 2
    while name in taken:
        name, number = f"{name.rstrip('0123456789').rstrip('_')}_{number}", number + 1
    return name


def _parts(url: str) -> tuple[str, str, str]:
    found = _URL.fullmatch(url)
    return (found[1], found[2], found[3] or "") if found else ("", "", "")
