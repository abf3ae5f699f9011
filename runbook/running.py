"""What every command shares: settings, the clouds, who we are, the record, asking, and the end.

A command's errors end here: one paragraph on standard error and the documented exit code.
"""

import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from runbook import settings as reading
from runbook.clouds.connections import Clouds
from runbook.clouds.failures import SqlFailed
from runbook.clouds.reader import Reader, not_ours
from runbook.clouds.tape import Tape
from runbook.clouds.writer import Writer
from runbook.errors import CannotTell, NotConverged, NotWritten, RunbookError, SettingsWrong
from runbook.facts import Facts
from runbook.interrupts import as_ctrl_c
from runbook.plan import Applied, Change, SqlChange, again, make
from runbook.records import Record, new_run_id
from runbook.redaction import redacted
from runbook.settings import SSM, Settings
from runbook.terminal import Style, counted, note, visible, wrapped

INTERRUPTED = 130  # as a shell reports Ctrl-C
WAITED_S = 10  # of silence, before a person is told that it is a cloud that is waited for


@dataclass
class Run:
    """One command under way."""

    settings: Settings
    command: str
    reader: Reader
    writer: Writer
    record: Record
    adopt: bool = False
    yes: bool = False
    changed: int = field(default=0)

    def facts(self) -> Facts:
        """What is there now."""
        return Facts(self.reader, adopt=self.adopt)

    def applied(self, step: int, applied: Applied) -> None:
        """Note and count one change that was made; raises NotConverged where it cannot be noted."""
        self.changed += 1
        self.record.applied(step, applied)

    def make(self, change: Change) -> None:
        """Make one change and note it; raises SqlFailed or AwsFailed. Writes."""
        self.applied(0, Applied(change, make(change, self.reader, self.writer)))

    def ask(self, question: str) -> None:
        """Go on only when a person says yes; the sandbox needs no asking. Raises SettingsWrong."""
        if self.yes or self.settings.is_sandbox:
            return
        if not sys.stdin.isatty():
            raise SettingsWrong(
                "There is nobody to ask",
                where=self.settings.target,
                remedy="run it with --yes, or --dry-run first",
            )
        if answered(f"{question} [y/N] ").lower() not in ("y", "yes"):
            raise SettingsWrong("Nothing was changed: the answer was no")


def answered(question: str) -> str:
    """What a person types; raises SettingsWrong where the input ends instead (Ctrl-D)."""
    note()
    try:
        return input(visible(question)).strip()
    except EOFError:
        note()  # Ctrl-D ends no line
        raise SettingsWrong("Nothing was changed: there was no answer") from None


@contextmanager
def running(
    config: Mapping[str, Any],
    command: str,
    *,
    sides: tuple[str, ...] = ("aws", "snowflake"),
    spare: tuple[str, ...] = (),
    alone: bool = False,
    adopt: bool = False,
    yes: bool = False,
    quiet: bool = False,
    stream: str | None = None,
    partly: bool = False,
    tape: Tape | None = None,
) -> Iterator[Run]:
    """A command on its target: reads the settings, confirms who we are, says where it is.

    ``partly`` goes on with one cloud when the other refuses the sign-in.
    ``spare`` are sides a handoff can stand in for: where the settings name one (or ``alone``, without),
    they are asked only if there are credentials for them. ``tape`` keeps what the clouds answer.

    Raises SettingsWrong before anything is contacted when a setting, or the ``stream`` that is
    asked for, is wrong.
    """
    settings = reading.read(config)
    if stream is not None:
        settings.stream(stream)
    run_id = new_run_id()
    clouds = Clouds(settings, run_id=run_id, command=command)
    reader = Reader(clouds, tape=tape)
    record = Record(settings, command, run_id)
    run = Run(settings, command, reader, Writer(clouds, ready=record.make_sure), record, adopt, yes)
    with _on_record(run), _closing(clouds), _telling_who_is_waited_for(reader):
        try:
            sides = _with_credentials(reader, sides, spare, alone=alone)
            identity = reader.confirm(aws="aws" in sides, snowflake="snowflake" in sides, partly=partly)
            run.record.who = {"aws": identity.aws, "snowflake": identity.snowflake}
            if not quiet:
                who = ", ".join(part for part in (identity.aws, identity.snowflake) if part)
                note(f"target {settings.target}: {who}")
            with as_ctrl_c():
                yield run
            if not quiet:
                note(f"target {settings.target}: {_changes(run)}")
        except RunbookError as error:
            error.target = settings.target
            is_open = isinstance(error, CannotTell) and error.unreachable and run.writer.begun
            if (run.changed or is_open) and not isinstance(error, NotConverged):
                raise _after_changes(run, error) from error
            raise
        except KeyboardInterrupt:
            if run.changed or run.writer.begun:
                raise _after_changes(run, RunbookError("Interrupted")) from None
            raise


def _changes(run: Run) -> str:
    """How much the command has changed, in words."""
    return f"{counted(run.changed, 'change')} made" if run.changed else "nothing changed"


@contextmanager
def _telling_who_is_waited_for(reader: Reader) -> Iterator[None]:
    """Says which cloud has not answered for ten seconds, for twenty, for forty, and so on."""
    over = threading.Event()
    names = {"aws": "AWS", "snowflake": "Snowflake"}

    def watch() -> None:
        told = dict.fromkeys(names, WAITED_S)
        while not over.wait(1):
            waited = reader.waited_for()
            for side, name in names.items():
                seconds = waited.get(side, 0)
                if seconds < WAITED_S:
                    told[side] = WAITED_S
                elif seconds >= told[side]:
                    note(f"  {name} has not answered for {seconds:.0f} seconds; still waiting")
                    told[side] *= 2

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        over.set()


