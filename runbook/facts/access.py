"""What the policy documents let whom do, as far as this pipeline needs to know.

Judged by meaning, not by text: a hand-made policy that allows the same is as good as ours. This
is no IAM evaluator: it covers Allow and Deny by action, resource and s3:prefix, and reports a
condition it does not know as not granted, never as granted.
"""

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from runbook.facts.aws import Role, ids_asked_for
from runbook.facts.documents import Document, as_list, statements
from runbook.facts.snowflake import SnowflakesUser
from runbook.settings import Settings

PROBE = "2026-01-31/part-0001.gz"
_READING = ("s3:getobject", "s3:getobjectversion", "s3:listbucket", "s3:getbucketlocation", "kms:decrypt")


def requests(settings: Settings) -> list[tuple[str, str, dict[str, str]]]:
    """The requests loading makes with the role: action, resource, and the condition keys they carry."""
    aws = settings.aws
    wanted: list[tuple[str, str, dict[str, str]]] = [("s3:GetBucketLocation", aws.bucket_arn, {})]
    for stream in settings.streams:
        objects = f"{aws.bucket_arn}/{stream.prefix}{PROBE}"
        wanted.append(("s3:GetObject", objects, {}))
        wanted.append(("s3:GetObjectVersion", objects, {}))
        wanted.append(("s3:ListBucket", aws.bucket_arn, {"s3:prefix": stream.prefix}))
    if aws.kms_key_arn:
        wanted.append(("kms:Decrypt", aws.kms_key_arn, {"kms:viaservice": _via(settings)}))
    return wanted


def unreadable(document: Document, settings: Settings) -> list[str]:
    """What loading needs and the policy does not allow, as ``action on resource``."""
    return [
        f"{action} on {resource.removesuffix(PROBE)}"
        + (f" under {context['s3:prefix']}" if "s3:prefix" in context else "")
        + _why(document, action, resource)
        for action, resource, context in requests(settings)
        if not allowed(document, action, resource, context)
    ]


def _why(document: Document, action: str, resource: str) -> str:
    """What stands between a request and its Allow, where there is one."""
    effects = {row.get("Effect") for row in statements(document) if _applies(row, action, resource)}
    if "Deny" in effects:
        return " (a statement denies it)"
    return " (allowed under a condition that is not met)" if "Allow" in effects else ""


def excessive(document: Document, settings: Settings, kept: tuple[str, ...] = ()) -> list[str]:
    """What the policy allows beyond reading the streams' folders: other actions, wider places.

    ``kept``: other folders, as ``bucket/prefix/``, that pipes of ours read.
    """
    aws = settings.aws
    found = [
        str(action)
        for row in statements(document)
        if row.get("Effect") == "Allow"
        for action in (as_list(row.get("Action")) or ["NotAction"])
        if str(action).lower() not in _READING
    ]
    prefixes = tuple(name.partition("/")[2] for name in kept if name.startswith(f"{aws.bucket}/"))
    places = [place for place in _outside(settings) if not place.startswith(prefixes)]
    read = (f for f in places if allowed(document, "s3:GetObject", f"{aws.bucket_arn}/{f}{PROBE}", {}))
    listed = (f for f in places if allowed(document, "s3:ListBucket", aws.bucket_arn, {"s3:prefix": f}))
    for action, folders in (("s3:GetObject", read), ("s3:ListBucket", listed)):
        if (widest := next(folders, None)) is not None:
            found.append(f"{action} under {widest or 'the whole bucket'}")
    if allowed(document, "s3:GetObject", f"arn:{aws.partition}:s3:::not-{aws.bucket}/{PROBE}", {}):
        found.append("s3:GetObject in other buckets")
    return found


def _outside(settings: Settings) -> list[str]:
    """Folders next to the streams' and above them, none of them a stream's: there nothing may be read."""
    prefixes = [stream.prefix for stream in settings.streams]
    places = [""]
    for prefix in prefixes:
        parts = prefix.rstrip("/").split("/")
        places += ["/".join(parts[:depth]) + "/" for depth in range(1, len(parts))]
        places.append(f"{prefix.rstrip('/')}_beside/")
    return [place for place in dict.fromkeys(places) if not place.startswith(tuple(prefixes))]


def allowed(document: Document, action: str, resource: str, context: Mapping[str, str]) -> bool:
    """Whether the document allows one request: an explicit Deny wins, an unknown condition fails."""
    matching = [row for row in statements(document) if _applies(row, action, resource)]
    if any(row.get("Effect") == "Deny" and _condition(row, context, unknown=True) for row in matching):
        return False
    return any(row.get("Effect") == "Allow" and _condition(row, context, unknown=False) for row in matching)


def allowed_for(
    document: Document, principal: Mapping[str, str], action: str, resource: str, context: Mapping[str, str]
) -> bool:
    """Whether a resource's policy lets this very principal (or everybody) do one thing."""
    rows = [row for row in statements(document) if names(row.get("Principal", {}), principal)]
    return allowed({"Statement": rows}, action, resource, context)


