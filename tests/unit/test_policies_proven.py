"""For all principals, external IDs, keys and prefixes: the written policies allow this and nothing else.

IAM's rules are written down once more, as formulas, and a solver looks for a request that contradicts the
claim: for every shape of settings, and for each of many damaged documents, where it must find one;
:mod:`runbook.policies.judging`, which judges what others wrote, must then say the same of that request.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from runbook.policies.documents import as_list, statements
from runbook.policies.judging import Asked, judged, principal
from runbook.settings import Settings, read
from runbook.wanted.permissions import permissions
from runbook.wanted.trust import closed_trust, ours
from tests.unit.conftest import written
from tests.unit.observed import integration
from tests.unit.test_policies_linted import SHAPES

z3 = pytest.importorskip("z3", reason="z3-solver is not installed: pip install -e '.[proof]'")

pytestmark = pytest.mark.slow  # a minute of solving

ACTION, RESOURCE = z3.Strings("action resource")
USER = z3.String("user")
KEYS = ("s3:prefix", "kms:viaservice", "sts:externalid")
VALUE = {key: z3.String(key) for key in KEYS}
SENT = {key: z3.Bool(f"sent {key}") for key in KEYS}
"""Whether the request carries the key at all."""
IS_REQUEST = z3.And(
    z3.InRe(ACTION, z3.Plus(z3.Union(z3.Range("a", "z"), z3.Range(":", ":"), z3.Range("0", "9")))),
    z3.InRe(
        USER,
        z3.Concat(
            z3.Re("arn:aws:iam::"),
            z3.Loop(z3.Range("0", "9"), 12, 12),
            z3.Re(":user/"),
            z3.Plus(z3.Range("a", "z")),
        ),
    ),
)


# ---- IAM's rules as formulas


def matches(text: Any, pattern: str) -> Any:
    """``*``: any signs, ``?``: one."""
    one = z3.AllChar(z3.ReSort(z3.StringSort()))
    parts = [
        z3.Star(one) if s == "*" else one if s == "?" else z3.Re(s) for s in re.split(r"([*?])", pattern) if s
    ]
    return z3.InRe(text, z3.Concat(*parts) if len(parts) > 1 else parts[0])


def condition(operator: str, key: str, values: list[str]) -> Any:
    key, plain = key.lower(), operator.removesuffix("IfExists")
    compared = {
        "StringEquals": lambda value: VALUE[key] == value,
        "StringLike": lambda value: matches(VALUE[key], value),
    }
    met = z3.Or(*(compared[plain](value) for value in values))
    return z3.Or(z3.Not(SENT[key]), met) if operator != plain else z3.And(SENT[key], met)


def named(row: dict[str, Any]) -> Any:
    """A user is meant by its ARN, its account's number, its account's root, and by everybody."""
    names = ["*"] if row["Principal"] == "*" else as_list(row["Principal"]["AWS"])
    of_account = [name.removesuffix(":root") + ":" for name in names if name.endswith(":root")]
    of_account += [f"arn:aws:iam::{name}:" for name in names if name.isdigit()]
    return z3.Or(
        "*" in names, *(name == USER for name in names), *(z3.PrefixOf(name, USER) for name in of_account)
    )


def speaks(row: dict[str, Any]) -> Any:
    """Whether the statement speaks of the request."""
    asked = [
        condition(op, key, as_list(v))
        for op, pairs in row.get("Condition", {}).items()
        for key, v in pairs.items()
    ]
    who = named(row) if "Principal" in row else True
    what = (
        z3.Or(*(matches(RESOURCE, name) for name in as_list(row["Resource"]))) if "Resource" in row else True
    )
    return z3.And(
        z3.Or(*(matches(ACTION, name.lower()) for name in as_list(row["Action"]))), what, who, *asked
    )


def allows(document: dict[str, Any]) -> Any:
    rows = statements(document)
    denied = [speaks(row) for row in rows if row["Effect"] == "Deny"]
    return z3.And(z3.Or(*(speaks(row) for row in rows if row["Effect"] == "Allow")), z3.Not(z3.Or(*denied)))


# ---- the claims


def reading(settings: Settings) -> Any:
    """Read and list the streams' folders, locate the bucket, use its key through S3 alone."""
    aws, bucket = settings.aws, z3.StringVal(settings.aws.bucket_arn)
    prefixes = [stream.prefix for stream in settings.streams]
    under = z3.Or(*(z3.PrefixOf(f"{settings.aws.bucket_arn}/{prefix}", RESOURCE) for prefix in prefixes))
    listed = z3.Or(*(z3.PrefixOf(prefix, VALUE["s3:prefix"]) for prefix in prefixes))
    through_s3 = f"s3.{aws.region}.amazonaws.com{'.cn' if aws.partition == 'aws-cn' else ''}"
    return z3.Or(
        z3.And(z3.Or(ACTION == "s3:getobject", ACTION == "s3:getobjectversion"), under),
        z3.And(ACTION == "s3:listbucket", bucket == RESOURCE, SENT["s3:prefix"], listed),
        z3.And(ACTION == "s3:getbucketlocation", bucket == RESOURCE),
        z3.And(
            ACTION == "kms:decrypt",
            (aws.kms_key_arn or "none") == RESOURCE,
            SENT["kms:viaservice"],
            VALUE["kms:viaservice"] == through_s3,
            aws.kms_key_arn is not None,
        ),
    )


