"""ListObjectsV2, served here: in UTF-8 byte order, a page at a time, without looking at every key.

Source: AWS API model s3 (botocore 1.44.5), operation ListObjectsV2: at most 1,000 keys a page whatever is
asked, common prefixes count towards them, the continuation token is opaque, StartAfter need not exist.
"""

import base64
import binascii
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

from snowpipe_sandbox.aws import stores
from snowpipe_sandbox.aws.calls import Call
from snowpipe_sandbox.aws.events import iso, principal_id
from snowpipe_sandbox.aws.http import HttpResponse
from snowpipe_sandbox.aws.notifications import invalid_argument

PAGE = 1_000
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


class SortedKeys:
    """The keys of every bucket in order, sorted again only after they changed. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sorted: dict[str, list[str]] = {}

    def changed(self, bucket: str) -> None:
        """An object was written or removed."""
        with self._lock:
            self._sorted.pop(bucket, None)

    def of(self, bucket: Any) -> list[str]:
        """The bucket's keys; Python's order of str is that of their UTF-8 bytes."""
        with self._lock:
            found = self._sorted.get(bucket.name)
            if found is None:
                found = sorted(bucket.keys.keys())
                self._sorted[bucket.name] = found
            return found


@dataclass(frozen=True, slots=True)
class _Asked:
    prefix: str
    delimiter: str
    after: str
    inclusive: bool
    most: int


def _asked(call: Call) -> _Asked:
    parameters = call.parameters
    try:
        most = int(parameters.get("max-keys", PAGE))
    except ValueError:
        raise invalid_argument(
            "Provided max-keys not an integer or within integer range", ArgumentName="max-keys"
        ) from None
    if most < 0:
        raise invalid_argument(
            "Argument maxKeys must be an integer between 0 and 2147483647", ArgumentName="maxKeys"
        )
    token = parameters.get("continuation-token")
    after, inclusive = _token(str(token)) if token is not None else (parameters.get("start-after", ""), False)
    return _Asked(
        parameters.get("prefix", ""), parameters.get("delimiter", ""), after, inclusive, min(most, PAGE)
    )


def _token(token: str) -> tuple[str, bool]:
    """What a continuation token stands for: the key or common prefix the last page ended with."""
    wrong = invalid_argument(
        "The continuation token provided is incorrect", ArgumentName="continuation-token"
    )
    try:
        text = base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, ValueError):
        raise wrong from None
    if text[:1] not in ("k", "p"):
        raise wrong
    return text[1:], text[0] == "p"


def _next_token(last: str, *, is_prefix: bool) -> str:
    return base64.urlsafe_b64encode((("p" if is_prefix else "k") + last).encode()).decode()


def _entries(bucket: Any, keys: list[str], asked: _Asked) -> Iterator[tuple[str, Any | None]]:
    """(key, object), or (common prefix, None), in order, from where the page begins."""
    position = max(bisect_left(keys, asked.prefix), bisect_right(keys, asked.after) if asked.after else 0)
    last_prefix = asked.after if asked.inclusive else None
    while position < len(keys) and keys[position].startswith(asked.prefix):
        key = keys[position]
        position += 1
        if last_prefix and key.startswith(last_prefix):
            continue
        stored = stores.current_object(bucket, key)
        if stored is None:
            continue
        end = key.find(asked.delimiter, len(asked.prefix)) if asked.delimiter else -1
        if end < 0:
            yield key, stored
            continue
        last_prefix = key[: end + len(asked.delimiter)]
        # U+10FFFF sorts after every key under the prefix
        position = bisect_left(keys, last_prefix + "\U0010ffff", position)
        if not asked.after or not asked.after.startswith(last_prefix):
            yield last_prefix, None


def list_objects(call: Call, bucket: Any, keys: list[str]) -> HttpResponse:
    """One page of a bucket. Read-only."""
    asked = _asked(call)
    page: list[tuple[str, Any | None]] = []
    truncated = False
    for entry in _entries(bucket, keys, asked):
        if len(page) == asked.most:
            truncated = asked.most > 0
            break
        page.append(entry)
    return HttpResponse(
        200, {"Content-Type": "application/xml"}, _render(call, bucket, asked, page, truncated)
    )


def _render(
    call: Call,
    bucket: Any,
    asked: _Asked,
    page: list[tuple[str, Any | None]],
    truncated: bool,  # noqa: FBT001
) -> bytes:
    parameters = call.parameters
    encoded = parameters.get("encoding-type") == "url"

    def written(text: str) -> str:
        return quote(text, safe="/") if encoded else escape(text)

    def element(name: str, parameter: str) -> str:
        return f"<{name}>{written(str(parameters[parameter]))}</{name}>" if parameter in parameters else ""

    owner = f"<Owner><ID>{principal_id(bucket.account_id)}</ID></Owner>"
    owner = owner if parameters.get("fetch-owner") == "true" else ""
    parts = [
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="{_NAMESPACE}">',
        f"<Name>{bucket.name}</Name><Prefix>{written(asked.prefix)}</Prefix>",
        element("StartAfter", "start-after"),
        element("Delimiter", "delimiter"),
        f"<MaxKeys>{asked.most}</MaxKeys><KeyCount>{len(page)}</KeyCount>",
        "<EncodingType>url</EncodingType>" if encoded else "",
        f"<IsTruncated>{str(truncated).lower()}</IsTruncated>",
    ]
    if "continuation-token" in parameters:
        token = escape(str(parameters["continuation-token"]))
        parts.append(f"<ContinuationToken>{token}</ContinuationToken>")
    if truncated:
        last, stored = page[-1]
        token = _next_token(last, is_prefix=stored is None)
        parts.append(f"<NextContinuationToken>{token}</NextContinuationToken>")
    parts += [_contents(written(key), stored, owner) for key, stored in page if stored is not None]
    parts += [
        f"<CommonPrefixes><Prefix>{written(prefix)}</Prefix></CommonPrefixes>"
        for prefix, stored in page
        if stored is None
    ]
    return ("".join(parts) + "</ListBucketResult>").encode()


def _contents(key: str, stored: Any, owner: str) -> str:
    """An object's line. Its time is of whole seconds, written with .000.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html (its sample answers)
    """
    modified = iso(stored.last_modified.replace(microsecond=0))
    return (
        f"<Contents><Key>{key}</Key><LastModified>{modified}</LastModified>"
        f"<ETag>{escape(stored.etag, {chr(34): '&quot;'})}</ETag><Size>{stored.size}</Size>{owner}"
        f"<StorageClass>{stored.storage_class}</StorageClass></Contents>"
    )
