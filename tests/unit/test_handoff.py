"""What is handed over: when it is used, when it fits, and that it says nothing secret."""

from dataclasses import replace
from pathlib import Path

import pytest

from runbook.clouds.failures import AwsFailed
from runbook.commands.handoff import parameter_text, refuse_anothers
from runbook.errors import Blocked, CannotTell, NoCredentials, Refused
from runbook.facts.handoff import FromSnowflake, Handoff, fitting, stored
from runbook.settings import read
from runbook.wanted.trust import closed_trust
from tests.unit.conftest import written
from tests.unit.observed import EXTERNAL_ID, NOW, QUEUE, SNOWFLAKES_USER, FakeReader, role
from tests.unit.planned import changes

ALONE = NoCredentials("There are no Snowflake credentials here")


def of_snowflake(**changes):
    given = {
        "by": "ADMIN@AB12345",
        "at": NOW,
        "iam_user_arn": SNOWFLAKES_USER,
        "external_id": EXTERNAL_ID,
        "notification_channels": {"events": QUEUE, "events_bad": QUEUE},
    }
    return FromSnowflake(**{**given, **changes})


def handed_over(settings, **changes):
    return Handoff(target="prod", settings=settings.agreed, snowflake=of_snowflake(**changes))


@pytest.fixture
def settings(tmp_path):
    return read(written(handoff=str(tmp_path / "handoff.json")))


@pytest.fixture
def alone(settings, found, facts):
    """``alone(handoff)``: the AWS administrator's facts."""

    def make(told):
        known = {
            name: ALONE if name in ("integration", "entry", "pipes") else fact for name, fact in found.items()
        }
        known |= {"handoff": told, "role": role(settings, trust=closed_trust())}
        known["notifications"] = replace(found["notifications"], document={})
        return facts(known)

    return make


def test_the_aws_steps_plan_from_what_was_handed_over_as_from_what_they_see(settings, found, facts, alone):
    whole = {**found, "role": role(settings, trust=closed_trust())}
    whole["notifications"] = replace(found["notifications"], document={})
    known = alone(handed_over(settings))
    for step in (3, 5):
        assert changes(step, known) == changes(step, facts(whole)) != []


@pytest.mark.parametrize(
    "told",
    [None, {}, {"notification_channels": {}}],
    ids=["nothing", "no word of Snowflake's", "no queues"],
)
def test_what_is_not_handed_over_blocks_by_the_step_that_brings_it(settings, alone, told):
    handoff = told and handed_over(settings, **told)
    if told == {}:
        handoff = Handoff(target="prod", settings=settings.agreed)
    with pytest.raises(Blocked, match="handoff") as blocked:
        changes(5, alone(handoff))
    assert (blocked.value.by_step, "step4-snowflake handoff" in blocked.value.remedy) == (4, True)


def test_nobody_is_told_anything_where_no_handoff_is_named_or_the_cloud_is_out_of_reach(
    found, facts, alone, settings
):
    plain = facts({**found, "integration": ALONE})
    plain.settings = read(written())
    with pytest.raises(NoCredentials):
        _ = plain.snowflakes_user
    known = alone(handed_over(settings))
    known.known["integration"] = CannotTell("Snowflake cannot be reached", unreachable=True)
    with pytest.raises(CannotTell, match="cannot be reached"):
        _ = known.snowflakes_user


@pytest.mark.parametrize(
    ("change", "differ"),
    [
        ({"snowflake__connection": "mine", "checks__ready_within_seconds": 9}, []),
        ({"handoff": "elsewhere.json"}, []),
        ({"aws__role_name": "another"}, ["aws"]),
        ({"snowflake__integration": "OTHER"}, ["snowflake"]),
        ({"streams__events__prefix": "elsewhere/"}, ["streams"]),
    ],
)
def test_the_fingerprint_is_of_what_both_must_mean_alike(settings, change, differ):
    assert handed_over(settings).differences(read(written(**change))) == differ


def test_a_handoff_written_under_other_settings_is_refused(settings):
    other = read(written(aws__bucket="another-bucket"))
    file = settings.handoff
    Path(file).write_text(handed_over(other).as_text())
    with pytest.raises(Refused, match="written under other settings: aws"):
        fitting(FakeReader(settings))
    assert stored(FakeReader(settings), file) == handed_over(other)


def test_another_target_s_handoff_is_not_written_over(settings):
    other = read(written(aws__bucket="another-bucket"))
    theirs = Handoff(target="staging", settings=other.agreed, snowflake=of_snowflake())
    with pytest.raises(Refused, match="handed over for the target staging"):
        refuse_anothers(theirs, settings, "ssm:/x")
    refuse_anothers(None, settings, "ssm:/x")
    refuse_anothers(handed_over(settings), settings, "ssm:/x")  # called otherwise by its administrator
    refuse_anothers(theirs, other, "ssm:/x")


def test_a_file_or_parameter_that_is_not_there_says_nothing_yet(settings):
    assert fitting(FakeReader(settings)) is None
    gone = AwsFailed("ssm", "GetParameter", "ParameterNotFound", "", "")
    assert stored(FakeReader(settings, {"ssm:GetParameter": gone}), "ssm:/x") is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"handoff": 2}', "not json"])
def test_what_is_no_handoff_is_told(settings, text):
    answer = {"Parameter": {"Value": text}}
    with pytest.raises(CannotTell, match="is not a handoff"):
        stored(FakeReader(settings, {"ssm:GetParameter": answer}), "ssm:/x")


@pytest.mark.parametrize("place", ["", "ssm:", "ssm:with space", "a\nb"])
def test_a_place_that_is_none_is_refused(place):
    with pytest.raises(Exception, match="handoff"):
        read(written(handoff=place))


def test_a_parameter_takes_some_twenty_streams_and_no_more_than_it_can(settings):
    queues = {f"stream_{n}": QUEUE for n in range(20)}
    told = handed_over(settings, notification_channels=queues)
    answer = {"Parameter": {"Value": parameter_text(told, "ssm:/x")}}
    assert stored(FakeReader(settings, {"ssm:GetParameter": answer}), "ssm:/x") == told
    queues |= dict.fromkeys(map(str, range(40)), QUEUE)
    with pytest.raises(Refused, match="4096"):
        parameter_text(handed_over(settings, notification_channels=queues), "ssm:/x")
