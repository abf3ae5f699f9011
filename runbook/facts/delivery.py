"""What the listing and the load histories say together. Pure functions over facts."""

import re
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from runbook.facts.objects import Listing, Load, Pipe, PipeStatus, StagedFile
from runbook.facts.snowflake import LOAD_HISTORY_DAYS, REFRESH_DAYS
from runbook.settings import Checks, Stream

NAMED = 5  # files named in a message; the rest are counted

FAILED = ("LOAD_FAILED",)
IN_PROGRESS = "LOAD_IN_PROGRESS"
PARTLY = ("PARTIALLY_LOADED",)
LOADED = ("LOADED", "PARTIALLY_LOADED")


def belongs(file: StagedFile, stream: Stream) -> bool:
    """Whether the stream's pipe is meant to load the file."""
    return stream.takes(file.key)


def never_loaded(stream: Stream, listing: Listing, loads: tuple[Load, ...]) -> list[StagedFile]:
    """The stream's files that no load history of the last 14 days names, oldest first."""
    known = {load.key for load in loads}
    rows = [file for file in listing.files if belongs(file, stream) and file.key not in known]
    return sorted(rows, key=lambda file: (file.modified, file.key))


def unheard(
    stream: Stream, listing: Listing, status: PipeStatus, pipe: Pipe, now: datetime, checks: Checks
) -> list[str]:
    """The newest file, where the pipe's last sign of life is older: it was never notified of that file.

    Signs are what was forwarded to the pipe and what it loaded last; keys that the status does not show
    tell nothing. A file older than REFRESH reaches may have been loaded by a COPY.
    Source: https://docs.snowflake.com/en/sql-reference/functions/system_pipe_status
    """
    signs = [status.time(key) for key in ("lastForwardedMessageTimestamp", "lastIngestedTimestamp")]
    heard = max((sign for sign in signs if sign), default=None)
    oldest = max(pipe.created_on, now - timedelta(days=REFRESH_DAYS))
    newest = now - timedelta(minutes=checks.loaded_within_minutes)
    files = [file for file in listing.files if file.size and belongs(file, stream)]
    last = max(files, key=lambda file: file.modified, default=None)
    if heard is None or last is None or not oldest < last.modified <= newest or heard >= last.modified:
        return []
    written, before = (f"{at:%Y-%m-%d %H:%M} UTC" for at in (last.modified, heard))
    return [f"{last.key}, written {written}; the pipe last heard of a file at {before}"]


def bound_elsewhere(stream: Stream, status: PipeStatus) -> list[str]:
    """What the pipe does not find, by its error, and is not the stream's: a stage that was renamed since.

    Source: https://docs.snowflake.com/en/user-guide/data-load-snowpipe-manage
    """
    ours = {str(name) for name in (stream.stage, stream.table, stream.file_format)}
    return sorted(set(re.findall(r"'([\w.$\"]+)' does not exist", status.error)) - ours)


def late(status: PipeStatus, now: datetime, limit: timedelta) -> list[str]:
    """The oldest announced file that still waits, when it has waited longer than ``limit``."""
    since = status.document.get("oldestFileTimestamp")
    if not status.pending_files or not since:
        return []
    if now - datetime.fromisoformat(str(since).replace("Z", "+00:00")) <= limit:
        return []
    return [f"{status.document.get('oldestPendingFilePath', '?')} and {status.pending_files - 1} more"]


def failed(listing: Listing, loads: tuple[Load, ...]) -> "Findings":
    """Failed files that are still in the bucket and that nothing has loaded since, with the error."""
    done = {load.key for load in loads if load.status in LOADED}
    present = {file.key for file in listing.files}
    rows = {load.key: load.first_error for load in loads if load.status in FAILED}
    return findings({key: error for key, error in rows.items() if key in present and key not in done})


def strangers(stream: Stream, listing: Listing, now: datetime) -> list[str]:
    """What arrived in the last 14 days, if none of it is the stream's: nothing of it is announced.

    One stray file beside the stream's own is not a fault, nor are marks such as ``_SUCCESS``.
    """
    own, others = _arrivals(stream, listing, _since(now))
    return [] if own else named(others)


def half_strangers(stream: Stream, listing: Listing, now: datetime) -> list[str]:
    """What arrived and is not the stream's, where it is a third of what arrived, or more.

    Then somebody writes files of another suffix as a rule; a single one is a stray. Of the last 14 days, or,
    for who began to do so just now, of the day before the newest file; of a day three files are a rule.
    """
    since = _since(now)
    newest = max((file.modified for file in listing.files), default=since)
    for begin, least in ((since, 2), (max(since, newest - timedelta(days=1)), 3)):
        own, others = _arrivals(stream, listing, begin)
        if len(others) >= least and 2 * len(others) >= own:
            return named(others)
    return []


def other_files(stream: Stream, listing: Listing, now: datetime) -> list[str]:
    """The keys of what arrived in the last 14 days and is not the stream's, without marks."""
    return _arrivals(stream, listing, _since(now))[1]


def _since(now: datetime) -> datetime:
    return now - timedelta(days=LOAD_HISTORY_DAYS)


def _arrivals(stream: Stream, listing: Listing, since: datetime) -> tuple[int, list[str]]:
    """How many of the stream's files arrived since then, and the keys of others, without marks.

    A file that goes with one of the stream's, such as its checksum, is a mark too.
    """
    new = [file for file in listing.files if file.modified > since]
    names = [(file, file.key.rpartition("/")[2]) for file in new if not belongs(file, stream)]
    own = {file.key for file in listing.files if belongs(file, stream)} if names else set()
    others = sorted(file.key for file, name in names if name and file.size and name[0] not in "._")
    return len(new) - len(names), [key for key in others if not _is_about_another(key, own)]


def _is_about_another(key: str, own: Collection[str]) -> bool:
    """Whether it goes with a file of the stream, as ``1.gz.md5`` and ``1.gz.done`` do with ``1.gz``."""
    return any(key[: found.start()] in own for found in re.finditer("[.]", key))


def neighbours(stream: Stream, listing: Listing) -> list[str]:
    """The folders that begin as the stream's prefix does, where that ends in mid name and they are many.

    Source: https://docs.snowflake.com/en/sql-reference/sql/copy-into-table (a path is what names begin with)
    """
    if not stream.prefix or stream.prefix.endswith("/"):
        return []
    cut = len(stream.prefix)
    rest = [file.key[cut:].partition("/") for file in listing.files]
    folders = sorted({f"{stream.prefix}{name}/" for name, slash, _ in rest if slash})
    return named(folders) if len(folders) > 1 else []


def named(rows: list[str]) -> list[str]:
    """The first few by name and how many more."""
    return rows if len(rows) <= NAMED else [*rows[:NAMED], f"and {len(rows) - NAMED} more"]


class Findings(list[str]):
    """The first few files with what is wrong with each, and how many more; ``keys`` are those of all."""

    keys: tuple[str, ...] = ()


def findings(wrong: Mapping[str, str]) -> Findings:
    """What is wrong, by key, as it is told."""
    told = Findings(named([f"{key}: {words}" if words else key for key, words in wrong.items()]))
    told.keys = tuple(wrong)
    return told
