"""A plan for a person at a terminal, for a program, and for a pull request.

Every change is marked `+` (makes something), `~` (changes something) or `-` (takes something away), and a
document that others may write too is shown as the difference to what is there now.
"""

import json
import os
import re
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import unified_diff
from pathlib import Path
from typing import Any

from runbook.errors import SettingsWrong
from runbook.plan import AwsChange, Change, Plan, SqlChange
from runbook.sql import statements
from runbook.terminal import Style, counted, say, say_as_is, visible, wrapped

FORMATS = ("table", "json", "markdown", "github")
CHANGES = 10
"""The exit code of `plan --exit-code` where something is left to do."""
_TAKES_AWAY = ("Delete", "Detach", "Remove", "Untag", "DROP", "REVOKE", "UNSET")
_ALTERS = ("Update", "Put", "Set", "CreatePolicyVersion", "ALTER")
"""A new version of a policy is a change of its text."""
_WORDS = {"+": "to make", "~": "to change", "-": "to take away"}


def symbol(change: Change) -> str:
    """`+`, `~` or `-`."""
    if isinstance(change, AwsChange) and change.before:
        return "~" if any(change.before.answer.values()) else "+"
    begins = {_begins(text) for text in _texts(change)}
    if begins & set(_TAKES_AWAY):
        return "-"
    return "~" if begins and begins <= set(_ALTERS) else "+"


def _texts(change: Change) -> tuple[str, ...]:
    """What a change does: its call, or its statements; a USE says only as whom."""
    if isinstance(change, AwsChange):
        return (change.operation,)
    return tuple(text for text in statements(change.sql) if not text.upper().startswith("USE "))


def _begins(text: str) -> str:
    words = (*_TAKES_AWAY, *_ALTERS)
    return next((word for word in words if text.startswith(word)), "")


def count(plans: Sequence[Plan]) -> str:
    """`2 to make, 1 to change, 0 to take away`, or that nothing is left to do."""
    if all(plan.is_empty for plan in plans):
        return f"nothing to change in {counted(len(plans), 'step')}"
    marks = Counter(symbol(change) for plan in plans for change in plan.changes)
    said = ", ".join(f"{marks[mark]} {word}" for mark, word in _WORDS.items())
    waiting = sum(plan.blocked is not None for plan in plans)
    return said + (f"; {counted(waiting, 'step')} to be planned after an earlier one" if waiting else "")


def difference(change: Change) -> list[str]:
    """What the change writes, line by line: a document as a unified diff, all else as it would be typed."""
    if not isinstance(change, AwsChange):
        return str(change).split("\n")
    lines = [line for name, before, after in _documents(change) for line in _diff(name, before, after)]
    return lines or str(change).split("\n")


def replaced(change: Change) -> list[str]:
    """The difference that a change makes to a document that is there; empty where there is none."""
    return difference(change) if isinstance(change, AwsChange) and change.before else []


def _documents(change: AwsChange) -> Iterator[tuple[str, Any, Any]]:
    """The documents among a call's parameters: name, what is there now, and what is written."""
    for name, value in change.parameters.items():
        document = _document(value)
        if document is not None:
            yield name, _present(change, name), document


def _document(value: Any) -> Any:
    if isinstance(value, Mapping):
        return value
    if isinstance(value, str) and value.startswith("{"):
        return json.loads(value)
    return None


def _present(change: AwsChange, name: str) -> Any:
    """The document as it is, where the change was planned on it."""
    if change.before is None:
        return None
    held: Any = change.before.answer
    for key in ("Attributes", change.parameters.get("AttributeName"), name):
        held = held.get(key, held) if isinstance(held, Mapping) else held
    return _document(held)


def _diff(name: str, before: Any, after: Any) -> Iterator[str]:
    old, new = (_pretty(document) for document in (before, after))
    yield from unified_diff(old, new, f"{name}, as it is", f"{name}, as planned", lineterm="", n=2)


def _pretty(document: Any) -> list[str]:
    return json.dumps(document, indent=2, ensure_ascii=False).split("\n") if document else []


