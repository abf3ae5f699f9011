"""`invoke views --scan`: the schemas that the data has, and the environment file with them.

What it reads and what that costs is told first. The file is changed in two lists alone: it is read as YAML
before and after, and where anything else would differ nothing is written.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from runbook import private
from runbook.clouds.reader import Reader
from runbook.errors import NotWritten
from runbook.facts.snowflake import ask
from runbook.facts.views import Found
from runbook.settings import Settings, Stream
from runbook.sql import literal
from runbook.terminal import Style, counted

LISTED = 20  # schemas shown; the environment file has them all
KEYS = {"event": "self_describing_events", "entity": "entities"}
"""The key under ``views`` for each kind of schema."""


def cost(reader: Reader, stream: Stream, days: int) -> str:
    """What a scan reads, as far as it is known before. Only reads, and needs no warehouse.

    Source: https://docs.snowflake.com/en/sql-reference/sql/show-tables (rows, bytes)
    """
    table = stream.table
    statement = f"SHOW TABLES LIKE {literal(table.name)} IN SCHEMA {table.database.sql}.{table.schema.sql}"
    rows = ask(lambda: reader.sql(statement), f"The table {table}", f"SELECT on table {table}")
    found = next((row for row in rows or () if row["name"] == table.name), None)
    size = (
        f"{int(found['rows'] or 0):,} rows, {int(found['bytes'] or 0) / 1e6:,.1f} MB" if found else "unknown"
    )
    return (
        f"reads three columns of the rows of the last {days} days in {table} (all of it: {size}), once, "
        "with the connection's warehouse"
    )


def merged(settings: Settings, seen: Mapping[str, Mapping[str, Found]]) -> dict[str, list[str]]:
    """The schemas of the settings and those that were seen, by key; what was written once stays."""
    views = settings.views
    given = {"event": views.self_describing_events, "entity": views.entities}
    return {key: sorted({*given[kind], *seen[kind]}) for kind, key in KEYS.items()}


def section(schemas: Mapping[str, list[str]]) -> list[str]:
    """The two lists as they stand under ``views:`` in an environment file."""
    lines = []
    for key, names in schemas.items():
        lines += [f"  {key}:", *(f"    - {name}" for name in names)] if names else [f"  {key}: []"]
    return lines


def rewritten(text: str, schemas: Mapping[str, list[str]]) -> str:
    """The environment file's text with the two lists; raises ValueError where they cannot be put in."""
    lines = text.split("\n")
    begin = next((number for number, line in enumerate(lines) if re.match(r"views:\s*(#.*)?$", line)), None)
    if begin is None:
        if re.search(r"^views:", text, re.MULTILINE):
            raise ValueError("views is written in one line")
        made = [*text.rstrip("\n").split("\n"), "", "views:", "  enabled: true", *section(schemas), ""]
    else:
        end = _end(lines, begin)
        kept = _without(lines[begin + 1 : end], tuple(schemas))
        made = [*lines[: begin + 1], *kept, *section(schemas), *lines[end:]]
    _compare(text, "\n".join(made), schemas)
    return "\n".join(made)


def _end(lines: list[str], begin: int) -> int:
    """The line behind the section: the first one that is not indented, with what stands above it."""
    end = next(
        (number for number in range(begin + 1, len(lines)) if re.match(r"[^\s#]", lines[number])), len(lines)
    )
    while end > begin + 1 and re.match(r"(#|\s*$)", lines[end - 1]):
        end -= 1
    return end


def _without(lines: list[str], keys: tuple[str, ...]) -> list[str]:
    """The section's lines without these keys and what stands under them."""
    kept, inside = [], False
    for line in lines:
        if re.match(r"\s*(#|$)", line) is None:
            indent = len(line) - len(line.lstrip())
            if re.match(rf"\s+({'|'.join(keys)}):", line):
                inside, depth = True, indent
                continue
            inside = inside and (indent > depth or (indent == depth and line.lstrip().startswith("- ")))
        if not inside:
            kept.append(line)
    return kept


def _compare(before: str, after: str, schemas: Mapping[str, list[str]]) -> None:
    wanted: dict[str, Any] = dict(yaml.safe_load(before) or {})
    wanted["views"] = {**(wanted.get("views") or {"enabled": True}), **schemas}
    try:
        found = yaml.safe_load(after)
    except yaml.YAMLError:
        found = None
    if found != wanted:
        raise ValueError("its text is not laid out so that two lists can be put into it")


def write(file: Path, text: str) -> None:
    """Replace the file's text, whole or not at all; its mode stays, and a link to it. Raises NotWritten."""
    file = file.resolve()
    try:
        private.write(file, text, keeps_mode=True)
    except OSError as error:
        raise NotWritten(
            "The environment file cannot be written",
            where=str(file),
            why=error.strerror or str(error),
            remedy="write the lists above into it by hand",
        ) from None


def told(settings: Settings, seen: Mapping[str, Mapping[str, Found]], style: Style) -> Iterator[str]:
    """The schemas for a person: what the settings do not name first, then by how often they are there."""
    given = {"event": settings.views.self_describing_events, "entity": settings.views.entities}
    rows = sorted(
        (each.what in given[kind], -each.count, each.what, kind)
        for kind in KEYS
        for each in seen[kind].values()
    )
    if not rows:
        return
    wide = max(len(f"{-count:,}") for _, count, _, _ in rows)
    wide = max(wide, len("times"))
    yield style.paint(f"{'times':>{wide}}  kind    schema", "bold")
    for is_known, count, name, kind in rows[:LISTED]:
        yield f"{-count:>{wide},}  {kind:<6}  {name}{'' if is_known else ' (new)'}"
    if len(rows) > LISTED:
        yield f"{'':>{wide}}          and {len(rows) - LISTED} more"
    new = sum(not is_known for is_known, *_ in rows)
    yield f"{counted(len(rows), 'schema')} seen, {new} of them new"
