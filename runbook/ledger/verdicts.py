"""One verdict a file: its class, the tool that loads it now, and else why it stays. Pure functions."""

from dataclasses import dataclass
from enum import StrEnum

from runbook.facts.history import TABLE_MEMORY_DAYS
from runbook.facts.objects import STOPPED_FOR_GOOD, StagedFile
from runbook.facts.snowflake import REFRESH_DAYS
from runbook.invocation import typed
from runbook.ledger.asked import Asked
from runbook.ledger.classes import Evidence, Kind, classify

WITHOUT_ASKING = (Kind.NEVER_NOTIFIED, Kind.BEFORE_PIPE)
REPLACED = (Kind.LOADED_TWICE, Kind.MISREAD, Kind.PARTLY_LOADED, Kind.CHANGED)
FAILURES = (Kind.FAILED, Kind.ARCHIVED)
NOT_ALONE = (
    "REFRESH would also take another file, whose name begins with this one's; COPY would have it loaded "
    f"twice, should its announcement still come, and loads it once it is {REFRESH_DAYS} days old: run it "
    "again then, or once the other file is gone"
)


class Way(StrEnum):
    """The tool that loads a file."""

    REFRESH = "refresh"
    COPY = "copy"
    REPLACE = "replace"


@dataclass(frozen=True)
class Verdict:
    """One file: its class, the tool that loads it now, and else why it stays."""

    file: StagedFile
    kind: Kind
    way: Way | None = None
    why: str = ""


def judged(file: StagedFile, evidence: Evidence, asked: Asked) -> tuple[Kind, Way | None, bool]:
    """A file's class and tool, and whether a REFRESH would queue it."""
    verdict = judge(file, evidence, asked)
    return verdict.kind, verdict.way, would_queue(file, verdict.kind, evidence)


def would_queue(file: StagedFile, kind: Kind, evidence: Evidence) -> bool:
    """Whether a REFRESH over the file would queue what is not the pipe's own already."""
    known = evidence.pipe_knows(file) or evidence.table_knows(file)
    return not known and kind not in (Kind.IN_FLIGHT, Kind.WAITING)


def judge(file: StagedFile, evidence: Evidence, asked: Asked) -> Verdict:
    """One file's class, and its tool or why it has none."""
    kind = classify(file, evidence)
    if kind in FAILURES and not asked.reload_failed:
        return Verdict(file, kind, why=f"{_error(file, evidence)}; backfill --reload-failed tries it again")
    if kind in WITHOUT_ASKING or kind in FAILURES:
        return _tool(file, kind, evidence, asked)
    if kind in REPLACED:
        return _replaced(file, kind, evidence, asked)
    if kind in (Kind.ROWS_GONE, Kind.ROWS_FEWER):
        return (_gone if kind is Kind.ROWS_GONE else _fewer)(file, evidence, asked)
    if kind is Kind.WAITING:
        state = evidence.status.execution_state or "not running"
        return Verdict(file, kind, why=f"the pipe is {state}; {_mended_by(state, evidence)}")
    return Verdict(file, kind, why=_unknown(evidence) if kind is Kind.TOO_OLD_TO_KNOW else "")


_MENDED_BY = {"PAUSED": "invoke resume"} | dict.fromkeys(STOPPED_FOR_GOOD, "invoke replace-pipe")


def _mended_by(state: str, evidence: Evidence) -> str:
    """The command that has the pipe load again."""
    found = _MENDED_BY.get(state)
    return typed(f"{found} --stream {evidence.stream.name}" if found else "invoke verify")


def _error(file: StagedFile, evidence: Evidence) -> str:
    errors = [load.first_error for load in evidence.loads(file.key) if load.first_error]
    return errors[-1] if errors else "no error is on record"


