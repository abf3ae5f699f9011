"""What Terraform's module is handed, and which steps are then its business."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from runbook.commands.tfvars import applying, refuse_starving, variables
from runbook.errors import Blocked, CannotTell, Refused, SettingsWrong
from runbook.settings import read
from runbook.wanted.rules import BucketNotifications, queue_rule
from tests.unit.conftest import ROOT, written
from tests.unit.observed import EXTERNAL_ID, QUEUE, SNOWFLAKES_USER, Known, healthy

MODULE = ROOT / "terraform"


def test_the_module_takes_just_what_is_written(found, facts):
    declared = re.findall(r'^variable "(\w+)"', (MODULE / "variables.tf").read_text(), re.MULTILINE)
    two = read(written(streams__events_bad__bucket="acme-two"))
    assert sorted(variables(Known(two, healthy(two)))) == sorted(declared)
    others = {"other_keys", "other_foreign_rules"}  # which have defaults: one bucket says nothing of others
    assert set(variables(facts(found))) == set(declared) - others


def test_what_snowflake_hands_over_is_in_it(settings, found, facts):
    got = variables(facts(found))
    assert (got["snowflake_user_arn"], got["external_id"]) == (SNOWFLAKES_USER, EXTERNAL_ID)
    assert got["streams"]["events"] == {
        "prefix": settings.streams[0].prefix,
        "suffix": ".gz",
        "queue_arn": QUEUE,
    }
    found["pipes"] = {}
    assert variables(facts(found))["streams"]["events"]["queue_arn"] is None
    found["integration"] = None
    with pytest.raises(Blocked):
        variables(facts(found))


@pytest.mark.parametrize(
    ("document", "foreign"),
    [
        ({}, []),
        ({"QueueConfigurations": [{"Id": "terraform-snowpipe:events", "QueueArn": QUEUE, "Events": []}]}, []),
        ({"LambdaFunctionConfigurations": [{"Id": "thumbs", "Events": []}]}, ["thumbs"]),
        ({"TopicConfigurations": [{"Id": "t", "Events": []}]}, ["t"]),
        ({"EventBridgeConfiguration": {}}, ["EventBridge"]),
        (None, None),
    ],
)  # fmt: skip
def test_rules_of_others_are_named_and_what_nobody_saw_is_null(settings, found, facts, document, foreign):
    found["notifications"] = CannotTell("denied") if document is None else BucketNotifications(document)
    assert variables(facts(found))["foreign_rules"] == foreign
    ours = {"QueueConfigurations": [queue_rule(settings.streams[0], QUEUE)]}
    found["notifications"] = BucketNotifications(ours)
    assert variables(facts(found))["foreign_rules"] == []


def test_nothing_is_handed_over_that_would_starve_a_pipe(settings, found, facts):
    assert refuse_starving(facts(found)) is None
    moved = read(written(aws__managed_by="terraform", streams__events__prefix="moved/stream/"))
    with pytest.raises(
        Refused, match=r"EVENTS_PIPE still reads s3://.*/enriched/stream/.*fail for good"
    ) as told:
        refuse_starving(Known(moved, found))
    assert "another stage and pipe" in told.value.remedy
    without = read(written(aws__managed_by="terraform", streams__events_bad__enabled=False))
    with pytest.raises(Refused, match="invoke down --stream EVENTS_BAD_PIPE"):
        refuse_starving(Known(without, found))


@pytest.mark.parametrize(
    ("managed_by", "steps", "rules"),
    [
        ("runbook", [], True),
        ("terraform", [1, 3, 5], True),
        ("terraform_without_rules", [1, 3], False),
    ],
)
def test_whose_business_a_step_is(managed_by, steps, rules):
    settings = read(written(aws__managed_by=managed_by))
    assert [step for step in range(1, 6) if settings.is_terraforms(step)] == steps
    assert variables(Known(settings, healthy(settings)))["manage_notifications"] is rules


def test_a_topic_is_not_for_the_module():
    topic = "arn:aws:sns:us-west-2:111122223333:files"
    with pytest.raises(SettingsWrong, match="sns_topic"):
        read(written(aws__managed_by="terraform", streams__events__sns_topic=topic))


def test_the_module_pins_the_account_and_has_no_secret():
    text = "".join(path.read_text() for path in sorted(Path(MODULE).glob("*.tf")))
    assert "allowed_account_ids" in text
    assert not re.search(r"password|secret_key|private_key", text, re.IGNORECASE)


@pytest.mark.parametrize(
    ("place", "command"),
    [
        ("terraform/terraform.tfvars.json", "terraform -chdir=terraform apply"),
        ("/srv/two envs/prod.auto.tfvars.json", "terraform '-chdir=/srv/two envs' apply"),
        ("terraform/prod.json", "terraform -chdir=terraform apply -var-file=prod.json"),
    ],
)
def test_what_comes_next_is_said_of_the_file_that_was_written(place: str, command: str) -> None:
    assert applying(place) == command


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("terraform") is None, reason="there is no terraform")
def test_a_state_takes_no_other_installations_variables(tmp_path: Path) -> None:
    text = (MODULE / "main.tf").read_text()
    start = text.index('resource "terraform_data"')
    guard = text[start : text.index("\n}\n", start) + 3]
    (tmp_path / "main.tf").write_text(f'variable "installation" {{ type = string }}\n{guard}')

    def terraform(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["terraform", *words, "-no-color"], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    def apply(name: str, *words: str) -> subprocess.CompletedProcess[str]:
        return terraform("apply", "-auto-approve", "-input=false", f"-var=installation={name}", *words)

    assert terraform("init", "-input=false").returncode == 0
    assert [apply(name).returncode for name in ("one", "one", "two", "one")] == [0, 0, 1, 0]
    assert "This state is of one" in " ".join(apply("two").stderr.split())
    assert apply("two", "-replace=terraform_data.installation").returncode == 0
    assert terraform("destroy", "-auto-approve", "-input=false", "-var=installation=one").returncode == 0
