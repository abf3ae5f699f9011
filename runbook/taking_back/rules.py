"""Step 5 taken back, AWS: our rules out of the bucket's event notifications."""

from collections.abc import Iterator

from runbook.facts import Facts
from runbook.plan import AwsChange, Before, Change
from runbook.steps.step5_aws import READ


def plan(facts: Facts) -> Iterator[Change]:
    """Write the document back without the streams' rules; a bucket that is gone has none."""
    have = facts.notifications
    if have is None or facts.settings.is_terraforms(5):
        return
    ours = {stream.rule_id for stream in facts.settings.streams}
    present = sorted(ours & {rule.id for rule in have.rules})
    if not present:
        return
    aws = facts.settings.aws
    owner = {"Bucket": aws.bucket, "ExpectedBucketOwner": aws.account_id}
    yield AwsChange(
        "s3",
        "PutBucketNotificationConfiguration",
        {**owner, "NotificationConfiguration": have.without_rules(ours)},
        why=f"without {', '.join(present)}",
        before=Before(READ, owner, have.document),
    )
