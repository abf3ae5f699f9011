"""Pages of a bucket's listing, read as fast as they come: boto3 signs, and its parser is not asked.

boto3 takes 100 ms of CPU to make objects of a page of 1,000 keys, which is longer than S3 takes.
"""

import random
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_plus
from xml.sax.saxutils import unescape

from runbook.clouds.calls import translated_aws
from runbook.clouds.connections import client_for
from runbook.clouds.failures import AwsFailed
from runbook.clouds.network import SILENT_S, one_line
from runbook.clouds.reader import Reader
from runbook.errors import CannotTell
from runbook.listing.ranges import Fetch, Page

TRIES = 10
LONGEST_PAUSE_S = 20.0
ANSWER_S = 20  # for each attempt, as of every other call of AWS

# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
AGAIN = (429, 500, 502, 503, 504)

_KEY = re.compile(rb"<Key>([^<]*)</Key>")
_MODIFIED = re.compile(rb"<LastModified>([^<]*)</LastModified>")
_SIZE = re.compile(rb"<Size>(\d+)</Size>")


class Broken(Exception):
    """An answer of status 200 whose text is not whole: S3 begins to answer before it knows the end."""


def of_bucket(reader: Reader, bucket: str, prefix: str, *, connections: int) -> Fetch:
    """Pages of one prefix, asked with the caller's own AWS credentials; each asked again while S3 is busy.

    Raises AwsFailed where AWS refuses, CannotTell where nobody answers.
    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
    """
    client = client_for(reader.clouds, "s3", {"Bucket": bucket})
    send = _sender(reader, client, connections)

    def fetch(after: str, limit: int) -> Page:
        asked = {"Bucket": bucket, "Prefix": prefix, "MaxKeys": limit, "EncodingType": "url"}
        if after:
            asked["StartAfter"] = after
        with reader.asked("aws", "s3"):
            return patiently(lambda: send(asked), reader.sleep, reader.now)

    return fetch


def _sender(reader: Reader, client: Any, connections: int) -> Callable[[dict[str, Any]], Page]:
    """One request, through the proxies and with the certificates that boto3 would use."""
    from botocore.awsrequest import AWSRequest
    from botocore.httpsession import URLLib3Session
    from botocore.utils import get_environ_proxies

    url = client.meta.endpoint_url
    options: dict[str, Any] = {"verify": reader.clouds.ca_bundle() or True, "timeout": (10, ANSWER_S)}
    session = URLLib3Session(proxies=get_environ_proxies(url), max_pool_connections=connections, **options)

    def send(asked: dict[str, Any]) -> Page:
        with translated_aws("s3", "ListObjectsV2"):
            signed = client.generate_presigned_url("list_objects_v2", Params=asked)
            answer = session.send(AWSRequest("GET", signed).prepare())
            return read(answer.status_code, answer.content)

    return send


def patiently(
    ask: Callable[[], Page], sleep: Callable[[float], None], now: Callable[[], float] = time.monotonic
) -> Page:
    """The answer, asked for again with growing, random pauses while S3 says slow down or nothing whole.

    Who gives no answer at all is given up after SILENT_S, like everybody else.
    """
    begun = now()
    for tried in range(TRIES):
        try:
            return ask()
        except (AwsFailed, Broken, CannotTell) as error:
            is_silent = isinstance(error, CannotTell) and now() - begun > SILENT_S
            if tried == TRIES - 1 or is_silent or not _may_pass(error):
                raise _unread() if isinstance(error, Broken) else error from None
            sleep(random.uniform(0, min(0.1 * 2**tried, LONGEST_PAUSE_S)))  # noqa: S311 (no secret)
    raise AssertionError("unreachable")


def _unread() -> CannotTell:
    return CannotTell(
        "The bucket's listing cannot be read",
        why="What answers in place of S3 does not send a listing, or none that is whole",
        remedy="check the network, the proxy and the endpoint, and run the command again",
        unreachable=True,
    )


def _may_pass(error: Exception) -> bool:
    if isinstance(error, AwsFailed):
        return error.code in ("SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "busy")
    return isinstance(error, Broken) or (isinstance(error, CannotTell) and error.unreachable)


def read(status: int, body: bytes) -> Page:
    """A page from its XML; raises AwsFailed for an error's, Broken for one that is not whole."""
    if status != 200 or b"<Error>" in body[:200]:
        code, message = (_text(body, name) for name in (b"Code", b"Message"))
        raise AwsFailed(
            "s3",
            "ListObjectsV2",
            code or ("busy" if status in AGAIN else str(status)),
            message,
            _text(body, b"RequestId"),
        )
    keys, modified, sizes = _KEY.findall(body), _MODIFIED.findall(body), _SIZE.findall(body)
    if not body.rstrip().endswith(b"</ListBucketResult>") or not len(keys) == len(modified) == len(sizes):
        raise Broken
    return Page(_names(keys, body), modified, sizes, more=b"<IsTruncated>true<" in body)


def _names(keys: list[bytes], body: bytes) -> list[str]:
    """The keys as text: percent-encoded where S3 says so, else XML's own escapes."""
    names = b"\n".join(keys).decode().split("\n") if keys else []
    if b"<EncodingType>url</EncodingType>" in body:
        return [unquote_plus(name) if "%" in name or "+" in name else name for name in names]
    return [unescape(name) if "&" in name else name for name in names]


def _text(body: bytes, name: bytes) -> str:
    found = re.search(rb"<%b>([^<]*)</%b>" % (name, name), body)
    return one_line(found[1].decode(errors="replace")) if found else ""
