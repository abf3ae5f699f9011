# ruff: noqa: E501 - one row a case reads better than any wrapping
"""The evaluator against IAM's documented verdicts: one row a case, each with its source."""

from collections.abc import Mapping
from typing import Any

import pytest
from snowpipe_sandbox.aws.iam import Policies, Principal, Request, decide

GUIDE = "https://docs.aws.amazon.com/IAM/latest/UserGuide/"
LOGIC = GUIDE + "reference_policies_evaluation-logic.html"
SINGLE = GUIDE + "reference_policies_evaluation-logic_policy-eval-basics.html"
CROSS = GUIDE + "reference_policies_evaluation-logic-cross-account.html"
DENYALLOW = GUIDE + "reference_policies_evaluation-logic_policy-eval-denyallow.html"
OPERATORS = GUIDE + "reference_policies_elements_condition_operators.html"
SETS = GUIDE + "reference_policies_condition-single-vs-multi-valued-context-keys.html"
ACTION = GUIDE + "reference_policies_elements_action.html"
NOTACTION = GUIDE + "reference_policies_elements_notaction.html"
RESOURCE = GUIDE + "reference_policies_elements_resource.html"
NOTRESOURCE = GUIDE + "reference_policies_elements_notresource.html"
VARIABLES = GUIDE + "reference_policies_variables.html"
PRINCIPAL = GUIDE + "reference_policies_elements_principal.html"
NOTPRINCIPAL = GUIDE + "reference_policies_elements_notprincipal.html"
BOUNDARY = GUIDE + "access_policies_boundaries.html"
SESSION = GUIDE + "access_policies.html#policies_session"
EXTERNAL = GUIDE + "id_roles_create_for-user_externalid.html"
S3KEYS = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html"
WALK = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/walkthrough1.html"
KEYPOLICY = "https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html"
VIASERVICE = "https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html"
S3EVENTS = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html"

