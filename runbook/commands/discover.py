"""`invoke discover`: look, write the environment file, say how to go on. Writes nothing on either cloud."""

import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runbook import settings as reading
from runbook.clouds.connections import Clouds
from runbook.clouds.failures import AwsFailed
from runbook.clouds.reader import Reader
from runbook.discovery import aws_side, snowflake_side
from runbook.discovery.described import Described
from runbook.discovery.every import every_stream
from runbook.discovery.snowflake_side import FoundPipe
from runbook.discovery.written import written
from runbook.errors import CannotTell, NotWritten, SettingsWrong
from runbook.facts import Facts
from runbook.invocation import HERE
from runbook.records import new_run_id
from runbook.running import STANDARD_OUTPUT, answered, write_output
from runbook.settings import QualifiedName, Settings
from runbook.terminal import Style, counted, note, say, say_as_is, table

ACCOUNT_NOBODY_HAS = "000000000000"


def discover(
    config: Mapping[str, Any],
    *,
    pipe: str,
    every: bool,
    connection: str | None,
    name: str | None,
    output: str | None,
    replace: bool,
) -> int:
    """Write an environment file for the installation a pipe belongs to. Only reads on both clouds.

    ``connection`` is a named connection of connections.toml, for an installation that no file
    describes yet; without it the settings' own is used. ``every``: as many of the account's pipes as one
    file can hold. Without either, the account's pipes are listed and a person at a terminal may choose one.
    Raises SettingsWrong before anything is contacted, CannotTell naming the right that is missing.
    """
    if pipe and every:
        raise SettingsWrong(
            "--all and --pipe are two answers to one question", remedy="leave one of them out"
        )
    connection = _another(config, connection)
    # one sign-in for all that is asked: each may be a browser's, or a second factor
    with _clouds(config, name or ("account" if connection else str(config["target"])), connection) as clouds:
        if not pipe and not every:
            pipe = _chosen(clouds, pinned=connection is None)
            if not pipe:
                return 0
        wanted = None if every else _wanted(pipe)
        target = _target(config, wanted, connection, name)
        usual = f"environments/{_file_name(target, wanted)}.yaml"
        place = output or usual
        _free(place, replace=replace)
        clouds.settings = reading.read(_first(config, target, connection))
        found, pipes = _looked(config, clouds, wanted, target, pinned=connection is None)
    first = pipes[0].name
    text = written(found, str(first), dict(config), usual if place == STANDARD_OUTPUT else place)
    if place == STANDARD_OUTPUT:
        say_as_is(text)
        return 0
    _folder_of(place)
    write_output(text, place, say_as_is)
    say(f"{place} is written: {counted(len(found.streams), 'stream')} ({', '.join(found.streams)})")
    for row in (*found.left_out, *found.unseen):
        note(f"  {row}")
    say(f"next: {HERE.program} -f {shlex.quote(place)} verify")
    return 0


def discovered(config: Mapping[str, Any], *, pipe: str, connection: str | None) -> dict[str, Any]:
    """The settings that `discover` would write for a pipe's installation; nothing is written.

    Raises what `discover` raises.
    """
    wanted, connection = _wanted(pipe), _another(config, connection)
    found, _ = _found(config, wanted, _target(config, wanted, connection, None), connection)
    for row in (*found.left_out, *found.unseen):
        note(f"  {row}")
    return found.settings(dict(config))


def _target(
    config: Mapping[str, Any], wanted: QualifiedName | None, connection: str | None, name: str | None
) -> str:
    """What commands will call the place."""
    if name or not connection:
        return name or str(config["target"])
    return _plain(wanted) if wanted else connection


def _another(config: Mapping[str, Any], connection: str | None) -> str | None:
    """The connection, where it is not the settings' own: that one has its target and accounts already."""
    return None if connection == config["snowflake"]["connection"] else connection


def _found(
    config: Mapping[str, Any], wanted: QualifiedName | None, target: str, connection: str | None
) -> tuple[Described, QualifiedName]:
    """The installation of a pipe, or the one with the most pipes; and the pipe it was read from."""
    with _clouds(config, target, connection) as clouds:
        found, pipes = _looked(config, clouds, wanted, target, pinned=connection is None)
    return found, pipes[0].name


@contextmanager
def _clouds(config: Mapping[str, Any], target: str, connection: str | None) -> Iterator[Clouds]:
    settings = reading.read(_first(config, target, connection))
    clouds = Clouds(settings, run_id=new_run_id(), command="discover")
    try:
        yield clouds
    finally:
        clouds.close()


