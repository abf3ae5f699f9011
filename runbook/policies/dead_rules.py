"""Somebody's rule whose target is gone: S3 refuses the whole document while it stands. Pure functions.

S3 names every destination it cannot validate. Where ours are not among them, ours are valid, and a person
may have the document written without validation: the other rule stays as it was, and goes on reaching nobody.
*Recorded:* LocalStack's snapshots of AWS (ArgumentName1, ArgumentName2, …). Source:
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

UNVALIDATED = "Unable to validate the following destination configurations"
_NAMED = re.compile(r"ArgumentName\d*=(arn:[^;\s]+)")
_TARGETS = ("QueueArn", "TopicArn", "LambdaFunctionArn")


def of_others_alone(message: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The rules whose targets S3 cannot validate, if each stays as it was and none of the targets is new."""
    named = sorted(set(_NAMED.findall(message))) if UNVALIDATED in message else []
    old, now = list(_rules(before)), list(_rules(after))
    kept = {_target(row) for row in now if row in old}
    written = {_target(row) for row in now if row not in old}
    if not named or written & set(named) or not set(named) <= kept:
        return []
    return [
        f"{row.get('Id', '(no Id)')!r}, which sends to {_target(row)}" for row in old if _target(row) in named
    ]


def _rules(document: Mapping[str, Any]) -> Iterator[Any]:
    for rows in document.values():
        if isinstance(rows, list):
            yield from rows


def _target(row: Mapping[str, Any]) -> str:
    return next((str(row[name]) for name in _TARGETS if name in row), "")
