"""All pipes of an account: those that one environment file can hold, and why not the others. Only reads."""

from collections.abc import Callable

from runbook.clouds.reader import Reader
from runbook.discovery.described import Described
from runbook.discovery.snowflake_side import FoundPipe, name_of, pipe_of
from runbook.errors import CannotTell, Refused, RunbookError, SettingsWrong
from runbook.facts.snowflake import ask
from runbook.settings import QualifiedName

Look = Callable[[QualifiedName], tuple[Described, list[FoundPipe]]]

ELSEWHERE = "discover it into a file of its own"


def every_stream(reader: Reader, look: Look) -> tuple[Described, list[FoundPipe]]:
    """The installation with the most pipes, as ``look`` finds it; each pipe that is left out has its reason.

    An environment file holds one owner and integration. Raises CannotTell where no pipe can
    be served, with the reasons.
    """
    pipes, reasons = _seen(reader)
    for wanted in _largest_first(pipes):
        try:
            found, taken = look(wanted)
        except (Refused, CannotTell, SettingsWrong) as error:
            if isinstance(error, CannotTell) and (error.unreachable or error.final):
                raise
            reasons[wanted] = _said(error)
            continue
        _leave_out(found, taken, pipes, reasons)
        return found, taken
    raise CannotTell(
        "No pipe of the account can be served",
        why="; ".join(f"{name}: {why}" for name, why in sorted(reasons.items(), key=_by_name))
        or "there is none, or the role of the connection may see none",
        remedy="grant the role MONITOR on the pipes, and USAGE on their stages and integration",
    )


def _seen(reader: Reader) -> tuple[dict[QualifiedName, FoundPipe], dict[QualifiedName, str]]:
    """The pipes that can be read and load by themselves; and why each of the others cannot be served."""
    rows = ask(lambda: reader.sql("SHOW PIPES IN ACCOUNT"), "The account's pipes", "MONITOR on the pipes")
    stages = ask(lambda: reader.sql("SHOW STAGES IN ACCOUNT"), "The account's stages", "USAGE on the stages")
    by_name = {name_of(row): row for row in stages or ()}
    pipes: dict[QualifiedName, FoundPipe] = {}
    reasons: dict[QualifiedName, str] = {}
    for row in rows or ():
        name = name_of(row)
        if not row["notification_channel"]:
            reasons[name] = "it does not load by itself (AUTO_INGEST is off)"
            continue
        try:
            pipes[name] = pipe_of(name, row, by_name)
        except (Refused, CannotTell) as error:
            reasons[name] = _said(error)
    return pipes, reasons


def _largest_first(pipes: dict[QualifiedName, FoundPipe]) -> list[QualifiedName]:
    """The pipes, those of the largest installation first; of one installation, and of equals, by name."""
    sizes: dict[tuple[str, ...], int] = {}
    for pipe in pipes.values():
        sizes[_installation(pipe)] = sizes.get(_installation(pipe), 0) + 1
    return sorted(
        pipes, key=lambda name: (-sizes[_installation(pipes[name])], _installation(pipes[name]), str(name))
    )


def _installation(pipe: FoundPipe) -> tuple[str, ...]:
    """What all streams of one environment file have in common."""
    integration = pipe.stage["storage_integration"]
    return (pipe.owner, str(integration), "" if integration else pipe.bucket)


def _leave_out(
    found: Described,
    taken: list[FoundPipe],
    pipes: dict[QualifiedName, FoundPipe],
    reasons: dict[QualifiedName, str],
) -> None:
    """Name every pipe that became no stream, with its reason, once."""
    streams = {pipe.name for pipe in taken}
    said = {row.partition(": ")[0] for row in found.left_out}  # what one file cannot say beside the first
    others = {name: _apart(pipe, taken[0]) for name, pipe in pipes.items() if str(name) not in said}
    rows = {name: why for name, why in {**others, **reasons}.items() if name not in streams}
    own = {str(name) for name in rows}
    found.left_out = [row for row in found.left_out if row.partition(": ")[0] not in own]
    found.left_out += [f"{name}: {why}" for name, why in sorted(rows.items(), key=_by_name)]


def _apart(pipe: FoundPipe, first: FoundPipe) -> str:
    """What keeps a pipe that could be served out of the file of another one."""
    integration = pipe.stage["storage_integration"]
    if integration != first.stage["storage_integration"]:
        which = f"another integration ({integration})" if integration else "no integration"
        return f"its stage has {which}: {ELSEWHERE}"
    if not integration and pipe.bucket != first.bucket:
        return f"its files are in another bucket ({pipe.bucket}): {ELSEWHERE}"
    return f"it is of another owner: {ELSEWHERE}"


def _said(error: RunbookError) -> str:
    """An error as a reason behind a name: what and why, without its capital."""
    what = error.what.removeprefix("Settings are wrong: ").rstrip(".")
    return f"{what} ({error.why.rstrip('.')})" if error.why else what


def _by_name(row: tuple[QualifiedName, str]) -> str:
    return str(row[0])
