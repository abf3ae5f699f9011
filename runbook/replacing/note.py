"""What a pipe's comment carries while the pipe is being replaced."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from runbook.errors import Refused
from runbook.facts.belongings import Belongings, PipeGrant
from runbook.facts.snowflake import Load
from runbook.ledger.left import joined, split
from runbook.settings import Stream

MARK = "snowpipe-runbook replaces this pipe; `invoke replace-pipe` ends it: "


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
    shows once it is replaced.
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

    def __str__(self) -> str:
        document = {
            "comment": joined(self.comment, self.left),
            "parameters": self.belongings.parameters,
            "grants": [list(asdict(grant).values()) for grant in self.belongings.grants],
            "options": self.belongings.options,
            "channel": self.channel,
            "made_on": self.made_on.isoformat(),
            "since": self.since.isoformat(),
            "begun": self.begun.isoformat(),
            "rule_changed_at": self.rule_changed_at.isoformat() if self.rule_changed_at else None,
            "witness": self.witness.document() if self.witness else None,
        }
        return MARK + json.dumps(document, ensure_ascii=False, separators=(",", ":"))

    def no_later_than(self, moment: datetime) -> "Note":
        """The same, with ``since`` moved back where the moment is earlier; not behind what is witnessed."""
        return self if self.witness else replace(self, since=min(self.since, moment))


def read(comment: str, stream: Stream) -> Note | None:
    """The note in a comment; None in any other comment. Raises Refused where it was altered by hand."""
    if not comment.startswith(MARK):
        return None
    try:
        document = json.loads(comment.removeprefix(MARK))
        changed, witness = document["rule_changed_at"], document.get("witness")
        own, left = split(document["comment"])
        return Note(
            own,
            Belongings(
                document["parameters"],
                tuple(PipeGrant(*row) for row in document["grants"]),
                document["options"],
            ),
            document["channel"],
            datetime.fromisoformat(document["made_on"]),
            datetime.fromisoformat(document["since"]),
            datetime.fromisoformat(document.get("begun") or document["since"]),
            datetime.fromisoformat(changed) if changed else None,
            Witness(
                datetime.fromisoformat(witness["until"]),
                frozenset(witness["waiting"]),
                frozenset(witness["loaded"]),
            )
            if witness
            else None,
            left,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(
            f"The comment of {stream.pipe} cannot be read",
            why=f"a replacement was cut off and its note is damaged: {error}",
            remedy="give the pipe its grants and its comment back by hand, then run the command again",
        ) from None
