"""The names in a recording: which words of it say whose installation it is, and of what kind each is."""

import hashlib
import ipaddress
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from runbook.settings import ADOPTED_BY, MANAGED_BY, MANAGED_FOR, SSM, QualifiedName, Settings

Named = Iterator[tuple[str, str]]
"""Names, each with its kind."""

COLUMNS = {
    "database_name": "database",
    "schema_name": "schema",
    "table_name": "table",
    "table_catalog_name": "database",
    "table_schema_name": "schema",
    "table_catalog": "database",
    "table_schema": "schema",
    "pipe_name": "pipe",
    "pipe_catalog_name": "database",
    "pipe_schema_name": "schema",
    "pipe_catalog": "database",
    "pipe_schema": "schema",
    "stage_name": "stage",
    "owner": "role",
    "role": "role",
    "role_name": "role",
    "grantee_name": "role",
    "granted_by": "role",
    "warehouse": "warehouse",
    "warehouse_name": "warehouse",
    "user_name": "user",
    "storage_integration": "integration",
    "error_integration": "integration",
    "integration": "integration",
}
"""Columns of answers that hold a name, in small letters, and whose."""
_SHOWN = re.compile(
    r"\s*SHOW\s+(?:TERSE\s+)?([A-Z ]+?)S?(?:\s+(?:IN|LIKE|STARTS|LIMIT|TO|ON|OF)\b|\s*$)", re.I
)
_OTHER_NAMES = ("PARAMETER", "COLUMN", "GRANT", "FUNCTION", "REGION")
"""SHOW commands whose column ``name`` is not a name that somebody gave, or is of more than one kind."""
_AWS_FIELDS = {
    "RoleName": "role",
    "PolicyName": "policy",
    "UserName": "user",
    "AliasName": "alias",
    "Sid": "sid",
    "Id": "rule",
    "Name": "parameter",
}
_OUR_TAGS = ("ManagedBy", MANAGED_FOR, ADOPTED_BY)
_OURS = re.compile(rf"{MANAGED_BY}|SnowpipeRunbook|AssumableByNobody|arn:|sf-snowpipe-|[0-9TZ:.-]*$")
_ARN = re.compile(r"\barn:aws[a-z-]*:([a-z0-9-]+):[a-z0-9-]*:([0-9]{12}|aws)?:([\w+=,.@/:*?$-]+)")
_URL_OF_S3 = re.compile(r"\bs3(?:china|gov)?://([a-z0-9][a-z0-9.-]*[a-z0-9])", re.I)
_IN_COPY = re.compile(
    r"""(?:\binto\s+|@|\bformat_name\s*=>?\s*'?|\bfile_format\s*=>?\s*'?)((?:[\w$]+|"(?:[^"]|"")+")(?:\.(?:[\w$]+|"(?:[^"]|"")+")){0,2})""",
    re.I,
)
_PART = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')
_FULL = re.compile(r'(?:"(?:[^"]|"")+"|[^"]+?)(?:\.(?:"(?:[^"]|"")+"|[^"]+?))*')
_ALONE = ("role", "user", "warehouse", "integration", "account", "databaserole")
_VENDOR = re.compile(r"(?:\biglu:|^)([A-Za-z0-9_.-]+)/[A-Za-z0-9_-]+/(?:jsonschema/)?[1-9][0-9-]*")
PUBLIC_VENDORS = re.compile(
    r"(?:com\.(?:snowplowanalytics|google|android|apple|mparticle|segment)|org|nl|io)\b"
)
"""Vendors of schemas that everybody has from Iglu Central."""
_EMAIL = re.compile(r"[\w.+-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}")
_HOST = re.compile(r"(?:://|host[=:]\s*'?\"?)(?:[^\s/@]+@)?([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)", re.I)
_OPEN_HOSTS = re.compile(
    r"(?:.*\.)?(?:amazonaws\.com(?:\.cn)?|snowflake(?:computing)?\.(?:com|cn)|snowplow\.io|github\.com|example\.com|"
    r"python\.org|localhost|w3\.org)|[0-9.]+",
    re.I,
)
_IP = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7})(?![\w.:])"
)
_NETWORK = re.compile(r"\b(?:vpce?|eni|subnet|sg|o|ou)-[a-z0-9]{8,34}\b(?!-?[a-z])")
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html"""
_ACCOUNT = re.compile(r"\barn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]*:([0-9]{12}):")
_AWS_ID = re.compile(r"\b(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA|AIPA)[A-Z0-9]{12,17}\b")
_QUEUE = re.compile(r"\bsf-snowpipe-[A-Z0-9]+-([A-Za-z0-9_-]{8,})")
_EXTERNAL_ID = "STORAGE_AWS_EXTERNAL_ID"
_CONDITION = "sts:externalid"
_LONG_ENOUGH = 6
"""An external ID that is shorter could be a part of anything; AWS asks for two characters."""


def collected(found: Mapping[str, Any], settings: Settings) -> tuple[dict[str, str], dict[str, str]]:
    """What has a stand-in of its own form, by the text; and the other names, each with its kind."""
    texts = list(_texts(found))
    whole = "\n".join(texts)
    accounts = {settings.aws.account_id, *_ACCOUNT.findall(whole), *filter(_is_an_account, texts)}
    fixed = {each: f"5{number:011d}" for number, each in enumerate(sorted(accounts), 1)}
    fixed |= {each: each[:4] + digits(each, len(each) - 4) for each in set(_AWS_ID.findall(whole))}
    fixed |= {each: digits(each, len(each)) for each in set(_QUEUE.findall(whole))}
    fixed |= _people(found)
    fixed |= _external_ids(found, fixed)
    place = settings.handoff
    if place and not place.startswith(SSM):
        fixed[place] = "the-handoff.json"
    fixed |= _numbered(set(_EMAIL.findall(whole)), "person{}@example.com")
    hosts = {each for each in _HOST.findall(whole) if not _OPEN_HOSTS.fullmatch(each)}
    fixed |= _numbered(hosts, "host{}.example.com")
    fixed |= _numbered(set(filter(_is_an_address, _IP.findall(whole))), "192.0.2.{}")
    nets = set(_NETWORK.findall(whole))
    fixed |= {each: f"{each.partition('-')[0]}-{digits(each, 17).lower()}" for each in nets}
    buckets = {*_buckets(whole), *(bucket.name for bucket in settings.buckets)}
    fixed |= _numbered(buckets, "bucket-{}") | {settings.aws.bucket: "the-bucket"}
    vendors = {each for each in chain.from_iterable(map(_VENDOR.findall, texts)) if _is_anybodys(each)}
    for number, each in enumerate(sorted(vendors), 1):
        head = "com." if each.startswith("com.") else ""
        for form in (each, re.sub(r"[.-]", "_", each)):
            fixed[form] = f"{head}vendor{number}".replace(".", "_" if form != each else ".")
    names: dict[str, str] = {}
    for name, kind in chain(_of_settings(settings), _of_answers(found), _of_arns(whole)):
        if name not in fixed and not _OURS.match(name):
            names.setdefault(name, kind)
    return fixed, names


def digits(text: str, length: int) -> str:
    """Letters and digits that stand for a text, as many as asked for."""
    return hashlib.sha256(text.encode()).hexdigest().upper()[:length].ljust(length, "0")


def _numbered(texts: Iterable[str], form: str) -> dict[str, str]:
    return {each: form.format(number) for number, each in enumerate(sorted(texts), 1)}


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value, and the texts in texts that are JSON, as documents in answers are."""
    if isinstance(value, str):
        yield value
        if value[:1] in '{["':
            try:
                inside = json.loads(value)
            except ValueError:
                return
            yield from _texts(inside)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(key)
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _is_an_account(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{12}", text))


def _is_an_address(text: str) -> bool:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (found.is_loopback or found.is_unspecified)


def _is_anybodys(vendor: str) -> bool:
    return "." in vendor and not PUBLIC_VENDORS.match(vendor)


def _people(found: Mapping[str, Any]) -> dict[str, str]:
    """The Snowflake account's names: they stand in URLs and external IDs too."""
    rows = [row for key, answers in found["answers"].items() if "CURRENT_ACCOUNT()" in key for row in answers]
    columns = ("locator", "organization", "account_name")
    given = [each for row in rows for each in row.get("answer", ())]
    names = {str(each[name]) for each in given for name in columns if each.get(name)}
    made: dict[str, str] = {}
    for number, who in enumerate(sorted(names), 1):
        made |= {who.lower(): f"name{number}", who.upper(): f"NAME{number}", who: f"NAME{number}"}
    return made


def _external_ids(found: Mapping[str, Any], people: Mapping[str, str]) -> dict[str, str]:
    """The external IDs of the integrations that were looked at, and of every trust policy: others' too."""
    answers = [row.get("answer") for rows in found["answers"].values() for row in rows]
    shown = [each for answer in answers if isinstance(answer, list) for each in answer]
    ids = [each for each in shown if isinstance(each, dict) and each.get("property") == _EXTERNAL_ID]
    every = {str(each["property_value"]) for each in ids if each.get("property_value")}
    made = {}
    for each in every | set(filter(_stands_alone, _conditions(answers))):
        before, bare, after = each.partition(each.strip() or each)  # a blank beside it stays
        head, line, tail = bare.rpartition("_")
        stand_in = digits(tail.lower(), len(tail))
        for who, other in people.items():
            head = re.sub(rf"(?<![A-Za-z0-9]){re.escape(who)}(?![A-Za-z0-9])", other, head)
        made[each] = f"{before}{head}{line}{stand_in.lower() if each == each.lower() else stand_in}{after}"
    return made


def _conditions(value: Any) -> Iterator[str]:
    """The external IDs that policies ask for, wherever they stand."""
    if isinstance(value, list):
        for each in value:
            yield from _conditions(each)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if key.lower() == _CONDITION:
                yield from map(str, inner if isinstance(inner, list) else [inner])
            else:
                yield from _conditions(inner)


def _stands_alone(external_id: str) -> bool:
    """Whether it can be replaced wherever it stands: it is not a pattern, and long enough."""
    return len(external_id) >= _LONG_ENOUGH and not set("*?") & set(external_id)


def _buckets(whole: str) -> Iterator[str]:
    yield from _URL_OF_S3.findall(whole)
    for service, _, rest in _ARN.findall(whole):
        if service == "s3" and not set("*?$") & set(rest.split("/")[0]):
            yield rest.split("/")[0]


def _of_arns(whole: str) -> Named:
    """The names and paths in ARNs; what AWS itself manages is everybody's."""
    for service, account, rest in _ARN.findall(whole):
        if account == "aws" or service in ("s3", "aws"):
            continue
        parts = re.split(r"[/:]", rest)
        kind = {"sns": "topic", "sqs": "queue"}.get(service, "name")
        if service in ("iam", "sts", "kms"):
            kind = parts.pop(0).removeprefix("assumed-")
        yield from ((part, kind) for part in parts if not set("*?$") & set(part))


def _of_settings(settings: Settings) -> Named:
    aws, snowflake, views = settings.aws, settings.snowflake, settings.views
    yield from ((aws.role_name, "role"), (aws.policy_name, "policy"))
    yield from ((settings.target, "target"), (snowflake.connection, "connection"))
    yield from ((part, "path") for part in aws.path.split("/"))
    yield from ((value, "tag") for value in aws.tags.values())
    yield from ((snowflake.database, "database"), (snowflake.schema_name, "schema"))
    yield from ((snowflake.integration, "integration"),)
    roles = (snowflake.admin_role, snowflake.owner_role, snowflake.loader_role, snowflake.operator_role)
    yield from ((role, "role") for role in roles)
    for stream in settings.streams:
        yield stream.name, "stream"
        of = {"table": stream.table, "stage": stream.stage, "pipe": stream.pipe, "format": stream.file_format}
        for kind, name in of.items():
            yield from _qualified(name, kind)
    of_views = {"database": views.database, "schema": views.schema_name, "view": views.documented_schema}
    yield from ((part, kind) for kind, part in of_views.items() if part)
    yield from ((part, "view") for part in (views.events, views.events_bad))
    if settings.handoff and settings.handoff.startswith(SSM):
        yield from ((part, "parameter") for part in settings.handoff.removeprefix(SSM).split("/"))


def _qualified(name: QualifiedName, kind: str) -> Named:
    yield from zip((name.database, name.schema, name.name), ("database", "schema", kind), strict=True)


def _of_answers(found: Mapping[str, Any]) -> Named:
    for key, rows in found["answers"].items():
        question = json.loads(key)
        shown = _SHOWN.match(str(question[1])) if question[0] == "sql" else None
        kind = shown[1].strip().lower().replace(" ", "") if shown else ""
        if kind.upper() in _OTHER_NAMES:
            kind = ""
        for row in rows:
            yield from _of_answer(row.get("answer"), kind, in_sql=question[0] == "sql")
    for text in _texts(found):
        for name in _IN_COPY.findall(text) if "copy" in text[:4000].lower() else ():
            yield from zip(reversed(list(_parts(name))), ("table", "schema", "database"), strict=False)


def _of_answer(value: Any, kind: str, *, in_sql: bool) -> Named:
    """Names in an answer: by column of a row, by field of a document of AWS."""
    if isinstance(value, list):
        for each in value:
            yield from _of_answer(each, kind, in_sql=in_sql)
    elif isinstance(value, Mapping):
        if {"Key", "Value"} <= set(value) and value["Key"] not in _OUR_TAGS:
            yield str(value["Value"]), "tag"
        for field, inner in value.items():
            if isinstance(inner, str):
                called = COLUMNS.get(field) if in_sql else _AWS_FIELDS.get(field)
                if in_sql and field == "name" and "://" not in inner:
                    yield from _dotted(inner, kind, value)
                elif called:
                    yield inner, called
            else:
                yield from _of_answer(inner, kind, in_sql=in_sql)


def _dotted(name: str, kind: str, row: Mapping[str, Any]) -> Named:
    """A shown name; in SHOW GRANTS it may be DATABASE.SCHEMA.NAME, parts of it in quotes."""
    granted = str(row.get("granted_on", "")).lower().replace("_", "")
    if kind or not granted:
        yield (name, kind) if kind else ("", "")
    elif granted in _ALONE or not _FULL.fullmatch(name):
        yield (name[1:-1].replace('""', '"') if _FULL.fullmatch(name) and name[0] == '"' else name), granted
    else:
        yield from zip(reversed(list(_parts(name))), (granted, "schema", "database"), strict=False)


def _parts(name: str) -> Iterator[str]:
    yield from (one.replace('""', '"') or two for one, two in _PART.findall(name))
