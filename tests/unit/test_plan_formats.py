"""A plan for a person, a program and a pull request: what is made, changed and taken away."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from runbook.errors import Blocked, SettingsWrong
from runbook.plan import AwsChange, Before, Plan, SqlChange
from runbook.plan_formats import (
    as_json,
    as_markdown,
    count,
    difference,
    for_github,
    replaced,
    symbol,
    tell_change,
)
from runbook.steps import STEPS
from runbook.terminal import visible

RULE = {"Id": "ours", "QueueArn": "arn:aws:sqs:us-west-2:1:q"}
THEIRS = {"Id": "theirs", "QueueArn": "arn:aws:sqs:us-west-2:1:other"}


def notification(before, after, why="the rule is missing"):
    where = {"Bucket": "b"}
    return AwsChange(
        "s3",
        "PutBucketNotificationConfiguration",
        {**where, "NotificationConfiguration": {"QueueConfigurations": after}},
        why=why,
        before=Before("GetBucketNotificationConfiguration", where, {"QueueConfigurations": before}),
    )


def plan(*changes, blocked=None, number=5):
    return Plan(STEPS[number - 1], changes, blocked)


@pytest.mark.parametrize(
    ("change", "mark"),
    [
        (notification([THEIRS], [THEIRS, RULE]), "~"),
        (AwsChange("iam", "CreateRole", {"RoleName": "r"}, why=""), "+"),
        (AwsChange("iam", "CreatePolicyVersion", {"PolicyArn": "p"}, why=""), "~"),
        (AwsChange("iam", "DeleteRole", {"RoleName": "r"}, why=""), "-"),
        (AwsChange("iam", "DetachRolePolicy", {"RoleName": "r"}, why=""), "-"),
        (SqlChange("a.sql", "USE ROLE R;\nCREATE TABLE IF NOT EXISTS t (a INT);", why=""), "+"),
        (SqlChange("a.sql", "USE ROLE R;\nALTER PIPE p SET PIPE_EXECUTION_PAUSED = FALSE;", why=""), "~"),
        (SqlChange("a.sql", "USE ROLE R;\nDROP PIPE p;", why=""), "-"),
    ],
)
def test_every_change_is_marked(change, mark):
    assert symbol(change) == mark


def test_a_document_is_shown_as_the_difference_to_what_is_there():
    lines = difference(notification([THEIRS], [THEIRS, RULE]))
    assert any(line.startswith("+") and '"ours"' in line for line in lines)
    assert not any(line.startswith("-") and "theirs" in line for line in lines)


def test_what_a_write_takes_away_is_shown():
    lines = replaced(notification([THEIRS, RULE], [RULE]))
    assert any(line.startswith("-") and '"theirs"' in line for line in lines)


def test_an_aws_line_goes_where_it_was_printed_for(monkeypatch, capsys):
    """Printed for the sandbox, and pasted into a shell with credentials of a real account."""
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    tell_change(AwsChange("iam", "CreateRole", {"RoleName": "r"}, why=""))
    assert "aws iam create-role --role-name r --endpoint-url http://127.0.0.1:1\n" in capsys.readouterr().out
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv("AWS_PROFILE", "acme prod")
    tell_change(AwsChange("iam", "CreateRole", {"RoleName": "r"}, why=""))
    tell_change(SqlChange("a.sql", "DROP PIPE p;", why=""))
    out = capsys.readouterr().out
    assert "aws iam create-role --role-name r --profile 'acme prod'\n" in out
    assert "DROP PIPE p;\n" in out


def test_json_has_the_documents_before_and_after():
    (change,) = as_json(plan(notification([THEIRS], [THEIRS, RULE])))["changes"]
    assert change["symbol"] == "~"
    (document,) = change["documents"]
    assert document["before"] == {"QueueConfigurations": [THEIRS]}
    assert document["after"] == {"QueueConfigurations": [THEIRS, RULE]}


def test_the_count_says_what_happens():
    plans = [plan(notification([], [RULE])), plan(AwsChange("iam", "DeleteRole", {}, why=""), number=1)]
    assert count(plans) == "1 to make, 0 to change, 1 to take away"
    assert count([plan(), plan()]) == "nothing to change in 2 steps"
    assert "1 step to be planned" in count([plan(blocked=Blocked("The role is missing", by_step=1))])


TEXT = st.text(min_size=1, max_size=60)


@given(why=TEXT, name=TEXT)
def test_no_text_from_outside_becomes_markup(why, name):
    """Read by a Markdown parser we did not write: only our own HTML, and the document inside its block."""
    whole = visible(
        as_markdown([plan(notification([], [{**RULE, "Id": f"```\n# {name}"}], why=f"<b>{why}"))], "prod")
    )
    tokens = MarkdownIt("commonmark").parse(whole)
    html = [token.content for token in tokens if token.type == "html_block"]
    assert html == ["<details><summary>Statements and documents</summary>\n", "</details>\n"]
    (fence,) = [token for token in tokens if token.type == "fence"]
    assert visible(json.dumps(f"```\n# {name}", ensure_ascii=False)[1:-1]) in fence.content
    inline = [child.type for token in tokens if token.type == "inline" for child in token.children or ()]
    assert set(inline) <= {"text", "strong_open", "strong_close", "code_inline", "softbreak", "text_special"}


@pytest.mark.parametrize("line", ["```", "   ```", "a ````` b", "~~~"])
def test_no_line_of_a_statement_ends_its_block(line):
    sql = SqlChange("a.sql", f"ALTER PIPE p SET COMMENT = 'a\n{line}\n<b>';", why="")
    tokens = MarkdownIt("commonmark").parse(as_markdown([plan(sql)], "prod"))
    (fence,) = [token for token in tokens if token.type == "fence"]
    assert fence.content == f"ALTER PIPE p SET COMMENT = 'a\n{line}\n<b>';\n"


def test_github_gets_one_annotation_and_the_summary(tmp_path, monkeypatch):
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    said = for_github([plan(notification([], [RULE]))], "prod, west")
    assert said == "::notice title=Plan for prod%2C west::1 to make, 0 to change, 0 to take away"
    assert summary.read_text().startswith("before\n### Plan for prod, west")


def test_a_summary_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "missing" / "summary.md"))
    with pytest.raises(SettingsWrong, match="summary cannot be written"):
        for_github([plan()], "prod")
