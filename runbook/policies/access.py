"""What the policy documents let whom do, as far as this pipeline needs to know.

Judged by meaning, not by text: a hand-made policy that allows the same is as good as ours.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from runbook.policies.documents import Document, as_list, statements
from runbook.policies.held import Role, SnowflakesUser, conditions_on_id, ids_asked_for
from runbook.policies.judging import Asked, Held, Who, conditions, judged, like, principal, spoken_of, takes
from runbook.settings import S3Bucket, Settings, partition_of

PROBE = "2026-01-31/part-0001"
OTHER_PROBES = ("part-0001", "run=9/zz")
"""A policy that a step made lets every name be read; others may know what their files are called."""
NEEDED = ("s3:GetObject", "s3:ListBucket", "kms:Decrypt")
WELCOME = ("s3:GetBucketLocation", "s3:GetObjectVersion")
"""Snowflake's page asks for these too; installations without them load.

GetBucketLocation cannot be allowed by the policy that page prints: it hangs it under an ``s3:prefix``
condition. *Observed:* so do the documented pipeline's own policy, and Snowflake Labs' module leaves it out.
GetObjectVersion is for reading a version by its number.
Source: https://docs.snowflake.com/en/user-guide/data-load-s3-config-storage-integration
"""
_READING = ("s3:getobject", "s3:getobjectversion", "s3:listbucket", "s3:getbucketlocation", "kms:decrypt")


Files = Mapping[str, tuple[str, ...]]
"""Keys of files by bucket."""


def requests(settings: Settings, files: Files = MappingProxyType({})) -> list[Asked]:
    """The requests loading makes with the role, with what is known of their condition keys.

    ``files``: these are read too.
    """
    found = [asked for bucket in settings.buckets for asked in requests_of(bucket, settings)]
    return found + reads(settings, files)


def reads(settings: Settings, files: Files) -> list[Asked]:
    """The requests that read these files."""
    known = carried(settings)
    return [
        Asked("s3:GetObject", f"{settings.aws.bucket_named(bucket).arn}/{key}", known)
        for bucket, keys in files.items()
        for key in keys
    ]


def requests_of(bucket: S3Bucket, settings: Settings) -> list[Asked]:
    """The same, of the streams that have their files in one bucket."""
    role = carried(settings)
    wanted = [Asked("s3:GetBucketLocation", bucket.arn, role)]
    for stream in settings.in_bucket(bucket.name):
        for name in (PROBE, *(OTHER_PROBES if settings.is_ours else ())):
            objects = f"{bucket.arn}/{stream.prefix}{name}{stream.suffix}"
            wanted.append(Asked("s3:GetObject", objects, role))
            wanted.append(Asked("s3:GetObjectVersion", objects, role))
        wanted.append(Asked("s3:ListBucket", bucket.arn, {**role, "s3:prefix": stream.prefix}))
    if bucket.kms_key_arn:
        wanted.append(decrypting(bucket.kms_key_arn, settings, bucket.region))
    return wanted


def decrypting(key_arn: str, settings: Settings, region: str) -> Asked:
    """The request of a region's S3 to decrypt with a key, made for the role.

    Source: https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html
    """
    known = {
        **carried(settings),
        "kms:viaservice": via_s3(region),
        "kms:calleraccount": settings.aws.account_id,
        "aws:viaawsservice": "true",
        "aws:resourceaccount": key_arn.split(":")[4],
    }
    return Asked("kms:Decrypt", key_arn, known)


def carried(settings: Settings) -> dict[str, str | None]:
    """The condition keys of a request with the role, as far as they can be known here.

    Snowflake's clients use TLS (https://docs.snowflake.com/en/user-guide/security-encryption-end-to-end).
    The rest: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
    """
    aws = settings.aws
    return {
        "aws:securetransport": "true",
        "aws:principalarn": aws.role_arn,
        "aws:principalaccount": aws.account_id,
        "aws:principaltype": "AssumedRole",
        "aws:principalisawsservice": "false",
        "aws:viaawsservice": "false",
        "aws:resourceaccount": aws.account_id,
        "s3:resourceaccount": aws.account_id,
        "aws:username": None,  # a role has none
        "aws:sourcearn": None,  # no service asks for another
        "aws:sourceaccount": None,
        "s3:prefix": None,  # but where a folder is listed
    }


def reader_of(settings: Settings) -> Who:
    """The role, as a resource's policy may name it."""
    return principal(settings.aws.role_arn)


def unreadable(
    document: Document,
    settings: Settings,
    actions: Iterable[str] = (*WELCOME, *NEEDED),
    files: Files = MappingProxyType({}),
) -> list[str]:
    """Which of these the policy surely does not allow, as ``action on resource``; else of these files."""
    found = [
        _shown(asked, settings) + _why(document, asked)
        for asked in requests(settings)
        if asked.action in actions and judged(document, asked) is False
    ]
    of_files = [
        f"{asked}{_why(document, asked)}"
        for asked in reads(settings, files)
        if judged(document, asked) is False
    ]
    return list(dict.fromkeys(found or of_files))


