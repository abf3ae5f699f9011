"""The account's other pipes: which of them load a stream's files a second time."""

from typing import Any

import pytest

from runbook.facts.other_pipes import other_pipes
from runbook.settings import read
from tests.unit.conftest import written
from tests.unit.observed import FakeReader

URL = "s3://snowplow-sandbox/in/"


def answers(definition: str, channel: str | None) -> dict[str, Any]:
    place = {"database_name": "RAW", "schema_name": "SNOWPLOW"}
    pipe = {**place, "name": "THEIRS", "definition": definition, "notification_channel": channel}
    status = [{"status": '{"executionState": "RUNNING"}'}]
    return {
        "SHOW PIPES IN ACCOUNT": [pipe],
        "SHOW STAGES IN ACCOUNT": [{**place, "name": "ST", "url": URL}],
        "SELECT SYSTEM$PIPE_STATUS('RAW.SNOWPLOW.THEIRS') AS status": status,
    }


def reader_of(definition: str, channel: str | None) -> Any:
    found = {"stage_url": URL, "statement": "COPY …", "pattern": ".*[.]json"}
    stream = {"kind": "json", "prefix": "in/", "suffix": "", "table": "T", "stage": "ST", "pipe": "P"}
    config = written(made_by="others", streams={"events": {**stream, "found": found}})
    return FakeReader(read(config), answers(definition, channel))


@pytest.mark.parametrize(
    ("pattern", "channel", "twice"),
    [
        ("", "arn:aws:sqs:us-west-2:1:q", True),
        (" PATTERN = '.*x.*[.]json'", "arn:aws:sqs:us-west-2:1:q", True),
        (" PATTERN = '.*[.]csv'", "arn:aws:sqs:us-west-2:1:q", False),
        ("", None, False),
    ],
)
def test_a_pipe_loads_twice_what_it_takes_by_itself(pattern: str, channel: str | None, twice: bool) -> None:
    (other,) = other_pipes(reader_of(f"COPY INTO T FROM @ST{pattern}", channel))
    assert (bool(other.repeats) and not other.stopped) is twice
