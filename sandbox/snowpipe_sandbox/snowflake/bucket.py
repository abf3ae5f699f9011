"""Snowflake's side of a bucket: an ordinary AWS client that assumes the integration's role.

Trust, external ID and permissions are judged by AWS, never here. What AWS answers becomes Snowflake's errors
(sources: Snowflake §1.1, §1.7, §5.2).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from snowpipe_sandbox.snowflake import errors, load_errors
from snowpipe_sandbox.snowflake.aws_client import Keys, acting, client
from snowpipe_sandbox.snowflake.errors import SnowflakeError

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.account import Account
    from snowpipe_sandbox.snowflake.catalog import Integration

LIST_PAGE = 1000
REFUSED = "AccessDenied"
CHECKS_FAILED = (
    "Some of the integration checks failed. Check the Snowflake documentation for more information."
)


@dataclass(frozen=True, slots=True)
class StagedFile:
    """An object under a stage. ``etag`` is unquoted; ``last_modified`` aware."""

    bucket: str
    key: str
    size: int
    etag: str
    last_modified: datetime

    @property
    def path(self) -> str:
        """``bucket/key``."""
        return f"{self.bucket}/{self.key}"

    @property
    def url(self) -> str:
        """``s3://bucket/key``."""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class _Cached:
    keys: Keys
    assumed_at: datetime


class BucketReader:
    """Reads customers' buckets for one account."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._lock = threading.Lock()
        self._cached: dict[tuple[str, str], _Cached] = {}
        self._regions: dict[str, str] = {}
        self.credential_cache_s: float = 0.0
        """How long a role's temporary credentials are reused; up to 3600 on real accounts (sources §1.1)."""
        self.gone_is_denied = False
        """Say of a file that is gone what Snowflake says too at times: that access to it is denied.

        Source: https://docs.snowflake.com/en/user-guide/data-load-snowpipe-ts
        """

    # -- whose keys --------------------------------------------------------------------------------------

    @property
    def _endpoint_url(self) -> str:
        return self._account.aws.endpoint_url

    @property
    def own_keys(self) -> Keys:
        """Snowflake's IAM user."""
        return Keys(self._account.aws.access_key_id, self._account.aws.secret_access_key)

    def reach(self, integration: Integration) -> RoleSession:
        """A session of the integration's role, for one statement or one batch of files.

        Raises SnowflakeError 003167 when AWS does not let Snowflake's user assume it.
        """
        return RoleSession(self, self.role_keys(integration))

    def role_keys(self, integration: Integration) -> Keys:
        """Temporary keys of the integration's role. Raises 003167."""
        if integration.keys is not None:
            return integration.keys
        key = (integration.role_arn, integration.external_id)
        now = self._account.clock.now()
        with self._lock:
            cached = self._cached.get(key)
        if cached and now - cached.assumed_at < timedelta(seconds=self.credential_cache_s):
            return cached.keys
        keys = self._assume(integration)
        with self._lock:
            self._cached[key] = _Cached(keys, now)
        return keys

    def _assume(self, integration: Integration) -> Keys:
        sts = client(self._endpoint_url, "sts", self._account.aws.region)
        try:
            with acting(self.own_keys):
                answer = sts.assume_role(
                    RoleArn=integration.role_arn,
                    RoleSessionName="snowflake",
                    ExternalId=integration.external_id,
                )
        except ClientError as refused:
            raise errors.error_assuming_role(refused.response["Error"].get("Message", "")) from None
        except BotoCoreError as broken:
            raise errors.error_assuming_role(str(broken)) from None
        given = answer["Credentials"]
        return Keys(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])

    # -- where a bucket is -------------------------------------------------------------------------------

    def bucket_region(self, integration: Integration, bucket: str) -> str:
        """A bucket's region, as S3 tells it with every answer about a bucket, also with a refusal.

        *Observed:* installations whose role may not ask GetBucketLocation have pipes; so Snowflake goes
        without (by which call nobody says). Source: AWS API model s3, HeadBucket. Raises 003167, or 091003
        where the bucket does not exist.
        """
        try:
            with self.reach(integration).calls(raw=True) as s3:
                answer = s3.head_bucket(Bucket=bucket)
        except ClientError as refused:
            answer = refused.response
        except BotoCoreError as broken:
            raise errors.stage_failure(str(broken)) from None
        headers = answer["ResponseMetadata"].get("HTTPHeaders", {})
        if region := headers.get("x-amz-bucket-region"):
            return str(region)
        raise errors.stage_failure(cause(ClientError(answer, "HeadBucket")))

    def s3_client(self) -> Any:
        """S3's client; path-style addresses make one region's client serve all here."""
        return client(self._endpoint_url, "s3", self._account.aws.region)

    # -- SYSTEM$VALIDATE_STORAGE_INTEGRATION -------------------------------------------------------------

    def validate(self, integration: Integration, url: str, file: str, action: str) -> dict[str, Any]:
        """The outcome of reading, writing, listing and deleting under ``url``, as the function's JSON.

        ``write`` really writes the test file, and ``delete`` deletes it (sources: Snowflake §1.2).
        """
        asked = ("READ", "DELETE", "LIST", "WRITE") if action == "all" else (action.upper(),)
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        key = f"{prefix.rstrip('/')}/{file}" if prefix else file
        order = [one for one in ("WRITE", "READ", "LIST", "DELETE") if one in asked]
        try:
            role = self.reach(integration)
        except SnowflakeError as refused:
            return _validation(dict.fromkeys(asked, refused.message))
        found = {one: self._try(role, one, bucket, prefix, key) for one in order}
        return _validation({one: found[one] for one in asked})

    def _try(self, role: RoleSession, action: str, bucket: str, prefix: str, key: str) -> str | None:
        """Do one action; None, or why it failed."""
        try:
            with role.calls(raw=True) as s3:
                if action == "LIST":
                    s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
                elif action == "READ":
                    s3.get_object(Bucket=bucket, Key=key)["Body"].read(1)
                elif action == "DELETE":
                    s3.delete_object(Bucket=bucket, Key=key)
                else:
                    s3.put_object(Bucket=bucket, Key=key, Body=b"snowflake", IfNoneMatch="*")
        except ClientError as refused:
            return cause(refused)
        except BotoCoreError as broken:
            return str(broken)
        return None


