"""What only AWS knows: the rules that announce files, and what its role may. Only reads."""

from os.path import commonprefix

from runbook.clouds.failures import AwsFailed
from runbook.discovery.described import Described
from runbook.discovery.snowflake_side import FoundPipe
from runbook.errors import CannotTell, RunbookError
from runbook.facts import Facts
from runbook.policies.access import excessive
from runbook.settings import S3Bucket, Stream
from runbook.wanted.rules import BucketNotifications, Rule


def looked(facts: Facts, pipes: list[FoundPipe], found: Described) -> None:
    """Suffixes and topics into ``found``; what may not be looked at becomes a note, not an error."""
    try:
        account = facts.reader.aws("sts", "GetCallerIdentity")["Account"]
    except (AwsFailed, RunbookError) as error:
        found.unseen.append(
            f"AWS refused the credentials ({error}): suffixes, topics and the role were not looked at"
        )
        return
    if account != facts.settings.aws.account_id:
        found.unseen.append(
            f"the AWS credentials belong to account {account}, the role to {facts.settings.aws.account_id}: "
            "suffixes, topics and the role were not looked at"
        )
        return
    with _noted(found):
        for wanted in facts.settings.buckets:
            _bucket(facts, wanted, found)
    with _noted(found):
        _announced(facts, pipes, found)
    with _noted(found):
        _role(facts, found)


def _bucket(facts: Facts, wanted: S3Bucket, found: Described) -> None:
    """Where a bucket is."""
    bucket, aws = facts.bucket_named(wanted.name), facts.settings.aws
    if bucket is None:
        found.unseen.append(f"the bucket {wanted.name} cannot be found in this account")
    elif bucket.region and wanted.name == aws.bucket:
        found.aws["region"] = bucket.region
    elif bucket.region and bucket.region != found.aws.get("region", aws.region):
        found.aws.setdefault("buckets", {})[wanted.name] = {"region": bucket.region}


class _noted:  # noqa: N801 (reads as a statement)
    """What is not known is noted, with the right that is missing."""

    def __init__(self, found: Described) -> None:
        self.found = found

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, CannotTell):
            self.found.unseen.append(f"{error.what}: {error.remedy or error.why}")
            return True
        return False


def _announced(facts: Facts, pipes: list[FoundPipe], found: Described) -> None:
    """The suffix that each stream's rules ask for, and the topic they go through."""
    for stream, pipe in zip(facts.settings.streams, pipes, strict=True):
        notifications = facts.notifications_of(stream.bucket) or BucketNotifications()
        rules = _rules(facts, notifications, stream, pipe)
        row = found.streams[stream.name]
        if not rules:
            found.differs.append(_unannounced(stream, notifications))
            continue
        row["suffix"] = _common_suffix([rule.suffix for rule in rules])
        topics = [rule.target for rule in rules if rule.kind == "TopicConfigurations"]
        if len(topics) == len(rules):
            row["sns_topic"] = topics[0]
        if not any(stream.prefix.startswith(rule.prefix) for rule in rules):
            places = ", ".join(sorted({rule.prefix for rule in rules}))
            found.differs.append(f"{stream.name}: its rules announce only what lies under {places}")


def _unannounced(stream: Stream, notifications: BucketNotifications) -> str:
    if notifications.go_to_eventbridge:
        return (
            f"{stream.name}: the bucket tells EventBridge of its files, and no rule of its own tells the "
            "pipe; the rules of EventBridge are not looked at"
        )
    return f"{stream.name}: no rule of the bucket announces its files to the pipe's queue"


def _rules(facts: Facts, notifications: BucketNotifications, stream: Stream, pipe: FoundPipe) -> list[Rule]:
    """The rules that tell the pipe's queue, themselves or by a topic, of some of the stream's files."""
    return [
        rule
        for rule in notifications.rules
        if (rule.prefix.startswith(stream.prefix) or stream.prefix.startswith(rule.prefix))
        and any(event.startswith("s3:ObjectCreated:") for event in rule.events)
        and (rule.target == pipe.channel or _by_topic(facts, rule, pipe.channel))
    ]


def _common_suffix(suffixes: list[str]) -> str:
    """What all of them end in."""
    return commonprefix([suffix[::-1] for suffix in suffixes])[::-1]  # noqa: RUF071 - letters, not a path


def _by_topic(facts: Facts, rule: Rule, channel: str) -> bool:
    if rule.kind != "TopicConfigurations":
        return False
    topic = facts.topic(rule.target)
    return topic is not None and topic.reaches(channel)


def _role(facts: Facts, found: Described) -> None:
    """What the role may beyond loading: no fault of this installation's, but worth knowing."""
    if facts.settings.snowflake.without_integration:
        return
    if facts.role is None:
        found.differs.append("the integration's role is not there")
        return
    if facts.policy is None:
        found.differs.append("the integration's role holds no policy: only the bucket's own can let it read")
        return
    more = excessive(facts.policy.document, facts.settings)
    if more:
        found.differs.append(f"the role may more than loading needs: {'; '.join(more)}")
