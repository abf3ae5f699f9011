"""The checks are pytest functions under ``checks/``; this runs them on the facts of one moment."""

import inspect
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest

from runbook.claims import Claim
from runbook.clouds.network import one_line
from runbook.errors import Absent, Advised, CannotTell, Failing, NoCredentials, RunbookError
from runbook.facts import Facts
from runbook.redaction import redacted
from runbook.remedy import told
from runbook.shipped import CHECKS
from runbook.verify.outcome import WELL, Outcome, Result, Word, explained

FOLDER = CHECKS
# pytest's plugins that a check has no use for: two of them collect garbage thrice at the end of a run, others
# do something before and after each of thousands of checks
UNUSED = (
    *("cacheprovider", "terminal", "warnings", "unraisableexception", "threadexception", "faulthandler"),
    *("logging", "skipping", "setuponly", "setupplan", "stepwise", "pastebin", "doctest", "junitxml"),
)
ALL_STEPS = (1, 2, 3, 4, 5)
NOT_ASKED = "needs a warehouse: ask for it with --deep"
SETTLED_S = 10  # what a cloud has been told is not read as it was before for longer
LONGEST = 400  # characters of an observed or expected value that are told

LOOK_AGAIN = "run the command again; nothing is known to be wrong, so there is nothing to change"


def check(
    facts: Facts,
    *,
    steps: tuple[int, ...] | None = None,
    stream: str | None = None,
    deep: bool = False,
    apart: frozenset[str] = frozenset(),
) -> Outcome:
    """The outcome of all checks, or of those of some steps or one stream. Only reads.

    What is not asked for is run only when something asked for did not pass, to explain it. The
    checks marked ``deep`` need a warehouse, and are skipped unless asked for; those ``apart`` are left out.
    """
    started, begun = datetime.now(UTC), time.monotonic()
    facts.look(delivery=steps is None or 4 in steps, deep=deep, steps=steps or ALL_STEPS)
    asked = _checked(CheckRun(facts, steps, stream, every=steps is None, deep=deep, apart=apart))
    if steps is not None and not asked.healthy:
        facts.look(deep=deep)
        asked = _checked(CheckRun(facts, steps, stream, every=True, deep=deep, apart=apart))
    return Outcome(facts.settings.target, started, time.monotonic() - begun, asked.outcome())


