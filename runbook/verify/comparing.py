"""Where two answers to one question differ in shape: columns and their order, types, formats, error numbers.

What they say is of two installations and is not compared; nor is what one of them has nothing of.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

OPTIONAL = frozenset(
    {
        # of SYSTEM$PIPE_STATUS: https://docs.snowflake.com/en/sql-reference/functions/system_pipe_status
        *("oldestFileTimestamp", "oldestFilePath", "lastIngestedTimestamp", "lastIngestedFilePath"),
        *("lastReceivedMessageTimestamp", "lastForwardedMessageTimestamp", "lastForwardedFilePath"),
        *(
            "lastPulledFromChannelTimestamp",
            "channelErrorMessage",
            "lastErrorRecordTimestamp",
            "error",
            "fault",
        ),
        *("lastPipeErrorTimestamp", "lastPipeFaultTimestamp", "pendingHistoryRefreshJobsCount", "message"),
        # of AWS' answers: https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html, and of S3
        *("Description", "PermissionsBoundary", "RoleLastUsed", "Tags", "Marker", "NextToken", "Filter"),
        *("QueueConfigurations", "TopicConfigurations", "LambdaFunctionConfigurations", "Id"),
        *(
            "EventBridgeConfiguration",
            "Contents",
            "CommonPrefixes",
            "KMSMasterKeyID",
            "BlockedEncryptionTypes",
        ),
    }
)
"""Fields that are there or not by the state of what was asked, as the clouds document it."""
_FREE = re.compile(r"(?:.*Document|Policy|Tags|ResponseMetadata|HTTPHeaders)")
"""Fields of AWS that hold what somebody wrote, or what is of the connection."""
_FORMATS = {
    "true or false": r"true|false",
    "TRUE or FALSE": r"TRUE|FALSE",
    "Y or N": r"[YN]",
    "Yes or No": r"Yes|No",
    "a number as text": r"-?\d+(?:\.\d+)?",
    "a time as text with T and Z": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z",
    "a time as text with a blank": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d.*",
    "an ARN": r"arn:.*",
    "a URL": r"\w+://.*",
    "text": r"(?s:.*)",
}


@dataclass(frozen=True)
class Difference:
    """One thing in which an answer that was recorded is not the sandbox's."""

    question: str
    where: str
    recorded: str
    sandbox: str


def failed(row: Mapping[str, Any]) -> str:
    """The number or code of a failure; empty where it was an answer, or nobody could tell."""
    error = row.get("failed") or {}
    if error.get("kind") == "SqlFailed":
        return f"error {error['errno']:06d}"
    return f"error {error['code']}" if error.get("kind") == "AwsFailed" else ""


def differences(
    question: str, recorded: Mapping[str, Any], here: list[Mapping[str, Any]]
) -> list[Difference] | None:
    """How the answer differs from all that the sandbox gave; None where there is nothing to compare.

    ``here``: its answers in the states it was asked in, the one most like the recorded first.
    """
    wrong, numbers = failed(recorded), [number for each in here if (number := failed(each))]
    answers = [each["answer"] for each in here if "answer" in each]
    if wrong and numbers:
        return [] if wrong in numbers else [Difference(question, "error", wrong, numbers[0])]
    if wrong or "answer" not in recorded:
        return None
    if not answers:
        strange = [number for number in numbers if number in NOT_TAKEN]
        return [Difference(question, "error", "an answer", strange[0])] if strange else None
    found = [told for each in answers if (told := _compared(recorded["answer"], each)) is not None]
    return [Difference(question, *each) for each in min(found, key=len)] if found else None


NOT_TAKEN = ("error 000002", "error 001003", "error 000603")
"""What the sandbox answers to what it does not emulate, cannot read, or fails at."""
Found = tuple[str, str, str]


def _compared(one: Any, other: Any) -> list[Found] | None:
    if isinstance(one, list) and isinstance(other, list):
        if not one or not other:
            return None
        if all(isinstance(row, Mapping) for row in (*one, *other)):
            return list(_rows(one, other))
    return list(_values(one, other, ""))


