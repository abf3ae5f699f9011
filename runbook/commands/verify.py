"""`invoke verify`: ask everything, wait when told to, and tell the outcome in each format asked for."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from runbook.clouds.network import one_line
from runbook.clouds.tape import Recorder
from runbook.commands.handoff import tell_stale
from runbook.errors import NotWritten, RunbookError, SettingsWrong
from runbook.running import STANDARD_OUTPUT, Run, running, write_output
from runbook.settings import Settings
from runbook.terminal import Style, note, say_as_is, wrapped
from runbook.verify.checking import wait_until_healthy
from runbook.verify.flight import Flight, not_sent
from runbook.verify.formats import FORMATS, NAGIOS_UNKNOWN, nagios_code
from runbook.verify.outcome import Outcome, untold
from runbook.verify.remedies import leading
from runbook.verify.tell import as_table
from runbook.verify.waivers import ended, idle, with_waivers

STEPS = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Report:
    """One form of the outcome, and where it goes: a file, or None for standard output."""

    name: str
    path: str | None

    def write(self, outcome: Outcome, *, every: bool) -> None:
        """Write it, whole or not at all; raises NotWritten.

        Its commands go to the target of this process. Where a file cannot be written, an older one of the
        name is removed: it would pass for today's.
        """
        outcome = outcome.typed()
        if self.name == "table":
            text = as_table(outcome, Style.of(None if self.path else sys.stdout), every=every)
        else:
            text = FORMATS[self.name](outcome)
        try:
            write_output(text, self.path, say_as_is)
        except NotWritten:
            with suppress(OSError):  # a name that is too long cannot be looked for either
                if self.path and Path(self.path).is_file() and not Path(self.path).is_symlink():
                    Path(self.path).unlink()
            raise


TABLE = Report("table", None)


@dataclass(frozen=True)
class Scope:
    """What is asked for: the checks of one step or stream, and those that need a warehouse."""

    step: int | None
    stream: str | None
    deep: bool


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
        place = path or output
        found.append(Report(name, None if place == STANDARD_OUTPUT else place))
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
    record: str | None = None,
    replay: str | None = None,
    plain: bool = False,
) -> int:
    """Every check, or those of one step or stream; waits for health when asked.

    ``strict``: advice makes it not healthy, in every format and the exit code. ``record``: the file that gets
    the verdict with every answer it stands on, ``plain`` with all names; ``replay``: such a file, told again.

    Only reads, but for ``canary``: that puts one file, and removes it and its row again.

    Raises SettingsWrong, before anything is contacted, for a format, step or time that does not exist.
    """
    asked = reports(formats, output)
    of = Scope(step_number, stream, deep)
    _refuse_what_nobody_can_mean(of, wait)
    _refuse_half_a_flag(record, replay, plain=plain)
    if replay is not None:
        _alone("--replay", record=record, **asdict(of), wait=wait, canary=canary)
        return _told_again(asked, replay, strict=strict, every=every)
    if record is not None:
        _alone("--record", wait=wait, canary=canary)
        _can_be_recorded(record)
    tape = Recorder() if record is not None else None
    unwritten: NotWritten | None = None
    with running(
        config,
        "verify",
        sides=(),
        spare=("aws", "snowflake"),
        stream=stream,
        yes=yes,
        quiet=True,
        partly=True,
        tape=tape,
    ) as run:
        outcome = _judged(run, of, wait, canary=canary)
        if record is not None and tape is not None:
            unwritten = _recorded(config, run, tape, outcome, of, record, plain=plain)
        outcome = replace(waived(outcome, run.settings), strict=strict)
        tell_stale(run.facts())
    _write_all(asked, outcome, every=every)
    if unwritten:
        raise unwritten
    return _code(asked, outcome)


def _judged(run: Run, of: Scope, wait: float, *, canary: bool) -> Outcome:
    """What the checks say, with the canary's hops if asked, and each remedy as its step takes it."""
    steps = None if of.step is None else (of.step,)
    outcome = wait_until_healthy(run.facts(), wait, still_red(), steps=steps, stream=of.stream, deep=of.deep)
    if canary:
        outcome = _with_canary(run, outcome, of.stream, wait)
    if run.settings.is_ours:
        outcome = replace(outcome, results=leading(outcome.results, run.facts()))
    return outcome


def _recorded(
    config: Mapping[str, Any],
    run: Run,
    tape: Recorder,
    outcome: Outcome,
    of: Scope,
    place: str,
    *,
    plain: bool,
) -> NotWritten | None:
    """Write the recording; why it cannot be written, for the verdict was found and is told first."""
    from runbook.verify import recording  # a verdict without one starts without it

    try:
        made = recording.recorded(config, run.reader, tape.answers, outcome, asdict(of), plain=plain)
        recording.write(made, place)
    except NotWritten as error:
        return error
    return None


def _can_be_recorded(place: str) -> None:
    """Raises SettingsWrong where no recording can be written: told before anybody is asked."""
    from runbook.verify import recording

    recording.can_be_in(place)


def _code(asked: Sequence[Report], outcome: Outcome) -> int:
    return nagios_code(outcome) if _is_nagios(asked) else outcome.exit_code


