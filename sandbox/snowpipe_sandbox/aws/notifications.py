"""A bucket's event notifications: the document S3 keeps, replaces whole, validates and shows.

Sources: AWS API model s3 (botocore 1.44.5); `Configuring event notifications using object key name
filtering <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html>`_ (the
overlap rule, URL-encoded values); `granting permissions
<https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html>`_; error
texts recorded against AWS by LocalStack (tests/aws/services/s3/test_s3_notifications_sqs.snapshot.json) and
quoted in https://github.com/minio/minio/issues/2472 and
https://github.com/aws-solutions/aws-waf-security-automations/issues/49.
"""

import re
import secrets
import string
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal
from urllib.parse import unquote_plus
from xml.sax.saxutils import escape

from snowpipe_sandbox.aws.errors import AwsError

Kind = Literal["Queue", "Topic", "CloudFunction"]
KINDS: tuple[Kind, ...] = ("Topic", "Queue", "CloudFunction")
MOST_RULES = 100
LONGEST_ID = 255
LONGEST_VALUE = 1_024
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_ARN = re.compile(r"arn:[\w-]+:(sqs|sns|lambda):[\w-]+:\d{12}:.+")
EVENTS = {
    "s3:ReducedRedundancyLostObject", "s3:ObjectCreated:*", "s3:ObjectCreated:Put", "s3:ObjectCreated:Post",
    "s3:ObjectCreated:Copy", "s3:ObjectCreated:CompleteMultipartUpload", "s3:ObjectRemoved:*",
    "s3:ObjectRemoved:Delete", "s3:ObjectRemoved:DeleteMarkerCreated", "s3:ObjectRestore:*",
    "s3:ObjectRestore:Post", "s3:ObjectRestore:Completed", "s3:ObjectRestore:Delete", "s3:Replication:*",
    "s3:Replication:OperationFailedReplication", "s3:Replication:OperationNotTracked",
    "s3:Replication:OperationMissedThreshold", "s3:Replication:OperationReplicatedAfterThreshold",
    "s3:LifecycleExpiration:*", "s3:LifecycleExpiration:Delete",
    "s3:LifecycleExpiration:DeleteMarkerCreated", "s3:LifecycleTransition", "s3:IntelligentTiering",
    "s3:ObjectTagging:*", "s3:ObjectTagging:Put", "s3:ObjectTagging:Delete", "s3:ObjectAcl:Put",
    "s3:ObjectAnnotation:*", "s3:ObjectAnnotation:Put", "s3:ObjectAnnotation:Delete",
    "s3:ObjectRetention:Put",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """One configuration: where which events of which keys go. ``filters`` as stored (URL-encoded)."""

    kind: Kind
    id: str
    arn: str
    events: tuple[str, ...]
    filters: tuple[tuple[str, str], ...] | None = None

    def value(self, name: str) -> str:
        """The decoded prefix or suffix; empty when there is none."""
        return next((unquote_plus(value) for key, value in self.filters or () if key == name), "")

    def takes(self, event: str, key: str) -> bool:
        """Whether this rule sends ``event`` (``s3:ObjectCreated:Put``) for ``key``.

        One with a raw ``=`` in a value never does: S3 takes it, and matches the encoded key with it.
        *Observed:* https://github.com/aws/aws-cdk/pull/28012.
        """
        return (
            not any("=" in value for _, value in self.filters or ())
            and any(_covers(pattern, event) for pattern in self.events)
            and key.startswith(self.value("Prefix"))
            and key.endswith(self.value("Suffix"))
        )


@dataclass(frozen=True, slots=True)
class Notifications:
    """The whole document of one bucket."""

    rules: tuple[Rule, ...] = ()
    event_bridge: bool = False


def _covers(pattern: str, event: str) -> bool:
    return pattern == event or (pattern.endswith(":*") and event.startswith(pattern[:-1]))


def invalid_argument(message: str, **extra: str) -> AwsError:
    """S3's InvalidArgument 400 with its ArgumentName and ArgumentValue elements."""
    return AwsError("InvalidArgument", message, 400, extra)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _children(element: ET.Element, name: str) -> list[ET.Element]:
    return [child for child in element if _local(child.tag) == name]


def _text(element: ET.Element, name: str) -> str:
    found = _children(element, name)
    return (found[0].text or "") if found else ""


def parse(body: bytes) -> Notifications:
    """The document a client put. Raises MalformedXML, or InvalidArgument for an unknown event or filter."""
    malformed = AwsError(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
    if not body.strip():
        return Notifications()
    try:
        root = ET.fromstring(body)
    except ET.ParseError:
        raise malformed from None
    known = {f"{kind}Configuration" for kind in KINDS} | {"EventBridgeConfiguration"}
    if {_local(child.tag) for child in root} - known:
        raise malformed
    rules = [_rule(kind, element) for kind in KINDS for element in _children(root, f"{kind}Configuration")]
    if any(not rule.arn or not rule.events for rule in rules):
        raise malformed
    return Notifications(tuple(rules), bool(_children(root, "EventBridgeConfiguration")))


def _rule(kind: Kind, element: ET.Element) -> Rule:
    events = tuple(event.text or "" for event in _children(element, "Event"))
    return Rule(kind, _text(element, "Id"), _text(element, kind), events, _filters(element))


def _filters(element: ET.Element) -> tuple[tuple[str, str], ...] | None:
    """The filter rules with their names capitalised, as S3 gives them back."""
    found = _children(element, "Filter")
    if not found:
        return None
    rules = [
        (_text(rule, "Name").capitalize(), _text(rule, "Value"))
        for key in _children(found[0], "S3Key")
        for rule in _children(key, "FilterRule")
    ]
    names = [name for name, _ in rules]
    if set(names) - {"Prefix", "Suffix"}:
        raise invalid_argument(
            "filter rule name must be either prefix or suffix", ArgumentName="FilterRule.Name"
        )
    if len(set(names)) != len(names):
        raise invalid_argument(
            "Cannot specify more than one prefix rule in a filter."
            if names.count("Prefix") > 1
            else "Cannot specify more than one suffix rule in a filter.",
            ArgumentName="FilterRule.Name",
        )
    for _, value in rules:
        if len(value) > LONGEST_VALUE:
            raise invalid_argument(
                "filter rule value cannot exceed 1024 characters", ArgumentName="FilterRule.Value"
            )
    return tuple(rules)


def with_ids(document: Notifications) -> Notifications:
    """The same with a generated id for every rule that has none."""
    alphabet = string.ascii_letters + string.digits
    return replace(
        document,
        rules=tuple(
            rule if rule.id else replace(rule, id="".join(secrets.choice(alphabet) for _ in range(48)))
            for rule in document.rules
        ),
    )


def check(document: Notifications) -> None:
    """Everything S3 refuses before it looks at the destinations."""
    for rule in document.rules:
        if not _ARN.fullmatch(rule.arn):
            raise invalid_argument(
                "The ARN could not be parsed", ArgumentName=rule.kind, ArgumentValue=rule.arn
            )
        for event in rule.events:
            if event not in EVENTS:
                raise invalid_argument(
                    f"The event '{event}' is not supported for notifications",
                    ArgumentName="Event",
                    ArgumentValue=event,
                )
        if len(rule.id) > LONGEST_ID:
            raise invalid_argument(
                "Id cannot exceed 255 characters", ArgumentName="Id", ArgumentValue=rule.id
            )
    ids = [rule.id for rule in document.rules if rule.id]
    if len(set(ids)) != len(ids):
        raise invalid_argument("Same ID used for multiple configurations. IDs must be unique")
    if len(document.rules) > MOST_RULES:
        raise invalid_argument(f"The number of notification configurations cannot exceed {MOST_RULES}")
    for one, other in combinations(document.rules, 2):
        _check_overlap(one, other)


def overlap(one: Rule, other: Rule) -> bool:
    """Whether some key and event could match both rules; decided on decoded filter values."""
    shared = any(_covers(a, b) or _covers(b, a) for a in one.events for b in other.events)
    prefixes = one.value("Prefix"), other.value("Prefix")
    suffixes = one.value("Suffix"), other.value("Suffix")
    return (
        shared
        and (prefixes[0].startswith(prefixes[1]) or prefixes[1].startswith(prefixes[0]))
        and (suffixes[0].endswith(suffixes[1]) or suffixes[1].endswith(suffixes[0]))
    )


def _check_overlap(one: Rule, other: Rule) -> None:
    if not overlap(one, other):
        return
    if not any(rule.value("Prefix") or rule.value("Suffix") for rule in (one, other)):
        raise invalid_argument(
            "Configurations overlap. Configurations on the same bucket cannot share a common event type.",
            ArgumentName="Event",
        )
    raise invalid_argument(
        "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes "
        "are overlapping for the same event type."
    )


def check_destinations(document: Notifications, refusal: Callable[[Rule], str]) -> None:
    """Raise one InvalidArgument naming every destination that ``refusal`` finds something against."""
    against = [(rule.arn, why) for rule in document.rules if (why := refusal(rule))]
    if not against:
        return
    extra: dict[str, str] = {}
    for n, (arn, why) in enumerate(dict(against).items(), start=1):
        extra |= {f"ArgumentName{n}": arn, f"ArgumentValue{n}": why}
    raise invalid_argument("Unable to validate the following destination configurations", **extra)


def render(document: Notifications) -> bytes:
    """The document as GetBucketNotificationConfiguration answers it."""
    parts = [_rendered(rule) for rule in document.rules]
    if document.event_bridge:
        parts.append("<EventBridgeConfiguration/>")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<NotificationConfiguration xmlns="{_NAMESPACE}">{"".join(parts)}</NotificationConfiguration>'
    ).encode()


def _rendered(rule: Rule) -> str:
    events = "".join(f"<Event>{escape(event)}</Event>" for event in rule.events)
    filters = "" if rule.filters is None else f"<Filter><S3Key>{_filter_rules(rule.filters)}</S3Key></Filter>"
    return (
        f"<{rule.kind}Configuration><Id>{escape(rule.id)}</Id><{rule.kind}>{escape(rule.arn)}</{rule.kind}>"
        f"{events}{filters}</{rule.kind}Configuration>"
    )


def _filter_rules(filters: Iterable[tuple[str, str]]) -> str:
    return "".join(
        f"<FilterRule><Name>{name}</Name><Value>{escape(value)}</Value></FilterRule>"
        for name, value in filters
    )
