"""The outcome for a person: root causes first, with their evidence and remedy; fits the width."""

import textwrap
from collections import Counter
from itertools import zip_longest

from tabulate import tabulate

from runbook.invocation import typed
from runbook.remedy import of_all
from runbook.terminal import Style, counted, wrapped
from runbook.verify.checking import NOT_ASKED, shown
from runbook.verify.outcome import Outcome, Result, Word

SIGN = {
    "passed": "ok",
    "failed": "FAILED",
    "advice": "advice",
    "blocked": "blocked",
    "unknown": "unknown",
    "skipped": "-",
}
NONE = shown([])
NAMED = 6  # checks of one reason, one by one
RED: frozenset[Word | None] = frozenset({"failed", "advice"})
TOLD: frozenset[Word | None] = RED | {"blocked", "unknown"}
FIRST_THINGS = {
    "step1.policy-exists": "policy",
    "step1.role-exists": "role",
    "step2.integration-exists": "storage integration",
}
COLOUR = {
    "passed": "green",
    "failed": "red",
    "advice": "cyan",
    "blocked": "yellow",
    "unknown": "yellow",
    "skipped": "dim",
}


def as_table(outcome: Outcome, style: Style, *, every: bool = False) -> str:
    """Root causes first with their evidence, then what did not pass, or every check; fits the width."""
    if not every and (absent := not_set_up(outcome)):
        return "\n\n".join([_headline(outcome, style), _nothing_yet(absent, style), _verdict(outcome, style)])
    parts = [_headline(outcome, style)]
    parts += [_cause(result, outcome, style, every=every) for result in outcome.root_causes]
    parts += [_unknown(rows, style) for rows in _by_cause(outcome, "unknown")]
    parts += [_cause(result, outcome, style, every=every) for result in outcome.advice]
    parts += _canary(outcome, style)
    if skipped := _by_cause(outcome, "skipped"):
        parts.append("\n".join(_skipped(rows, style) for rows in skipped) if every else _not_judged(skipped))
    parts.append(_all(outcome, style, every=every))
    parts.append(_verdict(outcome, style))
    return "\n\n".join(parts)


def _headline(outcome: Outcome, style: Style) -> str:
    said = outcome.summary
    if not outcome.is_healthy:
        causes = len(outcome.root_causes)
        said = f"{counted(causes, 'root cause') if causes else _why_not(outcome)} ({said})"
    return _verdict(outcome, style, f", {said}")


def _verdict(outcome: Outcome, style: Style, more: str = "") -> str:
    """The first words and the last line: whether it is healthy, and what."""
    healthy, colour = ("healthy: ", "green") if outcome.is_healthy else ("not healthy: ", "red")
    return wrapped(healthy, f"{outcome.target}{more}", style, colour=colour)


def _why_not(outcome: Outcome) -> str:
    """Why a run without a root cause is not healthy."""
    return "advice counts (--strict)" if outcome.is_well_but_for_advice else "some checks could not tell"


def not_set_up(outcome: Outcome) -> tuple[Result, ...]:
    """The checks of existence, where nothing of what the steps make is there; else none.

    A cloud that nobody here may ask says nothing about it.
    """
    rows = {row.id: row for row in outcome.results if row.id in FIRST_THINGS and not row.elsewhere}
    if any(row.outcome != "failed" or row.remedy.command is None for row in rows.values()):
        return ()
    made = any(row.id == "step4.pipe-exists" and row.outcome == "passed" for row in outcome.results)
    return tuple(rows.values()) if len(rows) > 1 and not made else ()


def _nothing_yet(absent: tuple[Result, ...], style: Style) -> str:
    missing = ", ".join(FIRST_THINGS[row.id] for row in absent)
    said = f"there is no {missing.replace(', ', ' and no ')} of the names in the settings"
    lines = [
        wrapped("not set up: ", said, style),
        wrapped("  remedy    ", typed("invoke up (invoke plan shows what it would do)"), style),
        wrapped("  otherwise ", "the settings are another installation's; --all lists every check", style),
    ]
    return "\n".join(lines)


