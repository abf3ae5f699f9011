"""Others' pipes as they lie: in several schemas and databases, several to a folder, several to a table."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.conftest import Installation

BUILT = """
CREATE DATABASE MANAGE
CREATE SCHEMA MANAGE.PIPES
CREATE SCHEMA MANAGE."stages"
CREATE DATABASE HOME
CREATE SCHEMA HOME.LAND
CREATE FILE FORMAT MANAGE.PUBLIC.CSV TYPE = CSV, FIELD_DELIMITER = "," SKIP_HEADER = 0
CREATE STAGE MANAGE."stages"."in" URL = 's3://BUCKET/in/' STORAGE_INTEGRATION = HAND FILE_FORMAT = MANAGE.PUBLIC.CSV
CREATE TABLE HOME.LAND.ORDERS (A VARCHAR, B VARCHAR)
CREATE TABLE HOME.LAND.CUSTOMERS (A VARCHAR, B VARCHAR)
CREATE TABLE HOME.PUBLIC.REGIONS (A VARCHAR, B VARCHAR)
CREATE PIPE MANAGE.PIPES.ORDERS AUTO_INGEST = TRUE AS COPY INTO HOME.LAND.ORDERS FROM @MANAGE."stages"."in"/shop/ PATTERN = '.*orders_.*\\\\.csv' ON_ERROR = SKIP_FILE
CREATE PIPE MANAGE.PIPES.CUSTOMERS AUTO_INGEST = TRUE AS COPY INTO HOME.LAND.CUSTOMERS FROM (SELECT $1, $2 FROM @MANAGE."stages"."in"/shop/ (PATTERN => '.*customers_.*\\\\.csv'))
CREATE PIPE MANAGE.PIPES.NORTH AUTO_INGEST = TRUE AS COPY INTO HOME.PUBLIC.REGIONS FROM @MANAGE."stages"."in"/north/
CREATE PIPE HOME.PUBLIC.SOUTH AUTO_INGEST = TRUE AS COPY INTO HOME.PUBLIC.REGIONS FROM @MANAGE."stages"."in"/south/
"""  # noqa: E501 (a statement is one line)
ARRIVED = {
    "in/shop/orders_1.csv": "1,a\n",
    "in/shop/orders_2.csv": "2,b\n",
    "in/shop/customers_1.csv": "7,c\n",
    "in/north/1.csv": "1,n\n",
    "in/south/1.csv": "2,s\n",
}
LOST = {"in/shop/orders_3.csv": "3,d\n", "in/shop/customers_2.csv": "8,e\n", "in/south/2.csv": "3,s\n"}


@pytest.fixture
def file(installation: Installation, tmp_path: Path) -> Path:
    """All of it, as a person makes it, discovered."""
    at, bucket = installation, installation.settings.aws.bucket
    at.sql(_integration(at))
    _let_in(at)
    for statement in BUILT.strip().split("\n"):
        at.sql(statement.replace("BUCKET", bucket))
    queue = str(at.sql("SHOW PIPES IN SCHEMA MANAGE.PIPES")[0][6])
    at.aws("s3").put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": queue, "Events": ["s3:ObjectCreated:*"]}]
        },
    )
    _put(at, ARRIVED)
    at.settle()
    found = tmp_path / "found.yaml"
    pipe = "MANAGE.PIPES.ORDERS"
    at.run("discover", "--pipe", pipe, "--name", "sandbox", "--output", str(found))
    return found


def test_every_pipe_is_found_verified_and_filled(installation: Installation, file: Path) -> None:
    assert "Left out" not in file.read_text()
    assert _verified(installation, file) == []
    assert _counts(installation) == {"ORDERS": 2, "CUSTOMERS": 1, "REGIONS": 2}
    installation.control("POST", "/faults", {"notifications": {"drop": 1.0}})
    _put(installation, LOST)
    installation.settle()
    installation.control("DELETE", "/faults")
    installation.control("POST", "/clock", {"advance_s": 7200})
    red = {row["stream"] for row in _verified(installation, file) if row["id"].startswith("delivery.")}
    assert red == {"orders", "customers", "regions"}
    refreshing = installation.run("-f", str(file), "refresh", "--dry-run").stdout
    assert refreshing.count("REFRESH PREFIX") == 3
    installation.run("-f", str(file), "backfill", "--pattern", ".*", "--yes")
    installation.settle()
    assert _counts(installation) == {"ORDERS": 3, "CUSTOMERS": 2, "REGIONS": 3}
    assert _verified(installation, file) == []


@pytest.mark.slow
def test_files_older_than_a_refresh_reaches_are_copied_by_name(
    installation: Installation, file: Path
) -> None:
    """COPY with FILES looks at no PATTERN as a pipe does: what it leaves out stays out."""
    installation.control("POST", "/faults", {"notifications": {"drop": 1.0}})
    _put(installation, LOST | {"in/shop/readme.txt": "no order\n"})
    installation.settle()
    installation.control("DELETE", "/faults")
    installation.control("POST", "/clock", {"advance_s": 9 * 86400})
    done = installation.run("-f", str(file), "backfill", "--pattern", ".*", "--yes")
    assert "REFRESH" not in done.stdout
    assert _counts(installation) == {"ORDERS": 3, "CUSTOMERS": 2, "REGIONS": 3}


@pytest.mark.slow
def test_a_stage_with_keys_of_its_own_is_served_without_a_role(
    installation: Installation, tmp_path: Path
) -> None:
    at, aws = installation, installation.tenant["aws"]
    keys = f"AWS_KEY_ID = '{aws['access_key_id']}' AWS_SECRET_KEY = '{aws['secret_access_key']}'"
    for statement in (
        "CREATE DATABASE KEYS",
        "CREATE TABLE KEYS.PUBLIC.T (A VARCHAR)",
        f"CREATE STAGE KEYS.PUBLIC.ST URL = 's3://{aws['bucket']}/k' CREDENTIALS = ({keys})",
        "CREATE PIPE KEYS.PUBLIC.P AUTO_INGEST = TRUE AS COPY INTO KEYS.PUBLIC.T FROM @KEYS.PUBLIC.ST",
    ):
        at.sql(statement)
    queue = str(at.sql("SHOW PIPES IN SCHEMA KEYS.PUBLIC")[0][6])
    rule = {"QueueArn": queue, "Events": ["s3:ObjectCreated:*"]}
    at.aws("s3").put_bucket_notification_configuration(
        Bucket=aws["bucket"], NotificationConfiguration={"QueueConfigurations": [rule]}
    )
    _put(at, {"k/1.csv": "a\n"})
    at.settle()
    file = tmp_path / "found.yaml"
    at.run("discover", "--pipe", "KEYS.PUBLIC.P", "--name", "sandbox", "--output", str(file))
    text = " ".join(file.read_text().replace("#", " ").split())
    assert "has no storage integration: Snowflake reads by keys" in text
    assert aws["secret_access_key"] not in text
    assert _verified(at, file) == []
    at.control("POST", "/faults", {"notifications": {"drop": 1.0}})
    _put(at, {"k/2.csv": "b\n"})
    at.settle()
    at.control("DELETE", "/faults")
    at.control("POST", "/clock", {"advance_s": 7200})
    assert "delivery.files-are-loaded" in {row["id"] for row in _verified(at, file)}
    at.run("-f", str(file), "backfill", "--pattern", ".*", "--yes")
    at.settle()
    assert at.sql("SELECT COUNT(*) FROM KEYS.PUBLIC.T") == [(2,)]
    assert _verified(at, file) == []


def _counts(at: Installation) -> dict[str, int]:
    tables = ("HOME.LAND.ORDERS", "HOME.LAND.CUSTOMERS", "HOME.PUBLIC.REGIONS")
    return {name.split(".")[-1]: at.sql(f"SELECT COUNT(*) FROM {name}")[0][0] for name in tables}


def _verified(at: Installation, file: Path) -> list[dict[str, Any]]:
    """What is not right, without advice."""
    done = at.run("-f", str(file), "verify", "--deep", "--format", "json", expect=None)
    rows: list[dict[str, Any]] = json.loads(done.stdout)["checks"]
    return [row for row in rows if row["outcome"] not in ("passed", "skipped", "advice")]


def _put(at: Installation, files: dict[str, str]) -> None:
    for key, body in files.items():
        at.aws("s3").put_object(Bucket=at.settings.aws.bucket, Key=key, Body=body.encode())


def _integration(at: Installation) -> str:
    aws = at.settings.aws
    return (
        "CREATE STORAGE INTEGRATION HAND TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
        f"STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::{aws.account_id}:role/reader' "
        f"STORAGE_ALLOWED_LOCATIONS = ('s3://{aws.bucket}/')"
    )


def _let_in(at: Installation) -> None:
    shown = {str(row[0]): str(row[2]) for row in at.sql("DESC INTEGRATION HAND")}
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": shown["STORAGE_AWS_IAM_USER_ARN"]},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": shown["STORAGE_AWS_EXTERNAL_ID"]}},
    }
    read = {"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": "*"}
    iam = at.aws("iam")
    iam.create_role(RoleName="reader", AssumeRolePolicyDocument=_document(trust))
    iam.put_role_policy(RoleName="reader", PolicyName="read", PolicyDocument=_document(read))


def _document(row: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [row]})
