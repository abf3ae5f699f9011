"""Random schedules: what may happen to a pipeline, one thing after the other, and people working on it.

A schedule is a list of actions with a seed each, so it can be played again and made shorter.
"""

import random
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

from greenlet import GreenletExit, greenlet

from runbook.clouds.failures import AwsFailed, SqlFailed
from runbook.clouds.reader import Reader
from runbook.clouds.writer import Writer
from runbook.commands import backfill as backfilling
from runbook.commands.pause import switch_stream
from runbook.commands.refresh import refresh_stream
from runbook.errors import NotConverged, RunbookError
from runbook.ledger import looking
from runbook.ledger.asked import read as read_asked
from runbook.ledger.verdicts import NOT_ALONE
from runbook.loading.planning import BackfillPlan
from runbook.replacing.procedure import Replacing, look, refuse_what_cannot_be_told
from runbook.running import Run
from runbook.settings import Settings
from runbook.wanted.pipeline import pipe_definition
from tests.simulation.session import Killed, ModelClouds, Session
from tests.simulation.world import REFRESH_REACH, World

Step = tuple[str, int]
Command = Callable[[Run], object]

COMMANDS = (4, 4, 1, 1)
"""How often each of Play.commands is chosen."""

NAMES = ("d1/a.gz", "d1/ab.gz", "d1/a.gz.gz", "d1/b.gz", "d2/a.gz", "d2/c.gz", "d2/cc.gz", "e.gz")

THEIRS = ("table_made_anew", "pipe_made_anew", "pipe_made_anew_half_way", "pipe_stopped")


class Silent:
    """A record that keeps nothing."""

    path = "nowhere"

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.who = {"snowflake": "SOMEBODY@MODEL"}

    def applied(self, *_: object) -> None:
        pass


class Operator:
    """One command under way; it stops before every statement until it is told to go on."""

    def __init__(self, name: str, play: "Play", command: Command) -> None:
        self.name = name
        self.play = play
        self.command = command
        self.run_id = f"run-{id(self)}"
        self.ended = ""
        self.result: Any = None
        self.failure: BaseException | None = None
        self.statement = ""
        self.session: Session | None = None
        self.killed = False
        self.kill_after = False
        self.clouds = ModelClouds(play.settings, play.stream, play.world, self.turn)
        self.clouds.has_file = play.has_file
        self._fiber = greenlet(self._work)

    @property
    def is_blocked(self) -> bool:
        """Whether its next statement waits for somebody's transaction."""
        return self.session is not None and self.session.waits(self.statement)

    def start(self) -> None:
        self._fiber.switch()

    def step(self) -> None:
        """Let it run its next statement, up to the one after."""
        self._fiber.switch()

    def kill(self) -> None:
        """End its process here."""
        self.killed = True
        self.clouds.close()
        self.step()

    def turn(self, statement: str, session: Session | None, before: bool) -> None:
        if self.killed:
            raise Killed
        if not before:
            if self.kill_after:
                self.killed = True
                self.clouds.close()
                raise Killed
            return
        self.statement, self.session = statement, session
        try:
            self._fiber.parent.switch()
        except GreenletExit:  # nobody waits for it any more
            self.killed = True
        if self.killed:
            raise Killed

    def now(self) -> float:
        return self.play.world.now.timestamp()

    def sleep(self, seconds: float) -> None:
        if self.killed:
            raise Killed
        self.play.world.now += timedelta(seconds=max(seconds, 0.5))
        self.play.work_a_little(self.play.random)

    def _work(self) -> None:
        play = self.play
        reader = Reader(self.clouds, now=self.now, sleep=self.sleep)
        record = Silent(self.run_id)
        run = Run(play.settings, self.name, reader, Writer(self.clouds), record, yes=True)  # type: ignore[arg-type]
        try:
            self.result = self.command(run)
            self.ended = "done"
        except Killed:
            self.ended = "killed"
        except (RunbookError, SqlFailed, AwsFailed) as error:
            self.ended = f"{type(error).__name__}: {error}"
        except BaseException as error:  # noqa: BLE001 (told by the test)
            self.failure = error
        finally:
            if not self.killed:
                self.clouds.close()

    @property
    def is_alive(self) -> bool:
        return not self.ended and self.failure is None


