"""What S3 tells a pipe's queue, and which pipes it concerns.

Message shapes: sources: AWS §3.7. The way of an event: sources: Snowflake §8.7.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus


@dataclass(frozen=True, slots=True)
class ObjectCreated:
    """An object S3 says is there. ``key`` is decoded; times are aware."""

    bucket: str
    key: str
    size: int
    etag: str
    event_time: datetime

    @property
    def path(self) -> str:
        """``bucket/key``."""
        return f"{self.bucket}/{self.key}"


def created_objects(body: str, received_at: datetime) -> Iterator[ObjectCreated]:
    """The objects a message says were created.

    An SNS envelope is opened. S3's test event, other events, other major versions and text that is no
    event have nothing to say.
    """
    message = _json(body)
    if isinstance(message.get("Message"), str) and "Records" not in message:
        message = _json(message["Message"])
    for record in message.get("Records") or ():
        if isinstance(record, dict) and str(record.get("eventName", "")).startswith("ObjectCreated:"):
            found = _created(record, received_at)
            if found is not None:
                yield found


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _created(record: dict[str, Any], received_at: datetime) -> ObjectCreated | None:
    if not str(record.get("eventVersion", "2")).startswith("2."):
        return None
    try:
        s3 = record["s3"]
        return ObjectCreated(
            bucket=s3["bucket"]["name"],
            key=unquote_plus(s3["object"]["key"]),
            size=int(s3["object"].get("size", 0)),
            etag=str(s3["object"].get("eTag", "")),
            event_time=_time(record.get("eventTime"), received_at),
        )
    except (KeyError, TypeError):
        return None


def _time(text: Any, otherwise: datetime) -> datetime:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return otherwise
    return found if found.tzinfo else found.replace(tzinfo=UTC)
