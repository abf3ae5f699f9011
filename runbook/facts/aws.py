"""What is there on AWS: the role, its policy, the bucket and its event notifications."""

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, TypeVar
from urllib.parse import quote_plus, unquote_plus

from runbook.errors import CannotTell
from runbook.facts.documents import Document, as_document, as_list, statements
from runbook.facts.judging import acts
from runbook.session import AwsFailed, Reader
from runbook.settings import ADOPTED_BY, MANAGED_BY, MANAGED_FOR, Settings, Stream

T = TypeVar("T")

NOBODY_SID = "AssumableByNobodyUntilStep3"
TRUST_SID = "SnowpipeRunbookSnowflakeUser"
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

# IAM names these rights otherwise than the API names the calls
# (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html)
_RIGHTS = {
    "s3:GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "s3:PutBucketNotificationConfiguration": "s3:PutBucketNotification",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
}


def right(service: str, operation: str) -> str:
    """The IAM action a call needs."""
    name = f"{service}:{operation}"
    return _RIGHTS.get(name, name)


@dataclass(frozen=True)
class Policy:
    """The permissions policy: the text of its default version."""

    arn: str
    document: Document
    versions: tuple[str, ...]
    default_version: str
    tags: dict[str, str]

    @property
    def is_ours(self) -> bool:
        """Whether this project made it, or adopted it, for whichever installation."""
        return MANAGED_BY in (self.tags.get("ManagedBy"), self.tags.get(ADOPTED_BY))

    @property
    def installation(self) -> str:
        """The installation it is marked for; empty where none is named, as by a former version."""
        return self.tags.get(MANAGED_FOR, "") if self.is_ours else ""


@dataclass(frozen=True)
class Role:
    """The role Snowflake assumes."""

    arn: str
    trust: Document
    attached_policies: frozenset[str]
    permissions_boundary: str | None
    tags: dict[str, str]
    sid: str = TRUST_SID
    """Of the statement that lets this installation's Snowflake user in."""

    @property
    def is_ours(self) -> bool:
        """Whether this project made it, or adopted it, for whichever installation."""
        return MANAGED_BY in (self.tags.get("ManagedBy"), self.tags.get(ADOPTED_BY))

    @property
    def installation(self) -> str:
        """The installation it is marked for; empty where none is named, as by a former version."""
        return self.tags.get(MANAGED_FOR, "") if self.is_ours else ""

    @property
    def trust_statements(self) -> list[Document]:
        """The trust policy's statements."""
        return statements(self.trust)

    @property
    def others_statements(self) -> list[Document]:
        """The trust statements that no step wrote for this installation."""
        return [row for row in self.trust_statements if row.get("Sid") not in (NOBODY_SID, self.sid)]

    @property
    def own_statement(self) -> Document | None:
        """The statement that step 3 wrote for this installation, whatever has become of it."""
        return next((row for row in self.trust_statements if row.get("Sid") == self.sid), None)

    @property
    def denies_everybody(self) -> bool:
        """Whether the closed statement of step 1 is still there."""
        return any(row.get("Sid") == NOBODY_SID for row in self.trust_statements)

    @property
    def allowing(self) -> list[Document]:
        """The trust statements that let somebody assume the role."""
        return [
            row
            for row in self.trust_statements
            if row.get("Effect") == "Allow" and acts(row, "sts:AssumeRole")
        ]

    @property
    def trusted_principals(self) -> frozenset[str]:
        """Every principal an Allow statement names, as written (``AIDA…`` for a user that is gone)."""
        found: set[str] = set()
        for row in self.allowing:
            principal = row.get("Principal", {})
            if isinstance(principal, str):
                found.add(principal)
            else:
                found.update(str(name) for names in principal.values() for name in as_list(names))
        return frozenset(found)

    def letting_in(self, principal: str) -> list[Document]:
        """The trust statements that let ``principal`` in, by its name or by its account's root.

        Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
        """
        account = principal.split(":")[4] if principal.count(":") > 4 else ""
        root = principal.partition(":user/")[0] + ":root"
        names = {principal, root, account} - {""}
        return [row for row in self.allowing if names & set(principals_of(row))]


def principals_of(row: Document) -> list[str]:
    """The AWS principals a statement names, as written."""
    named = row.get("Principal", {})
    return [str(name) for name in (as_list(named.get("AWS")) if isinstance(named, dict) else [named])]