@dataclass
class Play:
    """One schedule being played."""

    settings: Settings
    seed: int
    steps: list[Step]
    story: list[str] = field(default_factory=list)
    kind: ClassVar[type[World]] = World

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.stream = self.settings.stream("events")
        self.wanted = pipe_definition(self.settings, self.stream)
        self.old = self.wanted.replace("ON_ERROR = SKIP_FILE", "ON_ERROR = CONTINUE")
        self.has_file = self.random.random() < 0.85
        lag = self.random.choice([None, timedelta(hours=2), timedelta(days=2)])
        definition = self.random.choice([self.wanted, self.old])
        self.world = self.kind(definition, prefix=self.stream.prefix, account_lag=lag)
        self.world.pipe.grants = {("ROLE", "SNOWPLOW_OPERATOR", p, False) for p in ("MONITOR", "OPERATE")}
        self.world.pipe.comment = "ours"
        self._files = self._version = 0
        self.truncated = False
        self.tell(f"_file {self.has_file}, ACCOUNT_USAGE {lag}, COPY wanted {definition == self.wanted}")

    def tell(self, line: str) -> None:
        self.story.append(f"{self.world.now:%m-%d %H:%M:%S} {line}")

    def play(self) -> None:
        for name, seed in self.steps:
            getattr(self, name)(random.Random(seed))

    # -- the world -------------------------------------------------------------------------------------

    def put(self, chance: random.Random) -> None:
        """A file arrives: new or again, good or bad, announced on time, late, twice or never."""
        if chance.random() < 0.15:
            name = chance.choice(NAMES)
        else:
            self._files += 1
            name = f"{chance.choice(('d1', 'd2', 'd2/x'))}/{chance.choice('ab')}{self._files}.gz"
        if chance.random() < 0.05:
            name = name.removesuffix(".gz") + ".txt"
        self._version += 1
        if (
            self.world.prefix + name in self.world.bucket
        ):  # an overwrite in the second of the load is not seen
            self.world.now = self.world.now.replace(microsecond=0) + timedelta(seconds=1)
        count = chance.choice((0, 1, 2, 2, 3))
        rows: tuple[str, ...] | None = tuple(f"{name}-{self._version}-{n}" for n in range(count))
        if chance.random() < 0.12:
            rows = None
        late = timedelta(seconds=chance.choice((0, 1, 30, 600, 7200, 86400)))
        delays = chance.choice([(timedelta(),)] * 5 + [(late,), (), (timedelta(), late), (late, late)])
        self.world.put(name, rows, delays=delays)
        said = "bad" if rows is None else f"{len(rows)} rows"
        self.tell(f"put {name} ({said}), events after {[str(each) for each in delays]}")

    def wait(self, chance: random.Random) -> None:
        span = chance.choice(
            [timedelta(seconds=3)] * 3
            + [timedelta(minutes=20)] * 3
            + [timedelta(hours=3), timedelta(days=1), timedelta(days=3), timedelta(days=8)]
            + [timedelta(days=15), timedelta(days=66)]
        )
        for _ in range(chance.choice((0, 1, 3))):
            self.work_a_little(chance)
        self.pass_time(span)

    def pass_time(self, span: timedelta) -> None:
        """Time goes by, and what falls due in it happens in its time."""
        until = self.world.now + span
        while True:
            self.world.settle() if span > timedelta(minutes=1) else self.world.deliver()
            due = [message.due for message in self.world.messages if message.due <= until]
            if not due:
                break
            self.world.now = max(min(due), self.world.now)
        self.world.now = until
        self.tell(f"{span} go by")

    def work_a_little(self, chance: random.Random) -> None:
        """Whatever goes on by itself."""
        world = self.world
        roll = chance.random()
        if roll < 0.3:
            world.deliver()
        elif roll < 0.6:
            world.begin_load(chance.choice((1, 1000)))
        elif roll < 0.9:
            world.finish_load(chance.choice((1, 1000)))
        else:
            world.now += timedelta(seconds=chance.choice((1, 5, 60)))

    def pipe_made_anew(self, chance: random.Random) -> None:
        """Somebody runs CREATE OR REPLACE PIPE; not in the minutes in which the table was made anew."""
        if self.world.now - self.world.table.created_on < timedelta(minutes=15):
            self.pass_time(timedelta(minutes=20))
        definition = chance.choice([self.wanted, self.old])
        self.world.new_queue_each_time = chance.random() < 0.2
        self.world.replace_pipe(definition, comment="ours")
        if self.world.rule_queue:
            self.world.rule_queue = self.world.pipe.queue
        self.tell(f"pipe made anew, COPY wanted {definition == self.wanted}")

    def pipe_made_anew_half_way(self, chance: random.Random) -> None:
        """The same while the pipe is loading, and somebody runs a command right then."""
        self.put(chance)
        self.world.deliver()
        self.world.begin_load()
        self.pipe_made_anew(chance)
        self.world.now += timedelta(seconds=1)
        self.command(chance)

    def table_made_anew(self, chance: random.Random) -> None:
        if chance.random() < 0.5:
            self.world.truncate()
            self.truncated = True
            self.tell("table truncated")
        else:
            self.world.replace_table()
            self.tell("table made anew")

    def pipe_stopped(self, chance: random.Random) -> None:
        """Somebody replaces the stage."""
        self.world.pipe.stopped = True
        self.tell("stage replaced: the pipe is stopped")

    def pause_by_hand(self, chance: random.Random) -> None:
        if chance.random() < 0.5:
            self.world._set_paused("TRUE")
            self.tell("paused by hand")
        else:
            try:
                self.world.set_paused(None)
                self.tell("resumed by hand")
            except Exception as error:  # noqa: BLE001
                self.tell(f"resuming by hand refused: {error}")

    def refresh_by_hand(self, chance: random.Random) -> None:
        """A person's ALTER PIPE … REFRESH, without looking."""
        if not self.world.pipe.stopped:
            self.world.bare_refresh = True
            self.tell(f"REFRESH by hand: {self.world.refresh()}")

    def rule(self, chance: random.Random) -> None:
        """The bucket's rule goes away or comes back."""
        self.world.rule_queue = None if self.world.rule_queue else self.world.pipe.queue
        self.tell(f"rule: {self.world.rule_queue}")

    # -- people ----------------------------------------------------------------------------------------

    def commands(self, chance: random.Random) -> list[tuple[str, Command]]:
        failed, gone = chance.random() < 0.3, chance.random() < 0.2
        return [
            (f"backfill failed={failed} gone={gone}", lambda run: self.backfill(run, failed, gone)),
            ("replace-pipe", self.replace_pipe),
            (
                switch := chance.choice(("pause", "resume")),
                lambda run: switch_stream(run, switch, self.stream),
            ),
            ("refresh", lambda run: refresh_stream(run, self.stream)),
        ]

    def command(self, chance: random.Random) -> None:
        """One command, perhaps killed; or two at once."""
        chosen = [chance.choices(self.commands(chance), COMMANDS)[0]]
        if chance.random() < 0.3:
            chosen.append(chance.choices(self.commands(chance), COMMANDS)[0])
        operators = [Operator(name, self, command) for name, command in chosen]
        doomed = {one.name: chance.choice((None, None, chance.randrange(60))) for one in operators}
        self.run_together(operators, chance, doomed)

    def run_together(
        self, operators: list[Operator], chance: random.Random, doomed: dict[str, int | None] | None = None
    ) -> None:
        """Let commands run, a statement here and one there, while the world goes on."""
        names = ", ".join(one.name for one in operators)
        self.tell(f"{names} …")
        for one in operators:
            one.start()
        count = 0
        while alive := [one for one in operators if one.is_alive]:
            ready = [one for one in alive if not one.is_blocked]
            one = chance.choice(ready)
            count += 1
            if chance.random() < 0.15:
                self.work_a_little(chance)
            if (doomed or {}).get(one.name) == count:
                if chance.random() < 0.5:
                    one.kill()
                else:
                    one.kill_after = True
                    one.step()
                self.tell(f"  {one.name} killed at: {one.statement[:100]!r}")
                continue
            one.step()
            assert count < 20_000, "a command does not end"
        for one in operators:
            if one.failure is not None:
                raise one.failure
            self.tell(f"… {one.name}: {one.ended}")

    def backfill(self, run: Run, failed: bool, gone: bool) -> tuple[int, dict[str, str]]:
        """The exit code, and what is missing by name and reason."""
        asked = read_asked(
            ".*",
            since=None,
            until=None,
            max_files=10_000,
            max_gb=100,
            reload_failed=failed,
            reload_gone=gone,
        )
        with ExitStack() as open_:
            plans = backfilling._plans(run, looking, asked, "events", open_)
            for plan in plans:
                backfilling.every_statement(plan, run.settings)
            results = backfilling._load(run, looking, plans)
            code = backfilling._ends(results)
            return code, {row.file.key: each.why(row) for each in results for row in each.missing}

    def replace_pipe(self, run: Run) -> BackfillPlan | None:
        found = look(run.facts(), self.stream)
        if found.why:
            refuse_what_cannot_be_told(run.facts(), found)
        return Replacing(run, self.stream).work(found) if found.note else None

    # -- the end ---------------------------------------------------------------------------------------

    def come_to_rest(self) -> None:
        """Nothing is under way any more, and nobody keeps the pipe from loading."""
        world = self.world
        while world.messages:
            world.now = max(world.now, min(message.due for message in world.messages))
            world.settle()
        if world.pipe.paused:
            world.force_resume()
        for _ in range(4):
            one = Operator("replace-pipe at the end", self, self.replace_pipe)
            self.run_together([one], self.random)
            if not one.ended.startswith(("NotConverged", "Refused: Another command is at work")):
                break
            self.pass_time(timedelta(minutes=16))
        if world.pipe.paused:  # a pause from before a replacement that was cut off
            world.force_resume()
        self.rest = self.random.choice((timedelta(hours=1), timedelta(hours=3), timedelta(days=3)))
        self.pass_time(self.rest)

    def last_backfill(self) -> dict[str, str]:
        """One backfill of everything, with every permission; again as long as it says so."""
        for _ in range(4):
            one = Operator("the last backfill", self, lambda run: self.backfill(run, True, True))
            self.run_together([one], self.random)
            code, missing = one.result or (0, {})
            if code != NotConverged.exit_code:
                break
            self.pass_time(timedelta(minutes=5))
        return missing

    def is_impossible(self, key: str, why: str) -> bool:
        """Whether nobody could have known better: the reason, and whether it is so."""
        if why == NOT_ALONE:
            age = self.world.now - self.world.bucket[key].modified
            beside = [other for other in self.world.bucket if other != key and other.startswith(key)]
            return bool(beside) and age < REFRESH_REACH
        if "REFRESH did not take it" in why:
            return self.truncated
        return not self.has_file

    def nobody_can_see(self, key: str) -> bool:
        """Whether a table that cannot say whose its rows are hides what others did; it is told so.

        Others: who deleted rows, who made a pipe anew or sent it everything, and S3 repeating itself to a
        pipe that has replaced another.
        """
        names = {name for name, _ in self.steps}
        ours = {key for key, *_ in self.world.doubled_by_us}
        theirs = {key for key, *_ in self.world.doubled} - ours
        return not self.has_file and (bool(names & set(THEIRS)) or key in theirs)

    def judge(self, missing: dict[str, str]) -> None:
        """Every good row exactly once, or its file named; every bad file named."""
        rows: dict[str, list[str]] = {}
        for row in self.world.table.rows:
            rows.setdefault(row.file, []).append(row.value)
        for key, found in self.world.bucket.items():
            have, name = sorted(rows.get(key, [])), key.removeprefix(self.stream.prefix)
            if not key.endswith(".gz"):
                assert not have or self.world.bare_refresh, f"{name} is no event file and was loaded"
            elif found.rows is None:
                assert key in missing or self.nobody_can_see(key), f"{name} is bad, and nobody says so"
            elif have != sorted(found.rows) and not self.nobody_can_see(key):
                assert key in missing, f"{name} has {have} instead of {sorted(found.rows)}, in silence"
                assert self.is_impossible(key, missing[key]), f"{name}: {missing[key]}"
        self.tell("judged")


