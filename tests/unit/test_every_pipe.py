"""`discover --all`: which pipes go into one file, and what is said of each of the others."""

from typing import Any

import pytest

from runbook.discovery.described import Described
from runbook.discovery.every import every_stream
from runbook.discovery.snowflake_side import FoundPipe, looked, name_of, pipe_of
from runbook.errors import CannotTell, Refused
from runbook.settings import QualifiedName, Settings, read
from tests.unit.conftest import written
from tests.unit.observed import FakeReader

TSV = "FILE_FORMAT = (TYPE = CSV)"


class Account:
    """An account's pipes and stages, and a reader of nothing else."""

    def __init__(self) -> None:
        self.pipes: list[dict[str, Any]] = []
        self.stages: list[dict[str, Any]] = []

    def has(
        self,
        schema: str,
        *names: str,
        owner: str = "R",
        bucket: str = "bkt",
        integration: str | None = "I",
        queue: str = "q",
    ) -> None:
        for name in names:
            place = {"database_name": "RAW", "schema_name": schema}
            self.stages.append(
                {**place, "name": f"S_{name}", "url": f"s3://{bucket}/{schema}/{name}/"}
                | {"storage_integration": integration}
            )
            definition = f"COPY INTO RAW.{schema}.T_{name} FROM @RAW.{schema}.S_{name} {TSV}"
            self.pipes.append(
                {
                    **place,
                    "name": name,
                    "definition": definition,
                    "owner": owner,
                    "notification_channel": queue,
                }
            )

    def sql(self, statement: str) -> list[dict[str, Any]]:
        return {"SHOW PIPES IN ACCOUNT": self.pipes, "SHOW STAGES IN ACCOUNT": self.stages}[statement]

    def look(self, wanted: QualifiedName) -> tuple[Described, list[FoundPipe]]:
        """As ``snowflake_side.looked`` takes the pipes beside: of the same owner and integration."""
        stages = {name_of(row): row for row in self.stages}
        found = [pipe_of(name_of(row), row, stages) for row in self.pipes if row["notification_channel"]]
        (first,) = (pipe for pipe in found if pipe.name == wanted)
        alike = [
            pipe
            for pipe in found
            if (pipe.owner, pipe.stage["storage_integration"])
            == (first.owner, first.stage["storage_integration"])
        ]
        return Described("t"), [first, *(pipe for pipe in alike if pipe is not first)]


@pytest.fixture
def account() -> Account:
    return Account()


def test_the_installation_with_the_most_pipes_is_taken_and_each_other_pipe_has_its_reason(
    account: Account,
) -> None:
    account.has("SMALL", "P", owner="X")
    account.has("LARGE", "P", "Q")
    account.has("LARGE", "KEYS", integration=None)
    account.has("LARGE", "FAR", bucket="c")
    account.has("LARGE", "FAR_KEYS", bucket="c", integration=None)
    account.has("LARGE", "OTHER", integration="J")
    account.has("LARGE", "BY_HAND", queue="")
    found, taken = every_stream(account, account.look)  # type: ignore[arg-type]
    assert [str(pipe.name) for pipe in taken] == ["RAW.LARGE.FAR", "RAW.LARGE.P", "RAW.LARGE.Q"]
    assert [row.partition(" (")[0].partition(": discover")[0] for row in found.left_out] == [
        "RAW.LARGE.BY_HAND: it does not load by itself",
        "RAW.LARGE.FAR_KEYS: its stage has no integration",
        "RAW.LARGE.KEYS: its stage has no integration",
        "RAW.LARGE.OTHER: its stage has another integration",
        "RAW.SMALL.P: it is of another owner",
    ]