def _refuse_what_nobody_can_mean(of: Scope, wait: float) -> None:
    """Raises SettingsWrong for a step that does not exist, and for a time that has passed."""
    if of.step is not None and of.step not in STEPS:
        raise SettingsWrong(f"There is no step {of.step}", remedy="--step 1 to --step 5")
    if wait < 0:
        raise SettingsWrong(f"--wait {wait} is less than no time", remedy="--wait SECONDS")


def _refuse_half_a_flag(record: str | None, replay: str | None, *, plain: bool) -> None:
    """Raises SettingsWrong for a file without a name, as an unset variable gives it, or a lone --plain."""
    for flag, place in (("--record", record), ("--replay", replay)):
        if place == "":  # or a live target would be verified instead
            raise SettingsWrong(f"{flag} names no file", remedy=f"{flag} FILE")
    if plain and record is None:
        raise SettingsWrong("--plain goes with --record alone", remedy="--record FILE --plain")


def _alone(flag: str, **others: object) -> None:
    """Raises SettingsWrong where a flag is given beside one that it cannot stand beside."""
    if given := [f"--{name}" for name, value in others.items() if value]:
        raise SettingsWrong(
            f"{flag} cannot stand beside {' and '.join(given)}",
            why="a recording is one look, and says itself what was asked",
        )


def _told_again(asked: Sequence[Report], place: str, *, strict: bool, every: bool) -> int:
    """A recorded verdict, in every format asked for; contacts nobody."""
    from runbook.verify import recording

    made = recording.read(place)
    of = recording.settings_of(made).target
    note(f"told again from {place}, recorded of the target {of}: the commands are for that target alone")
    outcome = replace(waived(recording.replayed(made), recording.settings_of(made)), strict=strict)
    _write_all(asked, outcome, every=every)
    return _code(asked, outcome)


def waived(outcome: Outcome, settings: Settings) -> Outcome:
    """The outcome with what the settings waive as advice; says which waivers have ended, or waive nothing."""
    today = outcome.started_at.date()
    known = {row.id for row in outcome.results}
    told = ended(settings.waivers, today)
    told += idle((each for each in settings.waivers if not each.check.startswith("watch.")), known)
    for each in told if known else ():
        note(wrapped("waiver: ", each, Style.of(sys.stderr)))
    return with_waivers(outcome, settings.waivers, today)


def in_every_format(formats: list[str], output: str | None, target: str, action: Callable[[], int]) -> int:
    """``action()``; what keeps the checks from being run at all is written in every format asked for.

    So that no program takes yesterday's good news for today's. A Nagios plugin that could not look ends
    with 3, unknown. Raises what ``action`` raises.
    """
    asked = reports(formats, output)
    started, begun = datetime.now(UTC), time.monotonic()
    try:
        return action()
    except NotWritten as error:
        if _is_nagios(asked):
            error.exit_code = NAGIOS_UNKNOWN
        raise
    except BaseException as error:
        cause, remedy = _reason(error)
        told = untold(target, started, time.monotonic() - begun, cause, remedy)
        with suppress(NotWritten):  # what is told at the end is why nothing could be asked
            _write_all([each for each in asked if each != TABLE], told, every=False)
        if _is_nagios(asked) and isinstance(error, Exception):
            error.exit_code = nagios_code(told)  # type: ignore[attr-defined]
        raise


def asked_for(arguments: Sequence[str]) -> tuple[list[str], str | None]:
    """The formats and the file that a command line asks for, as far as its words tell."""
    formats, output = [], None
    words = [part for word in arguments for part in (word.split("=", 1) if word.startswith("--") else [word])]
    for word, following in pairwise([*words, ""]):
        if word == "--format" and following.partition("=")[0] in ("table", *FORMATS):
            formats.append(following)
        elif word == "--output" and (following == STANDARD_OUTPUT or not following.startswith("-")):
            output = following or None
    return formats, output


def _write_all(asked: Sequence[Report], outcome: Outcome, *, every: bool) -> None:
    """Each report, also where another cannot be written; then raises NotWritten for the first of those."""
    failed: NotWritten | None = None
    for report in asked:
        try:
            report.write(outcome, every=every)
        except NotWritten as error:
            failed = failed or error
    if failed:
        raise failed


def _is_nagios(asked: Sequence[Report]) -> bool:
    return Report("nagios", None) in asked


def _with_canary(run: Run, outcome: Outcome, stream: str | None, wait: float) -> Outcome:
    """The outcome with the canary's hops; it is only sent through what is not known to be broken."""
    which = run.settings.stream(stream) if stream else run.settings.streams[0]
    if outcome.is_healthy:
        flight = Flight(run, which, wait or run.settings.checks.ready_within_seconds)
        run.ask(f"Send a canary through {which.pipe} on {run.settings.target}, and remove it again?")
        hops = flight.fly()
    else:
        causes = tuple(row.id for row in (*outcome.root_causes, *outcome.unknown_causes))
        hops = not_sent(which, causes)
    return replace(outcome, results=(*outcome.results, *hops))


def _reason(error: BaseException) -> tuple[str, str]:
    """Why nothing could be asked, and what to do."""
    if isinstance(error, RunbookError):
        where = f" ({error.where})" if error.where else ""
        return f"{error.what}{where}" + (f": {error.why}" if error.why else ""), error.remedy
    if isinstance(error, KeyboardInterrupt):
        return "The run was interrupted", "run it again"
    return (
        f"{type(error).__name__}: {one_line(str(error))}",
        "report it: this is a mistake in snowpipe-runbook",
    )


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
