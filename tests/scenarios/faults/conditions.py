"""Broken by what a policy's statement asks for beside action and resource."""

import json
from collections.abc import Iterator
from typing import Any

from tests.scenarios.conftest import Installation
from tests.scenarios.faults.fault import fault, policy_document, set_policy, set_trust, trust_document

LATER, LONG_AGO = "2036-01-01T00:00:00Z", "2020-01-01T00:00:00Z"


def _asks(at: Installation, operator: str, key: str, value: str, sid: str = "") -> None:
    """Every statement of the permissions policy, or that of a Sid, asks for this too."""
    document = policy_document(at)
    for row in document["Statement"]:
        if sid in ("", row["Sid"]):
            row.setdefault("Condition", {}).setdefault(operator, {})[key] = value
    set_policy(at, document)


@fault("policy")
def list_condition_taken_literally(at: Installation) -> None:
    document = policy_document(at)
    for row in document["Statement"]:
        if "Condition" in row:
            row["Condition"] = {"StringEquals": row["Condition"]["StringLike"]}
    set_policy(at, document)


@fault("policy")
def reading_asks_for_a_tag_of_the_file(at: Installation) -> None:
    _asks(at, "StringEquals", "s3:ExistingObjectTag/scan", "clean", "ReadObjects")


@fault("policy")
def reading_asks_for_an_endpoint(at: Installation) -> None:
    _asks(at, "StringEquals", "aws:SourceVpce", "vpce-1", "ReadObjects")


@fault("policy")
def policy_ran_out(at: Installation) -> None:
    _asks(at, "DateLessThan", "aws:CurrentTime", LONG_AGO)


@fault("policy")
def policy_asks_for_a_second_factor(at: Installation) -> None:
    _asks(at, "Bool", "aws:MultiFactorAuthPresent", "true")


@fault("trust")
def external_id_must_be_absent(at: Installation) -> None:
    trust = trust_document(at)
    trust["Statement"][0]["Condition"] = {"Null": {"sts:ExternalId": "true"}}
    set_trust(at, trust)


@fault("trust")
def external_id_with_a_blank(at: Installation) -> None:
    trust = trust_document(at)
    trust["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"] += " "
    set_trust(at, trust)


@fault("role")
def policy_of_aws_denies_everything(at: Installation) -> Iterator[None]:
    where = {"RoleName": at.settings.aws.role_name, "PolicyArn": "arn:aws:iam::aws:policy/AWSDenyAll"}
    at.aws("iam").attach_role_policy(**where)
    yield
    at.aws("iam").detach_role_policy(**where)


@fault("role")
def sessions_were_revoked(at: Installation) -> Iterator[None]:
    """As the console does it; here with a time that no session of the test is after."""
    where = {"RoleName": at.settings.aws.role_name, "PolicyName": "AWSRevokeOlderSessions"}
    condition = {"DateLessThan": {"aws:TokenIssueTime": LATER}}
    row = {"Effect": "Deny", "Action": ["*"], "Resource": ["*"], "Condition": condition}
    text = json.dumps({"Version": "2012-10-17", "Statement": [row]})
    at.aws("iam").put_role_policy(**where, PolicyDocument=text)
    yield
    at.aws("iam").delete_role_policy(**where)


@fault("bucket")
def bucket_policy_names_the_role_that_was(at: Installation) -> Iterator[None]:
    """The usual lock-down by aws:userid: the role was recreated since, and has another id."""
    me = at.aws("sts").get_caller_identity()["UserId"]
    excepted = {"StringNotLike": {"aws:userid": ["AROAFORMERROLEXXXXXXX:*", me]}}
    yield from _locked(at, {"Action": ["s3:GetObject", "s3:ListBucket"], "Condition": excepted})


def _locked(at: Installation, more: dict[str, Any]) -> Iterator[None]:
    s3, bucket, arn = at.aws("s3"), at.settings.aws.bucket, at.settings.aws.bucket_arn
    row = {"Sid": "Lock", "Effect": "Deny", "Principal": "*", "Resource": [arn, f"{arn}/*"], **more}
    text = json.dumps({"Version": "2012-10-17", "Statement": [row]})
    s3.put_bucket_policy(Bucket=bucket, Policy=text)
    yield
    s3.delete_bucket_policy(Bucket=bucket)