def test_what_cannot_be_served_does_not_keep_the_rest_from_it(account: Account) -> None:
    account.has("LARGE", "P", "Q")
    account.has("SMALL", "P", owner="X")

    def look(wanted: QualifiedName) -> tuple[Described, list[FoundPipe]]:
        if wanted.schema == "LARGE":
            raise Refused("The integration names no role", why="STORAGE_AWS_ROLE_ARN is ''")
        return account.look(wanted)

    found, taken = every_stream(account, look)  # type: ignore[arg-type]
    assert [str(pipe.name) for pipe in taken] == ["RAW.SMALL.P"]
    assert found.left_out == [
        f"RAW.LARGE.{name}: The integration names no role (STORAGE_AWS_ROLE_ARN is '')" for name in "PQ"
    ]


def test_a_stage_that_cannot_be_seen_names_the_missing_right(account: Account) -> None:
    account.has("LARGE", "P")
    account.stages.clear()
    with pytest.raises(CannotTell, match="No pipe of the account can be served") as told:
        every_stream(account, account.look)  # type: ignore[arg-type]
    assert "RAW.LARGE.P: The stage RAW.LARGE.S_P of the pipe cannot be seen" in told.value.why


def test_an_account_without_pipes_is_said_to_be_so(account: Account) -> None:
    with pytest.raises(CannotTell, match="may see none"):
        every_stream(account, account.look)  # type: ignore[arg-type]


def test_who_does_not_answer_is_not_asked_for_the_next_pipe(account: Account) -> None:
    account.has("LARGE", "P", "Q")
    asked: list[QualifiedName] = []

    def look(wanted: QualifiedName) -> tuple[Described, list[FoundPipe]]:
        asked.append(wanted)
        raise CannotTell("Snowflake cannot be reached", unreachable=True)

    with pytest.raises(CannotTell, match="cannot be reached"):
        every_stream(account, look)  # type: ignore[arg-type]
    assert len(asked) == 1


def test_pipes_of_several_buckets_and_regions_become_one_file(settings: Settings) -> None:
    """A table that two buckets are loaded into is left out: its rows do not say which."""
    account = Account()
    account.has("LARGE", "P", queue="arn:aws:sqs:us-west-2:999988887777:q")
    account.has("LARGE", "FAR", bucket="acme-eu", queue="arn:aws:sqs:eu-west-1:999988887777:q")
    account.has("LARGE", "NEAR", bucket="acme-two", queue="arn:aws:sqs:us-west-2:999988887777:q")
    account.has("LARGE", "TWICE", bucket="acme-two", queue="arn:aws:sqs:us-west-2:999988887777:q")
    account.pipes[-1]["definition"] = account.pipes[-1]["definition"].replace("T_TWICE", "T_P")
    role = {"property": "STORAGE_AWS_ROLE_ARN", "property_value": "arn:aws:iam::222233334444:role/r"}
    answers = {
        "SHOW PIPES IN ACCOUNT": account.pipes,
        "SHOW STAGES IN ACCOUNT": [{**row, "has_credentials": "N"} for row in account.stages],
        "DESC INTEGRATION": [role],
        "SHOW TABLES": [],
        "DESC TABLE": [],
        "DESC STAGE": [],
        "SELECT SYSTEM$PIPE_STATUS": [{"status": "{}"}],
        "SELECT": [],
    }
    found = Described("theirs")
    wanted = QualifiedName.parse("RAW.LARGE.P")
    own = {"account": "ORG-X", "connection": "theirs"}

    def fits() -> Settings:
        found.snowflake |= own
        return read(found.settings(written(aws__account_id="222233334444")))

    taken = looked(FakeReader(settings, answers), wanted, found, fits)  # type: ignore[arg-type]
    assert [str(pipe.name) for pipe in taken] == ["RAW.LARGE.P", "RAW.LARGE.FAR", "RAW.LARGE.NEAR"]
    assert found.left_out == [
        "RAW.LARGE.TWICE: it loads from another bucket (acme-two) into the same table as RAW.LARGE.P, whose "
        "rows name a file and not its bucket"
    ]
    assert found.aws["buckets"] == {"acme-eu": {"region": "eu-west-1"}}
    assert [(each.name, each.region) for each in fits().buckets] == [
        ("bkt", "us-west-2"),
        ("acme-eu", "eu-west-1"),
        ("acme-two", "us-west-2"),
    ]
