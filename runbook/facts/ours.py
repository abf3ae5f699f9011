"""What carries this project's mark, and who else uses it: what taking back may and may not touch.

AWS: the tag ManagedBy, and AdoptedBy on what somebody else had made. Snowflake: a comment that ends in
the mark. The bucket: a rule's Id. For which installation: :mod:`runbook.facts.whose`.
"""

import re
from collections.abc import Iterable
from typing import Any

from runbook.clouds.failures import Row
from runbook.clouds.reader import Reader
from runbook.errors import CannotTell
from runbook.facts.aws import ask as ask_aws
from runbook.facts.snowflake import ask
from runbook.policies.held import Policy, Role
from runbook.settings import ADOPTED_BY, MANAGED_BY, Identifier, QualifiedName, Settings
from runbook.wanted.grants import Grant, integration_grants, loader_grants, operator_grants
from runbook.wanted.pipeline import LEASE_PREFIX

MARK = f"({MANAGED_BY})"
KINDS = {"pipe": "PIPES", "stage": "STAGES", "file_format": "FILE FORMATS"}


def is_marked(comment: object) -> bool:
    """Whether a Snowflake comment is one this project writes."""
    return str(comment or "").rstrip().endswith(MARK)


def marked(reader: Reader, kind: str) -> frozenset[str]:
    """The names in the installation's schema that carry our mark; ``kind`` as in KINDS. Only reads."""
    schema = _schema(reader.settings)
    rows = ask(
        lambda: reader.sql(f"SHOW {KINDS[kind]} IN SCHEMA {schema}"),
        f"The {KINDS[kind].lower()} of {schema}",
        f"USAGE on schema {schema}",
    )
    return frozenset(str(row["name"]) for row in rows or () if is_marked(row["comment"]))


def marked_roles(reader: Reader) -> frozenset[str]:
    """The account's roles that carry our mark. Only reads."""
    rows = ask(lambda: reader.sql("SHOW ROLES"), "The roles", "USAGE on a role")
    return frozenset(str(row["name"]) for row in rows or () if is_marked(row["comment"]))


def stages_of_others(reader: Reader) -> list[str]:
    """Other people's stages on our integration. Only reads.

    Raises CannotTell where our role does not see the whole account.
    """
    _sees_everything(reader)
    settings = reader.settings
    mine = {stream.stage for stream in settings.streams}
    return [
        f"the stage {name.sql}"
        for row, name in _everywhere(reader, "STAGES")
        if row["storage_integration"] == settings.snowflake.integration and name not in mine
    ]


def pipes_of_others(
    reader: Reader, mine: Iterable[QualifiedName], names: Iterable[QualifiedName]
) -> list[str]:
    """Pipes beside these of ours on these stages and formats of ours. Only reads.

    Raises CannotTell where our role does not see the whole account.
    """
    _sees_everything(reader)
    ours, used = set(mine), set(names)
    return [
        f"the pipe {name.sql}"
        for row, name in _everywhere(reader, "PIPES")
        if name not in ours and _names_ours(str(row["definition"]), name, reader.settings, used)
    ]


def _sees_everything(reader: Reader) -> None:
    settings = reader.settings
    if role := reader.hidden_from.get("admin"):
        admin = settings.snowflake.admin_role
        raise CannotTell(
            "Who else uses what would be removed cannot be seen",
            why=f"the role {role} does not see everybody's stages and pipes",
            remedy=f"connect with the role {admin} (role in connections.toml)",
            missing_right=f"being granted the role {admin}",
        )


def _everywhere(reader: Reader, kind: str) -> list[tuple[Row, QualifiedName]]:
    rows = ask(lambda: reader.sql(f"SHOW {kind} IN ACCOUNT"), f"The {kind.lower()} of the account", "") or []
    return [
        (row, QualifiedName(*(Identifier(row[key]) for key in ("database_name", "schema_name", "name"))))
        for row in rows
    ]


def _names_ours(definition: str, pipe: QualifiedName, settings: Settings, ours: set[QualifiedName]) -> bool:
    """Whether a pipe's COPY names a stage or format of ours: in full, or bare within the same schema."""
    here = (pipe.database, pipe.schema) == (settings.snowflake.database, settings.snowflake.schema_name)
    found = definition.upper()
    return any(
        re.search(rf"(?<![\w$\".]){re.escape(text.upper())}(?![\w$\".])", found)
        for name in ours
        for text in ((name.sql, f"{name.schema.sql}.{name.name.sql}", name.name.sql) if here else (name.sql,))
    )


