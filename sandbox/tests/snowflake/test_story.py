"""The documented five steps through the real clients, from nothing to rows."""

from typing import Any


def test_files_uploaded_after_the_five_steps_arrive(running: Any) -> None:
    running.put("one.tsv", ["1\tx", "2\ty"])
    running.put("two.tsv", ["3\tz"])
    running.settle()

    assert running.sql("SELECT A, B FROM RAW.SNOWPLOW.EVENTS ORDER BY A") == [
        ("1", "x"),
        ("2", "y"),
        ("3", "z"),
    ]
    status = running.status()
    assert status["executionState"] == "RUNNING"
    assert status["pendingFileCount"] == 0
    history = running.sql.dicts(
        "SELECT * FROM TABLE(RAW.INFORMATION_SCHEMA.COPY_HISTORY("
        "TABLE_NAME => 'RAW.SNOWPLOW.EVENTS', START_TIME => DATEADD(hour, -1, CURRENT_TIMESTAMP())))"
    )
    assert {(row["STATUS"], row["ROW_COUNT"], row["PIPE_NAME"]) for row in history} == {
        ("Loaded", 2, "P"),
        ("Loaded", 1, "P"),
    }


def test_files_that_were_there_before_are_not_loaded_until_refresh(pipeline: Any) -> None:
    pipeline.put("early.tsv", ["1\tx"])
    pipeline.set_up()
    pipeline.settle()
    assert pipeline.rows() == 0

    refreshed = pipeline.sql.dicts("ALTER PIPE RAW.SNOWPLOW.P REFRESH")
    assert refreshed == [{"File": "early.tsv", "Status": "SENT"}]
    pipeline.settle()
    assert pipeline.rows() == 1