def as_json(plan: Plan) -> dict[str, Any]:
    """One step's plan for a program."""
    return {
        "step": plan.step.number,
        "task": plan.step.task,
        "changes": [_change_as_json(change) for change in plan.changes],
        "known_after_step": plan.blocked.by_step if plan.blocked else None,
        "blocked": plan.blocked.what if plan.blocked else None,
    }


def _change_as_json(change: Change) -> dict[str, Any]:
    documents = list(_documents(change)) if isinstance(change, AwsChange) else []
    return {
        "symbol": symbol(change),
        "title": change.title,
        "why": change.why,
        "text": str(change),
        "documents": [{"name": name, "before": before, "after": after} for name, before, after in documents],
    }


def as_markdown(plans: Sequence[Plan], target: str) -> str:
    """The plan as a comment of a pull request: what happens at a glance, the texts folded away."""
    lines = [f"### Plan for {_inline(target)}: {count(plans)}", ""]
    for plan in plans:
        if not plan.is_empty:
            lines += [f"**{_inline(plan.step.title)}** (`{plan.step.task}`)", ""]
            lines += [f"- {symbol(each)} `{each.title}`: {_inline(each.why)}" for each in plan.changes]
            if plan.blocked:
                lines.append(f"- Known after step {plan.blocked.by_step}: {_inline(plan.blocked.what)}")
            lines += ["", *_folded(plan)]
    return "\n".join(lines)


def _folded(plan: Plan) -> Iterator[str]:
    if plan.changes:
        fence = _fence([line for change in plan.changes for line in difference(change)])
        yield "<details><summary>Statements and documents</summary>"
        for change in plan.changes:
            yield from ("", f"{fence}{'sql' if isinstance(change, SqlChange) else 'diff'}")
            yield from (*difference(change), fence)
        yield from ("", "</details>", "")


def _fence(lines: Sequence[str]) -> str:
    """Backticks enough that no text inside ends the block."""
    longest = max((len(ticks) for line in lines for ticks in re.findall("`+", line)), default=0)
    return "`" * max(3, longest + 1)


def _inline(text: str) -> str:
    """Text from outside that stands in Markdown as text: neither markup nor HTML."""
    one_line = " ".join(text.split())
    escaped = one_line.replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{char}" if char in "\\`*_[]|" else char for char in escaped)


def for_github(plans: Sequence[Plan], target: str) -> str:
    """One annotation for the log; the Markdown goes to the job's summary, where GitHub names its file.

    Raises SettingsWrong where that file cannot be written.
    Source: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
    """
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(visible(as_markdown(plans, target)) + "\n")
        except OSError as error:
            raise SettingsWrong(
                "The job's summary cannot be written", where=summary, why=error.strerror or str(error)
            ) from None
    title = _property(f"Plan for {target}")
    return f"::notice title={title}::{_data(count(plans))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def tell(found: Plan, *, whole: bool = True) -> None:
    """The step's plan; ``whole`` also writes out every statement and call."""
    style = Style.of(sys.stdout)
    say(style.paint(wrapped("", found.step.title, style), "bold"))
    for change in found.changes:
        tell_change(change, whole=whole)
    if found.blocked:
        say(wrapped(f"  known after step {found.blocked.by_step}: ", found.blocked.what, style))
    if found.is_empty:
        say("  nothing to change")


def tell_change(change: Any, *, whole: bool = True) -> None:
    """One change on its line; ``whole`` also writes out its statements or call."""
    style = Style.of(sys.stdout)
    say(wrapped(f"  {symbol(change)} ", f"{change.title}: {change.why}", style))
    for line in f"{change}{_of_this_shell(change)}".splitlines() if whole else ():
        say_as_is(style.paint(f"      {line}", "dim"))
    for line in replaced(change) if whole else ():
        say_as_is(style.paint(f"      {line}", "dim"))


def _of_this_shell(change: Change) -> str:
    """What makes an ``aws`` line go where this process goes from another shell too: endpoint and profile."""
    if not isinstance(change, AwsChange):
        return ""
    said = (("--endpoint-url", "AWS_ENDPOINT_URL"), ("--profile", "AWS_PROFILE"))
    return "".join(f" {flag} {shlex.quote(os.environ[name])}" for flag, name in said if os.environ.get(name))