def _shown(asked: Asked, settings: Settings) -> str:
    """The request, of the whole folder."""
    folders = (
        f"{bucket.arn}/{stream.prefix}"
        for bucket in settings.buckets
        for stream in settings.in_bucket(bucket.name)
    )
    folder = next((folder for folder in folders if asked.resource.startswith(folder)), "")
    return str(replace(asked, resource=folder) if folder else asked)


def _why(document: Document, asked: Asked) -> str:
    """What stands between a request and its Allow, where there is one."""
    rows = statements(document)
    if any(row.get("Effect") == "Deny" and takes(row, asked) for row in rows):
        return " (a statement denies it)"
    bare = Asked(asked.action, asked.resource)
    unmet = any(row.get("Effect") == "Allow" and takes({**row, "Condition": {}}, bare) for row in rows)
    return " (allowed under a condition that is not met)" if unmet else ""


def excessive(document: Document, settings: Settings, kept: tuple[str, ...] = ()) -> list[str]:
    """What the policy allows beyond reading the streams' folders: other actions, wider places.

    ``kept``: other folders, as ``bucket/prefix/``, that pipes of ours read.
    """
    aws, role = settings.aws, carried(settings)
    found = [
        str(action)
        for row in statements(document)
        if row.get("Effect") == "Allow"
        for action in (as_list(row.get("Action")) or ["NotAction"])
        if str(action).lower() not in _READING
    ]
    for bucket in settings.buckets:
        for action, folder in _readable_beyond(document, settings, bucket, kept):
            alone = len(settings.buckets) == 1
            whole = "the whole bucket" if alone else f"the whole bucket {bucket.name}"
            found.append(
                f"{action} under {(folder if alone else f'{bucket.name}/{folder}') if folder else whole}"
            )
    elsewhere = f"arn:{aws.partition}:s3:::not-{aws.bucket}/{PROBE}"
    if judged(document, Asked("s3:GetObject", elsewhere, role)):
        found.append("s3:GetObject in other buckets")
    return found


