"""What `verify --deep` says of verdicts. Pure functions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from runbook.facts.delivery import FAILED, LOADED, Findings, findings
from runbook.facts.history import SameRows
from runbook.facts.objects import Listing, Load, StagedFile
from runbook.facts.snowflake import LOAD_HISTORY_DAYS
from runbook.kinds import CANARY
from runbook.ledger.classes import Evidence, Kind, classify
from runbook.ledger.left import left_by_an_earlier_pipe
from runbook.settings import Stream
from runbook.terminal import counted

# https://docs.snowflake.com/en/user-guide/data-load-snowpipe-ts: what a load says of a file that is gone
_GONE = "gone from the bucket before it was loaded"
VANISHED_SAYS = ("was not found", "Failed to access remote file")


@dataclass(frozen=True)
class Ledger:
    """One stream's files, each with its verdict, and the evidence they were judged by."""

    evidence: Evidence
    files: tuple[StagedFile, ...]

    @cached_property
    def verdicts(self) -> dict[str, Kind]:
        """Each file's kind, by key, oldest file first."""
        files = sorted(self.files, key=lambda file: (file.modified, file.key))
        return {file.key: classify(file, self.evidence) for file in files}

    @cached_property
    def by_key(self) -> dict[str, StagedFile]:
        """The files by key."""
        return {file.key: file for file in self.files}

    def of(self, *kinds: Kind) -> list[StagedFile]:
        """The files of some kinds, oldest first."""
        return [self.by_key[key] for key, kind in self.verdicts.items() if kind in kinds]

    def is_recent(self, moment: datetime | None) -> bool:
        """Whether it is among the days that COPY_HISTORY goes back."""
        return moment is not None and moment > self.evidence.now - timedelta(days=LOAD_HISTORY_DAYS)

    def newest(self, key: str) -> Load | None:
        """The newest load of a file, whatever came of it."""
        loads = [load for load in self.evidence.loads(key) if load.loaded_at]
        return max(loads, key=lambda load: load.loaded_at or self.evidence.now, default=None)


def expected_since(evidence: Evidence) -> datetime:
    """From when on a file should be in the table: since the table or its pipe was made, 14 days at most.

    A file from before the table is a new installation's archive, and nobody's fault; one that came while the
    table was there and the pipe was not is missing, though nothing announced it.
    """
    made = min(evidence.pipe.created_on, evidence.table.created_on)
    return max(made, evidence.now - timedelta(days=LOAD_HISTORY_DAYS))


def missing(ledger: Ledger) -> Findings:
    """Files that should be in the table, and that nothing has loaded or will."""
    evidence, since = ledger.evidence, expected_since(ledger.evidence)
    found = {
        file.key: "" for file in ledger.of(Kind.NEVER_NOTIFIED, Kind.BEFORE_PIPE) if file.modified > since
    }
    until = evidence.pipe.created_on + evidence.patience
    for file in ledger.of(Kind.IN_FLIGHT):
        if since < file.modified <= evidence.pipe.created_on and not _is_loading(ledger, file):
            found[file.key] = f"from before the pipe, and loaded by command after {until:%H:%M} UTC"
    return findings(found)


def _is_loading(ledger: Ledger, file: StagedFile) -> bool:
    evidence = ledger.evidence
    return bool(evidence.loads(file.key)) or evidence.may_be_queued(file)


def emptied(ledger: Ledger) -> Findings:
    """What shows that the table was emptied: the pipe's last load, or files from before any that is known."""
    evidence = ledger.evidence
    if not evidence.stream.keeps_rows:
        return findings({})
    if evidence.was_emptied and evidence.last_ingested:
        name = str(evidence.status.document.get("lastIngestedFilePath", "?"))
        return findings({name: f"loaded at {evidence.last_ingested:%Y-%m-%d %H:%M}, in no load history"})
    since, kept = expected_since(evidence), evidence.oldest_kept
    hidden = [
        file
        for file in ledger.of(Kind.NEVER_NOTIFIED, Kind.ROWS_GONE)
        if file.modified > since and evidence.done(file.key) is None and evidence.may_be_hidden(file)
    ]
    return findings({file.key: f"nothing from before {kept:%Y-%m-%d %H:%M} is known" for file in hidden})


