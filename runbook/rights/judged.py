"""Each right as held, missing, or not to be told. Only reads."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from runbook.clouds.failures import AwsFailed, SqlFailed
from runbook.clouds.reader import Reader
from runbook.errors import CannotTell
from runbook.facts import Facts
from runbook.facts.ours import KINDS, marked, marked_roles
from runbook.facts.rights import held_by
from runbook.rights.needs import AwsRight, SnowflakeRight, There, aws_rights, snowflake_rights
from runbook.settings import Identifier
from runbook.sql import literal

Word = Literal["held", "missing", "unknown"]
_ASSUMED = re.compile(r"arn:([\w-]+):sts::(\d{12}):assumed-role/([^/]+)/.+")


@dataclass(frozen=True)
class Finding:
    """One thing doctor looked at; ``why`` it is not held, and the ``grant`` or words that mend it.

    ``step``: the number of the step that needs it, the name of the command, or None for all of them.
    """

    step: int | str | None
    cloud: str
    what: str
    word: Word
    why: str = ""
    grant: str = ""
    right: AwsRight | None = None

    def as_json(self) -> dict[str, Any]:
        """The finding as ``doctor --format json`` writes it."""
        return {name: getattr(self, name) for name in ("step", "cloud", "what", "word", "why", "grant")}


# ---- AWS


def aws_findings(facts: Facts) -> list[Finding]:
    """Every IAM action steps and commands use, by IAM's own simulator."""
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
    return Finding(right.step, "aws", str(right), "missing", why, statement([right]), right)


def statement(rights: list[AwsRight]) -> str:
    """The policy statement that allows these actions, as JSON."""
    return json.dumps(_allowing(rights))


def _allowing(rights: list[AwsRight]) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Action": sorted({right.action for right in rights}),
        "Resource": sorted({right.resource for right in rights}),
    }


def policy(rights: list[AwsRight]) -> dict[str, Any]:
    """One policy that allows these actions, each on its own resource: a statement for each such set."""
    by_resource: dict[str, list[AwsRight]] = {}
    for right in rights:
        by_resource.setdefault(right.resource, []).append(right)
    alike: dict[frozenset[str], list[AwsRight]] = {}
    for rows in by_resource.values():
        alike.setdefault(frozenset(right.action for right in rows), []).extend(rows)
    return {"Version": "2012-10-17", "Statement": [_allowing(rows) for rows in alike.values()]}


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

NO_WAREHOUSE = Finding(
    "backfill",
    "snowflake",
    "a warehouse in the session",
    "missing",
    "the connection names none, or one its role may not use; `verify --deep` wants one too",
    "set warehouse for the connection in connections.toml",
)


def snowflake_findings(facts: Facts) -> list[Finding]:
    """Every privilege the roles of steps and commands use, by SHOW GRANTS."""
    snowflake = facts.settings.snowflake
    found = _usable(facts, {2: snowflake.admin_role, 4: snowflake.owner_role})
    try:
        there = _there(facts)
    except CannotTell as error:
        return [*found, Finding(4, "snowflake", "what exists already", "unknown", str(error))]
    if there.loader:
        found += _usable(facts, {"replace-pipe": snowflake.loader_role})
    if there.warehouse is None:
        found.append(NO_WAREHOUSE)
    usable = {row.what for row in found if row.word == "held"}
    rights = [
        right
        for right in snowflake_rights(facts.settings, there)
        if right.role == there.role or f"USE ROLE {right.role.sql}" in usable
    ]
    return found + list(_judged(facts.reader, rights))


def _usable(facts: Facts, wanted: dict[int | str, Identifier]) -> list[Finding]:
    """Whether we may take on each of these roles. Only reads."""
    row = facts.reader.sql("SELECT CURRENT_AVAILABLE_ROLES() AS names, CURRENT_USER() AS me")[0]
    ours, me = json.loads(row["names"]), Identifier(row["me"])
    return [
        Finding(step, "snowflake", f"USE ROLE {role.sql}", "held")
        if str(role) in ours
        else Finding(
            step,
            "snowflake",
            f"USE ROLE {role.sql}",
            "missing",
            "it is not granted to us",
            f"GRANT ROLE {role.sql} TO USER {me.sql};",
        )
        for step, role in wanted.items()
    ]


def _there(facts: Facts) -> There:
    """What is there, and what the session has; raises CannotTell. Only reads."""
    snowflake = facts.settings.snowflake
    session = facts.reader.sql("SELECT CURRENT_ROLE() AS role_name, CURRENT_WAREHOUSE() AS warehouse")[0]
    rows = facts.reader.sql(f"SHOW DATABASES LIKE {literal(snowflake.database)}")
    database = any(row["name"] == snowflake.database for row in rows)
    return There(
        integration=facts.integration is not None,
        loader=snowflake.loader_role in facts.roles,
        operator=snowflake.operator_role in facts.roles,
        database=database,
        schema=(schema := database and facts.schema_exists),
        role=_identifier(session["role_name"]),
        warehouse=_identifier(session["warehouse"]),
        made=tuple(_made(facts, schema=schema)),
        tables=tuple(stream for stream in facts.settings.streams if schema and facts.table(stream)),
    )


def _identifier(name: Any) -> Identifier | None:
    return Identifier(name) if name else None


def _made(facts: Facts, *, schema: bool) -> Iterator[str]:
    """What `down` would drop: the roles, and the streams' objects that carry our mark. Only reads."""
    settings = facts.settings
    roles = (settings.snowflake.loader_role, settings.snowflake.operator_role)
    yield from (f"role {role.sql}" for role in roles if role in marked_roles(facts.reader))
    for kind in KINDS if schema else ():
        there = marked(facts.reader, kind)
        names = {getattr(stream, kind) for stream in settings.streams}
        found = sorted(name.sql for name in names if name.name in there)
        yield from (f"{kind.replace('_', ' ')} {name}" for name in found)


def _judged(reader: Reader, rights: list[SnowflakeRight]) -> Iterator[Finding]:
    held: dict[Identifier, frozenset[str] | str] = {}
    for right in rights:
        if right.role not in held:
            try:
                held[right.role] = _with_roles(reader, right.role, held_by(reader, right.role))
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


def _with_roles(reader: Reader, role: Identifier, held: frozenset[str]) -> frozenset[str]:
    """What a role holds, and the roles that it or one it inherits owns, as SHOW ROLES tells. Only reads."""
    owned = {
        f"OWNERSHIP on role {Identifier(row['name']).sql}"
        for row in reader.sql("SHOW ROLES")
        if row["owner"] == role or f"USAGE on role {row['owner']}" in held
    }
    return held | owned


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
