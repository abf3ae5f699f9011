"""Step 1, AWS: a permissions policy that reads the streams' folders, and the role that holds it.

Documented as: create IAM policy, create IAM role. The role is assumable by nobody until step 3
has Snowflake's user and external ID: its trust policy denies everybody.
"""

import re
from collections.abc import Iterator
from contextlib import suppress

from runbook.errors import CannotTell, Refused
from runbook.facts import Facts
from runbook.facts.aws import MOST_ATTACHED, most_attached
from runbook.facts.ours import policy_holders
from runbook.facts.whose import (
    folders,
    kept_folders,
    own_folders,
    policy_is_for_us,
    reads_ours,
    role_is_for_us,
    serves_us,
)
from runbook.plan import AwsChange, Change
from runbook.policies.access import open_to_others
from runbook.policies.documents import Document, as_list, same, statements, text
from runbook.policies.held import Policy, Role
from runbook.remedy import invoke
from runbook.settings import ADOPTED_BY, MANAGED_BY, MANAGED_FOR, MOST_TAGS, Settings
from runbook.wanted.permissions import permissions, tags
from runbook.wanted.trust import closed_trust

SEE = "docs/runbook.md#two-installations"
MOST_VERSIONS, MOST_CHARACTERS = 5, 6144
"""White space is not counted: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""


def plan(facts: Facts) -> Iterator[Change]:
    """Bring the policy's text to what the settings need, and the role to hold it."""
    refuse_others(facts)
    _refuse_a_full_role(facts)
    yield from _policy(facts, facts.policy)
    yield from _role(facts, facts.role)


def refuse_others(facts: Facts) -> None:
    """Raises Refused where the policy or the role is somebody else's, or another installation's of ours."""
    refuse_others_policy(facts)
    refuse_others_role(facts)


def refuse_others_policy(facts: Facts) -> None:
    """Raises Refused where the policy is somebody else's, or another installation's of ours."""
    policy = facts.policy
    if policy is None:
        return
    if not policy.is_ours and not facts.adopt:
        raise _not_ours(f"The policy {policy.arn}", same(policy.document, permissions(facts.settings)))
    if not policy.is_ours or policy_is_for_us(facts, policy):
        return
    if not (facts.adopt and reads_ours(facts, policy.document)):
        raise _another_ones(facts, f"The policy {policy.arn}", policy, "aws.policy_name")


def refuse_others_role(facts: Facts) -> None:
    """Raises Refused where the role is somebody else's, or another installation's of ours, and not shared."""
    role, settings = facts.role, facts.settings
    if role is None or settings.aws.share_role or role.arn != settings.aws.role_arn:
        return
    if not role.is_ours and not facts.adopt:
        raise _not_ours(f"The role {role.arn}", settings.aws.policy_arn in role.attached_policies)
    if not role.is_ours and (others := open_to_others(role)):
        raise Refused(
            f"The role {role.arn} can be assumed by others: {', '.join(others)}",
            why="step 3 leaves other people's statements as they are, and `invoke verify` fails on these",
            remedy="take that out of the role's trust policy, or choose another name in the settings",
        )
    if role.is_ours and not role_is_for_us(facts, role) and not (facts.adopt and serves_us(facts, role)):
        raise _another_ones(facts, f"The role {role.arn}", role, "aws.role_name")


def _refuse_a_full_role(facts: Facts) -> None:
    """Raises Refused where the role holds as many policies as IAM takes, and ours is not one of them."""
    role, aws = facts.role, facts.settings.aws
    if (
        role is None
        or aws.policy_arn in role.attached_policies
        or len(role.attached_policies) < MOST_ATTACHED
    ):
        return
    most = most_attached(facts.reader)
    if len(role.attached_policies) != most:
        return
    raise Refused(
        f"The role {role.arn} holds {most} policies, and IAM lets a role hold no more",
        why=f"{aws.policy_name} is to be attached to it, and it holds "
        + ", ".join(sorted(arn.rpartition("/")[2] for arn in role.attached_policies)),
        remedy=f"detach one that nobody needs: aws iam detach-role-policy --role-name {aws.role_name} "
        "--policy-arn ARN; or have AWS raise the quota (Service Quotas, managed policies per role); or set "
        "aws.role_name to a new role",
    )


