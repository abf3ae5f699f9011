"""Sound installations that others made, as many as there are ways to make one: styles that go together."""

# ruff: noqa: E501 (a style is one line)

import gzip
import re
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

from runbook.facts.aws import held_policy
from runbook.facts.history import TableRows
from runbook.facts.objects import Entry, FileFormat, Listing, Load, Pause, PipeStatus, StagedFile
from runbook.facts.topic import Topic
from runbook.policies.held import Key, RolePolicies
from runbook.settings import Identifier, Settings, Stream, read
from runbook.wanted.grants import Grant, operator_grants
from runbook.wanted.rules import BucketNotifications
from tests.unit.conftest import written
from tests.unit.observed import EXTERNAL_ID, MADE, NOW, QUEUE, SNOWFLAKES_USER, Known, healthy
from tests.unit.observed import integration as an_integration
from tests.unit.observed import pipe as a_pipe
from tests.unit.observed import role as a_role
from tests.unit.observed import stage as a_stage

B = "arn:aws:s3:::snowplow-sandbox"
ACCOUNT = "111122223333"
SNOWFLAKES = SNOWFLAKES_USER.split(":")[4]
KEY = f"arn:aws:kms:us-west-2:{ACCOUNT}:key/1234abcd"
TOPIC = f"arn:aws:sns:us-west-2:{ACCOUNT}:events"
FOLDER = "in/events/"
Row = dict[str, Any]


def row(effect: str, action: Any, resource: Any = None, **more: Any) -> Row:
    """One statement; ``when=`` is its Condition."""
    found: Row = {"Effect": effect, "Action": action, **({"Resource": resource} if resource else {})}
    condition = more.pop("when", None)
    return {**found, **({"Condition": condition} if condition else {}), **more}


def allow(action: Any, resource: Any, **more: Any) -> Row:
    """An Allow statement."""
    return row("Allow", action, resource, **more)


def deny(action: Any, resource: Any, **more: Any) -> Row:
    """A Deny statement."""
    return row("Deny", action, resource, **more)


TWO = ["s3:GetObject", "s3:GetObjectVersion"]
BOTH = ["s3:ListBucket", "s3:GetBucketLocation"]
TLS = {"Bool": {"aws:SecureTransport": "true"}}
NO_TLS = {"Bool": {"aws:SecureTransport": "false"}}


def under(like: Any, operator: str = "StringLike") -> Row:
    """A condition on the folder that is listed."""
    return {operator: {"s3:prefix": like}}