def _checked(run: "CheckRun") -> "CheckRun":
    """The run, with its results in it."""
    off = [f"-pno:{name}" for name in UNUSED]
    arguments = [str(FOLDER), f"--rootdir={FOLDER.parent}", f"-c{FOLDER / 'pytest.ini'}", *off]
    arguments += ["--disable-plugin-autoload", "--capture=sys"]
    with _without("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        code = pytest.main(arguments, plugins=[run])
    if code == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt  # pytest takes Ctrl-C and only says so
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise CannotTell(f"The checks could not be run ({run.trouble or pytest.ExitCode(code).name})")
    return run


@contextmanager
def _without(*names: str) -> Iterator[None]:
    """The caller's own pytest settings are not for our checks."""
    kept = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


def wait_until_healthy(
    facts: Facts,
    seconds: float,
    tell: Callable[[Outcome], None],
    *,
    steps: tuple[int, ...] | None = None,
    stream: str | None = None,
    deep: bool = False,
    apart: frozenset[str] = frozenset(),
    may_clear: Callable[[Outcome], bool] = lambda _: True,
) -> Outcome:
    """Check again, with growing pauses, until well (from here) or the time is over. Only reads.

    ``tell`` hears each outcome that is not healthy yet. What waiting ``may_clear`` is waited for to the end,
    anything else only as long as a cloud may still show what was there before.
    """
    reader = facts.reader
    begun, pause = reader.now(), 0.5
    while True:
        outcome = check(facts, steps=steps, stream=stream, deep=deep, apart=apart)
        deadline = begun + (seconds if may_clear(outcome) else min(seconds, SETTLED_S))
        if outcome.is_well_from_here or reader.is_refused or reader.now() + pause > deadline:
            return outcome
        tell(outcome)
        reader.sleep(pause)
        pause = min(pause * 1.6, 15)
        reader.again()
        facts = facts.afresh()


class CheckRun:
    """The pytest plugin of one run: hands the facts in, takes the results out."""

    def __init__(
        self,
        facts: Facts,
        steps: tuple[int, ...] | None,
        stream: str | None,
        *,
        every: bool,
        deep: bool = False,
        apart: frozenset[str] = frozenset(),
    ) -> None:
        self.facts = facts
        self.steps = steps
        self.stream = stream
        self.every = every
        self.deep = deep
        self.apart = apart
        self.trouble = ""
        self._results: dict[str, Result | None] = {}  # in the checks' order; None: not run yet
        self._compared: tuple[str, str] = ("", "")
        self._keys: tuple[str, ...] = ()
        self._names: tuple[str, ...] = ()
        self._given: dict[str, Callable[..., Any]] = {}
        self._made_once: tuple[str, ...] = ()
        self._once: dict[str, Any] = {}

    def outcome(self) -> tuple[Result, ...]:
        """Every result asked for, explained by all that were run."""
        rows = explained(self._run)
        return tuple(row for row in rows if self._asked(row))

    @property
    def healthy(self) -> bool:
        """Whether nothing that was run needs explaining."""
        return all(row.outcome in WELL for row in self._run)

    @property
    def _run(self) -> list[Result]:
        return [row for row in self._results.values() if row]

    def _asked(self, row: Result) -> bool:
        of_step = self.steps is None or row.step in self.steps
        return of_step and (self.stream is None or row.stream in (None, self.stream))

    def pytest_configure(self, config: Any) -> None:
        config.runbook_facts = self.facts  # checks/conftest.py makes fixtures of them

    def pytest_plugin_registered(self, plugin: Any) -> None:
        if hasattr(plugin, "GIVEN"):  # checks/conftest.py
            self._given, self._made_once = plugin.GIVEN, plugin.ONCE

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = [item for item in items if check_id(item) not in self.apart]
        items.sort(key=lambda item: _step(item) or 9)  # stable: steps in order, then delivery
        if not self.every and self.steps is not None:
            items[:] = [item for item in items if _step(item) in self.steps]
        self._results = {item.nodeid: self._not_asked(item) for item in items}
        items[:] = [item for item in items if self._results[item.nodeid] is None]

    def _not_asked(self, item: Any) -> Result | None:
        """The result of a check that needs a warehouse where none is to be used: it is not run."""
        if self.deep or not item.function.claim.deep:
            return None
        return self._result(item, pytest.skip.Exception(NOT_ASKED))

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.trouble = one_line(str(report.longrepr))[-LONGEST:]

    def pytest_assertrepr_compare(self, op: str, left: Any, right: Any) -> None:
        self._keys = getattr(left, "keys", ()) if isinstance(left, list) else ()
        self._names = getattr(left, "names", ()) if isinstance(left, list) else ()
        if op in ("!=", "is not"):
            self._compared = ("absent", "present")
        elif op == "in":  # what is wanted stands on the left
            self._compared = (shown(right), shown(left))
        else:
            self._compared = beside(left, right)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: Any) -> bool:
        """Run one check; instead of pytest's own, whose fixtures take longer than the checks.

        Source: https://docs.pytest.org/en/stable/reference/reference.html (pytest_runtest_protocol)
        """
        self._compared, self._keys, self._names = ("", ""), (), ()
        error: BaseException | None = None
        try:
            item.obj(**self._arguments(item))
        except (KeyboardInterrupt, SystemExit, pytest.exit.Exception):
            raise
        except BaseException as found:  # noqa: BLE001 (what pytest.skip raises is not an Exception)
            error = found
        self._results[item.nodeid] = self._result(item, error)
        return True

    def _arguments(self, item: Any) -> dict[str, Any]:
        """What the check asks for by its parameters' names; raises what a fixture raises, such as Absent."""
        facts = self.facts
        stream = item.callspec.params.get("stream") if hasattr(item, "callspec") else None
        have: dict[str, Any] = {"facts": facts, "settings": facts.settings, "stream": stream, **self._once}

        def value(name: str) -> Any:
            if name not in have:
                if (function := self._given.get(name)) is None:
                    raise LookupError(f"{item.originalname} asks for {name}, which checks/conftest.py lacks")
                have[name] = function(**{each: value(each) for each in _names(function)})
                if name in self._made_once:
                    self._once[name] = have[name]
            return have[name]

        return {name: value(name) for name in _names(item.obj)}

    def _result(self, item: Any, error: BaseException | None) -> Result:
        claim: Claim = item.function.claim
        stream = item.callspec.params.get("stream") if hasattr(item, "callspec") else None
        base = Result(
            id=check_id(item),
            step=_step(item),
            stream=getattr(stream, "name", None),
            title=claim.says,
            outcome="passed",
            needs=claim.needs,
            deep=claim.deep,
        )
        if error is None:
            return base
        word, blocked_by, cause = _meaning(error)
        observed, expected = self._compared if word in ("failed", "advice") else ("", "")
        match error:
            case Advised() | Failing() as found:
                remedy = found.remedy or claim.remedy
            case RunbookError() as found:
                remedy = told(found.remedy or LOOK_AGAIN)
            case _:  # what the check advises is for what it has seen to be wrong
                remedy = told(LOOK_AGAIN) if word == "unknown" else claim.remedy
        if not self.facts.settings.is_ours:
            remedy = remedy.without_steps(f"whoever made it mends it; what is to be done: {claim.see}")
        return Result(
            **{
                **base.__dict__,
                "outcome": word,
                "blocked_by": blocked_by,
                "observed": observed,
                "expected": expected,
                "cause": cause,
                "remedy": remedy.filled(base.stream or "", self._keys),
                "see": claim.see,
                "elsewhere": isinstance(error, NoCredentials),
                "missing_right": getattr(error, "missing_right", ""),
                "names": self._names if word == "failed" else (),
            }
        )


