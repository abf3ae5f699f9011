"""Where a stream stands: at the producer, at the notifications, or at the loading. Pure.

Three things look alike from the table: nothing arrives, what arrives is not notified, what is notified is not
loaded. The folder's newest file, the pipe's last notification and its last load tell them apart.
Source: https://docs.snowflake.com/en/sql-reference/functions/system_pipe_status
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import quantiles

from runbook.facts.rhythm import Silence
from runbook.settings.watch import FEWEST_ROWS
from runbook.watching.causes import Cause

PRODUCER = "watch.producer-is-not-silent"
NOTIFIED = "watch.files-are-notified"
LOADED = "watch.files-are-loaded"
LATENCY = "watch.latency-is-within-its-limit"
BACKLOG = "watch.backlog-is-within-its-limit"
BAD_ROWS = "watch.bad-row-share-is-within-its-limit"
BAD_SCHEMAS = "watch.bad-rows-of-no-schema-jump"
OWN = (PRODUCER, NOTIFIED, LOADED, LATENCY, BACKLOG, BAD_ROWS, BAD_SCHEMAS)

FEWEST = 5  # samples of a latency, before they are judged
JUMP, FEWEST_BAD = 5, 100  # times the most of any day before; rows, before that is news


@dataclass(frozen=True)
class Flow:
    """One stream at one moment; None where nobody can tell."""

    stream: str
    now: datetime
    state: str = ""
    newest_file: datetime | None = None
    newest_key: str = ""
    notified: datetime | None = None
    loaded: datetime | None = None
    pending: int | None = None
    oldest_pending: datetime | None = None
    silence: Silence | None = None
    latencies: Sequence[float] = ()
    """Seconds from a file's arrival to its load, of the last day."""
    rows: float | None = None
    """Rows that came into the table within the last day."""
    bad: Sequence[tuple[str, float, float]] | None = None
    """Of a deep round: schemas of bad rows, with the rows of the last day and the most of a day before."""


@dataclass(frozen=True)
class Judged:
    """What is wrong with the streams, and which of the watcher's own judgements are well."""

    wrong: tuple[Cause, ...]
    well: frozenset[str]


def word(flow: Flow, patience: timedelta) -> str:
    """Where the stream stands, in one word: flowing, quiet, silent, not-notified, not-loading, unknown."""
    if flow.newest_file is None and flow.notified is None:
        return "unknown"
    if _is_loading_late(flow, patience):
        return "not-loading"
    if _is_unnotified(flow, patience):
        return "not-notified"
    if flow.silence is not None and flow.silence.is_too_long:
        return "silent"
    newest = max(at for at in (flow.newest_file, flow.notified) if at)
    return "flowing" if flow.now - newest < timedelta(hours=1) else "quiet"


def _is_unnotified(flow: Flow, patience: timedelta) -> bool:
    if flow.newest_file is None or flow.notified is None or flow.state != "RUNNING":
        return False
    heard = max(at for at in (flow.notified, flow.loaded) if at)
    return heard < flow.newest_file <= flow.now - patience


def _is_loading_late(flow: Flow, patience: timedelta) -> bool:
    return bool(flow.pending and flow.oldest_pending and flow.now - flow.oldest_pending > patience)


def judged(
    flows: Sequence[Flow],
    *,
    patience: timedelta,
    latency_p95: timedelta | None,
    backlog: int | None,
    bad_rows: float | None,
    kinds: Mapping[str, str],
    explained: frozenset[str],
) -> Judged:
    """What the figures say is wrong. ``explained``: streams that a failed check already speaks of."""
    found: dict[str, list[tuple[Flow, str]]] = {name: [] for name in OWN}
    jumps: dict[str, str] = {}  # by schema
    for flow in flows:
        where = word(flow, patience)
        is_explained = flow.stream in explained
        if where == "silent" and flow.silence:
            found[PRODUCER].append((flow, _silent(flow.silence)))
        if where == "not-notified" and not is_explained:
            found[NOTIFIED].append((flow, _not_notified(flow)))
        if where == "not-loading" and not is_explained:
            found[LOADED].append((flow, _not_loading(flow)))
        p95 = quantile(flow.latencies, 95)
        if latency_p95 and p95 is not None and p95 > latency_p95.total_seconds() and not is_explained:
            found[LATENCY].append((flow, _late(p95, latency_p95)))
        if backlog and flow.pending and flow.pending > backlog and not is_explained:
            found[BACKLOG].append((flow, _many(flow.pending, backlog)))
    share = bad_row_share(flows, kinds)
    if bad_rows is not None and share is not None and share * 100 > bad_rows:
        bad = next(flow for flow in flows if kinds[flow.stream] == "bad_rows")
        said = f"{share:.0%} of the rows of the last day are bad rows; the limit is {bad_rows:g} %"
        found[BAD_ROWS].append((bad, said))
    for flow in flows:
        if jumped := _jumped(flow.bad or ()):
            found[BAD_SCHEMAS].append(
                (flow, f"Bad rows of the last day have jumped: {'; '.join(jumped.values())}")
            )
            jumps |= jumped
    names = {BAD_SCHEMAS: tuple(jumps)}
    wrong = tuple(_cause(name, rows, names.get(name, ())) for name, rows in found.items() if rows)
    unseen = {BAD_SCHEMAS} if any(flow.bad is None for flow in flows) else set()  # seen by deep rounds
    return Judged(wrong, frozenset(name for name, rows in found.items() if not rows) - unseen)


