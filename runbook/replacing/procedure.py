"""The replacement of one pipe: what is left to do of it now, and doing it. Cut off anywhere, it goes on.

Longer than 400 lines: one procedure, in its order.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from runbook.clouds.failures import SqlFailed
from runbook.errors import Blocked, NotConverged, Refused
from runbook.facts import Facts
from runbook.facts.belongings import Belongings, belongings, in_progress
from runbook.facts.delivery import bound_elsewhere
from runbook.facts.objects import Load, Pipe, PipeStatus, StagedFile
from runbook.facts.snowflake import REFRESH_DAYS
from runbook.facts.topic import is_topic
from runbook.ledger import looking
from runbook.ledger.asked import Asked
from runbook.ledger.classes import Evidence, Kind
from runbook.ledger.evidence import evidence as known
from runbook.ledger.left import split
from runbook.loading.leases import ALONE_S, Holding, leased
from runbook.loading.loader import Loaded, Loader, Stop
from runbook.loading.planning import BackfillPlan, plan_files
from runbook.plan import AwsChange, SqlChange
from runbook.replacing import statements
from runbook.replacing.note import MARK, Note, read
from runbook.replacing.witness import SECOND, witnessed
from runbook.running import Run
from runbook.settings import Identifier, Stream
from runbook.sql import literal
from runbook.steps.step5_aws import plan_rules, refuse_without_a_rule
from runbook.terminal import note as tell
from runbook.wanted.pipeline import pipe_definition, same_statement

ACTIVATION = timedelta(minutes=5)
"""How long a changed rule may take to work.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-enable-disable-notification-intro.html"""

PAUSED = "PIPE_EXECUTION_PAUSED"


@dataclass(frozen=True)
class Replacement:
    """What is left to do. ``why`` is empty where the pipe need not be replaced (any more).

    ``note``: what must be given back; None where nothing was begun and nothing is to do.
    """

    stream: Stream
    pipe: Pipe
    status: PipeStatus
    definition: str
    have: Belongings
    why: str
    note: Note | None

    @property
    def is_stopped(self) -> bool:
        """Whether the pipe loads nothing and cannot be paused."""
        return self.status.is_stopped_for_good

    @property
    def stays_paused(self) -> bool:
        """Whether somebody else paused it, and it is to be paused afterwards."""
        return self.note is not None and self.note.belongings.parameters.get(PAUSED) == "TRUE"

    @property
    def was_held(self) -> bool:
        """Whether a run that was cut off holds the pipe: a person's pause by SQL looks like its own."""
        return bool(self.pipe.comment.startswith(MARK) and self.note and self.note.is_of_old(self.pipe))


def look(facts: Facts, stream: Stream) -> Replacement:
    """What is left to do now. Only reads; raises Blocked without a pipe, Refused where it cannot go well."""
    have = belongings(facts.reader, stream) if _exists(facts.afresh(), stream) else None
    # read after the parameters: who sees our pause then also sees our note
    pipe, status = facts.pipe(stream), facts.pipe_status(stream)
    if have is None or pipe is None or status is None:
        raise Blocked(f"The pipe {stream.pipe} does not exist", by_step=4, remedy="invoke step4-snowflake")
    definition = pipe_definition(facts.settings, stream)
    begun, why = read(pipe.comment, stream), ""
    if not same_statement(pipe.definition, definition):
        why = "its COPY is not the one in sql/step4_snowflake"
    elif status.is_stopped_for_good:
        why = f"it is {status.execution_state}, and only another pipe loads again"
    elif elsewhere := bound_elsewhere(stream, status) or _noted_elsewhere(begun, pipe):
        why = f"it was made on {', '.join(elsewhere)}, by the name that has now"
    if why or stream.sns_topic or "AWS_SNS_TOPIC" in have.options:  # not a converted pipe that may stay
        why = " and ".join(filter(None, (why, told_otherwise(stream, have, pipe))))
    note = begun = _as_it_is(begun, pipe, have) if begun else None
    if why:
        made, now = pipe.created_on, facts.now
        own, left = split(pipe.comment)
        note = begun or Note(own, have, pipe.notification_channel, made, now, now, left=left)
        note = replace(note, elsewhere=tuple(bound_elsewhere(stream, status)) or note.elsewhere)
        note = note.no_later_than(_missed_since(facts, pipe, status))
    return Replacement(stream, pipe, status, definition, have, why, note)


def told_otherwise(stream: Stream, have: Belongings, pipe: Pipe) -> str:
    """What is said where the new pipe will be notified in another way than the one that is there."""
    heard, wanted = _topic(have, pipe), literal(stream.sns_topic) if stream.sns_topic else ""
    if heard == wanted:
        return ""
    if wanted:
        return f"it listens to {heard or 'no topic'}, the settings name {wanted}"
    return f"it listens to {heard}, the settings name no topic: the new pipe has a queue of its own"