def _readable_beyond(
    document: Document, settings: Settings, bucket: S3Bucket, kept: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    """For each right, the widest folder of a bucket for which the policy gives it beyond the streams'."""
    role = carried(settings)
    prefixes = tuple(name.partition("/")[2] for name in kept if name.startswith(f"{bucket.name}/"))
    places = [place for place in _outside(settings, bucket) if not place.startswith(prefixes)]
    reading = {f: Asked("s3:GetObject", f"{bucket.arn}/{f}{PROBE}", role) for f in places}
    listing = {f: Asked("s3:ListBucket", bucket.arn, {**role, "s3:prefix": f}) for f in places}
    for action, asked in (("s3:GetObject", reading), ("s3:ListBucket", listing)):
        widest = next((folder for folder in places if judged(document, asked[folder])), None)
        if widest is not None:
            yield action, widest


def _outside(settings: Settings, bucket: S3Bucket) -> list[str]:
    """Folders beside, above and in another bucket than the streams': in this one nothing reads them."""
    prefixes = [stream.prefix for stream in settings.in_bucket(bucket.name)]
    places = ["", *(stream.prefix for stream in settings.streams)]
    for prefix in prefixes:
        parts = prefix.rstrip("/").split("/")
        places += ["/".join(parts[:depth]) + "/" for depth in range(1, len(parts))]
        places.append(f"{prefix.rstrip('/')}_beside/")
    return [place for place in dict.fromkeys(places) if not place.startswith(tuple(prefixes))]


def assuming(role: Role, user: SnowflakesUser) -> Asked:
    """Snowflake's request to assume the role."""
    _, _, _, _, account, _ = user.iam_user_arn.split(":", 5)
    known = {
        "sts:externalid": user.external_id,
        "aws:securetransport": "true",
        "aws:principalarn": user.iam_user_arn,
        "aws:principalaccount": account,
        "aws:principaltype": "User",
        "aws:principalisawsservice": "false",
        "aws:viaawsservice": "false",
        "aws:resourceaccount": role.arn.split(":")[4],
    }
    return Asked("sts:AssumeRole", known=known)


def trusts(role: Role, user: SnowflakesUser) -> str:
    """By what name the trust policy lets Snowflake's user assume the role: its own, its account's, or none.

    An account's name stands for everybody in it whose own policies allow it.
    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    """
    who = principal(user.iam_user_arn)
    for name in (who.name, "*", *sorted(who.account, reverse=True)):
        if name in role.trusted_principals:
            return name
    return ""


def trust_denies(role: Role, user: SnowflakesUser) -> list[str]:
    """The Sids of Deny statements that surely keep Snowflake's user from assuming the role."""
    asked, who = assuming(role, user), principal(user.iam_user_arn)
    return [
        str(row.get("Sid", "(without Sid)"))
        for row in role.trust_statements
        if row.get("Effect") == "Deny" and takes(row, asked, who)
    ]


def trust_conditions(role: Role, user: SnowflakesUser) -> list[tuple[str, tuple[str, ...]]]:
    """What of the trust policy may keep Snowflake's user out: the statement, and the keys that decide."""
    asked, who = assuming(role, user), principal(user.iam_user_arn)
    return [
        (str(row.get("Sid", "(without Sid)")), keys)
        for row in role.trust_statements
        if row in role.allowing or row.get("Effect") == "Deny"
        if spoken_of(row, who) is not False
        if (keys := _deciding(row, asked))
    ]


def _deciding(row: Document, asked: Asked) -> tuple[str, ...]:
    held: Held = row.get("Effect") == "Allow"
    found = conditions(row, asked.known)
    if not held and any(met is False for _, met in found):
        return ()
    return tuple(key for key, met in found if met is not held and key.lower() != "sts:externalid")


def admits(role: Role, user: SnowflakesUser) -> bool:
    """Whether some statement's external ID is the integration's, however it is asked for."""
    asked = assuming(role, user)
    return any(
        all(met is not False for key, met in conditions(row, asked.known) if key.lower() == "sts:externalid")
        for row in letting_in(role, user)
    )


def external_ids(role: Role, user: SnowflakesUser) -> list[str]:
    """The external IDs by which Snowflake's user can assume the role, where they must be the integration's.

    Those of the statement a step wrote. Somebody else's may be for another integration of the same
    account; they count where no step wrote one, and none of them lets this integration in. Where the
    integration's is among the IDs, the others are other integrations'.
    """
    rows = letting_in(role, user)
    ours = [row for row in rows if row not in role.others_statements]
    ids = set[str]().union(*map(ids_asked_for, ours or rows))
    if user.external_id in ids and not admits(role, user):  # what else they ask for contradicts it
        return sorted(each for row in ours or rows for each in conditions_on_id(row))
    if user.external_id in ids or (not ours and any(map(_is_loose, ids)) and admits(role, user)):
        return [user.external_id]
    return sorted(ids)


def lets_in(asked: str, external_id: str) -> bool:
    """Whether an external ID, as ``ids_asked_for`` writes it, is this one or a pattern that matches it."""
    operator, _, pattern = asked.rpartition(" ")
    if not operator:
        return asked == external_id
    return operator == "StringLike" and like(external_id, pattern)


def without_external_id(role: Role, user: SnowflakesUser) -> list[str]:
    """The Sids of somebody else's statements that let Snowflake's user in by no exact external ID.

    Then whoever has an account on the same Snowflake deployment can assume the role who can make it ask.
    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """
    return [
        str(row.get("Sid") or "(without Sid)")
        for row in letting_in(role, user)
        if row in role.others_statements
        and not _names_everybody(row)  # which open_to_others tells
        and any(map(_is_loose, ids_asked_for(row)))
    ]


def is_open(external_id: str) -> bool:
    """Whether a statement that asks for this accepts whatever external ID is brought."""
    return external_id == "*" or external_id.partition(" ")[2] == "*"


def _is_loose(external_id: str) -> bool:
    return external_id == "*" or " " in external_id  # "StringLike …"


def letting_in(role: Role, user: SnowflakesUser) -> list[Document]:
    """The trust statements by which Snowflake's user can assume the role."""
    who = principal(user.iam_user_arn)
    return [row for row in role.allowing if spoken_of(row, who)]


def open_to_others(role: Role) -> list[str]:
    """Allow statements that trust more than one named principal is: wildcard, own root, 0000."""
    _, partition, _, _, account, _ = role.arn.split(":", 5)
    own = {"*", account, f"arn:{partition}:iam::{account}:root"}
    found = []
    for row in role.allowing:
        names = _aws_names(row)
        if any(key.lower().startswith("aws:principal") for key, _ in conditions(row, {})):
            names = [name for name in names if name != "*"]  # everybody whom that condition leaves
        equal = row.get("Condition", {}).get("StringEquals", {})
        ids = [value for key in equal if key.lower() == "sts:externalid" for value in as_list(equal[key])]
        found += [str(name) for name in names if name in own]
        if "0000" in ids:
            found.append("external ID 0000")
    return found


def _aws_names(row: Document) -> list[Any]:
    named = row.get("Principal", {})
    return as_list(named.get("AWS")) if isinstance(named, Mapping) else [named]


def _names_everybody(row: Document) -> bool:
    return "*" in _aws_names(row)


def via_s3(region: str) -> str:
    """S3 in a region, as KMS names the service that asks.

    Source: https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html (kms:ViaService)
    """
    domain = "amazonaws.com.cn" if partition_of(region) == "aws-cn" else "amazonaws.com"
    return f"s3.{region}.{domain}"
