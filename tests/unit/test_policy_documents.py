"""Policy documents by meaning: equal ones, what they allow, whom they let in."""

# ruff: noqa: E501 (a truth table has one row a line)

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.policies.access import (
    NEEDED,
    WELCOME,
    excessive,
    external_ids,
    is_open,
    letting_in,
    open_to_others,
    trust_denies,
    unreadable,
    without_external_id,
)
from runbook.policies.dead_rules import UNVALIDATED, of_others_alone
from runbook.policies.documents import as_document, as_list, canonical, same, statements, text
from runbook.policies.held import TRUST_SID, ids_asked_for
from runbook.policies.judging import Asked, conditions, judged, principal, takes
from runbook.settings import read
from runbook.wanted.permissions import permissions
from runbook.wanted.trust import closed_trust, nobody, ours
from tests.unit.conftest import written
from tests.unit.observed import EXTERNAL_ID, SNOWFLAKES_USER, integration, role

WORDS = ["s3:GetObject", "s3:ListBucket", "s3:*", "arn:aws:s3:::b/*", "arn:aws:s3:::b", "*"]
some = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3, unique=True)
condition = st.dictionaries(
    st.sampled_from(["StringEquals", "StringLike", "Bool"]),
    st.dictionaries(
        st.sampled_from(["s3:prefix", "sts:ExternalId", "aws:SecureTransport"]), some, min_size=1
    ),
    min_size=1,
)
statement = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"]), "Action": some, "Resource": some},
    optional={
        "Sid": st.text("abc", min_size=1),
        "Principal": st.one_of(
            st.just("*"), st.dictionaries(st.sampled_from(["AWS", "Service"]), some, min_size=1)
        ),
        "Condition": condition,
    },
)
document = st.builds(
    lambda rows: {"Version": "2012-10-17", "Statement": rows}, st.lists(statement, min_size=1, max_size=4)
)


def shuffled(draw, rows):
    return draw(st.permutations(rows))


def rewritten(draw, value):
    """The same document as somebody else would write it: other order, scalars for lists of one."""
    if isinstance(value, dict):
        return {key: rewritten(draw, value[key]) for key in shuffled(draw, list(value))}
    if isinstance(value, list):
        rows = [rewritten(draw, row) for row in shuffled(draw, value)]
        return rows[0] if len(rows) == 1 and draw(st.booleans()) else rows
    return value


@st.composite
def twins(draw):
    one = draw(document)
    return one, rewritten(draw, one)


@given(twins())
def test_order_and_lists_of_one_make_no_difference(pair):
    one, other = pair
    assert same(one, other)
    assert text(canonical(one)) == text(canonical(other))


@given(document, st.sampled_from(["Effect", "Action", "Resource"]))
def test_another_statement_or_another_word_makes_a_difference(one, key):
    extra = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}
    assert not same(one, {**one, "Statement": [*one["Statement"], extra]})
    first = {**one["Statement"][0], key: "something else"}
    assert not same(one, {**one, "Statement": [first, *one["Statement"][1:]]})


def test_a_boolean_is_the_word_for_it():
    def demand(value):
        row = {
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": {"Bool": {"aws:SecureTransport": value}},
        }
        return {"Version": "2012-10-17", "Statement": row}

    assert same(demand(False), demand("false"))
    assert not same(demand(False), demand("true"))


def test_the_text_of_a_document_is_ascii_for_iam():
    """IAM stores nothing beyond U+00FF raw; JSON's escapes mean the same."""
    written_out = text({"Resource": "arn:aws:s3:::b/日本/*"})
    assert written_out.isascii()
    assert json.loads(written_out) == {"Resource": "arn:aws:s3:::b/日本/*"}


@pytest.mark.parametrize(
    ("value", "rows"),
    [(None, []), ("a", ["a"]), (["a"], ["a"]), (("a", "b"), ["a", "b"]), ([], []), ("", [""])],
)
def test_a_scalar_is_a_list_of_one(value, rows):
    assert as_list(value) == rows


def test_statements_are_always_a_list():
    assert statements({"Statement": {"Effect": "Allow"}}) == [{"Effect": "Allow"}]
    assert statements({}) == []


