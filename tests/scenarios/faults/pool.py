"""Healthy installations, made once and used again: taken, broken, mended, and looked over."""

import gzip
import json
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from snowflake.connector.errors import ProgrammingError

from tests.scenarios.conftest import Installation, new_tenant
from tests.scenarios.faults import topics

FILES = {"events": "before/a.gz", "events_bad": "before/b.gz"}

CONTENT = {
    "events": gzip.compress(b"app" + b"\t" * 130 + b"\n"),
    "events_bad": gzip.compress(b'{"schema": "x"}\n'),
}


class Pool:
    """Installations in the state the five steps leave, with a file loaded into each table."""

    def __init__(self, folder: Path, control_url: str, warm: Any) -> None:
        self._folder = folder
        self._control_url = control_url
        self._warm = warm
        self._spare: dict[str, list[tuple[Installation, str]]] = {"": [], "topic": []}

    @contextmanager
    def spent(self) -> Iterator[Installation]:
        """One of them, thrown away at the end whatever was done to it."""
        spare = self._spare[""]
        at, _ = spare.pop() if spare else self._made("")
        try:
            yield at
        finally:
            _remove(at)

    @contextmanager
    def healthy(self, shape: str = "") -> Iterator[Installation]:
        """One of them. Given back only as it was, to the last grant; otherwise it is thrown away."""
        spare = self._spare[shape]
        at, before = spare.pop() if spare else self._made(shape)
        environment = dict(at.environment)
        try:
            yield at
            at.environment.clear()
            at.environment.update(environment)
            _sweep(at)
            if _same(at, before):
                spare.append((at, before))
                at = None  # type: ignore[assignment]
        finally:
            if at is not None:
                _remove(at)

    def close(self) -> None:
        """Remove them all."""
        for at, _ in (*self._spare[""], *self._spare["topic"]):
            _remove(at)

    def _made(self, shape: str) -> tuple[Installation, str]:
        name = f"f{uuid.uuid4().hex[:10]}"
        settings = {"INVOKE_CHECKS_READY_WITHIN_SECONDS": "2"}
        at = new_tenant(self._control_url, name, self._folder / name, settings, self._warm)
        if shape == "topic":
            topics.made(at)
        at.run("up")
        for stream, file in FILES.items():
            at.put(stream, file, CONTENT[stream])
        at.settle()
        return at, state(at)


def _remove(at: Installation) -> None:
    at.close()
    at.control("DELETE", "")


def _sweep(at: Installation) -> None:
    """Take away the files a fault brought, and whatever the control interface was told."""
    at.control("DELETE", "/faults")
    s3, bucket = at.aws("s3"), at.settings.aws.bucket
    kept = _kept(at)
    for row in s3.list_objects_v2(Bucket=bucket).get("Contents", ()):
        if row["Key"] not in kept:
            s3.delete_object(Bucket=bucket, Key=row["Key"])


def state(at: Installation) -> str:
    """Everything a fault may have left behind, without times, and the external ID by its name."""
    integration = at.settings.snowflake.integration.sql
    schema = at.settings.streams[0].table
    inside = f"{schema.database.sql}.{schema.schema.sql}"
    statements = [
        f"DESC INTEGRATION {integration}",
        "SHOW INTEGRATIONS",
        "SHOW ROLES",
        "SHOW STAGES IN ACCOUNT",
        "SHOW PIPES IN ACCOUNT",
        "SHOW FILE FORMATS IN ACCOUNT",
        "SHOW PARAMETERS LIKE 'PIPE_EXECUTION_PAUSED' IN ACCOUNT",
        f"SHOW PARAMETERS LIKE 'PIPE_EXECUTION_PAUSED' IN SCHEMA {inside}",
        *(f"SHOW GRANTS TO ROLE {role}" for role in ("SYSADMIN", "SNOWPLOW_LOADER", "SNOWPLOW_OPERATOR")),
    ]
    for stream in at.settings.streams:
        statements += [
            f"DESC TABLE {stream.table.sql}",
            f"DESC FILE FORMAT {stream.file_format.sql}",
            f"SHOW PARAMETERS LIKE 'PIPE_EXECUTION_PAUSED' IN PIPE {stream.pipe.sql}",
        ]
    found = [(statement, sorted(map(_timeless, at.sql(statement)))) for statement in statements]
    # a pipe or table made anew looks the same, but has forgotten what it loaded
    made = sorted(
        str(row[:2]) for kind in ("TABLES", "PIPES") for row in at.sql(f"SHOW {kind} IN SCHEMA {inside}")
    )
    runs = [_runs(at, stream.pipe.sql) for stream in at.settings.streams]
    text = "\n".join(map(str, [*found, made, runs, _files(at), *_aws_state(at)]))
    external_id = next(row[2] for row in at.sql(f"DESC INTEGRATION {integration}") if "EXTERNAL_ID" in row[0])
    return text.replace(str(external_id), "EXTERNAL_ID")


def _files(at: Installation) -> list[str]:
    """Which of the files it began with are there."""
    listed = at.aws("s3").list_objects_v2(Bucket=at.settings.aws.bucket).get("Contents", ())
    return sorted(row["Key"] for row in listed if row["Key"] in _kept(at))


def _kept(at: Installation) -> set[str]:
    return {at.stream(stream).prefix + file for stream, file in FILES.items()}


def _runs(at: Installation, pipe: str) -> str:
    status = json.loads(at.sql(f"SELECT SYSTEM$PIPE_STATUS('{pipe}')")[0][0])
    return str(status["executionState"])


def _same(at: Installation, before: str) -> bool:
    """Whether nothing is left behind; what cannot be asked is not there any more."""
    try:
        return state(at) == before
    except (ClientError, ProgrammingError):
        return False


def _timeless(row: tuple[Any, ...]) -> str:
    return str([value for value in row if not isinstance(value, datetime)])


def _aws_state(at: Installation) -> list[Any]:
    iam, s3, aws = at.aws("iam"), at.aws("s3"), at.settings.aws
    version = iam.get_policy(PolicyArn=aws.policy_arn)["Policy"]["DefaultVersionId"]
    head = iam.get_role(RoleName=aws.role_name)["Role"]
    found = [
        iam.get_policy_version(PolicyArn=aws.policy_arn, VersionId=version)["PolicyVersion"]["Document"],
        {name: head.get(name) for name in ("Arn", "AssumeRolePolicyDocument", "PermissionsBoundary", "Tags")},
        iam.list_attached_role_policies(RoleName=aws.role_name)["AttachedPolicies"],
        iam.list_role_policies(RoleName=aws.role_name)["PolicyNames"],
        s3.head_bucket(Bucket=aws.bucket)["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region"),
        _rules(s3.get_bucket_notification_configuration(Bucket=aws.bucket)),
        s3.get_bucket_encryption(Bucket=aws.bucket)["ServerSideEncryptionConfiguration"],
        [row["Key"] for row in s3.list_objects_v2(Bucket=aws.bucket).get("Contents", ())],
    ]
    with suppress(ClientError):
        found.append(s3.get_bucket_policy(Bucket=aws.bucket)["Policy"])
    sns = at.aws("sns")
    for topic in sns.list_topics()["Topics"]:
        found.append(sns.get_topic_attributes(**topic)["Attributes"]["Policy"])
        rows = sns.list_subscriptions_by_topic(**topic)["Subscriptions"]
        found.append(sorted(row["Endpoint"] for row in rows))
    return found


def _rules(document: dict[str, Any]) -> list[str]:
    document.pop("ResponseMetadata")
    return sorted(re.sub(r"\s", "", str(row)) for rows in document.values() for row in rows)
