"""parliament, a linter of IAM policies that is not ours, finds nothing in the documents the steps write.

https://github.com/duo-labs/parliament
"""

import warnings
from dataclasses import replace
from typing import Any

import pytest

from runbook.policies.documents import text
from runbook.settings import Settings, read
from runbook.wanted.permissions import permissions
from runbook.wanted.trust import closed_trust, ours
from tests.unit.conftest import written
from tests.unit.observed import integration

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it leaves its own files open
    import parliament

ONE = {"events": {"kind": "enriched", "prefix": "a/", "table": "T", "stage": "S", "pipe": "P"}}
FIVE = {
    f"s{n}": {
        "kind": "enriched",
        "prefix": f"in/tenant={n}/",
        "table": f"T{n}",
        "stage": f"S{n}",
        "pipe": f"P{n}",
    }
    for n in range(5)
}
SHAPES = {
    "as it comes": {},
    "one stream": {"streams": ONE},
    "five streams, with = in their prefixes": {"streams": FIVE},
    "a bucket with dots": {"aws__bucket": "my.company.events"},
    "SSE-KMS": {
        "aws__kms_key_arn": "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    },
    "China": {
        "aws__region": "cn-north-1",
        "aws__kms_key_arn": "arn:aws-cn:kms:cn-north-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    },
    "GovCloud": {"aws__region": "us-gov-west-1"},
    "a path": {"aws__path": "/snowplow/prod/"},
}


def findings(document: dict[str, Any]) -> list[tuple[str, Any]]:
    return [
        (found.issue, found.detail) for found in parliament.analyze_policy_string(text(document)).findings
    ]


@pytest.fixture(params=SHAPES.values(), ids=SHAPES.keys())
def shape(request: pytest.FixtureRequest) -> Settings:
    return read(written(**request.param))


def test_it_finds_nothing_in_the_permissions_policy(shape: Settings) -> None:
    assert findings(permissions(shape)) == []


def test_it_finds_nothing_in_the_trust_policies(shape: Settings) -> None:
    """It knows no trust policies: each statement is given the resource that IAM does not let it name."""
    user = replace(
        integration(shape), iam_user_arn=f"arn:{shape.aws.partition}:iam::999900001111:user/k7m2-s-abcd1234"
    )
    for document in (closed_trust(), {"Version": "2012-10-17", "Statement": [ours(user)]}):
        (statement,) = document["Statement"]
        assert findings({**document, "Statement": [{**statement, "Resource": shape.aws.role_arn}]}) == []


@pytest.mark.parametrize(
    ("broken", "issue"),
    [
        ({"Condition": {"StringLike": {"s3:prefix": "a/*"}}}, "UNKNOWN_CONDITION_FOR_ACTION"),
        ({"Action": "s3:GetBucketLocaton"}, "UNKNOWN_ACTION"),
        ({"Resource": "arn:aws:s3:::bucket/*"}, "RESOURCE_MISMATCH"),
    ],
)
def test_it_would_find_the_mistakes_that_are_easily_made(broken: dict[str, Any], issue: str) -> None:
    statement = {
        "Effect": "Allow",
        "Action": "s3:GetBucketLocation",
        "Resource": "arn:aws:s3:::bucket",
        **broken,
    }
    assert [one for one, _ in findings({"Version": "2012-10-17", "Statement": [statement]})] == [issue]
