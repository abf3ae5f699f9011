"""What happened to an object, as S3 reports it, and to whom.

Source: `Event message structure
<https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>`_ (event version
2.1; key form-encoded with ``/`` left as it is; deletes carry neither size nor eTag) and LocalStack's AWS
snapshots. The delay until a changed configuration works: `Enabling event notifications
<https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-enable-disable-notification-intro.html>`_.
"""

import hashlib
import itertools
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

from snowpipe_sandbox.aws.delivery import Deliveries
from snowpipe_sandbox.aws.errors import new_request_id
from snowpipe_sandbox.aws.iam import Principal
from snowpipe_sandbox.aws.notifications import Notifications
from snowpipe_sandbox.aws.realm import Realm


@dataclass(frozen=True, slots=True)
class Happening:
    """One change of one object. ``name`` without ``s3:``; size and eTag are None for a removal."""

    name: str
    key: str
    size: int | None = None
    etag: str | None = None
    version_id: str | None = None


def principal_id(account: str) -> str:
    """The bucket owner's principal id as events show it: not the account number."""
    return "A" + hashlib.sha256(account.encode()).hexdigest()[:13].upper()


def iso(moment: datetime) -> str:
    """``2026-11-23T10:20:30.123Z``."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class Events:
    """Every bucket's notification document, and the events that follow from it. Thread-safe."""

    def __init__(self, deliveries: Deliveries) -> None:
        self.deliveries = deliveries
        self._lock = threading.Lock()
        self._documents: dict[str, list[tuple[datetime, Notifications]]] = {}
        self._count = itertools.count()

    def stored(self, bucket: str) -> Notifications:
        """The document as it was last put."""
        with self._lock:
            history = self._documents.get(bucket)
            return history[-1][1] if history else Notifications()

    def before(self, bucket: str) -> Notifications:
        """The document before the last put: bucket configurations are eventually consistent.

        Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel
        """
        with self._lock:
            history = self._documents.get(bucket, [])
            return history[-2][1] if len(history) > 1 else Notifications()

    def store(self, bucket: Any, document: Notifications, realm: Realm) -> None:
        """Replace the bucket's document and send every destination a test event.

        Effective after the tenant's activation delay.
        """
        now = realm.clock.now()
        effective = now + timedelta(seconds=realm.faults.notifications.activation_s)
        with self._lock:
            history = self._documents.setdefault(bucket.name, [])
            self._documents[bucket.name] = [*history[-5:], (effective, document)]
        for rule in document.rules:
            self.deliveries.send(realm, bucket, rule, self._test_event(bucket, now))

    def forget(self, bucket: str) -> None:
        """The bucket is gone."""
        with self._lock:
            self._documents.pop(bucket, None)

    def _effective(self, bucket: str, now: datetime) -> Notifications:
        with self._lock:
            history = self._documents.get(bucket, [])
            seen = [document for effective, document in history if effective <= now]
        return seen[-1] if seen else Notifications()

    @staticmethod
    def _test_event(bucket: Any, now: datetime) -> dict[str, str]:
        request_id = new_request_id()
        return {
            "Service": "Amazon S3",
            "Event": "s3:TestEvent",
            "Time": iso(now),
            "Bucket": bucket.name,
            "RequestId": request_id.replace("-", "")[:16].upper(),
            "HostId": request_id,
        }

    def tell(self, realm: Realm, bucket: Any, what: Happening, caller: Principal, request_id: str) -> None:
        """Send an event to every rule that takes it."""
        now = realm.clock.now()
        for rule in self._effective(bucket.name, now).rules:
            if rule.takes(f"s3:{what.name}", what.key):
                record = self._record(bucket, what, caller, request_id, now)
                record["s3"]["configurationId"] = rule.id
                self.deliveries.send(realm, bucket, rule, {"Records": [record]})

    def _record(
        self, bucket: Any, what: Happening, caller: Principal, request_id: str, now: datetime
    ) -> dict[str, Any]:
        stored: dict[str, Any] = {"key": quote_plus(what.key, safe="/")}
        if what.size is not None:
            stored["size"] = what.size
        if what.etag is not None:
            stored["eTag"] = what.etag
        if what.version_id is not None:
            stored["versionId"] = what.version_id
        stored["sequencer"] = self._sequencer(now)
        return {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": bucket.region_name,
            "eventTime": iso(now),
            "eventName": what.name,
            "userIdentity": {"principalId": f"AWS:{caller.unique_id}"},
            "requestParameters": {"sourceIPAddress": "127.0.0.1"},
            "responseElements": {"x-amz-request-id": request_id, "x-amz-id-2": new_request_id()},
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "",
                "bucket": {
                    "name": bucket.name,
                    "ownerIdentity": {"principalId": principal_id(bucket.account_id)},
                    "arn": f"arn:{bucket.partition}:s3:::{bucket.name}",
                },
                "object": stored,
            },
        }

    def _sequencer(self, now: datetime) -> str:
        """A hexadecimal string that grows with every event."""
        return f"00{int(now.timestamp() * 1_000_000):014X}{next(self._count) % 256:02X}"
