"""How a command ends: one paragraph, the documented exit code, nothing half-written."""

# ruff: noqa: E501 (a table has one row a line)

import sys
from io import StringIO

import pytest

from runbook.clouds.failures import AwsFailed
from runbook.clouds.writer import Receipt
from runbook.commands.discover import _folder_of, _free
from runbook.commands.sandbox import enter
from runbook.commands.verify import Report, asked_for, reports
from runbook.discovery.described import Described
from runbook.discovery.written import written as discovered_text
from runbook.errors import (
    Blocked,
    CannotTell,
    NotConverged,
    NotWritten,
    Refused,
    RunbookError,
    SettingsWrong,
    Unhealthy,
)
from runbook.invocation import HERE
from runbook.plan import Applied, AwsChange
from runbook.records import Record
from runbook.running import INTERRUPTED, Run, ends, running, write_output
from runbook.settings import read
from runbook.terminal import Style, say
from tests.unit.conftest import written
from tests.unit.test_outcome import outcome


def raising(error):
    def action():
        raise error

    return action


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SettingsWrong("Wrong"), 2),
        (Refused("Refused"), 2),
        (Blocked("Blocked", by_step=2), 2),
        (CannotTell("Cannot tell"), 3),
        (Unhealthy("Unhealthy"), 1),
        (NotConverged("Not converged"), 4),
        (RunbookError("Something"), 1),
    ],
)
def test_every_error_ends_as_one_paragraph_and_its_own_exit_code(capsys, error, code):
    assert ends(raising(error)) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {error.what}")
    assert "Traceback" not in err


def all_errors(kind=RunbookError):
    return {kind}.union(*(all_errors(each) for each in kind.__subclasses__()))


def test_no_error_has_an_exit_code_that_is_not_documented():
    assert {kind.__name__: kind.exit_code for kind in all_errors()} == {
        "RunbookError": 1,
        "SettingsWrong": 2,
        "NotWritten": 2,
        "Refused": 2,
        "Blocked": 2,
        "CannotTell": 3,
        "NoCredentials": 3,
        "Unhealthy": 1,
        "NotConverged": 4,
        "Overtaken": 4,
    }


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (RunbookError("It failed."), "It failed."),
        (RunbookError("It failed", where="there", why="because.", remedy="mend it."), "It failed (there). Because. To do: mend it."),
        (RunbookError("It failed", remedy="mend it"), "It failed. To do: mend it."),
        (Blocked("No queue", by_step=4, remedy="invoke step4-snowflake"), "No queue. Step 4 comes first. To do: invoke step4-snowflake."),
    ],
)  # fmt: skip
def test_an_error_is_one_paragraph(error, text):
    assert str(error) == text


def test_a_command_that_ends_well_says_its_own_code(capsys):
    assert [ends(lambda: 0), ends(lambda: 1)] == [0, 1]
    assert capsys.readouterr().err == ""


def test_ctrl_c_ends_as_a_shell_reports_it(capsys):
    assert ends(raising(KeyboardInterrupt())) == INTERRUPTED == 130
    assert "interrupted" in capsys.readouterr().err


def test_a_mistake_of_ours_is_one_paragraph_too_and_says_so(capsys):
    assert ends(raising(ZeroDivisionError("division by zero"))) == 1
    err = capsys.readouterr().err
    assert "ZeroDivisionError: division by zero" in err
    assert "mistake in snowpipe-runbook" in " ".join(err.split())
    assert "Traceback" not in err


@pytest.mark.parametrize("error", [SettingsWrong("Wrong"), ZeroDivisionError("x")])
def test_a_traceback_only_on_request(capsys, error):
    ends(raising(error), debug=True)
    assert "Traceback" in capsys.readouterr().err


def test_a_reader_that_went_away_is_no_traceback(monkeypatch):
    err = StringIO()
    monkeypatch.setattr(sys, "stderr", err)
    assert ends(raising(BrokenPipeError())) == 1
    assert err.closed


