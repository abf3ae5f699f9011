"""What a pipe that was replaced left undone, in the comment of the pipe that took its place.

COPY_HISTORY forgets with a pipe what it loaded. That a file was loaded in part then shows nowhere but in
ACCOUNT_USAGE, hours later and not for everybody; so `invoke replace-pipe` keeps the names. Whoever owns the
pipe may write its comment: what is read here is data, and what does not look like ours is ignored.

Source: https://docs.snowflake.com/en/sql-reference/functions/copy_history
"""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from runbook.facts.objects import Load, Pipe

MARK = " -- snowpipe-runbook, loaded in part by an earlier pipe: "
MOST = 500  # names of files in a pipe's comment
LONGEST = 200  # characters of an error that are kept


def split(comment: str) -> tuple[str, tuple[Load, ...]]:
    """A pipe's comment without our list, and the loads that are in the list."""
    own, mark, listed = comment.partition(MARK)
    return (own, _read(listed)) if mark else (comment, ())


def joined(comment: str, left: Iterable[Load]) -> str:
    """The comment with the loads behind it; as it is where there are none."""
    rows = [
        [load.key, load.loaded_at.isoformat(), load.rows, load.rows_parsed, load.first_error[:LONGEST]]
        for load in left
        if load.loaded_at
    ]
    if not rows:
        return comment
    return comment + MARK + json.dumps(rows[-MOST:], ensure_ascii=False, separators=(",", ":"))


def left_by_an_earlier_pipe(pipe: Pipe, name: str) -> tuple[Load, ...]:
    """The loads an earlier pipe of that name made in part, as lines of a load history."""
    return tuple(
        Load(**{**load.__dict__, "pipe": name})
        for load in split(pipe.comment)[1]
        if load.loaded_at and load.loaded_at <= pipe.created_on
    )


def _read(text: str) -> tuple[Load, ...]:
    try:
        return tuple(_load(*row) for row in json.loads(text))
    except (ValueError, TypeError, OverflowError, RecursionError):
        return ()


def _load(key: Any, at: Any, rows: Any, parsed: Any, error: Any) -> Load:
    moment = datetime.fromisoformat(at)
    if not (isinstance(key, str) and isinstance(error, str) and moment.tzinfo):
        raise TypeError("not as it was written")
    return Load(key, "PARTIALLY_LOADED", moment, int(rows), int(parsed), int(parsed) - int(rows), error, None)
