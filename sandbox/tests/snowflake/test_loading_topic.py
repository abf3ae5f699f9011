"""From the bucket through an SNS topic to the table: who may subscribe, who is told, what is forgotten."""

import json
from types import SimpleNamespace

import boto3
import pytest
from loading_rig import World
from snowpipe_sandbox.snowflake.errors import SnowflakeError

COPY = "COPY INTO D.S.T FROM @D.S.ST"


@pytest.fixture
def world(sandbox):
    made = World(sandbox.tenants).connect()
    made.sql("CREATE TABLE T (A NUMBER)")
    made.stage()
    yield made
    sandbox.tenants.delete(made.name)


@pytest.fixture
def topic(world):
    """A topic S3 may publish to; ``let_in`` lets Snowflake subscribe, with the policy it prints itself."""
    keys = {"endpoint_url": world.tenant.endpoint_url, "region_name": world.tenant.region}
    admin = world.tenant.admin
    sns = boto3.client(
        "sns", aws_access_key_id=admin.access_key_id, aws_secret_access_key=admin.secret_access_key, **keys
    )
    arn = sns.create_topic(Name="files")["TopicArn"]
    publish = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": arn,
    }

    def allow(*rows):
        policy = json.dumps({"Version": "2012-10-17", "Statement": [publish, *rows]})
        sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)

    def let_in():
        printed = world.sql(f"SELECT SYSTEM$GET_AWS_SNS_IAM_POLICY('{arn}')")[0][0]
        allow(*json.loads(printed)["Statement"])

    allow()
    rule = {"Id": "all", "TopicArn": arn, "Events": ["s3:ObjectCreated:*"]}
    world.s3.put_bucket_notification_configuration(
        Bucket=world.bucket, NotificationConfiguration={"TopicConfigurations": [rule]}
    )
    return SimpleNamespace(arn=arn, sns=sns, let_in=let_in)


def piped(world, topic, name="P"):
    world.sql(f"CREATE PIPE {name} AUTO_INGEST = TRUE AWS_SNS_TOPIC = '{topic.arn}' AS {COPY}")


def subscriptions(topic):
    return topic.sns.list_subscriptions_by_topic(TopicArn=topic.arn)["Subscriptions"]


def count(world):
    return world.sql("SELECT COUNT(*) FROM T")[0][0]


@pytest.mark.parametrize("raw", ["true", "false"])
def test_through_a_topic_to_the_table(world, topic, raw):
    with pytest.raises(SnowflakeError, match=r"Pipe Notifications bind failure .*SNS:Subscribe") as refused:
        piped(world, topic)
    assert refused.value.errno == 93100
    assert world.sql("SHOW PIPES") == []
    topic.let_in()
    piped(world, topic)
    (one,) = subscriptions(topic)
    shown = world.dicts("SHOW PIPES")[0]
    assert one["Endpoint"] == world.status()["notificationChannelName"]
    assert shown["notification_channel"] == topic.arn
    assert world.dicts("DESC PIPE P")[0]["notification_channel"] == topic.arn
    assert one["Owner"] == world.account.aws.account_id
    world.sql(f"CREATE PIPE DIRECT AUTO_INGEST = TRUE AS {COPY}")
    assert world.dicts("SHOW PIPES LIKE 'DIRECT'")[0]["notification_channel"] != one["Endpoint"]
    world.sql("DROP PIPE DIRECT")
    owner = boto3.client(
        "sns",
        endpoint_url=world.tenant.endpoint_url,
        region_name=world.tenant.region,
        aws_access_key_id=world.tenant.admin.access_key_id,
        aws_secret_access_key=world.tenant.admin.secret_access_key,
    )
    owner.set_subscription_attributes(
        SubscriptionArn=one["SubscriptionArn"], AttributeName="RawMessageDelivery", AttributeValue=raw
    )
    world.put("in/a.csv", "1\n")
    world.put("elsewhere/b.csv", "2\n")
    world.settle()
    assert count(world) == 1
    assert topic.arn in world.sql("SELECT GET_DDL('PIPE', 'D.S.P')")[0][0]


def test_a_deleted_subscription_stays_deleted_for_72_hours(world, topic):
    topic.let_in()
    piped(world, topic)
    topic.sns.unsubscribe(SubscriptionArn=subscriptions(topic)[0]["SubscriptionArn"])
    world.sql("DROP PIPE P")
    world.later(hours=71)
    piped(world, topic)
    assert subscriptions(topic) == []
    world.sql("DROP PIPE P")
    world.later(hours=72)
    piped(world, topic)
    assert len(subscriptions(topic)) == 1


@pytest.mark.parametrize("arn", ["files", "arn:aws:sqs:us-west-2:111122223333:q"])
def test_a_topic_that_is_none(world, arn):
    with pytest.raises(SnowflakeError, match="bind failure"):
        world.sql(f"CREATE PIPE P AUTO_INGEST = TRUE AWS_SNS_TOPIC = '{arn}' AS {COPY}")
    with pytest.raises(SnowflakeError, match="without auto_ingest"):
        world.sql(f"CREATE PIPE P AWS_SNS_TOPIC = '{arn}' AS {COPY}")