WEIGHTS = {
    "put": 9,
    "wait": 7,
    "command": 4,
    "pipe_made_anew": 1,
    "pipe_made_anew_half_way": 0.4,
    "table_made_anew": 0.7,
    "pause_by_hand": 1.2,
    "refresh_by_hand": 0.5,
    "pipe_stopped": 0.3,
    "rule": 0.7,
}


def schedule(seed: int) -> list[Step]:
    """A schedule's actions."""
    chance = random.Random(seed)
    count = chance.randrange(4, 16)
    names = chance.choices(list(WEIGHTS), list(WEIGHTS.values()), k=count)
    return [(name, chance.randrange(1 << 30)) for name in names]


def played(settings: Settings, seed: int, steps: list[Step]) -> Play:
    """The play after its end; raises AssertionError with its story."""
    play = Play(settings, seed, steps)
    try:
        play.play()
        play.come_to_rest()
        play.judge(play.last_backfill())
        assert not play.world.doubled_by_us, f"the product doubled {play.world.doubled_by_us}"
    except BaseException as error:
        error.play = play  # type: ignore[attr-defined]
        raise
    return play


def shortened(settings: Settings, seed: int, steps: list[Step]) -> tuple[BaseException, list[Step]]:
    """A failing schedule with everything left out that is not needed to fail."""
    failure = _failure(settings, seed, steps)
    assert failure is not None
    again = True
    while again:
        again = False
        for n in range(len(steps)):
            fewer = steps[:n] + steps[n + 1 :]
            if found := _failure(settings, seed, fewer):
                failure, steps, again = found, fewer, True
                break
    return failure, steps


def _failure(settings: Settings, seed: int, steps: list[Step]) -> BaseException | None:
    try:
        played(settings, seed, steps)
    except BaseException as error:  # noqa: BLE001
        return error
    return None