def _topic(have: Belongings, pipe: Pipe) -> str:
    """The topic that the pipe listens to, quoted; of a pipe that was converted the channel alone names it.

    Source: https://docs.snowflake.com/en/sql-reference/functions/system_convert_pipes_sqs_to_sns
    """
    channel = pipe.notification_channel or ""
    return str(have.options.get("AWS_SNS_TOPIC") or (literal(channel) if is_topic(channel) else ""))


def _as_it_is(begun: Note, pipe: Pipe, have: Belongings) -> Note:
    """The note of a replacement that was cut off, with what people have granted and set since.

    What is to be replaced has lost nothing yet: only the pause may be ours. The pipe in its place runs from
    the start: where it is paused, somebody has paused it.
    """
    noted = begun.belongings
    if not begun.is_of_old(pipe):
        grants = tuple(sorted({*noted.grants, *have.grants}))
        return replace(
            begun, belongings=Belongings({**noted.parameters, **have.parameters}, grants, noted.options)
        )
    parameters = {name: value for name, value in have.parameters.items() if name != PAUSED}
    if PAUSED in noted.parameters:
        parameters[PAUSED] = noted.parameters[PAUSED]
    return replace(begun, belongings=Belongings(parameters, have.grants, have.options))


def _noted_elsewhere(begun: Note | None, pipe: Pipe) -> tuple[str, ...]:
    """What a pipe does not find that was paused to be replaced, and has not been: paused, it does not say."""
    return begun.elsewhere if begun and begun.is_of_old(pipe) else ()


def _exists(facts: Facts, stream: Stream) -> bool:
    return facts.pipe(stream) is not None


def _missed_since(facts: Facts, pipe: Pipe, status: PipeStatus) -> datetime:
    """From when on a file may be one that the pipe will not have dealt with when it is replaced.

    What waits in its queue was announced since ``oldestFileTimestamp``, or was up to 7 days old when a
    REFRESH put it there. A pipe that is stopped lost everything since its last load.
    """
    patience = timedelta(minutes=facts.settings.checks.loaded_within_minutes)
    since: datetime = facts.now
    if status.is_stopped_for_good:
        since = status.time("lastIngestedTimestamp") or pipe.created_on
    if status.pending_files:
        oldest = status.time("oldestFileTimestamp") or since
        since = min(since, oldest - timedelta(days=REFRESH_DAYS))
    return since - patience


def refuse_what_cannot_be_told(facts: Facts, found: Replacement) -> None:
    """Stop before anything is done where nobody could say afterwards which files are missing."""
    stream = found.stream
    if found.note:
        witnessed(facts, stream, found.note)
    if not stream.sns_topic and (topic := _topic(found.have, found.pipe)):
        refuse_without_a_rule(facts, stream, topic.strip("'"))
    oldest = found.status.time("oldestFileTimestamp")
    if found.stays_paused and oldest and facts.now - oldest > timedelta(days=REFRESH_DAYS, hours=-1):
        raise Refused(
            f"{stream.pipe} is paused, and files wait in its queue since {oldest:%Y-%m-%d %H:%M} UTC",
            why=f"a new pipe, paused as well, can only be given files of {REFRESH_DAYS} days",
            remedy=f"invoke resume --stream {stream.name}, then run the command again",
        )


