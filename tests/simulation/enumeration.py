"""Every interleaving of two commands with a pipe, at-least-once notifications and a kill: none left out.

    python -m tests.simulation.enumeration refresh backfill --kills 1

Each move is one of: a command's next statement; S3 delivers one notification; the pipe takes a file up; it
puts one into the table; a command's process is killed. What comes after depends on the world and on what each
command has been told, so a state that was reached on another way is not gone on from again.

A command is a function from what it has been told to what it asks next. Its states are a tree of answers; one
that is not in it yet is found by running the product's own command and giving it the answers up to there.
The world alone is copied and moved on, without running the product again.

What keeps it small: a statement takes time only where its time is looked at later (TAKES_TIME); one whose
answer nothing here changes (STEADY) is no move of its own; while a command sleeps, one thing goes on that is
under way; while another command works, it wakes up a few times (``wakes``) and then sleeps until that one has
ended, or sleeps too; ``switches`` bounds how often a command cuts into another that could go on. A third
command, clocks that jump and days that go by are in the random schedules.
"""

import argparse
import copy
import dataclasses
import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

from greenlet import GreenletExit
from snowflake.connector.errors import ProgrammingError

from runbook.commands.pause import switch_stream
from runbook.commands.refresh import refresh_stream
from runbook.settings import Settings, Stream, read
from tests.simulation.schedule import Command, Operator, Play
from tests.simulation.session import Answer, Bucket, Connection, Killed, ModelClouds, Session
from tests.simulation.world import Pipe, World
from tests.unit.conftest import DEFAULTS

STEADY = ("USE ROLE", "DESC TABLE", "SHOW TABLES", "SHOW GRANTS TO ROLE", "HeadBucket", "now")
TAKES_TIME = ("CREATE OR REPLACE", "COPY", "COMMIT")
LEASE = re.compile(r"LEASE_[0-9A-F]{32}")

COMMANDS: dict[str, Callable[[Play], Command]] = {
    "backfill": lambda play: lambda run: play.backfill(run, False, False),
    "backfill-all": lambda play: lambda run: play.backfill(run, True, True),
    "refresh": lambda play: lambda run: refresh_stream(run, play.stream),
    "replace-pipe": lambda play: play.replace_pipe,
    "pause": lambda play: lambda run: switch_stream(run, "pause", play.stream),
    "resume": lambda play: lambda run: switch_stream(run, "resume", play.stream),
}


class Quick(World):
    """A world in which reading takes no time, so that the order of two reads makes no difference."""

    def tick(self, statement: str) -> None:
        if statement.lstrip().startswith(TAKES_TIME):
            super().tick(statement)


class Small(Play):
    """Files: loaded; never announced, of last week and of an hour ago; announced just now, twice.

    The pipe's COPY is to change.
    """

    kind = Quick  # of world

    def __init__(self, settings: Settings, announced: int = 2) -> None:
        super().__init__(settings, 0, [])
        self.world.replace_pipe(self.old, comment="ours")
        self.world.pipe.grants = {("ROLE", "WATCHER", "MONITOR", False)}
        self.world.put("loaded.gz", ("one",))
        self.world.put("old.gz", ("two",), delays=())
        self.pass_time(timedelta(days=8))
        self.world.put("missed.gz", ("three",), delays=())
        self.pass_time(timedelta(hours=1))
        self.world.put("announced.gz", ("four",), delays=(timedelta(),) * announced)


# -- a command, and what it has been told --------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Question:
    """A statement for a session of a name, a call of AWS (no session), "now", or "sleep" of seconds."""

    text: str
    session: str = ""
    seconds: float = 0.0


@dataclasses.dataclass(frozen=True)
class Refused:
    errno: int
    text: str


