"""The story on an AWS endpoint that is not ours: ministack, which judges every call by IAM (AUTH=true).

It knows nothing of our gateway and is met by its public API alone, as AWS would be. What it does not judge
(1.5.33), and these tests therefore do not show: overlapping rules, ExpectedBucketOwner, encoded filter
values, and whether a trust policy's principals exist.
"""

import gzip
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import boto3
import pytest
from botocore.exceptions import ClientError
from snowpipe_sandbox import process

from tests.scenarios.conftest import Installation, installation_of
from tests.scenarios.warm import Warm

CUSTOMER, SNOWFLAKE = "111122223333", "900000000001"
STEPS = ("step1-aws", "step2-snowflake", "step3-aws", "step4-snowflake", "step5-aws")
ANYTHING = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}


def awaited(condition: Any, what: str, seconds: float = 60) -> Any:
    """The condition's first true answer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


def client(endpoint: str, service: str, key: str, secret: str = "any", token: str | None = None) -> Any:
    return boto3.Session().client(
        service,
        endpoint_url=endpoint,
        region_name="us-west-2",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
    )


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its URL. A 12-digit access key is the root of that account; all other keys are checked."""
    python = os.environ.get("SANDBOX_MINISTACK_PYTHON", "")
    if not python or not Path(python).exists():
        pytest.skip("SANDBOX_MINISTACK_PYTHON names no Python that has ministack (it pins another botocore)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("ministack")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": SNOWFLAKE,  # the account of its IAM users' keys
        "MINISTACK_REGION": "us-west-2",
        "SERVICES": "s3,sqs,sns,iam,sts,kms,ssm",
        "STATE_DIR": str(folder / "state"),
        "S3_DATA_DIR": str(folder / "s3"),
    }
    with (folder / "log").open("w") as log:
        running = subprocess.Popen([python, "-m", "ministack"], env=environment, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert running.poll() is None, (folder / "log").read_text()[-2000:]
        try:
            with urlopen(f"{url}/_ministack/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    try:
        awaited(answers, "ministack answers")
        yield url
    finally:
        running.terminate()
        running.wait(30)


@pytest.fixture(scope="module")
def administrator(ministack: str) -> dict[str, str]:
    """Credentials of a role of the customer's: the runbook refuses to work as an account's root."""
    trust = {"Effect": "Allow", "Principal": {"AWS": CUSTOMER}, "Action": "sts:AssumeRole"}
    iam = client(ministack, "iam", CUSTOMER)
    made = iam.create_role(
        RoleName="administrator",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust}),
    )
    iam.put_role_policy(RoleName="administrator", PolicyName="all", PolicyDocument=json.dumps(ANYTHING))
    sts = client(ministack, "sts", CUSTOMER)
    found: dict[str, str] = sts.assume_role(RoleArn=made["Role"]["Arn"], RoleSessionName="ann")["Credentials"]
    return found


@pytest.fixture(scope="module")
def elsewhere(
    ministack: str, administrator: dict[str, str], warm: Warm, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """A sandbox whose AWS is ministack: nothing is set up yet."""
    folder = tmp_path_factory.mktemp("elsewhere")
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {
            "ENDPOINT": ministack,
            "CUSTOMER_KEY": administrator["AccessKeyId"],
            "CUSTOMER_SECRET": administrator["SecretAccessKey"],
            "CUSTOMER_TOKEN": administrator["SessionToken"],
            "SNOWFLAKE_KEY": SNOWFLAKE,
            "SNOWFLAKE_SECRET": "any",
        }.items():
            environment.setenv(f"SANDBOX_AWS_{name}", value)
        found = process.start(folder)
    made = installation_of(found.tenant, folder / "person", {}, warm)
    yield made
    made.close()
    process.stop(folder)


def test_the_endpoint_really_enforces_iam(ministack: str, administrator: dict[str, str]) -> None:
    """Else the story below would show nothing."""
    iam = client(ministack, "iam", SNOWFLAKE)
    arn = iam.create_user(UserName="stranger")["User"]["Arn"]
    key = iam.create_access_key(UserName="stranger")["AccessKey"]
    mine = (key["AccessKeyId"], key["SecretAccessKey"])
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": arn},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "right"}},
    }
    listing = {
        "Effect": "Allow",
        "Action": "s3:ListBucket",
        "Resource": "arn:aws:s3:::probed",
        "Condition": {"StringLike": {"s3:prefix": "allowed/*"}},
    }
    customer = client(ministack, "iam", CUSTOMER)
    role = customer.create_role(
        RoleName="probed", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust})
    )["Role"]["Arn"]
    customer.put_role_policy(
        RoleName="probed",
        PolicyName="p",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": listing}),
    )
    client(ministack, "s3", CUSTOMER).create_bucket(
        Bucket="probed", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )

    def assume(external_id: str) -> Any:
        sts = client(ministack, "sts", *mine)
        return sts.assume_role(RoleArn=role, RoleSessionName="s1", ExternalId=external_id)["Credentials"]

    with pytest.raises(ClientError, match="AccessDenied"):
        assume("right")  # a stranger's own policies must allow it too
    may = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
    iam.put_user_policy(
        UserName="stranger",
        PolicyName="p",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": may}),
    )
    with pytest.raises(ClientError, match="AccessDenied"):
        assume("wrong")
    session = assume("right")
    s3 = client(ministack, "s3", session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
    assert s3.list_objects_v2(Bucket="probed", Prefix="allowed/")["KeyCount"] == 0
    for refused in ({"Prefix": "forbidden/"}, {}):
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.list_objects_v2(Bucket="probed", **refused)
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.get_object(Bucket="probed", Key="allowed/x")


def test_five_steps_files_and_verify_and_a_broken_trust_is_seen(elsewhere: Installation) -> None:
    from snowpipe_sandbox.snowplow.hard_cases import bad_documents, weird_events

    for step in STEPS:
        elsewhere.run(step)
    for step in STEPS:
        assert "nothing to change" in elsewhere.run(step).stdout
    elsewhere.assert_healthy()

    events = [case.line for case in weird_events()]
    documents = [case.line for case in bad_documents()]
    elsewhere.put("events", "date=2026-11-01/a b.gz", gzip.compress(b"\n".join(events) + b"\n"))
    elsewhere.put("events_bad", "b.gz", gzip.compress(b"\n".join(documents)))
    elsewhere.put("events", "not-announced.txt", b"no suffix, no event")
    for table, rows in (("EVENTS", len(events)), ("EVENTS_BAD", len(documents))):
        count = f"SELECT COUNT(*) FROM RAW.SNOWPLOW.{table}"
        awaited(lambda count=count: elsewhere.sql(count)[0][0], f"rows in {table}")
        assert elsewhere.sql(count) == [(rows,)]
    elsewhere.assert_healthy()

    _trust_another_external_id(elsewhere)
    found = elsewhere.verify()
    assert found["root_causes"] == ["step3.trust-external-id"], found
    elsewhere.run("step3-aws")
    elsewhere.assert_healthy()


def _trust_another_external_id(at: Installation) -> None:
    iam, role = at.aws("iam"), at.settings.aws.role_name
    trust = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    for statement in trust["Statement"]:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": "somebody-elses"}}
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(trust))
