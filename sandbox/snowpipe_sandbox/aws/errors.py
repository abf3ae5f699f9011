"""Errors as AWS writes them: a code, an HTTP status and a message in the service's own protocol.

Codes and statuses: AWS API models (botocore 1.44.5). The wire forms are those botocore's parsers read:
S3 ``<Error>``, query ``<ErrorResponse>``, and JSON ``__type`` with the query-compatible header.
"""

import json
import uuid
from collections.abc import Mapping
from xml.sax.saxutils import escape

from snowpipe_sandbox.aws.http import HttpResponse

Protocol = str
"""``s3`` (REST XML), ``query`` (IAM, STS, SNS, old SQS) or ``json`` (SQS, SSM, KMS)."""


class AwsError(Exception):
    """A refusal with AWS' own words; ``extra`` are further elements of S3's error document."""

    def __init__(
        self, code: str, message: str, status: int = 400, extra: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.extra = dict(extra or {})


class NotEmulated(AwsError):
    """What the sandbox does not do, it refuses."""

    def __init__(self, what: str) -> None:
        super().__init__("NotImplemented", f"not emulated: {what}", 501)


# The code AWS' JSON services answer instead of a query service's, where they differ.
_JSON_CODES = {"AccessDenied": "AccessDeniedException", "Throttling": "ThrottlingException"}


def new_request_id() -> str:
    """A request id as IAM and its kin show it."""
    return str(uuid.uuid4())


def render(error: AwsError, protocol: Protocol, resource: str = "", *, head: bool = False) -> HttpResponse:
    """``error`` on the wire. A HEAD answer has no body, so its reader sees only the status."""
    request_id = new_request_id()
    if protocol == "s3":
        return _s3(error, resource, request_id, head=head)
    if protocol == "json":
        code = _JSON_CODES.get(error.code, error.code)
        body = json.dumps({"__type": f"com.amazonaws#{code}", "message": error.message}).encode()
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "x-amzn-RequestId": request_id,
            "x-amzn-ErrorType": code,
        }
        return HttpResponse(400 if error.status == 403 else error.status, headers, body)
    kind = "Receiver" if error.status >= 500 else "Sender"
    body = (
        f"<ErrorResponse><Error><Type>{kind}</Type><Code>{escape(error.code)}</Code>"
        f"<Message>{escape(error.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    ).encode()
    return HttpResponse(error.status, {"Content-Type": "text/xml", "x-amzn-RequestId": request_id}, body)


def _s3(error: AwsError, resource: str, request_id: str, *, head: bool) -> HttpResponse:
    short_id = request_id.replace("-", "")[:16].upper()
    extra = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in error.extra.items())
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>{extra}"
        f"<Resource>{escape(resource)}</Resource><RequestId>{short_id}</RequestId>"
        f"<HostId>{request_id}</HostId></Error>"
    ).encode()
    headers = {"Content-Type": "application/xml", "x-amz-request-id": short_id, "x-amz-id-2": request_id}
    return HttpResponse(error.status, headers, b"" if head else body)
