"""What is recorded is told again: the same answers and failures, in the same order, and nobody is asked."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.clouds.failures import AwsFailed, SqlFailed
from runbook.clouds.tape import Player, Recorder, packed, unpacked
from runbook.errors import CannotTell, NoCredentials

SIMPLE = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.datetimes(timezones=st.just(UTC))
    | st.dates()
    | st.times()
    | st.decimals(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    SIMPLE,
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(VALUES)
def test_every_value_comes_back_as_it_was(value: Any) -> None:
    assert unpacked(packed(value)) == value


def test_types_stay_what_they_are() -> None:
    for value in (date(2026, 1, 2), datetime(2026, 1, 2, tzinfo=UTC), time(1, 2), Decimal("1.50"), b"\xff"):
        found = unpacked(packed(value))
        assert (type(found), found) == (type(value), value)
    assert packed({"$tuple": 1}) == {"$map": {"$tuple": 1}}


def test_of_what_botocore_says_only_what_is_read_is_kept() -> None:
    answer = {
        "A": 1,
        "ResponseMetadata": {
            "HTTPStatusCode": 200,
            "RequestId": "r",
            "HTTPHeaders": {"x-amz-bucket-region": "us-west-2", "authorization": "secret"},
        },
    }
    kept = {"HTTPStatusCode": 200, "HTTPHeaders": {"x-amz-bucket-region": "us-west-2"}}
    assert packed(answer) == {"A": 1, "ResponseMetadata": kept}


def never() -> Any:
    raise AssertionError("somebody was asked")


FAILURES = [
    AwsFailed("iam", "GetRole", "NoSuchEntity", "none", "r"),
    SqlFailed(2003, "does not exist", "q", "DESC …"),
    CannotTell("w", where="x", why="y", remedy="z", missing_right="r", unreachable=True, final=True),
    NoCredentials("n", remedy="z"),
]


@pytest.mark.parametrize("error", FAILURES)
def test_a_failure_is_raised_again(error: Exception) -> None:
    def fails() -> Any:
        raise error

    recorder = Recorder()
    with pytest.raises(type(error)):
        recorder.kept(("sql", "SHOW ROLES", None), fails)
    with pytest.raises(type(error)) as again:
        Player(recorder.answers).kept(("sql", "SHOW ROLES", None), never)
    assert again.value.__dict__ == error.__dict__


def test_the_same_question_gets_its_answers_in_order_and_then_the_last_again() -> None:
    recorder = Recorder()
    for number in (1, 2):
        assert recorder.kept(("aws", "s3", "HeadBucket", {"Bucket": "b"}), lambda: number) == number  # noqa: B023
    player = Player(recorder.answers)
    question = ("aws", "s3", "HeadBucket", {"Bucket": "b"})
    assert [player.kept(question, never) for _ in range(3)] == [1, 2, 2]


def test_what_nobody_asked_cannot_be_told() -> None:
    with pytest.raises(CannotTell, match="no answer"):
        Player({}).kept(("sql", "SHOW ROLES", None), never)


def test_after_a_cloud_did_not_answer_it_was_not_asked_any_more() -> None:
    recorder = Recorder()
    silent = CannotTell("Snowflake cannot be reached", unreachable=True)
    with pytest.raises(CannotTell):
        recorder.kept(("sql", "SELECT 1", None), lambda: (_ for _ in ()).throw(silent))
    with pytest.raises(CannotTell, match="cannot be reached"):
        Player(recorder.answers).kept(("sql", "SHOW ROLES", None), never)
    with pytest.raises(CannotTell, match="no answer"):
        Player(recorder.answers).kept(("aws", "iam", "GetRole", {}), never)