POLICIES: dict[str, list[Row]] = {
    "as published": [allow(TWO, f"{B}/{FOLDER}*"), allow(BOTH, B, when=under([f"{FOLDER}*"]))],
    "as published, for everything": [allow(TWO, f"{B}/*"), allow(BOTH, B, when=under(["*"]))],
    "without the location": [allow(TWO, f"{B}/*"), allow("s3:ListBucket", B)],
    "without versions": [allow("s3:GetObject", f"{B}/*"), allow(BOTH, B)],
    "in one statement": [allow([*TWO, "s3:ListBucket"], [B, f"{B}/*"])],
    "tls only": [allow(TWO, f"{B}/*", when=TLS), allow(BOTH, B, when=TLS)],
    "of its account": [allow(TWO, f"{B}/*", when={"StringEquals": {"aws:ResourceAccount": ACCOUNT}}), allow(BOTH, B)],
    "if it exists": [allow(TWO, f"{B}/*"), allow(BOTH, B, when=under(["in/*"], "StringLikeIfExists"))],
    "any value": [allow(TWO, f"{B}/*"), allow("s3:ListBucket", B, when=under(["in/*"], "ForAnyValue:StringLike"))],
    "exact": [allow(TWO, f"{B}/*"), allow("s3:ListBucket", B, when=under(["x", FOLDER], "StringEquals"))],
    "other case": [allow("S3:getobject", f"{B}/*"), allow("s3:listbucket", B, when={"stringlike": {"S3:Prefix": "in/*"}})],
    "everything": [allow("s3:*", [B, f"{B}/*"])],
    "all but deleting": [{"Effect": "Allow", "NotAction": ["s3:Delete*"], "Resource": [B, f"{B}/*"]}],
    "wildcards": [allow(["s3:Get*", "s3:List*"], "*")],
    "no slash": [allow(TWO, f"{B}*"), allow(BOTH, f"{B}*")],
    "a variable": [allow(TWO, "arn:aws:s3:::${aws:PrincipalTag/bucket}/*"), allow(BOTH, "arn:aws:s3:::*")],
    "since a date": [allow(TWO, f"{B}/*", when={"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}), allow(BOTH, B)],
    "of an organisation": [allow(TWO, f"{B}/*", when={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}), allow(BOTH, B)],
    "short lists": [allow(TWO, f"{B}/*"), allow(BOTH, B, when={"NumericLessThanEquals": {"s3:max-keys": "10000"}})],
    "delimiter": [allow(TWO, f"{B}/*"), allow(BOTH, B, when={**under(["in/*"]), "StringEqualsIfExists": {"s3:delimiter": ["", "/"]}})],
    "denied without tls": [allow(TWO, f"{B}/*"), allow(BOTH, B), deny("s3:*", "*", when=NO_TLS)],
    "other regions denied": [allow(TWO, f"{B}/*"), allow(BOTH, B), deny("*", "*", when={"StringNotEquals": {"aws:RequestedRegion": "us-west-2"}})],
    "no deletes, by what is not denied": [allow(TWO, f"{B}/*"), allow(BOTH, B), {"Effect": "Deny", "NotAction": ["s3:Get*", "s3:List*", "kms:Decrypt"], "Resource": "*"}],
    "other folders denied": [allow(TWO, f"{B}/*"), allow(BOTH, B), {"Effect": "Deny", "Action": "s3:GetObject", "NotResource": f"{B}/in/*"}],
    "lists elsewhere denied": [allow(TWO, f"{B}/*"), allow(BOTH, B), deny("s3:ListBucket", B, when={"StringNotLike": {"s3:prefix": ["in/*"]}, "Null": {"s3:prefix": "false"}})],
    "no archive": [allow(TWO, f"{B}/*"), allow(BOTH, B), deny("s3:RestoreObject", "*")],
    "old sessions denied": [allow(TWO, f"{B}/*"), allow(BOTH, B), deny("*", "*", when={"DateLessThan": {"aws:TokenIssueTime": "2026-01-01T00:00:00Z"}})],
    "other accounts' buckets denied": [allow(TWO, f"{B}/*"), allow(BOTH, B), deny("s3:*", "*", when={"StringNotEquals": {"aws:ResourceAccount": ACCOUNT}})],
    "not what is infected": [allow(TWO, f"{B}/*"), allow(BOTH, B), deny("s3:GetObject", "*", when={"StringEquals": {"s3:ExistingObjectTag/scan": "infected"}})],
    "with acls and tags": [allow([*TWO, "s3:GetObjectTagging", "s3:GetObjectAcl"], f"{B}/*"), allow([*BOTH, "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"], B)],
    "for unloading too": [allow([*TWO, "s3:PutObject", "s3:DeleteObject"], f"{B}/*"), allow(BOTH, B)],
}  # fmt: skip


def trusting(principal: Any = SNOWFLAKES_USER, **more: Any) -> Row:
    """A statement that lets Snowflake's user assume the role."""
    given = {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}}
    found = {
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": "sts:AssumeRole",
        "Condition": given,
    }
    return {**found, **more}


ROOT = f"arn:aws:iam::{SNOWFLAKES}:root"
OTHER = f"arn:aws:iam::{ACCOUNT}:role/audit"
TRUSTS: dict[str, list[Row]] = {
    "as documented": [trusting()],
    "two external ids": [trusting(Condition={"StringEquals": {"sts:ExternalId": ["other", EXTERNAL_ID]}})],
    "two statements": [trusting(), trusting(Sid="b", Condition={"StringEquals": {"sts:ExternalId": "other"}})],
    "the account's root": [trusting(ROOT)],
    "the account": [trusting(SNOWFLAKES)],
    "a pattern": [trusting(Condition={"StringLike": {"sts:ExternalId": "SANDBOX_SFCRole=*"}})],
    "any value": [trusting(Condition={"ForAnyValue:StringEquals": {"sts:ExternalId": [EXTERNAL_ID]}})],
    "key in other case": [trusting(Condition={"stringEquals": {"STS:externalid": EXTERNAL_ID}})],
    "every action of sts": [trusting(Action="sts:*")],
    "with session tags": [trusting(Action=["sts:AssumeRole", "sts:TagSession"])],
    "a list of principals": [trusting([OTHER, SNOWFLAKES_USER])],
    "an auditor too": [trusting(), {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "sts:AssumeRole"}],
    "a service too": [trusting(), {"Effect": "Allow", "Principal": {"Service": "glue.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    "null and equal": [trusting(Condition={"StringEquals": {"sts:ExternalId": EXTERNAL_ID}, "Null": {"sts:ExternalId": "false"}})],
    "its account asked for": [trusting(Condition={"StringEquals": {"sts:ExternalId": EXTERNAL_ID, "aws:PrincipalAccount": SNOWFLAKES}})],
    "its arn asked for": [trusting(ROOT, Condition={"StringEquals": {"sts:ExternalId": EXTERNAL_ID}, "ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{SNOWFLAKES}:user/*"}})],
    "a Deny without an id": [trusting(), {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole", "Condition": {"Null": {"sts:ExternalId": "true"}}}],
    "a Deny of other ids": [trusting(), {"Effect": "Deny", "Principal": {"AWS": SNOWFLAKES_USER}, "Action": "sts:AssumeRole", "Condition": {"StringNotEquals": {"sts:ExternalId": EXTERNAL_ID}}}],
    "web identities too": [trusting(), {"Effect": "Allow", "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"}, "Action": "sts:AssumeRoleWithWebIdentity"}],
    "tls asked for": [trusting(Condition={"StringEquals": {"sts:ExternalId": EXTERNAL_ID}, **TLS})],
    "a Deny of others": [trusting(), {"Effect": "Deny", "Principal": {"AWS": OTHER}, "Action": "sts:*"}],
    "a Deny without mfa": [trusting(), {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole", "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}}}],
    "a Deny of all but these": [trusting(), {"Effect": "Deny", "NotPrincipal": {"AWS": [SNOWFLAKES_USER, ROOT]}, "Action": "sts:AssumeRole"}],
    "a Deny of other accounts": [trusting(), {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole", "Condition": {"StringNotEquals": {"aws:PrincipalAccount": [ACCOUNT, SNOWFLAKES]}}}],
    "everybody of an account": [{**trusting("*"), "Condition": {"StringEquals": {"sts:ExternalId": EXTERNAL_ID, "aws:PrincipalAccount": SNOWFLAKES}}}],
}  # fmt: skip

EVERYWHERE = {"Principal": "*", "Resource": [B, f"{B}/*"]}
BUCKETS: dict[str, list[Row]] = {
    "none": [],
    "tls only": [deny("s3:*", None, when=NO_TLS, **EVERYWHERE)],
    "tls version": [deny("s3:*", None, when={"NumericLessThan": {"s3:TlsVersion": "1.2"}}, **EVERYWHERE)],
    "an endpoint, and snowflake's": [deny("s3:*", None, when={"StringNotEquals": {"aws:SourceVpce": ["a", "b"]}}, **EVERYWHERE)],
    "an organisation": [deny("s3:*", None, when={"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}}, **EVERYWHERE)],
    "no deletes": [deny("s3:DeleteObject*", None, **EVERYWHERE)],
    "all but these roles": [deny("s3:*", None, when={"StringNotLike": {"aws:PrincipalArn": ["*/admin", "*:role/*read-role"]}}, **EVERYWHERE)],
    "another role": [deny("s3:*", None, Principal={"AWS": OTHER}, Resource=f"{B}/*")],
    "unencrypted writes": [deny("s3:PutObject", None, when={"Null": {"s3:x-amz-server-side-encryption": "true"}}, **EVERYWHERE)],
    "other folders": [{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "NotResource": [f"{B}/in/*", f"{B}/out/*"]}],
    "old signatures": [deny("s3:*", None, when={"NumericGreaterThan": {"s3:signatureAge": "600000"}}, **EVERYWHERE)],
    "presigned urls": [deny("s3:*", None, when={"StringNotEquals": {"s3:authType": "REST-HEADER"}}, **EVERYWHERE)],
    "a perimeter": [deny("s3:*", None, when={"StringNotEqualsIfExists": {"aws:SourceVpc": "vpc-1", "aws:PrincipalAccount": ACCOUNT}, "BoolIfExists": {"aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false"}}, **EVERYWHERE)],
    "by user id": [deny("s3:*", None, when={"StringNotLike": {"aws:userid": ["AROAEXAMPLE:*", ACCOUNT]}}, **EVERYWHERE)],
    "what a scanner marked": [deny("s3:GetObject", None, when={"StringEquals": {"s3:ExistingObjectTag/scan": "infected"}}, **EVERYWHERE)],
    "retention": [deny(["s3:PutObjectRetention", "s3:BypassGovernanceRetention", "s3:PutLifecycleConfiguration"], None, **EVERYWHERE)],
    "archives": [deny("s3:RestoreObject", None, when={"StringNotEquals": {"aws:PrincipalArn": OTHER}}, **EVERYWHERE)],
    "other accounts": [deny("s3:*", None, when={"StringNotEquals": {"aws:PrincipalAccount": [ACCOUNT, "444455556666"]}}, **EVERYWHERE)],
    "replication from another account": [allow(["s3:ReplicateObject", "s3:ReplicateDelete"], None, Principal={"AWS": "arn:aws:iam::444455556666:root"}, Resource=f"{B}/*")],
    "logs": [allow("s3:PutObject", None, Principal={"Service": "logging.s3.amazonaws.com"}, Resource=f"{B}/logs/*")],
}  # fmt: skip

COPIES = (
    "COPY INTO RAW.APP.EVENTS FROM @RAW.APP.ST/events/ FILE_FORMAT = (TYPE = JSON)",
    "copy into events from @st/events/ file_format = raw.app.ff on_error = continue",
    "COPY INTO EVENTS -- FROM @old PATTERN = 'x'\nFROM @RAW.APP.ST/events/ FILE_FORMAT = (FORMAT_NAME = 'FF')",
    "COPY INTO RAW.APP.EVENTS FROM (SELECT $1, 'from @x', METADATA$FILENAME FROM @ST/events/) FILE_FORMAT=(FORMAT_NAME=FF)",
    "COPY INTO EVENTS FROM (SELECT $1 FROM '@RAW.APP.ST/events/' (FILE_FORMAT => RAW.APP.FF) t)",
    "COPY INTO EVENTS FROM @ST/events/ /* ON_ERROR = CONTINUE */ FILE_FORMAT = (TYPE = CSV) ON_ERROR = 'SKIP_FILE_10%'",
    "COPY INTO IDENTIFIER('RAW.APP.EVENTS') FROM @ST/events/ PATTERN = '.*[.]gz' FILE_FORMAT = (TYPE = JSON)",
    "COPY INTO EVENTS FROM @ST/events/",
    'COPY INTO "EVENTS" FROM @"RAW"."APP"."ST"/events/ FILE_FORMAT = "RAW"."APP"."FF", ON_ERROR = "SKIP_FILE"',
    "COPY INTO events (a, b) FROM @st/events/ MATCH_BY_COLUMN_NAME = 'CASE_INSENSITIVE' INCLUDE_METADATA = (b = METADATA$FILENAME) FILE_FORMAT = (TYPE = PARQUET)",
    "COPY INTO EVENTS FROM (SELECT $1:id::NUMBER(10, 2), TO_TIMESTAMP_TZ($1:at::STRING), PARSE_JSON($1):a FROM @ST/events/ (FILE_FORMAT => FF, PATTERN => '.*[.]gz') t)",
    "COPY INTO EVENTS FROM '@ST/events/' FILE_FORMAT = (TYPE = CSV, FIELD_DELIMITER = \",\", NULL_IF = ('', 'NULL')), PATTERN = $$.*[.]gz$$",
)  # fmt: skip
PLACES: tuple[dict[str, str], ...] = (
    {},
    {"stage": 'RAW."util".ST'},
    {"table": "LAND.PUBLIC.EVENTS"},
    {"stage": "LAND.STAGES.ST", "table": 'LAND."raw".EVENTS'},
)
"""Where the stage and the table lie, if not beside the pipe in RAW.APP."""


def placed(text: str, place: dict[str, str]) -> str:
    """The COPY with the full names of what lies elsewhere."""
    name = r"""(?:"?raw"?\."?app"?\.)?"?"""
    if "stage" in place:
        text = re.sub(rf'@{name}st"?(?=/)', f"@{place['stage']}", text, flags=re.IGNORECASE)
    if "table" in place:
        into = rf"(into |identifier\('){name}events\"?"
        text = re.sub(into, lambda found: f"{found[1]}{place['table']}", text, flags=re.IGNORECASE)
    return text


def rule(
    prefix: str = FOLDER, suffix: str = "", events: Any = ("s3:ObjectCreated:*",), to: str = QUEUE
) -> Row:
    """A notification rule as it is stored."""
    filters = [{"Name": n, "Value": v} for n, v in (("Prefix", prefix), ("Suffix", suffix)) if v]
    kind = "TopicArn" if ":sns:" in to else "QueueArn"
    return {
        "Id": f"{prefix}{suffix}{len(events)}",
        kind: to,
        "Events": list(events),
        "Filter": {"Key": {"FilterRules": filters}},
    }


WAYS = [f"s3:ObjectCreated:{way}" for way in ("Put", "Post", "Copy", "CompleteMultipartUpload")]
ANNOUNCED: dict[str, tuple[list[Row], bool]] = {  # rules, and whether EventBridge hears of everything
    "one rule": ([rule()], False),
    "the whole bucket": ([rule("")], False),
    "a wider folder": ([rule("in/")], True),
    "four events": ([rule(events=WAYS)], False),
    "removals too": ([rule(events=[*WAYS, "s3:ObjectRemoved:*"])], False),
    "two rules by event": ([rule(events=WAYS[:1]), rule(events=WAYS[1:])], False),
    "put alone": ([rule(events=WAYS[:1])], False),
    "by suffix": ([rule(suffix=".gz"), rule(suffix=".json")], False),
    "by subfolder": ([rule(f"{FOLDER}a/"), rule(f"{FOLDER}b/")], False),
    "a topic": ([rule(to=TOPIC)], False),
    "eventbridge": ([], True),
    "beside another's": ([rule(), rule("images/", to=f"arn:aws:sqs:us-west-2:{ACCOUNT}:theirs")], False),
}
PUBLISHING: dict[str, list[Row]] = {
    "service": [{"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "SNS:Publish", "Resource": TOPIC, "Condition": {"ArnLike": {"aws:SourceArn": B}}}],
    "everybody": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sns:Publish", "Resource": TOPIC, "Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:*:*:snowplow-sandbox"}}}],
    "tls only": [{"Effect": "Allow", "Principal": {"Service": ["s3.amazonaws.com", "events.amazonaws.com"]}, "Action": "SNS:Publish", "Resource": TOPIC}, {"Effect": "Deny", "Principal": "*", "Action": "sns:Publish", "Resource": TOPIC, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}],
    "the owner's default": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["SNS:Publish", "SNS:Subscribe", "SNS:GetTopicAttributes"], "Resource": TOPIC, "Condition": {"StringEquals": {"AWS:SourceOwner": ACCOUNT}}}, {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "SNS:Publish", "Resource": TOPIC, "Condition": {"StringLike": {"aws:SourceArn": "arn:aws:s3:::snowplow-*"}}}],
    "account": [{"Effect": "Allow", "Principal": "*", "Action": "sns:*", "Resource": "*", "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}}],
}  # fmt: skip
SUBSCRIBING = {
    "Effect": "Allow",
    "Principal": {"AWS": SNOWFLAKES_USER},
    "Action": ["sns:Subscribe"],
    "Resource": TOPIC,
}
OWNERS = ("LOADER", "SYSADMIN", "ACCOUNTADMIN")
HELD = ("itself", "through a role", "as owner", "as everybody")
KEYS = ("", KEY, "alias/lake", "1234abcd", f"arn:aws:kms:us-west-2:{ACCOUNT}:alias/lake")


@dataclass(frozen=True)
class Sound:
    """One sound installation, by its styles."""

    policy: str
    trust: str
    bucket: str
    copy: str
    announced: str
    publishing: str
    owner: str
    held: str
    key: str
    blocked: frozenset[str]
    place: int = 0


def drawn(seed: int) -> Sound:
    """The installation of that number: always the same one."""
    pick = Random(seed).choice
    return Sound(
        policy=pick(list(POLICIES)),
        trust=pick(list(TRUSTS)),
        bucket=pick(list(BUCKETS)),
        copy=pick(COPIES),
        announced=pick(list(ANNOUNCED)),
        publishing=pick(list(PUBLISHING)),
        owner=pick(OWNERS),
        held=pick(HELD),
        key=pick(KEYS),
        blocked=pick((frozenset[str](), frozenset({"s3://snowplow-sandbox/secret/"}))),
        place=pick(range(len(PLACES))),
    )


def settings_of(sound: Sound) -> Settings:
    """As `invoke discover` writes them."""
    copy, place = sound.copy.upper(), PLACES[sound.place]
    form = "RAW.APP.FF" if re.search(r"\bFF\b", copy) else None
    found = {
        **place,
        "stage_url": "s3://snowplow-sandbox/in/",
        "path": "events/",
        "statement": placed(sound.copy, place),
        "file_format": form,
        "format": {"TYPE": "JSON"} if form else {},
        "pattern": ".*[.]gz" if re.search(r"PATTERN =>? ('|\$\$)\.", copy) else "",
    }
    stream = {
        "kind": "bad_rows",
        "prefix": FOLDER,
        "suffix": "",
        "table": "EVENTS",
        "stage": "ST",
        "pipe": "P",
        "sns_topic": TOPIC if sound.announced == "a topic" else None,
        "found": found,
    }
    names = {"database": "RAW", "schema": "APP", "integration": "INT", "owner_role": "SYSADMIN"}
    roles = {"loader_role": sound.owner, "operator_role": sound.owner}
    given = written(made_by="others", streams={"events": stream})
    given["snowflake"] |= names | roles
    return read(given)


def facts_of(sound: Sound, settings: Settings | None = None) -> Known:
    """Everything that can be observed of it, with Snowflake's own answers: it works.

    ``settings``: as they were discovered; else as `invoke discover` would write them.
    """
    settings = settings or settings_of(sound)
    stream = settings.streams[0]
    found = healthy(settings)
    rows = [*POLICIES[sound.policy], *([allow("kms:Decrypt", "*")] if sound.key else [])]
    policies = RolePolicies({"reading": {"Version": "2012-10-17", "Statement": rows}})
    role = a_role(settings, trust={"Version": "2012-10-17", "Statement": TRUSTS[sound.trust]}, tags={})
    rules, bridge = ANNOUNCED[sound.announced]
    found |= {
        "role": role,
        "role_policies": policies,
        "policy": held_policy(role, policies),
        "bucket_policy": {"Statement": BUCKETS[sound.bucket]},
        "notifications": BucketNotifications(_document(rules, bridge=bridge)),
        "bucket_key": sound.key or None,
        "bucket_key_arn": KEY,
        "key": Key(KEY, "Enabled", _key_policy()) if sound.key else None,
        "integration": an_integration(
            settings,
            allowed_locations=("s3://snowplow-sandbox/",),
            blocked_locations=sound.blocked,
        ),
        "entry": Entry(succeeded=True, message=""),
        "reading": Entry(succeeded=True, message=""),
        ("topic", TOPIC): Topic(
            TOPIC, {"Statement": [*PUBLISHING[sound.publishing], SUBSCRIBING]}, frozenset({QUEUE}), {}
        ),
        **_in_snowflake(settings, stream, sound),
    }
    return Known(settings, found)


def _document(rules: list[Row], *, bridge: bool) -> Row:
    found: Row = {"EventBridgeConfiguration": {}} if bridge else {}
    for kind in ("Queue", "Topic"):
        if mine := [each for each in rules if f"{kind}Arn" in each]:
            found[f"{kind}Configurations"] = mine
    return found


def _key_policy() -> Row:
    root = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    return {"Statement": [{"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"}]}


def _in_snowflake(settings: Settings, stream: Stream, sound: Sound) -> dict[Any, Any]:
    keys = [
        f"{FOLDER}{folder}{n}{end}" for n, (folder, end) in enumerate((("a/", ".gz"), ("b/", ".json.gz")))
    ]
    if sound.announced == "by suffix":
        keys = [f"{FOLDER}0.gz", f"{FOLDER}1.gz"]
    moment = NOW - timedelta(days=1)
    size = len(gzip.compress(b"{}"))
    files = tuple(StagedFile(key, size, "0123abcd", moment) for key in keys)
    loads = tuple(Load(key, "LOADED", moment + timedelta(minutes=1), 1, 1, 0, "", "P", size) for key in keys)
    status = {"executionState": "RUNNING", "pendingFileCount": 0}
    ingested = {"lastIngestedTimestamp": moment.isoformat(), "lastIngestedFilePath": keys[-1]}
    grants = frozenset(operator_grants(settings, stream))
    return {
        "roles": frozenset({"ACCOUNTADMIN", "SYSADMIN", sound.owner}),
        _stages(settings, stream): {stream.stage.name: a_stage(settings, stream, url=stream.stage_url)},
        "pipes": {stream.pipe.name: a_pipe(settings, stream, created_on=MADE)},
        ("grants", Identifier("PUBLIC")): grants if sound.held == "as everybody" else frozenset(),
        ("grants", Identifier("READERS")): grants,
        ("grants", Identifier(sound.owner)): {
            "itself": grants,
            "through a role": frozenset({Grant("USAGE", "ROLE", "READERS")}),
            "as owner": frozenset(Grant("OWNERSHIP", grant.on, grant.name) for grant in grants),
            "as everybody": frozenset[Grant](),
        }[sound.held],
        ("format", stream.file_format): FileFormat(
            (stream.found and stream.found.format) or {"TYPE": "JSON"}
        ),
        ("listing", stream.name): Listing(files),
        ("loads", stream.name): loads,
        ("rows", stream.name): TableRows(len(keys), MADE, None),
        ("status", stream.name): PipeStatus({**status, **ingested}),
        ("pause", stream.name): Pause(paused=False, level=""),
    }


def _stages(settings: Settings, stream: Stream) -> Any:
    """By what the facts remember the stages of the schema that has the stream's."""
    schema = f"{stream.stage.database.sql}.{stream.stage.schema.sql}"
    return "stages" if schema == settings.schema_sql else ("stages", schema)