ACCOUNT, OTHER = "111122223333", "444455556666"
USER = Principal("user", f"arn:aws:iam::{ACCOUNT}:user/ann", ACCOUNT, "AIDAANN")
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/team/reader"
ROLE = Principal(
    "assumed-role", f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/s1", ACCOUNT, "AROAREADER:s1", ROLE_ARN
)
SNOW = Principal("user", f"arn:aws:iam::{OTHER}:user/snow", OTHER, "AIDASNOW")
S3_SERVICE = Principal("service", "s3.amazonaws.com", "")
ROOT = Principal("root", f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
BUCKET, KEY = "arn:aws:s3:::b", "arn:aws:s3:::b/p/x.gz"
TRUSTED = f"arn:aws:iam::{ACCOUNT}:role/snowflake"


def allow(action: Any = "*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any = "*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


def doc(*statements: Mapping[str, Any], version: str | None = "2012-10-17") -> dict[str, Any]:
    return {"Version": version, "Statement": list(statements)}


def when(operator: str, key: str, value: Any) -> dict[str, Any]:
    return allow(Condition={operator: {key: value}})


GET = Request("s3:GetObject", KEY)
LIST = Request("s3:ListBucket", BUCKET)


def listing(prefix: str | None) -> Request:
    return Request("s3:ListBucket", BUCKET, {} if prefix is None else {"s3:prefix": (prefix,)})


def context(**keys: Any) -> Request:
    return Request("s3:GetObject", KEY, {name.replace("__", ":"): value for name, value in keys.items()})


# source, what it shows, statements of the identity policy, request, allowed
IDENTITY: list[tuple[str, str, list[dict[str, Any]], Request, bool]] = [
    (LOGIC, "no statement is an implicit deny", [], GET, False),
    (LOGIC, "an allow allows", [allow("s3:GetObject", KEY)], GET, True),
    (LOGIC, "an explicit deny beats an allow", [allow(), deny("s3:GetObject")], GET, False),
    (LOGIC, "a deny elsewhere does not matter", [allow(), deny("s3:PutObject")], GET, True),
    (ACTION, "actions ignore case", [allow("S3:getobject")], GET, True),
    (ACTION, "a star in an action", [allow("s3:Get*")], GET, True),
    (ACTION, "a star in another action", [allow("s3:Put*")], GET, False),
    (ACTION, "a question mark is one character", [allow("s3:GetObjec?")], GET, True),
    (ACTION, "GetObject is not GetObjectVersion", [allow("s3:GetObject")], Request("s3:GetObjectVersion", KEY), False),
    (ACTION, "a list of actions is an or", [allow(["s3:PutObject", "s3:GetObject"])], GET, True),
    (ACTION, "the service is part of the action", [allow("sqs:*")], GET, False),
    (NOTACTION, "NotAction allows the rest", [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], GET, True),
    (NOTACTION, "NotAction leaves out what it names", [{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}], GET, False),
    (RESOURCE, "a star crosses slashes", [allow("*", "arn:aws:s3:::b/*")], GET, True),
    (RESOURCE, "a bucket is not its objects", [allow("*", BUCKET)], GET, False),
    (RESOURCE, "objects are not their bucket", [allow("*", "arn:aws:s3:::b/*")], LIST, False),
    (RESOURCE, "resources mind case", [allow("*", "arn:aws:s3:::B/*")], GET, False),
    (RESOURCE, "a dot is a dot", [allow("*", "arn:aws:s3:::a.b/*")], Request("s3:GetObject", "arn:aws:s3:::axb/k"), False),
    (RESOURCE, "plus and brackets are themselves", [allow("*", "arn:aws:s3:::b/a+(1).gz")], Request("s3:GetObject", "arn:aws:s3:::b/a+(1).gz"), True),
    (RESOURCE, "a question mark in a resource", [allow("*", "arn:aws:s3:::b/p/?.gz")], GET, True),
    (RESOURCE, "a prefix without slash takes its namesakes", [allow("*", "arn:aws:s3:::b/p*")], Request("s3:GetObject", "arn:aws:s3:::b/p_secret/x"), True),
    (RESOURCE, "a prefix with slash does not", [allow("*", "arn:aws:s3:::b/p/*")], Request("s3:GetObject", "arn:aws:s3:::b/p_secret/x"), False),
    (RESOURCE, "another partition is another resource", [allow("*", "arn:aws-cn:s3:::b/*")], GET, False),
    (RESOURCE, "a star within a segment stays in it", [allow("*", "arn:aws:iam::1*3:role/x")], Request("s3:GetObject", "arn:aws:iam::1:2:3:role/x"), False),
    (RESOURCE, "a star ending a segment reaches over colons", [allow("*", "arn:aws:sqs:*")], Request("s3:GetObject", "arn:aws:sqs:eu-west-1:1:q"), True),
    (NOTRESOURCE, "NotResource allows the rest", [{"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::c/*"}], GET, True),
    (NOTRESOURCE, "NotResource leaves out what it names", [{"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::b/*"}], GET, False),
    (S3KEYS, "prefix/* lists below the prefix", [when("StringLike", "s3:prefix", ["p/*"])], listing("p/x/"), True),
    (S3KEYS, "prefix/* lists the prefix itself", [when("StringLike", "s3:prefix", ["p/*"])], listing("p/"), True),
    (S3KEYS, "prefix/* does not list without the slash", [when("StringLike", "s3:prefix", ["p/*"])], listing("p"), False),
    (S3KEYS, "prefix/* does not list the empty prefix", [when("StringLike", "s3:prefix", ["p/*"])], listing(""), False),
    (OPERATORS, "an absent key fails StringLike *", [when("StringLike", "s3:prefix", "*")], listing(None), False),
    (WALK, "GetBucketLocation has no s3:prefix", [when("StringLike", "s3:prefix", "p/*")], Request("s3:GetBucketLocation", BUCKET), False),
    (OPERATORS, "IfExists forgives an absent key", [when("StringLikeIfExists", "s3:prefix", "p/*")], listing(None), True),
    (OPERATORS, "IfExists judges a present key", [when("StringLikeIfExists", "s3:prefix", "p/*")], listing("q/"), False),
    (OPERATORS, "a negated operator holds for an absent key", [when("StringNotLike", "s3:prefix", "p/*")], listing(None), True),
    (WALK, "Deny StringNotLike denies other calls too", [allow(), deny("s3:*", Condition={"StringNotLike": {"s3:prefix": "p/*"}})], GET, False),
    (OPERATORS, "Null false with it spares them", [allow(), deny("s3:*", Condition={"StringNotLike": {"s3:prefix": "p/*"}, "Null": {"s3:prefix": "false"}})], GET, True),
    (OPERATORS, "Null true wants absence", [when("Null", "s3:prefix", "true")], listing("p/"), False),
    (OPERATORS, "Null true holds for absence", [when("Null", "s3:prefix", "true")], listing(None), True),
    (OPERATORS, "StringEquals minds case", [when("StringEquals", "aws:username", "ann")], context(aws__username=("Ann",)), False),
    (OPERATORS, "StringEquals takes no wildcard", [when("StringEquals", "aws:username", "a*")], context(aws__username=("ann",)), False),
    (OPERATORS, "StringEqualsIgnoreCase does not mind case", [when("StringEqualsIgnoreCase", "aws:username", "ANN")], context(aws__username=("ann",)), True),
    (OPERATORS, "StringNotEqualsIgnoreCase", [when("StringNotEqualsIgnoreCase", "aws:username", "ANN")], context(aws__username=("ann",)), False),
    (OPERATORS, "condition keys ignore case", [when("StringEquals", "AWS:UserName", "ann")], context(aws__username=("ann",)), True),
    (OPERATORS, "values of a key are an or", [when("StringEquals", "aws:username", ["bob", "ann"])], context(aws__username=("ann",)), True),
    (OPERATORS, "negated values are a nor", [when("StringNotEquals", "aws:username", ["bob", "ann"])], context(aws__username=("ann",)), False),
    (OPERATORS, "keys of a block are an and", [allow(Condition={"StringEquals": {"aws:username": "ann", "aws:x": "1"}})], context(aws__username=("ann",)), False),
    (OPERATORS, "operators of a block are an and", [allow(Condition={"StringEquals": {"aws:username": "ann"}, "Bool": {"aws:x": "true"}})], context(aws__username=("ann",), aws__x=("false",)), False),
    (OPERATORS, "NumericLessThanEquals", [when("NumericLessThanEquals", "s3:max-keys", "10")], context(**{"s3__max-keys": ("10",)}), True),
    (OPERATORS, "NumericGreaterThan", [when("NumericGreaterThan", "s3:max-keys", 10)], context(**{"s3__max-keys": ("10",)}), False),
    (OPERATORS, "NumericEquals compares numbers", [when("NumericEquals", "s3:max-keys", "10")], context(**{"s3__max-keys": ("10.0",)}), True),
    (OPERATORS, "a number that is none fails", [when("NumericEquals", "s3:max-keys", "10")], context(**{"s3__max-keys": ("ten",)}), False),
    (OPERATORS, "DateLessThan", [when("DateLessThan", "aws:CurrentTime", "2026-12-01T00:00:00Z")], context(aws__currenttime=("2026-11-23T00:00:00Z",)), True),
    (OPERATORS, "DateGreaterThan with epoch seconds", [when("DateGreaterThan", "aws:EpochTime", "1700000000")], context(aws__epochtime=("1600000000",)), False),
    (OPERATORS, "Bool", [when("Bool", "aws:SecureTransport", "true")], context(aws__securetransport=("true",)), True),
    (OPERATORS, "Bool given as JSON", [when("Bool", "aws:SecureTransport", False)], context(aws__securetransport=("true",)), False),
    (OPERATORS, "BoolIfExists forgives absence", [when("BoolIfExists", "aws:MultiFactorAuthPresent", "true")], GET, True),
    (OPERATORS, "IpAddress in a network", [when("IpAddress", "aws:SourceIp", "203.0.113.0/24")], context(aws__sourceip=("203.0.113.9",)), True),
    (OPERATORS, "IpAddress outside it", [when("IpAddress", "aws:SourceIp", "203.0.113.0/24")], context(aws__sourceip=("198.51.100.9",)), False),
    (OPERATORS, "NotIpAddress", [when("NotIpAddress", "aws:SourceIp", "203.0.113.0/24")], context(aws__sourceip=("203.0.113.9",)), False),
    (OPERATORS, "BinaryEquals", [when("BinaryEquals", "x:data", "QmluYXJ5")], context(x__data=("QmluYXJ5",)), True),
    (OPERATORS, "ArnLike with a star in a segment", [when("ArnLike", "aws:SourceArn", "arn:aws:s3:*:*:b")], context(aws__sourcearn=("arn:aws:s3:::b",)), True),
    (OPERATORS, "ArnEquals is ArnLike", [when("ArnEquals", "aws:SourceArn", "arn:aws:s3:::b*")], context(aws__sourcearn=("arn:aws:s3:::bucket",)), True),
    (OPERATORS, "ArnNotLike", [when("ArnNotLike", "aws:SourceArn", "arn:aws:s3:::b*")], context(aws__sourcearn=("arn:aws:s3:::bucket",)), False),
    (SETS, "ForAnyValue: one of them", [when("ForAnyValue:StringEquals", "aws:TagKeys", ["Env"])], context(aws__tagkeys=("Env", "Owner")), True),
    (SETS, "ForAllValues: all of them", [when("ForAllValues:StringEquals", "aws:TagKeys", ["Env"])], context(aws__tagkeys=("Env", "Owner")), False),
    (SETS, "ForAllValues of none is true", [when("ForAllValues:StringEquals", "aws:TagKeys", ["Env"])], GET, True),
    (SETS, "ForAnyValue of none is false", [when("ForAnyValue:StringEquals", "aws:TagKeys", ["Env"])], GET, False),
    (VARIABLES, "a variable in a resource", [allow("*", "arn:aws:s3:::b/${aws:username}/*")], Request("s3:GetObject", "arn:aws:s3:::b/ann/x", {"aws:username": ("ann",)}), True),
    (VARIABLES, "a variable of somebody else", [allow("*", "arn:aws:s3:::b/${aws:username}/*")], Request("s3:GetObject", "arn:aws:s3:::b/bob/x", {"aws:username": ("ann",)}), False),
    (VARIABLES, "a variable without a value matches nothing", [allow("*", "arn:aws:s3:::b/${aws:username}*")], GET, False),
    (VARIABLES, "a variable with a default", [allow("*", "arn:aws:s3:::b/${aws:username, 'p'}/*")], GET, True),
    (VARIABLES, "${*} is a star, not a wildcard", [allow("*", "arn:aws:s3:::b/p/${*}")], GET, False),
    (VARIABLES, "a variable's value is no pattern", [allow("*", "arn:aws:s3:::b/${aws:username}")], Request("s3:GetObject", "arn:aws:s3:::b/ann", {"aws:username": ("*",)}), False),
    (VARIABLES, "a variable in a condition", [when("StringLike", "s3:prefix", "${aws:username}/*")], Request("s3:ListBucket", BUCKET, {"aws:username": ("ann",), "s3:prefix": ("ann/",)}), True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "shows", "statements", "request_", "allowed"), IDENTITY, ids=[row[1] for row in IDENTITY]
)
def test_identity_policy(
    source: str, shows: str, statements: list[dict[str, Any]], request_: Request, allowed: bool
) -> None:
    decision = decide(USER, request_, Policies(identity=[doc(*statements)]), ACCOUNT)
    assert decision.allowed is allowed, (shows, source)


def test_variables_are_text_in_a_2008_policy() -> None:
    """An old policy takes ${aws:username} literally. Source: VARIABLES."""
    old = doc(allow("*", "arn:aws:s3:::b/${aws:username}/*"), version="2008-10-17")
    request = Request("s3:GetObject", "arn:aws:s3:::b/ann/x", {"aws:username": ("ann",)})
    assert not decide(USER, request, Policies(identity=[old]), ACCOUNT).allowed


ALL = doc(allow())
NONE = doc(allow("ec2:*"))


def names(principal: Any, effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return doc({"Effect": effect, "Principal": principal, "Action": "*", "Resource": "*", **more})


def aws(arn: str) -> dict[str, str]:
    return {"AWS": arn}


# source, what it shows, who, identity, resource policy, boundary, session, resource's account, allowed
SIDES: list[tuple[str, str, Principal, Any, Any, Any, Any, str, bool]] = [
    (SINGLE, "same account: identity alone", USER, ALL, None, None, None, ACCOUNT, True),
    (SINGLE, "same account: resource policy naming the user alone", USER, NONE, names(aws(USER.arn)), None, None, ACCOUNT, True),
    (SINGLE, "same account: resource policy naming the account delegates", USER, NONE, names(aws(ACCOUNT)), None, None, ACCOUNT, False),
    (PRINCIPAL, "account id and root ARN are the same", USER, NONE, names(aws(f"arn:aws:iam::{ACCOUNT}:root")), None, None, ACCOUNT, False),
    (SINGLE, "same account: everyone", USER, NONE, names("*"), None, None, ACCOUNT, True),
    (SINGLE, "same account: a deny in the resource policy", USER, ALL, names("*", "Deny"), None, None, ACCOUNT, False),
    (PRINCIPAL, "a deny for the account reaches its users", USER, ALL, names(aws(ACCOUNT), "Deny"), None, None, ACCOUNT, False),
    (PRINCIPAL, "a deny for somebody else does not", USER, ALL, names(aws(SNOW.arn), "Deny"), None, None, ACCOUNT, True),
    (PRINCIPAL, "no part of a principal ARN is a wildcard", USER, NONE, names(aws(f"arn:aws:iam::{ACCOUNT}:user/*")), None, None, ACCOUNT, False),
    (PRINCIPAL, "a user's name is not a prefix", Principal("user", f"arn:aws:iam::{ACCOUNT}:user/anna", ACCOUNT, "AIDAX"), NONE, names(aws(USER.arn)), None, None, ACCOUNT, False),
    (PRINCIPAL, "a unique id names the user", USER, NONE, names(aws("AIDAANN")), None, None, ACCOUNT, True),
    (PRINCIPAL, "another user's unique id does not", USER, NONE, names(aws("AIDAOLD")), None, None, ACCOUNT, False),
    (PRINCIPAL, "a role's ARN names its sessions", ROLE, NONE, names(aws(ROLE_ARN)), None, None, ACCOUNT, True),
    (PRINCIPAL, "a session's ARN names the session", ROLE, NONE, names(aws(ROLE.arn)), None, None, ACCOUNT, True),
    (NOTPRINCIPAL, "Deny with NotPrincipal spares whom it names", USER, ALL, doc({"Effect": "Deny", "NotPrincipal": aws(USER.arn), "Action": "*", "Resource": "*"}), None, None, ACCOUNT, True),
    (NOTPRINCIPAL, "and denies the rest", ROLE, ALL, doc({"Effect": "Deny", "NotPrincipal": aws(USER.arn), "Action": "*", "Resource": "*"}), None, None, ACCOUNT, False),
    (CROSS, "cross-account: identity alone is not enough", SNOW, ALL, None, None, None, ACCOUNT, False),
    (CROSS, "cross-account: resource policy alone is not enough", SNOW, NONE, names(aws(SNOW.arn)), None, None, ACCOUNT, False),
    (CROSS, "cross-account: both", SNOW, ALL, names(aws(SNOW.arn)), None, None, ACCOUNT, True),
    (CROSS, "cross-account: both, by account", SNOW, ALL, names(aws(OTHER)), None, None, ACCOUNT, True),
    (BOUNDARY, "a boundary grants nothing", USER, NONE, None, ALL, None, ACCOUNT, False),
    (BOUNDARY, "a boundary limits the identity policy", USER, ALL, None, NONE, None, ACCOUNT, False),
    (BOUNDARY, "both allow", USER, ALL, None, ALL, None, ACCOUNT, True),
    (BOUNDARY, "a deny in the boundary", USER, ALL, None, doc(allow(), deny("s3:GetObject")), None, ACCOUNT, False),
    (DENYALLOW, "a resource policy naming the user passes by the boundary", USER, NONE, names(aws(USER.arn)), NONE, None, ACCOUNT, True),
    (DENYALLOW, "one naming the role does not", ROLE, NONE, names(aws(ROLE_ARN)), NONE, None, ACCOUNT, False),
    (DENYALLOW, "one naming the session does", ROLE, NONE, names(aws(ROLE.arn)), NONE, None, ACCOUNT, True),
    (SESSION, "a session policy limits", ROLE, ALL, None, None, [NONE], ACCOUNT, False),
    (SESSION, "a session policy grants nothing", ROLE, NONE, None, None, [ALL], ACCOUNT, False),
    (SESSION, "session and identity policy allow", ROLE, ALL, None, None, [ALL], ACCOUNT, True),
    (SESSION, "no session policy is no limit", ROLE, ALL, None, None, None, ACCOUNT, True),
    (DENYALLOW, "the root user may all in its account", ROOT, doc(), None, None, None, ACCOUNT, True),
    (S3EVENTS, "a service needs the resource policy", S3_SERVICE, doc(), None, None, None, ACCOUNT, False),
    (S3EVENTS, "a service that is named", S3_SERVICE, doc(), names({"Service": "s3.amazonaws.com"}), None, None, ACCOUNT, True),
    (S3EVENTS, "another service", S3_SERVICE, doc(), names({"Service": "sns.amazonaws.com"}), None, None, ACCOUNT, False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "shows", "who", "identity", "resource", "boundary", "session", "account", "allowed"),
    SIDES,
    ids=[row[1] for row in SIDES],
)
def test_policy_types_together(
    source: str,
    shows: str,
    who: Principal,
    identity: Any,
    resource: Any,
    boundary: Any,
    session: Any,
    account: str,
    allowed: bool,
) -> None:
    policies = Policies([identity], boundary, session, resource)
    assert decide(who, GET, policies, account).allowed is allowed, (shows, source)


def trust(
    principal: Any, *, external_id: Any = None, operator: str = "StringEquals", effect: str = "Allow"
) -> dict[str, Any]:
    statement = {"Effect": effect, "Principal": principal, "Action": "sts:AssumeRole"}
    if external_id is not None:
        statement["Condition"] = {operator: {"sts:ExternalId": external_id}}
    return doc(statement)


SNOWS = aws(SNOW.arn)
# source, what it shows, who, identity, trust, external id given, allowed
TRUSTS: list[tuple[str, str, Principal, Any, Any, str | None, bool]] = [
    (EXTERNAL, "right user and external id", SNOW, ALL, trust(SNOWS, external_id="x"), "x", True),
    (EXTERNAL, "wrong external id", SNOW, ALL, trust(SNOWS, external_id="x"), "y", False),
    (EXTERNAL, "missing external id", SNOW, ALL, trust(SNOWS, external_id="x"), None, False),
    (EXTERNAL, "external ids mind case", SNOW, ALL, trust(SNOWS, external_id="x"), "X", False),
    (EXTERNAL, "one of several external ids", SNOW, ALL, trust(SNOWS, external_id=["w", "x"]), "x", True),
    (EXTERNAL, "no condition: any external id", SNOW, ALL, trust(SNOWS), "y", True),
    (OPERATORS, "StringLike takes a pattern", SNOW, ALL, trust(SNOWS, external_id="x*", operator="StringLike"), "xyz", True),
    (PRINCIPAL, "another user of the account", Principal("user", f"arn:aws:iam::{OTHER}:user/s2", OTHER, "AIDA2"), ALL, trust(SNOWS), None, False),
    (PRINCIPAL, "a user recreated under the name has another id", SNOW, ALL, trust(aws("AIDAGONE")), None, False),
    (CROSS, "cross-account also needs the caller's own policy", SNOW, NONE, trust(SNOWS), None, False),
    (SINGLE, "same account: a trust naming the user is enough", USER, NONE, trust(aws(USER.arn)), None, True),
    (SINGLE, "same account: a trust naming the account is not", USER, NONE, trust(aws(ACCOUNT)), None, False),
    (SINGLE, "same account: with the caller's own policy it is", USER, ALL, trust(aws(ACCOUNT)), None, True),
    (SINGLE, "an identity policy without the trust is nothing", USER, ALL, trust(SNOWS), None, False),
    (LOGIC, "a deny in the trust", SNOW, ALL, doc(*trust(SNOWS)["Statement"], *trust(SNOWS, effect="Deny")["Statement"]), None, False),
    (PRINCIPAL, "a trust in everyone", SNOW, ALL, trust("*", external_id="x"), "x", True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "shows", "who", "identity", "policy", "external_id", "allowed"),
    TRUSTS,
    ids=[r[1] for r in TRUSTS],
)
def test_trust_policy(
    source: str,
    shows: str,
    who: Principal,
    identity: Any,
    policy: Any,
    external_id: str | None,
    allowed: bool,
) -> None:
    given = {} if external_id is None else {"sts:externalid": (external_id,)}
    request = Request("sts:AssumeRole", TRUSTED, given)
    policies = Policies([identity], resource=policy, resource_policy_decides=True)
    assert decide(who, request, policies, ACCOUNT).allowed is allowed, (shows, source)


VIA = {"kms:viaservice": ("s3.us-west-2.amazonaws.com",)}
VIA_S3 = {"StringEquals": {"kms:ViaService": "s3.us-west-2.amazonaws.com"}}
DEFAULT_KEY_POLICY = names(aws(f"arn:aws:iam::{ACCOUNT}:root"))
# source, what it shows, identity, key policy, context, allowed
KEYS: list[tuple[str, str, Any, Any, dict[str, Any], bool]] = [
    (KEYPOLICY, "the default key policy hands over to identity policies", ALL, DEFAULT_KEY_POLICY, {}, True),
    (KEYPOLICY, "and they must allow", NONE, DEFAULT_KEY_POLICY, {}, False),
    (KEYPOLICY, "without a word for the account they count for nothing", ALL, names(aws(SNOW.arn)), {}, False),
    (KEYPOLICY, "a key policy naming the role is enough", NONE, names(aws(ROLE_ARN)), {}, True),
    (VIASERVICE, "through S3", doc(allow("kms:Decrypt", Condition=VIA_S3)), DEFAULT_KEY_POLICY, VIA, True),
    (VIASERVICE, "not through S3", doc(allow("kms:Decrypt", Condition=VIA_S3)), DEFAULT_KEY_POLICY, {}, False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "shows", "identity", "policy", "given", "allowed"), KEYS, ids=[r[1] for r in KEYS]
)
def test_key_policy(
    source: str, shows: str, identity: Any, policy: Any, given: dict[str, Any], allowed: bool
) -> None:
    request = Request("kms:Decrypt", f"arn:aws:kms:us-west-2:{ACCOUNT}:key/k", given)
    policies = Policies([identity], resource=policy, resource_policy_decides=True)
    assert decide(ROLE, request, policies, ACCOUNT).allowed is allowed, (shows, source)


@pytest.mark.parametrize(
    ("policies", "why"),
    [
        (Policies(), "because no identity-based policy allows the s3:GetObject action"),
        (Policies([ALL], boundary=NONE), "because no permissions boundary allows the s3:GetObject action"),
        (Policies([ALL], session=[NONE]), "because no session policy allows the s3:GetObject action"),
        (Policies([doc(deny())]), "with an explicit deny in an identity-based policy"),
        (Policies([ALL], resource=names("*", "Deny")), "with an explicit deny in a resource-based policy"),
    ],
)
def test_a_denial_says_which_policy(policies: Policies, why: str) -> None:
    """Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html."""
    assert decide(USER, GET, policies, ACCOUNT).why == why