def held_beyond(held: frozenset[Grant] | None, settings: Settings) -> list[Grant]:
    """What a role of ours holds that no step of this installation gave it, in order."""
    given = set(integration_grants(settings))
    schema = _schema(settings)
    given.add(Grant("CREATE PIPE", "SCHEMA", schema))
    for stream in settings.streams:
        given |= {*loader_grants(stream), *operator_grants(settings, stream)}
        given.add(Grant("OWNERSHIP", "PIPE", stream.pipe.sql))
    beyond = (held or frozenset()) - given
    return sorted(grant for grant in beyond if not _is_lease(grant))


def _is_lease(grant: Grant) -> bool:
    """A lease that a command left behind, which `down` takes away first."""
    last = grant.name.rpartition(".")[2]
    return grant.on.replace("_", " ") == "FILE FORMAT" and last.startswith(LEASE_PREFIX)


def granted_to(reader: Reader, role: Identifier) -> list[str]:
    """Who has been granted a role, beside the owner role: ``USER BOB``. Only reads."""
    rows = ask(
        lambda: reader.sql(f"SHOW GRANTS OF ROLE {role.sql}"),
        f"The grants of {role}",
        f"being granted the role {role}",
    )
    holders = sorted(f"{row['granted_to']} {row['grantee_name']}" for row in rows or ())
    return [name for name in holders if name != f"ROLE {reader.settings.snowflake.owner_role}"]


def _schema(settings: Settings) -> str:
    return f"{settings.snowflake.database.sql}.{settings.snowflake.schema_name.sql}"


def role_is_used(reader: Reader, role: Role) -> tuple[str, ...]:
    """What others have put on the role: why it stays when ours is taken back. Only reads."""
    name = reader.settings.aws.role_name
    inline = _pages(reader, "ListRolePolicies", "PolicyNames", RoleName=name)
    profiles = _pages(reader, "ListInstanceProfilesForRole", "InstanceProfiles", RoleName=name)
    found = ["it was adopted, not made by a step"] if is_adopted(role.tags) else []
    if theirs := role.others_statements:
        sids = ", ".join(str(row.get("Sid", "without Sid")) for row in theirs)
        found.append(f"others' statements are in its trust policy ({sids})")
    if attached := sorted(role.attached_policies - {reader.settings.aws.policy_arn}):
        found.append(f"others' policies are attached to it ({', '.join(attached)})")
    if inline:
        found.append(f"it has inline policies ({', '.join(sorted(map(str, inline)))})")
    if profiles:
        found.append("instance profiles hold it")
    return tuple(found)


def policy_is_used(reader: Reader, policy: Policy) -> tuple[str, ...]:
    """Who else holds the policy: why it stays when ours is taken back. Only reads."""
    found = ["it was adopted, not made by a step"] if is_adopted(policy.tags) else []
    if others := policy_holders(reader, policy):
        found.append(f"others hold it ({', '.join(others)})")
    return tuple(found)


def policy_holders(reader: Reader, policy: Policy) -> list[str]:
    """Who holds the policy beside our role: ``user ann``. Only reads.

    The first page is enough: where there are more, there are others.
    """
    answer = ask_aws(
        lambda: reader.aws("iam", "ListEntitiesForPolicy", PolicyArn=policy.arn),
        f"Who holds the policy {policy.arn}",
    )
    holders = [
        f"{kind.lower()} {row[f'{kind}Name']}"
        for kind in ("Role", "User", "Group")
        for row in (answer or {}).get(f"Policy{kind}s", ())
    ]
    return [name for name in holders if name != f"role {reader.settings.aws.role_name}"]


def is_adopted(tags: dict[str, str]) -> bool:
    """Whether somebody else made it and ``--adopt`` took it over."""
    return tags.get(ADOPTED_BY) == MANAGED_BY


def _pages(reader: Reader, operation: str, key: str, **parameters: Any) -> list[Any]:
    what = f"What iam:{operation} tells of {', '.join(map(str, parameters.values()))}"
    return ask_aws(lambda: reader.aws_pages("iam", operation, key, **parameters), what) or []
