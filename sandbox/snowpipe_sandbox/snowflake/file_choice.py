"""Which files a COPY takes: those it names or finds, less those it has loaded or cannot know about.

Sources: sources: Snowflake §1.5-1.6, §3.3; [frostlake] https://github.com/mlorek/frostlake (named files that
are missing or were loaded before, SIZE_LIMIT).
"""

from __future__ import annotations

import os.path
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from snowpipe_sandbox.snowflake.bucket import RoleSession, StagedFile

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.account import Account
    from snowpipe_sandbox.snowflake.copying import Compiled

HEADS_AT_MOST = 20


@dataclass(slots=True)
class Chosen:
    """What a COPY found: files to load, named files loaded before, named files that are not there."""

    files: list[StagedFile] = field(default_factory=list)
    loaded_before: list[StagedFile] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def choose(account: Account, compiled: Compiled, role: RoleSession, *, ignore_memory: bool = False) -> Chosen:
    """The files of a COPY, after asking AWS and the table's memory. Raises 091003.

    ``ignore_memory``: take files loaded before too, as VALIDATION_MODE = RETURN_ALL_ERRORS does. What is
    chosen is not marked yet; :func:`marked` does that.
    """
    statement = compiled.statement
    chosen = Chosen()
    total = 0
    for file in _candidates(compiled, role, chosen):
        verdict = account.history.copy_verdict(compiled.table.id, file)
        if not (statement.force or ignore_memory):
            if verdict == "loaded":
                if statement.files is not None:
                    chosen.loaded_before.append(file)
                continue
            if verdict == "uncertain" and not statement.load_uncertain_files:
                continue
        if statement.size_limit is not None and chosen.files and total > statement.size_limit:
            break
        chosen.files.append(file)
        total += file.size
    return chosen


def marked(account: Account, compiled: Compiled, chosen: Chosen) -> list[StagedFile]:
    """The chosen files that no other COPY is loading, marked now; asked again what is loaded by then."""
    history, table, force = account.history, compiled.table.id, compiled.statement.force
    found = [file for file in chosen.files if history.mark(table, file.path, force=force)]
    done = [] if force else [file for file in found if history.copy_verdict(table, file) == "loaded"]
    history.unmark(table, [file.path for file in done])
    if compiled.statement.files is not None:
        chosen.loaded_before += done
    return [file for file in found if file not in done]


def _candidates(compiled: Compiled, role: RoleSession, chosen: Chosen) -> Iterator[StagedFile]:
    """The files the statement names, or those under its prefix that match its PATTERN.

    A COPY matches PATTERN against the whole path, a pipe against what is left behind its own
    (sources: Snowflake §1.5). FILES decides where both are given.
    """
    statement, bucket = compiled.statement, compiled.stage.bucket
    if statement.files is None:
        for file in role.list(bucket, compiled.prefix):
            if compiled.pattern is None or compiled.pattern.fullmatch(file.key):
                yield file
        return
    names = list(dict.fromkeys(statement.files))
    for name, found in zip(names, _named(role, bucket, compiled.prefix, names), strict=True):
        if found is None:
            chosen.missing.append(name)
        else:
            yield found


def _named(role: RoleSession, bucket: str, prefix: str, names: Sequence[str]) -> Iterable[StagedFile | None]:
    """The named files in order: a few one by one, many out of one listing of what they have in common."""
    keys = [prefix + name for name in names]
    if len(keys) <= HEADS_AT_MOST:
        return [role.head(bucket, key) for key in keys]
    wanted = set(keys)
    common = os.path.commonprefix(keys)  # noqa: RUF071 - character by character is what a prefix is
    found = {file.key: file for file in role.list(bucket, common) if file.key in wanted}
    return [found.get(key) for key in keys]
