"""Who may assume the role: nobody before step 3, then Snowflake's user with its external ID."""

from runbook.policies.documents import Document
from runbook.policies.held import NOBODY_SID, TRUST_SID, SnowflakesUser


def closed_trust() -> Document:
    """A trust policy nobody satisfies: an explicit Deny wins over anything added beside it."""
    return {"Version": "2012-10-17", "Statement": [nobody()]}


def nobody() -> Document:
    """The statement that denies everybody."""
    return {
        "Sid": NOBODY_SID,
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "sts:AssumeRole",
    }


def ours(user: SnowflakesUser, sid: str = TRUST_SID) -> Document:
    """The statement that lets Snowflake's user in.

    StringEquals is false when no external ID is given, so the condition also demands that one is.
    Source: https://docs.snowflake.com/en/user-guide/data-load-s3-config-storage-integration
    """
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"AWS": user.iam_user_arn},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": user.external_id}},
    }
