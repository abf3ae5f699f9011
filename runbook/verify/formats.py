"""The outcome for programs: JSON, JUnit, TAP, Nagios and Prometheus.

In each of them ``passed`` is good news, ``skipped`` is none, and all else is bad; ``advice`` is good news
with a remark, or bad news where the outcome is strict.
"""

import json
from collections.abc import Callable, Iterator
from xml.etree import ElementTree as ET

from runbook.clouds.network import one_line
from runbook.verify.outcome import WELL, Outcome, Result, Word

NAGIOS_OK, NAGIOS_WARNING, NAGIOS_CRITICAL, NAGIOS_UNKNOWN = 0, 1, 2, 3


def as_json(outcome: Outcome) -> str:
    """One JSON document, stable: see docs/runbook.md#verify."""
    return json.dumps(outcome.as_json(), indent=1, ensure_ascii=False)


def as_junit(outcome: Outcome) -> str:
    """JUnit XML: failed is a failure, unknown an error, blocked and skipped are skipped.

    Advice is a test that passed, with what it says as its output; a failure where the outcome is strict.
    """
    counts = outcome.counts
    suite = ET.Element(
        "testsuite",
        name=f"snowpipe-runbook {outcome.target}",
        tests=str(len(outcome.results)),
        failures=str(counts["failed"] + (counts["advice"] if outcome.strict else 0)),
        errors=str(counts["unknown"]),
        skipped=str(counts["blocked"] + counts["skipped"]),
        timestamp=outcome.started_at.strftime("%Y-%m-%dT%H:%M:%S"),
        time=f"{outcome.duration_s:.3f}",
    )
    for row in outcome.results:
        area, _, name = row.id.partition(".")
        title = f"{name}[{row.stream}]" if row.stream else name
        case = ET.SubElement(suite, "testcase", classname=area, name=title, time="0")
        _judge(case, row, strict=outcome.strict)
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode")


def _judge(case: ET.Element, row: Result, *, strict: bool) -> None:
    evidence = f"observed: {row.observed}\nexpected: {row.expected}\nremedy: {row.remedy}"
    if row.outcome == "failed" or (row.outcome == "advice" and strict):
        ET.SubElement(case, "failure", message=row.cause).text = evidence
    elif row.outcome == "advice":
        ET.SubElement(case, "system-out").text = f"advice: {row.cause}\n{evidence}"
    elif row.outcome == "unknown":
        ET.SubElement(case, "error", message=row.cause).text = f"remedy: {row.remedy}"
    elif row.outcome == "blocked":
        ET.SubElement(case, "skipped", message=f"blocked by {', '.join(row.blocked_by)}")
    elif row.outcome == "skipped":
        ET.SubElement(case, "skipped", message=row.cause)


def as_tap(outcome: Outcome) -> str:
    """The Test Anything Protocol, version 13: what did not pass has a YAML block, and is ``not ok``.

    Advice is ``ok`` with such a block, unless the outcome is strict.

    A run without a result bails out: an empty plan would be a success.
    Source: https://testanything.org/tap-version-13-specification.html
    """
    lines = ["TAP version 13", f"1..{len(outcome.results)}"]
    for number, row in enumerate(outcome.results, 1):
        good = row.outcome in WELL and not (outcome.strict and row.outcome == "advice")
        skip = f" # SKIP {row.cause.replace('#', '')}" if row.outcome == "skipped" else ""
        lines.append(f"{'ok' if good else 'not ok'} {number} - {_named(row)}{skip}")
        lines += [] if row.outcome in ("passed", "skipped") else _tap_block(row)
    if not outcome.results:
        lines.append("Bail out! Nothing was checked")
    return "\n".join(lines)


def _tap_block(row: Result) -> Iterator[str]:
    """What a check found; a JSON string is a YAML string too."""
    yield "  ---"
    told = {
        "outcome": row.outcome,
        "cause": row.cause,
        "blocked_by": ", ".join(row.blocked_by),
        "observed": row.observed,
        "expected": row.expected,
        "remedy": str(row.remedy),
        "see": row.see,
    }
    yield from (f"  {name}: {json.dumps(text, ensure_ascii=False)}" for name, text in told.items() if text)
    yield "  ..."