USERS_ARN = "arn:aws:iam::999900001111:user/kmssabcd"


def trusted(settings: Settings) -> dict[str, Any]:
    return ours(replace(integration(settings), iam_user_arn=USERS_ARN))


def assuming(settings: Settings) -> Any:
    """Snowflake's user alone, with the integration's external ID alone."""
    wanted = integration(settings).external_id
    return z3.And(
        ACTION == "sts:assumerole",
        USER == USERS_ARN,
        SENT["sts:externalid"],
        VALUE["sts:externalid"] == wanted,
    )


def counterexample(document: dict[str, Any], claim: Any) -> Any:
    """A request on which document and claim differ; None where there is none."""
    solver = z3.Solver()
    solver.add(IS_REQUEST, allows(document) != claim)
    found = solver.check()
    assert found != z3.unknown, solver.reason_unknown()
    return solver.model() if found == z3.sat else None


def is_judged(document: dict[str, Any], request: Any) -> bool | None:
    """What the product's own judge says of the solver's request."""
    text = {name: request.eval(name, model_completion=True).as_string() for name in (ACTION, RESOURCE, USER)}
    known = {
        key: request.eval(VALUE[key], model_completion=True).as_string()
        if z3.is_true(request.eval(SENT[key], model_completion=True))
        else None
        for key in KEYS
    }
    has_resource = any("Resource" in row for row in statements(document))
    asked = Asked(text[ACTION], text[RESOURCE] or "-" if has_resource else "", known)
    return judged(document, asked, None if has_resource else principal(text[USER]))


# ---- proofs


@pytest.fixture(params=SHAPES.values(), ids=SHAPES.keys())
def shape(request: pytest.FixtureRequest) -> Settings:
    return read(written(**request.param))


def test_nothing_but_the_streams_folders_can_be_read(shape: Settings) -> None:
    assert counterexample(permissions(shape), reading(shape)) is None


def test_nobody_but_snowflakes_user_with_the_external_id_assumes_the_role(shape: Settings) -> None:
    document = {"Version": "2012-10-17", "Statement": [trusted(shape)]}
    assert counterexample(document, assuming(shape)) is None


def test_before_step_3_nobody_assumes_the_role_whatever_is_added(shape: Settings) -> None:
    beside = {**closed_trust(), "Statement": [*closed_trust()["Statement"], trusted(shape)]}
    assert counterexample(closed_trust(), z3.BoolVal(False)) is None
    assert counterexample(beside, z3.BoolVal(False)) is None


