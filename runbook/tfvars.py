"""`invoke tfvars`: what Terraform's module of the AWS side (terraform/) takes, as terraform.tfvars.json."""

import json
from collections.abc import Mapping
from typing import Any

from runbook.errors import Blocked, CannotTell
from runbook.facts import Facts
from runbook.running import running, write_output
from runbook.settings import MANAGED_BY, Stream
from runbook.terminal import note, say, say_as_is

FILE = "terraform/terraform.tfvars.json"
RULE_IDS = ("terraform-snowpipe:", f"{MANAGED_BY}:")
"""How rules of the module, and of step 5, begin: those the module may replace."""


def tfvars(config: Mapping[str, Any], *, output: str | None) -> int:
    """Write the module's variables; what Snowflake has not made yet is null. Changes nothing else.

    Raises Blocked before step 2, and CannotTell where neither Snowflake nor a handoff says.
    """
    place = output or FILE
    with running(config, "tfvars", sides=(), spare=("aws", "snowflake"), alone=True) as run:
        facts = run.facts()
        facts.look(delivery=False, steps=(2, 5))
        found = variables(facts)
    write_output(json.dumps(found, indent=1), place, say_as_is)
    waiting = [name for name, stream in found["streams"].items() if stream["queue_arn"] is None]
    if waiting:
        note(
            f"no queue yet for {', '.join(waiting)}: after terraform apply, step4-snowflake and tfvars again"
        )
    if place != "/dev/stdout":
        say(f"{place} is written for {config['target']}; next: terraform -chdir=terraform apply")
    return 0


def variables(facts: Facts) -> dict[str, Any]:
    """The module's variables. Only reads."""
    aws, user = facts.settings.aws, facts.snowflakes_user
    if user is None:
        raise Blocked(
            "Snowflake's user and external ID are not there", by_step=2, remedy="invoke step2-snowflake"
        )
    return {
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
        "streams": {stream.name: _stream(facts, stream) for stream in facts.settings.streams},
        "manage_notifications": aws.managed_by != "terraform_without_rules",
        "foreign_rules": _foreign_rules(facts),
    }


def _stream(facts: Facts, stream: Stream) -> dict[str, str | None]:
    try:
        queue = facts.channel(stream) or None
    except Blocked:  # not handed over yet
        queue = None
    return {"prefix": stream.prefix, "suffix": stream.suffix, "queue_arn": queue}


def _foreign_rules(facts: Facts) -> list[str] | None:
    """The rules the module would delete, EventBridge among them; None where we may not look."""
    try:
        have = facts.notifications
    except CannotTell:
        return None
    if have is None:
        return None
    found = [rule.id for rule in have.rules if not rule.id.startswith(RULE_IDS)]
    return found + (["EventBridge"] if "EventBridgeConfiguration" in have.document else [])