def _another_ones(facts: Facts, what: str, have: Policy | Role, setting: str) -> Refused:
    mine = facts.settings.installation
    beyond = folders(have.document) - own_folders(facts.settings) if isinstance(have, Policy) else frozenset()
    named = (
        f"Its tag {MANAGED_FOR} names {have.installation}"
        if have.installation
        else (f"It has no tag {MANAGED_FOR}, and does not serve this installation alone")
    )
    reads = f". It reads {', '.join(sorted(beyond))}, which the settings do not name" if beyond else ""
    share = "; or share it: aws.share_role: true" if isinstance(have, Role) else ""
    return Refused(
        f"{what} belongs to another installation of this project",
        why=f"{named}{reads}; these settings are of {mine}",
        remedy=f"set {setting} to a name of this installation's own{share} ({SEE})",
    )


def _tagged(facts: Facts, have: Policy | Role) -> list[dict[str, str]]:
    """The tags that are missing on what is ours from now on, or was ours before tags named installations.

    AdoptedBy is a tag of its own, for ManagedBy may be its maker's already.
    """
    adopted = [] if have.is_ours else [{"Key": ADOPTED_BY, "Value": MANAGED_BY}]
    named = have.installation == facts.settings.installation
    missing = adopted + ([] if named else [{"Key": MANAGED_FOR, "Value": facts.settings.installation}])
    if len({*have.tags, *(row["Key"] for row in missing)}) > MOST_TAGS:
        raise Refused(
            f"There is no room for a tag on {have.arn}",
            why=f"it has {len(have.tags)}, and IAM takes {MOST_TAGS}",
            remedy="take off tags that nobody needs, or choose another name in the settings",
        )
    return missing


def _why_tagged(have: Policy | Role) -> str:
    return (
        f"it is this installation's, and has no tag {MANAGED_FOR} that says so" if have.is_ours else "adopted"
    )


def _policy(facts: Facts, have: Policy | None) -> Iterator[Change]:
    settings = facts.settings
    if have is None:
        _refuse_too_long(permissions(settings))
        yield AwsChange(
            "iam",
            "CreatePolicy",
            {
                "PolicyName": settings.aws.policy_name,
                "Path": settings.aws.path,
                "Description": "Lets Snowflake read Snowplow files",
                "PolicyDocument": text(permissions(settings)),
                "Tags": tags(settings),
            },
            why="the policy does not exist",
        )
        return
    if missing := _tagged(facts, have):
        where = {"PolicyArn": have.arn, "Tags": missing}
        yield AwsChange("iam", "TagPolicy", where, why=_why_tagged(have))
    kept = kept_folders(facts, have.document)
    keys = _kept_keys(facts, have.document)
    want = permissions(settings, tuple(kept), keys)
    if same(have.document, want):
        return
    _refuse_too_long(want)
    if have.tags.get("ManagedBy") != MANAGED_BY:
        _refuse_to_change_theirs(facts, have)
    if len(have.versions) >= MOST_VERSIONS:
        oldest = next(version for version in have.versions if version != have.default_version)
        yield AwsChange(
            "iam",
            "DeletePolicyVersion",
            {"PolicyArn": have.arn, "VersionId": oldest},
            why=f"IAM keeps at most {MOST_VERSIONS} versions",
        )
    yield AwsChange(
        "iam",
        "CreatePolicyVersion",
        {"PolicyArn": have.arn, "PolicyDocument": text(want), "SetAsDefault": True},
        why="the policy's text is not what the settings need"
        + _comes_and_goes(have.document, want, kept, keys),
    )


def _refuse_too_long(document: Document) -> None:
    length = len("".join(text(document).split()))
    if length > MOST_CHARACTERS:
        raise Refused(
            f"The policy would have {length:,} characters, and IAM takes {MOST_CHARACTERS:,}",
            why="each stream's folder stands in it twice, once with its bucket",
            remedy=f"shorten the prefixes, or divide the streams between two environment files ({SEE})",
        )


def _comes_and_goes(have: Document, want: Document, kept: dict[str, str], keys: tuple[str, ...]) -> str:
    """What a new text adds, takes away and keeps, by folder and key."""
    before, after = folders(have), folders(want)
    more = after - before if before else frozenset()
    parts = (("it also reads", more), ("it no longer reads", before - after))
    said = [f"{words} {', '.join(sorted(names))}" for words, names in parts if names]
    said += [f"it still reads {folder}, {_kept_for(pipe)}" for folder, pipe in kept.items()]
    said += [f"it still decrypts with {key}, for files that were written with it" for key in keys]
    return "".join(f"; {each}" for each in said)


