"""What a backfill says of the rows that it has loaded: schemas without a column, a share of bad rows."""

from typing import Any

import pytest

from runbook.backfill.afterwards import MOST_ROWS, advice
from runbook.backfill.result import Result
from runbook.clouds.failures import SqlFailed
from runbook.facts.views import Found
from runbook.loading.loader import Loaded
from runbook.settings import Settings, read
from tests.unit.conftest import written


def settings_of(**changes: Any) -> Settings:
    return read(written(views__enabled=True, **changes))


def loaded(settings: Settings, **rows: int) -> list[Result]:
    """Results of streams of which so many rows came."""
    found = []
    for name, count in rows.items():
        result = Result(settings.stream(name), None, Loaded(files={"a.gz"}))  # type: ignore[arg-type]
        vars(result)["rows"] = count
        found.append(result)
    return found


def seen(*schemas: str) -> Any:
    return lambda _stream: {"event": {}, "entity": {name: Found(name, 1, "f", 1) for name in schemas}}


def test_old_files_bring_schemas_that_have_no_column() -> None:
    settings = settings_of(views__entities=["com.acme/user/1"])
    found = list(advice(settings, loaded(settings, events=5), seen("com.acme/user/1", "com.acme/cart/2")))
    assert len(found) == 1
    assert "com.acme/cart/2; invoke views --scan" in found[0]
    assert "user" not in found[0]
    many = list(advice(settings, loaded(settings, events=5), seen(*(f"com.acme/e/{n}" for n in range(1, 9)))))
    assert "com.acme/e/5 and 3 more" in many[0]


def test_nothing_is_said_where_all_is_well_or_nothing_was_loaded() -> None:
    settings = settings_of(views__entities=["com.acme/user/1"])
    assert list(advice(settings, loaded(settings, events=5), seen("com.acme/user/1"))) == []
    assert list(advice(settings, [Result(settings.stream("events"), None)], seen("a/b/1"))) == []  # type: ignore[arg-type]
    off = read(written())
    assert list(advice(off, loaded(off, events=5), seen("com.acme/cart/2"))) == []


def test_a_share_of_bad_rows_above_the_limit_is_said() -> None:
    settings = read(written(watch={"limits": {"bad_rows_percent": 10}}))
    (found,) = advice(settings, loaded(settings, events=800, events_bad=200), seen())
    assert found.startswith("20% of the loaded rows are bad rows; the limit is 10 %")
    assert list(advice(settings, loaded(settings, events=950, events_bad=50), seen())) == []
    assert list(advice(settings, loaded(settings, events=80, events_bad=20), seen())) == []  # too few to say
    assert list(advice(settings, loaded(settings, events_bad=900), seen())) == []  # bad rows were asked for


def test_what_cannot_be_read_or_is_too_much_ends_no_backfill() -> None:
    settings = settings_of()

    def refused(_stream: Any) -> Any:
        raise SqlFailed(2003, "does not exist", "", "")

    assert list(advice(settings, loaded(settings, events=5), refused)) == []
    (found,) = advice(settings, loaded(settings, events=MOST_ROWS + 1), pytest.fail)
    assert "verify --deep" in found