@cache
def _names(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


def _meaning(error: BaseException) -> tuple[Word, tuple[str, ...], str]:
    """An exception as outcome, what it is blocked by, and the cause in words."""
    match error:
        case Absent():
            return "blocked", (error.asserted_by,), str(error)
        case RunbookError():
            return "unknown", (), f"{error.what}: {error.why}" if error.why else error.what
        case pytest.skip.Exception():
            return "skipped", (), str(error.msg)
        case Advised():
            return "advice", (), _claimed(error)
        case AssertionError():
            return "failed", (), _claimed(error)
        case _:
            return "unknown", (), f"{type(error).__name__}: {one_line(str(error))[:LONGEST]}"


def _claimed(error: BaseException) -> str:
    """What an assertion says beside the values it compared."""
    return one_line(str(error).split("\nassert ")[0].removeprefix("assert "))[:LONGEST]


def check_id(item: Any) -> str:
    """``step3.trust-external-id`` for ``check_step3_aws.py::check_trust_external_id``."""
    return f"{_area(item)}.{item.originalname.removeprefix('check_').replace('_', '-')}"


def _area(item: Any) -> str:
    found = re.fullmatch(r"check_(step\d|delivery|views).*", item.path.stem)
    return found[1] if found else item.path.stem


def _step(item: Any) -> int | None:
    area = _area(item)
    return int(area[4:]) if area.startswith("step") else None


def beside(left: Any, right: Any) -> tuple[str, str]:
    """Two compared values; in quotes where a blank is all that tells them apart."""
    if (both := (shown(left), shown(right))) and both[0] != both[1]:
        return both
    return _quoted(left), _quoted(right)


def _quoted(value: Any) -> str:
    parts = value if isinstance(value, list | tuple) else [value]
    return redacted(", ".join(map(repr, parts)))[:LONGEST]


def shown(value: Any) -> str:
    """A compared value on one line, safe for a terminal and of bounded length."""
    if isinstance(value, set | frozenset):
        value = sorted(value, key=str)
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        return _listed([one_line(part) for part in value])
    text = one_line(str(value))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _listed(parts: Sequence[str]) -> str:
    """As many of them as there is room for, none of them cut, and how many more there are."""
    whole = ", ".join(parts) or "(none)"
    if len(whole) <= LONGEST:
        return whole
    kept = 1
    while len(", ".join(parts[: kept + 1])) <= LONGEST:
        kept += 1
    first = ", ".join(parts[:kept])
    first = first if len(first) <= LONGEST else f"{first[:LONGEST]}…"
    return first + (f" and {len(parts) - kept} more" if len(parts) > kept else "")