def _kept_for(pipe: str) -> str:
    return f"for the pipe {pipe}" if pipe else "for nobody here can see whether a pipe does"


_KEY = re.compile(r"arn:[\w-]+:kms:[\w-]+:\d{12}:key/[\w-]+")


def _kept_keys(facts: Facts, have: Document) -> tuple[str, ...]:
    """The keys beside the settings' that stay, while a pipe of ours is there, or nobody may look.

    Files stay encrypted with the key they were written with, also when the bucket has another one since.
    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
    """
    others = tuple(key for key in _other_keys(facts.settings, have) if _KEY.fullmatch(key))
    with suppress(CannotTell):
        if others and not facts.read_now and not facts.reader.hidden_from.get("owner"):
            return ()
    return others


def _other_keys(settings: Settings, have: Document) -> tuple[str, ...]:
    """The keys that the policy lets the role decrypt with, beside the settings'."""
    rows = [row for row in statements(have) if "kms:Decrypt" in as_list(row.get("Action"))]
    keys = {str(name) for row in rows for name in as_list(row.get("Resource"))}
    return tuple(sorted(keys - {bucket.kms_key_arn for bucket in settings.buckets}))


def _refuse_to_change_theirs(facts: Facts, have: Policy) -> None:
    """An adopted policy is not changed under others who hold it, and keeps all of its versions."""
    another = "set aws.policy_name to a new name"
    if holders := policy_holders(facts.reader, have):
        raise Refused(
            f"Others hold the policy {have.arn}: {', '.join(holders)}",
            why="its text is not what the settings need, and changing it would change what they may do",
            remedy=another,
        )
    if len(have.versions) >= MOST_VERSIONS:
        raise Refused(
            f"The policy {have.arn} has {len(have.versions)} versions, and IAM keeps no more",
            why="somebody else made it, so none of them is deleted here",
            remedy=f"delete one that nobody needs, or {another}",
        )


def _role(facts: Facts, have: Role | None) -> Iterator[Change]:
    settings, aws = facts.settings, facts.settings.aws
    if have is None:
        boundary = {"PermissionsBoundary": aws.permissions_boundary} if aws.permissions_boundary else {}
        yield AwsChange(
            "iam",
            "CreateRole",
            {
                "RoleName": aws.role_name,
                "Path": aws.path,
                "Description": "Assumed by Snowflake to read Snowplow files",
                "AssumeRolePolicyDocument": text(closed_trust()),
                "Tags": tags(settings),
                **boundary,
            },
            why="the role does not exist",
        )
    elif have.arn != aws.role_arn:
        raise Refused(
            f"There is a role {aws.role_name} under another path: {have.arn}",
            why="role names are unique in an account whatever their path",
            remedy="set aws.path or aws.role_name",
        )
    elif not aws.share_role and (missing := _tagged(facts, have)):
        where = {"RoleName": aws.role_name, "Tags": missing}
        yield AwsChange("iam", "TagRole", where, why=_why_tagged(have))
    if (
        have is not None
        and not (aws.share_role and have.installation != settings.installation)
        and aws.permissions_boundary
        and have.permissions_boundary != aws.permissions_boundary
    ):
        yield AwsChange(
            "iam",
            "PutRolePermissionsBoundary",
            {"RoleName": aws.role_name, "PermissionsBoundary": aws.permissions_boundary},
            why=f"the boundary is {have.permissions_boundary or 'not set'}",
        )
    if have is None or aws.policy_arn not in have.attached_policies:
        yield AwsChange(
            "iam",
            "AttachRolePolicy",
            {"RoleName": aws.role_name, "PolicyArn": aws.policy_arn},
            why="the role does not hold the policy",
        )


def _not_ours(what: str, fits: bool) -> Refused:  # noqa: FBT001 (a private sentence)
    difference = "It is already what is wanted" if fits else "It differs from what is wanted"
    return Refused(
        f"{what} exists and was not made by this project",
        why=f"it has no tag ManagedBy={MANAGED_BY}. {difference}",
        remedy="run the step with --adopt to take it over, or choose another name in the settings",
        adopts=invoke("step1-aws", "--adopt"),
    )
