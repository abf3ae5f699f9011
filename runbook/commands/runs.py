"""Earlier runs, read from their records: listed, told whole, and compared. Contacts nobody."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Any

from runbook.errors import SettingsWrong
from runbook.invocation import home
from runbook.plan import VIEWS
from runbook.running import known
from runbook.sql import statements
from runbook.terminal import say_as_is

Row = dict[str, Any]


@dataclass(frozen=True)
class PastRun:
    """One record: the head that all its lines share, and its lines in order."""

    id: str
    rows: tuple[Row, ...]

    @property
    def head(self) -> Row:
        """Command, target, settings' fingerprint and who, as its last line has them."""
        return self.rows[-1]

    @property
    def changes(self) -> list[Row]:
        """The changes that were made, in order."""
        return [row for row in self.rows if "change" in row]

    @property
    def ended(self) -> str:
        """``done``, ``failed``, or ``cut off`` where the last line is missing."""
        return str(self.rows[-1].get("ended", "cut off"))

    @property
    def who(self) -> str:
        """The identities on both clouds, as far as the run asked for them."""
        return ", ".join(str(self.head[side]) for side in ("aws", "snowflake") if self.head.get(side))

    def summary(self) -> Row:
        """The run in one row."""
        return {
            "run": self.id,
            "command": self.head["command"],
            "target": self.head["target"],
            "settings": self.head["settings"],
            "who": self.who,
            "changes": len(self.changes),
            "ended": self.ended,
        }


def runs(config: Mapping[str, Any], *, show: str | None, diff: str | None, output_format: str) -> int:
    """What earlier runs changed: all of them, one, or how two differ. Contacts nobody."""
    known(output_format, ("table", "json"))
    del config
    if show and diff:
        raise SettingsWrong("--show and --diff are two questions", remedy="ask one of them")
    if diff:
        say_as_is(difference(*pair(diff)))
    elif show:
        found = find(show)
        say_as_is(json.dumps(found.rows, indent=1) if output_format == "json" else told(found))
    else:
        found_runs = every()
        as_json = json.dumps([run.summary() for run in found_runs], indent=1)
        say_as_is(as_json if output_format == "json" else table(found_runs))
    return 0


def folder() -> Path:
    """Where the records lie."""
    return home() / "runs"


def every() -> list[PastRun]:
    """All runs on record, latest first."""
    return [_read(path) for path in reversed(_paths())]


def _paths() -> list[Path]:
    """The records, oldest first; an empty one is of a run whose disk was full before it changed anything."""
    return sorted(path for path in folder().glob("*.jsonl") if path.stat().st_size)


def find(name: str) -> PastRun:
    """The run of that id, or of the end of an id, or the latest; raises SettingsWrong."""
    known = _paths()
    fit = known[-1:] if name == "latest" else [path for path in known if path.stem.endswith(name)]
    if len(fit) != 1:
        said = f"{len(fit)} runs end in {name!r}" if fit else f"There is no run {name!r}"
        raise SettingsWrong(said, where=str(folder()), remedy="`invoke runs` lists them")
    return _read(fit[0])


def pair(text: str) -> tuple[PastRun, PastRun]:
    """The two runs of ``A..B``; raises SettingsWrong."""
    one, dots, other = text.partition("..")
    if not (one and dots and other):
        raise SettingsWrong(
            f"--diff {text} names no two runs", remedy="--diff A..B, such as --diff 1f9c0a..latest"
        )
    return find(one), find(other)


