"""Every answer of both clouds that a verdict used, kept in a file, and given again without either cloud.

A question is a call with its parameters, or a statement with its binds; an answer is what it brought, or how
it failed. What files hold is not among the answers, only what was found in them.
"""

import base64
import json
import threading
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from runbook.clouds.failures import AwsFailed, SqlFailed
from runbook.errors import CannotTell, NoCredentials

T = TypeVar("T")
Question = tuple[Any, ...]
SIDES = {"aws": "aws", "aws_pages": "aws", "sql": "snowflake"}
"""Which cloud a kind of question goes to."""
METADATA = "ResponseMetadata"
KEPT_HEADERS = ("x-amz-bucket-region",)


class Tape(Protocol):
    """What stands between a question and the clouds."""

    def kept(self, question: Question, ask: Callable[[], T]) -> T:
        """The answer to a question; ``ask`` asks the cloud."""


class Straight:
    """Nothing is kept: every question goes to its cloud."""

    def kept(self, _question: Question, ask: Callable[[], T]) -> T:
        """What the cloud answers."""
        return ask()


class Recorder:
    """Every answer is kept, in the order of the same question's answers. Safe to use from many threads."""

    def __init__(self) -> None:
        self._answers: dict[str, list[Any]] = {}
        self._lock = threading.Lock()

    def kept(self, question: Question, ask: Callable[[], T]) -> T:
        """What the cloud answers, kept; how it fails is kept as well, and raised."""
        try:
            found = ask()
        except (AwsFailed, SqlFailed, CannotTell) as error:
            self._keep(question, {"failed": _failure(error)})
            raise
        self._keep(question, {"answer": packed(found)})
        return found

    def _keep(self, question: Question, answer: dict[str, Any]) -> None:
        with self._lock:
            self._answers.setdefault(_key(question), []).append(answer)

    @property
    def answers(self) -> dict[str, list[Any]]:
        """All of them by question, in an order that does not hang on which cloud was faster."""
        with self._lock:
            return {key: list(self._answers[key]) for key in sorted(self._answers)}


class Player:
    """Answers that were recorded; nobody is contacted."""

    def __init__(self, answers: Mapping[str, list[Any]]) -> None:
        self._left = {key: list(rows) for key, rows in answers.items()}
        self._lock = threading.Lock()
        self._silent = {
            side: row["failed"]
            for key, rows in answers.items()
            for side in (SIDES.get(json.loads(key)[0], ""),)
            for row in rows
            if row.get("failed", {}).get("kind") in ("CannotTell", "NoCredentials")
        }

    def kept(self, question: Question, _ask: Callable[[], T]) -> T:
        """The answer that was recorded; the last one again where it was asked less often then.

        Raises the failure that was recorded, and CannotTell for a question that nobody asked then.
        """
        with self._lock:
            rows = self._left.get(_key(question), [])
            row = rows.pop(0) if len(rows) > 1 else (rows[0] if rows else None)
        if row is None:
            if silent := self._silent.get(SIDES.get(question[0], "")):
                raise _raised(silent)  # then it was not asked any more
            raise CannotTell(
                "The recording has no answer to a question",
                why=" ".join(str(part) for part in question[:3])[:200],
                remedy="record it again, with the version that replays it",
            )
        if "failed" in row:
            raise _raised(row["failed"])
        found: T = unpacked(row["answer"])
        return found


def _key(question: Question) -> str:
    return json.dumps([packed(part) for part in question], sort_keys=True, ensure_ascii=False)


# -- answers as JSON and back --------------------------------------------------------------------------


def packed(value: Any) -> Any:
    """A value as JSON takes it: what JSON has no type for is an object with one key that begins with $."""
    if isinstance(value, Mapping):
        rows = {str(key): packed(inner) for key, inner in value.items() if key != METADATA}
        if METADATA in value:
            rows[METADATA] = _metadata(value[METADATA])
        return {"$map": rows} if any(key.startswith("$") for key in rows) else rows
    if isinstance(value, list):
        return [packed(each) for each in value]
    if isinstance(value, str):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float) else _packed(value)


def _packed(value: Any) -> dict[str, Any]:
    if isinstance(value, tuple):
        return {"$tuple": [packed(each) for each in value]}
    if isinstance(value, set | frozenset):
        return {"$set": sorted((packed(each) for each in value), key=json.dumps)}
    if isinstance(value, bytes | bytearray):
        return {"$bytes": base64.b64encode(value).decode()}
    for name, kind in _KINDS.items():
        if isinstance(value, kind):
            return {f"${name}": str(value) if kind is Decimal else value.isoformat()}
    raise TypeError(f"{type(value).__name__} cannot be recorded")


def _metadata(found: Mapping[str, Any]) -> dict[str, Any]:
    """Of what botocore says of the answer itself only what anybody reads."""
    headers = found.get("HTTPHeaders", {})
    return {
        "HTTPStatusCode": found.get("HTTPStatusCode"),
        "HTTPHeaders": {name: headers[name] for name in KEPT_HEADERS if name in headers},
    }


# a datetime is a date too, and stands first
_KINDS: dict[str, Any] = {"datetime": datetime, "date": date, "time": time, "decimal": Decimal}


def unpacked(value: Any) -> Any:
    """The value again."""
    if isinstance(value, list):
        return [unpacked(each) for each in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((name, inner),) = value.items()
        if name.startswith("$"):
            return _unpacked(name[1:], inner)
    return {key: unpacked(inner) for key, inner in value.items()}


def _unpacked(kind: str, inner: Any) -> Any:
    if kind == "map":
        return {key: unpacked(each) for key, each in inner.items()}
    if kind in ("tuple", "set"):
        return (tuple if kind == "tuple" else frozenset)(unpacked(each) for each in inner)
    if kind == "bytes":
        return base64.b64decode(inner)
    made = _KINDS[kind]
    return made(inner) if made is Decimal else made.fromisoformat(inner)


# -- failures ------------------------------------------------------------------------------------------

_TOLD = ("what", "where", "why", "remedy", "missing_right", "unreachable", "final")


def _failure(error: AwsFailed | SqlFailed | CannotTell) -> dict[str, Any]:
    if isinstance(error, AwsFailed | SqlFailed):
        return {"kind": type(error).__name__, **error.__dict__}
    return {"kind": type(error).__name__, **{name: getattr(error, name) for name in _TOLD}}


def _raised(row: Mapping[str, Any]) -> Exception:
    given = {name: value for name, value in row.items() if name != "kind"}
    if row["kind"] == "AwsFailed":
        return AwsFailed(**given)
    if row["kind"] == "SqlFailed":
        return SqlFailed(**given)
    made = NoCredentials if row["kind"] == "NoCredentials" else CannotTell
    return made(given.pop("what"), **given)
