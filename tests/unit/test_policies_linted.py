"""Every statement the steps write is one that IAM knows: action, resource and condition keys fit each other.

The judge is not ours: policy_sentry's copy of AWS' Service Authorization Reference
(https://docs.aws.amazon.com/service-authorization/latest/reference/).
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from policy_sentry.querying.actions import get_action_data

from runbook.policies.documents import as_list, statements
from runbook.settings import Settings, read
from runbook.wanted.permissions import permissions
from runbook.wanted.trust import closed_trust, ours
from tests.unit.conftest import written
from tests.unit.observed import integration

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


def findings(document: dict[str, Any]) -> list[str]:
    return [found for row in statements(document) for found in _of_statement(row)]


def _of_statement(row: dict[str, Any]) -> Iterator[str]:
    for action in as_list(row["Action"]):
        service, _, name = action.partition(":")
        known = get_action_data(service, name).get(service, [])
        if not known:
            yield f"unknown action {action}"
        fitting = [one for one in known if any(_fits(one, arn) for arn in as_list(row["Resource"]))]
        if known and not fitting:
            yield f"{action} has no such resource"
        keys = {key.lower() for one in fitting for key in one["condition_keys"]}
        asked = {key.lower() for pairs in row.get("Condition", {}).values() for key in pairs}
        if fitting and not asked <= keys:
            yield f"{action} knows no {', '.join(sorted(asked - keys))}"


def _fits(known: dict[str, Any], arn: str) -> bool:
    """Whether the ARN has the resource's form; only a name at the end of a path holds slashes."""
    form = known["resource_arn_format"]
    pattern = "[^:/]*".join(map(re.escape, re.split(r"\$\{\w+\}", form)))
    if re.search(r"/\$\{\w+\}$", form):
        pattern = pattern.removesuffix("[^:/]*") + ".*"
    return re.fullmatch(pattern, arn) is not None


@pytest.fixture(params=SHAPES.values(), ids=SHAPES.keys())
def shape(request: pytest.FixtureRequest) -> Settings:
    return read(written(**request.param))


def test_it_finds_nothing_in_the_permissions_policy(shape: Settings) -> None:
    assert findings(permissions(shape)) == []


def test_it_finds_nothing_in_the_trust_policies(shape: Settings) -> None:
    """A trust policy's resource is the role it is written on."""
    user = replace(
        integration(shape), iam_user_arn=f"arn:{shape.aws.partition}:iam::999900001111:user/k7m2-s-abcd1234"
    )
    for document in (closed_trust(), {"Version": "2012-10-17", "Statement": [ours(user)]}):
        (statement,) = document["Statement"]
        assert findings({"Statement": [{**statement, "Resource": shape.aws.role_arn}]}) == []


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        ({"Condition": {"StringLike": {"s3:prefix": "a/*"}}}, "s3:GetBucketLocation knows no s3:prefix"),
        ({"Action": "s3:GetBucketLocaton"}, "unknown action s3:GetBucketLocaton"),
        ({"Resource": "arn:aws:s3:::bucket/*"}, "s3:GetBucketLocation has no such resource"),
    ],
)
def test_it_would_find_the_mistakes_that_are_easily_made(broken: dict[str, Any], found: str) -> None:
    statement = {
        "Effect": "Allow",
        "Action": "s3:GetBucketLocation",
        "Resource": "arn:aws:s3:::bucket",
        **broken,
    }
    assert findings({"Version": "2012-10-17", "Statement": [statement]}) == [found]
