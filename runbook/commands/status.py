"""`invoke status`: where the files and rows of every stream are. Only reads."""

import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from runbook import settings as reading
from runbook.commands.report import past_of
from runbook.facts import Facts
from runbook.facts.delivery import LOADED, failed, other_files
from runbook.facts.objects import Listing
from runbook.facts.snowflake import LOAD_HISTORY_DAYS
from runbook.ledger.classes import SAYS, Kind
from runbook.ledger.evidence import evidence
from runbook.ledger.findings import Ledger, is_canary
from runbook.running import known, running
from runbook.settings import Settings, Stream
from runbook.terminal import Style, counted, say, say_json, table, wrapped

MISSING = (Kind.NEVER_NOTIFIED, Kind.BEFORE_PIPE, Kind.TOO_OLD_TO_KNOW)
LOADED_ONCE = (
    Kind.LOADED_BY_PIPE,
    Kind.LOADED_BY_EARLIER_PIPE,
    Kind.LOADED_BY_COPY,
    Kind.IN_TABLE,
    Kind.TAKEN_ON,
)
ON_ITS_WAY = (Kind.IN_FLIGHT, Kind.WAITING)


def status(config: Mapping[str, Any], *, output_format: str, since: str = "") -> int:
    """Where the files and rows of every stream are; with ``since``, what was watched. Only reads."""
    known(output_format, ("table", "json"))
    if since:
        return _watched(reading.read(config), since, output_format)
    with running(config, "status", sides=("snowflake",), quiet=True) as run:
        facts = run.facts()
        facts.look(deep=True, steps=(4,))
        rows = [whereabouts(facts, stream) for stream in run.settings.streams]
    if output_format == "json":
        say_json([row.as_json() for row in rows])
    else:
        style = Style.of(sys.stdout)
        say(table([row.as_row() for row in rows], style))
        for row in rows:
            for remark in row.remarks:
                say(wrapped(f"{row.stream}: ", remark, style))
        say(f"target {run.settings.target}")
    return 0


def _watched(settings: Settings, since: str, output_format: str) -> int:
    """The streams over a span of time, from the history of `invoke watch`. Contacts nobody."""
    past, _ = past_of(settings, since)
    trends = [past.trend(stream.name) for stream in settings.streams]
    if output_format == "json":
        say_json([trend.as_json() for trend in trends])
        return 0
    style = Style.of(sys.stdout)
    say(table([trend.as_row() for trend in trends], style))
    for each in past.incidents():
        lasted = f"until {each.ended:%m-%d %H:%M}" if each.ended else "and lasts"
        where = f" ({', '.join(each.cause.streams)})" if each.cause.streams else ""
        say(
            wrapped(
                f"{each.since:%m-%d %H:%M} {lasted}: ", f"{each.cause.key}{where}: {each.cause.why}", style
            )
        )
    say(f"target {settings.target}, since {past.since:%Y-%m-%d %H:%M} UTC")
    return 0