def _read(path: Path) -> PastRun:
    """One record; a last line that was cut off is left out. Raises SettingsWrong for any other damage."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = tuple(json.loads(line) for line in (lines if _is_whole(lines[-1:]) else lines[:-1]))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from None
    if not rows or not all(_is_ours(row) for row in rows):
        raise _damaged(path, "a line of it is not a record of this program")
    found = PastRun(path.stem, rows)
    try:
        told(found)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, f"a line of it is not as this program writes it: {error!r}") from None
    return found


def _is_ours(row: object) -> bool:
    """Whether it is a line of a record: what else stands in it depends on the line."""
    head = ("at", "command", "target", "settings")
    return isinstance(row, dict) and all(isinstance(row.get(key), str) for key in head)


def _is_whole(last: list[str]) -> bool:
    try:
        json.loads("".join(last))
    except (ValueError, RecursionError):
        return False
    return True


def _damaged(path: Path, why: str) -> SettingsWrong:
    return SettingsWrong("A record cannot be read", where=str(path), why=why, remedy="move the file away")


def table(runs: Sequence[PastRun]) -> str:
    """One line a run."""
    from tabulate import tabulate

    if not runs:
        return f"no runs on record in {folder()}"
    shown = ("run", "command", "target", "changes", "ended")
    rows = [{name: run.summary()[name] for name in shown} for run in runs]
    return tabulate(rows, headers="keys", tablefmt="simple")


def told(run: PastRun) -> str:
    """The whole run: who and where, each plan, each change with the clouds' references, checks, the end."""
    return "\n".join(_told(run, references=True))


def difference(one: PastRun, other: PastRun) -> str:
    """What is in only one of two runs, or differs: as a unified diff, times and references left out."""
    lines = unified_diff(
        list(_told(one, references=False)),
        list(_told(other, references=False)),
        fromfile=one.id,
        tofile=other.id,
        lineterm="",
        n=2,
    )
    return "\n".join(lines) or f"{one.id} and {other.id} did the same"


def _told(run: PastRun, *, references: bool) -> Iterator[str]:
    head = run.head
    if references:
        yield f"run       {run.id}"
        yield f"begun     {run.rows[0]['at']}"
    yield f"command   invoke {head['command']}"
    yield f"target    {head['target']}"
    yield f"settings  {head['settings']}"
    yield f"who       {run.who}"
    for row in run.rows:
        yield from _line(row, references=references)
    yield f"ended     {run.ended}" + (f": {head['error']}" if head.get("error") else "")


def _line(row: Row, *, references: bool) -> Iterator[str]:
    if "planned" in row:
        place = "views" if row["step"] == VIEWS else f"step {row['step']}"
        yield f"plan      {place}: {', '.join(each['change'] for each in row['planned'])}"
    elif "checks" in row:
        red = [
            f"{name} {word}"
            for name, word in row["checks"].items()
            if word not in ("passed", "advice", "skipped")
        ]
        passed = sum(word == "passed" for word in row["checks"].values())
        yield f"checks    step {row['step']}: {passed} passed{''.join(f', {each}' for each in red)}"
    elif "hops" in row:
        hops = ", ".join(f"{hop} {seconds:.1f} s" for hop, seconds in row["hops"].items())
        stopped = f"; it went no further: {row['problem']}" if row["problem"] else ""
        yield f"canary    {row['canary']}: {hops or 'not sent'}{stopped}"
    elif "change" in row:
        yield f"change    {row['change']}: {row.get('why', 'to time each hop')}"  # of a canary, formerly
        yield from _text(row, references=references)
        yield from _replaced(row)


def _text(row: Row, *, references: bool) -> Iterator[str]:
    """The statements or the call, each with the id the cloud gave it."""
    pieces = statements(row["text"]) if row["change"].startswith("sql/") else (row["text"],)
    given = row.get("references", ())
    for number, piece in enumerate(pieces):
        yield from (f"            {line}" for line in piece.splitlines())
        if references and number < len(given):
            yield f"            -- {given[number]}"


def _replaced(row: Row) -> Iterator[str]:
    """What a whole-document write changed, line by line."""
    if "before" not in row:
        return
    parameters = row.get("parameters", {})
    after = parameters.get("NotificationConfiguration")
    if after is None:
        after = json.loads(parameters.get("PolicyDocument") or parameters.get("AttributeValue") or "{}")
    old, new = (
        json.dumps(document, indent=1, sort_keys=True).splitlines() for document in (row["before"], after)
    )
    for line in unified_diff(old, new, "before", "after", lineterm="", n=1):
        yield f"            {line}"
