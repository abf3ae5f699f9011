"""The simulation's model held to the sandbox: the same statements and files leave the same rows in both."""

import gzip
import random
from collections import Counter
from datetime import timedelta

import pytest

from runbook.sql import rendered, statements
from runbook.wanted.pipeline import pipe_definition
from tests.scenarios.conftest import Installation
from tests.scenarios.test_backfill import event
from tests.simulation.session import Session
from tests.simulation.world import World

SCHEDULES = 24
LOADER = "SNOWPLOW_LOADER"
SPANS = [timedelta(seconds=5), timedelta(hours=1), timedelta(days=2), timedelta(days=8), timedelta(days=15)]


class Both:
    """One schedule on the model and on the sandbox."""

    def __init__(self, at: Installation, seed: int) -> None:
        self.at, self.seed = at, seed
        self.stream = at.stream("events")
        self.definition = pipe_definition(at.settings, self.stream)
        self.world = World(self.definition, prefix=self.stream.prefix, account_lag=None)
        self.session = Session(self.world, self.stream)
        self.names: list[str] = []
        self.story: list[str] = []

    def start(self) -> None:
        """A pipe whose queue is empty and which runs, and an empty table."""
        self.at.control("DELETE", "/faults")
        self.pipe_made_anew()
        self.table_made_anew()
        self.wait(SPANS[0])

    def both(self, statement: str, role: str) -> None:
        self.story.append(statement[:120])
        self.session.execute(statement)
        self.at.sql(statement, role)
        self.settle()

    def settle(self) -> None:
        self.world.settle()
        self.at.settle()

    def put(self, chance: random.Random) -> None:
        name = f"s{self.seed}/{chance.choice('ab')}{len(self.names)}.gz"
        if self.names and chance.random() < 0.25:
            name = chance.choice(self.names)
        self.names.append(name)
        count = chance.randrange(1, 4)
        bad, silent = chance.random() < 0.15, chance.random() < 0.3
        values = tuple(f"{name}-{count}-{n}" for n in range(count))
        body = gzip.compress(b"".join(event(value, 0) + b"\n" for value in values), mtime=0)
        self.story.append(f"put {name} {'bad' if bad else count} {'silently' if silent else ''}")
        if silent:
            self.at.control("POST", "/faults", {"notifications": {"drop": 1.0}})
        self.at.put("events", name, b"\x1f\x8b no gzip" if bad else body)
        self.settle()
        if silent:
            self.at.control("DELETE", "/faults")
        self.world.put(name, None if bad else values, delays=() if silent else (timedelta(),))
        self.settle()

    def wait(self, span: timedelta) -> None:
        self.story.append(f"{span} go by")
        self.settle()
        self.world.now += span
        self.at.advance(seconds=span.total_seconds())
        self.settle()

    def pipe_made_anew(self) -> None:
        create = f"CREATE OR REPLACE PIPE {self.stream.pipe.sql}\n  AUTO_INGEST = TRUE\nAS\n{self.definition}"
        self.both(create, LOADER)

    def table_made_anew(self) -> None:
        self.story.append("table made anew")
        text = rendered("step4_snowflake/30_table_enriched.sql", self.at.settings, self.stream)
        create = next(each for each in statements(text) if each.startswith("CREATE TABLE"))
        create = create.replace("CREATE TABLE IF NOT EXISTS", "CREATE OR REPLACE TABLE")
        self.at.sql(f"{create} COPY GRANTS", "SYSADMIN")
        self.world.replace_table()
        self.settle()

    def step(self, chance: random.Random) -> None:
        pipe, table = self.stream.pipe.sql, self.stream.table.sql
        what = chance.choices(
            ("put", "wait", "pipe", "table", "truncate", "pause", "refresh", "copy", "force"),
            (8, 4, 1, 0.6, 0.6, 1.5, 2, 2, 0.5),
        )[0]
        if what == "put":
            self.put(chance)
        elif what == "wait":
            self.wait(chance.choice(SPANS[:3]) if self.world.pipe.paused else chance.choice(SPANS))
        elif what == "pipe":
            self.pipe_made_anew()
        elif what == "table":
            self.table_made_anew()
        elif what == "truncate":
            self.story.append("truncate")
            self.world.truncate()
            self.at.sql(f"TRUNCATE TABLE {table}", "SYSADMIN")
        elif what == "pause":
            verb = "UNSET PIPE_EXECUTION_PAUSED"
            if not self.world.pipe.paused:
                verb = "SET PIPE_EXECUTION_PAUSED = TRUE"
            self.both(f"ALTER PIPE {pipe} {verb}", LOADER)
        elif what == "refresh":
            self.both(f"ALTER PIPE {pipe} REFRESH PREFIX = 's{self.seed}/{chance.choice('ab')}'", LOADER)
        elif self.names:
            some = sorted(set(chance.choices(self.names, k=3)))
            files = ", ".join(f"'{name}'" for name in some)
            force = "\nFORCE = TRUE" if what == "force" else ""
            self.both(f"{self.definition}\nFILES = ({files}){force}", "SYSADMIN")

    def compare(self) -> None:
        mine = Counter(row.file for row in self.world.table.rows)
        theirs = dict(self.at.sql(f"SELECT _file, COUNT(*) FROM {self.stream.table.sql} GROUP BY _file"))
        story = "\n".join(self.story)
        assert dict(mine) == theirs, f"rows, seed {self.seed}\n{story}"
        history = self.at.sql(
            "SELECT file_name, status, pipe_name IS NULL FROM TABLE(RAW.INFORMATION_SCHEMA.COPY_HISTORY("
            f"TABLE_NAME => '{self.stream.table.sql}', START_TIME => DATEADD(day, -13, CURRENT_TIMESTAMP())))"
        )
        since = self.world.now - timedelta(days=13)
        known = Counter(
            (row.key.removeprefix(self.world.prefix), row.status, row.pipe is None)
            for row in self.world.recent()
            if row.ended_at > since
        )
        shown = Counter(
            (name.lstrip("/"), status, by_copy)
            for name, status, by_copy in history
            if f"s{self.seed}/" in name
        )
        assert known == shown, f"histories, seed {self.seed}\n{story}"


@pytest.mark.parametrize("part", range(2))
def test_the_model_and_the_sandbox_end_with_the_same_rows(healthy: Installation, part: int) -> None:
    for seed in range(part, SCHEDULES, 2):
        chance = random.Random(seed)
        both = Both(healthy, seed)
        both.start()
        for _ in range(chance.randrange(6, 14)):
            both.step(chance)
        both.compare()
