"""What a pipe's comment carries while the pipe is being replaced."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from runbook.errors import Refused
from runbook.facts.belongings import NOTE, Belongings, PipeGrant, constants
from runbook.facts.objects import Load, Pipe
from runbook.ledger.left import joined, split
from runbook.settings import Stream

MARK = NOTE


@dataclass(frozen=True)
class Witness:
    """What the pipe at rest had loaded, where the table cannot say whose its rows are.

    Of the files last modified since ``Note.since``: up to and at ``until`` all but ``waiting``, and after it
    none but ``loaded``; names below the stream's prefix.
    """

    until: datetime
    waiting: frozenset[str]
    loaded: frozenset[str]

    def says_loaded(self, name: str, modified: datetime) -> bool:
        """Whether the pipe that was replaced had loaded the file."""
        return name in self.loaded or (modified <= self.until and name not in self.waiting)

    def document(self) -> dict[str, Any]:
        """As it stands in the note."""
        return {
            "until": self.until.isoformat(),
            "waiting": sorted(self.waiting),
            "loaded": sorted(self.loaded),
        }


@dataclass(frozen=True)
class Note:
    """Everything that must be given back, and what was missed meanwhile.

    ``since``: files last modified before were dealt with by the former pipe. ``channel``: its queue;
    ``made_on``: when it was made.
    ``rule_changed_at``: when the bucket's rule was pointed at another queue.
    ``witness``: what was loaded by then, where the table cannot say. ``begun``: when the run that wrote the
    note began, which tells two at once apart. ``left``: what the former pipe loaded in part, which no history
    shows once it is replaced. ``elsewhere``: what the former pipe was made on and does not
    find by that name now: a pipe that is paused does not say so.
    """

    comment: str
    belongings: Belongings
    channel: str | None
    made_on: datetime
    since: datetime
    begun: datetime
    rule_changed_at: datetime | None = None
    witness: Witness | None = None
    left: tuple[Load, ...] = ()
    elsewhere: tuple[str, ...] = ()

    def __str__(self) -> str:
        document = {
            "comment": joined(self.comment, self.left),
            "parameters": dict(self.belongings.parameters),
            "grants": [list(asdict(grant).values()) for grant in self.belongings.grants],
            "options": dict(self.belongings.options),
            "channel": self.channel,
            "made_on": self.made_on.isoformat(),
            "since": self.since.isoformat(),
            "begun": self.begun.isoformat(),
            "rule_changed_at": self.rule_changed_at.isoformat() if self.rule_changed_at else None,
            "witness": self.witness.document() if self.witness else None,
            **({"elsewhere": self.elsewhere} if self.elsewhere else {}),
        }
        return MARK + json.dumps(document, ensure_ascii=False, separators=(",", ":"))

    def is_of_old(self, pipe: Pipe) -> bool:
        """Whether the pipe is the one to be replaced; the one in its place is younger than the note."""
        return pipe.created_on <= self.begun or pipe.created_on == self.made_on

    def no_later_than(self, moment: datetime) -> "Note":
        """The same, with ``since`` moved back where the moment is earlier; not behind what is witnessed."""
        return self if self.witness else replace(self, since=min(self.since, moment))


class _Part(BaseModel):
    """What the comment may say: it is its owner's to write, and so not taken on trust."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Witnessed(_Part):
    until: AwareDatetime
    waiting: frozenset[str]
    loaded: frozenset[str]


class _Document(_Part):
    comment: str
    parameters: dict[str, str]
    grants: tuple[tuple[str, str, str, bool], ...]
    options: dict[str, str]
    channel: str | None
    made_on: AwareDatetime
    since: AwareDatetime
    begun: AwareDatetime | None = None
    rule_changed_at: AwareDatetime | None
    witness: _Witnessed | None = None
    elsewhere: tuple[str, ...] = ()

    def note(self) -> Note:
        """The same, its names and values as a statement may have them; raises ValueError."""
        own, left = split(self.comment)
        return Note(
            own,
            Belongings(
                constants(self.parameters),
                tuple(PipeGrant(*row) for row in self.grants),
                constants(self.options),
            ),
            self.channel,
            self.made_on,
            self.since,
            self.begun or self.since,
            self.rule_changed_at,
            Witness(**dict(self.witness)) if self.witness else None,
            left,
            self.elsewhere,
        )


def read(comment: str, stream: Stream) -> Note | None:
    """The note in a comment; None in any other comment. Raises Refused where it is not as we write it.

    Whoever owns the pipe can write its comment, and an administrator's run reads it: nothing of it reaches a
    statement but as a word, a name or a value.
    """
    if not comment.startswith(MARK):
        return None
    try:
        return _Document.model_validate_json(comment.removeprefix(MARK)).note()
    except ValueError as error:
        raise Refused(
            f"The comment of {stream.pipe} cannot be read",
            why=f"a replacement was cut off, and its note was damaged or altered: {_wrong(error)}",
            remedy="give the pipe its grants and its comment back by hand, then run the command again",
        ) from None


def _wrong(error: ValueError) -> str:
    """What does not fit, without what pydantic adds for a programmer."""
    rows = error.errors() if isinstance(error, ValidationError) else ()
    return "; ".join(f"{'.'.join(map(str, row['loc']))}: {row['msg']}" for row in rows[:3]) or str(error)
