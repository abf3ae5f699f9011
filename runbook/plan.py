"""Changes as data, and the one function that plans, tells, applies and observes again.

A change is what an operator would otherwise type: an SQL file, or an AWS call. So a dry run is
the manual procedure, and two plans can be compared with ``==``.

Longer than 400 lines: a change, its plan, its application and what is told of a stop are one story.
"""

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile
from types import ModuleType
from typing import Any

from runbook.clouds.failures import ROLE_NOT_ASSUMED, AwsFailed, SqlFailed
from runbook.clouds.reader import Reader
from runbook.clouds.writer import Receipt, Writer
from runbook.errors import Blocked, CannotTell, NotConverged, RunbookError, SettingsWrong
from runbook.facts import Facts
from runbook.facts.aws import right
from runbook.policies.dead_rules import UNVALIDATED, of_others_alone
from runbook.policies.documents import text
from runbook.sql import statements
from runbook.terminal import note


@dataclass(frozen=True)
class SqlChange:
    """One rendered file of ``sql/``; ``stream``: the one it is for, empty where it is for none or all."""

    file: str
    sql: str
    why: str
    stream: str = ""

    def __str__(self) -> str:
        return "\n".join(f"{statement};" for statement in statements(self.sql))

    @property
    def title(self) -> str:
        """The file's path."""
        return f"sql/{self.file}"

    @property
    def done(self) -> str:
        """What is said once it is made: the file, and the stream it was for."""
        return f"{self.title} of {self.stream}" if self.stream else self.title


@dataclass(frozen=True)
class AwsChange:
    """One AWS call by its API names.

    ``before``: a read and the answer the plan was made on. It is asked again just before the
    call, and another answer stops the plan: nobody's change is overwritten.
    """

    service: str
    operation: str
    parameters: dict[str, Any]
    why: str
    before: "Before | None" = field(default=None)

    def __str__(self) -> str:
        return as_typed(self.service, self.operation, self.parameters)

    @property
    def title(self) -> str:
        """Service and operation."""
        return f"{self.service}:{self.operation}"

    @property
    def done(self) -> str:
        """What is said once it is made."""
        return self.title


@dataclass(frozen=True)
class Before:
    """What a whole-document write replaces: a read, where in its answer the document is, and the document."""

    operation: str
    parameters: dict[str, Any]
    answer: dict[str, Any]
    at: tuple[str, ...] = ()

    def still_holds(self, reader: Reader, service: str) -> bool:
        """Whether the same question still has the same answer."""
        now: Any = reader.aws(service, self.operation, **self.parameters)
        for key in self.at:
            now = now.get(key, {})
        return _unordered(answer_of(now)) == _unordered(self.answer)


def answer_of(response: Mapping[str, Any]) -> dict[str, Any]:
    """What AWS answered, as it can be compared and recorded: times as text, without the request's data."""
    kept = {key: value for key, value in response.items() if key != "ResponseMetadata"}
    found: dict[str, Any] = json.loads(json.dumps(kept, default=str))
    return found


def _unordered(answer: Mapping[str, Any]) -> dict[str, Any]:
    """An answer whose lists may come in any order, as S3's rules do."""
    return {
        key: sorted(map(text, value)) if isinstance(value, list) else text(value)
        for key, value in answer.items()
    }


Change = SqlChange | AwsChange
TRIES = 3
"""How often a document is merged again while somebody else keeps writing it."""
ENTRY_S = (1, 3, 6)
"""Between the attempts of a statement for which Snowflake assumes the role."""
VIEWS = 6
"""The number under which `invoke views` is recorded: behind the five documented steps, and none of them."""
UNSEEN_S = (1, 2, 4, 8)
"""How long a change that was made is looked for, where AWS does not show it yet."""
WHOLE, SKIP = "NotificationConfiguration", "SkipDestinationValidation"
PAUSES_S = (1, 3, 6, 10, 20, 25)
"""Between the attempts of an AWS write that is refused for the moment: a minute in all (AwsFailed)."""