def failed(ledger: Ledger, listing: Listing) -> Findings:
    """Files that failed to load, with the error; and those that were gone before they were loaded."""
    found = {
        file.key: load.first_error
        for file in ledger.of(Kind.FAILED, Kind.ARCHIVED)
        if (load := _failure(ledger, file.key)) and (ledger.is_recent(load.loaded_at or ledger.evidence.now))
    }
    return findings(found | vanished(ledger.evidence.stream, listing, ledger.evidence.recent))


def is_refused(told: str) -> bool:
    """Whether a finding of ``failed`` is of a file that is there, and that Snowflake was not let read.

    Snowflake says so in the words it has for a file that is gone. Source:
    https://docs.snowflake.com/en/user-guide/data-load-snowpipe-ts
    """
    return ("access denied" in told.lower() or VANISHED_SAYS[0] in told) and _GONE not in told


def _failure(ledger: Ledger, key: str) -> Load | None:
    failures = [load for load in ledger.evidence.loads(key) if load.status in FAILED]
    return failures[-1] if failures else None


def is_canary(stream: Stream, key: str) -> bool:
    """Whether the file is one that `invoke verify --canary` sent, and took away again."""
    return key.startswith(f"{stream.prefix}{CANARY}-")


def vanished(stream: Stream, listing: Listing, loads: tuple[Load, ...]) -> dict[str, str]:
    """Files that were announced, and gone when the pipe read them: expired, deleted or marked as deleted.

    Names that begin with ``_`` or ``.`` are working files of whoever writes; a canary takes itself away.
    """
    present = {file.key for file in listing.files}
    done = {load.key for load in loads if load.status in LOADED}
    return {
        load.key: f"{_GONE}: {load.first_error}"
        for load in loads
        if load.status in FAILED
        and any(said in load.first_error for said in VANISHED_SAYS)
        and load.key not in present | done
        and not is_canary(stream, load.key)
        and stream.takes(load.key)
        and not any(part.startswith(("_", ".")) for part in load.key.removeprefix(stream.prefix).split("/"))
    }


def partly_loaded(ledger: Ledger) -> Findings:
    """Files of which rows were left out, in the last 14 days or by a pipe that was replaced."""
    evidence = ledger.evidence
    left = {load.key for load in left_by_an_earlier_pipe(evidence.pipe, evidence.stream.pipe.name)}
    found = {}
    for file in ledger.of(Kind.PARTLY_LOADED):
        load = evidence.done(file.key)
        if load and (file.key in left or ledger.is_recent(load.loaded_at)):
            found[file.key] = f"{load.rows_parsed - load.rows} of {load.rows_parsed} rows, {load.first_error}"
    return findings(found)


def changed(ledger: Ledger) -> Findings:
    """Files that were written again after they were loaded, and not only touched.

    A pipe knows a file by its name: the new content is not loaded for 14 days, and after that beside the old.
    Source: https://docs.snowflake.com/en/user-guide/data-load-snowpipe-intro
    """
    return _written_again(ledger, touched=False)


def touched(ledger: Ledger) -> Findings:
    """Files that were written again with the size they were loaded with.

    So are files that were copied onto themselves, to encrypt them again or to announce them again. Nothing
    here remembers the content that was loaded.
    """
    return _written_again(ledger, touched=True)


def _written_again(ledger: Ledger, *, touched: bool) -> Findings:
    return findings(
        {
            file.key: f"written {file.modified:%Y-%m-%d %H:%M}, loaded {at:%Y-%m-%d %H:%M}"
            for file in ledger.of(Kind.CHANGED)
            if ledger.is_recent(file.modified) and (at := _read_at(ledger, file.key))
            if touched == _is_as_large(ledger, file)
        }
    )


def _is_as_large(ledger: Ledger, file: StagedFile) -> bool:
    done = ledger.evidence.done(file.key)
    return done is not None and done.size == file.size


