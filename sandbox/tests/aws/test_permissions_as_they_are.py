"""What real clouds let through, and stricter emulators do not; and what they keep out."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from snowpipe_sandbox.aws.notifications import Rule

ALL = "s3:ObjectCreated:*"


def deny(bucket: str, **more: Any) -> str:
    row = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [{**row, **more}]})


TLS_ONLY = {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize(
    ("more", "read", "listed"),
    [
        ({"Condition": TLS_ONLY}, True, True),
        ({"Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}}, False, False),
        ({"Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}}, False, False),
        ({"Condition": {"StringNotEquals": {"aws:PrincipalTag/team": "data"}}}, True, True),
        ({"Condition": {"StringNotEquals": {"aws:PrincipalTag/team": "other"}}}, False, False),
        ({"Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}}}, True, True),
        ({"Action": "s3:GetObject", "Condition": {"StringNotEquals": {"aws:SourceVpc": "v"}}}, False, True),
    ],
    ids=["tls", "endpoint", "organisation", "its tag", "another tag", "tls version", "reading alone"],
)
def test_a_deny_of_the_bucket_denies_where_its_condition_is_met(
    tenant: Any, snowflake: Any, iam: Any, more: Any, read: bool, listed: bool
) -> None:
    """Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition.html"""
    role = iam.role(
        iam.trust({"AWS": snowflake.arn}), *iam.reading(), Tags=[{"Key": "team", "Value": "data"}]
    )
    s3 = tenant.boto3("s3")
    s3.put_object(Bucket=tenant.bucket, Key="p/a", Body=b"x")
    s3.put_bucket_policy(Bucket=tenant.bucket, Policy=deny(tenant.bucket, **more))
    there = snowflake.as_role(role)
    assert may(there.get_object, Bucket=tenant.bucket, Key="p/a") is read
    assert may(there.list_objects_v2, Bucket=tenant.bucket, Prefix="p/") is listed


def may(call: Any, **parameters: Any) -> bool:
    try:
        call(**parameters)
    except ClientError as refused:
        if refused.response["Error"]["Code"] != "AccessDenied":
            raise
        return False
    return True


def test_whoever_writes_under_a_tls_policy_still_writes_and_deletes(tenant: Any) -> None:
    s3 = tenant.boto3("s3")
    s3.put_bucket_policy(Bucket=tenant.bucket, Policy=deny(tenant.bucket, Condition=TLS_ONLY))
    s3.put_object(Bucket=tenant.bucket, Key="a", Body=b"x")
    gone = s3.delete_objects(Bucket=tenant.bucket, Delete={"Objects": [{"Key": "a"}]})
    assert [row["Key"] for row in gone["Deleted"]] == ["a"]


def test_the_root_of_snowflakes_account_stands_for_its_user(snowflake: Any, iam: Any, refused: Any) -> None:
    """Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html"""
    role = iam.role(iam.trust({"AWS": f"arn:aws:iam::{snowflake.account_id}:root"}))
    assert snowflake.assume(role)["AccessKeyId"]
    assert refused(snowflake.assume, role_arn=role, ExternalId="ext-2")["Code"] == "AccessDenied"


@pytest.mark.parametrize("action", ["sts:*", "sts:Assume*", "*", ["sts:TagSession", "sts:AssumeRole"]])
def test_a_trust_policy_may_name_actions_by_wildcard(snowflake: Any, iam: Any, action: Any) -> None:
    trust = json.loads(iam.trust({"AWS": snowflake.arn}))
    trust["Statement"][0]["Action"] = action
    role = iam.role(iam.trust({"AWS": snowflake.arn}))
    iam.client.update_assume_role_policy(RoleName="reader", PolicyDocument=json.dumps(trust))
    assert snowflake.assume(role)["AccessKeyId"]


def test_a_percent_sign_in_a_document_is_one(tenant: Any, snowflake: Any, iam: Any) -> None:
    """The wire's encoding is taken off once: a key may hold ``%41``."""
    s3, rows = tenant.boto3("s3"), iam.reading("a%41")
    role = iam.role(iam.trust({"AWS": snowflake.arn}), *rows)
    read = iam.client.get_role_policy(RoleName="reader", PolicyName="inline")["PolicyDocument"]
    assert read["Statement"] == rows
    made = iam.client.create_policy(PolicyName="p", PolicyDocument=iam.document(*rows))["Policy"]["Arn"]
    kept = iam.client.get_policy_version(PolicyArn=made, VersionId="v1")["PolicyVersion"]["Document"]
    assert kept["Statement"] == rows
    s3.put_object(Bucket=tenant.bucket, Key="a%41/x", Body=b"1")
    s3.put_object(Bucket=tenant.bucket, Key="aA/x", Body=b"2")
    there = snowflake.as_role(role)
    assert there.get_object(Bucket=tenant.bucket, Key="a%41/x")["Body"].read() == b"1"
    assert not may(there.get_object, Bucket=tenant.bucket, Key="aA/x")


