"""S3 around moto: what is checked, served or done here instead of there.

Sources: AWS API model s3 (botocore 1.44.5); defaults of new buckets: `Default settings for new buckets
<https://docs.aws.amazon.com/AmazonS3/latest/userguide/create-bucket-faq.html>`_ (ACLs disabled, public access
blocked, SSE-S3); ExpectedBucketOwner: `Verifying bucket ownership
<https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html>`_.
"""

from typing import Any

from snowpipe_sandbox.aws import notifications, objects, stores
from snowpipe_sandbox.aws.authorisation import Judge
from snowpipe_sandbox.aws.calls import Call, bucket_in_host
from snowpipe_sandbox.aws.conditions import listed
from snowpipe_sandbox.aws.delivery import no_entry, refusal
from snowpipe_sandbox.aws.errors import AwsError, NotEmulated
from snowpipe_sandbox.aws.events import Events, Happening
from snowpipe_sandbox.aws.http import HttpResponse
from snowpipe_sandbox.aws.iam import Document, statements
from snowpipe_sandbox.aws.listing import SortedKeys, list_objects
from snowpipe_sandbox.aws.moto import Moto
from snowpipe_sandbox.aws.opening import default_encryption, set_bucket_defaults
from snowpipe_sandbox.aws.realm import Realm
from snowpipe_sandbox.aws.targets import copy_source, no_such_bucket
from snowpipe_sandbox.aws.validation import PrincipalExists, check_resource_document

_KEY_CHANGES = {
    "PutObject", "CopyObject", "CompleteMultipartUpload", "DeleteObject", "PutObjectTagging",
    "DeleteObjectTagging",
}  # fmt: skip
_READS_OBJECT = {"GetObject", "HeadObject", "GetObjectTagging", "GetObjectAttributes"}
# Headers whose effect is not emulated: an object lock that does not lock would be a kindness.
_NOT_EMULATED_HEADERS = (
    "x-amz-object-lock-mode", "x-amz-object-lock-legal-hold", "x-amz-website-redirect-location",
    "x-amz-server-side-encryption-customer-algorithm", "x-amz-grant-read", "x-amz-grant-full-control",
    "x-amz-bucket-object-lock-enabled",
)  # fmt: skip
# Paths moto's own server keeps for itself: no bucket can be reached under them.
_MOTOS_OWN = ("/moto-api", "/latest/meta-data/", "/latest/api/", "/favicon.ico")
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
LONGEST_KEY = 1_024
_CHANGING_A_COPY = {
    "x-amz-storage-class", "x-amz-server-side-encryption", "x-amz-website-redirect-location",
}  # fmt: skip
_NOTHING_CHANGES = (
    "This copy request is illegal because it is trying to copy an object to itself without changing the "
    "object's metadata, storage class, website redirect location or encryption attributes."
)
_NO_ACLS = "The bucket does not allow ACLs"
EMPTY = b""


