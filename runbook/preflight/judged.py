"""Each right as held, missing, or not to be told. Only reads."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from runbook.errors import CannotTell
from runbook.facts import Facts
from runbook.facts.rights import held_by
from runbook.preflight.needs import AwsRight, SnowflakeRight, There, aws_rights, snowflake_rights
from runbook.session import AwsFailed, Reader, SqlFailed
from runbook.settings import Identifier
from runbook.sql import literal

Word = Literal["held", "missing", "unknown"]
_ASSUMED = re.compile(r"arn:([\w-]+):sts::(\d{12}):assumed-role/([^/]+)/.+")


@dataclass(frozen=True)
class Finding:
    """One thing doctor looked at; ``why`` it is not held, and the ``grant`` or words that mend it."""

    step: int | None
    cloud: str
    what: str
    word: Word
    why: str = ""
    grant: str = ""


# ---- AWS


def aws_findings(facts: Facts) -> list[Finding]:
    """Every IAM action the steps use, by IAM's own simulator."""
    rights = list(aws_rights(facts.settings))
    try:
        decided = _simulated(facts.reader, rights)
    except CannotTell as error:
        return [Finding(right.step, "aws", str(right), "unknown", str(error)) for right in rights]
    return [_aws_finding(right, decided[right.resource, right.action]) for right in rights]


def _aws_finding(right: AwsRight, decision: str) -> Finding:
    if decision == "allowed":
        return Finding(right.step, "aws", str(right), "held")
    why = "a policy denies it" if decision == "explicitDeny" else "no policy allows it"
    return Finding(right.step, "aws", str(right), "missing", why, statement([right]))


def statement(rights: list[AwsRight]) -> str:
    """The policy statement that allows these actions, as JSON."""
    return json.dumps(
        {
            "Effect": "Allow",
            "Action": sorted({right.action for right in rights}),
            "Resource": sorted({right.resource for right in rights}),
        }
    )


def _simulated(reader: Reader, rights: list[AwsRight]) -> dict[tuple[str, str], str]:
    """IAM's decision by resource and action; raises CannotTell where it may not be asked.

    The simulator knows the identity's policies and boundary, not the organisation's (SCP) nor the
    bucket's. Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_testing-policies.html
    """
    try:
        source = _principal(reader)
        found: dict[tuple[str, str], str] = {}
        for resource in dict.fromkeys(right.resource for right in rights):
            actions = sorted({right.action for right in rights if right.resource == resource})
            rows = reader.aws_pages(
                "iam",
                "SimulatePrincipalPolicy",
                "EvaluationResults",
                PolicySourceArn=source,
                ActionNames=actions,
                ResourceArns=[resource],
            )
            found |= {(resource, str(row["EvalActionName"])): str(row["EvalDecision"]) for row in rows}
    except AwsFailed as error:
        raise CannotTell(
            "What we may do cannot be simulated",
            why=str(error),
            remedy=f"grant {error.service}:{error.operation}, or go on: a step names what it lacks",
            missing_right=f"{error.service}:{error.operation}" if error.is_denied else "",
        ) from None
    return found


def _principal(reader: Reader) -> str:
    """The ARN whose policies count: the role's own behind a session, path included."""
    arn = str(reader.aws("sts", "GetCallerIdentity")["Arn"])
    if assumed := _ASSUMED.fullmatch(arn):
        return str(reader.aws("iam", "GetRole", RoleName=assumed[3])["Role"]["Arn"])
    return arn


# ---- Snowflake


def snowflake_findings(facts: Facts) -> list[Finding]:
    """Every privilege the steps' roles use, by SHOW GRANTS."""
    snowflake = facts.settings.snowflake
    ours = json.loads(facts.reader.sql("SELECT CURRENT_AVAILABLE_ROLES() AS names")[0]["names"])
    found = []
    usable = set()
    for step, role in ((2, snowflake.admin_role), (4, snowflake.owner_role)):
        what = f"USE ROLE {role.sql}"
        if str(role) in ours:
            found.append(Finding(step, "snowflake", what, "held"))
            usable.add(role)
        else:
            me = Identifier(facts.reader.sql("SELECT CURRENT_USER() AS name")[0]["name"])
            grant = f"GRANT ROLE {role.sql} TO USER {me.sql};"
            found.append(Finding(step, "snowflake", what, "missing", "it is not granted to us", grant))
    try:
        rights = list(snowflake_rights(facts.settings, _there(facts)))
    except CannotTell as error:
        return [*found, Finding(4, "snowflake", "what exists already", "unknown", str(error))]
    wanted = [right for right in rights if right.role in usable]
    return found + list(_judged(facts.reader, wanted))


def _there(facts: Facts) -> There:
    snowflake = facts.settings.snowflake
    rows = facts.reader.sql(f"SHOW DATABASES LIKE {literal(snowflake.database)}")
    database = any(row["name"] == snowflake.database for row in rows)
    return There(
        integration=facts.integration is not None,
        loader=snowflake.loader_role in facts.roles,
        operator=snowflake.operator_role in facts.roles,
        database=database,
        schema=database and facts.schema_exists,
    )


def _judged(reader: Reader, rights: list[SnowflakeRight]) -> Iterator[Finding]:
    held: dict[Identifier, frozenset[str] | str] = {}
    for right in rights:
        if right.role not in held:
            try:
                held[right.role] = held_by(reader, right.role)
            except (SqlFailed, CannotTell) as error:
                held[right.role] = str(error)
        have = held[right.role]
        if isinstance(have, str):
            yield Finding(right.step, "snowflake", str(right), "unknown", have)
        elif right.held_as & have:
            yield Finding(right.step, "snowflake", str(right), "held")
        else:
            yield Finding(
                right.step, "snowflake", str(right), "missing", f"{right.role} does not hold it", right.grant
            )


def reading_findings(facts: Facts) -> Iterator[Finding]:
    """What the connection must see for steps 3 and 5: the integration, and the pipes' queues."""
    questions: list[tuple[int, str, Any]] = [(3, "the integration", lambda: facts.integration)]
    questions += [
        (5, f"the pipe {stream.pipe.sql}", lambda stream=stream: facts.pipe(stream))
        for stream in facts.settings.streams
    ]
    for step, what, ask in questions:
        try:
            ask()
        except CannotTell as error:
            word: Word = "missing" if error.missing_right else "unknown"
            yield Finding(step, "snowflake", f"seeing {what}", word, str(error), error.missing_right)
        else:
            yield Finding(step, "snowflake", f"seeing {what}", "held")
