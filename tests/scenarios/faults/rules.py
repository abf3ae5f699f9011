"""Broken between the two: the bucket's event notifications."""

import json
from collections.abc import Iterator

from tests.scenarios.conftest import Installation
from tests.scenarios.faults.fault import fault, notifications, set_notifications

ROWS = "QueueConfigurations"


def _of(at: Installation, stream: str) -> dict[str, object]:
    rule_id = at.stream(stream).rule_id
    found: dict[str, object] = next(row for row in notifications(at)[ROWS] if row["Id"] == rule_id)
    return found


def _change(at: Installation, **changed: object) -> None:
    """Change the rule of the stream ``events``."""
    document, rule = notifications(at), _of(at, "events")
    others = [row for row in document[ROWS] if row["Id"] != rule["Id"]]
    set_notifications(at, {**document, ROWS: [*others, {**rule, **changed}]})


def _filter(prefix: str, suffix: str = ".gz") -> dict[str, object]:
    rules = [{"Name": "Prefix", "Value": prefix}, {"Name": "Suffix", "Value": suffix}]
    return {"Key": {"FilterRules": [row for row in rules if row["Value"]]}}


@fault("rule")
def rule_deleted(at: Installation) -> None:
    set_notifications(at, {ROWS: [_of(at, "events")]})


@fault("rule")
def document_overwritten(at: Installation) -> None:
    set_notifications(at, {})


@fault("rule")
def rule_to_another_queue(at: Installation) -> None:
    _change(at, QueueArn=_somebodys_queue(at))


@fault("rule")
def rule_for_another_folder(at: Installation) -> None:
    _change(at, Filter=_filter("snowplow/enriched/old/"))


@fault("rule")
def rule_for_a_part_of_the_folder(at: Installation) -> None:
    _change(at, Filter=_filter(f"{at.stream('events').prefix}2026/"))


@fault("rule")
def rule_for_another_suffix(at: Installation) -> None:
    _change(at, Filter=_filter(at.stream("events").prefix, ".tsv.gz"))


@fault("rule")
def rule_encoded_twice(at: Installation) -> None:
    _change(at, Filter=_filter(at.stream("events").prefix.replace("/", "%252F")))


@fault("rule")
def rule_for_put_only(at: Installation) -> None:
    _change(at, Events=["s3:ObjectCreated:Put"])


@fault("rule")
def rule_for_copies_only(at: Installation) -> None:
    _change(at, Events=["s3:ObjectCreated:Copy"])


@fault("rule")
def rule_for_uploads_in_parts_only(at: Installation) -> None:
    _change(at, Events=["s3:ObjectCreated:CompleteMultipartUpload"])


@fault("rule")
def rule_for_restored_files_only(at: Installation) -> None:
    _change(at, Events=["s3:ObjectRestore:Completed"])


@fault("rule")
def rule_with_a_suffix_in_capitals(at: Installation) -> None:
    _change(at, Filter=_filter(at.stream("events").prefix, ".GZ"))


@fault("rule")
def rule_with_a_slash_in_front(at: Installation) -> None:
    _change(at, Filter=_filter(f"/{at.stream('events').prefix}"))


@fault("rule")
def rule_with_a_typing_error(at: Installation) -> None:
    _change(at, Filter=_filter(at.stream("events").prefix.replace("stream", "strem")))


@fault("rule")
def rule_for_removals(at: Installation) -> None:
    _change(at, Events=["s3:ObjectRemoved:*"])


def _somebodys_queue(at: Installation) -> str:
    """A queue of the bucket's own account, which lets S3 in."""
    aws = at.settings.aws
    url = at.aws("sqs").create_queue(QueueName="somebodys")["QueueUrl"]
    arn = f"arn:aws:sqs:{aws.region}:{aws.account_id}:somebodys"
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    at.aws("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    return arn


def _in_our_place(at: Installation, prefix: str) -> Iterator[None]:
    """Somebody else's rule where ours was; by hand it goes, and step 5 brings ours back."""
    theirs = {
        "Id": "theirs",
        "QueueArn": _somebodys_queue(at),
        "Events": ["s3:ObjectCreated:*"],
        "Filter": _filter(prefix, ""),
    }
    bad = _of(at, "events_bad")
    rows = [theirs] if bad_under(at, prefix) else [theirs, bad]
    set_notifications(at, {ROWS: rows})
    yield
    set_notifications(at, {ROWS: [bad]})
    at.run("step5-aws")


def bad_under(at: Installation, prefix: str) -> bool:
    """Whether the other stream's folder lies under the prefix too."""
    return at.stream("events_bad").prefix.startswith(prefix)


@fault("rule")
def rule_of_somebody_else_swallows(at: Installation) -> Iterator[None]:
    yield from _in_our_place(at, "snowplow/")


@fault("rule")
def rule_of_somebody_else_takes_a_part(at: Installation) -> Iterator[None]:
    yield from _in_our_place(at, f"{at.stream('events').prefix}2026/")


@fault("rule")
def rule_became_a_topics(at: Installation) -> None:
    """A platform team fans out by a topic, and forgot Snowflake."""
    sns, before, rule = at.aws("sns"), notifications(at), _of(at, "events")
    arn = sns.create_topic(Name="lake")["TopicArn"]
    s3 = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sns:Publish"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**s3, "Resource": arn}]})
    sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
    moved = {name: value for name, value in rule.items() if name != "QueueArn"}
    others = [row for row in before[ROWS] if row["Id"] != rule["Id"]]
    set_notifications(at, {ROWS: others, "TopicConfigurations": [{**moved, "TopicArn": arn}]})


@fault("rule")
def rule_renamed_and_narrowed(at: Installation) -> Iterator[None]:
    """In the console, where a rule is made anew under a name of one's own; it goes to the pipe as before."""
    before = notifications(at)
    _change(at, Id="console-1", Filter=_filter(f"{at.stream('events').prefix}2026/"))
    yield
    set_notifications(at, before)
