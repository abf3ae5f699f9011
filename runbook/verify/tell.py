"""The outcome as a table for a person, as JSON, and as JUnit XML."""

import json
from xml.etree import ElementTree as ET

from tabulate import tabulate

from runbook.terminal import Style, wrapped
from runbook.verify.outcome import Outcome, Result, Word

SIGN = {"passed": "ok", "failed": "FAILED", "blocked": "blocked", "unknown": "unknown", "skipped": "-"}
COLOUR = {"passed": "green", "failed": "red", "blocked": "yellow", "unknown": "yellow", "skipped": "dim"}


def as_table(outcome: Outcome, style: Style, *, every: bool = False) -> str:
    """Root causes first with their evidence, then what did not pass, or every check; fits the width."""
    parts = [_headline(outcome, style)]
    parts += [_cause(result, outcome, style) for result in outcome.root_causes]
    parts += [_unknown(rows, style) for rows in _by_cause(outcome)]
    parts.append(_all(outcome, style, every=every))
    return "\n\n".join(parts)


def _headline(outcome: Outcome, style: Style) -> str:
    counted = {word: sum(row.outcome == word for row in outcome.results) for word in SIGN}
    said = ", ".join(f"{count} {word}" for word, count in counted.items() if count)
    if outcome.is_healthy:
        return f"{style.paint('healthy', 'green')}: {outcome.target}, {said}"
    causes = len(outcome.root_causes)
    found = f"{causes} root cause{'s' if causes != 1 else ''}" if causes else "something cannot be told"
    return f"{style.paint('not healthy', 'red')}: {outcome.target}, {found} ({said})"


def _cause(result: Result, outcome: Outcome, style: Style) -> str:
    streams = [row.stream for row in outcome.results if row.id == result.id and row.outcome == "failed"]
    where = ", ".join(stream for stream in streams if stream)
    lines = [style.paint(f"root cause: {result.id}", "red") + (f"  ({where})" if where else "")]
    rows = [
        ("claim", result.title),
        ("but", result.cause),
        ("observed", result.observed),
        ("expected", result.expected),
        ("remedy", _remedy(result, streams)),
        ("see", result.see),
    ]
    blocked = sorted({row.id for row in outcome.results if result.id in row.blocked_by})
    if blocked:
        rows.append(("blocks", ", ".join(blocked)))
    lines += [wrapped(f"  {name:<9} ", text, style) for name, text in rows if text]
    return "\n".join(lines)


def _remedy(result: Result, streams: list[str | None]) -> str:
    """The remedy for every stream that needs it, one command after the other."""
    if not result.stream or f"--stream {result.stream}" not in result.remedy:
        return result.remedy
    each = [
        result.remedy.replace(f"--stream {result.stream}", f"--stream {name}") for name in streams if name
    ]
    return " && ".join(each)


def _by_cause(outcome: Outcome) -> list[list[Result]]:
    """What cannot be told, together where one thing that could not be read is the reason."""
    found: dict[str, list[Result]] = {}
    for result in outcome.results:
        if result.outcome == "unknown":
            found.setdefault(result.cause, []).append(result)
    return list(found.values())


def _unknown(results: list[Result], style: Style) -> str:
    first, ids = results[0], list(dict.fromkeys(row.id for row in results))
    streams = ", ".join(dict.fromkeys(row.stream for row in results if row.stream))
    head = style.paint(f"cannot tell: {first.id}", "yellow") + (f"  ({streams})" if first.stream else "")
    rows = [("because", first.cause), ("remedy", first.remedy), ("nor", ", ".join(ids[1:]))]
    return "\n".join([head, *(wrapped(f"  {name:<9} ", text, style) for name, text in rows if text)])


def _all(outcome: Outcome, style: Style, *, every: bool) -> str:
    """One line an area with how many checks passed, and one for each check that did not."""
    streams: list[str | None] = list(dict.fromkeys(row.stream for row in outcome.results if row.stream))
    streams = streams or [None]
    table: list[list[str]] = []
    for area in dict.fromkeys(row.id.partition(".")[0] for row in outcome.results):
        rows = [row for row in outcome.results if row.id.startswith(f"{area}.")]
        table.append([area, *(_passed(rows, stream, style) for stream in streams)])
        for check in dict.fromkeys(row.id for row in rows):
            words = [_word(rows, check, stream) for stream in streams]
            if every or {"failed", "blocked", "unknown"} & set(words):
                name = f"- {check.removeprefix(area)[1:]}"  # tabulate strips leading blanks
                table.append([name, *(style.paint(SIGN[w], COLOUR[w]) if w else "" for w in words)])
    return tabulate(table, headers=["", *(stream or "outcome" for stream in streams)], tablefmt="simple")


def _passed(rows: list[Result], stream: str | None, style: Style) -> str:
    mine = [row for row in rows if row.stream in (None, stream) and row.outcome != "skipped"]
    good = sum(row.outcome == "passed" for row in mine)
    return style.paint(f"{good} of {len(mine)} ok", "green" if good == len(mine) else "red")


def _word(rows: list[Result], check: str, stream: str | None) -> Word | None:
    return next((r.outcome for r in rows if r.id == check and r.stream in (None, stream)), None)


def as_json(outcome: Outcome) -> str:
    """One JSON document, stable: see docs/runbook.md#verify."""
    return json.dumps(outcome.as_json(), indent=1, ensure_ascii=False)


def as_junit(outcome: Outcome) -> str:
    """JUnit XML: failed is a failure, unknown an error, blocked and skipped are skipped."""
    counts = {word: sum(row.outcome == word for row in outcome.results) for word in SIGN}
    suite = ET.Element(
        "testsuite",
        name=f"snowpipe-runbook {outcome.target}",
        tests=str(len(outcome.results)),
        failures=str(counts["failed"]),
        errors=str(counts["unknown"]),
        skipped=str(counts["blocked"] + counts["skipped"]),
        timestamp=outcome.started_at.strftime("%Y-%m-%dT%H:%M:%S"),
        time=f"{outcome.duration_s:.3f}",
    )
    for row in outcome.results:
        area, _, name = row.id.partition(".")
        title = f"{name}[{row.stream}]" if row.stream else name
        case = ET.SubElement(suite, "testcase", classname=area, name=title, time="0")
        _judge(case, row)
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode")


def _judge(case: ET.Element, row: Result) -> None:
    if row.outcome == "failed":
        element = ET.SubElement(case, "failure", message=row.cause)
        element.text = f"observed: {row.observed}\nexpected: {row.expected}\nremedy: {row.remedy}"
    elif row.outcome == "unknown":
        ET.SubElement(case, "error", message=row.cause).text = f"remedy: {row.remedy}"
    elif row.outcome == "blocked":
        ET.SubElement(case, "skipped", message=f"blocked by {', '.join(row.blocked_by)}")
    elif row.outcome == "skipped":
        ET.SubElement(case, "skipped", message=row.cause)


FORMATS = {"json": as_json, "junit": as_junit}