@dataclass
class Replacing:
    """One pipe's replacement under way."""

    run: Run
    stream: Stream
    holding: Holding | None = None

    def work(self, found: Replacement) -> BackfillPlan | None:
        """Do what is left, alone: nobody loads meanwhile; the files looked at afterwards. Writes.

        Raises NotConverged with what is missing until it is done, Refused where another command is at work.
        """
        with leased(self.run, self.stream, alone=True) as self.holding:
            return self._work(found)

    def _alone(self) -> None:
        """Still alone, before a look and the statement that stands on it."""
        if self.holding is not None:
            self.holding.hold(ALONE_S)

    def _work(self, found: Replacement) -> BackfillPlan | None:
        if found.why:  # a person was asked meanwhile, and another one may have paused it or granted a role
            found = look(self.run.facts(), self.stream)
        if found.why:
            refuse_what_cannot_be_told(self.run.facts(), found)
            self._replace(found)
        found = look(self.run.facts(), self.stream)
        if found.note is None:
            return None  # somebody else has ended it
        self._give_back(found, found.note)
        note = self._point_the_rule_at(found, found.note)
        plan = self._load(found, note)
        self._wait_for_the_rule(note)
        self._make(statements.end(self.stream, found.pipe, note))
        return plan

    # -- 1 to 3: hold, wait, replace -------------------------------------------------------------------

    def _replace(self, found: Replacement) -> None:
        if found.note is None:
            raise AssertionError("a replacement without a note")
        note = found.note if found.is_stopped else replace(found.note, begun=self.run.facts().now)
        begun = note.begun
        self._try_the_level(found, note)
        if not found.is_stopped:
            self._make(statements.hold(self.stream, found.pipe, note))
            self._wait_for_quiet(found)
        self._alone()
        now = look(self.run.facts(), self.stream)
        is_another = now.pipe.created_on != found.pipe.created_on
        if now.note is None or (is_another and not now.why):
            return  # somebody else has replaced it meanwhile; a paused pipe does not say why it is to be
        try:
            note = witnessed(self.run.facts(), self.stream, now.note.no_later_than(note.since))
        except Refused:
            self._undo(now, now.note)
            raise
        if note.witness:
            self._stop_where_another_run_is_at_it(found, begun)
        change = statements.create(self.stream, now.pipe, note, now.definition)
        if self.holding is not None:
            self.holding.keep()
        try:
            self._make(change)
        except SqlFailed as error:
            self._undo(now, note)
            raise Refused(
                f"Snowflake does not take the new COPY of {self.stream.pipe}",
                why=f"{error}; the pipe is as it was",
                remedy="correct the statement in sql/step4_snowflake, or what it needs, and run it again",
            ) from None

    def _try_the_level(self, found: Replacement, note: Note) -> None:
        """Raises Refused where LOG_EVENT_LEVEL could not be given back. Writes what is there already."""
        change = statements.level(self.stream, found.pipe, note)
        if change is None:
            return
        try:
            self._make(change)
        except SqlFailed as error:
            owner = Identifier(found.pipe.owner).sql
            raise Refused(
                f"{self.stream.pipe} has a {statements.EVENT_LEVEL} that {owner} may not set",
                why=f"{error}; a new pipe would lose it. Nothing was changed",
                remedy=f"GRANT MODIFY LOG EVENT LEVEL ON ACCOUNT TO ROLE {owner}, as ACCOUNTADMIN; or take "
                f"it off: ALTER PIPE {self.stream.pipe.sql} UNSET {statements.EVENT_LEVEL}",
            ) from None

    def _stop_where_another_run_is_at_it(self, found: Replacement, begun: datetime) -> None:
        """What a note witnesses is true of one pipe; raises NotConverged where that is not it any more."""
        now = look(self.run.facts(), self.stream)
        mine = now.note is not None and (found.is_stopped or now.note.begun == begun)
        if not mine or now.pipe.created_on != found.pipe.created_on:
            raise NotConverged(
                f"Another run is replacing {self.stream.pipe}",
                remedy=f"run `invoke replace-pipe --stream {self.stream.name}` again when it has ended",
            )

    def _wait_for_quiet(self, found: Replacement) -> None:
        """Until the paused pipe loads nothing any more. A paused pipe's queue need not drain."""
        reader, pause = self.run.reader, 0.1
        deadline = reader.now() + self.run.settings.checks.ready_within_seconds
        while True:
            status = self.run.facts().pipe_status(self.stream)
            state = status.execution_state if status else ""
            if status and status.is_stopped_for_good:
                return
            if state == "PAUSED" and not in_progress(reader, self.stream):
                return
            if reader.now() > deadline:
                self._undo(found, found.note)
                raise NotConverged(
                    f"{self.stream.pipe} did not come to rest",
                    why=f"it is {state or 'not there'}, or a load is still under way; it was resumed",
                    remedy="run the same command again when fewer files arrive",
                )
            reader.sleep(pause)
            pause = min(pause * 1.5, 5)

    def _undo(self, found: Replacement, note: Note | None) -> None:
        """The old pipe as it was before."""
        if note is None:
            return
        have = belongings(self.run.reader, self.stream)
        for change in statements.parameters(self.stream, found.pipe, note.belongings, have):
            self._make(change)
        self._make(statements.end(self.stream, found.pipe, note))

    # -- 4: what the new pipe lost ---------------------------------------------------------------------

    def _give_back(self, found: Replacement, note: Note) -> None:
        for change in restored(found, note):
            self._make(change)

    def _point_the_rule_at(self, found: Replacement, note: Note) -> Note:
        """The bucket's rule, when the queue is another one; noted, for it takes minutes to work."""
        if found.pipe.notification_channel == note.channel or note.rule_changed_at:
            return note
        self.run.reader.confirm(aws=True, snowflake=False)
        facts = self.run.facts()
        for change in plan_rules(facts, (self.stream,)):
            self._make(change)
        note = replace(note, rule_changed_at=facts.now)
        self._make(statements.keep(self.stream, found.pipe, note))
        return note

    # -- 5: what waited in the old queue ---------------------------------------------------------------

    def _load(self, found: Replacement, note: Note) -> BackfillPlan:
        """Load what is missing since then; raises NotConverged where it is not loaded yet."""
        self._alone()
        plan = self._plan(note, paused=found.stays_paused)
        loaded = Loaded()
        if plan.to_load:
            tell(f"{self.stream.name}: {len(plan.to_load)} files waited for the former pipe")
            with Stop().listening() as stop:
                loaded = Loader(self.run, self.stream, plan, stop, lambda *_: None, self.holding).load()
            plan = self._plan(note, paused=found.stays_paused)
        if plan.to_load and not found.stays_paused:
            first = plan.to_load[0].file.key
            raise NotConverged(
                f"{self.stream.pipe} is replaced; {len(plan.to_load)} files that waited are not loaded yet",
                where=first,
                why=loaded.why.get(first, "it came up meanwhile"),
                remedy=f"run `invoke replace-pipe --stream {self.stream.name}` again: it goes on",
            )
        if any(
            plan.evidence.may_be_half_way(verdict.file) for verdict in plan.verdicts(kinds=[Kind.IN_FLIGHT])
        ):
            until = note.made_on + timedelta(minutes=self.run.settings.checks.loaded_within_minutes)
            raise NotConverged(
                f"{self.stream.pipe} is replaced; what a pipe before it was loading may still be under way",
                why=f"the pipe that was replaced had itself been made at {note.made_on:%H:%M:%S} UTC",
                remedy=f"run `invoke replace-pipe --stream {self.stream.name}` again "
                f"after {until:%H:%M:%S} UTC",
            )
        return plan

    def _plan(self, note: Note, *, paused: bool) -> BackfillPlan:
        facts = self.run.facts()
        asked = waited(note, paused=paused)
        files = looking.listed(facts, self.stream)
        return plan_files(asked, files, at_rest(known(facts, self.stream), note, files))

    def _wait_for_the_rule(self, note: Note) -> None:
        """What was announced to the old queue before the rule worked is loaded by another run."""
        if note.rule_changed_at is None:
            return
        works_at = note.rule_changed_at + ACTIVATION
        if self.run.facts().now < works_at:
            raise NotConverged(
                f"The queue of {self.stream.pipe} is another one, and the bucket's rule was pointed at it",
                why="S3 may take five minutes until the new rule works, and what it announces to the old "
                "queue until then reaches no pipe",
                remedy=f"run `invoke replace-pipe --stream {self.stream.name}` again "
                f"after {works_at:%H:%M:%S} UTC: it loads those files and ends",
            )

    def _make(self, change: SqlChange | AwsChange) -> None:
        self.run.make(change)