def _chosen(clouds: Clouds, *, pinned: bool) -> str:
    """A pipe of the account: the only one, or the one a person chooses; "" where nobody can be asked."""
    reader = Reader(clouds)
    if pinned:
        reader.confirm(aws=False)
    pipes = snowflake_side.auto_ingest(reader)
    if not pipes:
        raise CannotTell(
            "No pipe that loads from S3 by itself can be seen",
            why="there is none, or the role of the connection may see none",
            remedy="grant the role MONITOR on the pipes, or name one: --pipe DATABASE.SCHEMA.PIPE",
        )
    rows = [{"": number, **row} for number, row in enumerate(pipes, 1)]
    say(table(rows, Style.of(sys.stdout)))
    if not sys.stdin.isatty():
        say("Choose one: --pipe DATABASE.SCHEMA.PIPE")
        return ""
    return str(pipes[_number(len(pipes)) - 1]["pipe"])


def _number(highest: int) -> int:
    """The number a person types; raises SettingsWrong for anything else, and for no answer."""
    answer = answered(f"Which one? [1-{highest}] ")
    if not (answer.isascii() and answer.isdigit() and 1 <= int(answer) <= highest):
        raise SettingsWrong("No pipe was chosen; nothing is written")
    return int(answer)


def _looked(
    config: Mapping[str, Any], clouds: Clouds, wanted: QualifiedName | None, target: str, *, pinned: bool
) -> tuple[Described, list[FoundPipe]]:
    reader = Reader(clouds)
    if pinned:
        reader.confirm(aws=False)
    row = reader.sql(
        "SELECT CURRENT_ORGANIZATION_NAME() AS organization, CURRENT_ACCOUNT_NAME() AS account_name"
    )[0]
    own = {
        "connection": clouds.settings.snowflake.connection,
        "account": f"{row['organization']}-{row['account_name']}",
    }

    def look(name: QualifiedName) -> tuple[Described, list[FoundPipe]]:
        found = Described(target, snowflake=dict(own))
        found.aws["account_id"] = clouds.settings.aws.account_id
        pipes = snowflake_side.looked(reader, name, found, lambda: _read(config, found, name))
        if found.snowflake.get("without_integration"):
            found.aws["account_id"] = _whose_credentials(reader) or found.aws["account_id"]
        _read(config, found, name)
        return found, pipes

    found, pipes = look(wanted) if wanted else every_stream(reader, look)
    # the AWS clients are made for the bucket's region, which Snowflake's queue has just told
    clouds.settings = _read(config, found, pipes[0].name)
    aws_side.looked(Facts(Reader(clouds)), pipes, found)
    _read(config, found, pipes[0].name)
    return found, pipes


def _read(config: Mapping[str, Any], found: Described, name: QualifiedName) -> Settings:
    return reading.read(found.settings(dict(config)), source=f"what {name} was found as")


def _whose_credentials(reader: Reader) -> str:
    """The account of the AWS credentials here: where Snowflake assumes no role, nothing else names one."""
    try:
        return str(reader.aws("sts", "GetCallerIdentity")["Account"])
    except (AwsFailed, CannotTell):
        return ""


def _wanted(pipe: str) -> QualifiedName:
    try:
        return QualifiedName.parse(pipe)
    except ValueError as error:
        raise SettingsWrong(
            f"--pipe {pipe!r} names no pipe" if pipe else "--pipe is missing",
            why=str(error) if pipe else "",
            remedy="--pipe DATABASE.SCHEMA.PIPE, as SHOW PIPES IN ACCOUNT lists it",
        ) from None


def _first(config: Mapping[str, Any], target: str, connection: str | None) -> dict[str, Any]:
    """Settings enough to ask Snowflake: of a new target nothing is known but its connection."""
    if not connection:
        return dict(config)
    return {
        **config,
        "target": target,
        "aws": {**config["aws"], "account_id": ACCOUNT_NOBODY_HAS, "bucket": "not-known-yet"},
        "snowflake": {**config["snowflake"], "connection": connection, "account": "NOT-KNOWN-YET"},
    }


def _free(place: str, *, replace: bool) -> None:
    try:
        is_there = place != STANDARD_OUTPUT and not replace and Path(place).exists()
    except OSError as error:  # such as a name that is too long
        raise SettingsWrong(
            "The file cannot be written",
            where=place,
            why=error.strerror or str(error),
            remedy="--output FILE",
        ) from None
    if is_there:
        raise SettingsWrong(
            f"{place} exists", why="somebody may have edited it", remedy="another --output, or --replace"
        )


def _folder_of(place: str) -> None:
    """Make the folder of the file. Raises NotWritten."""
    folder = Path(place).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotWritten(
            "The folder of the file cannot be made",
            where=str(folder),
            why=error.strerror or str(error),
            remedy="--output FILE in a folder that exists, or - to print it",
        ) from None


def _plain(wanted: QualifiedName) -> str:
    """A pipe's name as a target's."""
    return re.sub(r"[^\w.-]+", "_", f"{wanted.schema}-{wanted.name}".lower())


def _file_name(target: str, wanted: QualifiedName | None) -> str:
    if target != reading.SANDBOX:
        return target
    return _plain(wanted) if wanted else "every-pipe"
