"""What the listing and the load histories say together. Pure functions over facts."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from runbook.facts.snowflake import (
    LOAD_HISTORY_DAYS,
    REFRESH_DAYS,
    Listing,
    Load,
    Pipe,
    PipeStatus,
    StagedFile,
)
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


def missing(
    stream: Stream, listing: Listing, loads: tuple[Load, ...], pipe: Pipe, now: datetime, checks: Checks
) -> list[str]:
    """The files the pipe should have loaded and did not: made after it, and old enough to be late.

    Files from before the pipe are no fault of its (they were never announced to it), and files
    older than the load history cannot be judged.
    """
    oldest = max(pipe.created_on, now - timedelta(days=LOAD_HISTORY_DAYS))
    newest = now - timedelta(minutes=checks.loaded_within_minutes)
    rows = [file for file in never_loaded(stream, listing, loads) if oldest < file.modified <= newest]
    return named([file.key for file in rows])


def unheard(
    stream: Stream, listing: Listing, status: PipeStatus, pipe: Pipe, now: datetime, checks: Checks
) -> list[str]:
    """The newest file, where the pipe's last sign of life is older: it never heard of that file.

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
    return [f"{last.key} of {last.modified:%Y-%m-%d %H:%M}, last heard of any at {heard:%Y-%m-%d %H:%M}"]


def forgotten(status: PipeStatus, loads: tuple[Load, ...], now: datetime) -> list[str]:
    """The last file the pipe loaded, where the table's history of that time does not know it.

    TRUNCATE and a new table empty the history with the rows; the pipe goes on remembering.
    Source: https://docs.snowflake.com/en/sql-reference/sql/truncate-table
    """
    last = status.time("lastIngestedTimestamp")
    name = str(status.document.get("lastIngestedFilePath", "?"))
    if last is None or last <= now - timedelta(days=LOAD_HISTORY_DAYS) + timedelta(hours=1):
        return []
    known = any(load.key.endswith(name) or (load.loaded_at and load.loaded_at >= last) for load in loads)
    return [] if known else [f"{name}, loaded at {last:%Y-%m-%d %H:%M}"]


def late(status: PipeStatus, now: datetime, limit: timedelta) -> list[str]:
    """The oldest announced file that still waits, when it has waited longer than ``limit``."""
    since = status.document.get("oldestFileTimestamp")
    if not status.pending_files or not since:
        return []
    if now - datetime.fromisoformat(str(since).replace("Z", "+00:00")) <= limit:
        return []
    return [f"{status.document.get('oldestPendingFilePath', '?')} and {status.pending_files - 1} more"]


def failed(listing: Listing, loads: tuple[Load, ...]) -> list[str]:
    """Failed files that are still in the bucket and that nothing has loaded since, with the error."""
    done = {load.key for load in loads if load.status in LOADED}
    present = {file.key for file in listing.files}
    rows = {load.key: load.first_error for load in loads if load.status in FAILED}
    return findings({key: error for key, error in rows.items() if key in present and key not in done})


def partly_loaded(listing: Listing, loads: tuple[Load, ...]) -> list[str]:
    """Files of which some rows were left out, with the first error."""
    present = {file.key for file in listing.files}
    whole = {load.key for load in loads if load.status == "LOADED"}
    return findings(
        {
            load.key: f"{load.rows_parsed - load.rows} of {load.rows_parsed} rows, {load.first_error}"
            for load in loads
            if load.status in PARTLY and load.key in present and load.key not in whole
        }
    )


def changed(listing: Listing, loads: tuple[Load, ...]) -> list[str]:
    """Files that were written again after they were loaded, and not only touched.

    A pipe knows a file by its name: the new content is not loaded for 14 days, and after that beside the old.
    Source: https://docs.snowflake.com/en/user-guide/data-load-snowpipe-intro
    """
    return _written_again(listing, loads, lambda file, load: file.size != load.size)


def touched(listing: Listing, loads: tuple[Load, ...]) -> list[str]:
    """Files that were written again with the size they were loaded with.

    So are files that were copied onto themselves, to encrypt them anew or to announce them again. Nothing
    here remembers the content that was loaded.
    """
    return _written_again(listing, loads, lambda file, load: file.size == load.size)


def _written_again(
    listing: Listing, loads: tuple[Load, ...], wrong: Callable[[StagedFile, Load], bool]
) -> list[str]:
    last = _last_loads(loads)
    rows = sorted(listing.files, key=lambda file: file.key)
    return findings(
        {
            file.key: f"written {file.modified:%Y-%m-%d %H:%M}, loaded {load.loaded_at:%Y-%m-%d %H:%M}"
            for file in rows
            if (load := last.get(file.key)) and load.loaded_at and file.modified > load.loaded_at
            if wrong(file, load)
        }
    )


def twice(loads: tuple[Load, ...], rows: Mapping[str, int]) -> list[str]:
    """Files with more rows in the table than their last load wrote."""
    return _counted(loads, rows, lambda there, loaded: there > loaded)


def gone(listing: Listing, loads: tuple[Load, ...], rows: Mapping[str, int]) -> list[str]:
    """Files that are still in the bucket, with fewer rows in the table than their last load wrote."""
    present = {file.key for file in listing.files}
    here = tuple(load for load in loads if load.key in present)
    return _counted(here, rows, lambda there, loaded: there < loaded)


def _counted(
    loads: tuple[Load, ...], rows: Mapping[str, int], wrong: Callable[[int, int], bool]
) -> list[str]:
    return findings(
        {
            key: f"{rows.get(key, 0)} rows in the table, {load.rows} loaded"
            for key, load in sorted(_last_loads(loads).items())
            if wrong(rows.get(key, 0), load.rows)
        }
    )


def _last_loads(loads: tuple[Load, ...]) -> dict[str, Load]:
    """The last load of each file that put rows in."""
    done = [(load.loaded_at, load) for load in loads if load.status in LOADED and load.loaded_at]
    return {load.key: load for _, load in sorted(done, key=lambda row: row[0])}


def strangers(stream: Stream, listing: Listing, now: datetime) -> list[str]:
    """What arrived in the last 14 days, if none of it is the stream's: nothing of it is announced.

    One stray file beside the stream's own is no fault, nor are marks such as ``_SUCCESS``.
    """
    since = now - timedelta(days=LOAD_HISTORY_DAYS)
    new = [file for file in listing.files if file.modified > since]
    if any(belongs(file, stream) for file in new):
        return []
    names = [(file, file.key.rpartition("/")[2]) for file in new]
    return named(sorted(file.key for file, name in names if name and file.size and name[0] not in "._"))


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
    told = Findings(named([f"{key}: {words}" for key, words in wrong.items()]))
    told.keys = tuple(wrong)
    return told