def _rows(one: list[Any], other: list[Any]) -> Iterator[Found]:
    """Rows of a statement, or items of a listing: their columns, and what each holds."""
    columns, others = list(one[0]), list(other[0])
    if columns != others:
        same = sorted(columns) == sorted(others)
        yield ("order of columns" if same else "columns", _list(columns, others), _list(others, columns))
    if columns[0] in ("property", "parent_property") and "property" in others:
        yield from _properties(one, other)
        return
    for column in columns:
        if column in others:
            yield from _many([row.get(column) for row in one], [row.get(column) for row in other], column)


def _properties(one: list[Any], other: list[Any]) -> Iterator[Found]:
    """Rows that are a property each, as DESC shows them."""
    names, others = ([_property(row) for row in rows] for rows in (one, other))
    if names != others:
        yield ("properties", _list(names, others), _list(others, names))
    rows = dict(zip(others, other, strict=True))
    for name, row in zip(names, one, strict=True):
        for column in row if name in rows else ():
            if column == "property_type" and row[column] != rows[name].get(column):
                yield (f"{name}, {column}", str(row[column]), str(rows[name].get(column)))
            elif column in rows[name]:
                yield from _many([row[column]], [rows[name][column]], f"{name}, {column}")


def _property(row: Mapping[str, Any]) -> str:
    return ".".join(str(row[key]) for key in ("parent_property", "property") if row.get(key))


def _list(names: list[str], others: list[str]) -> str:
    """The names that the others do not have; all of them where none is missing."""
    return ", ".join(
        [name for name in names if name not in others] or (names if len(names) == len(others) else ["-"])
    )


def _many(some: Iterable[Any], others: Iterable[Any], where: str) -> Iterator[Found]:
    """What a column holds in all rows: two kinds of which no row has both are a difference."""
    some, others = (
        [each for each in some if not _is_empty(each)],
        [each for each in others if not _is_empty(each)],
    )
    kinds, there = {_kind(each) for each in some}, {_kind(each) for each in others}
    if kinds and there and not kinds & there:
        yield (where, " or ".join(sorted(kinds)), " or ".join(sorted(there)))
    elif kinds and there:
        inside = [_inside(each) for each in some], [_inside(each) for each in others]
        ones, twos = ([each for each in side if isinstance(each, Mapping)] for side in inside)
        if ones and twos:
            yield from _fields(ones, twos, where)


def _values(one: Any, other: Any, where: str) -> Iterator[Found]:
    if isinstance(one, Mapping) and isinstance(other, Mapping) and not _is_typed(one):
        yield from _fields([one], [other], where)
    elif isinstance(one, list) and isinstance(other, list):
        yield from _many(one, other, where)
    else:
        yield from _many([one], [other], where)


def _fields(some: list[Mapping[str, Any]], others: list[Mapping[str, Any]], where: str) -> Iterator[Found]:
    """The fields of documents, which have no order, and what each holds."""
    has, have = (
        {key for each in side for key in each if not _FREE.fullmatch(key)} for side in (some, others)
    )
    prefix = f"{where}: " if where else ""
    missing, more = sorted(has - have - OPTIONAL), sorted(have - has - OPTIONAL)
    if missing or more:
        yield (f"{prefix}fields", ", ".join(missing) or "-", ", ".join(more) or "-")
    for key in sorted(has & have):
        one, other = ([each[key] for each in side if key in each] for side in (some, others))
        if all(isinstance(each, list) for each in (*one, *other)):
            one, other = ([inner for each in side for inner in each] for side in (one, other))
        yield from _many(one, other, f"{prefix}{key}")


def _inside(value: Any) -> Any:
    """What a text that is JSON holds; else the value."""
    if isinstance(value, str) and value[:1] == "{":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return None if _is_typed(value) else value


def _is_typed(value: Any) -> bool:
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)).startswith("$")


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if _is_typed(value):
        ((name, inner),) = value.items()
        zone = " with a zone" if name == "$datetime" and re.search(r"[+-]\d\d:\d\d$", str(inner)) else ""
        return f"a {name[1:]}{zone}"
    if isinstance(value, str):
        if value[:1] in "{[" and isinstance(_inside(value if value[:1] == "{" else "{}"), Mapping):
            return "JSON"
        return next(name for name, looks in _FORMATS.items() if re.fullmatch(looks, value))
    return "fields" if isinstance(value, Mapping) else "a list"
