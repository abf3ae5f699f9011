"""`invoke watch`: round after round, or one; tells people, writes figures, outlives a cloud's trouble."""

import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

from runbook import settings as reading
from runbook.clouds.connections import Clouds
from runbook.errors import CannotTell, NotWritten, Refused, RunbookError, SettingsWrong
from runbook.invocation import home
from runbook.redaction import hide, redacted
from runbook.running import STANDARD_OUTPUT, write_output
from runbook.settings import Settings
from runbook.terminal import Style, note, say, say_as_is, wrapped
from runbook.verify import waivers
from runbook.watching import delivery, rounds, routes
from runbook.watching.causes import present
from runbook.watching.figures import FORMATS, Endpoint, Figures, figures_of, send_statsd
from runbook.watching.history import History, clean
from runbook.watching.lock import alone
from runbook.watching.rounds import Round
from runbook.watching.signing_in import Sessions

WHOSE = "installation"
"""The note that names the installation in a history."""
NO_ROUTE = "No route is set: docs/watch.md says how to get messages on Slack in five minutes."
SHORTEST_S, LONGEST_S = 10, 31 * 24 * 3600
GRACE_S = 20.0
"""How long a round may go on after SIGTERM; Kubernetes kills after 30.

Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
"""


@dataclass(frozen=True)
class Asked:
    """What the command line asks for."""

    once: bool = False
    every: str = ""
    format: str = ""
    output: str | None = None
    listen: str = ""


def watch(
    config: Mapping[str, Any],
    *,
    once: bool = False,
    every: str = "",
    test_message: bool = False,
    output_format: str = "",
    output: str | None = None,
    listen: str = "",
) -> int:
    """Watch a target. Only reads the clouds; writes its history, and tells people.

    Exit code of one round as verify's; of a process that was ended 0.
    """
    settings = reading.read(config)
    asked = Asked(once, every, output_format, None if output == STANDARD_OUTPUT else output, listen)
    pause = _checked(asked, settings)
    if test_message:
        return _test(settings)
    folder = place(settings)
    with alone(folder / "lock", settings.target):
        history = History(folder / "history.sqlite")
        try:
            its_own(history, settings)
            return Watcher(settings, history, asked).run(pause)
        finally:
            history.close()


def place(settings: Settings) -> Path:
    """The folder of a target's history and lock."""
    return home() / "watch" / settings.target


def its_own(history: History, settings: Settings) -> None:
    """Note whose history it is; raises Refused where it is that of another installation of the same name.

    The causes of the two would end each other, and one's be taken for told to the other's people.
    """
    whose = history.noted(WHOSE)
    refuse_anothers(history.path, whose, settings)
    if not whose and history.has_rounds:
        note(f"{history.path} does not say whose it is; from now on it is of {settings.installation}")
    history.keep(WHOSE, settings.installation)


def refuse_anothers(path: Path, whose: str, settings: Settings) -> None:
    """Raises Refused where a history names another installation than the settings."""
    if whose and whose != settings.installation:
        raise Refused(
            f"The history of {settings.target} is that of another installation",
            where=str(path),
            why=f"It is of {whose}, and the settings are of {settings.installation}",
            remedy="give one of the two another name (target: in its environment file); where it is the same "
            "installation, moved, let the folder go: only the past is lost",
        )


def _checked(asked: Asked, settings: Settings) -> float:
    """Seconds between rounds; raises SettingsWrong for what the command line cannot mean."""
    if asked.once and asked.every:
        raise SettingsWrong("--once and --every are two ways to watch", remedy="ask for one of them")
    if asked.once and asked.listen:
        raise SettingsWrong("--listen is for a process that goes on", remedy="--every, or --output FILE")
    if asked.format and asked.format not in FORMATS:
        raise SettingsWrong(f"There is no format {asked.format!r}", remedy=f"--format {'|'.join(FORMATS)}")
    if asked.listen:
        Endpoint.place(asked.listen)
    seconds = span(asked.every) if asked.every else settings.watch.every_minutes * 60
    if not SHORTEST_S <= seconds <= LONGEST_S:
        given = f"--every {asked.every}" if asked.every else f"watch.every_minutes: {seconds / 60:g}"
        wrong = f"shorter than {SHORTEST_S} seconds" if seconds < SHORTEST_S else "longer than 31 days"
        raise SettingsWrong(f"{given} is {wrong}", remedy="--every 5m")
    return seconds