def _read_at(ledger: Ledger, key: str) -> datetime | None:
    rows, done = ledger.evidence.rows(key), ledger.evidence.done(key)
    return (rows.read_at if rows else None) or (done.loaded_at if done else None)


def misread(ledger: Ledger) -> Findings:
    """Files read in the last 14 days with rows that no event is read as."""
    found = {}
    for file in ledger.of(Kind.MISREAD):
        rows = ledger.evidence.rows(file.key)
        if rows and ledger.is_recent(_read_at(ledger, file.key)):
            found[file.key] = f"{rows.misread} of {rows.rows} rows"
    return findings(found)


def strays(ledger: Ledger) -> Findings:
    """Files that are not the stream's and have rows: an ALTER PIPE … REFRESH by hand took them, or a COPY.

    What was read before the first of the stream's own files is of settings that have changed since.
    """
    own = [_read_at(ledger, file.key) for file in ledger.files if ledger.evidence.stream.takes(file.key)]
    first = min((at for at in own if at), default=None)
    found = {}
    for file in ledger.of(Kind.OTHER_SUFFIX):
        rows, at = ledger.evidence.rows(file.key), _read_at(ledger, file.key)
        if rows and first and at and at > first and ledger.is_recent(at):
            found[file.key] = counted(rows.rows, "row")
    return findings(found)


def again(ledger: Ledger, pairs: Iterable[SameRows]) -> Findings:
    """The later of two files of which one brought at least half of the other's rows once more.

    Single rows repeat in good data: what was under way when a stream's reader failed is read again.
    """
    found = {}
    for pair in pairs:
        one, other = (ledger.evidence.rows(key) for key in (pair.one, pair.other))
        if one and other and 2 * pair.rows >= min(one.rows, other.rows):
            early, late = pair.one, pair.other
            if one.read_at and other.read_at and one.read_at > other.read_at:
                early, late = late, early
            found[late] = f"{counted(pair.rows, 'row')} that {early} brought before"
    return findings(found)


def twice(ledger: Ledger) -> Findings:
    """Files with more rows in the table than they have, where the last of them came in the last 14 days."""
    return findings(
        {
            file.key: f"{_there(ledger, file.key)}, {_again(ledger, file.key)}"
            for file in ledger.of(Kind.LOADED_TWICE)
            if ledger.is_recent(_read_at(ledger, file.key))
        }
    )


def gone(ledger: Ledger) -> Findings:
    """Files that are in the bucket, with fewer rows in the table than their last load of 14 days wrote."""
    found: dict[str, str] = {}
    for file in ledger.of(Kind.ROWS_GONE, Kind.ROWS_FEWER):
        done = ledger.evidence.done(file.key)
        if done and ledger.is_recent(done.loaded_at):
            found[file.key] = f"{_there(ledger, file.key)}, {done.rows} loaded"
    return findings(found)


def without_a_name(ledger: Ledger) -> Findings:
    """Files loaded in the last 14 days with no row under their names, while rows of the table name no file.

    Those rows may be theirs; then nobody can tell whether a row is missing, or there twice.
    """
    evidence = ledger.evidence
    if not evidence.table.unnamed or evidence.table.files is None or not evidence.stream.keeps_rows:
        return findings({})
    found = {}
    for file in ledger.of(Kind.LOADED_BY_PIPE, Kind.LOADED_BY_COPY):
        done = evidence.done(file.key)
        if done and done.rows and ledger.is_recent(done.loaded_at) and evidence.rows(file.key) is None:
            found[file.key] = f"{_there(ledger, file.key)} under its name, {done.rows} loaded"
    return findings(found)


def _there(ledger: Ledger, key: str) -> str:
    rows = ledger.evidence.rows(key)
    return f"{rows.rows if rows else 0} rows in the table"


def _again(ledger: Ledger, key: str) -> str:
    rows, done = ledger.evidence.rows(key), ledger.evidence.done(key)
    if rows and rows.twice:
        return f"{rows.twice} of them more than once"
    return f"{done.rows if done else 0} loaded"