@dataclass(frozen=True)
class Whereabouts:
    """One stream in numbers, over the files in the bucket and the last 14 days of loads.

    ``in_bucket`` and ``never_loaded``: None where the stage is not there or cannot be listed.
    ``loaded``: what was loaded in these days, and what of the bucket is in the table by anything else: a pipe
    that was replaced took its history with it. A canary is not counted. ``rest``: by verdict, the files that
    are in no other figure.
    ``never_loaded``: of the files of these days; whether an older one was loaded, the history has forgotten.
    ``before_pipe``: those of them older than the pipe.
    ``other_files``: what arrived in these days and is not the stream's, which nothing announces or loads.
    Source: https://docs.snowflake.com/en/sql-reference/functions/copy_history
    """

    stream: str
    state: str
    in_bucket: int | None
    loaded: int
    failed: int
    pending: int
    never_loaded: int | None
    before_pipe: int
    other_files: int
    rows_loaded: int
    last_load: datetime | None
    rest: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """The row for programs."""
        return {**self.__dict__, "last_load": self.last_load.isoformat() if self.last_load else None}

    def as_row(self) -> dict[str, Any]:
        """The row for a person."""
        return {
            "stream": self.stream,
            "pipe": self.state,
            "files": "?" if self.in_bucket is None else self.in_bucket,
            "loaded": self.loaded,
            "failed": self.failed,
            "pending": self.pending,
            "missing": "?" if self.never_loaded is None else self.never_loaded,
            "rows": self.rows_loaded,
            "last load (UTC)": f"{self.last_load:%m-%d %H:%M}" if self.last_load else "never",
        }

    @property
    def remarks(self) -> list[str]:
        """What is to be said of the missing ones, and of what is not the stream's."""
        found = []
        if self.in_bucket is None:
            found.append("the folder cannot be listed through the stage: invoke verify says why")
        if self.before_pipe:
            are = "is" if self.before_pipe == 1 else "are"
            found.append(
                f"{self.before_pipe:,} of the missing {are} older than the pipe. "
                "What an earlier pipe loaded, the table knows: "
                f"invoke backfill --pattern '.*' --stream {self.stream} --dry-run"
            )
        if self.rest:
            each = "; ".join(f"{count:,} {SAYS[Kind(kind)]}" for kind, count in self.rest.items())
            found.append(f"other files: {each} (invoke verify --deep)")
        if self.other_files:
            came = f"{counted(self.other_files, 'file')} of the last {LOAD_HISTORY_DAYS} days"
            found.append(
                f"{came} in its folder {'is' if self.other_files == 1 else 'are'} not the stream's, by name: "
                "nothing announces or loads such files (docs/runbook.md#other-files)"
            )
        return found


def whereabouts(facts: Facts, stream: Stream) -> Whereabouts:
    """Where the stream's files are. Only reads."""
    listing, loads = facts.listing(stream) or Listing(), facts.loads(stream)
    is_listed = facts.listing(stream) is not None and not listing.error
    known_since = facts.now - timedelta(days=LOAD_HISTORY_DAYS)
    pipe = facts.pipe(stream)
    status = facts.pipe_status(stream) if pipe else None
    judged = Ledger(evidence(facts, stream), listing.files) if pipe and loads is not None else None
    verdicts = judged.verdicts if judged else {}
    unknown = [file for file in judged.of(*MISSING) if file.modified > known_since] if judged else []
    done = [load for load in loads or () if load.status in LOADED and not is_canary(stream, load.key)]
    wrong = set(failed(listing, loads or ()).keys)
    loaded = {load.key for load in done} - {file.key for file in unknown}
    rows = sum(load.rows for load in done)
    times = [load.loaded_at for load in done]
    for key, kind in verdicts.items():
        if judged and kind in LOADED_ONCE and not (key in loaded or key in wrong):
            loaded.add(key)
            there, before = judged.evidence.rows(key), judged.evidence.done(key)
            rows += there.rows if there else before.rows if before else 0
            times += [there.read_at if there else None, before.loaded_at if before else None]
    pending = status.pending_files if status else 0
    return Whereabouts(
        stream=stream.name,
        state=status.execution_state if status else "absent",
        in_bucket=len(listing.files) if is_listed else None,
        loaded=len(loaded),
        failed=len(wrong),
        pending=pending,
        never_loaded=len(unknown) if is_listed else None,
        before_pipe=sum(file.modified <= pipe.created_on for file in unknown) if pipe else 0,
        other_files=len(other_files(stream, listing, facts.now)),
        rows_loaded=rows,
        last_load=max((at for at in times if at), default=None),
        rest=_rest(verdicts, loaded | wrong | {file.key for file in unknown}, pending),
    )


def _rest(verdicts: Mapping[str, Kind], told: set[str], pending: int) -> dict[str, int]:
    """How many files are in no other figure, by verdict. The pipe says how many wait for it, not which."""
    found: Counter[Kind] = Counter(
        kind for key, kind in verdicts.items() if key not in told and kind is not Kind.OTHER_SUFFIX
    )
    for kind in ON_ITS_WAY:
        waiting = min(found[kind], pending)
        found[kind], pending = found[kind] - waiting, pending - waiting
    return {kind.value: count for kind, count in found.items() if count}