def span(text: str) -> float:
    """Seconds of ``300``, ``90s``, ``5m`` or ``1h``; raises SettingsWrong for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not found:
        raise SettingsWrong(f"--every {text} is not a time", remedy="--every 300, 90s, 5m or 1h")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


def _test(settings: Settings) -> int:
    """A test message to every route; 1 where one did not take it."""
    usable, problems = routes.ways(settings, _clouds(settings))
    answers = delivery.send_test(usable, settings.target, datetime.now(UTC))
    for problem in problems:
        say(_fitting(problem, sys.stdout))
    for name, why in answers.items():
        say(_fitting(f"{name}: {f'not delivered: {why}' if why else 'delivered'}", sys.stdout))
    if not usable and not problems:
        say(_fitting(NO_ROUTE, sys.stdout))
        return 1
    return 1 if problems or any(answers.values()) else 0


def _fitting(text: str, stream: TextIO | None) -> str:
    """``text`` broken between words on a terminal; in a log one line stays one."""
    is_terminal = stream is not None and stream.isatty()
    return wrapped("", text, Style.of(stream)) if is_terminal else text


def _clouds(settings: Settings) -> Clouds:
    """What SNS is asked with."""
    return Clouds(settings, run_id="watch", command="watch")


class Watcher:
    """The rounds of one process."""

    def __init__(self, settings: Settings, history: History, asked: Asked) -> None:
        self.settings = settings
        self.history = history
        self.asked = asked
        self.sessions = Sessions(settings, history)
        self.ending = threading.Event()
        self._told: dict[str, str] = {}
        self.usable, self.problems = routes.ways(settings, _clouds(settings))
        self.endpoint = Endpoint(asked.listen) if asked.listen else None
        if sys.stdin is not None and sys.stdin.isatty():
            self.sessions.forgive()

    def run(self, pause: float) -> int:
        """The rounds until there is one, or somebody ends them; the exit code."""
        for problem in self.problems:
            self.tell(problem)
        if not (self.usable or self.problems or self.endpoint or self.asked.once):
            self.tell(f"nobody is told what this finds. {NO_ROUTE}")
        with _ended_by_signals(self.ending, CannotTell.exit_code if self.asked.once else 0):
            try:
                if self.asked.once:
                    found = self.round()
                    self.tell_waivers(found)
                    return found.exit_code
                self.tell_waivers(self.first_round())
                while not self.ending.wait(pause):
                    self.round_that_never_raises()
                return 0
            finally:
                self.sessions.end()
                if self.endpoint:
                    self.endpoint.close()

    def first_round(self) -> Round | None:
        """The first round of a process that goes on: only wrong settings, or another account, end it."""
        try:
            return self.round()
        except SettingsWrong:
            raise
        except RunbookError as error:
            self.tell_once("round", str(error))
            return None

    def tell(self, text: str) -> None:
        """A line for the log: with its time, redacted."""
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        note(wrapped(f"{stamp} ", clean(text), Style.of(sys.stderr)))

    def tell_once(self, what: str, text: str) -> None:
        """A line for the log, when it differs from the last of its kind."""
        if self._told.get(what) != text:
            self._told[what] = text
            if text:
                self.tell(text)

    def tell_waivers(self, found: Round | None) -> None:
        """What became of the settings' waivers."""
        if found is None:
            return
        known = {row.id for row in found.outcome.results} | set(rounds.OWN)
        today = found.at.date()
        for each in waivers.ended(self.settings.waivers, today):
            self.tell(each)
        for each in waivers.idle(self.settings.waivers, known) if len(found.outcome.results) else ():
            self.tell(each)

    def round_that_never_raises(self) -> None:
        """A round of a process that goes on: what goes wrong in it is a line of the log."""
        try:
            self.round()
        except RunbookError as error:
            self.tell_once("round", str(error))
        except Exception as error:  # noqa: BLE001 (a mistake of ours ends no watch)
            self.tell(
                f"The round failed: {type(error).__name__}: {error}. This is a mistake in snowpipe-runbook."
            )

    def round(self) -> Round:
        """Look, remember, tell, write figures, beat the heart."""
        self.history.back_to_the_file()
        found = self.look()
        self.tell_once("history", self.history.problem)
        self.tell_once("round", "")
        self.tell_state(found)
        self.deliver(found)
        self.history.forget(found.at, self.settings.watch.keep_days)
        self.write(found)
        self.beat(found)
        return found

    def look(self) -> Round:
        """The round itself, also where nobody answers."""
        now = rounds.moment(self.history, None)
        try:
            reader = self.sessions.reader_for(now)
        except CannotTell as error:
            return rounds.nobody_answers(self.history, self.settings, {"aws": error, "snowflake": error})
        if {"aws", "snowflake"} <= reader.closed.keys() - reader.absent:
            return rounds.nobody_answers(self.history, self.settings, reader.trouble)
        return rounds.run(reader, self.history)

    def tell_state(self, found: Round) -> None:
        """The log's line of a round, when it says something new."""
        causes = present(self.history.db)
        seen = [*(row.id for row in found.outcome.root_causes), *(cause.key for cause in found.own)]
        words = ", ".join(f"{each.stream} {word}" for each, word in found.words(self.settings))
        named = f": {', '.join(seen)}" if seen else ""
        sure = f"; confirmed: {', '.join(causes)}" if causes else ""
        text = f"{self.settings.target} {found.verdict}{named}{sure}"
        if self.asked.once:
            text += f" ({found.outcome.summary or 'nobody answers'}; {words or 'no stream seen'})"
            if self.asked.format and not self.asked.output:
                note(_fitting(text, sys.stderr))
            else:
                say(_fitting(text, sys.stdout))
        else:
            self.tell_once("state", text)

    def deliver(self, found: Round) -> None:
        """Tell every route what it was not told yet."""
        watched = self.settings.watch
        remind = watched.remind_after_hours
        delivery.deliver(
            self.history,
            self.usable,
            target=self.settings.target,
            now=found.at,
            remind_after=None if remind is None else timedelta(hours=remind),
            messages_an_hour=watched.messages_an_hour,
            tell=self.tell,
        )

    def write(self, found: Round) -> None:
        """The figures: to a file or standard output, to who scrapes, and to StatsD."""
        figures = figures_of(found, self.history, self.settings)
        if self.endpoint:
            self.endpoint.text = FORMATS["prometheus"](figures)
        if self.settings.watch.statsd:
            self._try("statsd", lambda: send_statsd(figures, self.settings.watch.statsd))
        if self.asked.format or self.asked.output:
            self._write_file(figures)

    def _write_file(self, figures: Figures) -> None:
        name = self.asked.format or "prometheus"
        try:
            write_output(FORMATS[name](figures), self.asked.output, say_as_is)
            self.tell_once("output", "")
        except NotWritten as error:
            if self.asked.once:
                raise
            self.tell_once("output", str(error))

    def beat(self, found: Round) -> None:
        """Call the heartbeat's URL while all is well: its silence is the alarm."""
        variable = self.settings.watch.heartbeat_url_from
        if not variable or found.exit_code or present(self.history.db):
            return
        url = os.environ.get(variable, "").strip()
        if not url:
            self.tell_once("heartbeat", f"The variable {variable} with the heartbeat's URL is not set.")
            return
        hide(url)
        self._try("heartbeat", lambda: routes.call(routes.url_of(url, variable)))

    def _try(self, what: str, action: Callable[[], object]) -> None:
        try:
            action()
            self.tell_once(what, "")
        except (routes.NotDelivered, routes.Unusable, OSError) as error:
            self.tell_once(what, f"The {what} was not reached: {redacted(str(error))}.")


@contextmanager
def _ended_by_signals(ending: threading.Event, unfinished: int) -> Iterator[None]:
    """SIGTERM, and Ctrl-C in a pause, end the watch after the round that is under way, or after a grace.

    ``unfinished``: the exit code where the round does not end in time. One round's is its verdict: not 0.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_number: int, _frame: object) -> None:
        if not ending.is_set():
            ending.set()
            timer = threading.Timer(GRACE_S, _leave, (unfinished,))
            timer.daemon = True
            timer.start()

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave(code: int) -> None:
    """The round did not end in time: what matters is on disk already."""
    note(f"ended by SIGTERM; the round under way was given up after {GRACE_S:.0f} seconds")
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(code)
