"""What differs between two clouds' answers is told once each; what is of two installations is not."""

from copy import deepcopy
from typing import Any

import pytest

from runbook.verify.comparing import Difference, differences

PIPES = [
    {
        "created_on": {"$datetime": "2026-11-30T12:00:00+00:00"},
        "name": "P",
        "owner": "LOADER",
        "is_shared": "false",
        "size": 3,
        "queue": "arn:aws:sqs:us-west-2:111122223333:q",
        "url": "s3://bucket/in/",
        "invalid": None,
        "status": '{"executionState":"RUNNING","pendingFileCount":0,"oldestFilePath":"a.gz"}',
    }
]
INTEGRATION = [
    {"property": "ENABLED", "property_type": "Boolean", "property_value": "true"},
    {"property": "COMMENT", "property_type": "String", "property_value": "of mine"},
]
ROLE = {"Role": {"RoleName": "r", "MaxSessionDuration": 3600, "AssumeRolePolicyDocument": {"Statement": []}}}
NO_ROLE = {"failed": {"kind": "AwsFailed", "code": "NoSuchEntity"}}
NO_TABLE = {"failed": {"kind": "SqlFailed", "errno": 2003}}


def changed(rows: Any, change: Any) -> dict[str, Any]:
    found = deepcopy(rows)
    change(found)
    return {"answer": found}


def first_column_last(rows: Any) -> None:
    rows[0] = dict([*list(rows[0].items())[1:], *list(rows[0].items())[:1]])


ALTERED: list[tuple[Any, Any, str]] = [
    (PIPES, lambda rows: rows[0].pop("owner"), "columns"),
    (PIPES, lambda rows: rows[0].update(budget="x"), "columns"),
    (PIPES, first_column_last, "order of columns"),
    (PIPES, lambda rows: rows[0].update(is_shared="N"), "is_shared"),
    (PIPES, lambda rows: rows[0].update(created_on="2026-11-30 04:00:00.000 -0800"), "created_on"),
    (PIPES, lambda rows: rows[0].update(created_on={"$datetime": "2026-11-30T12:00:00"}), "created_on"),
    (PIPES, lambda rows: rows[0].update(size="3"), "size"),
    (PIPES, lambda rows: rows[0].update(status='{"executionState":"RUNNING","files":0}'), "status: fields"),
    (INTEGRATION, lambda rows: rows[0].update(property_type="String"), "ENABLED, property_type"),
    (INTEGRATION, lambda rows: rows.pop(), "properties"),
    (INTEGRATION, lambda rows: rows[0].update(property_value="TRUE"), "ENABLED, property_value"),
    (ROLE, lambda answer: answer["Role"].update(MaxSessionDuration="3600"), "Role: MaxSessionDuration"),
    (ROLE, lambda answer: answer["Role"].pop("RoleName"), "Role: fields"),
]


@pytest.mark.parametrize(("answer", "change", "where"), ALTERED)
def test_one_change_is_one_difference(answer: Any, change: Any, where: str) -> None:
    (found,) = differences("q", changed(answer, change), [{"answer": answer}]) or []
    assert (found.question, found.where) == ("q", where)
    assert found.recorded != found.sandbox


@pytest.mark.parametrize("answer", [PIPES, INTEGRATION, ROLE])
def test_the_same_answer_is_no_difference(answer: Any) -> None:
    assert differences("q", {"answer": answer}, [{"answer": deepcopy(answer)}]) == []


def test_what_it_says_is_of_two_installations() -> None:
    def other(rows: Any) -> None:
        rows[0].update(name="Q", owner="SOMEBODY", size=4, queue="arn:aws:sns:x", invalid="it is")
        rows[0].update(status='{"executionState":"PAUSED","pendingFileCount":7}', is_shared="true")

    assert differences("q", changed(PIPES, other), [{"answer": PIPES}]) == []
    assert (
        differences("q", changed(ROLE, lambda row: row["Role"].update(Tags=[{}])), [{"answer": ROLE}]) == []
    )


def test_numbers_of_failures_are_compared_in_the_state_that_fails() -> None:
    wrong = {"failed": {"kind": "SqlFailed", "errno": 2043}}
    assert differences("q", NO_TABLE, [{"answer": PIPES}, NO_TABLE]) == []
    assert differences("q", wrong, [{"answer": PIPES}, NO_TABLE]) == [
        Difference("q", "error", "error 002043", "error 002003")
    ]
    code = {"failed": {"kind": "AwsFailed", "code": "AccessDenied"}}
    assert [each.where for each in differences("q", code, [NO_ROLE]) or []] == ["error"]


@pytest.mark.parametrize(
    ("recorded", "here"),
    [
        (NO_TABLE, [{"answer": PIPES}]),  # it is there
        ({"answer": PIPES}, [NO_TABLE]),  # it is not
        ({"answer": []}, [{"answer": PIPES}]),
        ({"answer": PIPES}, [{"answer": []}]),
        ({"failed": {"kind": "CannotTell"}}, [{"answer": PIPES}]),
        ({"answer": PIPES}, [{}]),
    ],
)
def test_where_one_has_nothing_there_is_nothing_to_compare(recorded: Any, here: Any) -> None:
    assert differences("q", recorded, here) is None


def test_what_the_sandbox_does_not_take_is_a_difference() -> None:
    refused = {"failed": {"kind": "SqlFailed", "errno": 2}}
    (found,) = differences("q", {"answer": PIPES}, [refused, refused]) or []
    assert (found.recorded, found.sandbox) == ("an answer", "error 000002")
