"""Broken on AWS: the permissions policy, the role, the bucket, and the trust policy."""

import json
from collections.abc import Iterator

from tests.scenarios.conftest import Installation
from tests.scenarios.faults.fault import fault, policy_document, set_policy, set_trust, trust_document

READ = "s3:GetObject"


def _without(at: Installation, action: str) -> None:
    """Take one action out of the policy."""
    document = policy_document(at)
    for row in document["Statement"]:
        actions = row["Action"] if isinstance(row["Action"], list) else [row["Action"]]
        row["Action"] = [name for name in actions if name != action]
    document["Statement"] = [row for row in document["Statement"] if row["Action"]]
    set_policy(at, document)


def _statement(document: dict[str, list[dict[str, object]]], sid: str) -> dict[str, object]:
    return next(row for row in document["Statement"] if row["Sid"] == sid)


# ---- the permissions policy


@fault("policy")
def policy_deleted(at: Installation) -> None:
    iam, aws = at.aws("iam"), at.settings.aws
    iam.detach_role_policy(RoleName=aws.role_name, PolicyArn=aws.policy_arn)
    for row in iam.list_policy_versions(PolicyArn=aws.policy_arn)["Versions"]:
        if not row["IsDefaultVersion"]:
            iam.delete_policy_version(PolicyArn=aws.policy_arn, VersionId=row["VersionId"])
    iam.delete_policy(PolicyArn=aws.policy_arn)


@fault("policy")
def list_not_allowed(at: Installation) -> None:
    _without(at, "s3:ListBucket")


@fault("policy")
def get_object_not_allowed(at: Installation) -> None:
    _without(at, "s3:GetObject")


@fault("policy")
def get_object_version_not_allowed(at: Installation) -> None:
    _without(at, "s3:GetObjectVersion")


@fault("policy")
def location_under_a_prefix_condition(at: Installation) -> None:
    document = policy_document(at)
    listing = _statement(document, "ListFolders")
    listing["Action"] = ["s3:ListBucket", "s3:GetBucketLocation"]
    document["Statement"] = [row for row in document["Statement"] if row["Sid"] != "LocateBucket"]
    set_policy(at, document)


@fault("policy")
def policy_for_another_bucket(at: Installation) -> None:
    text = json.dumps(policy_document(at)).replace(at.settings.aws.bucket, "another-bucket")
    set_policy(at, json.loads(text))


@fault("policy")
def policy_misses_a_folder(at: Installation) -> None:
    document, gone = policy_document(at), at.stream("events_bad").prefix
    for row in document["Statement"]:
        if isinstance(row["Resource"], list):
            row["Resource"] = [name for name in row["Resource"] if gone not in name]
        if "Condition" in row:
            values = row["Condition"]["StringLike"]["s3:prefix"]
            row["Condition"]["StringLike"]["s3:prefix"] = [name for name in values if gone not in name]
    set_policy(at, document)


@fault("policy")
def list_condition_without_a_star(at: Installation) -> None:
    document = policy_document(at)
    folders = [stream.prefix.rstrip("/") for stream in at.settings.streams]
    _statement(document, "ListFolders")["Condition"] = {"StringLike": {"s3:prefix": folders}}
    set_policy(at, document)


@fault("policy")
def policy_denies_one_folder(at: Installation) -> None:
    document = policy_document(at)
    folder = f"{at.settings.aws.bucket_arn}/{at.stream('events').prefix}*"
    document["Statement"].append({"Sid": "No", "Effect": "Deny", "Action": READ, "Resource": folder})
    set_policy(at, document)


@fault("policy")
def policy_denies_all_but_listing(at: Installation) -> None:
    document = policy_document(at)
    document["Statement"].append({"Sid": "No", "Effect": "Deny", "NotAction": "s3:List*", "Resource": "*"})
    set_policy(at, document)


@fault("policy")
def objects_without_a_star(at: Installation) -> None:
    document = policy_document(at)
    folders = [f"{at.settings.aws.bucket_arn}/{stream.prefix}" for stream in at.settings.streams]
    _statement(document, "ReadObjects")["Resource"] = folders
    set_policy(at, document)


