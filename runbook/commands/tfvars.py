"""`invoke tfvars`: what Terraform's module of the AWS side (terraform/) takes, as terraform.tfvars.json."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runbook.errors import Blocked, CannotTell, Refused
from runbook.facts import Facts
from runbook.running import STANDARD_OUTPUT, running, write_output
from runbook.settings import Stream
from runbook.terminal import note, say, say_as_is
from runbook.wanted.rules import Rule

FILE = "terraform/terraform.tfvars.json"
MODULES_ID = "terraform-snowpipe:"
"""How the Ids of the module's rules begin; another installation's begin so too."""


def tfvars(config: Mapping[str, Any], *, output: str | None) -> int:
    """Write the module's variables; what Snowflake has not made yet is null. Changes nothing else.

    Raises Blocked before step 2, and CannotTell where neither Snowflake nor a handoff says.
    """
    place = output or FILE
    with running(config, "tfvars", sides=(), spare=("aws", "snowflake"), alone=True) as run:
        facts = run.facts()
        facts.look(delivery=False, steps=(2, 5))
        refuse_starving(facts)
        found = variables(facts)
    write_output(json.dumps(found, indent=1), place, say_as_is)
    waiting = [name for name, stream in found["streams"].items() if stream["queue_arn"] is None]
    if waiting:
        note(
            f"no queue yet for {', '.join(waiting)}: after terraform apply, step4-snowflake and tfvars again"
        )
    if place not in (STANDARD_OUTPUT, "/dev/stdout"):
        say(f"{place} is written for {config['target']}; next: {applying(place)}")
    return 0


def applying(place: str) -> str:
    """The command that applies the module with this file; a file that Terraform does not find is named.

    Source: https://developer.hashicorp.com/terraform/language/values/variables (variable definitions files)
    """
    file = Path(place)
    words = ["terraform", f"-chdir={file.parent}", "apply"]
    if file.name != "terraform.tfvars.json" and not file.name.endswith(".auto.tfvars.json"):
        words.append(f"-var-file={file.name}")
    return shlex.join(words)


def variables(facts: Facts) -> dict[str, Any]:
    """The module's variables. Only reads."""
    settings, user = facts.settings, facts.snowflakes_user
    aws = settings.aws
    if user is None:
        raise Blocked(
            "Snowflake's user and external ID are not there", by_step=2, remedy="invoke step2-snowflake"
        )
    return {
        "installation": settings.installation,
        "region": aws.region,
        "account_id": aws.account_id,
        "bucket": aws.bucket,
        "role_name": aws.role_name,
        "policy_name": aws.policy_name,
        "path": aws.path,
        "permissions_boundary": aws.permissions_boundary,
        "kms_key_arn": aws.kms_key_arn,
        "tags": aws.tags,
        "snowflake_user_arn": user.iam_user_arn,
        "external_id": user.external_id,
        "streams": {stream.name: _stream(facts, stream) for stream in settings.streams},
        "manage_notifications": aws.managed_by != "terraform_without_rules",
        "foreign_rules": _foreign_rules(facts, aws.bucket),
        **_of_other_buckets(facts),
    }


def _of_other_buckets(facts: Facts) -> dict[str, Any]:
    """What the module must know of the buckets that streams name themselves; nothing where none does."""
    aws = facts.settings.aws
    others = [bucket for bucket in facts.settings.buckets if bucket.name != aws.bucket]
    if not others:
        return {}
    keys = {
        each.kms_key_arn: each.region for each in others if each.kms_key_arn not in (None, aws.kms_key_arn)
    }
    foreign = {each.name: _foreign_rules(facts, each.name) for each in others}
    return {"other_keys": keys, "other_foreign_rules": foreign}


def _stream(facts: Facts, stream: Stream) -> dict[str, str | None]:
    try:
        queue = facts.channel(stream) or None
    except Blocked:  # not handed over yet
        queue = None
    own = {} if stream.bucket == facts.settings.aws.bucket else {"bucket": stream.bucket}
    return {**own, "prefix": stream.prefix, "suffix": stream.suffix, "queue_arn": queue}


def _may_replace(facts: Facts, bucket: str, rule: Rule) -> bool:
    """Whether a bucket's rule is the module's, or step 5's, for one of its streams."""
    for stream in facts.settings.in_bucket(bucket):
        queue = _stream(facts, stream)["queue_arn"]
        if rule.is_of(stream, queue):
            return True
        same_files = (rule.prefix, rule.suffix) == (stream.prefix, stream.suffix)
        if rule.id == f"{MODULES_ID}{stream.name}" and (rule.target == queue or same_files):
            return True
    return False


def refuse_starving(facts: Facts) -> None:
    """Raises Refused where a pipe of ours reads a folder that the module would take out of the policy."""
    try:
        left = {stream.pipe.sql: stream.name for stream in facts.left_over}
        reads = facts.read_now
    except CannotTell:
        return  # Snowflake is the other administrator's
    own = tuple(stream.url for stream in facts.settings.streams)
    for pipe, url in sorted(reads.items()) if facts.settings.is_ours else ():
        if url and not url.startswith(own):
            raise Refused(
                f"The pipe {pipe} still reads {url}, which the settings do not name",
                why="Terraform would take the folder out of the policy, and its files would fail for good",
                remedy=f"name it in the settings, or `invoke down --stream {shlex.quote(left[pipe])}`"
                if pipe in left
                else "correct the prefix, or give the stream another stage and pipe (docs/runbook.md#moving)",
            )


def _foreign_rules(facts: Facts, bucket: str) -> list[str] | None:
    """A bucket's rules the module would delete, EventBridge among them; None where we may not look."""
    try:
        have = facts.notifications_of(bucket)
    except CannotTell:
        return None
    if have is None:
        return None
    found = [rule.id for rule in have.rules if not _may_replace(facts, bucket, rule)]
    return found + (["EventBridge"] if "EventBridgeConfiguration" in have.document else [])
