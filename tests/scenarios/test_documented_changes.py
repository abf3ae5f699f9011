"""What docs/ tells people to do to an installation that runs, done as it is written there, word by word."""

import gzip
import json
import re
import shlex
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from invoke.config import merge_dicts

from tests.scenarios.conftest import ROOT, Installation
from tests.scenarios.test_where import as_live

EVENT = gzip.compress(b"\t" * 130 + b"\n")
PAGES = ROOT / "docs"


class Live:
    """An installation that runs, as a live target, and the person who follows a page."""

    def __init__(self, at: Installation, folder: Path) -> None:
        self.at = at
        self.file = Path(as_live(at, folder))
        self.run("up")

    def run(self, *words: str, expect: int = 0) -> str:
        name = ("--name", "prod") if words[0] == "down" else ()
        asks = words[0] in ("up", "down", "backfill") and "--dry-run" not in words
        done = self.at.run("-f", str(self.file), *words, *name, *(["--yes"] if asks else []), expect=expect)
        return done.stdout

    def follows(self, page: str, *, from_: str = "", until: str = "") -> None:
        """Run the page's commands, in order; ``invoke -f FILE`` is this installation's."""
        text = (PAGES / page).read_text().partition(from_)[2] if from_ else (PAGES / page).read_text()
        for line in re.findall(
            r"^ {4,}invoke -f \S+ (.+)$", text.partition(until)[0] if until else text, re.MULTILINE
        ):
            self.run(*shlex.split(line))

    def writes(self, page: str, section: str) -> dict[str, Any]:
        """Put the page's example into the environment file."""
        block = re.search(rf"\n\n( {{4,}}{section}:\n(?: {{4,}}.*\n)+)", (PAGES / page).read_text())
        assert block
        found: dict[str, Any] = yaml.safe_load(textwrap.dedent(block[1]))
        whole = yaml.safe_load(self.file.read_text())
        self.file.write_text(yaml.safe_dump(merge_dicts(whole, found)))
        return found

    def put(self, prefix: str, name: str) -> None:
        self.at.aws("s3").put_object(Bucket=self.at.settings.aws.bucket, Key=prefix + name, Body=EVENT)
        self.at.settle()

    def rows(self, table: str) -> int:
        return int(self.at.sql(f"SELECT COUNT(*) FROM RAW.SNOWPLOW.{table}")[0][0])

    def assert_healthy(self) -> None:
        self.run("verify", "--deep")


@pytest.fixture
def live(new_installation: Callable[..., Installation], tmp_path: Path) -> Live:
    return Live(new_installation(), tmp_path)


EVENTS = "snowplow/enriched/stream/"


def test_a_stream_is_added_while_the_others_load(live: Live) -> None:
    stream = live.writes("add-a-stream.md", "streams")["streams"]["partners"]
    live.put(stream["prefix"], "before.gz")
    live.run("plan", "--exit-code", expect=10)
    live.follows("add-a-stream.md", until="**Only one stream.**")
    live.put(stream["prefix"], "after.gz")
    live.put(EVENTS, "a.gz")
    assert (live.rows(stream["table"]), live.rows("EVENTS")) == (2, 1)
    live.assert_healthy()


def external_ids(at: Installation) -> set[str]:
    policy = at.aws("iam").get_role(RoleName="snowflake-read-role")["Role"]["AssumeRolePolicyDocument"]
    rows = [each["Condition"]["StringEquals"]["sts:ExternalId"] for each in policy["Statement"]]
    return {one for row in rows for one in ([row] if isinstance(row, str) else row)}


def test_the_external_id_is_rotated_without_a_gap(live: Live) -> None:
    before = external_ids(live.at)
    live.writes("rotate-the-external-id.md", "snowflake")
    live.follows("rotate-the-external-id.md", until="3. The old")
    both = external_ids(live.at)
    assert len(before) == 1
    assert len(both) == 2
    assert before < both
    live.put(EVENTS, "a.gz")
    live.at.sql("DROP INTEGRATION SNOWPLOW_S3")
    by_hand(live.at, *(both - before))
    live.follows("rotate-the-external-id.md", from_="3. The old")
    live.put(EVENTS, "b.gz")
    assert live.rows("EVENTS") == 2
    live.run("plan", "--exit-code")
    live.assert_healthy()


def by_hand(at: Installation, external_id: str) -> None:
    """One external ID in the role's trust policy, as a person writes it in the console."""
    iam, name = at.aws("iam"), "snowflake-read-role"
    policy = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    for each in policy["Statement"]:
        each["Condition"]["StringEquals"]["sts:ExternalId"] = external_id
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(policy))


def test_a_pipe_is_renamed_and_every_file_is_there_once(live: Live) -> None:
    live.put(EVENTS, "a.gz")
    live.follows("rename.md", until="Then write")
    live.put(EVENTS, "meanwhile.gz")
    assert live.rows("EVENTS") == 1
    live.writes("rename.md", "streams")
    live.follows("rename.md", from_="and apply it:", until="A quarter")
    live.run("backfill", "--stream", "events", "--pattern", ".*", expect=4)
    assert live.rows("EVENTS") == 1
    live.at.advance(minutes=20)
    live.follows("rename.md", from_="A quarter")
    assert live.rows("EVENTS") == 2
    live.run("backfill", "--stream", "events", "--pattern", ".*")
    live.put(EVENTS, "b.gz")
    assert live.rows("EVENTS") == 3
    assert {str(row[1]) for row in live.at.sql("SHOW PIPES IN SCHEMA RAW.SNOWPLOW")} == {
        "SNOWPLOW_PIPE",
        "EVENTS_BAD_PIPE",
    }
    live.assert_healthy()