@fault("policy")
def listing_allowed_on_objects(at: Installation) -> None:
    document = policy_document(at)
    _statement(document, "ListFolders")["Resource"] = f"{at.settings.aws.bucket_arn}/*"
    set_policy(at, document)


@fault("policy")
def policy_misses_the_events(at: Installation) -> None:
    document, gone = policy_document(at), at.stream("events").prefix
    row = _statement(document, "ReadObjects")
    row["Resource"] = [name for name in row["Resource"] if gone not in name]  # type: ignore[attr-defined]
    set_policy(at, document)


@fault("policy")
def policy_denies_listing(at: Installation) -> None:
    document = policy_document(at)
    document["Statement"].append({"Sid": "No", "Effect": "Deny", "Action": "s3:List*", "Resource": "*"})
    set_policy(at, document)


@fault("policy")
def policy_under_a_tag_condition(at: Installation) -> None:
    document = policy_document(at)
    for row in document["Statement"]:
        row.setdefault("Condition", {})["StringEquals"] = {"aws:PrincipalTag/team": "data"}
    set_policy(at, document)


@fault("policy")
def policy_allows_deleting(at: Installation) -> None:
    document = policy_document(at)
    _statement(document, "ReadObjects")["Action"] = [READ, "s3:GetObjectVersion", "s3:DeleteObject"]
    set_policy(at, document)


@fault("policy")
def policy_allows_everything_on_the_bucket(at: Installation) -> None:
    document, arn = policy_document(at), at.settings.aws.bucket_arn
    row = {"Sid": "All", "Effect": "Allow", "Action": "s3:*", "Resource": [arn, f"{arn}/*"]}
    document["Statement"].append(row)
    set_policy(at, document)


@fault("trust")
def external_id_cut_short(at: Installation) -> None:
    trust = trust_document(at)
    asked = trust["Statement"][0]["Condition"]["StringEquals"]
    asked["sts:ExternalId"] = asked["sts:ExternalId"][:-1]
    set_trust(at, trust)


@fault("trust")
def external_id_in_small_letters(at: Installation) -> None:
    trust = trust_document(at)
    asked = trust["Statement"][0]["Condition"]["StringEquals"]
    asked["sts:ExternalId"] = asked["sts:ExternalId"].lower()
    set_trust(at, trust)


@fault("trust")
def trust_of_snowflakes_account(at: Installation) -> None:
    trust = trust_document(at)
    account = trust["Statement"][0]["Principal"]["AWS"].split(":")[4]
    trust["Statement"][0]["Principal"] = {"AWS": f"arn:aws:iam::{account}:root"}
    set_trust(at, trust)


@fault("policy")
def policy_under_an_address_condition(at: Installation) -> None:
    document = policy_document(at)
    for row in document["Statement"]:
        row.setdefault("Condition", {})["IpAddress"] = {"aws:SourceIp": "198.51.100.0/24"}
    set_policy(at, document)


@fault("policy")
def policy_allows_writing(at: Installation) -> None:
    document = policy_document(at)
    _statement(document, "ReadObjects")["Action"] = [READ, "s3:GetObjectVersion", "s3:PutObject"]
    set_policy(at, document)


@fault("policy")
def policy_reads_the_whole_bucket(at: Installation) -> None:
    document = policy_document(at)
    _statement(document, "ReadObjects")["Resource"] = f"{at.settings.aws.bucket_arn}/*"
    set_policy(at, document)


@fault("policy")
def policy_reads_every_bucket(at: Installation) -> None:
    document = policy_document(at)
    everywhere = {"Sid": "All", "Effect": "Allow", "Action": READ, "Resource": "arn:aws:s3:::not-*/*"}
    document["Statement"].append(everywhere)
    set_policy(at, document)


# ---- the role


@fault("role", "trust", "policy")
def role_deleted(at: Installation) -> None:
    iam, aws = at.aws("iam"), at.settings.aws
    iam.detach_role_policy(RoleName=aws.role_name, PolicyArn=aws.policy_arn)
    iam.delete_role(RoleName=aws.role_name)


