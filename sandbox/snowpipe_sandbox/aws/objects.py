"""Objects as S3 treats them around moto: their time, what happened to them, and deletes key by key."""

import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

from snowpipe_sandbox.aws import stores
from snowpipe_sandbox.aws.calls import Call
from snowpipe_sandbox.aws.errors import AwsError
from snowpipe_sandbox.aws.events import Happening
from snowpipe_sandbox.aws.http import HttpResponse

_CREATIONS = {
    "PutObject": "ObjectCreated:Put",
    "CopyObject": "ObjectCreated:Copy",
    "CompleteMultipartUpload": "ObjectCreated:CompleteMultipartUpload",
}
_TAGGINGS = {"PutObjectTagging": "ObjectTagging:Put", "DeleteObjectTagging": "ObjectTagging:Delete"}
MOST_DELETED = 1_000


def naive(moment: datetime) -> datetime:
    """Moto keeps its times without a zone, in UTC."""
    return moment.astimezone(UTC).replace(tzinfo=None)


@dataclass(frozen=True, slots=True)
class Before:
    """What was under the key before a call that may remove it."""

    existed: bool
    versioned: bool


def before(call: Call, bucket: Any) -> Before:
    """Look before the call is made."""
    version = str(call.parameters.get("versionId", "")) or None
    stored = stores.current_object(bucket, call.key, version)
    return Before(stored is not None, bucket.versioning_status == "Enabled")


def happening(call: Call, bucket: Any, earlier: Before, now: datetime) -> Happening | None:
    """What a successful call did to its object; None when nothing that S3 reports.

    A delete of a key that was not there reports nothing here (what AWS does is not documented).
    """
    if call.operation in _CREATIONS:
        stored = stores.current_object(bucket, call.key)
        if stored is None:
            return None
        stored.last_modified = naive(now)
        return _of(_CREATIONS[call.operation], bucket, stored)
    if call.operation in _TAGGINGS:
        stored = stores.current_object(bucket, call.key)
        return _of(_TAGGINGS[call.operation], bucket, stored) if stored is not None else None
    if call.operation != "DeleteObject":
        return None
    return _removal(call, bucket, earlier, now)


def _of(name: str, bucket: Any, stored: Any) -> Happening:
    version = str(stored.version_id) if bucket.versioning_status == "Enabled" else None
    return Happening(name, stored.name, stored.size, stored.etag.strip('"'), version)


def _removal(call: Call, bucket: Any, earlier: Before, now: datetime) -> Happening | None:
    if "versionId" in call.parameters:
        version = str(call.parameters["versionId"])
        return Happening("ObjectRemoved:Delete", call.key, version_id=version)
    if earlier.versioned:
        marker = stores.latest_version(bucket, call.key)
        if marker is None:
            return None
        marker.last_modified = naive(now)
        return Happening("ObjectRemoved:DeleteMarkerCreated", call.key, version_id=str(marker.version_id))
    return Happening("ObjectRemoved:Delete", call.key) if earlier.existed else None


def delete_objects(call: Call, delete: Callable[[Call], HttpResponse]) -> HttpResponse:
    """DeleteObjects as that many DeleteObject calls; each is allowed, or refused, by itself.

    ``delete`` runs one of them and raises AwsError when it is refused.
    """
    wanted, quiet = _wanted(call)
    parts = []
    for key, version in wanted:
        try:
            answer = delete(_one(call, key, version))
        except AwsError as refused:
            parts.append(_error(key, version, refused))
            continue
        if not quiet:
            parts.append(_deleted(key, version, answer.headers))
    body = '<?xml version="1.0" encoding="UTF-8"?>\n<DeleteResult>' + "".join(parts) + "</DeleteResult>"
    return HttpResponse(200, {"Content-Type": "application/xml"}, body.encode())


def _wanted(call: Call) -> tuple[list[tuple[str, str | None]], bool]:
    malformed = AwsError(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
    try:
        root = ET.fromstring(call.request.body)
    except ET.ParseError:
        raise malformed from None
    found: list[tuple[str, str | None]] = []
    quiet = False
    for child in root:
        name = child.tag.rpartition("}")[2]
        if name == "Object":
            members = {one.tag.rpartition("}")[2]: one.text or "" for one in child}
            found.append((members.get("Key", ""), members.get("VersionId")))
        elif name == "Quiet":
            quiet = child.text == "true"
    if not found or len(found) > MOST_DELETED or not all(key for key, _ in found):
        raise malformed
    return found, quiet


def _one(call: Call, key: str, version: str | None) -> Call:
    """The DeleteObject call for one of the keys."""
    query = {"versionId": version} if version is not None else {}
    headers = {
        name: value
        for name, value in call.request.headers.items()
        if name in ("host", "user-agent", "authorization")
    }
    request = replace(
        call.request,
        method="DELETE",
        path=f"/{call.bucket}/{quote(key, safe='/')}",
        query_string=urlencode(query),
        query=query,
        headers=headers,
        body=b"",
    )
    action = "DeleteObject" if version is None else "DeleteObjectVersion"
    return replace(call, operation="DeleteObject", action=action, key=key, parameters=query, request=request)


def _deleted(key: str, version: str | None, headers: Mapping[str, str]) -> str:
    lower = {name.lower(): value for name, value in headers.items()}
    parts = [f"<Key>{escape(key)}</Key>"]
    if version is not None:
        parts.append(f"<VersionId>{escape(version)}</VersionId>")
    if lower.get("x-amz-delete-marker") == "true":
        marker = lower.get("x-amz-version-id", "")
        parts.append(
            f"<DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>{marker}</DeleteMarkerVersionId>"
        )
    return f"<Deleted>{''.join(parts)}</Deleted>"


def _error(key: str, version: str | None, refused: AwsError) -> str:
    found = f"<VersionId>{escape(version)}</VersionId>" if version is not None else ""
    return (
        f"<Error><Key>{escape(key)}</Key>{found}<Code>{escape(refused.code)}</Code>"
        f"<Message>{escape(refused.message)}</Message></Error>"
    )