def ids_asked_for(row: Document) -> set[str]:
    """The external IDs that a trust statement asks for exactly.

    ``*`` stands for "any": a statement without such a condition; a pattern is told as one.
    """
    for operator, block in row.get("Condition", {}).items():
        for key, values in block.items():
            if key.lower() == "sts:externalid":
                exact = operator.lower() in ("stringequals", "foranyvalue:stringequals")
                like = "" if exact else f"{operator} "
                return {f"{like}{value}" for value in as_list(values)}
    return {"*"}


@dataclass(frozen=True)
class RolePolicies:
    """What the role has beside our policy, by name, and its boundary's text (empty: it has none)."""

    others: dict[str, Document] = field(default_factory=dict)
    boundary: Document = field(default_factory=dict)


@dataclass(frozen=True)
class Key:
    """A KMS key: its state, such as Enabled, and its policy."""

    arn: str
    state: str
    policy: Document


@dataclass(frozen=True)
class Bucket:
    """The bucket, as far as reading its head says."""

    name: str
    region: str


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


def ask(read: Callable[[], T], what: str) -> T | None:
    """What ``read`` gives; None where AWS says it does not exist; CannotTell where it may not say."""
    try:
        return read()
    except AwsFailed as error:
        if error.is_absence:
            return None
        missing = right(error.service, error.operation) if error.is_denied else ""
        remedy = f"grant {missing}" if missing else "run the command again"
        raise CannotTell(
            f"{what} cannot be read", why=str(error), remedy=remedy, missing_right=missing
        ) from None


def policy(reader: Reader) -> Policy | None:
    """The permissions policy; None when there is none of that name."""
    arn = reader.settings.aws.policy_arn

    def read() -> Policy:
        head = reader.aws("iam", "GetPolicy", PolicyArn=arn)["Policy"]
        version = head["DefaultVersionId"]
        body = reader.aws("iam", "GetPolicyVersion", PolicyArn=arn, VersionId=version)["PolicyVersion"]
        versions = reader.aws("iam", "ListPolicyVersions", PolicyArn=arn)["Versions"]
        return Policy(
            arn=arn,
            document=body["Document"],
            versions=tuple(sorted((row["VersionId"] for row in versions), key=lambda v: int(v[1:]))),
            default_version=version,
            tags=_tags(head),
        )

    return ask(read, f"The policy {arn}")


def role(reader: Reader) -> Role | None:
    """The role; None when there is none of that name under any path."""
    name = reader.settings.aws.role_name

    def read() -> Role:
        head = reader.aws("iam", "GetRole", RoleName=name)["Role"]
        attached = reader.aws_pages("iam", "ListAttachedRolePolicies", "AttachedPolicies", RoleName=name)
        return Role(
            arn=head["Arn"],
            trust=head.get("AssumeRolePolicyDocument", {}),
            attached_policies=frozenset(row["PolicyArn"] for row in attached),
            permissions_boundary=head.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
            tags=_tags(head),
            sid=trust_sid(reader.settings, _tags(head)),
        )

    return ask(read, f"The role {name}")


def trust_sid(settings: Settings, tags: dict[str, str]) -> str:
    """The Sid of our statement: one of this installation's own on a role that is another's too."""
    if not settings.aws.share_role or tags.get(MANAGED_FOR) == settings.installation:
        return TRUST_SID
    return TRUST_SID + sha256(settings.installation.encode()).hexdigest()[:8]


def bucket(reader: Reader) -> Bucket | None:
    """The bucket and its region; None when the account has none of that name.

    The name may be another account's: then S3 answers 403 where we say whose it must be, and else lets us in.

    S3 gives no reason with a 400, as HEAD has no body; whether it was the session, STS says.
    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
    """
    aws = reader.settings.aws

    def read() -> Bucket | None:
        try:
            head = reader.aws("s3", "HeadBucket", Bucket=aws.bucket, ExpectedBucketOwner=aws.account_id)
        except AwsFailed as error:
            if error.code == "400":
                reader.aws("sts", "GetCallerIdentity")
            if error.is_denied and _is_anothers(reader):
                return None
            raise
        headers = head["ResponseMetadata"]["HTTPHeaders"]
        return Bucket(aws.bucket, head.get("BucketRegion") or headers.get("x-amz-bucket-region", ""))

    return ask(read, f"The bucket {aws.bucket}")


def _is_anothers(reader: Reader) -> bool:
    """Whether the bucket lets us in as long as we do not say whose it must be: it is another account's.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
    """
    with suppress(AwsFailed):
        reader.aws("s3", "HeadBucket", Bucket=reader.settings.aws.bucket)
        return True
    return False