# ---- running


def run_of(settings, tmp_path, **more):
    return Run(
        settings, "step1-aws", None, None, Record(settings, "step1-aws", "run", folder=tmp_path), **more
    )


LIVE = {
    "target": "prod",
    "aws__account_id": "210987654321",
    "aws__bucket": "acme-events",
    "snowflake__account": "ACME-EU",
    "snowflake__connection": "acme",
}


@pytest.mark.parametrize(("config", "more"), [({}, {}), (LIVE, {"yes": True})])
def test_the_sandbox_and_yes_need_no_asking(monkeypatch, tmp_path, config, more):
    monkeypatch.setattr(sys, "stdin", StringIO("n\n"))
    run_of(read(written(**config)), tmp_path, **more).ask("Apply?")


def test_nobody_to_ask_is_a_refusal(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "stdin", StringIO("y\n"))
    with pytest.raises(SettingsWrong, match=r"nobody to ask.*--yes"):
        run_of(read(written(**LIVE)), tmp_path).ask("Apply?")


class Terminal(StringIO):
    def isatty(self):
        return True


def test_ctrl_d_is_no_answer(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "stdin", Terminal(""))
    with pytest.raises(SettingsWrong, match="Nothing was changed: there was no answer"):
        run_of(read(written(**LIVE)), tmp_path).ask("Apply?")


def test_an_error_ends_with_its_target_and_commands_that_go_there(monkeypatch):
    monkeypatch.setattr(HERE, "file", "environments/prod.yaml")
    with pytest.raises(Blocked) as told:
        begun(Blocked("No queue", by_step=4, remedy="invoke step4-snowflake"), changed=0)
    assert str(told.value) == (
        "No queue. Step 4 comes first. To do: invoke -f environments/prod.yaml step4-snowflake. Target: sandbox."
    )


def test_ctrl_c_in_a_comparison_is_ctrl_c():
    with pytest.raises(KeyboardInterrupt):
        begun(RuntimeError("Query interrupted"), changed=0)
    with pytest.raises(NotConverged, match="Interrupted"):
        begun(RuntimeError("Query interrupted"), changed=1)


@pytest.mark.parametrize(
    ("answer", "goes_on"),
    [("y", True), ("YES", True), (" y ", True), ("", False), ("n", False), ("yeah", False), ("apply", False)],
)
def test_only_yes_is_yes(monkeypatch, capsys, tmp_path, answer, goes_on):
    monkeypatch.setattr(sys, "stdin", Terminal(answer + "\n"))
    run = run_of(read(written(**LIVE)), tmp_path)
    if goes_on:
        run.ask("Apply?")
    else:
        with pytest.raises(SettingsWrong, match="Nothing was changed"):
            run.ask("Apply?")


def test_a_change_is_counted_once_it_is_on_record(settings, tmp_path):
    run = run_of(settings, tmp_path)
    run.applied(1, Applied(AwsChange("iam", "CreateRole", {}, "why"), (Receipt("r"),)))
    assert run.changed == 1
    assert len(run.record.path.read_text().splitlines()) == 1


def test_wrong_settings_end_before_anything_is_contacted():
    with pytest.raises(SettingsWrong, match="unknown key"):
        with running(written(aws__bukket="x"), "verify"):
            pytest.fail("the command must not begin")


def begun(error, *, changed, sides=(), sent=0):
    """What a command on nobody's clouds raises, after so many changes and writes without an answer."""
    with running(written(), "step1-aws", sides=sides, quiet=True) as run:
        run.changed, run.writer.begun = changed, sent
        raise error


@pytest.mark.parametrize(
    "error", [SettingsWrong("Wrong"), CannotTell("Cannot tell", why="no network"), Refused("No")]
)
def test_after_changes_any_error_is_applied_partly(error):
    with pytest.raises(type(error)) as told:
        begun(error, changed=0)
    assert told.value is error
    with pytest.raises(NotConverged, match="2 changes were made before") as told:
        begun(error, changed=2)
    assert told.value.exit_code == 4
    assert told.value.what == error.what