# ---- what a permissions policy allows


def document_of(*rows):
    return {"Version": "2012-10-17", "Statement": list(rows)}


def allow(action, resource, **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action, resource, **more):
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


B = "arn:aws:s3:::b"
KEY = f"{B}/stream/x.gz"
UNDER = {"s3:prefix": "stream/"}
NO_PREFIX = {"s3:prefix": None}
TLS = {"aws:securetransport": "true"}


def liking(*prefixes):
    return {"Condition": {"StringLike": {"s3:prefix": list(prefixes)}}}


@pytest.mark.parametrize(
    ("rows", "action", "resource", "context", "answer"),
    [
        ([], "s3:GetObject", KEY, {}, False),
        ([allow("s3:GetObject", KEY)], "s3:GetObject", KEY, {}, True),
        ([allow("s3:getobject", KEY)], "s3:GetObject", KEY, {}, True),
        ([allow("s3:Get*", f"{B}/*")], "s3:GetObject", KEY, {}, True),
        ([allow("s3:GetObject?ersion", f"{B}/*")], "s3:GetObjectVersion", KEY, {}, True),
        ([allow("*", "*")], "s3:GetObject", KEY, {}, True),
        ([allow("s3:GetObject", f"{B}/STREAM/*")], "s3:GetObject", KEY, {}, False),
        ([allow("s3:GetObject", f"{B}/[s]tream/*")], "s3:GetObject", KEY, {}, False),
        ([allow("s3:GetObject", f"{B}/[s]/*")], "s3:GetObject", f"{B}/[s]/x", {}, True),
        ([allow("s3:GetObject", f"{B}")], "s3:GetObject", KEY, {}, False),
        ([allow(["s3:GetObject", "x:Y"], ["*", B])], "s3:GetObject", KEY, {}, True),
        # an explicit Deny wins, wherever it stands
        ([allow("*", "*"), deny("s3:GetObject", KEY)], "s3:GetObject", KEY, {}, False),
        ([deny("s3:GetObject", KEY), allow("*", "*")], "s3:GetObject", KEY, {}, False),
        ([allow("*", "*"), deny("s3:PutObject", "*")], "s3:GetObject", KEY, {}, True),
        ([allow("*", "*"), deny("*", "arn:aws:s3:::other/*")], "s3:GetObject", KEY, {}, True),
        # s3:prefix
        ([allow("s3:ListBucket", B, **liking("stream/*"))], "s3:ListBucket", B, UNDER, True),
        ([allow("s3:ListBucket", B, **liking("other/*"))], "s3:ListBucket", B, UNDER, False),
        ([allow("s3:ListBucket", B, **liking("stream/*"))], "s3:ListBucket", B, {"s3:prefix": "stream"}, False),
        ([allow("s3:ListBucket", B, **liking("*"))], "s3:ListBucket", B, {"s3:prefix": ""}, True),
        ([allow("s3:ListBucket", B, Condition={"StringEquals": {"S3:Prefix": "stream/"}})], "s3:ListBucket", B, UNDER, True),
        ([allow("s3:ListBucket", B, Condition={"StringEquals": {"s3:prefix": "stream/*"}})], "s3:ListBucket", B, UNDER, False),
        # the trap of the published sample: a key the request has not makes a positive operator false
        ([allow(["s3:ListBucket", "s3:GetBucketLocation"], B, **liking("*"))], "s3:GetBucketLocation", B, NO_PREFIX, False),
        # both conditions must hold
        ([allow("s3:ListBucket", B, Condition={"StringLike": {"s3:prefix": "other/*"}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})], "s3:ListBucket", B, UNDER, False),
        ([allow("s3:ListBucket", B, Condition={"StringLike": {"s3:prefix": "stream/*"}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})], "s3:ListBucket", B, UNDER, None),
        # what only AWS knows neither grants nor denies
        ([allow("s3:GetObject", "*", Condition={"Bool": {"aws:SecureTransport": "true"}})], "s3:GetObject", KEY, {}, None),
        ([allow("s3:GetObject", "*", Condition={"Bool": {"aws:SecureTransport": "true"}})], "s3:GetObject", KEY, TLS, True),
        ([allow("*", "*"), deny("*", "*", Condition={"Bool": {"aws:SecureTransport": "false"}})], "s3:GetObject", KEY, TLS, True),
        ([allow("*", "*"), deny("*", "*", Condition={"Bool": {"aws:SecureTransport": False}})], "s3:GetObject", KEY, TLS, True),
        ([allow("*", "*"), deny("*", "*", Condition={"StringNotEquals": {"aws:SourceVpce": "vpce-1"}})], "s3:GetObject", KEY, TLS, None),
        ([allow("*", "*"), deny("*", "*", Condition={"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}, "Bool": {"aws:SecureTransport": "false"}})], "s3:GetObject", KEY, TLS, True),
        ([allow("s3:GetObject", "*", Condition={"DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}})], "s3:GetObject", KEY, TLS, None),
        ([allow("*", "*"), allow("s3:GetObject", "*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})], "s3:GetObject", KEY, {}, True),
        ([deny("*", "*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})], "s3:GetObject", KEY, {}, False),
        # operators and keys by their case, IfExists, quantifiers, Null, variables
        ([allow("s3:ListBucket", B, Condition={"stringlike": {"s3:prefix": "stream/*"}})], "s3:ListBucket", B, UNDER, True),
        ([allow("s3:ListBucket", B, Condition={"StringLikeIfExists": {"s3:prefix": "stream/*"}})], "s3:ListBucket", B, UNDER, True),
        ([allow("s3:ListBucket", B, Condition={"StringLikeIfExists": {"s3:prefix": "other/*"}})], "s3:ListBucket", B, UNDER, False),
        ([allow("s3:GetBucketLocation", B, Condition={"StringLikeIfExists": {"s3:prefix": "other/*"}})], "s3:GetBucketLocation", B, NO_PREFIX, True),
        ([allow("s3:ListBucket", B, Condition={"ForAnyValue:StringLike": {"s3:prefix": "stream/*"}})], "s3:ListBucket", B, UNDER, True),
        ([allow("s3:GetBucketLocation", B, Condition={"ForAnyValue:StringNotLike": {"s3:prefix": "x"}})], "s3:GetBucketLocation", B, NO_PREFIX, False),
        ([allow("s3:GetBucketLocation", B, Condition={"ForAllValues:StringLike": {"s3:prefix": "x"}})], "s3:GetBucketLocation", B, NO_PREFIX, True),
        ([allow("s3:GetBucketLocation", B, Condition={"StringNotLike": {"s3:prefix": "x"}})], "s3:GetBucketLocation", B, NO_PREFIX, True),
        ([allow("*", "*"), deny("*", "*", Condition={"StringNotLike": {"s3:prefix": "x"}, "Null": {"s3:prefix": "false"}})], "s3:GetObject", KEY, NO_PREFIX, True),
        ([allow("s3:ListBucket", B, Condition={"NumericLessThanEquals": {"s3:max-keys": "1000"}})], "s3:ListBucket", B, UNDER, None),
        ([allow("s3:GetObject", "arn:aws:s3:::${aws:PrincipalTag/bucket}/*")], "s3:GetObject", KEY, {}, None),
        ([allow("s3:GetObject", "arn:aws:s3:::b/${aws:PrincipalAccount}/*")], "s3:GetObject", f"{B}/1/x", {"aws:principalaccount": "1"}, True),
        ([allow("s3:GetObject", "arn:aws:s3:::b/${*}/*")], "s3:GetObject", f"{B}/*/x", {}, True),
        ([allow("s3:GetObject", "arn:aws:s3:::b/${*}/*")], "s3:GetObject", f"{B}/y/x", {}, False),
        ([allow("s3:ListBucket", B, Condition={"StringEquals": {"s3:prefix": "*"}})], "s3:ListBucket", B, UNDER, False),
        ([allow("*", "*"), deny("s3:ListBucket", B, Condition={"StringNotLike": {"s3:prefix": "x/*"}})], "s3:ListBucket", B, UNDER, False),
        ([allow("*", "*"), deny("s3:ListBucket", B, **liking("secret/*"))], "s3:ListBucket", B, UNDER, True),
        # NotAction, NotResource: everything but these
        ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], "s3:GetObject", KEY, {}, True),
        ([{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}], "s3:GetObject", KEY, {}, False),
        ([{"Effect": "Allow", "Action": "s3:*", "NotResource": f"{B}/secret/*"}], "s3:GetObject", KEY, {}, True),
        ([allow("*", "*"), {"Effect": "Deny", "NotAction": "s3:ListBucket", "Resource": "*"}], "s3:GetObject", KEY, {}, False),
        ([allow("*", "*"), {"Effect": "Deny", "NotAction": "s3:Get*", "Resource": "*"}], "s3:GetObject", KEY, {}, True),
        ([allow("*", "*"), {"Effect": "Deny", "Action": "*", "NotResource": f"{B}/other/*"}], "s3:GetObject", KEY, {}, False),
        ([allow("*", "*"), {"Effect": "Deny", "Action": "*", "NotResource": f"{B}/*"}], "s3:GetObject", KEY, {}, True),
    ],
)  # fmt: skip
def test_whether_a_document_allows_a_request(rows, action, resource, context, answer):
    assert judged(document_of(*rows), Asked(action, resource, context)) is answer


@pytest.mark.parametrize("region", ["us-west-2", "cn-north-1", "us-gov-west-1"])
@pytest.mark.parametrize("encrypted", [False, True])
def test_our_own_policy_reads_everything_and_nothing_else(region, encrypted):
    partition = {"cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov"}.get(region, "aws")
    key = f"arn:{partition}:kms:{region}:111122223333:key/k" if encrypted else None
    settings = read(written(aws__region=region, aws__kms_key_arn=key))
    assert unreadable(permissions(settings), settings) == []


@pytest.mark.parametrize("part", ["2026*", "2026-01-31/*", "*/part*", "run=*"])
def test_a_policy_that_reads_a_part_of_a_folder_is_not_enough(settings, part):
    narrow = json.loads(json.dumps(permissions(settings)).replace('/*"', f'/{part}"'))
    assert any("s3:GetObject on" in row for row in unreadable(narrow, settings))
    assert excessive(permissions(settings), settings) == []


def without(settings, sid):
    rows = permissions(settings)["Statement"]
    return document_of(*(row for row in rows if row["Sid"] != sid))


def test_what_is_missing_is_named_by_action_and_place(settings):
    b = "arn:aws:s3:::snowplow-sandbox"
    stream, bad = (each.prefix for each in settings.streams)
    assert unreadable(without(settings, "LocateBucket"), settings) == [f"s3:GetBucketLocation on {b}"]
    assert unreadable(without(settings, "ListFolders"), settings) == [
        f"s3:ListBucket on {b} under {stream}",
        f"s3:ListBucket on {b} under {bad}",
    ]
    assert unreadable(without(settings, "ReadObjects"), settings) == [
        f"{action} on {b}/{prefix}"
        for prefix in (stream, bad)
        for action in ("s3:GetObject", "s3:GetObjectVersion")
    ]


def test_the_key_must_be_usable_where_the_bucket_is_encrypted():
    key = "arn:aws:kms:us-west-2:111122223333:key/k"
    settings = read(written(aws__kms_key_arn=key))
    assert unreadable(without(settings, "DecryptThroughS3"), settings) == [f"kms:Decrypt on {key}"]


def test_the_published_sample_does_not_locate_the_bucket(settings):
    """Both bucket actions under one s3:prefix condition: saved without an error, never allowed."""
    b = settings.aws.bucket_arn
    sample = document_of(
        allow(["s3:GetObject", "s3:GetObjectVersion"], f"{b}/*"),
        allow(["s3:ListBucket", "s3:GetBucketLocation"], b, **liking("*")),
    )
    assert unreadable(sample, settings, WELCOME) == [
        f"s3:GetBucketLocation on {b} (allowed under a condition that is not met)"
    ]
    assert unreadable(sample, settings, NEEDED) == []  # and Snowflake reads with it


@pytest.mark.parametrize(
    ("extra", "found"),
    [
        (allow("s3:PutObject", "*"), ["s3:PutObject"]),
        (allow(["s3:GetObject", "s3:DeleteObject"], "arn:aws:s3:::snowplow-sandbox/snowplow/enriched/bad/*"), ["s3:DeleteObject"]),
        (allow("s3:Get*", "arn:aws:s3:::snowplow-sandbox/snowplow/enriched/bad/*"), ["s3:Get*"]),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "arn:aws:iam::*"}, ["NotAction"]),
        (allow("s3:GetObject", "arn:aws:s3:::snowplow-sandbox/*"), ["s3:GetObject under the whole bucket"]),
        (allow("s3:ListBucket", "arn:aws:s3:::snowplow-sandbox"), ["s3:ListBucket under the whole bucket"]),
        (allow("s3:GetObject", "arn:aws:s3:::snowplow-sandbox/snowplow/*"), ["s3:GetObject under snowplow/"]),
        (allow("s3:GetObject", "arn:aws:s3:::snowplow-sandbox/snowplow/enriched/bad*"), ["s3:GetObject under snowplow/enriched/bad_beside/"]),
        (allow("s3:GetObject", "arn:aws:s3:::not-*/*"), ["s3:GetObject in other buckets"]),
        (allow("s3:GETOBJECT", "arn:aws:s3:::snowplow-sandbox/snowplow/enriched/bad/*"), []),
        (deny("s3:PutObject", "*"), []),
    ],
)  # fmt: skip
def test_what_is_too_much_is_named(settings, extra, found):
    document = document_of(*permissions(settings)["Statement"], extra)
    assert excessive(document, settings) == found


# ---- whom a trust policy lets in


def trusting(settings, *rows):
    return role(settings, trust=document_of(*rows))


def assume(effect, principal, **more):
    return {"Effect": effect, "Principal": principal, "Action": "sts:AssumeRole", **more}


@pytest.mark.parametrize(
    ("row", "found"),
    [
        (assume("Deny", "*", Sid="All"), ["All"]),
        (assume("Deny", {"AWS": "*"}, Sid="All"), ["All"]),
        (assume("Deny", {"AWS": [SNOWFLAKES_USER, "arn:aws:iam::1:root"]}), ["(without Sid)"]),
        (assume("Deny", {"AWS": "arn:aws:iam::999988887777:user/other"}), []),
        (assume("Deny", "*", Condition={"Bool": {"aws:MultiFactorAuthPresent": "false"}}), []),
        (assume("Allow", "*"), []),
        (assume("Deny", {"Service": "ec2.amazonaws.com"}), []),
        ({"Effect": "Deny", "Principal": "*", "Action": "sts:TagSession"}, []),
        ({"Effect": "Deny", "Principal": "*", "Action": ["sts:TagSession", "sts:Assume*"]}, ["(without Sid)"]),
        ({"Effect": "Deny", "Principal": "*", "Action": "*"}, ["(without Sid)"]),
    ],
)  # fmt: skip
def test_a_deny_that_hits_snowflakes_user_is_found(settings, row, found):
    have = integration(settings)
    assert trust_denies(trusting(settings, ours(have), row), have) == found


def test_the_closed_role_of_step_1_denies_everybody(settings):
    closed = role(settings, trust=closed_trust())
    assert closed.denies_everybody
    assert trust_denies(closed, integration(settings)) == [nobody()["Sid"]]
    assert closed.allowing == []
    assert not role(settings).denies_everybody


@pytest.mark.parametrize(
    ("row", "found"),
    [
        (None, []),
        (assume("Allow", "*"), ["*"]),
        (assume("Allow", {"AWS": "*"}), ["*"]),
        (assume("Allow", {"AWS": "111122223333"}), ["111122223333"]),
        (assume("Allow", {"AWS": ["arn:aws:iam::111122223333:root"]}), ["arn:aws:iam::111122223333:root"]),
        (assume("Allow", {"AWS": SNOWFLAKES_USER}, Condition={"StringEquals": {"sts:ExternalId": "0000"}}), ["external ID 0000"]),
        (assume("Allow", {"AWS": SNOWFLAKES_USER}, Condition={"StringEquals": {"sts:externalid": ["0000"]}}), ["external ID 0000"]),
        (assume("Allow", {"AWS": "arn:aws:iam::222233334444:role/audit"}), []),
        (assume("Allow", {"Service": "ec2.amazonaws.com"}), []),
        (assume("Deny", "*"), []),
    ],
)  # fmt: skip
def test_a_door_open_to_others_is_found(settings, row, found):
    rows = [ours(integration(settings)), *([row] if row else [])]
    assert open_to_others(trusting(settings, *rows)) == found


@pytest.mark.parametrize(
    ("row", "ids"),
    [
        (assume("Allow", {"AWS": SNOWFLAKES_USER}), {"*"}),
        (assume("Allow", {"AWS": SNOWFLAKES_USER}, Condition={"StringEquals": {"sts:ExternalId": "a"}}), {"a"}),
        (assume("Allow", {"AWS": SNOWFLAKES_USER}, Condition={"StringEquals": {"STS:EXTERNALID": ["a", "b"]}}), {"a", "b"}),
        (assume("Allow", {"AWS": [SNOWFLAKES_USER, "x"]}, Condition={"StringEquals": {"aws:x": "y"}}), {"*"}),
        (assume("Allow", {"AWS": SNOWFLAKES_USER}, Condition={"StringLike": {"sts:ExternalId": "a*"}}), {"StringLike a*"}),
        (assume("Allow", {"AWS": "AIDAEXAMPLE"}, Condition={"StringEquals": {"sts:ExternalId": "a"}}), set()),
        (assume("Deny", {"AWS": SNOWFLAKES_USER}), set()),
    ],
)  # fmt: skip
def test_the_external_ids_under_which_a_principal_gets_in(settings, row, ids):
    rows = letting_in(trusting(settings, row), integration(settings))
    assert set().union(*map(ids_asked_for, rows)) == ids


def asking(**ids):
    """Statements for Snowflake's user, by their Sids, that ask for these IDs (None: for none)."""
    condition = lambda value: {"Condition": {"StringEquals": {"sts:ExternalId": value}}} if value else {}  # noqa: E731
    return [
        assume("Allow", {"AWS": SNOWFLAKES_USER}, Sid=sid, **condition(value)) for sid, value in ids.items()
    ]


@pytest.mark.parametrize(
    ("asked", "found", "loose"),
    [
        ({TRUST_SID: EXTERNAL_ID}, [EXTERNAL_ID], []),
        ({TRUST_SID: "wrong"}, ["wrong"], []),
        ({TRUST_SID: None}, ["*"], []),  # ours: step 3 mends it
        ({TRUST_SID: [EXTERNAL_ID, "more"]}, [EXTERNAL_ID], []),  # two integrations on one role
        ({TRUST_SID: EXTERNAL_ID, "Theirs": "another_SFCRole=1"}, [EXTERNAL_ID], []),
        ({TRUST_SID: EXTERNAL_ID, "Theirs": None}, [EXTERNAL_ID], ["Theirs"]),
        ({TRUST_SID: "wrong", "Theirs": EXTERNAL_ID}, ["wrong"], []),
        ({"Theirs": EXTERNAL_ID}, [EXTERNAL_ID], []),  # made by hand
        ({"Theirs": "wrong"}, ["wrong"], []),
        ({"Theirs": ["wrong", EXTERNAL_ID]}, [EXTERNAL_ID], []),
        ({"Theirs": None}, [EXTERNAL_ID], ["Theirs"]),
    ],
)
def test_which_ids_have_to_be_the_integrations(settings, asked, found, loose):
    have, user = trusting(settings, *asking(**asked)), integration(settings)
    assert external_ids(have, user) == sorted(found)
    assert without_external_id(have, user) == loose


def test_our_statement_lets_snowflakes_user_in_with_exactly_its_external_id(settings):
    rows = letting_in(role(settings), integration(settings))
    assert [ids_asked_for(row) for row in rows] == [{EXTERNAL_ID}]
    assert role(settings).trusted_principals == {SNOWFLAKES_USER}


def test_a_user_that_is_gone_shows_by_its_id(settings):
    rows = [assume("Allow", {"AWS": ["AIDAEXAMPLE"], "Service": "ec2.amazonaws.com"}), assume("Allow", "*")]
    assert trusting(settings, *rows).trusted_principals == {"AIDAEXAMPLE", "ec2.amazonaws.com", "*"}


OURS = "arn:aws:iam::111122223333:role/reader"
ACCOUNT = "arn:aws:iam::111122223333:root"
SESSION = "arn:aws:sts::111122223333:assumed-role/reader/s"


@pytest.mark.parametrize(
    ("arn", "excepted", "denied"),
    [
        (OURS, [OURS, ACCOUNT], None),  # its session is not named: only AWS knows
        (OURS, [SESSION], None),
        (OURS, ["arn:aws:sts::111122223333:assumed-role/other/s"], True),
        (SNOWFLAKES_USER, [SESSION], True),  # a user has no session
        (SNOWFLAKES_USER, [SNOWFLAKES_USER], None),  # without its account
        (SNOWFLAKES_USER, [SNOWFLAKES_USER, SNOWFLAKES_USER.partition(":user")[0] + ":root"], False),
        (SNOWFLAKES_USER, ["*"], False),
    ],
)
def test_whom_a_notprincipal_excepts(arn, excepted, denied):
    row = {"Effect": "Deny", "NotPrincipal": {"AWS": excepted}, "Action": "*", "Resource": "*"}
    assert takes(row, Asked("s3:GetObject", "arn:aws:s3:::b/a"), principal(arn)) is denied


def test_an_operator_that_is_not_emulated_is_neither_met_nor_unmet():
    row = {"Condition": {"NumericLessThan": {"s3:max-keys": "10"}, "StringLike": {"s3:prefix": "a*"}}}
    assert dict(conditions(row, {"s3:max-keys": "10", "s3:prefix": "ab"})) == {
        "s3:max-keys": None,
        "s3:prefix": True,
    }


@pytest.mark.parametrize(
    ("external_id", "answer"), [("*", True), ("StringLike *", True), ("StringLike a*", False), ("a", False)]
)
def test_whether_any_external_id_is_accepted(external_id, answer):
    assert is_open(external_id) is answer


def test_a_document_as_text_is_read():
    assert as_document('{"Statement": []}') == as_document({"Statement": []}) == {"Statement": []}


def test_a_trust_by_the_account_lets_its_user_in(settings):
    account = SNOWFLAKES_USER.split(":")[4]
    names = (account, f"arn:aws:iam::{account}:root", SNOWFLAKES_USER)
    rows = [assume("Allow", {"AWS": name}) for name in names]
    others = [assume("Allow", {"AWS": "arn:aws:iam::444455556666:root"})]
    assert letting_in(trusting(settings, *rows, *others), integration(settings)) == rows


QUEUE, DEAD = "arn:aws:sqs:us-west-2:1:queue", "arn:aws:sqs:us-west-2:1:dead"
REFUSED = f"{UNVALIDATED}: ArgumentName1={DEAD}; ArgumentName2={DEAD}"


@pytest.mark.parametrize(
    ("message", "before", "after", "named"),
    [
        (REFUSED, [DEAD], [DEAD, QUEUE], ["'rule 0', which sends to " + DEAD]),
        (f"something else: ArgumentName1={DEAD}", [DEAD], [DEAD, QUEUE], []),
        (f"{UNVALIDATED}: ArgumentName1={QUEUE}", [DEAD], [DEAD, QUEUE], []),  # the new one
        (f"{UNVALIDATED}: ArgumentName1={DEAD}; ArgumentName2={QUEUE}", [DEAD], [DEAD, QUEUE], []),  # both
        (REFUSED, [DEAD], [QUEUE], []),  # it goes by itself
        (f"{UNVALIDATED}", [DEAD], [DEAD, QUEUE], []),
    ],
)
def test_whose_dead_rule_a_refusal_names(message, before, after, named):
    def document_with(queues):
        return {
            "QueueConfigurations": [{"Id": f"rule {n}", "QueueArn": queue} for n, queue in enumerate(queues)]
        }

    assert of_others_alone(message, document_with(before), document_with(after)) == named