def waited(note: Note, *, paused: bool) -> Asked:
    """Every file that the former pipe may not have dealt with."""
    return Asked(re.compile(".*", re.DOTALL), since=note.since, queue_while_paused=paused)


def at_rest(evidence: Evidence, note: Note, files: Iterable[StagedFile]) -> Evidence:
    """The evidence where the old pipe is not half-way: it was paused and at rest before it was replaced.

    Nor need what has just arrived be waited for: a file that the new pipe learns of by REFRESH and its event
    is loaded once, for it remembers the name. But a pipe before the old one may still be loading.
    What the note says was loaded is there as if the history still said so; of how many rows, the note does
    not say: of as many as the table has.
    """
    found = replace(evidence, patience=timedelta(0), former=((note.made_on, evidence.patience),))
    if note.witness is None:
        return found
    stream, since, until = evidence.stream, note.since - SECOND, note.witness.until
    rows = {key: had.rows for key, had in (found.table.files or {}).items()}
    noted = tuple(
        Load(
            file.key,
            "LOADED",
            max(until, file.modified),
            rows.get(file.key, 1),
            rows.get(file.key, 1),
            0,
            "",
            str(stream.pipe.name),
        )
        for file in files
        if file.modified >= since
        and note.witness.says_loaded(file.key.removeprefix(stream.prefix), file.modified)
    )
    return replace(found, recent=(*noted, *evidence.recent), noted_since=since)


def restored(found: Replacement, note: Note) -> Iterator[SqlChange]:
    """Parameters and grants as they were before."""
    yield from statements.parameters(found.stream, found.pipe, note.belongings, found.have)
    yield from statements.grants(found.stream, found.pipe, note.belongings, found.have)