def as_nagios(outcome: Outcome) -> str:
    """A plugin's output: one line with performance data, then a line for each cause or advice and its remedy.

    Source: https://nagios-plugins.org/doc/guidelines.html#PLUGOUTPUT
    """
    word = ("OK", "WARNING", "CRITICAL", "UNKNOWN")[nagios_code(outcome)]
    wrong = [*outcome.root_causes, *outcome.unknown_causes, *(outcome.advice if outcome.strict else ())]
    first = f"{_named(wrong[0])}: {wrong[0].cause}" if wrong else outcome.summary
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    performance = " ".join(_performance(outcome))
    lines = [f"SNOWPIPE {word} - {outcome.target}: {_without_bar(first)}{more} | {performance}"]
    told = wrong if outcome.strict else [*wrong, *outcome.advice]
    lines += [_without_bar(f"{_named(row)}: {row.cause}; remedy: {row.remedy}") for row in told]
    return "\n".join(lines)


def nagios_code(outcome: Outcome) -> int:
    """The exit code a Nagios plugin ends with; a warning where only advice keeps it from being healthy."""
    if outcome.is_healthy:
        return NAGIOS_OK
    if outcome.root_causes:
        return NAGIOS_CRITICAL
    return NAGIOS_WARNING if outcome.is_well_but_for_advice else NAGIOS_UNKNOWN


def _performance(outcome: Outcome) -> Iterator[str]:
    """``label=value[unit];warn;crit;min;max``: any failed check is beyond the critical threshold."""
    whole = len(outcome.results)
    for word, count in outcome.counts.items():
        critical = "0" if word == "failed" else ""
        yield f"{word}={count};;{critical};0;{whole}"
    yield f"time={outcome.duration_s:.3f}s;;;0"


def _without_bar(text: str) -> str:
    """On one line, and without a bar, which would begin the performance data."""
    return one_line(text).replace("|", "¦")


def as_prometheus(outcome: Outcome) -> str:
    """Gauges of this run, for the node exporter's textfile collector.

    A skipped check has no sample. Nothing says that the run is recent but its time:
    docs/runbook.md#verify has the alert.
    Source: https://prometheus.io/docs/instrumenting/exposition_formats/
    """
    families = [
        ("healthy", "1 when everything that the last run judged works.", _healthy),
        ("check_passed", "1 when it works, 0 when it failed, was blocked or is unknown.", _checked),
        ("root_cause", "1 for each check and stream that is a root cause.", _root_causes),
        ("advice", "1 for each check and stream that works and should be changed.", _advice),
        ("checks", "Checks of the last run by outcome.", _counts),
        ("verify_timestamp_seconds", "When the last run started.", _started),
        ("verify_duration_seconds", "How long the last run took.", _took),
    ]
    lines = []
    for name, words, samples in families:
        full = f"snowpipe_runbook_{name}"
        lines += [f"# HELP {full} {words}", f"# TYPE {full} gauge"]
        for labels, value in samples(outcome):
            written = ",".join(f'{key}="{_label(text)}"' for key, text in labels.items())
            lines.append(f"{full}{{{written}}} {value}")
    return "\n".join(lines)


Samples = Iterator[tuple[dict[str, str], float]]


def _healthy(outcome: Outcome) -> Samples:
    yield {"target": outcome.target}, int(outcome.is_healthy)


def _checked(outcome: Outcome) -> Samples:
    for row in outcome.results:
        if row.outcome != "skipped":
            yield _labels(outcome, row), int(row.outcome in WELL)


def _root_causes(outcome: Outcome) -> Samples:
    return _those("failed", outcome)


def _advice(outcome: Outcome) -> Samples:
    return _those("advice", outcome)


def _those(word: Word, outcome: Outcome) -> Samples:
    for row in outcome.results:
        if row.outcome == word:
            yield _labels(outcome, row), 1


def _counts(outcome: Outcome) -> Samples:
    for word, count in outcome.counts.items():
        yield {"target": outcome.target, "outcome": word}, count


def _started(outcome: Outcome) -> Samples:
    yield {"target": outcome.target}, outcome.started_at.timestamp()


def _took(outcome: Outcome) -> Samples:
    yield {"target": outcome.target}, round(outcome.duration_s, 3)


def _labels(outcome: Outcome, row: Result) -> dict[str, str]:
    return {"target": outcome.target, "check": row.id, "stream": row.stream or ""}


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _named(row: Result) -> str:
    return f"{row.id}[{row.stream}]" if row.stream else row.id


FORMATS: dict[str, Callable[[Outcome], str]] = {
    "json": as_json,
    "junit": as_junit,
    "tap": as_tap,
    "nagios": as_nagios,
    "prometheus": as_prometheus,
}
