"""Whose something of ours is: this installation's, or another one's in the same accounts.

An installation is a Snowflake account and a schema (docs/adr/0016-whose-it-is.md). The tag ManagedFor and the
integration's comment name it. What a former version made names none: then its content says whose it is.
"""

import re
from typing import TYPE_CHECKING

from runbook.errors import Blocked, CannotTell
from runbook.facts.objects import StorageIntegration
from runbook.policies.documents import Document, as_list, statements
from runbook.policies.held import Policy, Role, SnowflakesUser, ids_asked_for
from runbook.settings import MANAGED_BY, Settings

if TYPE_CHECKING:
    from runbook.facts import Facts

_FOLDER = re.compile(r"arn:[\w-]+:s3:::([^/*?]+/[^*?]*/)\*")
_FOR = re.compile(rf" for (.+) \({MANAGED_BY}\)\s*\Z", re.DOTALL)


def folders(document: Document) -> frozenset[str]:
    """The folders a policy reads, as ``bucket/prefix/``, written as the steps write them."""
    return frozenset(
        match[1]
        for row in statements(document)
        if row.get("Effect") == "Allow"
        for resource in as_list(row.get("Resource"))
        if (match := _FOLDER.fullmatch(str(resource)))
    )


def own_folders(settings: Settings) -> frozenset[str]:
    """The streams' folders, written in the same way."""
    return frozenset(f"{stream.bucket}/{stream.prefix}" for stream in settings.streams)


def kept_folders(facts: "Facts", document: Document) -> dict[str, str]:
    """The folders a policy reads for a pipe of ours, and the settings do not name: with the pipe's name.

    Where nobody may look at the pipes, it is every such folder: taking one away could starve a pipe.
    """
    beyond = _beyond(document, facts.settings)
    if not beyond:
        return {}
    try:
        now = facts.read_now
        if facts.reader.hidden_from.get("owner"):
            return dict.fromkeys(sorted(beyond), "")
    except CannotTell:
        return dict.fromkeys(sorted(beyond), "")
    reading = {url.partition("://")[2]: pipe for pipe, url in now.items() if url}
    return {
        folder: pipe
        for folder in sorted(beyond)
        for read, pipe in sorted(reading.items())
        if read.startswith(folder) or folder.startswith(read)
    }


def _beyond(document: Document, settings: Settings) -> frozenset[str]:
    own = tuple(own_folders(settings))
    return frozenset(folder for folder in folders(document) if not folder.startswith(own))


def policy_is_for_us(facts: "Facts", have: Policy) -> bool:
    """Whether a policy that carries our mark is this installation's, by its tag or else by its content."""
    if have.installation:
        return have.installation == facts.settings.installation
    return reads_ours(facts, have.document) and _lets_in_ours(facts)


def reads_ours(facts: "Facts", document: Document) -> bool:
    """Whether every folder that a policy reads is one of the settings', or read by a pipe of ours."""
    beyond = _beyond(document, facts.settings)
    return not beyond or beyond == {folder for folder, pipe in kept_folders(facts, document).items() if pipe}


def role_is_for_us(facts: "Facts", have: Role) -> bool:
    """Whether a role that carries our mark is this installation's, by its tag or else by its content."""
    if have.installation:
        return have.installation == facts.settings.installation
    return serves_us(facts, have) and _lets_in_ours(facts)


def serves_us(facts: "Facts", have: Role) -> bool:
    """Whether the role holds our policy, or nothing yet."""
    policy = facts.policy
    if facts.settings.aws.policy_arn not in have.attached_policies:
        return not have.attached_policies
    return policy is None or not policy.is_ours or reads_ours(facts, policy.document)


def _lets_in_ours(facts: "Facts") -> bool:
    """Whether our statement in the trust policy is for our integration, as far as that can be seen."""
    role = facts.role
    row = role.own_statement if role else None
    if row is None:
        return True
    try:
        have = facts.integration
        if have is not None and not facts.settings.snowflake.share_integration and _is_anothers(facts, have):
            return False
        user = facts.snowflakes_user
    except (CannotTell, Blocked):
        return True
    return user is not None and admits(row, user)


def _is_anothers(facts: "Facts", have: StorageIntegration) -> bool:
    return _is_marked(have) and not integration_is_for_us(facts, have)


def _is_marked(have: StorageIntegration) -> bool:
    return have.comment.rstrip().endswith(f"({MANAGED_BY})")


def admits(row: Document, user: SnowflakesUser) -> bool:
    """Whether a trust statement asks for the external ID of this integration, alone or among others."""
    return user.external_id in ids_asked_for(row)


def integration_is_for_us(facts: "Facts", have: StorageIntegration) -> bool:
    """Whether the integration is this installation's, by its comment or else by who stands on it."""
    if not _is_marked(have):
        return False
    if (name := named_in(have.comment)) is not None:
        return name == facts.settings.schema_sql
    return not facts.others_on_the_integration and not _locations_beyond(facts, have)


def named_in(comment: str) -> str | None:
    """The schema that the integration's comment names; None where a former version wrote it."""
    match = _FOR.search(comment)
    return match[1] if match else None


def _locations_beyond(facts: "Facts", have: StorageIntegration) -> set[str]:
    """Locations that neither the settings nor a pipe of ours explain."""
    return set(have.allowed_locations) - set(facts.settings.allowed_locations) - set(facts.read_now.values())


def kept_locations(facts: "Facts", have: StorageIntegration) -> dict[str, str]:
    """Locations that the settings do not name and a stage on the integration needs: with the stage's name."""
    own = tuple(facts.settings.allowed_locations)
    if all(place.startswith(own) for place in have.allowed_locations):
        return {}
    kept: dict[str, str] = {}
    for name, url in sorted(facts.stages_on_the_integration.items()):
        if url.startswith(own) or not have.allows(url):
            continue
        place = max((p for p in have.allowed_locations if url.startswith(p)), key=len, default=url)
        kept[place] = name
    return kept