def bucket_notifications(reader: Reader, bucket: str = "") -> BucketNotifications | None:
    """The notification document of the settings' bucket or another; None when the bucket does not exist."""
    name = bucket or reader.settings.aws.bucket

    def read() -> BucketNotifications:
        answer = reader.aws(
            "s3",
            "GetBucketNotificationConfiguration",
            Bucket=name,
            ExpectedBucketOwner=reader.settings.aws.account_id,
        )
        return BucketNotifications({k: v for k, v in answer.items() if k != "ResponseMetadata"})

    return ask(read, f"The event notifications of {name}")


def role_policies(reader: Reader, role: Callable[[], Role | None]) -> RolePolicies:
    """What the role has beside our policy: attached, inline, and its boundary. Nothing without a role."""
    aws = reader.settings.aws

    def read() -> RolePolicies:
        inline = reader.aws_pages("iam", "ListRolePolicies", "PolicyNames", RoleName=aws.role_name)
        found = {
            name: as_document(
                reader.aws("iam", "GetRolePolicy", RoleName=aws.role_name, PolicyName=name)["PolicyDocument"]
            )
            for name in inline
        }
        have = role()
        ours = {aws.policy_arn} if reader.settings.is_ours else set()
        attached = sorted(have.attached_policies - ours) if have else []
        found.update({arn.rpartition("/")[2]: _document(reader, arn) for arn in attached})
        boundary = have.permissions_boundary if have else None
        return RolePolicies(found, _document(reader, boundary) if boundary else {})

    return ask(read, f"The other policies of the role {aws.role_name}") or RolePolicies()


def _document(reader: Reader, arn: str) -> Document:
    version = reader.aws("iam", "GetPolicy", PolicyArn=arn)["Policy"]["DefaultVersionId"]
    found = reader.aws("iam", "GetPolicyVersion", PolicyArn=arn, VersionId=version)
    return as_document(found["PolicyVersion"]["Document"])


def held_policy(role: Role | None, policies: RolePolicies) -> Policy | None:
    """All that others' role holds, as one policy; None where it holds none, or there is no role."""
    rows = [row for document in policies.others.values() for row in statements(document)]
    if role is None or not rows:
        return None
    return Policy(role.arn, {"Version": "2012-10-17", "Statement": rows}, (), "", {})


def bucket_policy(reader: Reader) -> Document:
    """The bucket's own policy; empty where it has none."""
    aws = reader.settings.aws

    def read() -> Document:
        answer = reader.aws("s3", "GetBucketPolicy", Bucket=aws.bucket, ExpectedBucketOwner=aws.account_id)
        return as_document(answer["Policy"])

    return ask(read, f"The policy of the bucket {aws.bucket}") or {}


def bucket_key(reader: Reader) -> str | None:
    """The customer managed key new files are encrypted with; None: S3's own, or AWS' managed one.

    Whoever may read the bucket may use the other two.
    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
    """
    aws = reader.settings.aws

    def read() -> str | None:
        answer = reader.aws(
            "s3", "GetBucketEncryption", Bucket=aws.bucket, ExpectedBucketOwner=aws.account_id
        )
        rules = answer["ServerSideEncryptionConfiguration"]["Rules"]
        chosen = rules[0]["ApplyServerSideEncryptionByDefault"] if rules else {}
        name = str(chosen.get("KMSMasterKeyID") or "")
        return None if not name or name.endswith("alias/aws/s3") else name

    return ask(read, f"The encryption of the bucket {aws.bucket}")


def key_arn(reader: Reader, name: str) -> str:
    """The ARN of the key of that alias or id; the name itself where there is no such key.

    Source: https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html
    """

    def read() -> str:
        return str(reader.aws("kms", "DescribeKey", KeyId=name)["KeyMetadata"]["Arn"])

    return ask(read, f"The key {name}") or name


def key(reader: Reader, name: str) -> Key | None:
    """A KMS key; None when there is none of that name."""

    def read() -> Key:
        head = reader.aws("kms", "DescribeKey", KeyId=name)["KeyMetadata"]
        text = reader.aws("kms", "GetKeyPolicy", KeyId=head["Arn"], PolicyName="default")["Policy"]
        return Key(head["Arn"], head["KeyState"], as_document(text))

    return ask(read, f"The key {name}")


def _tags(head: Any) -> dict[str, str]:
    return {row["Key"]: row["Value"] for row in head.get("Tags", ())}
