"""A bucket's rules for event notifications: what one tells of, and those that step 5 writes among others'."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import quote_plus, unquote_plus

from runbook.policies.documents import Document
from runbook.settings import Stream

CREATED = "s3:ObjectCreated:*"
PUT, POST, COPIED, IN_PARTS = (
    f"s3:ObjectCreated:{way}" for way in ("Put", "Post", "Copy", "CompleteMultipartUpload")
)
ARRIVALS = (PUT, POST, COPIED, IN_PARTS)
_RULE_LISTS = {
    "QueueConfigurations": "QueueArn",
    "TopicConfigurations": "TopicArn",
    "LambdaFunctionConfigurations": "LambdaFunctionArn",
}


@dataclass(frozen=True)
class Rule:
    """One notification rule; prefix and suffix decoded as S3 matches them.

    ``fires``: not where a value holds a raw ``=``, which S3 takes and never matches.
    *Observed:* https://github.com/aws/aws-cdk/pull/28012
    """

    id: str
    kind: str
    target: str
    events: frozenset[str]
    prefix: str
    suffix: str
    fires: bool = True

    def covers(self, stream: Stream) -> bool:
        """Whether every file of the stream that arrives raises an event here."""
        return silent_events((self,), stream) == []

    def takes(self, key: str) -> bool:
        """Whether the rule is for objects of that key."""
        return self.fires and key.startswith(self.prefix) and key.endswith(self.suffix)

    def is_of(self, stream: Stream, target: str | None) -> bool:
        """Whether this is the rule that step 5 wrote for the stream.

        Ids once did not name the Snowflake account, and other tools rewrite them on every change of theirs
        (*seen*: aws-cdk-lib's notification handler): then the content says whose it is.
        """
        if self.id == stream.rule_id:
            return True
        same_files = (self.prefix, self.suffix) == (stream.prefix, stream.suffix) and self.events == {CREATED}
        if self.id == stream.former_rule_id and target:
            return self.target == target or (same_files and not _of_two_accounts(self.target, target))
        return same_files and self.target == target and ":sqs:" in self.target

    def touches(self, other: "Rule") -> bool:
        """Whether S3 would refuse the two together: some key could match both, for a common event.

        Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
        """
        prefixes = self.prefix.startswith(other.prefix) or other.prefix.startswith(self.prefix)
        suffixes = self.suffix.endswith(other.suffix) or other.suffix.endswith(self.suffix)
        return prefixes and suffixes and any(_share(a, b) for a in self.events for b in other.events)


def silent_events(rules: Iterable[Rule], stream: Stream) -> list[str]:
    """The ways a file of the stream can arrive of which no rule tells whatever its name is.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
    """
    told = {
        event
        for rule in rules
        if rule.fires and stream.prefix.startswith(rule.prefix) and stream.suffix.endswith(rule.suffix)
        for event in rule.events
    }
    return [event for event in ARRIVALS if not told & {event, CREATED}]


def _of_two_accounts(one: str, other: str) -> bool:
    """Whether two targets are surely queues of two Snowflake accounts: each has an IAM user's id in its name.

    *Seen*: arn:aws:sqs:REGION:ACCOUNT:sf-snowpipe-AIDA…-…
    """
    users = [re.search(r":sf-snowpipe-([A-Z0-9]+)-", target) for target in (one, other)]
    return bool(users[0] and users[1] and users[0][1] != users[1][1])


def _share(one: str, other: str) -> bool:
    """Whether two event names share a type; ``:*`` covers its members."""
    if one == other:
        return True
    return (one.endswith("*") and other.startswith(one[:-1])) or (
        other.endswith("*") and one.startswith(other[:-1])
    )


@dataclass(frozen=True)
class BucketNotifications:
    """The bucket's whole notification document, as read; S3 replaces it whole on every write."""

    document: Document = field(default_factory=dict)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every queue, topic and function rule."""
        return tuple(_rule(kind, row) for kind in _RULE_LISTS for row in self.document.get(kind, ()))

    @property
    def go_to_eventbridge(self) -> bool:
        """Whether EventBridge gets every event; its rules, which say where they go, are not read here."""
        return "EventBridgeConfiguration" in self.document

    def rule(self, rule_id: str) -> Rule | None:
        """The rule with that Id."""
        return next((rule for rule in self.rules if rule.id == rule_id), None)

    def of(self, stream: Stream, target: str | None) -> Rule | None:
        """The stream's rule: by its Id, or by its content where somebody rewrote the Id.

        ``target``: where it must send to; None where that cannot be seen, or is gone.
        """
        ours = [rule for rule in self.rules if rule.is_of(stream, target)]
        return next((rule for rule in ours if rule.id == stream.rule_id), ours[0] if ours else None)

    def with_rules(self, wanted: dict[str, Document]) -> Document:
        """The document with our rules put in by Id, each in its list; everything else as it was read."""
        found = dict(self.document)
        for kind, target in _RULE_LISTS.items():
            rows = self.document.get(kind, ())
            before = {row.get("Id"): row for row in rows}
            theirs = [row for row in rows if row.get("Id") not in wanted]
            ours = [
                before[rule_id]
                if rule_id in before and _rule(kind, before[rule_id]) == _rule(kind, row)
                else row
                for rule_id, row in wanted.items()
                if target in row
            ]
            if theirs or ours:
                found[kind] = [*theirs, *ours]
            elif rows:
                del found[kind]
        return found

    def without_rules(self, ids: set[str]) -> Document:
        """The document without the rules of those Ids; everything else as it was read."""
        found: Document = {}
        for kind, rows in self.document.items():
            kept = [row for row in rows if row.get("Id") not in ids] if kind in _RULE_LISTS else rows
            if kept or kept == rows:
                found[kind] = kept
        return found


def topic_rule(stream: Stream, topic_arn: str) -> Document:
    """The stream's rule where its events go through a topic."""
    row = queue_rule(stream, "")
    return {("TopicArn" if key == "QueueArn" else key): value or topic_arn for key, value in row.items()}


def queue_rule(stream: Stream, queue_arn: str) -> Document:
    """The stream's rule as S3 stores it: filter values URL-encoded, ``/`` raw.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
    """
    filters = [{"Name": "Prefix", "Value": encoded(stream.prefix)}]
    if stream.suffix:
        filters.append({"Name": "Suffix", "Value": encoded(stream.suffix)})
    return {
        "Id": stream.rule_id,
        "QueueArn": queue_arn,
        "Events": [CREATED],
        "Filter": {"Key": {"FilterRules": filters}},
    }


def encoded(value: str) -> str:
    """A key prefix or suffix as a notification filter wants it: ``date=1/`` is ``date%3D1/``."""
    return quote_plus(value, safe="/!*'()")


def _rule(kind: str, row: Document) -> Rule:
    written = {
        str(item["Name"]).lower(): str(item.get("Value", ""))
        for item in row.get("Filter", {}).get("Key", {}).get("FilterRules", ())
    }
    filters = {name: unquote_plus(value) for name, value in written.items()}
    return Rule(
        id=row.get("Id", ""),
        kind=kind,
        target=row.get(_RULE_LISTS[kind], ""),
        events=frozenset(row.get("Events", ())),
        prefix=filters.get("prefix", ""),
        suffix=filters.get("suffix", ""),
        fires=not any("=" in value for value in written.values()),
    )
