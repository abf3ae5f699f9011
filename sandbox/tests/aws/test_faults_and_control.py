# ruff: noqa: E501 - one case a line
"""Points 11 and 12 of what moto leaves out: faults on demand, and nobody but loopback; and the request log."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError
from snowflakes_user import Snowflake


def faults(tenant: Any, **wanted: Any) -> None:
    tenant.control("PUT", "/faults", wanted)


def receive_all(tenant: Any, snowflake: Any, **notifications: Any) -> Any:
    """A configured queue, then the faults."""
    queue = snowflake.queue()
    tenant.boto3("s3").put_bucket_notification_configuration(
        Bucket=tenant.bucket,
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": queue.arn, "Events": ["s3:ObjectCreated:*"]}]
        },
    )
    queue.messages()
    faults(tenant, notifications=notifications, seed=7)
    return queue


def put(tenant: Any, *keys: str) -> None:
    for key in keys:
        tenant.boto3("s3").put_object(Bucket=tenant.bucket, Key=key, Body=b"")


def keys_of(queue: Any) -> list[str]:
    return [record["s3"]["object"]["key"] for record in queue.records()]


def test_point_11_iam_changes_take_their_time(tenant: Any, snowflake: Any, iam: Any, refused: Any) -> None:
    role = iam.role(iam.trust({"AWS": snowflake.arn}), *iam.reading())
    faults(tenant, iam_propagation_s=30)
    tenant.control("POST", "/clock", {"advance_s": 31})
    iam.client.update_assume_role_policy(
        RoleName="reader", PolicyDocument=iam.trust({"AWS": snowflake.arn}, "ext-2")
    )
    assert "ext-2" in json.dumps(iam.client.get_role(RoleName="reader")["Role"]["AssumeRolePolicyDocument"])
    snowflake.assume(role)
    assert refused(snowflake.assume, role_arn=role, ExternalId="ext-2")["Code"] == "AccessDenied"
    tenant.control("POST", "/clock", {"advance_s": 31})
    assert refused(snowflake.assume, role_arn=role)["Code"] == "AccessDenied"
    theirs = snowflake.as_role(role, ExternalId="ext-2")
    iam.client.delete_role_policy(RoleName="reader", PolicyName="inline")
    theirs.list_objects_v2(Bucket=tenant.bucket, Prefix="p/")
    tenant.control("POST", "/clock", {"advance_s": 31})
    assert refused(theirs.list_objects_v2, Bucket=tenant.bucket, Prefix="p/")["Status"] == 403


def test_point_11_a_new_role_cannot_be_assumed_at_once(
    tenant: Any, snowflake: Any, iam: Any, refused: Any
) -> None:
    faults(tenant, iam_propagation_s=10)
    role = iam.role(iam.trust({"AWS": snowflake.arn}))
    assert refused(snowflake.assume, role_arn=role)["Code"] == "AccessDenied"
    tenant.control("POST", "/clock", {"advance_s": 11})
    snowflake.assume(role)


def test_point_11_throttling_and_server_errors(tenant: Any, refused: Any) -> None:
    s3 = tenant.boto3("s3")
    faults(
        tenant,
        throttle={"operation": "s3:ListObjectsV2", "times": 2},
        error_500={"operation": "iam:ListRoles", "times": 1},
    )
    for _ in range(2):
        error = refused(s3.list_objects_v2, Bucket=tenant.bucket)
        assert (error["Code"], error["Status"]) == ("SlowDown", 503)
    s3.list_objects_v2(Bucket=tenant.bucket)
    assert refused(tenant.boto3("iam").list_roles)["Status"] == 500
    tenant.boto3("iam").list_roles()


def test_point_11_a_write_beside_another_one_is_refused(tenant: Any, refused: Any) -> None:
    s3, iam = tenant.boto3("s3"), tenant.boto3("iam")
    faults(
        tenant,
        conflict=[
            {"operation": "s3:PutBucketNotificationConfiguration", "times": 1},
            {"operation": "iam:CreateRole", "times": 1},
        ],
    )
    nothing = {"Bucket": tenant.bucket, "NotificationConfiguration": {}}
    error = refused(s3.put_bucket_notification_configuration, **nothing)
    assert (error["Code"], error["Status"]) == ("OperationAborted", 409)
    s3.put_bucket_notification_configuration(**nothing)
    error = refused(iam.create_role, RoleName="r", AssumeRolePolicyDocument="{}")
    assert (error["Code"], error["Status"]) == ("ConcurrentModification", 409)


def test_point_11_what_was_just_made_is_not_seen_everywhere(
    tenant: Any, iam: Any, snowflake: Any, refused: Any
) -> None:
    s3, client = tenant.boto3("s3"), tenant.boto3("iam")
    faults(
        tenant,
        unseen=[
            {"operation": "iam:GetRole", "times": 1},
            {"operation": "sts:AssumeRole", "times": 1},
            {"operation": "s3:GetBucketNotificationConfiguration", "times": 1},
        ],
    )
    role = iam.role(iam.trust({"AWS": snowflake.arn}))
    assert refused(client.get_role, RoleName="reader")["Code"] == "NoSuchEntity"
    client.get_role(RoleName="reader")
    assert refused(snowflake.assume, role_arn=role)["Code"] == "AccessDenied"
    snowflake.assume(role)
    document = {"EventBridgeConfiguration": {}}
    s3.put_bucket_notification_configuration(Bucket=tenant.bucket, NotificationConfiguration=document)
    seen = [s3.get_bucket_notification_configuration(Bucket=tenant.bucket) for _ in range(2)]
    assert ["EventBridgeConfiguration" in each for each in seen] == [False, True]


def test_point_11_a_queue_does_not_let_s3_in_at_once(tenant: Any, snowflake: Any, refused: Any) -> None:
    queue = snowflake.queue()
    faults(tenant, unready_destination={"operation": "s3:PutBucketNotificationConfiguration", "times": 1})
    rule = {"QueueArn": queue.arn, "Events": ["s3:ObjectCreated:*"]}
    document = {"Bucket": tenant.bucket, "NotificationConfiguration": {"QueueConfigurations": [rule]}}
    s3 = tenant.boto3("s3")
    error = refused(s3.put_bucket_notification_configuration, **document)
    assert error["Message"] == "Unable to validate the following destination configurations"
    assert not s3.get_bucket_notification_configuration(Bucket=tenant.bucket).get("QueueConfigurations")
    s3.put_bucket_notification_configuration(**document)


def test_point_11_a_dropped_connection(tenant: Any) -> None:
    faults(tenant, drop_connection={"operation": "s3:PutObject", "times": 1})
    with pytest.raises((ConnectionClosedError, EndpointConnectionError)):
        put(tenant, "a")
    put(tenant, "a")


def test_point_11_latency(tenant: Any) -> None:
    faults(tenant, latency_ms=60)
    tenant.boto3("sts").get_caller_identity()
    faults(tenant)
    [request] = [one for one in tenant.requests() if one["operation"] == "sts:GetCallerIdentity"]
    took = datetime.fromisoformat(request["ended_at"]) - datetime.fromisoformat(request["started_at"])
    assert took >= timedelta(milliseconds=60)


def test_point_11_notifications_dropped_and_duplicated(tenant: Any, snowflake: Any) -> None:
    queue = receive_all(tenant, snowflake, drop=1.0)
    put(tenant, "a", "b")
    assert keys_of(queue) == []
    faults(tenant, notifications={"duplicate": 1.0})
    put(tenant, "c")
    assert keys_of(queue) == ["c", "c"]


def test_point_11_notifications_are_lost_the_same_way_under_a_seed(new_tenant: Any, sandbox: Any) -> None:
    def lost() -> list[str]:
        tenant = new_tenant()
        queue = receive_all(tenant, _snowflake(tenant, sandbox), drop=0.5)
        put(tenant, *(f"{n:02}" for n in range(20)))
        return keys_of(queue)

    first = lost()
    assert 0 < len(first) < 20
    assert lost() == first


def test_point_11_notifications_late_and_out_of_order(tenant: Any, snowflake: Any) -> None:
    queue = receive_all(tenant, snowflake, delay_s=3600)
    put(tenant, "a")
    assert keys_of(queue) == []
    assert tenant.control("POST", "/settle", {"timeout_s": 0.05}) == {"settled": False}
    tenant.control("POST", "/clock", {"advance_s": 3600})
    assert tenant.control("POST", "/settle", {"timeout_s": 10}) == {"settled": True}
    assert keys_of(queue) == ["a"]
    faults(tenant, notifications={"reorder": True}, seed=3)
    wanted = [f"{n:02}" for n in range(20)]
    put(tenant, *wanted)
    assert tenant.control("POST", "/settle", {"timeout_s": 10}) == {"settled": True}
    found = keys_of(queue)
    assert sorted(found) == wanted
    assert found != wanted


def test_point_11_a_notification_document_works_only_after_a_while(tenant: Any, snowflake: Any) -> None:
    faults(tenant, notifications={"activation_s": 300})
    queue = snowflake.queue()
    tenant.boto3("s3").put_bucket_notification_configuration(
        Bucket=tenant.bucket,
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": queue.arn, "Events": ["s3:ObjectCreated:*"]}]
        },
    )
    put(tenant, "early")
    tenant.control("POST", "/clock", {"advance_s": 300})
    put(tenant, "late")
    assert keys_of(queue) == ["late"]


def test_an_unknown_fault_is_refused(tenant: Any) -> None:
    status, answer = tenant.control_raw("PUT", f"/{tenant.name}/faults", {"earthquake": 1})
    assert status == 400
    assert "earthquake" in answer["error"]


def test_point_12_everything_listens_on_loopback(sandbox: Any) -> None:
    assert sandbox.aws_url.startswith("http://127.0.0.1:")
    assert sandbox._aws.server_address[0] == "127.0.0.1"
    assert sandbox._listener.getsockname()[0] == "127.0.0.1"


def test_the_request_log_tells_reads_from_writes_and_who(tenant: Any, snowflake: Any, iam: Any) -> None:
    since = tenant.control("GET", "/requests")["next"]
    role = iam.role(iam.trust({"AWS": snowflake.arn}), *iam.reading())
    snowflake.as_role(role).list_objects_v2(Bucket=tenant.bucket, Prefix="p/")
    with pytest.raises(ClientError):
        tenant.boto3("s3").head_bucket(Bucket="nobody-has-this-bucket")
    seen = [(one["operation"], one["access"], one["status"]) for one in tenant.requests(since)]
    assert seen == [
        ("iam:CreateRole", "write", "200"),
        ("iam:PutRolePolicy", "write", "200"),
        ("sts:AssumeRole", "read", "200"),
        ("s3:ListObjectsV2", "read", "200"),
        ("s3:HeadBucket", "read", "404"),
    ]
    callers = [one["caller"] for one in tenant.requests(since)]
    assert callers[0].endswith(":user/administrator")
    assert callers[2] == snowflake.arn
    assert callers[3] == f"arn:aws:sts::{tenant.account_id}:assumed-role/reader/snowflake"


def test_tenants_do_not_see_each_other(new_tenant: Any) -> None:
    one, other = new_tenant(), new_tenant()
    put(one, "a")
    assert [b["Name"] for b in other.boto3("s3").list_buckets()["Buckets"]] == [other.bucket]
    with pytest.raises(ClientError, match="Access Denied"):
        other.boto3("s3").list_objects_v2(Bucket=one.bucket)
    assert [r["operation"] for r in other.requests()] == ["s3:ListBuckets", "s3:ListObjectsV2"]
    assert [r["operation"] for r in one.requests()] == ["s3:PutObject"]
    one.control("POST", "/clock", {"advance_s": 86_400})
    assert one.control("GET", "/clock")["now"] > other.control("GET", "/clock")["now"]


def test_a_tenant_is_made_and_removed_over_the_control_interface(tenant: Any) -> None:
    status, made = tenant.control_raw("POST", "/tenants", {"region": "eu-central-1", "bucket": None})
    assert status == 200
    assert made["aws"]["region"] == "eu-central-1"
    assert made["aws"]["bucket"] is None
    assert tenant.control_raw("DELETE", f"/{made['name']}")[0] == 200
    assert tenant.control_raw("GET", f"/{made['name']}")[0] == 404
    s3 = tenant.client_for("s3", made["aws"]["access_key_id"], made["aws"]["secret_access_key"])
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        s3.list_buckets()


def _snowflake(tenant: Any, sandbox: Any) -> Any:
    user = sandbox.tenants.get(tenant.name).snowflake_user
    return Snowflake(tenant, user.arn, user.account_id, user.access_key_id, user.secret_access_key)
