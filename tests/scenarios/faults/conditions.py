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


@fault("policy")
def old_policy_version_made_the_default(at: Installation) -> None:
    """As somebody does who takes a change back in the console."""
    iam, arn = at.aws("iam"), at.settings.aws.policy_arn
    document = policy_document(at)
    set_policy(at, {**document, "Statement": [r for r in document["Statement"] if r["Sid"] != "ReadObjects"]})
    old = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    at.run("step1-aws")
    iam.set_default_policy_version(PolicyArn=arn, VersionId=old)


@fault("policy")
def policy_for_another_partition(at: Installation) -> None:
    set_policy(at, json.loads(json.dumps(policy_document(at)).replace("arn:aws:s3:", "arn:aws-cn:s3:")))


@fault("policy")
def reading_asks_for_no_tls(at: Installation) -> None:
    """The customary statement that denies was copied without its Deny."""
    _asks(at, "Bool", "aws:SecureTransport", "false", "ReadObjects")


@fault("policy")
def reading_asks_for_another_accounts_bucket(at: Installation) -> None:
    _asks(at, "StringEquals", "s3:ResourceAccount", "999999999999", "ReadObjects")


@fault("trust")
def external_id_under_another_key(at: Installation) -> None:
    trust = trust_document(at)
    asked = trust["Statement"][0]["Condition"]["StringEquals"]
    trust["Statement"][0]["Condition"] = {"StringEquals": {"aws:ExternalId": asked["sts:ExternalId"]}}
    set_trust(at, trust)


@fault("trust")
def external_id_must_differ(at: Installation) -> None:
    trust = trust_document(at)
    trust["Statement"][0]["Condition"] = {
        "StringNotEquals": trust["Statement"][0]["Condition"]["StringEquals"]
    }
    set_trust(at, trust)


@fault("trust")
def trust_denies_other_accounts(at: Installation) -> Iterator[None]:
    before = trust_document(at)
    condition = {"StringNotEquals": {"aws:PrincipalAccount": at.settings.aws.account_id}}
    row = {"Sid": "OnlyUs", "Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"}
    set_trust(at, {**before, "Statement": [*before["Statement"], {**row, "Condition": condition}]})
    yield
    set_trust(at, before)


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


@fault("bucket-policy")
def bucket_policy_for_another_account(at: Installation) -> Iterator[None]:
    """Only the account of a data lake may read: the bucket was moved out of it."""
    me = at.aws("sts").get_caller_identity()["Arn"]
    elsewhere = {"aws:PrincipalAccount": "999999999999", "aws:PrincipalArn": me}
    reading = ["s3:GetObject", "s3:ListBucket"]
    yield from _locked(at, {"Action": reading, "Condition": {"StringNotEquals": elsewhere}})


@fault("bucket-policy")
def bucket_policy_by_access_points_alone(at: Installation) -> Iterator[None]:
    me = at.aws("sts").get_caller_identity()["Arn"]
    ours = {"s3:DataAccessPointAccount": at.settings.aws.account_id, "aws:PrincipalArn": me}
    yield from _locked(at, {"Action": "s3:*", "Condition": {"StringNotEquals": ours}})


@fault("bucket-policy")
def bucket_policy_of_the_newest_tls(at: Installation) -> Iterator[None]:
    me = at.aws("sts").get_caller_identity()["Arn"]
    old = {"NumericLessThan": {"s3:TlsVersion": "1.4"}, "ArnNotEquals": {"aws:PrincipalArn": me}}
    yield from _locked(at, {"Action": "s3:*", "Condition": old})


def _locked(at: Installation, more: dict[str, Any]) -> Iterator[None]:
    s3, bucket, arn = at.aws("s3"), at.settings.aws.bucket, at.settings.aws.bucket_arn
    row = {"Sid": "Lock", "Effect": "Deny", "Principal": "*", "Resource": [arn, f"{arn}/*"], **more}
    text = json.dumps({"Version": "2012-10-17", "Statement": [row]})
    s3.put_bucket_policy(Bucket=bucket, Policy=text)
    yield
    s3.delete_bucket_policy(Bucket=bucket)
