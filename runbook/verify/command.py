"""`invoke verify`: ask everything, wait when told to, and tell the outcome in each format asked for."""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from runbook.errors import RunbookError, SettingsWrong
from runbook.handoff import tell_stale
from runbook.running import Run, running, write_output
from runbook.terminal import Style, note, say, wrapped
from runbook.verify.checking import wait_until_healthy
from runbook.verify.flight import Flight, not_sent
from runbook.verify.formats import FORMATS, nagios_code
from runbook.verify.outcome import Outcome, untold
from runbook.verify.tell import as_table

STEPS = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Report:
    """One form of the outcome, and where it goes: a file, or None for standard output."""

    name: str
    path: str | None

    def write(self, outcome: Outcome, *, every: bool) -> None:
        """Write it, whole or not at all; raises SettingsWrong."""
        if self.name == "table":
            text = as_table(outcome, Style.of(None if self.path else sys.stdout), every=every)
        else:
            text = FORMATS[self.name](outcome)
        write_output(text, self.path, say)


def reports(asked: list[str], output: str | None) -> tuple[Report, ...]:
    """``["json=report.json", "table"]`` as reports; ``output`` is the file of the one that names none.

    Raises SettingsWrong for an unknown format, and for two that would go to the same place.
    """
    found = []
    for text in asked or ["table"]:
        name, _, path = text.partition("=")
        if name not in ("table", *FORMATS):
            known = "|".join(("table", *FORMATS))
            raise SettingsWrong(f"There is no format {name!r}", remedy=f"--format {known}, or NAME=FILE")
        found.append(Report(name, path or output))
    places = [report.path for report in found]
    twice = next((path for path in places if places.count(path) > 1), "")
    if twice != "":
        raise SettingsWrong(
            f"Two formats would go to {twice or 'standard output'}",
            remedy="give each but one a file: --format table --format json=report.json",
        )
    return tuple(found)


def verify(
    config: Mapping[str, Any],
    *,
    step_number: int | None = None,
    stream: str | None = None,
    wait: float = 0,
    formats: list[str],
    output: str | None = None,
    every: bool = False,
    deep: bool = False,
    canary: bool = False,
    strict: bool = False,
    yes: bool = False,
) -> int:
    """Every check, or those of one step or stream; waits for health when asked.

    ``strict``: advice makes it not healthy, in every format and the exit code.

    Only reads, but for ``canary``: that puts one file, and removes it and its row again.

    What keeps the checks from being run at all is told in every format too, so that no program
    takes yesterday's good news for today's.
    """
    asked = reports(formats, output)
    nagios = any(report == Report("nagios", None) for report in asked)
    if step_number is not None and step_number not in STEPS:
        raise SettingsWrong(f"There is no step {step_number}", remedy="--step 1 to --step 5")
    if wait < 0:
        raise SettingsWrong(f"--wait {wait} is less than no time", remedy="--wait SECONDS")
    started, begun = datetime.now(UTC), time.monotonic()
    try:
        with running(
            config,
            "verify",
            sides=(),
            spare=("aws", "snowflake"),
            stream=stream,
            yes=yes,
            quiet=True,
            partly=True,
        ) as run:
            steps = None if step_number is None else (step_number,)
            outcome = wait_until_healthy(
                run.facts(), wait, still_red(), steps=steps, stream=stream, deep=deep
            )
            if canary:
                outcome = _with_canary(run, outcome, stream, wait)
            outcome = replace(outcome, strict=strict)
            tell_stale(run.facts())
    except RunbookError as error:
        target = str(config.get("target", ""))
        told = untold(target, started, time.monotonic() - begun, _reason(error), error.remedy)
        for report in asked:
            if report.name != "table":
                report.write(told, every=every)
        if nagios:
            error.exit_code = nagios_code(told)
        raise
    for report in asked:
        report.write(outcome, every=every)
    return nagios_code(outcome) if nagios else outcome.exit_code


def _with_canary(run: Run, outcome: Outcome, stream: str | None, wait: float) -> Outcome:
    """The outcome with the canary's hops; it is only sent through what is not known to be broken."""
    which = run.settings.stream(stream) if stream else run.settings.streams[0]
    if outcome.is_healthy:
        run.ask(f"Send a canary through {which.pipe} on {run.settings.target}, and remove it again?")
        hops = Flight(run, which, wait or run.settings.checks.ready_within_seconds).fly()
    else:
        causes = tuple(row.id for row in (*outcome.root_causes, *outcome.unknown_causes))
        hops = not_sent(which, causes)
    return replace(outcome, results=(*outcome.results, *hops))


def _reason(error: RunbookError) -> str:
    where = f" ({error.where})" if error.where else ""
    return f"{error.what}{where}: {error.why}" if error.why else f"{error.what}{where}"


def still_red() -> Callable[[Outcome], None]:
    """Tells what is waited for, once for as long as it stays the same."""
    told = [""]

    def tell(outcome: Outcome) -> None:
        red = outcome.root_causes or [row for row in outcome.results if row.outcome in ("blocked", "unknown")]
        causes = "; ".join(f"{row.id} ({row.cause})" for row in list(red)[:3])
        if causes != told[-1]:
            note(wrapped("  waiting: ", causes, Style.of(sys.stderr)))
            told.append(causes)

    return tell
