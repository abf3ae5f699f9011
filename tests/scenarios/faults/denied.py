"""Broken by somebody else's say: boundaries, other policies, the bucket's policy, its key, its region."""

import json
from collections.abc import Iterator

import boto3

from tests.scenarios.conftest import Installation
from tests.scenarios.faults.fault import fault, set_trust, trust_document

DENY_READING = {"Sid": "NoReading", "Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}


def document(*rows: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(rows)})


def _policy(at: Installation, name: str, *rows: object) -> str:
    made = at.aws("iam").create_policy(PolicyName=name, PolicyDocument=document(*rows))
    return str(made["Policy"]["Arn"])


@fault("role")
def boundary_leaves_s3_out(at: Installation) -> Iterator[None]:
    iam, role = at.aws("iam"), at.settings.aws.role_name
    arn = _policy(at, "only-logs", {"Effect": "Allow", "Action": "logs:*", "Resource": "*"})
    iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=arn)
    yield
    iam.delete_role_permissions_boundary(RoleName=role)
    iam.delete_policy(PolicyArn=arn)


def bounded(at: Installation, row: object) -> Iterator[None]:
    iam, role = at.aws("iam"), at.settings.aws.role_name
    arn = _policy(at, "edge", row)
    iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=arn)
    yield
    iam.delete_role_permissions_boundary(RoleName=role)
    iam.delete_policy(PolicyArn=arn)


@fault("role")
def inline_policy_denies(at: Installation) -> Iterator[None]:
    iam, role = at.aws("iam"), at.settings.aws.role_name
    iam.put_role_policy(RoleName=role, PolicyName="quarantine", PolicyDocument=document(DENY_READING))
    yield
    iam.delete_role_policy(RoleName=role, PolicyName="quarantine")


@fault("role")
def attached_policy_denies(at: Installation) -> Iterator[None]:
    iam, role = at.aws("iam"), at.settings.aws.role_name
    arn = _policy(at, "no-listing", {**DENY_READING, "Action": "s3:List*"})
    iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    yield
    iam.detach_role_policy(RoleName=role, PolicyArn=arn)
    iam.delete_policy(PolicyArn=arn)