class Asking(Operator):
    """A command that asks whoever runs it, and goes on when it is told."""

    def __init__(self, name: str, play: Play, command: Command, number: int) -> None:
        super().__init__(name, play, command)
        self.number, self.run_id = number, f"run-{number}"
        self.names: dict[str, str] = {}
        self.question = Question("")
        self.clouds = AskingClouds(self)

    def tell(self, answer: Any) -> None:
        self._fiber.switch(answer)

    def ask(self, question: Question) -> Any:
        if self.killed:
            raise Killed
        text = LEASE.sub(lambda found: self._plain(found[0]), question.text)
        self.question = dataclasses.replace(question, text=text)
        try:
            answer = self._fiber.parent.switch()
        except GreenletExit:  # nobody will tell it any more
            self.killed = True
            raise Killed from None
        if isinstance(answer, Refused):
            raise ProgrammingError(msg=answer.text, errno=answer.errno, sqlstate="55000")
        return answer

    def now(self) -> float:
        return float(self.ask(Question("now")))

    def sleep(self, seconds: float) -> None:
        self.ask(Question("sleep", seconds=seconds))

    def _plain(self, name: str) -> str:
        """A lease's name, the same each time the command is run."""
        known = {made: own for own, made in self.names.items()}
        if name not in known and name not in self.names:
            self.names[f"LEASE_{self.number:016X}{len(self.names):016X}"] = name
            return self._plain(name)
        return known.get(name, name)

    def own(self, value: Any) -> Any:
        """An answer's value with the names that this run has given."""
        return (
            LEASE.sub(lambda found: self.names.get(found[0], found[0]), value)
            if isinstance(value, str)
            else value
        )


class AskingClouds(ModelClouds):
    """Both clouds, as an :class:`Asking` sees them."""

    def __init__(self, asking: Asking) -> None:
        play = asking.play
        super().__init__(play.settings, play.stream, play.world, lambda *_: None)
        self.asking = asking
        self.heard = SimpleNamespace(rule_queue="")
        self._bucket = Bucket(self.heard, play.settings, play.stream, self._call)  # type: ignore[arg-type]

    def _call(self, call: str) -> None:
        self.heard.rule_queue = self.asking.ask(Question(call))

    def snowflake(self, purpose: str) -> Any:
        return Connection(AskingSession(self.asking, purpose), lambda *_: None)  # type: ignore[arg-type]

    def close(self) -> None:
        pass


@dataclasses.dataclass
class AskingSession:
    asking: Asking
    purpose: str

    def execute(self, statement: str) -> Answer:
        columns, rows = self.asking.ask(Question(statement, self.purpose))
        own = self.asking.own
        return Answer(columns, [tuple(own(value) for value in row) for row in rows])

    def close(self) -> None:
        pass


class Node:
    """What a command asks, or how it ended, after all that it was told from the first question on."""

    def __init__(self, run: Callable[[], Asking], asking: Asking, parent: "Node | None", answer: Any) -> None:
        self._run, self._asking, self._parent, self._answer = run, asking, parent, answer
        self._after: dict[str, Node] = {}
        self.question = asking.question
        self.ended = asking.ended
        if asking.failure is not None:
            raise asking.failure

    def after(self, answer: Any) -> "Node":
        key = repr(answer)
        if key not in self._after:
            asking = self._asking or self._run_again()
            self._asking = None
            asking.tell(answer)
            self._after[key] = Node(self._run, asking, self, answer)
        return self._after[key]

    def _run_again(self) -> Asking:
        told: list[Node] = []
        node: Node | None = self
        while node is not None and node._parent is not None:
            told.append(node)
            node = node._parent
        asking = self._run()
        for each in reversed(told):
            asking.tell(each._answer)
            assert (asking.question, asking.ended) == (each.question, each.ended), "it asks something else"
        return asking


KILLED = "killed"

# -- the states ----------------------------------------------------------------------------------------

Move = tuple[str, int]