def test_a_write_that_nobody_answered_may_have_been_done():
    silent = CannotTell("Snowflake cannot be reached", remedy="check the network", unreachable=True)
    with pytest.raises(NotConverged, match=r"Its first change was under way.*check the network"):
        begun(silent, changed=0, sent=1)
    with pytest.raises(CannotTell):
        begun(silent, changed=0)  # only asked
    with pytest.raises(CannotTell):
        begun(CannotTell("A right is missing"), changed=0, sent=1)  # refused: it was answered


def test_ctrl_c_after_changes_says_what_was_done_and_ends_with_4():
    with pytest.raises(KeyboardInterrupt):
        begun(KeyboardInterrupt(), changed=0)
    with pytest.raises(
        NotConverged, match=r"Interrupted.*1 change was made.*run the same command again.*\.jsonl"
    ):
        begun(KeyboardInterrupt(), changed=1)


@pytest.mark.parametrize(
    "error", [AwsFailed("iam", "GetRole", "Throttling", "slow down", "r"), ZeroDivisionError("x")]
)
def test_what_nobody_translated_is_still_told_as_it_is(error):
    with pytest.raises(type(error)):
        begun(error, changed=0)


# ---- output


def test_a_result_is_written_whole_or_to_standard_output(capsys, tmp_path):
    write_output("text", None, say)
    assert capsys.readouterr().out == "text\n"
    path = tmp_path / "result.json"
    path.write_text("old")
    write_output("text", str(path), say)
    assert path.read_text() == "text\n"
    assert [each.name for each in tmp_path.iterdir()] == ["result.json"]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["missing/result.json", "folder"])
def test_a_result_that_cannot_be_written_leaves_what_was_there(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(SettingsWrong, match="The result cannot be written"):
        write_output("text", str(tmp_path / name), say)
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]
    assert list((tmp_path / "folder").iterdir()) == []


def test_a_style_is_never_wider_than_reads_well(monkeypatch):
    monkeypatch.setenv("COLUMNS", "500")
    assert Style.of(StringIO()).width == 140


def test_a_name_that_is_too_long_is_told_as_any_that_cannot_be_written(tmp_path):
    place = str(tmp_path / ("n" * 300))
    with pytest.raises(NotWritten, match="cannot be written"):
        write_output("text", place, print)
    with pytest.raises(NotWritten, match="cannot be written"):
        Report("json", place).write(outcome(), every=False)
    with pytest.raises(SettingsWrong, match="cannot be written"):
        _free(place, replace=False)


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotWritten, match="folder of the file"):
        _folder_of(str(tmp_path / "file" / "prod.yaml"))
    _folder_of(str(tmp_path / "a" / "b" / "prod.yaml"))
    assert (tmp_path / "a" / "b").is_dir()


def test_the_next_command_is_of_the_program_that_is_installed(monkeypatch):
    """Without a checkout there is no ``invoke``."""
    monkeypatch.setattr(HERE, "program", "snowpipe-runbook")
    for name in ("RUNBOOK_SANDBOX_GIVEN", "RUNBOOK_SANDBOX", "INVOKE_TARGET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(HERE, "file", "")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(SettingsWrong) as refused:
        enter()
    assert "snowpipe-runbook -f environments/NAME.yaml TASK" in str(refused.value)
    text = discovered_text(Described("prod"), "A.B.C", {"streams": {}}, "environments/prod.yaml")
    assert "#   snowpipe-runbook -f environments/prod.yaml verify\n" in text


def test_a_dash_is_standard_output(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = []
    write_output("the result", "-", said.append)
    assert (said, list(tmp_path.iterdir())) == (["the result"], [])
    assert [report.path for report in reports(["json"], "-")] == [None]
    assert asked_for(["verify", "--format", "json", "--output", "-"]) == (["json"], "-")