def _bucket_policy(at: Installation, **statement: object) -> Iterator[None]:
    s3, bucket = at.aws("s3"), at.settings.aws.bucket
    row = {
        "Effect": "Deny",
        "Principal": "*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    row = {key: value for key, value in {**row, **statement}.items() if value}
    s3.put_bucket_policy(Bucket=bucket, Policy=document(row))
    yield
    s3.delete_bucket_policy(Bucket=bucket)


@fault("bucket-policy")
def bucket_policy_denies_the_role(at: Installation) -> Iterator[None]:
    yield from _bucket_policy(
        at, Sid="NoOutsiders", Principal={"AWS": at.settings.aws.role_arn}, Action="s3:*"
    )


@fault("bucket-policy")
def bucket_policy_denies_reading(at: Installation) -> Iterator[None]:
    yield from _bucket_policy(at, Sid="NobodyReads", Action="s3:GetObject")


@fault("bucket-policy")
def bucket_policy_of_a_vpc(at: Installation) -> Iterator[None]:
    me = at.aws("sts").get_caller_identity()["Arn"]
    condition = {"StringNotEquals": {"aws:SourceVpce": "vpce-0123456789", "aws:PrincipalArn": me}}
    yield from _bucket_policy(at, Sid="OnlyOurVpc", Action="s3:*", Condition=condition)


@fault("bucket-policy")
def bucket_policy_excepts_others(at: Installation) -> Iterator[None]:
    me = at.aws("sts").get_caller_identity()["Arn"]
    yield from _bucket_policy(at, Sid="OnlyUs", Principal=None, NotPrincipal={"AWS": me}, Action="s3:*")


@fault("bucket-policy")
def bucket_policy_excepts_administrators(at: Installation) -> Iterator[None]:
    condition = {"StringNotLike": {"aws:PrincipalArn": at.aws("sts").get_caller_identity()["Arn"]}}
    yield from _bucket_policy(at, Sid="Administrators", Action="s3:*", Condition=condition)


@fault("bucket-policy")
def bucket_policy_of_an_organisation(at: Installation) -> Iterator[None]:
    me = at.aws("sts").get_caller_identity()["Arn"]
    condition = {"StringNotEquals": {"aws:PrincipalOrgID": "o-1234567890", "aws:PrincipalArn": me}}
    yield from _bucket_policy(at, Sid="OnlyOurOrganisation", Action="s3:*", Condition=condition)


@fault("bucket-policy")
def bucket_policy_reads_through_an_endpoint(at: Installation) -> Iterator[None]:
    condition = {"StringNotEquals": {"aws:SourceVpce": "vpce-0123456789"}}
    yield from _bucket_policy(at, Sid="ReadInside", Action="s3:GetObject", Condition=condition)


@fault("bucket-policy")
def bucket_policy_asks_for_a_tag(at: Installation) -> Iterator[None]:
    condition = {"StringNotEquals": {"aws:PrincipalTag/team": "data"}}
    yield from _bucket_policy(at, Sid="TeamReads", Action="s3:GetObject", Condition=condition)


@fault("trust")
def trust_excepts_others(at: Installation) -> Iterator[None]:
    before, me = trust_document(at), at.aws("sts").get_caller_identity()["Arn"]
    row = {"Sid": "Ours", "Effect": "Deny", "NotPrincipal": {"AWS": me}, "Action": "sts:AssumeRole"}
    set_trust(at, {**before, "Statement": [*before["Statement"], row]})
    yield
    set_trust(at, before)


@fault("bucket-policy")
def bucket_policy_denies_listing(at: Installation) -> Iterator[None]:
    yield from _bucket_policy(
        at, Sid="NobodyLists", Action="s3:ListBucket", Principal={"AWS": at.settings.aws.role_arn}
    )


@fault("bucket-policy")
def bucket_policy_denies_one_folder(at: Installation) -> Iterator[None]:
    folder = f"arn:aws:s3:::{at.settings.aws.bucket}/{at.stream('events').prefix}*"
    yield from _bucket_policy(at, Sid="NotThese", Action="s3:GetObject", Resource=folder)


@fault("role")
def boundary_lists_only(at: Installation) -> Iterator[None]:
    yield from bounded(at, {"Effect": "Allow", "Action": "s3:List*", "Resource": "*"})


@fault("role")
def boundary_of_another_bucket(at: Installation) -> Iterator[None]:
    yield from bounded(at, {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::another/*"})


@fault("role")
def inline_policy_denies_all_but_another_bucket(at: Installation) -> Iterator[None]:
    iam, role = at.aws("iam"), at.settings.aws.role_name
    row = {"Sid": "OnlyThere", "Effect": "Deny", "Action": "s3:*", "NotResource": "arn:aws:s3:::another/*"}
    iam.put_role_policy(RoleName=role, PolicyName="only-there", PolicyDocument=document(row))
    yield
    iam.delete_role_policy(RoleName=role, PolicyName="only-there")


def _trust_under(at: Installation, **condition: object) -> Iterator[None]:
    before, trust = trust_document(at), trust_document(at)
    trust["Statement"][0]["Condition"].update(condition)
    set_trust(at, trust)
    yield
    set_trust(at, before)


@fault("trust")
def trust_asks_for_a_second_factor(at: Installation) -> Iterator[None]:
    yield from _trust_under(at, Bool={"aws:MultiFactorAuthPresent": "true"})


@fault("trust")
def trust_asks_for_an_organisation(at: Installation) -> Iterator[None]:
    before, trust = trust_document(at), trust_document(at)
    trust["Statement"][0]["Condition"]["StringEquals"]["aws:PrincipalOrgID"] = "o-1234567890"
    set_trust(at, trust)
    yield
    set_trust(at, before)


@fault("trust")
def trust_asks_for_an_address(at: Installation) -> Iterator[None]:
    before, trust = trust_document(at), trust_document(at)
    trust["Statement"][0]["Condition"]["IpAddress"] = {"aws:SourceIp": "198.51.100.0/24"}
    set_trust(at, trust)
    yield
    set_trust(at, before)


@fault("trust")
def iam_still_propagating(at: Installation) -> Iterator[None]:
    right = trust_document(at)
    trust = trust_document(at)
    trust["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"] = "SOMEBODY_ELSES"
    set_trust(at, trust)
    at.advance(seconds=1801)
    at.control("POST", "/faults", {"iam_propagation_s": 1800})
    set_trust(at, right)
    yield
    at.advance(seconds=1801)


@fault("bucket-policy", "listing")
def lists_are_kept_short(at: Installation) -> Iterator[None]:
    condition = {
        "NumericGreaterThan": {"s3:max-keys": "100"},
        "ArnEquals": {"aws:PrincipalArn": at.settings.aws.role_arn},
    }
    yield from _bucket_policy(at, Sid="ShortLists", Action="s3:ListBucket", Condition=condition)


# ---- settings that describe another installation


def _setting(at: Installation, name: str, value: str) -> Iterator[None]:
    at.environment[name] = value
    yield
    del at.environment[name]


@fault("settings", "bucket")
def settings_name_another_bucket(at: Installation) -> Iterator[None]:
    before = at.environment["INVOKE_AWS_BUCKET"]
    at.environment["INVOKE_AWS_BUCKET"] = f"{before}-old"
    yield
    at.environment["INVOKE_AWS_BUCKET"] = before


@fault("settings", "bucket")
def settings_name_another_region(at: Installation) -> Iterator[None]:
    yield from _setting(at, "INVOKE_AWS_REGION", "eu-west-1")


@fault("settings", "schema")
def settings_name_another_schema(at: Installation) -> Iterator[None]:
    yield from _setting(at, "INVOKE_SNOWFLAKE_SCHEMA", "SNOWPLOW_OLD")


@fault("settings", "policy", "integration", "stage", "rule")
def settings_name_another_prefix(at: Installation) -> Iterator[None]:
    yield from _setting(at, "INVOKE_STREAMS_EVENTS_PREFIX", "snowplow/enriched/strem/")


@fault("settings", "file", "rule")
def settings_name_another_suffix(at: Installation) -> Iterator[None]:
    yield from _setting(at, "INVOKE_STREAMS_EVENTS_SUFFIX", ".tsv.gz")


@fault("settings", "pipe", "rule")
def settings_name_another_pipe(at: Installation) -> Iterator[None]:
    yield from _setting(at, "INVOKE_STREAMS_EVENTS_PIPE", "EVENT_PIPE")


@fault("settings", "stage")
def settings_name_another_stage(at: Installation) -> Iterator[None]:
    yield from _setting(at, "INVOKE_STREAMS_EVENTS_STAGE", "ENRICHED")


@fault("settings", "table", "file")
def settings_name_another_table(at: Installation) -> Iterator[None]:
    yield from _setting(at, "INVOKE_STREAMS_EVENTS_TABLE", "EVENT")


@fault("settings", "integration", "stage")
def settings_name_another_integration(at: Installation) -> Iterator[None]:
    yield from _setting(at, "INVOKE_SNOWFLAKE_INTEGRATION", "SNOWPLOW")


@fault("settings", "role", "trust", "policy")
def settings_name_another_role(at: Installation) -> Iterator[None]:
    yield from _setting(at, "INVOKE_AWS_ROLE_NAME", "snowflake-reads")


@fault("settings", "policy", "role")
def settings_name_another_policy(at: Installation) -> Iterator[None]:
    yield from _setting(at, "INVOKE_AWS_POLICY_NAME", "snowflake-reads")


@fault("settings", "loader", "pipe", "roles")
def settings_name_another_loader_role(at: Installation) -> Iterator[None]:
    yield from _setting(at, "INVOKE_SNOWFLAKE_LOADER_ROLE", "SNOWPLOW_LOAD")


@fault("settings", "operator", "pipe", "roles")
def settings_name_another_operator_role(at: Installation) -> Iterator[None]:
    yield from _setting(at, "INVOKE_SNOWFLAKE_OPERATOR_ROLE", "ONCALL")


@fault("settings", "loader", "operator", "roles", "usage")
def settings_name_another_owner_role(at: Installation) -> Iterator[None]:
    at.sql("CREATE ROLE PLATFORM")
    at.sql("GRANT ROLE PLATFORM TO ROLE ACCOUNTADMIN")
    yield from _setting(at, "INVOKE_SNOWFLAKE_OWNER_ROLE", "PLATFORM")


@fault("settings", "format", "pipe", "stops")
def settings_name_another_file_format(at: Installation) -> Iterator[None]:
    yield from _setting(at, "INVOKE_SNOWFLAKE_FILE_FORMAT_ENRICHED", "TSV")


@fault("bucket", "rule", "pipe", "queue")
def bucket_made_anew_in_another_region(at: Installation) -> Iterator[None]:
    s3, bucket = at.aws("s3"), at.settings.aws.bucket
    for row in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        s3.delete_object(Bucket=bucket, Key=row["Key"])
    s3.delete_bucket(Bucket=bucket)
    there = boto3.Session().client(
        "s3",
        endpoint_url=at.tenant["aws"]["endpoint_url"],
        region_name="eu-west-1",
        aws_access_key_id=at.tenant["aws"]["access_key_id"],
        aws_secret_access_key=at.tenant["aws"]["secret_access_key"],
    )
    there.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    at.environment["INVOKE_AWS_REGION"] = "eu-west-1"
    yield
    for stream in at.settings.streams:
        at.sql(f"DROP PIPE {stream.pipe.sql}")
    at.run("step4-snowflake", "step5-aws")