@dataclasses.dataclass
class State:
    """The world, the transactions that are open in it, and how far each command is; None is a killed one."""

    stream: Stream
    world: World
    nodes: list[Node | None]
    kills: int
    wakes: list[int]
    switches: int
    last: int = -1
    sessions: dict[tuple[int, str], Session] = dataclasses.field(default_factory=dict)

    def copied(self) -> "State":
        world = self.world.copied()
        sessions = {key: session.copied(world) for key, session in self.sessions.items()}
        nodes, wakes = list(self.nodes), list(self.wakes)
        return dataclasses.replace(self, world=world, nodes=nodes, wakes=wakes, sessions=sessions)

    def key(self) -> tuple[object, ...]:
        at = tuple(id(node) for node in self.nodes)
        open_ = repr([(key, each._staged, each._gone) for key, each in self.sessions.items()])
        return (at, self.kills, *self.wakes, self.switches, self.last, open_, world_key(self.world))

    def is_alive(self, n: int) -> bool:
        node = self.nodes[n]
        return node is not None and not node.ended

    def session(self, n: int, name: str) -> Session:
        return self.sessions.get((n, name)) or Session(self.world, self.stream)

    def moves(self) -> list[Move]:
        alive = [(n, node) for n, node in enumerate(self.nodes) if node is not None and not node.ended]
        if not alive:
            return []
        for n, node in alive:
            if node.question.text.startswith(STEADY):
                return [("step", n)]
        ready = [(n, node) for n, node in alive if not self._waits(n, node.question)]
        work = [n for n, node in ready if node.question.text != "sleep"]
        found: list[Move] = [("step", n) for n, _ in ready if n in work or not work or self.wakes[n]]
        if self.last in work and not self.switches:
            found = [("step", self.last)]
        found += [(move, 0) for move in self.under_way()]
        if self.kills:
            found += [("kill", n) for n, _ in alive]
        return found

    def _is_at_work(self, n: int) -> bool:
        node = self.nodes[n] if n >= 0 else None
        return (
            node is not None
            and not node.ended
            and node.question.text != "sleep"
            and not self._waits(n, node.question)
        )

    def _waits(self, n: int, question: Question) -> bool:
        """Whether another session's transaction holds what the statement changes."""
        holder = self.world.lock
        return holder is not None and self.session(n, question.session).waits(question.text)

    def under_way(self) -> Iterator[str]:
        """What goes on by itself."""
        world = self.world
        if any(pipe.loading for pipe in (*world.former, world.pipe)):
            yield "finish"
        if world.pipe.pending and world.pipe.state == "RUNNING":
            yield "begin"
        if any(message.due <= world.now for message in world.messages):
            yield "deliver"

    def make(self, move: Move) -> None:
        name, n = move
        if name == "finish":
            self.world.finish_load(1)
        elif name == "begin":
            self.world.begin_load(1)
        elif name == "deliver":
            self.world.deliver(1)
        elif name == "kill":
            self.kills -= 1
            self.nodes[n] = None
            self._close(n)
        else:
            node = self.nodes[n]
            assert node is not None
            others = [each for each in self.nodes if each not in (None, node) and not each.ended]
            if node.question.text == "sleep" and any(each.question.text != "sleep" for each in others):
                self.wakes[n] -= 1
            if n != self.last and not node.question.text.startswith(STEADY):
                self.switches -= self._is_at_work(self.last)
                self.last = n
            self.nodes[n] = node = node.after(self.answer(n, node.question))
            if node.ended:
                self._close(n)

    def _close(self, n: int) -> None:
        for key in [key for key in self.sessions if key[0] == n]:
            self.sessions.pop(key).close()

    def answer(self, n: int, question: Question) -> Any:
        world, text = self.world, question.text
        if question.session:
            session = self.session(n, question.session)
            try:
                answer = session.execute(text)
            except ProgrammingError as refused:
                return Refused(int(refused.errno or 0), str(refused.raw_msg))
            finally:
                self.sessions.pop((n, question.session), None)
                if session._in_transaction:
                    self.sessions[n, question.session] = session
            return " ".join(answer.columns), answer.rows
        if text == "now":
            return world.now.timestamp()
        if text == "sleep":
            world.now += timedelta(seconds=max(question.seconds, 0.5))
            for move in self.under_way():
                self.make((move, 0))
                break
            return None
        if text.startswith("Put"):
            world.rule_queue = text.rpartition(" ")[2]
        return world.rule_queue


def world_key(world: World) -> tuple[object, ...]:
    """Everything in a world that makes a difference from here on."""
    table = world.table
    return (
        world.now,
        tuple(sorted(world.messages)),
        world.rule_queue,
        tuple(sorted(world.leases.items())),
        tuple(world.history),
        (table.id, tuple(table.rows), tuple(table.memory.items()), table.first_load, table.truncated_at),
        tuple(_pipe_key(pipe) for pipe in (world.pipe, *world.former)),
        tuple((key, source, frozenset(there)) for key, source, there in world.doubled),
    )


def _pipe_key(pipe: Pipe) -> tuple[object, ...]:
    values = (getattr(pipe, field.name) for field in dataclasses.fields(pipe))
    return tuple(
        frozenset(value)
        if isinstance(value, set)
        else tuple(value.items())
        if isinstance(value, dict)
        else value
        for value in values
    )