@fault("role", "policy")
def policy_detached(at: Installation) -> None:
    aws = at.settings.aws
    at.aws("iam").detach_role_policy(RoleName=aws.role_name, PolicyArn=aws.policy_arn)


@fault("role", "trust", "policy")
def role_under_another_path(at: Installation) -> Iterator[None]:
    iam, aws, trust = at.aws("iam"), at.settings.aws, trust_document(at)
    role_deleted(at)
    iam.create_role(RoleName=aws.role_name, Path="/other/", AssumeRolePolicyDocument=json.dumps(trust))
    iam.attach_role_policy(RoleName=aws.role_name, PolicyArn=aws.policy_arn)
    yield
    role_deleted(at)
    at.run("step1-aws", "step3-aws")


# ---- the trust policy


@fault("trust")
def external_id_wrong(at: Installation) -> None:
    trust = trust_document(at)
    trust["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"] = "SOMEBODY_ELSES"
    set_trust(at, trust)


@fault("trust")
def external_id_not_asked_for(at: Installation) -> None:
    trust = trust_document(at)
    del trust["Statement"][0]["Condition"]
    set_trust(at, trust)


@fault("trust")
def external_id_by_pattern(at: Installation) -> Iterator[None]:
    exact = trust_document(at)
    trust = trust_document(at)
    trust["Statement"][0]["Condition"] = {"StringLike": {"sts:ExternalId": "*_SFCRole=*"}}
    set_trust(at, trust)
    yield
    set_trust(at, exact)


@fault("trust")
def trust_names_somebody_else(at: Installation) -> None:
    trust = trust_document(at)
    me = at.aws("sts").get_caller_identity()["Arn"]
    trust["Statement"][0]["Principal"] = {"AWS": me}
    set_trust(at, trust)


@fault("trust")
def trust_overwritten(at: Installation) -> None:
    service = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    set_trust(at, {"Version": "2012-10-17", "Statement": [service]})


@fault("trust")
def trust_allows_another_action(at: Installation) -> None:
    trust = trust_document(at)
    trust["Statement"][0]["Action"] = "sts:AssumeRoleWithSAML"
    set_trust(at, trust)


@fault("trust")
def trust_denies_everybody_again(at: Installation) -> None:
    trust = trust_document(at)
    trust["Statement"].append(
        {
            "Sid": "AssumableByNobodyUntilStep3",
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": "sts:AssumeRole",
        }
    )
    set_trust(at, trust)


def _with(at: Installation, **statement: object) -> Iterator[None]:
    """Add a statement to the trust policy; by hand it is taken out again."""
    before = trust_document(at)
    set_trust(at, {**before, "Statement": [*before["Statement"], statement]})
    yield
    set_trust(at, before)


@fault("trust")
def trust_denies_by_somebody_elses_statement(at: Installation) -> Iterator[None]:
    user = trust_document(at)["Statement"][0]["Principal"]
    yield from _with(at, Sid="Quarantine", Effect="Deny", Principal=user, Action="sts:AssumeRole")


@fault("trust")
def trust_open_to_the_own_account(at: Installation) -> Iterator[None]:
    root = f"arn:aws:iam::{at.settings.aws.account_id}:root"
    yield from _with(at, Effect="Allow", Principal={"AWS": root}, Action="sts:AssumeRole")


@fault("trust")
def trust_open_to_everybody(at: Installation) -> Iterator[None]:
    yield from _with(at, Effect="Allow", Principal={"AWS": "*"}, Action="sts:AssumeRole")


@fault("trust")
def others_statement_asks_for_no_id(at: Installation) -> Iterator[None]:
    user = trust_document(at)["Statement"][0]["Principal"]
    yield from _with(at, Sid="Theirs", Effect="Allow", Principal=user, Action="sts:AssumeRole")


@fault("trust")
def placeholder_external_id_left(at: Installation) -> Iterator[None]:
    yield from _with(
        at,
        Effect="Allow",
        Principal={"AWS": at.aws("sts").get_caller_identity()["Arn"]},
        Action="sts:AssumeRole",
        Condition={"StringEquals": {"sts:ExternalId": "0000"}},
    )
