"""The words a person reads: what broke, what is well again, what changed. Pure.

A message is the difference between what a route was told last and what is so now. So it is sent once however
often the round is repeated, and many checks or streams with one cause are one message.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from runbook.terminal import counted
from runbook.watching.causes import Cause, cause_of
from runbook.watching.history import clean, iso

TITLE = 140
LINE = 700
BLOCKS_NAMED = 4
NAMED = 10  # causes reported at length in one message

Told = Mapping[str, Cause]


@dataclass(frozen=True)
class Message:
    """What one route is told at one time."""

    id: str
    target: str
    kind: str
    at: datetime
    new: tuple[Cause, ...] = ()
    ended: tuple[Cause, ...] = ()
    open: tuple[Cause, ...] = ()
    repeated: bool = False

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong any more."""
        return not self.new and not self.open

    @property
    def title(self) -> str:
        """One line, short enough for a telephone's screen."""
        if self.kind == "test":
            return f"Snowpipe {self.target}: test message"
        if self.kind == "well":
            what = self.ended[0].title if len(self.ended) == 1 else counted(len(self.ended), "cause")
            return _cut(f"Snowpipe {self.target}: well again: {_place(self.ended)}{what}", TITLE)
        told = self.new or self.open
        more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
        word = {"broken": "broken", "changed": "changed", "reminder": "still broken"}[self.kind]
        first = told[0] if told else self.ended[0]
        where = f" [{', '.join(first.streams)}]" if first.streams else ""
        word = word if told else "one cause less"
        return (
            _cut(f"Snowpipe {self.target}: {word}{where}: {first.why or first.title}", TITLE - len(more))
            + more
        )

    @property
    def lines(self) -> tuple[str, ...]:
        """The message's paragraphs."""
        if self.kind == "test":
            return (
                "This is a test of `invoke watch --test-message`. Nothing is wrong because of it.",
                f"Sent {self.at:%Y-%m-%d %H:%M} UTC.",
            )
        found = [_told(cause, self.at) for cause in self.new[:NAMED]]
        if len(self.new) > NAMED:
            found.append(f"And {len(self.new) - NAMED} more: `invoke verify` names them.")
        found += [_over(cause, self.at) for cause in self.ended[:NAMED]]
        if self.kind == "reminder":
            found += [_told(cause, self.at) for cause in self.open[:NAMED]]
        elif self.open:
            found.append("Still wrong: " + "; ".join(_short(cause) for cause in self.open[:NAMED]) + ".")
        elif self.ended:
            found.append("Nothing else is wrong.")
        if self.repeated:
            found.append("This may reach you twice: watching was cut off while it was being sent.")
        return tuple(_cut(line, LINE * 3) for line in found)

    @property
    def text(self) -> str:
        """The whole as plain text."""
        return "\n\n".join(self.lines)

    def as_json(self) -> dict[str, Any]:
        """The message for programs: what the webhook receives; redacted, and safe to print."""
        document: dict[str, Any] = clean(
            {
                "id": self.id,
                "tool": "snowpipe-runbook",
                "target": self.target,
                "kind": self.kind,
                "at": iso(self.at),
                "well": self.is_well,
                "title": self.title,
                "text": self.text,
                "new": [cause.as_json() for cause in self.new],
                "ended": [cause.as_json() for cause in self.ended],
                "open": [cause.as_json() for cause in self.open],
                "repeated": self.repeated,
            }
        )
        return document


def difference(
    told: Told, present: Told, *, target: str, at: datetime, name: str, remind: bool = False
) -> Message | None:
    """What there is to say to whom was told ``told``; None where that is nothing.

    ``remind``: it is time to say again what is still wrong.
    """
    new = tuple(
        _with_more(cause, told.get(key)) for key, cause in present.items() if _is_new(cause, told.get(key))
    )
    ended = tuple(cause for key, cause in told.items() if key not in present)
    still = tuple(cause for key, cause in present.items() if key in told and not _is_new(cause, told[key]))
    if not new and not ended:
        if not (remind and still):
            return None
        return Message(name, target, "reminder", at, open=still)
    kind = ("changed" if told else "broken") if new else ("changed" if still else "well")
    return Message(name, target, kind, at, new=new, ended=ended, open=still)


def _is_new(cause: Cause, before: Cause | None) -> bool:
    """Whether it was not told, or not of one of its streams, or not with one of its names."""
    return before is None or not set(cause.streams) <= set(before.streams) or bool(_more(cause, before))


def _more(cause: Cause, before: Cause) -> list[str]:
    """The names that it was not told with; none where it was told without names, by a former version."""
    return [name for name in cause.names if name not in before.names] if before.names else []


def _with_more(cause: Cause, before: Cause | None) -> Cause:
    """The cause as it is told again: what has come since stands first."""
    more = _more(cause, before) if before else []
    if not more:
        return cause
    left = f" and {len(more) - NAMED} more" if len(more) > NAMED else ""
    why = cause.why[:1].lower() + cause.why[1:]
    return replace(cause, why=f"now also {', '.join(more[:NAMED])}{left}: {why}")


def as_told(causes: Told) -> dict[str, Any]:
    """What a route was told, as it is kept."""
    return {key: cause.as_json() for key, cause in causes.items()}


def from_told(kept: Mapping[str, Any]) -> dict[str, Cause]:
    """What a route was told."""
    return {key: cause_of(row) for key, row in kept.items()}


def _told(cause: Cause, now: datetime) -> str:
    where = f" ({', '.join(cause.streams)})" if cause.streams else ""
    since = f", since {cause.since:%Y-%m-%d %H:%M} UTC ({_span(cause.since, now)})" if cause.since else ""
    why = cause.why[:1].upper() + cause.why[1:]
    parts = [f"{_cut(why, LINE).rstrip('.')}{since}.", f"Cause: {cause.key}{where}, {cause.title}"]
    if cause.blocks:
        more = len(cause.blocks) - BLOCKS_NAMED
        named = ", ".join(cause.blocks[:BLOCKS_NAMED]) + (f" and {more} more" if more > 0 else "")
        parts.append(f"It blocks {named}.")
    if cause.remedy:
        parts.append(f"To do: {cause.remedy}")
    if cause.see:
        parts.append(f"See {cause.see}")
    return "\n".join(parts)


def _over(cause: Cause, now: datetime) -> str:
    lasted = f" after {_span(cause.since, now)}" if cause.since else ""
    return f"Well again{lasted}: {_short(cause)}."


def _short(cause: Cause) -> str:
    where = f" ({', '.join(cause.streams)})" if cause.streams else ""
    return f"{cause.key}{where}"


def _place(causes: tuple[Cause, ...]) -> str:
    streams = list(dict.fromkeys(stream for cause in causes for stream in cause.streams))
    return f"[{', '.join(streams)}] " if streams else ""


def _span(since: datetime, now: datetime) -> str:
    minutes = max(0, round((now - since).total_seconds() / 60))
    if minutes < 120:
        return counted(minutes, "minute")
    return (
        counted(round(minutes / 60), "hour") if minutes < 60 * 48 else counted(round(minutes / 1440), "day")
    )


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