def bad_row_share(flows: Sequence[Flow], kinds: Mapping[str, str]) -> float | None:
    """Bad rows among all rows of the last day; None where too few came to say."""
    bad = sum(flow.rows or 0 for flow in flows if kinds[flow.stream] == "bad_rows")
    good = sum(flow.rows or 0 for flow in flows if kinds[flow.stream] == "enriched")
    return bad / (bad + good) if bad + good >= FEWEST_ROWS else None


def _jumped(bad: Sequence[tuple[str, float, float]]) -> dict[str, str]:
    """The schemas whose bad rows are many more than on any day before, each with how many."""
    return {
        name: f"{count:,.0f} of {name}, at most {most:,.0f} a day before"
        for name, count, most in bad
        if count >= FEWEST_BAD and count > JUMP * most
    }


def quantile(samples: Sequence[float], percent: int) -> float | None:
    """The value that so many percent of the samples do not exceed; None where there are too few."""
    if len(samples) < FEWEST:
        return None
    return quantiles(samples, n=100, method="inclusive")[percent - 1]


def _silent(found: Silence) -> str:
    return (
        f"The producer is silent: no file has arrived since {found.newest:%Y-%m-%d %H:%M} UTC; {found.why}. "
        "Nothing here keeps files from arriving"
    )


def _not_notified(flow: Flow) -> str:
    return (
        f"Notifications do not arrive: {flow.newest_key} arrived at {flow.newest_file:%Y-%m-%d %H:%M} UTC, "
        f"and the pipe was notified of nothing since {flow.notified:%Y-%m-%d %H:%M} UTC"
    )


def _not_loading(flow: Flow) -> str:
    return (
        f"Loading does not happen: {flow.pending} notified files wait, the oldest since "
        f"{flow.oldest_pending:%Y-%m-%d %H:%M} UTC, and the pipe is {flow.state or 'in no known state'}"
    )


def _many(pending: int, limit: int) -> str:
    return f"{pending:,} files wait to be loaded; the limit is {limit:,}"


def _late(p95: float, limit: timedelta) -> str:
    return (
        f"Loading is slow: one in twenty of the last day's files took more than {p95 / 60:.0f} minutes "
        f"from its arrival to its rows; the limit is {limit.total_seconds() / 60:.0f}"
    )


TITLES = {
    PRODUCER: "Files arrive as they usually do at this time of the week.",
    NOTIFIED: "The pipe is notified of what arrives.",
    LOADED: "What the pipe is notified of is loaded.",
    LATENCY: "Files are loaded within watch.limits.latency_p95_minutes.",
    BACKLOG: "No more files wait than watch.limits.backlog_files.",
    BAD_SCHEMAS: "Bad rows of each schema are about as many as on the days before.",
    BAD_ROWS: "Bad rows are no more than watch.limits.bad_rows_percent of all.",
}
REMEDIES = {
    PRODUCER: "ask whoever writes the files; a limit of your own: watch.limits.quiet_hours.STREAM",
    NOTIFIED: "invoke verify --deep names what is missing; invoke refresh --stream STREAM loads it",
    LOADED: "look at `invoke status` twice: if pending does not fall for an hour, ask Snowflake's support",
    LATENCY: "look at `invoke status`; many small files load slowly (docs/costs.md)",
    BACKLOG: "look at `invoke status` twice: if pending does not fall for an hour, ask Snowflake's support",
    BAD_SCHEMAS: "ask whoever sends these events: a tracker or that schema has changed",
    BAD_ROWS: "look at the bad rows' schemas: a tracker or a schema has changed",
}


def _cause(name: str, rows: list[tuple[Flow, str]], names: tuple[str, ...]) -> Cause:
    streams = tuple(flow.stream for flow, _ in rows)
    why = rows[0][1] if len(rows) == 1 else "; ".join(f"{flow.stream}: {said}" for flow, said in rows)
    remedy = REMEDIES[name].replace("STREAM", streams[0])
    return Cause(name, streams, TITLES[name], why, remedy, "docs/watch.md", names=names)