def _tool(file: StagedFile, kind: Kind, evidence: Evidence, asked: Asked) -> Verdict:
    """COPY for what the pipe has dealt with or is too old for it, else REFRESH: it asks both memories."""
    if evidence.pipe_knows(file):
        return Verdict(file, kind, Way.COPY)
    if evidence.is_young(file) and not evidence.pipe_may_know(file):
        state = evidence.status.execution_state
        if state != "RUNNING" and not (state == "PAUSED" and asked.queue_while_paused):
            return Verdict(
                file,
                kind,
                why=f"the pipe is {state or 'not running'}, and the file is its to load; "
                + _mended_by(state, evidence),
            )
        return Verdict(file, kind, Way.REFRESH)
    if evidence.may_be_queued(file):
        return Verdict(file, kind, why="it may be waiting in the pipe's queue")
    if asked.queue_while_paused:
        return Verdict(file, kind, why="it is too old for a paused pipe's queue")
    return Verdict(file, kind, Way.COPY)


def _replaced(file: StagedFile, kind: Kind, evidence: Evidence, asked: Asked) -> Verdict:
    done = evidence.done(file.key)
    found = evidence.rows(file.key)
    rows = found.rows if found else 0
    loss = f", {done.rows_parsed - done.rows} rows left out" if kind is Kind.PARTLY_LOADED and done else ""
    if found and kind is Kind.MISREAD:
        loss = f", {found.misread} of them no event's"
    if found and found.twice:
        loss = f", {found.twice} of them more than once"
    if evidence.took_on(done, found):
        return Verdict(
            file,
            kind,
            why=f"{rows} rows are in the table{loss}; the others were taken on (keeps_rows: false), and a "
            "person must replace them there",
        )
    if found is None:
        return Verdict(
            file,
            kind,
            why=f"the table has no _file column to tell its rows by{loss}: a person must replace them",
        )
    if asked.reload_failed:
        return Verdict(file, kind, Way.REPLACE, f"its {rows} rows are deleted and the file is loaded again")
    return Verdict(
        file,
        kind,
        why=f"{rows} rows are in the table{loss}; backfill --reload-failed deletes them and loads it again",
    )


def _gone(file: StagedFile, evidence: Evidence, asked: Asked) -> Verdict:
    done = evidence.done(file.key)
    earlier = done is not None and done.loaded_at is not None and done.loaded_at < evidence.table.created_on
    why = "into an earlier table of that name" if earlier else "its rows were deleted since"
    if done is None:
        why = "no history names it, for the table was emptied since: it may have been loaded"
    if done is not None and done.rows == 0:
        why = "it had no rows then, and was changed since"
    if not asked.reload_gone:
        return Verdict(file, Kind.ROWS_GONE, why=f"{why}; backfill --reload-gone loads it again")
    if not earlier and evidence.table_knows(file):
        return Verdict(
            file,
            Kind.ROWS_GONE,
            why=f"{why}, and the table's own load memory ({TABLE_MEMORY_DAYS} days) skips it: "
            "only COPY with FILES and FORCE = TRUE would load it",
        )
    return _tool(file, Kind.ROWS_GONE, evidence, asked)


def _fewer(file: StagedFile, evidence: Evidence, asked: Asked) -> Verdict:
    done, found = evidence.done(file.key), evidence.rows(file.key)
    why = f"{found.rows if found else 0} of {done.rows if done else 0} rows are in the table"
    if asked.reload_gone:
        return Verdict(
            file, Kind.ROWS_FEWER, Way.REPLACE, f"{why}; they are deleted and the file is loaded again"
        )
    return Verdict(
        file, Kind.ROWS_FEWER, why=f"{why}; backfill --reload-gone deletes them and loads the file again"
    )


def _unknown(evidence: Evidence) -> str:
    since = evidence.known_since
    if evidence.was_emptied:
        return "the table was emptied, and its load history with it: the file may have been loaded before"
    reach = f"only files after {since:%Y-%m-%d %H:%M} UTC are on record" if since else "its load was skipped"
    if evidence.account is None:
        return f"{reach}: grant SNOWFLAKE.USAGE_VIEWER to see a year of loads"
    return f"{reach}: ACCOUNT_USAGE may be two days late, look again then"