def _cause(result: Result, outcome: Outcome, style: Style, *, every: bool) -> str:
    failed = [row for row in outcome.results if row.id == result.id and row.outcome == result.outcome]
    where = [row.stream for row in failed if row.stream]
    named = "root cause" if result.outcome == "failed" else "advice"
    head = style.paint(f"{named}: {result.id}", COLOUR[result.outcome])
    lines = [head + (f"  ({_streams(where, outcome)})" if where else "")]
    if every and len(where) > NAMED:
        lines.append(wrapped("  streams   ", ", ".join(where), style))
    rows = [("claim", result.title), ("but", result.cause)]
    evidence = _beside(result.observed, result.expected, style)
    if result.expected == NONE:  # a list of what is wrong: there is nothing to set beside it
        found = list(dict.fromkeys(row.observed for row in failed))
        rows, evidence = [*rows, ("namely", ", ".join(found) if every else _first(found))], []
    elif not evidence:
        rows += [("observed", result.observed), ("expected", result.expected)]
    after = [("remedy", of_all(row.remedy for row in failed)), ("see", result.see)]
    blocked = sorted({row.id for row in outcome.results if result.id in row.blocked_by})
    if blocked:
        after.append(("blocks", ", ".join(blocked) if every else _others(blocked)))
    lines += _labelled(rows, style) + evidence + _labelled(after, style)
    return "\n".join(lines)


def _labelled(rows: list[tuple[str, str]], style: Style) -> list[str]:
    return [wrapped(f"  {name:<9} ", text, style) for name, text in rows if text]


def _beside(observed: str, expected: str, style: Style) -> list[str]:
    """The two side by side, where no word is too long for its half; else nothing."""
    half = (max(style.width, 40) - 5) // 2
    texts = [("observed", observed), ("expected", expected)]
    if not (observed and expected) or any(len(word) > half for _, text in texts for word in text.split()):
        return []
    columns = [
        [f"{name:<{half}}", *(f"{line:<{half}}" for line in textwrap.wrap(text, half))]
        for name, text in texts
    ]
    return [f"  {left} {right}".rstrip() for left, right in zip_longest(*columns, fillvalue=" " * half)]


def _by_cause(outcome: Outcome, word: Word) -> list[list[Result]]:
    """What is not known, or was skipped, together where one thing is the reason."""
    found: dict[str, list[Result]] = {}
    for result in outcome.results:
        if result.outcome == word:
            found.setdefault(result.cause, []).append(result)
    return list(found.values())


def _unknown(results: list[Result], style: Style) -> str:
    first, ids = results[0], list(dict.fromkeys(row.id for row in results))
    streams = _first(list(dict.fromkeys(row.stream for row in results if row.stream)))
    head = style.paint(f"cannot tell: {first.id}", "yellow") + (f"  ({streams})" if first.stream else "")
    rows = [("because", first.cause), ("remedy", str(first.remedy)), ("nor", _others(ids[1:]))]
    return "\n".join([head, *(wrapped(f"  {name:<9} ", text, style) for name, text in rows if text)])


def _streams(names: list[str], outcome: Outcome) -> str:
    """The streams of a line: by name, or where they are many how many, so that one cause is one line."""
    if len(names) <= NAMED:
        return ", ".join(names)
    known = {row.stream for row in outcome.results if row.stream}
    return f"all {len(names)} streams" if set(names) == known else _first(names)


def _first(texts: list[str]) -> str:
    """All of them, or where they are many the first ones and how many more there are."""
    if len(texts) <= NAMED:
        return ", ".join(texts)
    return f"{', '.join(texts[: NAMED // 2])} and {len(texts) - NAMED // 2} more (--all names them)"


def _others(ids: list[str]) -> str:
    """More checks of the same reason: by name, or where they are many how many of each area."""
    if len(ids) <= NAMED:
        return ", ".join(ids)
    areas = Counter(check.partition(".")[0] for check in ids)
    return ", ".join(f"{count} of {area}" for area, count in areas.items()) + " (--all names them)"


def _canary(outcome: Outcome, style: Style) -> list[str]:
    """How long each hop of the canary took, counted from the put's beginning."""
    hops = [row for row in outcome.results if row.id.startswith("canary.") and row.observed]
    said = ", ".join(f"{row.id.removeprefix('canary.')} {row.observed}" for row in hops)
    return [wrapped(f"canary    {hops[0].stream}: ", said, style)] if hops else []


def _not_judged(by_cause: list[list[Result]]) -> str:
    """How many results are of checks not asked for or with nothing to judge; the headline has the sum."""
    rows = [row for rows in by_cause for row in rows]
    deep = sum(row.cause == NOT_ASKED for row in rows)
    parts = [f"{deep} need a warehouse (--deep)"] * bool(deep)
    parts += [f"{len(rows) - deep} do not apply"] * (len(rows) > deep)
    return f"skipped   {', '.join(parts)}; --all lists them"