@pytest.mark.parametrize(("value", "fires"), [("date%3D2026/", True), ("date=2026/", False)])
def test_a_rule_with_a_raw_equals_sign_is_taken_and_never_fires(
    tenant: Any, snowflake: Any, value: str, fires: bool
) -> None:
    """*Observed:* https://github.com/aws/aws-cdk/pull/28012."""
    queue, s3 = snowflake.queue(), tenant.boto3("s3")
    rule = {
        "QueueArn": queue.arn,
        "Events": [ALL],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": value}]}},
    }
    s3.put_bucket_notification_configuration(
        Bucket=tenant.bucket, NotificationConfiguration={"QueueConfigurations": [rule]}
    )
    queue.messages()  # S3's test event
    s3.put_object(Bucket=tenant.bucket, Key="date=2026/a", Body=b"")
    assert bool(queue.records()) is fires


def test_a_raw_rule_still_overlaps_by_what_it_says() -> None:
    assert Rule("Queue", "a", "arn", (ALL,), (("Prefix", "d=1/"),)).value("Prefix") == "d=1/"


def test_an_object_is_copied_onto_itself_only_with_a_change(tenant: Any, refused: Any) -> None:
    """*Observed:* https://github.com/getmoto/moto/issues/6300, https://github.com/getmoto/moto/issues/6303."""
    s3, place = tenant.boto3("s3"), {"Bucket": tenant.bucket, "Key": "a"}
    s3.put_object(**place, Body=b"x")
    error = refused(s3.copy_object, **place, CopySource=place)
    assert (error["Code"], error["Status"]) == ("InvalidRequest", 400)
    assert error["Message"].startswith("This copy request is illegal because it is trying to copy an object")
    s3.copy_object(**place, CopySource=place, MetadataDirective="REPLACE", Metadata={"touched": "1"})
    s3.copy_object(**place, CopySource=place, StorageClass="STANDARD_IA")
    s3.copy_object(**place, CopySource=place, ServerSideEncryption="AES256")
    own = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    s3.put_bucket_encryption(Bucket=tenant.bucket, ServerSideEncryptionConfiguration=own)
    s3.copy_object(**place, CopySource=place)


def test_a_key_has_at_most_1024_bytes(tenant: Any, refused: Any) -> None:
    """Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""
    s3 = tenant.boto3("s3")
    s3.put_object(Bucket=tenant.bucket, Key="é" * 512, Body=b"")
    error = refused(s3.put_object, Bucket=tenant.bucket, Key="é" * 512 + "x", Body=b"")
    assert (error["Code"], error["Status"]) == ("KeyTooLongError", 400)


def test_a_key_may_hold_a_line_feed(tenant: Any) -> None:
    """Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""
    s3, place = tenant.boto3("s3"), {"Bucket": tenant.bucket, "Key": "folder/new\nline.gz"}
    s3.put_object(**place, Body=b"x")
    assert s3.get_object(**place)["Body"].read() == b"x"
    assert [row["Key"] for row in s3.list_objects_v2(Bucket=tenant.bucket)["Contents"]] == [place["Key"]]
    s3.delete_object(**place)
    assert s3.list_objects_v2(Bucket=tenant.bucket)["KeyCount"] == 0


def test_a_topic_policy_for_everybody_under_a_condition_lets_the_bucket_publish(tenant: Any) -> None:
    """*Observed* in Snowflake Labs' own module, and in AWS' older walkthroughs."""
    sns: Any = tenant.boto3("sns")
    arn = sns.create_topic(Name="events")["TopicArn"]
    row = {
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": "SNS:Publish",
        "Resource": arn,
        "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:*:*:{tenant.bucket}"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [row]})
    sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
    rule = {"TopicArn": arn, "Events": [ALL]}
    tenant.boto3("s3").put_bucket_notification_configuration(
        Bucket=tenant.bucket, NotificationConfiguration={"TopicConfigurations": [rule]}
    )