@contextmanager
def _closing(clouds: Clouds) -> Iterator[None]:
    """The sessions are ended with the command; but nobody waits for a cloud's goodbye after Ctrl-C."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, KeyboardInterrupt) and not isinstance(error.__context__, KeyboardInterrupt):
            clouds.close()
        raise
    clouds.close()


@contextmanager
def _on_record(run: Run) -> Iterator[None]:
    """How the run ended, as the last line of its record."""
    try:
        yield
    except RunbookError as error:
        run.record.ended("failed", error=str(error), exit_code=error.exit_code)
        raise
    except BaseException as error:
        run.record.ended("failed", error=type(error).__name__)
        raise
    run.record.ended("done")


def _with_credentials(
    reader: Reader, sides: tuple[str, ...], spare: tuple[str, ...], *, alone: bool
) -> tuple[str, ...]:
    """The sides to ask; the others are left to the other administrator.

    With nobody's credentials all are asked, and the first to refuse says why. A handoff in a
    parameter is AWS's to read, whatever the command is about.
    """
    handoff = reader.settings.handoff
    if not handoff and not alone:
        return (*sides, *spare)
    wanted = (*spare, "aws") if (handoff or "").startswith(SSM) else spare
    there = [side for side in dict.fromkeys(wanted) if side not in sides and has(reader, side)]
    if not sides and not there:
        return spare
    asked = (*sides, *there)
    for side in ("aws", "snowflake"):
        if side not in asked and not has(reader, side):
            reader.closed[side] = not_ours(side)
    return asked


def has(reader: Reader, side: str) -> bool:
    """Whether there are credentials for a side."""
    return reader.clouds.has_credentials(side)


def _after_changes(run: Run, error: RunbookError) -> NotConverged:
    """The same error once something was changed: exit code 4, and what was done is on record."""
    count = counted(run.changed, "change")
    made = (
        f"{count} {'was' if run.changed == 1 else 'were'} made before"
        if run.changed
        else "Its first change was under way"
    )
    noted = f"; the changes made are in {run.record.path}" if run.changed else ""
    partly = NotConverged(
        error.what,
        where=error.where,
        why=". ".join(part for part in (error.why.rstrip("."), made) if part),
        remedy=error.remedy or f"run the same command again{noted}",
    )
    partly.target = run.settings.target
    return partly


def ends(
    action: Callable[[], int], *, debug: bool = False, leave: Callable[[int], None] | None = None
) -> int:
    """The exit code of a command; tells its error as one paragraph, a traceback only on request.

    ``leave`` is called with the exit code after Ctrl-C, when threads may still wait for a cloud.
    """
    style = Style.of(sys.stderr)
    try:
        return action()
    except RunbookError as error:
        if debug:
            note(traceback.format_exc())
        note(wrapped("error: ", str(error), style, colour="red"))
        if leave and isinstance(error.__context__, KeyboardInterrupt):
            leave(error.exit_code)
        return error.exit_code
    except KeyboardInterrupt:
        note("interrupted; nothing was changed by this command")
        if leave:
            leave(INTERRUPTED)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except Exception as error:  # noqa: BLE001 (a bug of ours still ends as one paragraph)
        if debug:
            note(traceback.format_exc())
        words = f"{type(error).__name__}: {error}"
        note(
            wrapped("error: ", f"{words}. This is a mistake in snowpipe-runbook; --debug shows where.", style)
        )
        return int(getattr(error, "exit_code", 1))


def failed_by(run: Run, change: SqlChange, error: SqlFailed) -> CannotTell:
    """A change that Snowflake refused, as the end of the command."""
    return CannotTell(
        f"{change.title} failed",
        where=run.settings.target,
        why=f"{error}; nothing was changed by it",
        remedy=again(error, run.command),
    )


def known(name: str, names: tuple[str, ...]) -> None:
    """Raises SettingsWrong where a format is none of these."""
    if name not in names:
        raise SettingsWrong(f"There is no format {name!r}", remedy=f"--format {'|'.join(names)}")


STANDARD_OUTPUT = "-"
"""As ``--output`` names it."""


def write_output(text: str, path: str | None, say: Callable[[str], None]) -> None:
    """The result to a file, whole or not at all, or to standard output. Raises NotWritten.

    A device, a pipe or a link (/dev/stdout) is written to, never replaced by a file.
    """
    if path is None or path == STANDARD_OUTPUT:
        say(text)
        return
    target = Path(path)
    in_place, part = True, target
    try:
        in_place = target.is_symlink() or (target.exists() and not target.is_file())
        part = target if in_place else target.with_name(f"{target.name}.{uuid4().hex}.part")
        with part.open("w" if in_place else "x", encoding="utf-8") as file:  # x: through no link of others
            file.write(visible(redacted(text)) + "\n")
        if not in_place:
            part.replace(target)
    except OSError as error:
        if not in_place:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        raise NotWritten(
            "The result cannot be written",
            where=path,
            why=error.strerror or str(error),
            remedy="--output FILE in a folder that exists and has room",
        ) from None
