"""Telling each route what changed, once: a message is on disk before it is sent, and noted when it is.

Killed at any time, the next start goes on: what was written and not begun is sent; what was delivered is not
sent again. Of a message that was under way nobody can know: it is sent again with the same id, by which the
receiver can tell (PagerDuty's key, the mail's Message-ID, the webhook's Idempotency-Key), and says so.
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from uuid import uuid4

from runbook.redaction import redacted
from runbook.watching.causes import Cause, cause_of, present
from runbook.watching.history import History, iso, when
from runbook.watching.messages import Message, as_told, difference, from_told
from runbook.watching.routes import NotDelivered, Way

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
FINAL_PAUSE = timedelta(hours=1)
"""Before what was refused is sent again as it is: a channel may be open again, a receiver deployed."""
HOUR = timedelta(hours=1)
AS_IT_IS = (
    "sending it again as it is changes nothing: correct the route, and see with `invoke watch --test-message`"
)


def deliver(
    history: History,
    ways: Iterable[Way],
    *,
    target: str,
    now: datetime,
    remind_after: timedelta | None,
    messages_an_hour: int,
    tell: Callable[[str], None],
) -> None:
    """Send every route what it was not told yet; a route that does not answer is told of and tried later."""
    for way in ways:
        message, told = history.change(
            partial(
                _next,
                way=way,
                target=target,
                now=now,
                remind_after=remind_after,
                messages_an_hour=messages_an_hour,
            )
        )
        if message is not None:
            _send(history, way, message, told, now, tell)


def _next(
    db: sqlite3.Connection,
    way: Way,
    target: str,
    now: datetime,
    remind_after: timedelta | None,
    messages_an_hour: int,
) -> tuple[Message | None, dict[str, Cause]]:
    """The message a route gets now, written down as about to be sent; None where there is none."""
    told, told_at, retry_at = _route(db, way.name)
    is_now = present(db)
    left = _left_over(db, way.name, target)
    if left is not None:
        return left
    if retry_at and now < retry_at <= now + LONGEST_PAUSE:  # further away, a clock was wrong
        return None, {}
    remind = bool(remind_after and told_at and told and now - told_at >= remind_after)
    message = difference(told, is_now, target=target, at=now, name=uuid4().hex, remind=remind)
    if message is None or _is_too_much(db, way.name, now, messages_an_hour):
        return None, {}
    if _is_refused(db, way, is_now, now):
        return None, {}
    db.execute(
        "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, 'begun', '')",
        (
            message.id,
            way.name,
            iso(now),
            message.kind,
            json.dumps(message.as_json()),
            json.dumps(as_told(is_now)),
        ),
    )
    return message, is_now


def _route(db: sqlite3.Connection, name: str) -> tuple[dict[str, Cause], datetime | None, datetime | None]:
    """What a route was told, when, and before when it is not tried again."""
    row = db.execute("SELECT told, told_at, retry_at FROM route WHERE name = ?", (name,)).fetchone()
    if row is None:
        db.execute("INSERT INTO route VALUES (?, '{}', NULL, 0, NULL, '')", (name,))
        return {}, None, None
    told, told_at, retry_at = row
    return (
        from_told(json.loads(told)),
        when(told_at) if told_at else None,
        when(retry_at) if retry_at else None,
    )


def _left_over(db: sqlite3.Connection, name: str, target: str) -> tuple[Message, dict[str, Cause]] | None:
    """A message that was under way when watching was cut off."""
    row = db.execute(
        "SELECT id, at, kind, document, told FROM message WHERE route = ? AND state = 'begun' ORDER BY at",
        (name,),
    ).fetchone()
    if row is None:
        return None
    number, at, kind, document, told = row
    kept = json.loads(document)
    new, ended, still = (tuple(map(cause_of, kept[part])) for part in ("new", "ended", "open"))
    message = Message(number, target, kind, when(at), new, ended, still, repeated=True)
    return message, from_told(json.loads(told))


def _refused(route: str) -> str:
    """The note with what a route has refused for good."""
    return f"refused.route.{route}"


def _offer(way: Way, causes: dict[str, Cause]) -> str:
    """What a route is told, and how it is reached: where one of them changes, it is another attempt."""
    what = {key: [*cause.streams, *cause.names] for key, cause in causes.items()}
    return hashlib.sha256(json.dumps([way.mark, what]).encode()).hexdigest()[:12]


def _is_refused(db: sqlite3.Connection, way: Way, is_now: dict[str, Cause], now: datetime) -> bool:
    """Whether the route has refused this very state for good, and not long ago."""
    row = db.execute("SELECT value FROM note WHERE key = ?", (_refused(way.name),)).fetchone()
    if row is None:
        return False
    kept = json.loads(row[0])
    return (
        bool(kept["offer"] == _offer(way, is_now))
        and when(kept["at"]) <= now < when(kept["at"]) + FINAL_PAUSE
    )


def _is_too_much(db: sqlite3.Connection, name: str, now: datetime, messages_an_hour: int) -> bool:
    """Whether a route had its share of the hour: what changes meanwhile is one message later."""
    sent = db.execute(
        "SELECT COUNT(*) FROM message WHERE route = ? AND state = 'sent' AND at > ? AND at <= ?",
        (name, iso(now - HOUR), iso(now)),
    ).fetchone()[0]
    return int(sent) >= messages_an_hour


def _send(
    history: History,
    way: Way,
    message: Message,
    told: dict[str, Cause],
    now: datetime,
    tell: Callable[[str], None],
) -> None:
    try:
        _try(way, message)
    except NotDelivered as error:
        why = redacted(str(error))
        final = _offer(way, told) if error.is_final else ""
        failures = history.change(
            partial(_failed, way=way, message=message.id, why=why, now=now, final=final)
        )
        if failures in (1, 5) or failures % 50 == 0:
            times = f", {failures} times in a row" if failures > 1 else ""
            after = AS_IT_IS if final else "it is sent again"
            tell(f"The route {way.name} ({way.kind}) did not take a message: {why}{times}; {after}.")
        return
    history.change(partial(_sent, way=way, message=message, told=told, now=now))


def _sent(db: sqlite3.Connection, way: Way, message: Message, told: dict[str, Cause], now: datetime) -> None:
    db.execute("UPDATE message SET state = 'sent' WHERE id = ?", (message.id,))
    db.execute("DELETE FROM note WHERE key = ?", (_refused(way.name),))
    db.execute(
        "UPDATE route SET told = ?, told_at = ?, failures = 0, retry_at = NULL, error = '' WHERE name = ?",
        (json.dumps(as_told(told)), iso(now), way.name),
    )


def _try(way: Way, message: Message) -> None:
    """Send it; raises NotDelivered also for a mistake in a route, which keeps no other from being told."""
    try:
        way.send(message)
    except NotDelivered:
        raise
    except Exception as error:  # noqa: BLE001 (a library of a route raises what it likes)
        raise NotDelivered(f"{type(error).__name__}: {error}") from None


def _failed(db: sqlite3.Connection, way: Way, message: str, why: str, now: datetime, final: str) -> int:
    """Note that a message was not taken; how often that was in a row.

    ``final``: the offer, where it was refused for good.
    """
    db.execute("UPDATE message SET state = 'failed', error = ? WHERE id = ?", (why, message))
    (failures,) = db.execute("SELECT failures + 1 FROM route WHERE name = ?", (way.name,)).fetchone()
    pause = min(FIRST_PAUSE * 2 ** min(failures - 1, 10), LONGEST_PAUSE)
    db.execute(
        "UPDATE route SET failures = ?, retry_at = ?, error = ? WHERE name = ?",
        (failures, None if final else iso(now + pause), why, way.name),
    )
    if final:
        refused = json.dumps({"offer": final, "at": iso(now)})
        db.execute("INSERT OR REPLACE INTO note VALUES (?, ?)", (_refused(way.name), refused))
    return int(failures)


def send_test(ways: Iterable[Way], target: str, now: datetime) -> dict[str, str]:
    """One test message to every route; why it did not arrive, by route, or nothing."""
    answers = {}
    for way in ways:
        try:
            _try(way, Message(uuid4().hex, target, "test", now))
            answers[way.name] = ""
        except NotDelivered as error:
            answers[way.name] = redacted(str(error))
    return answers
