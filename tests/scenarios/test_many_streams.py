"""Three buckets and forty streams of every kind in one environment: as quick as two, and as readable."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from snowpipe_sandbox import process

from tests.scenarios.conftest import ROOT, Installation, tenants
from tests.scenarios.installations import document, put_in
from tests.scenarios.warm import Warm

STREAMS = 40
OBJECT = '{"a": "x"}\n'
BODY = {"json": OBJECT, "csv": "x\n", "parquet": OBJECT, "avro": OBJECT}
"""What each type of format reads; its name is also the ending."""
TYPES = tuple(BODY)


@pytest.fixture(scope="module")
def many(
    sandbox_process: process.Status, warm: Warm, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Installation, Path]]:
    """All of it, and the environment file that discover writes of it."""
    with tenants(sandbox_process, warm, tmp_path_factory.mktemp("many")) as make:
        at = make()
        built(at)
        file = at.folder / "found.yaml"
        at.run("discover", "--all", "--name", "sandbox", "--output", str(file), timeout=240)
        yield at, file


def built(at: Installation) -> None:
    """Forty pipes over three buckets, each with a file loaded."""
    first = at.settings.aws.bucket
    buckets = [first, f"second-{first}", f"third-{first}"]
    for name in buckets[1:]:
        at.aws("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    role = f"arn:aws:iam::{at.settings.aws.account_id}:role/reader"
    allowed = ", ".join(f"'s3://{name}/'" for name in buckets)
    at.sql(
        "CREATE STORAGE INTEGRATION MANY TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
        f"STORAGE_AWS_ROLE_ARN = '{role}' STORAGE_ALLOWED_LOCATIONS = ({allowed})"
    )
    shown = {str(row[0]): str(row[2]) for row in at.sql("DESC INTEGRATION MANY")}
    given = {"StringEquals": {"sts:ExternalId": shown["STORAGE_AWS_EXTERNAL_ID"]}}
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": shown["STORAGE_AWS_IAM_USER_ARN"]},
        "Action": "sts:AssumeRole",
        "Condition": given,
    }
    arns = [f"arn:aws:s3:::{name}" for name in buckets]
    read = {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:GetObjectVersion"],
        "Resource": [f"{arn}/*" for arn in arns],
    }
    listing = {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetBucketLocation"], "Resource": arns}
    iam = at.aws("iam")
    iam.create_role(RoleName="reader", AssumeRolePolicyDocument=document(trust))
    iam.put_role_policy(RoleName="reader", PolicyName="read", PolicyDocument=document(read, listing))
    at.sql("CREATE DATABASE MANY")
    at.worksheet(*statements(buckets))
    queue = str(at.sql("SHOW PIPES IN SCHEMA MANY.PUBLIC")[0][6])
    rule = {"Id": "all", "QueueArn": queue, "Events": ["s3:ObjectCreated:*"]}
    for name in buckets:
        at.aws("s3").put_bucket_notification_configuration(
            Bucket=name, NotificationConfiguration={"QueueConfigurations": [rule]}
        )
    for number in range(STREAMS):
        of_type = TYPES[number % 4]
        put_in(at, buckets[number % 3], f"s{number:02}/a.{of_type}", BODY[of_type])
    at.settle()


def statements(buckets: list[str]) -> list[str]:
    """A stage, a table and a pipe for each stream."""
    found = ["USE SCHEMA MANY.PUBLIC"]
    for number in range(STREAMS):
        of_type, name = TYPES[number % 4], f"S{number:02}"
        column = "VARCHAR" if of_type == "csv" else "VARIANT"
        found += [
            f"CREATE TABLE {name} (A {column}, F VARCHAR)",
            f"CREATE STAGE ST{number:02} URL = 's3://{buckets[number % 3]}/{name.lower()}/' "
            "STORAGE_INTEGRATION = MANY",
            f"CREATE PIPE {name}_PIPE AUTO_INGEST = TRUE AS COPY INTO {name} FROM "
            f"(SELECT $1, METADATA$FILENAME FROM @ST{number:02}) FILE_FORMAT = (TYPE = {of_type})",
        ]
    return found


def recorded(at: Installation, file: Path) -> Path:
    """A healthy verdict on it, with every answer."""
    bundle = file.with_suffix(".json")
    done = at.run(
        "-f", str(file), "verify", "--deep", "--format", "json", "--record", str(bundle), "--plain",
        expect=None, timeout=240,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert found["healthy"], [
        row["cause"] for row in found["checks"] if row["outcome"] in ("failed", "unknown")
    ]
    return bundle


def seconds(bundle: Path, a_call_s: float) -> tuple[float, int]:
    """How long `verify --deep` takes at so much a call, and how many calls it makes."""
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "tests.scenarios.far", str(bundle), str(a_call_s)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return time.monotonic() - begun, int(done.stdout)


def test_forty_streams_take_no_longer_than_two(many: tuple[Installation, Path]) -> None:
    """The wall time of a deep verdict at 100 ms a call; more a call where a busy machine adds too much."""
    at, file = many
    given = yaml.safe_load(file.read_text())
    streams = {name: row for name, row in given["streams"].items() if row.get("enabled", True)}
    assert len(streams) == STREAMS
    assert {row["kind"] for row in streams.values()} == {"json", "text", "parquet", "avro"}
    assert len({row.get("bucket") for row in streams.values()}) == 3
    few = file.with_name("few.yaml")
    two = dict(list(streams.items())[:2])
    others = {
        name: {"enabled": False} for name in given["streams"] if name not in two and name not in streams
    }
    few.write_text(yaml.safe_dump({**given, "streams": {**two, **others}}))
    bundles = recorded(at, file), recorded(at, few)
    found = []
    for a_call_s in (0.1, 0.5, 1.0):
        (of_forty, calls), (of_two, few_calls) = (seconds(bundle, a_call_s) for bundle in bundles)
        assert calls > 5 * few_calls
        found.append((a_call_s, of_forty, of_two))
        if of_forty / of_two <= 1.5:
            return
    raise AssertionError(found)


def test_one_cause_is_one_line_however_many_streams_it_blocks(many: tuple[Installation, Path]) -> None:
    at, file = many
    policy = at.aws("iam").get_role_policy(RoleName="reader", PolicyName="read")["PolicyDocument"]
    at.environment = {**at.environment, "COLUMNS": "80"}
    at.aws("iam").delete_role_policy(RoleName="reader", PolicyName="read")
    try:
        told = at.run("-f", str(file), "verify", expect=1, timeout=240).stdout
    finally:
        at.aws("iam").put_role_policy(RoleName="reader", PolicyName="read", PolicyDocument=json.dumps(policy))
    lines = told.splitlines()
    assert max(map(len, lines[1:])) <= 80, told
    assert len(lines) <= 40, told
    assert told.count("root cause: ") == 1