@dataclass(frozen=True)
class Step:
    """One documented step: its number, its task's name, and the module with its plan."""

    number: int
    task: str
    side: str
    module: ModuleType

    @property
    def place(self) -> str:
        """How it is called where something failed."""
        return f"step {self.number}" if self.number < VIEWS else self.task

    @property
    def documented(self) -> str:
        """What the step does, from its module's docstring."""
        return (self.module.__doc__ or "").strip()

    @property
    def title(self) -> str:
        """The docstring's first line."""
        return self.documented.splitlines()[0]

    def changes(self, facts: Facts) -> Iterator[Change]:
        """What is left to do; raises Blocked or Refused. Only reads."""
        yield from self.module.plan(facts)


@dataclass(frozen=True)
class Plan:
    """What one step would change; ``blocked`` when an earlier step brings something first."""

    step: Step
    changes: tuple[Change, ...]
    blocked: Blocked | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to do."""
        return not self.changes and self.blocked is None

    @property
    def replaces_documents(self) -> bool:
        """Whether every change writes a document as a whole that others write too."""
        return all(isinstance(change, AwsChange) and change.before for change in self.changes)


def plan_step(step: Step, facts: Facts) -> Plan:
    """What the step would change now. Only reads."""
    changes: list[Change] = []
    try:
        changes.extend(step.changes(facts))
    except Blocked as blocked:
        return Plan(step, tuple(changes), blocked)
    return Plan(step, tuple(changes))


@dataclass(frozen=True)
class Applied:
    """One change as it was made, with the references the clouds gave."""

    change: Change
    receipts: tuple[Receipt, ...]


class Overtaken(NotConverged):
    """Somebody else has just changed the document that a write would replace; nothing was written."""


def apply(
    plan: Plan,
    facts: Facts,
    writer: Writer,
    tell: Callable[[Applied], None],
    ask: Callable[[str], None],
) -> Facts:
    """Make the plan's changes in order and observe again; returns the new facts. Writes.

    ``ask`` raises SettingsWrong where a person does not agree to write past somebody's dead rule.

    Where somebody else writes the same document meanwhile, before our write or over it, theirs is read and
    ours merged into it again, TRIES times in all.

    Raises Blocked before the first change if the plan is blocked; NotConverged when a cloud
    refused a change half-way or something is left to do afterwards.
    """
    if plan.blocked:
        raise plan.blocked
    made = 0
    for more in reversed(range(TRIES)):
        overtaken: RunbookError | None = None
        for change in plan.changes[made:]:
            try:
                applied = _applied(change, facts.reader, writer, ask)
            except Overtaken as error:
                overtaken = _stopped(plan, change, made, error)
                break
            except (AwsFailed, SqlFailed, RunbookError) as error:
                raise _stopped(plan, change, made, error) from None
            made += 1
            try:
                tell(applied)
            except RunbookError as error:
                raise _unrecorded(plan, made, error) from None
        seen, left = _observed(plan, facts, plan.changes[:made])
        if left.is_empty:
            return seen
        if not more or left.blocked or not (overtaken or left.replaces_documents):
            raise overtaken or _left_over(left)
        plan = Plan(plan.step, (*plan.changes[:made], *left.changes))
    raise AssertionError("unreachable")


def _observed(plan: Plan, facts: Facts, made: tuple[Change, ...]) -> tuple[Facts, Plan]:
    """The facts afterwards and what is left to do; what was made and is not seen yet is looked for again.

    IAM and S3's bucket configurations tell everybody of a change in their own time. Sources:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html (eventual consistency),
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel
    """
    for pause in (*UNSEEN_S, None):
        seen = facts.afresh()
        left = plan_step(plan.step, seen) if plan.changes else plan
        unseen = all(isinstance(change, AwsChange) and change in made for change in left.changes)
        if pause is None or left.is_empty or left.blocked or not unseen:
            return seen, left
        note(f"{', '.join(change.title for change in left.changes)}: made, and not seen yet")
        facts.reader.sleep(pause)
    raise AssertionError("unreachable")


def make(change: Change, reader: Reader, writer: Writer) -> tuple[Receipt, ...]:
    """Make one change; returns what the cloud gave back. Writes."""
    if isinstance(change, SqlChange):
        return tuple(_ran(change, statement, reader, writer) for statement in statements(change.sql))
    for pause in (*PAUSES_S, None):
        if change.before and not change.before.still_holds(reader, change.service):
            raise Overtaken(
                f"{change.title} would overwrite a change somebody else has just made",
                why="what it replaces is no longer what the plan was made on",
                remedy="run the command again; it plans afresh",
            )
        try:
            return (writer.aws(change.service, change.operation, **change.parameters),)
        except AwsFailed as error:
            if pause is None or not error.is_of_the_moment:
                raise
            note(f"{change.title}: {error}; trying again in {pause} s")
            reader.sleep(pause)
    raise AssertionError("unreachable")


def _applied(change: Change, reader: Reader, writer: Writer, ask: Callable[[str], None]) -> Applied:
    """A change as it was made: past the dead rules of others, where a person agrees. Writes."""
    try:
        return Applied(change, make(change, reader, writer))
    except AwsFailed as error:
        past = _past_dead_rules(change, error)
        if past is None:
            raise
        try:
            ask("Write it without S3's validation of the destinations?")
        except SettingsWrong:
            raise error from None
    return Applied(past, make(past, reader, writer))


def _past_dead_rules(change: Change, error: AwsFailed) -> AwsChange | None:
    """The same write without validation, where S3 refuses it for rules of others alone; None otherwise.

    What S3 does not validate may reach nobody, so it is a person's to say; ours it has just found valid.
    """
    if not isinstance(change, AwsChange) or change.before is None or WHOLE not in change.parameters:
        return None
    dead = of_others_alone(error.message, change.before.answer, change.parameters[WHOLE])
    if not dead:
        return None
    note(
        f"S3 refuses the whole document for {' and '.join(dead)}: a rule that is somebody else's and reaches "
        "nobody. It stays as it is; have its owner remove it. The other destinations S3 finds valid, so the "
        f"document can be written with {SKIP}"
    )
    return replace(change, parameters={**change.parameters, SKIP: True})


def _ran(change: SqlChange, statement: str, reader: Reader, writer: Writer) -> Receipt:
    """One statement; tried again where AWS refuses Snowflake the role, for not all of AWS knows it at once.

    Step 3 has seen Snowflake assume the role, and another part of AWS may still say no. Sources:
    https://github.com/snowflakedb/SnowAlert/pull/258 (CREATE PIPE, tried ten times),
    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html (eventual consistency)
    """
    for pause in (*ENTRY_S, None):
        try:
            return writer.sql(statement)
        except SqlFailed as error:
            if pause is None or error.errno not in ROLE_NOT_ASSUMED:
                raise
            note(f"{change.title}: Snowflake cannot assume the role; trying again in {pause} s")
            reader.sleep(pause)
    raise AssertionError("unreachable")


def _stopped(plan: Plan, change: Change, done: int, error: Exception) -> RunbookError:
    """A refusal as one paragraph; exit code 4 once something was changed, else 3."""
    if done:
        made = f"{done} of {len(plan.changes)} changes were made before it"
    elif _may_have_changed(change, error):
        made = "the file's statements before it may have been made"
    else:
        made = "nothing was changed"
    kind = NotConverged if done or _may_have_changed(change, error) else CannotTell
    why = f"{error}; {made}" if isinstance(error, AwsFailed | SqlFailed) else f"{error} {made}"
    return kind(
        f"{change.title} failed",
        where=plan.step.place,
        why=why,
        remedy=again(error, plan.step.task),
    )


def _unrecorded(plan: Plan, done: int, error: RunbookError) -> NotConverged:
    """A change that was made and could not be noted."""
    mend = re.split("[;,]", error.remedy)[0] or "mend that"
    return NotConverged(
        error.what,
        where=error.where,
        why=f"{error.why.rstrip('.')}. {done} of {len(plan.changes)} changes were made".lstrip(". "),
        remedy=f"{mend}, then run `invoke {plan.step.task}` again",
    )


def _may_have_changed(change: Change, error: Exception) -> bool:
    """Whether statements of the file went before the refused one; choosing a role changes nothing."""
    if not isinstance(change, SqlChange):
        return False
    if not isinstance(error, SqlFailed):
        return True
    before = takewhile(lambda statement: statement != error.sql, statements(change.sql))
    return not all(statement.upper().startswith("USE ") for statement in before)


TAKEN_BACK = "GRANT OWNERSHIP ON … TO ROLE … COPY CURRENT GRANTS, as ACCOUNTADMIN"


def again(error: Exception, command: str) -> str:
    """What to do where a change was refused: what is known to help, then the same command."""
    before = advice(error)
    return f"{before}then run `invoke {command}` again" if before else f"run `invoke {command}` again"


def advice(error: Exception) -> str:
    """What to do before trying again, with a comma after it; empty where nobody knows."""
    if isinstance(error, SqlFailed):
        known = {
            3001: f"let a role with that privilege run it, or take the object back ({TAKEN_BACK}), ",
            3041: "it is another role's: let that grant a privilege on it, or take it back "
            f"({TAKEN_BACK}), or name another, ",
            2003: "check that the object exists and the role may see it, ",
            3167: "Snowflake cannot assume the role yet: check `invoke verify --step 3`, ",
            606: "give the connection a warehouse, ",
            2: "ask Snowflake's support whether the account's edition and region have it, ",
        }
        return known.get(error.errno, "")
    if isinstance(error, AwsFailed) and error.code == "LimitExceeded":
        return "make room, or have the quota raised (Service Quotas), "
    if (
        isinstance(error, AwsFailed) and error.code == "EntityAlreadyExists"
    ):  # capitals and path do not count:
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-names
        return "where a name that differs only in capitals or path is taken, set another in the settings, "
    if isinstance(error, AwsFailed) and error.is_denied:
        return f"grant {right(error.service, error.operation)}, "
    if isinstance(error, AwsFailed) and UNVALIDATED in error.message:
        return (
            "have the owner of the rule that sends to that ARN remove it, or let S3 send there (S3 refuses "
            "the whole document while it stands), "
        )
    return ""


def _left_over(left: Plan) -> NotConverged:
    if left.blocked and not left.changes:
        return NotConverged(
            f"{left.step.place.capitalize()} went as far as it can",
            why=f"{left.blocked.what}. {left.blocked.why}",
            remedy=f"{left.blocked.remedy}, then `invoke {left.step.task}` again",
        )
    what = "; ".join(f"{change.title} ({change.why})" for change in left.changes) or str(left.blocked)
    return NotConverged(
        f"{left.step.place.capitalize()} was applied, and still something is left to do",
        why=what,
        remedy=f"run `invoke {left.step.task}` again; if it stays, somebody else is changing the same things",
    )


def as_typed(service: str, operation: str, parameters: Mapping[str, Any]) -> str:
    """The call as a line for the ``aws`` command."""
    from botocore import xform_name

    command = "s3api" if service == "s3" else service
    words = ["aws", command, xform_name(operation, "-")]
    for name, value in parameters.items():
        option = xform_name(name, "-")
        if isinstance(value, bool):  # the aws command takes a switch, not a word after it
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            words += [f"--{option}", _argument(value)]
    return " ".join(words)


def _argument(value: Any) -> str:
    if isinstance(value, dict | list):
        return shlex.quote(text(value))
    return shlex.quote(str(value))