def _skipped(results: list[Result], style: Style) -> str:
    ids = ", ".join(dict.fromkeys(row.id for row in results))
    return wrapped("skipped   ", f"{ids}: {results[0].cause}", style)


def _all(outcome: Outcome, style: Style, *, every: bool) -> str:
    """One line an area with how many of its checks passed, and one for each check that did not.

    Each check is counted once: what is of no single stream has a column of its own beside several streams.
    """
    streams: list[str | None] = list(dict.fromkeys(row.stream for row in outcome.results if row.stream))
    alone = len(streams) == 1
    if not alone and any(row.stream is None for row in outcome.results):
        streams = [None, *streams]
    table: list[list[str]] = []
    for area in dict.fromkeys(row.id.partition(".")[0] for row in outcome.results):
        rows = [row for row in outcome.results if row.id.startswith(f"{area}.")]
        if not every and all(row.outcome == "skipped" for row in rows):
            continue  # nothing of it was judged, such as views that are off
        table.append([area, *(_passed(_of(rows, stream, alone=alone), style) for stream in streams)])
        quiet = {row.id for row in rows if row.outcome in ("blocked", "unknown")}
        for check in dict.fromkeys(row.id for row in rows):
            words = [_word(_of(rows, stream, alone=alone), check) for stream in streams]
            if every or set(words) & (RED if len(quiet) > NAMED else TOLD):
                name = f"- {check.removeprefix(area)[1:]}"  # tabulate strips leading blanks
                table.append([name, *(style.paint(SIGN[w], COLOUR[w]) if w else "" for w in words)])
    shared = "shared" if len(streams) > 1 else "outcome"
    made = tabulate(table, headers=["", *(stream or shared for stream in streams)], tablefmt="simple")
    if len(streams) == 1 or len(made.splitlines()[1]) <= style.width:
        return made
    return _summed(outcome, style, every=every)


def _summed(outcome: Outcome, style: Style, *, every: bool) -> str:
    """The same where a column a stream is too wide: an area's checks of all streams, a check's words."""
    lines: list[str] = []
    for area in dict.fromkeys(row.id.partition(".")[0] for row in outcome.results):
        rows = [row for row in outcome.results if row.id.startswith(f"{area}.")]
        judged = [row for row in rows if row.outcome != "skipped"]
        if not every and not judged:
            continue
        good = sum(row.outcome in ("passed", "advice") for row in judged)
        colour = "green" if good == len(judged) else "red"
        lines.append(f"{area:<30} " + style.paint(f"{good} of {len(judged)} ok", colour))
        quiet = {row.id for row in rows if row.outcome in ("blocked", "unknown")}
        for check in dict.fromkeys(row.id for row in rows):
            mine = [row for row in rows if row.id == check]
            if every or {row.outcome for row in mine} & (RED if len(quiet) > NAMED else TOLD):
                lines.append(_of_streams(f"- {check.removeprefix(area)[1:]}", mine, outcome, style))
    return "\n".join(lines)


def _of_streams(name: str, rows: list[Result], outcome: Outcome, style: Style) -> str:
    """One check's word, or its words with the streams of each where they differ."""
    words: dict[Word, list[str]] = {}
    for row in rows:
        words.setdefault(row.outcome, []).append(row.stream or "")
    if len(words) == 1:
        return f"{name:<30} " + style.paint(SIGN[rows[0].outcome], COLOUR[rows[0].outcome])
    parts = [f"{SIGN[word]} {_streams(names, outcome)}" for word, names in words.items() if word in TOLD]
    return wrapped(f"{name:<30} ", "; ".join([*parts, "others ok"] if "passed" in words else parts), style)


def _of(rows: list[Result], stream: str | None, *, alone: bool) -> list[Result]:
    """The rows of a column: a stream's, and where it is the only one also what is of no stream."""
    return [row for row in rows if row.stream == stream or (alone and row.stream is None)]


def _passed(rows: list[Result], style: Style) -> str:
    mine = [row for row in rows if row.outcome != "skipped"]
    if not mine:
        return style.paint("-", "dim")
    good = sum(row.outcome in ("passed", "advice") for row in mine)
    return style.paint(f"{good} of {len(mine)} ok", "green" if good == len(mine) else "red")


def _word(rows: list[Result], check: str) -> Word | None:
    return next((row.outcome for row in rows if row.id == check), None)