@dataclasses.dataclass
class Enumeration:
    """All ways some commands can go, each judged at its end."""

    settings: Settings
    commands: Sequence[str]
    kills: int = 0
    announced: int = 2
    wakes: int = 1
    switches: int = 1000
    first: bool = False
    begins: type[Small] = Small
    ways: dict[tuple[object, ...], int] = dataclasses.field(default_factory=dict)
    judged: dict[tuple[object, ...], str] = dataclasses.field(default_factory=dict)
    failures: list[tuple[str, list[Move]]] = dataclasses.field(default_factory=list)

    def run(self) -> int:
        """The number of ways there are."""
        play = self.begins(self.settings, self.announced)
        nodes: list[Node | None] = []
        for n, name in enumerate(self.commands):
            run = partial(self._started, play, name, n)
            nodes.append(Node(run, run(), None, None))
        sys.setrecursionlimit(20_000)
        wakes = [self.wakes] * len(nodes)
        return self._explore(State(play.stream, play.world, nodes, self.kills, wakes, self.switches), [])

    def _started(self, play: Play, name: str, n: int) -> Asking:
        asking = Asking(f"{name} {n}", play, COMMANDS[name](play), n)
        asking.start()
        return asking

    def _explore(self, state: State, path: list[Move]) -> int:
        path = list(path)
        try:
            while len(moves := state.moves()) == 1:
                path += moves
                state.make(moves[0])
        except Exception as error:  # noqa: BLE001 (a finding, told with the way to it)
            self.failures.append((repr(error), path))
            return 1
        key = state.key()
        if (known := self.ways.get(key)) is not None:
            return known
        if not moves:
            self._judge(state, path)
        ways = 0 if moves else 1
        # who was at work goes on first: what goes wrong mostly does by one interruption
        for move in sorted(moves, key=lambda move: [move] != path[-1:]):
            if self.first and self.failures:
                break
            after = state.copied()
            try:
                after.make(move)
            except Exception as error:  # noqa: BLE001
                self.failures.append((repr(error), [*path, move]))
                continue
            ways += self._explore(after, [*path, move])
        self.ways[key] = ways
        return ways

    def _judge(self, state: State, path: list[Move]) -> None:
        key = world_key(state.world)
        if key not in self.judged:
            self.judged[key] = self._verdict(state)
        if self.judged[key]:
            self.failures.append((self.judged[key], path))

    def _verdict(self, state: State) -> str:
        """What is wrong at the end; empty where every row is there once and the pipe is as it was."""
        play = self.begins(self.settings, self.announced)
        play.world = state.world
        try:
            play.come_to_rest()
            play.judge(play.last_backfill())
        except Exception as error:  # noqa: BLE001
            return repr(error)
        world = play.world
        rows = sorted(row.value for row in world.table.rows)
        # S3 that repeats itself after a pipe was made anew is nobody's doing
        doubled = world.doubled_by_us if "replace-pipe" in self.commands else world.doubled
        if doubled:
            return f"doubled: {doubled}"
        if rows != ["four", "one", "three", "two"]:
            return f"rows: {rows}"
        if world.pipe.comment != "ours" or world.pipe.grants != {("ROLE", "WATCHER", "MONITOR", False)}:
            return f"the pipe is left with {world.pipe.comment!r}, {world.pipe.grants}"
        return ""


def main() -> None:
    """Print what was counted, and the first failures with the way to each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("commands", nargs="+", choices=sorted(COMMANDS))
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--announced", type=int, default=2)
    parser.add_argument("--wakes", type=int, default=1)
    parser.add_argument(
        "--switches", type=int, default=1000, help="how often one command cuts into the other"
    )
    asked = parser.parse_args()
    begun = time.process_time()
    every = Enumeration(
        read(copy.deepcopy(DEFAULTS)), asked.commands, asked.kills, asked.announced, asked.wakes
    )
    ways = every.run()
    told = {
        "commands": asked.commands,
        "kills": asked.kills,
        "states": len(every.ways),
        "ends": len(every.judged),
        "ways": float(ways),
        "failures": len(every.failures),
        "first": [f"{why} after {len(path)} moves" for why, path in every.failures[:3]],
        "cpu seconds": round(time.process_time() - begun, 1),
    }
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