def names(named: Any, principal: Mapping[str, str]) -> bool:
    """Whether a statement's Principal is this one, or everybody."""
    if named == "*":
        return True
    return isinstance(named, Mapping) and any(
        {"*", name} & set(map(str, as_list(named.get(kind)))) for kind, name in principal.items()
    )


def trust_denies(role: Role, user: SnowflakesUser) -> list[str]:
    """The Sids of Deny statements that keep Snowflake's user from assuming the role."""
    found = []
    for row in role.trust_statements:
        principal = row.get("Principal", {})
        names = principal.get("AWS") if isinstance(principal, Mapping) else principal
        hit = {"*", user.iam_user_arn} & set(map(str, as_list(names)))
        assuming = takes_in(row, "Action", "sts:AssumeRole", str.lower)
        if row.get("Effect") == "Deny" and hit and assuming and not row.get("Condition"):
            found.append(str(row.get("Sid", "(without Sid)")))
    return found


def external_ids(role: Role, user: SnowflakesUser) -> list[str]:
    """The external IDs by which Snowflake's user gets in, as far as they have to be the integration's.

    Those of the statement a step wrote. Somebody else's may be for another integration of the same
    account; they count where no step wrote one, and none of them lets this integration in. One statement
    may ask for several: the integration's is right where it is among them, or matches a pattern.
    """
    rows = role.letting_in(user.iam_user_arn)
    ours = [row for row in rows if row not in role.others_statements]
    ids = set[str]().union(*map(ids_asked_for, ours or rows))
    if any(lets_in(one, user.external_id) for one in ids if one != "*"):
        return [user.external_id]
    if not ours and "*" in ids:
        return [user.external_id]
    return sorted(ids)


def lets_in(asked: str, external_id: str) -> bool:
    """Whether an external ID, as ``ids_asked_for`` writes it, is this one or a pattern that matches it."""
    operator, _, pattern = asked.rpartition(" ")
    if not operator:
        return asked == external_id
    return operator == "StringLike" and _matches(external_id, [pattern])


def without_external_id(role: Role, user: SnowflakesUser) -> list[str]:
    """The Sids of somebody else's statements that let Snowflake's user in by no exact external ID.

    Then whoever has an account on the same Snowflake deployment gets in who can make it ask.
    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """
    return [
        str(row.get("Sid") or "(without Sid)")
        for row in role.letting_in(user.iam_user_arn)
        if row in role.others_statements and any(map(_is_loose, ids_asked_for(row)))
    ]


def _is_loose(external_id: str) -> bool:
    return external_id == "*" or " " in external_id  # "StringLike …"


def open_to_others(role: Role) -> list[str]:
    """Allow statements that let in more than one named principal is: wildcard, own root, 0000."""
    _, partition, _, _, account, _ = role.arn.split(":", 5)
    own = {"*", account, f"arn:{partition}:iam::{account}:root"}
    found = []
    for row in role.allowing:
        principal = row.get("Principal", {})
        names = as_list(principal.get("AWS")) if isinstance(principal, Mapping) else [principal]
        equal = row.get("Condition", {}).get("StringEquals", {})
        ids = [value for key in equal if key.lower() == "sts:externalid" for value in as_list(equal[key])]
        found += [str(name) for name in names if name in own]
        if "0000" in ids:
            found.append("external ID 0000")
    return found


def _via(settings: Settings) -> str:
    domain = "amazonaws.com.cn" if settings.aws.partition == "aws-cn" else "amazonaws.com"
    return f"s3.{settings.aws.region}.{domain}"


def _applies(row: Document, action: str, resource: str) -> bool:
    return takes_in(row, "Action", action, str.lower) and takes_in(row, "Resource", resource, str)


def takes_in(row: Document, element: str, asked: str, shape: Callable[[str], str]) -> bool:
    """Whether ``Action`` or ``Resource``, or everything but ``NotAction`` …, takes in what is asked.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notaction.html
    """
    if f"Not{element}" in row:
        return not _matches(shape(asked), [shape(str(name)) for name in as_list(row[f"Not{element}"])])
    return _matches(shape(asked), [shape(str(name)) for name in as_list(row.get(element))])


def _condition(row: Document, context: Mapping[str, str], *, unknown: bool) -> bool:
    for operator, block in row.get("Condition", {}).items():
        for key, values in block.items():
            have = context.get(str(key).lower())
            patterns = [str(value) for value in as_list(values)]
            if operator in ("StringLike", "ArnLike"):
                held = have is not None and _matches(have, patterns)
            elif operator in ("StringEquals", "ArnEquals"):
                held = have is not None and have in patterns
            else:
                held = unknown
            if not held:
                return False
    return True


def _matches(text: str, patterns: Iterable[Any]) -> bool:
    """IAM's wildcards: ``*`` and ``?`` only; brackets are themselves."""
    return any(fnmatchcase(text, str(pattern).replace("[", "[[]")) for pattern in patterns)
