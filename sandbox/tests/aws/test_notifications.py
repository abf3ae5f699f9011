# ruff: noqa: E501 - tables of rules read better unwrapped
"""Points 1 to 5 of what moto leaves out: event notifications, put, kept, delivered and shaped as S3 does."""

import json
from typing import Any

import pytest


def configure(tenant: Any, *rules: Any, **more: Any) -> Any:
    """Put a document of (arn, prefix, suffix) or whole queue configurations."""
    queues = [rule if isinstance(rule, dict) else entry(*rule) for rule in rules]
    return tenant.boto3("s3").put_bucket_notification_configuration(
        Bucket=tenant.bucket, NotificationConfiguration={"QueueConfigurations": queues}, **more
    )


def entry(arn: str, prefix: str | None = None, suffix: str | None = None, **more: Any) -> dict[str, Any]:
    rules = [
        {"Name": name, "Value": value}
        for name, value in (("prefix", prefix), ("suffix", suffix))
        if value is not None
    ]
    found: dict[str, Any] = {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"], **more}
    return found | ({"Filter": {"Key": {"FilterRules": rules}}} if rules else {})


def stored(tenant: Any) -> Any:
    found = tenant.boto3("s3").get_bucket_notification_configuration(Bucket=tenant.bucket)
    found.pop("ResponseMetadata")
    return found


def test_point_1_events_reach_a_queue_in_another_account(tenant: Any, snowflake: Any) -> None:
    queue = snowflake.queue()
    configure(tenant, (queue.arn, "in/"))
    assert snowflake.account_id != tenant.account_id
    [test_event] = queue.messages()
    assert set(test_event) == {"Service", "Event", "Time", "Bucket", "RequestId", "HostId"}
    assert (test_event["Event"], test_event["Bucket"]) == ("s3:TestEvent", tenant.bucket)
    tenant.boto3("s3").put_object(Bucket=tenant.bucket, Key="in/a.gz", Body=b"abc")
    tenant.boto3("s3").put_object(Bucket=tenant.bucket, Key="out/a.gz", Body=b"abc")
    assert [record["s3"]["object"]["key"] for record in queue.records()] == ["in/a.gz"]


def test_point_1_sns_fans_out_to_a_queue_in_another_account(tenant: Any, snowflake: Any) -> None:
    sns = tenant.boto3("sns")
    topic = sns.create_topic(Name="files")["TopicArn"]
    bucket_arn = f"arn:aws:s3:::{tenant.bucket}"
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "SNS:Publish", "Resource": topic,
             "Condition": {"ArnLike": {"aws:SourceArn": bucket_arn}}},
            {"Effect": "Allow", "Principal": {"AWS": snowflake.arn}, "Action": "sns:Subscribe", "Resource": topic},
        ],
    }  # fmt: skip
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps(policy))
    queue = snowflake.queue(policy=False)
    queue.let("sns.amazonaws.com", ArnEquals={"aws:SourceArn": topic})
    snowflake.boto3("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)
    s3 = tenant.boto3("s3")
    s3.put_bucket_notification_configuration(
        Bucket=tenant.bucket,
        NotificationConfiguration={
            "TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]
        },
    )
    s3.put_object(Bucket=tenant.bucket, Key="a b.gz", Body=b"abc")
    envelopes = queue.messages()
    assert {envelope["Type"] for envelope in envelopes} == {"Notification"}
    assert {envelope["TopicArn"] for envelope in envelopes} == {topic}
    test_event, event = (json.loads(envelope["Message"]) for envelope in envelopes)
    assert test_event["Event"] == "s3:TestEvent"
    assert event["Records"][0]["s3"]["object"]["key"] == "a+b.gz"


def test_a_topic_that_does_not_let_snowflake_subscribe(tenant: Any, snowflake: Any, refused: Any) -> None:
    topic = tenant.boto3("sns").create_topic(Name="files")["TopicArn"]
    error = refused(
        snowflake.boto3("sns").subscribe, TopicArn=topic, Protocol="sqs", Endpoint=snowflake.queue().arn
    )
    assert (error["Code"], error["Status"]) == ("AuthorizationError", 403)


def test_a_queue_that_no_longer_lets_s3_in_loses_events(tenant: Any, snowflake: Any) -> None:
    queue = snowflake.queue()
    configure(tenant, (queue.arn,))
    queue.messages()
    queue.let("sns.amazonaws.com")
    tenant.boto3("s3").put_object(Bucket=tenant.bucket, Key="a", Body=b"")
    assert queue.records() == []


@pytest.mark.parametrize("name", ["Prefix", "prefix", "PREFIX"])
def test_point_2_rule_names_are_capitalised_and_values_kept(tenant: Any, snowflake: Any, name: str) -> None:
    rule = entry(snowflake.queue().arn, Id="mine")
    rule["Filter"] = {"Key": {"FilterRules": [{"Name": name, "Value": "date%3D2026/"}]}}
    configure(tenant, rule)
    [found] = stored(tenant)["QueueConfigurations"]
    assert found["Filter"]["Key"]["FilterRules"] == [{"Name": "Prefix", "Value": "date%3D2026/"}]
    assert found["Id"] == "mine"


def test_point_2_filter_values_are_decoded_before_they_match(tenant: Any, snowflake: Any) -> None:
    queue = snowflake.queue()
    configure(tenant, (queue.arn, "a+b/date%3D1/"))
    queue.messages()
    for key in ("a b/date=1/x", "a+b/date%3D1/x"):
        tenant.boto3("s3").put_object(Bucket=tenant.bucket, Key=key, Body=b"")
    assert [record["s3"]["object"]["key"] for record in queue.records()] == ["a+b/date%3D1/x"]


def test_point_2_an_empty_value_is_accepted_and_matches_all(tenant: Any, snowflake: Any) -> None:
    queue = snowflake.queue()
    configure(tenant, (queue.arn, "", ""))
    [found] = stored(tenant)["QueueConfigurations"]
    assert [rule["Value"] for rule in found["Filter"]["Key"]["FilterRules"]] == ["", ""]
    queue.messages()
    tenant.boto3("s3").put_object(Bucket=tenant.bucket, Key="x", Body=b"")
    assert len(queue.records()) == 1


OVERLAPS = [
    # the other rule's prefix and suffix, whether S3 accepts both; the first is images/ and .jpg
    ((None, None), False),
    (("images/", ".jpg"), False),
    (("images/cats/", ".jpg"), False),
    (("images/cats/", ".png"), True),
    (("logs/", ".jpg"), True),
    (("images/", "g"), False),
    (("image", ".JPG"), True),
    (("images%2F", ".jpg"), False),
]


@pytest.mark.parametrize(("other", "accepted"), OVERLAPS)
def test_point_3_overlapping_rules(
    tenant: Any, snowflake: Any, refused: Any, other: Any, accepted: bool
) -> None:
    arn = snowflake.queue().arn
    rules = (arn, "images/", ".jpg"), (arn, *other)
    if accepted:
        configure(tenant, *rules)
        assert len(stored(tenant)["QueueConfigurations"]) == 2
        return
    error = refused(lambda: configure(tenant, *rules))
    assert (error["Code"], error["Status"]) == ("InvalidArgument", 400)
    assert error["Message"].startswith(
        "Configuration is ambiguously defined. Cannot have overlapping suffixes"
    )
    assert stored(tenant) == {}


def test_point_3_two_rules_without_filter_share_an_event(tenant: Any, snowflake: Any, refused: Any) -> None:
    arn = snowflake.queue().arn
    error = refused(lambda: configure(tenant, (arn,), entry(arn, Events=["s3:ObjectCreated:Put"])))
    assert error["Message"] == (
        "Configurations overlap. Configurations on the same bucket cannot share a common event type."
    )
    assert error["ArgumentName"] == "Event"
    configure(tenant, (arn,), entry(arn, Events=["s3:ObjectRemoved:*"]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"QueueArn": "not-an-arn"}, "The ARN could not be parsed"),
        ({"Events": ["s3:ObjectEaten"]}, "The event 's3:ObjectEaten' is not supported for notifications"),
        ({"Filter": {"Key": {"FilterRules": [{"Name": "middle", "Value": "x"}]}}}, "filter rule name must be either prefix or suffix"),
        ({"Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "x"}, {"Name": "Prefix", "Value": "y"}]}}}, "Cannot specify more than one prefix rule in a filter."),
        ({"Id": "x" * 256}, "Id cannot exceed 255 characters"),
    ],
)  # fmt: skip
def test_point_3_rules_that_are_none(
    tenant: Any, snowflake: Any, refused: Any, change: Any, message: str
) -> None:
    rule = entry(snowflake.queue().arn) | change
    error = refused(lambda: configure(tenant, rule))
    assert (error["Code"], error["Message"]) == ("InvalidArgument", message)


def test_point_3_ids_are_unique_and_rules_at_most_100(tenant: Any, snowflake: Any, refused: Any) -> None:
    arn = snowflake.queue().arn
    error = refused(lambda: configure(tenant, entry(arn, "a/", Id="same"), entry(arn, "b/", Id="same")))
    assert error["Message"] == "Same ID used for multiple configurations. IDs must be unique"
    rules = [entry(arn, f"{n:03}/") for n in range(101)]
    assert refused(lambda: configure(tenant, *rules))["Code"] == "InvalidArgument"
    configure(tenant, *rules[:100])
    assert len({rule["Id"] for rule in stored(tenant)["QueueConfigurations"]}) == 100


def test_point_3_destinations_are_checked(tenant: Any, snowflake: Any, refused: Any) -> None:
    good = snowflake.queue()
    cases = {
        good.arn + "x": "The destination queue does not exist",
        snowflake.queue(policy=False).arn: "Permissions on the destination queue do not allow S3 to publish",
        snowflake.queue(region="eu-west-1").arn: "not in the region of the bucket",
        snowflake.queue("sf-snowpipe-1.fifo", FifoQueue="true").arn: "FIFO",
    }
    for arn, why in cases.items():
        error = refused(lambda arn=arn: configure(tenant, (good.arn, "a/"), (arn, "b/")))
        assert error["Message"] == "Unable to validate the following destination configurations"
        assert error["ArgumentName1"] == arn
        assert why in error["ArgumentValue1"]
        assert stored(tenant) == {}
    configure(tenant, (good.arn + "x",), SkipDestinationValidation=True)
    assert stored(tenant)["QueueConfigurations"][0]["QueueArn"] == good.arn + "x"


def test_point_3_the_queue_policy_is_judged_for_this_bucket(
    tenant: Any, snowflake: Any, refused: Any
) -> None:
    queue = snowflake.queue(policy=False)
    queue.let("s3.amazonaws.com", ArnLike={"aws:SourceArn": "arn:aws:s3:*:*:another"})
    assert refused(lambda: configure(tenant, (queue.arn,)))["Code"] == "InvalidArgument"
    queue.let("s3.amazonaws.com", StringEquals={"aws:SourceAccount": "999999999999"})
    assert refused(lambda: configure(tenant, (queue.arn,)))["Code"] == "InvalidArgument"
    queue.let(
        "s3.amazonaws.com",
        ArnLike={"aws:SourceArn": f"arn:aws:s3:*:*:{tenant.bucket}"},
        StringEquals={"aws:SourceAccount": tenant.account_id},
    )
    configure(tenant, (queue.arn,))


def test_point_3_expected_bucket_owner(tenant: Any, snowflake: Any, refused: Any) -> None:
    queue = snowflake.queue()
    error = refused(lambda: configure(tenant, (queue.arn,), ExpectedBucketOwner="999999999999"))
    assert (error["Code"], error["Status"]) == ("AccessDenied", 403)
    configure(tenant, (queue.arn,), ExpectedBucketOwner=tenant.account_id)
    s3 = tenant.boto3("s3")
    for call, more in ((s3.list_objects_v2, {}), (s3.put_object, {"Key": "x"}), (s3.get_bucket_location, {})):
        error = refused(call, Bucket=tenant.bucket, ExpectedBucketOwner="999999999999", **more)
        assert error["Status"] == 403


def test_point_4_event_bridge_is_kept_and_dropped_with_the_document(tenant: Any, snowflake: Any) -> None:
    s3 = tenant.boto3("s3")
    document = {"QueueConfigurations": [entry(snowflake.queue().arn, Id="q")], "EventBridgeConfiguration": {}}
    s3.put_bucket_notification_configuration(Bucket=tenant.bucket, NotificationConfiguration=document)
    assert stored(tenant) == document
    configure(tenant)
    assert stored(tenant) == {}


def test_point_5_the_record_of_a_put(tenant: Any, snowflake: Any) -> None:
    queue = snowflake.queue()
    configure(tenant, entry(queue.arn, Id="mine"))
    queue.messages()
    s3 = tenant.boto3("s3")
    s3.put_object(Bucket=tenant.bucket, Key="a b/ä+1=2.gz", Body=b"abc")
    s3.put_object(Bucket=tenant.bucket, Key="a b/ä+1=2.gz", Body=b"abcd")
    record, later = queue.records()
    user = tenant.boto3("sts").get_caller_identity()
    assert record["eventVersion"] == "2.1"
    assert record["eventSource"] == "aws:s3"
    assert record["awsRegion"] == tenant.region
    assert record["eventName"] == "ObjectCreated:Put"
    assert record["userIdentity"] == {"principalId": f"AWS:{user['UserId']}"}
    assert set(record["requestParameters"]) == {"sourceIPAddress"}
    assert set(record["responseElements"]) == {"x-amz-request-id", "x-amz-id-2"}
    assert record["s3"]["configurationId"] == "mine"
    assert record["s3"]["bucket"]["name"] == tenant.bucket
    assert record["s3"]["bucket"]["arn"] == f"arn:aws:s3:::{tenant.bucket}"
    assert record["s3"]["bucket"]["ownerIdentity"]["principalId"]
    assert record["s3"]["object"].items() >= {
        "key": "a+b/%C3%A4%2B1%3D2.gz", "size": 3, "eTag": "900150983cd24fb0d6963f7d28e17f72",
    }.items()  # fmt: skip
    assert "versionId" not in record["s3"]["object"]
    assert record["s3"]["object"]["sequencer"] < later["s3"]["object"]["sequencer"]


def test_point_5_copy_multipart_versions_and_delete_markers(tenant: Any, snowflake: Any) -> None:
    queue = snowflake.queue()
    configure(tenant, entry(queue.arn, Events=["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]))
    queue.messages()
    s3, bucket = tenant.boto3("s3"), tenant.bucket
    s3.put_object(Bucket=bucket, Key="a", Body=b"abc")
    s3.copy_object(Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "a"})
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=1, Body=b"abc")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload, MultipartUpload=parts)
    s3.delete_object(Bucket=bucket, Key="a")
    assert [(r["eventName"], r["s3"]["object"]["key"]) for r in queue.records()] == [
        ("ObjectCreated:Put", "a"),
        ("ObjectCreated:Copy", "b"),
        ("ObjectCreated:CompleteMultipartUpload", "m"),
        ("ObjectRemoved:Delete", "a"),
    ]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="v", Body=b"1")["VersionId"]
    marker = s3.delete_object(Bucket=bucket, Key="v")["VersionId"]
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "v", "VersionId": version}, {"Key": "b"}]})
    found = [
        (r["eventName"], r["s3"]["object"]["key"], r["s3"]["object"]["versionId"]) for r in queue.records()
    ]
    assert found[:3] == [
        ("ObjectCreated:Put", "v", version),
        ("ObjectRemoved:DeleteMarkerCreated", "v", marker),
        ("ObjectRemoved:Delete", "v", version),
    ]
    assert found[3][:2] == ("ObjectRemoved:DeleteMarkerCreated", "b")


def test_no_event_for_what_was_there_or_was_refused(tenant: Any, snowflake: Any, refused: Any) -> None:
    s3 = tenant.boto3("s3")
    s3.put_object(Bucket=tenant.bucket, Key="before", Body=b"")
    queue = snowflake.queue()
    configure(tenant, (queue.arn,))
    queue.messages()
    refused(s3.put_object, Bucket=tenant.bucket, Key="x", Body=b"", ExpectedBucketOwner="999999999999")
    refused(s3.put_object, Bucket=tenant.bucket, Key="before", Body=b"", IfNoneMatch="*")
    assert queue.records() == []