Damage = Callable[[dict[str, Any]], Any]
OF_TRUST: dict[str, Damage] = {
    "no condition": lambda row: row.pop("Condition"),
    "only if an ID is sent": lambda row: row.update(
        Condition={"StringEqualsIfExists": row["Condition"]["StringEquals"]}
    ),
    "an ID with a star": lambda row: row.update(Condition={"StringLike": {"sts:ExternalId": "ACME*"}}),
    "another ID": lambda row: row["Condition"]["StringEquals"].update({"sts:ExternalId": "another"}),
    "two IDs": lambda row: row["Condition"]["StringEquals"].update(
        {"sts:ExternalId": [row["Condition"]["StringEquals"]["sts:ExternalId"], "another"]}
    ),
    "everybody": lambda row: row.update(Principal={"AWS": "*"}),
    "the whole account": lambda row: row.update(Principal={"AWS": "arn:aws:iam::999900001111:root"}),
    "the account's number": lambda row: row.update(Principal={"AWS": "999900001111"}),
    "another user": lambda row: row.update(Principal={"AWS": "arn:aws:iam::999900001111:user/another"}),
    "every action": lambda row: row.update(Action="sts:*"),
    "tagging too": lambda row: row.update(Action=["sts:AssumeRole", "sts:TagSession"]),
    "denied": lambda row: row.update(Effect="Deny"),
}
OF_PERMISSIONS: dict[str, Damage] = {
    "every action on objects": lambda doc: doc["Statement"][0].update(Action="s3:*"),
    "any reading": lambda doc: doc["Statement"][0].update(Action="s3:Get*"),
    "deleting too": lambda doc: doc["Statement"][0]["Action"].append("s3:DeleteObject"),
    "versions no more": lambda doc: doc["Statement"][0].update(Action="s3:GetObject"),
    "the whole bucket": lambda doc: doc["Statement"][0].update(Resource="arn:aws:s3:::my-snowplow-bucket/*"),
    "every bucket": lambda doc: doc["Statement"][0].update(Resource="*"),
    "a folder less": lambda doc: doc["Statement"][0]["Resource"].pop(),
    "a neighbour's folder that begins the same": lambda doc: doc["Statement"][0].update(
        Resource=[name.removesuffix("/*") + "*" for name in doc["Statement"][0]["Resource"]]
    ),
    "one sign between": lambda doc: doc["Statement"][0]["Resource"].append("arn:aws:s3:::?/secret"),
    "listing without a condition": lambda doc: doc["Statement"][1].pop("Condition"),
    "listing, where no prefix is asked": lambda doc: doc["Statement"][1].update(
        Condition={"StringLikeIfExists": doc["Statement"][1]["Condition"]["StringLike"]}
    ),
    "listing by equality": lambda doc: doc["Statement"][1].update(
        Condition={"StringEquals": doc["Statement"][1]["Condition"]["StringLike"]}
    ),
    "listing of everything": lambda doc: doc["Statement"][1]["Condition"]["StringLike"].update(
        {"s3:prefix": "*"}
    ),
    "locating no more": lambda doc: doc["Statement"].pop(2),
    "locating every bucket": lambda doc: doc["Statement"][2].update(Resource="*"),
    "the key for whatever service": lambda doc: doc["Statement"][3].pop("Condition"),
    "another key": lambda doc: doc["Statement"][3].update(Resource="*"),
    "encrypting too": lambda doc: doc["Statement"][3].update(Action="kms:*crypt"),
    "a Deny beside": lambda doc: doc["Statement"].append(
        {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}
    ),
}


@pytest.mark.parametrize("damage", OF_TRUST.values(), ids=OF_TRUST.keys())
def test_every_damaged_trust_is_caught_and_judged_alike(damage: Damage) -> None:
    shape = read(written())
    row = deepcopy(trusted(shape))
    damage(row)
    document = {"Version": "2012-10-17", "Statement": [row]}
    found = counterexample(document, assuming(shape))
    assert found is not None
    assert is_judged(document, found) is z3.is_true(found.eval(allows(document), model_completion=True))


@pytest.mark.parametrize("damage", OF_PERMISSIONS.values(), ids=OF_PERMISSIONS.keys())
def test_every_damaged_policy_is_caught_and_judged_alike(damage: Damage) -> None:
    shape = read(written(**SHAPES["SSE-KMS"]))
    document = deepcopy(permissions(shape))
    damage(document)
    found = counterexample(document, reading(shape))
    assert found is not None
    assert is_judged(document, found) is z3.is_true(found.eval(allows(document), model_completion=True))
