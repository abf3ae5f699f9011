"""How long a cloud is waited for, and what is said of a network that fails."""

from itertools import islice, pairwise
from types import SimpleNamespace

import pytest
from snowflake.connector import errors

from runbook.clouds import network
from runbook.clouds.connections import Clouds


def test_a_request_that_fails_for_too_long_is_given_up():
    seconds = iter(range(0, 1000, 7))
    pauses = network.pauses(lambda: float(next(seconds)))
    tries = len(range(7, network.SILENT_S, 7))
    assert list(islice(pauses, tries)) == [1, 2, 4, *[8] * (tries - 3)]
    with pytest.raises(errors.OperationalError, match="no answer for 91 seconds") as given_up:
        next(pauses)
    assert given_up.value.errno == 250001


@pytest.mark.parametrize(
    ("version", "names"),
    [
        ("4.8.1", {"login_timeout", "network_timeout", "backoff_policy"}),
        (
            "5.2.0",
            {
                "connect_timeout",
                "enable_server_session_keep_alive_auto_detection",
                "login_timeout",
                "query_timeout",
                "request_timeout",
                "retry_max_attempts",
                "retry_timeout",
            },
        ),
    ],
)
def test_each_version_of_the_connector_is_told_its_limits_in_its_own_words(version, names):
    assert network.snowflake_bounds(version).keys() == names


def chained(*errors_):
    """The last of the errors, each raised while the one before was handled."""
    for before, after in pairwise(errors_):
        after.__context__ = before
    return errors_[-1]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            chained(ConnectionRefusedError(111, "Connection refused"), OSError("P(host='a.b', port=443): x")),
            "a.b:443: Connection refused",
        ),
        (chained(TimeoutError("timed out"), OSError("read")), "no answer"),
        (chained(OSError([("SSL routines", "", "certificate verify failed")])), "certificate verify failed"),
        (
            errors.OperationalError(msg="Remote end\nclosed", errno=250003),
            "250003: Remote end closed",
        ),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_what_failed_is_the_innermost_reason(error, said):
    assert network.failure(error) == said


def test_no_setting_of_the_account_decides_what_becomes_of_a_statement(settings, monkeypatch):
    told = {}
    opened = SimpleNamespace(host="127.0.0.1")
    monkeypatch.setattr("snowflake.connector.connect", lambda **given: told.update(given) or opened)
    assert Clouds(settings, run_id="r", command="c").snowflake("write") is opened
    wanted = {"AUTOCOMMIT": True, "ROWS_PER_RESULTSET": 0, "QUOTED_IDENTIFIERS_IGNORE_CASE": False}
    assert told["session_parameters"].items() >= (wanted | {"QUERY_TAG": "snowpipe-runbook c r"}).items()