def _validation(outcome: dict[str, str | None]) -> dict[str, Any]:
    actions = {
        action: {"status": "success"} if message is None else {"status": "failure", "message": message}
        for action, message in outcome.items()
    }
    if all(message is None for message in outcome.values()):
        return {"status": "success", "actions": actions}
    return {"status": "failure", "actions": actions, "message": CHECKS_FAILED}


def cause(refused: ClientError) -> str:
    """``Access Denied (Status Code: 403; Error Code: AccessDenied)``."""
    error = refused.response.get("Error", {})
    status = refused.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    message = error.get("Message") or "Unknown"
    code = error.get("Code") or str(status)
    if code == "AccessDenied":
        message = "Access Denied"
    return f"{message} (Status Code: {status}; Error Code: {code})"


class RoleSession:
    """Calls with the temporary keys of one role."""

    def __init__(self, reader: BucketReader, keys: Keys) -> None:
        self._reader = reader
        self._keys = keys

    @contextmanager
    def calls(self, *, raw: bool = False) -> Iterator[Any]:
        """The S3 client, acting as the role. What S3 refuses becomes 091003, unless ``raw``."""
        try:
            with acting(self._keys):
                yield self._reader.s3_client()
        except ClientError as refused:
            if raw:
                raise
            raise errors.stage_failure(cause(refused)) from None
        except BotoCoreError as broken:
            if raw:
                raise
            raise errors.stage_failure(str(broken)) from None

    def list(self, bucket: str, prefix: str) -> Iterator[StagedFile]:
        """Every object under a prefix, in S3's order, a page at a time. Raises 091003.

        A place without a last slash that may not be listed is listed as a folder: the documented set-up has a
        policy for ``load/files/*`` and a stage on ``s3://mybucket/load/files``, and works (which requests
        Snowflake really sends, nobody says). Source:
        https://docs.snowflake.com/en/user-guide/data-load-snowpipe-auto-s3
        """
        token: dict[str, str] = {}
        while True:
            try:
                page = self._page(bucket, prefix, token)
            except errors.SnowflakeError as refused:
                if token or not prefix or prefix.endswith("/") or REFUSED not in refused.message:
                    raise
                try:
                    page = self._page(bucket, prefix := f"{prefix}/", token)
                except errors.SnowflakeError:
                    raise refused from None
            for each in page.get("Contents", ()):
                yield StagedFile(
                    bucket,
                    each["Key"],
                    each["Size"],
                    each["ETag"].strip('"'),
                    each["LastModified"].astimezone(UTC),
                )
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def _page(self, bucket: str, prefix: str, token: dict[str, str]) -> Any:
        with self.calls() as s3:
            return s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=LIST_PAGE, **token)

    def delete(self, file: StagedFile) -> None:
        """Delete one object. Raises 091003."""
        with self.calls() as s3:
            s3.delete_object(Bucket=file.bucket, Key=file.key)

    def head(self, bucket: str, key: str) -> StagedFile | None:
        """One object's size, ETag and time; None if it is not there, or may not be read."""
        try:
            with self.calls(raw=True) as s3:
                found = s3.head_object(Bucket=bucket, Key=key)
        except ClientError as refused:
            status = refused.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if status in (403, 404):
                return None
            raise errors.stage_failure(cause(refused)) from None
        return StagedFile(
            bucket,
            key,
            found["ContentLength"],
            found["ETag"].strip('"'),
            found["LastModified"].astimezone(UTC),
        )

    def open(self, file: StagedFile) -> tuple[StagedFile, IO[bytes]]:
        """The object as it is now, and its bytes as a stream.

        Raises load_errors.FileError where it cannot be read.
        """
        try:
            with self.calls(raw=True) as s3:
                answer = s3.get_object(Bucket=file.bucket, Key=file.key)
        except ClientError as refused:
            if self._reader.gone_is_denied and not _is_kept(refused):
                raise load_errors.access_denied(file.key) from None
            raise _unreadable(file, refused) from None
        except BotoCoreError as broken:
            raise load_errors.FileError(str(broken), 91003) from None
        found = StagedFile(
            file.bucket,
            file.key,
            answer["ContentLength"],
            answer["ETag"].strip('"'),
            answer["LastModified"].astimezone(UTC),
        )
        return found, answer["Body"]


def _is_kept(refused: ClientError) -> bool:
    """Is the object there, as far as S3 told?"""
    return refused.response.get("Error", {}).get("Code") != "NoSuchKey"


_KMS = re.compile(r"kms[:.]", re.IGNORECASE)


def _unreadable(file: StagedFile, refused: ClientError) -> load_errors.FileError:
    """Why an object could not be got. A denied GET looks like a missing file (sources: Snowflake §1.7)."""
    error = refused.response.get("Error", {})
    if error.get("Code") == "InvalidObjectState":
        return load_errors.FileError(f"Failed to access remote file: {cause(refused)}", 91003)
    if _KMS.search(error.get("Message", "")) or str(error.get("Code", "")).startswith("KMS"):
        return load_errors.access_denied(file.key)
    return load_errors.remote_file_missing(file.key)
