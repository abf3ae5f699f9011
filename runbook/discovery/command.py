"""`invoke discover`: look, write the environment file, say how to go on. Writes nothing on either cloud."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runbook import settings as reading
from runbook.discovery import aws_side, snowflake_side
from runbook.discovery.described import Described
from runbook.discovery.written import written
from runbook.errors import SettingsWrong
from runbook.facts import Facts
from runbook.records import new_run_id
from runbook.running import write_output
from runbook.session import Clouds, Reader
from runbook.settings import QualifiedName
from runbook.terminal import counted, note, say, say_as_is

STANDARD_OUTPUT = "-"
ACCOUNT_NOBODY_HAS = "000000000000"


def discover(
    config: Mapping[str, Any],
    *,
    pipe: str,
    connection: str | None,
    name: str | None,
    output: str | None,
    replace: bool,
) -> int:
    """Write an environment file for the installation a pipe belongs to. Only reads on both clouds.

    ``connection`` is a named connection of connections.toml, for an installation that no file
    describes yet; without it the settings' own is used. Raises SettingsWrong before anything is
    contacted, CannotTell naming the right that is missing.
    """
    wanted = _wanted(pipe)
    target = name or ("" if connection else str(config["target"])) or _plain(wanted)
    place = output or f"environments/{_file_name(target, wanted)}.yaml"
    _free(place, replace=replace)
    settings = reading.read(_first(config, target, connection))
    clouds = Clouds(settings, run_id=new_run_id(), command="discover")
    try:
        found = _looked(config, clouds, wanted, Described(target), pinned=connection is None)
    finally:
        clouds.close()
    text = written(found, str(wanted), dict(config), place)
    if place == STANDARD_OUTPUT:
        say_as_is(text)
        return 0
    Path(place).parent.mkdir(parents=True, exist_ok=True)
    write_output(text, place, say_as_is)
    say(f"{place} is written: {counted(len(found.streams), 'stream')} ({', '.join(found.streams)})")
    for row in (*found.left_out, *found.unseen):
        note(f"  {row}")
    say(f"next: invoke -f {place} verify")
    return 0


def _looked(
    config: Mapping[str, Any], clouds: Clouds, wanted: QualifiedName, found: Described, *, pinned: bool
) -> Described:
    reader = Reader(clouds)
    if pinned:
        reader.confirm(aws=False)
    row = reader.sql(
        "SELECT CURRENT_ORGANIZATION_NAME() AS organization, CURRENT_ACCOUNT_NAME() AS account_name"
    )[0]
    found.snowflake |= {
        "connection": clouds.settings.snowflake.connection,
        "account": f"{row['organization']}-{row['account_name']}",
    }
    pipes = snowflake_side.looked(reader, wanted, found)
    # the AWS clients are made for the bucket's region, which Snowflake's queue has just told
    clouds.settings = reading.read(found.settings(dict(config)), source=f"what {wanted} was found as")
    aws_side.looked(Facts(Reader(clouds)), pipes, found)
    reading.read(found.settings(dict(config)), source=f"what {wanted} was found as")
    return found


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
    if target == reading.SANDBOX:
        raise SettingsWrong("The sandbox is reached without --connection", remedy="leave out --connection")
    return {
        **config,
        "target": target,
        "aws": {**config["aws"], "account_id": ACCOUNT_NOBODY_HAS, "bucket": "not-known-yet"},
        "snowflake": {**config["snowflake"], "connection": connection, "account": "NOT-KNOWN-YET"},
    }


def _free(place: str, *, replace: bool) -> None:
    if place != STANDARD_OUTPUT and not replace and Path(place).exists():
        raise SettingsWrong(
            f"{place} exists", why="somebody may have edited it", remedy="another --output, or --replace"
        )


def _plain(wanted: QualifiedName) -> str:
    """A pipe's name as a target's."""
    return re.sub(r"[^\w.-]+", "_", f"{wanted.schema}-{wanted.name}".lower())


def _file_name(target: str, wanted: QualifiedName) -> str:
    return _plain(wanted) if target == reading.SANDBOX else target
