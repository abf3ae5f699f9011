"""Signature Version 4, verified: the caller has the secret that belongs to the access key.

Source: `AWS Signature Version 4 signing process
<https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>`_. The age of a request is
not checked: a tenant's clock may be days ahead of its client's.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl, quote

from snowpipe_sandbox.aws.errors import AwsError
from snowpipe_sandbox.aws.http import HttpRequest

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]+)"
)
_UNSIGNED = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request says about its signer: key, scope, and how it was signed."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    token: str
    presigned: bool
    timestamp: str


def credential_of(request: HttpRequest) -> Credential | None:
    """The signer of a request (header or presigned URL); None for an anonymous one.

    Raises AwsError IncompleteSignature when there is one that cannot be read.
    """
    header = request.headers.get("authorization", "")
    if header:
        found = _AUTHORIZATION.match(header)
        if not found:
            raise AwsError("IncompleteSignature", f"Authorization header cannot be read: {header[:40]!r}")
        scope, signed, signature = found.groups()
        token = request.headers.get("x-amz-security-token", "")
        timestamp = request.headers.get("x-amz-date", "")
        return _credential(scope, signed, signature, token, timestamp, presigned=False)
    if "X-Amz-Credential" in request.query:
        query = request.query
        return _credential(
            query["X-Amz-Credential"],
            query.get("X-Amz-SignedHeaders", ""),
            query.get("X-Amz-Signature", ""),
            query.get("X-Amz-Security-Token", ""),
            query.get("X-Amz-Date", ""),
            presigned=True,
        )
    return None


def _credential(
    scope: str, signed: str, signature: str, token: str, timestamp: str, *, presigned: bool
) -> Credential:
    parts = scope.split("/")
    if len(parts) != 5:
        raise AwsError(
            "IncompleteSignature", f"Credential must have exactly 5 slash-delimited elements: {scope}"
        )
    key, date, region, service, _ = parts
    headers = tuple(signed.split(";"))
    return Credential(key, date, region, service, headers, signature, token, presigned, timestamp)


@lru_cache(maxsize=1024)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _canonical_query(request: HttpRequest) -> str:
    pairs = parse_qsl(request.query_string, keep_blank_values=True)
    encoded = [
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in pairs
        if name != "X-Amz-Signature"
    ]
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))


def _payload_hash(request: HttpRequest, credential: Credential) -> str:
    if credential.presigned:
        return _UNSIGNED
    declared = request.headers.get("x-amz-content-sha256")
    return declared or hashlib.sha256(request.body).hexdigest()


def signature_matches(request: HttpRequest, credential: Credential, secret: str) -> bool:
    """Whether the request was signed with ``secret``, and its declared body hash is its body's."""
    declared = request.headers.get("x-amz-content-sha256", "")
    if re.fullmatch(r"[0-9a-f]{64}", declared) and declared != hashlib.sha256(request.body).hexdigest():
        return False
    path = request.path if credential.service == "s3" else quote(request.path, safe="/-_.~")
    headers = "".join(
        f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in credential.signed_headers
    )
    canonical = "\n".join(
        [
            request.method,
            path,
            _canonical_query(request),
            headers,
            ";".join(credential.signed_headers),
            _payload_hash(request, credential),
        ]
    )
    scope = f"{credential.date}/{credential.region}/{credential.service}/aws4_request"
    to_sign = "\n".join(
        [
            "AWS4-HMAC-SHA256",
            credential.timestamp,
            scope,
            hashlib.sha256(canonical.encode()).hexdigest(),
        ]
    )
    key = _signing_key(secret, credential.date, credential.region, credential.service)
    expected = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, credential.signature)