class S3:
    """The S3 service of every account."""

    def __init__(self, moto: Moto, events: Events) -> None:
        self._moto = moto
        self._events = events
        self._keys = SortedKeys()

    def forget(self, bucket: str) -> None:
        """The bucket is gone."""
        self._keys.changed(bucket)
        self._events.forget(bucket)

    def check_owner(self, call: Call) -> None:
        """ExpectedBucketOwner, of the bucket and of a copy's source: 403 when it is another account's."""
        headers = call.request.headers
        expected = headers.get("x-amz-expected-bucket-owner")
        bucket = stores.bucket_named(call.bucket)
        if expected and bucket is not None and bucket.account_id != expected:
            raise AwsError("AccessDenied", "Access Denied", 403)
        expected = headers.get("x-amz-source-expected-bucket-owner")
        if expected and "x-amz-copy-source" in headers:
            source = stores.bucket_named(copy_source(call)[0])
            if source is not None and source.account_id != expected:
                raise AwsError("AccessDenied", "Access Denied", 403)

    @staticmethod
    def check_region(call: Call) -> None:
        """A call signed for another region than the bucket's: 301 PermanentRedirect, which SDKs follow.

        Signed for us-east-1 and addressed by host name, it has gone to the bucket's own region, where only
        the signature is wrong: 400 AuthorizationHeaderMalformed. GetBucketLocation answers anywhere.
        Recorded in https://github.com/JuliaCloud/AWSS3.jl/issues/25,
        https://github.com/aws/aws-sdk-net/issues/1956, https://github.com/aws/aws-sdk-net/issues/1835.
        """
        bucket = stores.bucket_named(call.bucket)
        if bucket is None or not call.region or call.region == bucket.region_name:
            return
        if call.operation in ("GetBucketLocation", "CreateBucket"):
            return
        region = bucket.region_name
        if call.region == "us-east-1" and bucket_in_host(call.request):
            wrong = f"the region '{call.region}' is wrong; expecting '{region}'"
            message = f"The authorization header is malformed; {wrong}"
            raise AwsError("AuthorizationHeaderMalformed", message, 400, {"Region": region})
        raise AwsError(
            "PermanentRedirect",
            "The bucket you are attempting to access must be addressed using the specified endpoint. Please "
            "send all future requests to this endpoint.",
            301,
            {"Bucket": call.bucket, "Endpoint": f"{call.bucket}.s3-{region}.amazonaws.com"},
        )

    def check(self, call: Call, judge: Judge, exists: PrincipalExists) -> None:
        """What S3 refuses of an authorised call, and moto does not. Read-only."""
        if call.request.decoded_path.startswith(_MOTOS_OWN):
            raise NotEmulated(f"S3 path {call.request.decoded_path}")
        for name in _NOT_EMULATED_HEADERS:
            if name in call.request.headers:
                raise NotEmulated(f"S3 header {name}")
        acl = call.request.headers.get("x-amz-acl", "")
        if acl not in ("", "private", "bucket-owner-full-control"):
            raise AwsError("AccessControlListNotSupported", _NO_ACLS, 400)
        if len(call.key.encode()) > LONGEST_KEY:
            size = {"Size": str(len(call.key.encode())), "MaxSizeAllowed": str(LONGEST_KEY)}
            raise AwsError("KeyTooLongError", "Your key is too long", 400, size)
        if call.operation == "CopyObject":
            _check_copy(call)
        if call.operation in _READS_OBJECT:
            self._check_readable(call, judge)
        judge.require_object_key(call)
        if call.operation == "PutBucketPolicy":
            self._check_policy(call, exists)

    def _check_readable(self, call: Call, judge: Judge) -> None:
        bucket = stores.bucket_named(call.bucket)
        version = str(call.parameters.get("versionId", "")) or None
        if stores.current_object(bucket, call.key, version) is None and not judge.may_list(call):
            raise AwsError("AccessDenied", "Access Denied", 403)

    @staticmethod
    def _check_policy(call: Call, exists: PrincipalExists) -> None:
        text = call.request.body.decode("utf-8", "replace")
        try:
            document = check_resource_document(text, exists)
        except AwsError as wrong:
            message = "Invalid principal in policy" if "principal" in wrong.message else wrong.message
            if "invalid Json" in message:
                message = "Policies must be valid JSON and the first byte must be '{'"
            raise AwsError("MalformedPolicy", message, 400) from None
        for statement in statements(document):
            for resource in listed(statement.get("Resource", statement.get("NotResource"))):
                bucket = resource.partition(":s3:::")[2].partition("/")[0]
                if bucket != call.bucket:
                    raise AwsError("MalformedPolicy", "Policy has invalid resource", 400)
        if _is_public(document):
            raise AwsError(
                "AccessDenied",
                "public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.",
                403,
            )

    def run(self, call: Call, judge: Judge, realm: Realm) -> tuple[HttpResponse, Happening | None]:
        """Do an authorised call; the answer, and what happened to an object if something did."""
        if call.operation == "CreateBucket":
            return self._create_bucket(call, judge), None
        bucket = stores.bucket_named(call.bucket) if call.bucket else None
        if call.bucket and bucket is None:
            raise no_such_bucket(call.bucket)
        account = bucket.account_id if bucket is not None else judge.caller.principal.account
        if call.operation == "ListObjectsV2":
            with self._moto.lock("s3", account):
                return list_objects(call, bucket, self._keys.of(bucket)), None
        if call.operation == "GetBucketNotificationConfiguration":
            late = realm.faults.take("unseen", call.name)
            document = (self._events.before if late else self._events.stored)(call.bucket)
            return HttpResponse(
                200, {"Content-Type": "application/xml"}, notifications.render(document)
            ), None
        if call.operation == "PutBucketNotificationConfiguration":
            return self._put_notifications(call, bucket, realm), None
        if call.operation in _KEY_CHANGES:
            return self._change(call, bucket, judge)
        return self._call_moto(call, bucket, account), None

    def _call_moto(self, call: Call, bucket: Any, account: str) -> HttpResponse:
        answer = self._moto.call(call, account)
        if call.operation == "DeleteBucket" and answer.status < 300:
            self.forget(call.bucket)
        if call.operation == "DeleteBucketEncryption" and answer.status < 300:
            bucket.encryption = default_encryption()
        if call.operation == "HeadBucket":
            answer.headers["x-amz-bucket-region"] = bucket.region_name
        return answer

    def _create_bucket(self, call: Call, judge: Judge) -> HttpResponse:
        account = judge.caller.principal.account
        existed = stores.bucket_named(call.bucket) is not None
        answer = self._moto.call(call, account)
        bucket = stores.bucket_named(call.bucket)
        if answer.status < 300 and bucket is not None and not existed:
            set_bucket_defaults(bucket)
        return answer

    def _put_notifications(self, call: Call, bucket: Any, realm: Realm) -> HttpResponse:
        document = notifications.parse(call.request.body)
        notifications.check(document)
        skip = call.request.headers.get("x-amz-skip-destination-validation", "").lower() == "true"
        if not skip:
            shut = realm.faults.take("unready_destination", call.name)
            notifications.check_destinations(
                document, lambda rule: no_entry(rule.kind.lower()) if shut else refusal(bucket, rule)
            )
        self._events.store(bucket, notifications.with_ids(document), realm)
        return HttpResponse(200, {}, EMPTY)

    def _change(self, call: Call, bucket: Any, judge: Judge) -> tuple[HttpResponse, Happening | None]:
        """A call that changes an object: made, timed by the tenant's clock, and told of."""
        with self._moto.lock("s3", bucket.account_id):
            earlier = objects.before(call, bucket)
            answer = self._moto.call(call, bucket.account_id)
            if answer.status >= 300 or b"<Error>" in answer.body[:300]:
                return answer, None
            self._keys.changed(call.bucket)
            return answer, objects.happening(call, bucket, earlier, judge.now)


def _check_copy(call: Call) -> None:
    """A copy onto itself that changes nothing is refused, unless the bucket's own encryption is set.

    *Observed:* https://github.com/getmoto/moto/issues/6300, https://github.com/getmoto/moto/issues/6303.
    """
    headers, bucket = call.request.headers, stores.bucket_named(call.bucket)
    changes = headers.get("x-amz-metadata-directive") == "REPLACE" or set(headers) & _CHANGING_A_COPY
    bucket_name, key, version = copy_source(call)
    itself = (bucket_name, key) == (call.bucket, call.key) and version is None
    if itself and not changes and bucket is not None and bucket.encryption == default_encryption():
        raise AwsError("InvalidRequest", _NOTHING_CHANGES, 400)


def _is_public(document: Document) -> bool:
    """A policy that lets everyone in, unconditionally."""
    return any(
        one.get("Effect") == "Allow"
        and one.get("Principal") in ("*", {"AWS": "*"})
        and not one.get("Condition")
        for one in statements(document)
    )
