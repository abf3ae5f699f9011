"""A replacement that was cut off is named by `verify`, and as one cause."""

from types import SimpleNamespace
from typing import Any

import pytest

from checks.check_step4_snowflake import (
    check_pipe_is_not_paused,
    check_pipe_loads_as_written,
    check_pipe_takes_notifications,
)
from checks.conftest import Advised
from runbook.commands.replace_pipe import tell_end
from runbook.errors import Refused
from runbook.facts.belongings import Belongings, constants
from runbook.facts.objects import Pause, PipeStatus
from runbook.replacing.note import Note
from runbook.replacing.procedure import Replacement, told_otherwise
from runbook.replacing.witness import refuse_more_than_is_kept
from runbook.settings import Settings, read
from tests.unit.conftest import written
from tests.unit.observed import MADE, QUEUE, pipe


def test_a_replacement_that_was_cut_off_is_named_and_its_pause_is_not(settings: Settings) -> None:
    stream = settings.stream("events")
    whole: Any = pipe(settings, stream)
    check_pipe_loads_as_written(whole, stream, settings)
    note = Note("ours", Belongings({}, (), {}), None, MADE, MADE, MADE)
    held = pipe(settings, stream, comment=str(note))
    with pytest.raises(AssertionError, match="a replacement is under way or was cut off"):
        check_pipe_loads_as_written(held, stream, settings)
    paused = Pause(paused=True, level="PIPE")
    with pytest.raises(AssertionError, match="PIPE_EXECUTION_PAUSED is TRUE"):
        check_pipe_is_not_paused(paused, whole, stream)
    with pytest.raises(pytest.skip.Exception):
        check_pipe_is_not_paused(paused, held, stream)


def test_who_goes_on_after_a_cut_says_that_a_pause_by_sql_cannot_be_told(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    stream, have = settings.stream("events"), Belongings({}, (), {})
    note = Note("ours", have, None, MADE, MADE, MADE)
    for comment, says in ((str(note), "invoke pause --stream events"), ("ours", "")):
        made: Any = pipe(settings, stream, comment=comment)
        found = Replacement(stream, made, PipeStatus({}), "", have, "", note)
        tell_end(found, None)
        assert says in capsys.readouterr().out
        assert found.was_held == bool(says)


TOPIC = "arn:aws:sns:us-west-2:111122223333:files"


def test_a_topic_that_only_the_pipe_has_is_advice_for_a_new_pipe_would_not_listen_to_it(
    settings: Settings,
) -> None:
    stream = settings.stream("events")
    listens: Any = pipe(settings, stream, notification_channel=TOPIC)
    with pytest.raises(Advised, match="the settings name no topic: a new pipe would not"):
        check_pipe_takes_notifications(listens, stream, settings)
    named = read(written(streams__events__sns_topic=TOPIC))
    check_pipe_takes_notifications(listens, named.stream("events"), named)


@pytest.mark.parametrize(
    ("options", "channel", "topic", "says"),
    [
        ({}, QUEUE, None, ""),
        ({"AWS_SNS_TOPIC": f"'{TOPIC}'"}, TOPIC, TOPIC, ""),
        ({}, TOPIC, TOPIC, ""),  # converted: its definition names no topic
        (
            {"AWS_SNS_TOPIC": f"'{TOPIC}'"},
            QUEUE,
            None,
            "the settings name no topic: the new pipe has a queue",
        ),
        ({}, TOPIC, None, "the settings name no topic: the new pipe has a queue"),
        ({}, QUEUE, TOPIC, f"listens to no topic, the settings name '{TOPIC}'"),
    ],
)
def test_a_replacement_says_that_the_new_pipe_is_notified_in_another_way(
    options: dict[str, str], channel: str, topic: str | None, says: str
) -> None:
    settings = read(written(streams__events__sns_topic=topic))
    stream = settings.stream("events")
    have = Belongings({}, (), constants(options))
    said = told_otherwise(stream, have, pipe(settings, stream, notification_channel=channel))
    assert says in said
    assert bool(says) == bool(said)


def test_what_was_loaded_in_part_is_not_forgotten_in_silence(settings: Settings) -> None:
    """Beside the comment, which keeps 500 names, only ACCOUNT_USAGE tells of them afterwards."""
    stream = settings.stream("events")
    blind: Any = SimpleNamespace(account_loads=lambda _: None)
    seeing: Any = SimpleNamespace(account_loads=lambda _: ())
    refuse_more_than_is_kept(blind, stream, 500)
    refuse_more_than_is_kept(seeing, stream, 501)
    with pytest.raises(Refused, match="501 files were loaded in part") as refused:
        refuse_more_than_is_kept(blind, stream, 501)
    assert "invoke backfill --pattern '.*' --stream events --reload-failed" in refused.value.remedy
