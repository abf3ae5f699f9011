"""The outcome for programs: every format is read by a parser we did not write.

Only for Nagios' performance data no kept one is known: its documented form is asked for instead.
"""

import json
import math
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml, Skipped
from prometheus_client.parser import text_string_to_metric_families
from tap.parser import Parser

from runbook.clouds.network import one_line
from runbook.commands.verify import reports
from runbook.errors import SettingsWrong
from runbook.verify.formats import FORMATS, as_json, as_junit, as_nagios, as_prometheus, as_tap, nagios_code
from runbook.verify.outcome import untold
from tests.unit.test_outcome import STARTED, outcome, result
from tests.unit.test_tell import HOSTILE, broken

HEALTHY = outcome(result("step1.a"), result("delivery.b", "skipped", cause="needs a warehouse"))
ADVISED = outcome(
    result("step1.a"),
    result("step1.b", "advice", observed="wide", cause="it grants more", remedy="invoke step1-aws"),
)
STRICT = replace(ADVISED, strict=True)
UNKNOWN = outcome(
    result("step1.a"), result("step1.b", "unknown", cause="no permission", remedy="grant iam:GetRole")
)
NOTHING = outcome()
UNTOLD = untold("prod", STARTED, 0.1, "AWS cannot be reached: no route", "run the command again")


def test_the_json_reads_back_as_the_outcome():
    assert json.loads(as_json(broken())) == broken().as_json()
    assert json.loads(as_json(UNTOLD))["healthy"] is False


def test_a_junit_parser_reads_every_outcome_as_what_it_is():
    (suite,) = JUnitXml.fromstring(as_junit(broken()).encode())
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (9, 3, 1, 2)
    assert suite.time == pytest.approx(0.812)
    found = {(case.classname, case.name): case for case in suite}
    assert len(found) == 9
    failure = found["step4", "pipe-is-not-paused[events_bad]"].result
    assert [type(part) for part in failure] == [Failure]
    assert failure[0].message == "it is paused"
    assert "remedy: invoke resume --stream events_bad" in failure[0].text
    assert [type(part) for part in found["step5", "rule-exists[events]"].result] == [Error]
    blocked = found["step4", "pipe-runs[events]"].result
    assert [(type(part), part.message) for part in blocked] == [
        (Skipped, "blocked by step4.pipe-is-not-paused")
    ]
    assert [type(part) for part in found["delivery", "files-keep-arriving[events]"].result] == [Skipped]
    assert found["step1", "bucket-exists"].result == []


# ---- TAP


def tap_lines(found):
    return [line for line in Parser().parse_text(as_tap(found)) if line.category == "test"]


def test_a_tap_parser_reads_every_outcome_as_what_it_is():
    lines = list(Parser().parse_text(as_tap(broken())))
    assert [line.category for line in lines[:2]] == ["version", "plan"]
    assert lines[1].expected_tests == 9
    assert not [line for line in lines if line.category == "unknown"]
    tests = {line.description.removeprefix("- "): line for line in tap_lines(broken())}
    assert [name for name, line in tests.items() if line.ok and not line.skip] == [
        "step1.bucket-exists",
        "step4.stage-exists[events]",
        "step4.stage-exists[events_bad]",
    ]
    assert [name for name, line in tests.items() if line.skip] == ["delivery.files-keep-arriving[events]"]
    assert not any(line.todo for line in tests.values())
    block = tests["step4.pipe-is-not-paused[events_bad]"].yaml_block
    assert block == {
        "outcome": "failed",
        "cause": "it is paused",
        "remedy": "invoke resume --stream events_bad",
    }
    assert tests["step4.pipe-runs[events]"].yaml_block["blocked_by"] == "step4.pipe-is-not-paused"
    assert tests["step5.rule-exists[events]"].yaml_block["outcome"] == "unknown"


def test_a_tap_run_without_a_result_bails_out():
    assert [line.category for line in Parser().parse_text(as_tap(NOTHING))] == ["version", "plan", "bail"]


# ---- Nagios


# 'label'=value[UOM];[warn];[crit];[min];[max]: https://www.monitoring-plugins.org/doc/guidelines.html
NUMBER = r"-?[0-9.]+"
METRIC = re.compile(
    rf"""(?P<quote>'?)(?P<label>(?(quote)(?:[^'=]|'')+|[^\s'=]+))(?P=quote)=
    (?P<value>{NUMBER}|U)(?P<uom>s|us|ms|%|B|KB|MB|TB|c|)
    (?:;(?P<warn>[-@~:0-9.]*))?(?:;(?P<crit>[-@~:0-9.]*))?(?:;(?P<min>(?:{NUMBER})?))?(?:;(?P<max>(?:{NUMBER})?))?""",
    re.VERBOSE,
)


def performance(text):
    _, _, data = text.splitlines()[0].partition("|")
    found = [METRIC.fullmatch(metric) for metric in re.findall(r"(?:'[^']*'|[^\s'])+", data)]
    assert all(found), data
    return {metric["label"]: metric.groupdict() for metric in found}


@pytest.mark.parametrize(
    ("found", "code", "word"),
    [
        (HEALTHY, 0, "OK"),
        (broken(), 2, "CRITICAL"),
        (UNKNOWN, 3, "UNKNOWN"),
        (NOTHING, 3, "UNKNOWN"),
        (UNTOLD, 3, "UNKNOWN"),
    ],
)
def test_a_nagios_plugin_ends_with_its_own_code_and_says_the_word(found, code, word):
    assert nagios_code(found) == code
    assert as_nagios(found).startswith(f"SNOWPIPE {word} - ")


def test_a_performance_data_parser_reads_the_counts():
    metrics = performance(as_nagios(broken()))
    assert {label: (m["value"], m["uom"], m["crit"]) for label, m in metrics.items()} == {
        "passed": ("3", "", ""),
        "failed": ("3", "", "0"),
        "advice": ("0", "", ""),
        "blocked": ("1", "", ""),
        "unknown": ("1", "", ""),
        "skipped": ("1", "", ""),
        "time": ("0.812", "s", ""),
    }
    assert {m["max"] for label, m in metrics.items() if label != "time"} == {"9"}


def test_nagios_names_each_cause_with_its_remedy():
    first, *more = as_nagios(broken()).splitlines()
    assert "step3.trust-has-the-external-id: it differs (and 2 more) | passed=3" in first
    assert more[0] == "step3.trust-has-the-external-id: it differs; remedy: invoke step3-aws"
    assert len(more) == 3
    assert as_nagios(HEALTHY).splitlines()[0].startswith("SNOWPIPE OK - sandbox: 1 passed, 1 skipped | ")


# ---- Prometheus


def samples(found):
    """Every sample by name and labels; the parser refuses what Prometheus would."""
    text = as_prometheus(found) + "\n"
    read = {}
    for family in text_string_to_metric_families(text):
        assert family.type == "gauge"
        assert family.documentation
        for sample in family.samples:
            key = (sample.name.removeprefix("snowpipe_runbook_"), *sorted(sample.labels.items()))
            assert key not in read
            assert sample.timestamp is None  # the textfile collector refuses them
            read[key] = sample.value
    return read


def values(found, name):
    return {key[1:]: value for key, value in samples(found).items() if key[0] == name}


def test_a_prometheus_parser_reads_the_gauges():
    target = ("target", "sandbox")
    assert values(broken(), "healthy") == {(target,): 0}
    assert values(HEALTHY, "healthy") == {(target,): 1}
    assert values(broken(), "checks")[(("outcome", "failed"), target)] == 3
    assert values(broken(), "root_cause") == {
        (("check", "step3.trust-has-the-external-id"), ("stream", ""), target): 1,
        (("check", "step4.pipe-is-not-paused"), ("stream", "events"), target): 1,
        (("check", "step4.pipe-is-not-paused"), ("stream", "events_bad"), target): 1,
    }
    passed = values(broken(), "check_passed")
    assert sum(passed.values()) == 3
    assert len(passed) == 8  # a skipped check has no sample
    assert math.isclose(values(broken(), "verify_timestamp_seconds")[(target,)], STARTED.timestamp())
    assert values(broken(), "verify_duration_seconds") == {(target,): 0.812}


@pytest.mark.parametrize("found", [broken(), UNKNOWN, NOTHING, UNTOLD])
def test_nothing_looks_healthy_when_it_is_not(found):
    assert list(values(found, "healthy").values()) == [0]
    assert json.loads(as_json(found))["healthy"] is False
    assert nagios_code(found) != 0
    tap = list(Parser().parse_text(as_tap(found)))
    assert any(line.category == "bail" or (line.category == "test" and not line.ok) for line in tap)


# ---- any text, any format


@given(st.one_of(st.sampled_from(HOSTILE), st.text(st.characters())))
def test_any_line_from_outside_is_well_formed_in_every_format(text):
    line = one_line(text)
    row = result("step1.a", "failed", cause=line, observed=line, expected=line, remedy=line)
    found = outcome(
        row, result("step1.b", "unknown", cause=line, remedy=line), result("step1.c", "skipped", cause=line)
    )
    (suite,) = JUnitXml.fromstring(as_junit(found).encode())
    assert [case.result[0].message for case in suite] == [line, line, line]
    assert json.loads(as_json(found))["checks"][0]["cause"] == line
    tests = tap_lines(found)
    assert [test.ok for test in tests] == [False, False, True]
    assert tests[0].yaml_block.get("cause", "") == line
    assert performance(as_nagios(found))["failed"]["value"] == "1"
    assert sum(values(found, "check_passed").values()) == 0
    for write in FORMATS.values():
        write(found).encode()


# ---- the command line


def test_formats_and_where_they_go():
    def places(*asked, output=None):
        return [(report.name, report.path) for report in reports(list(asked), output)]

    assert places() == [("table", None)]
    assert places("json", output="x") == [("json", "x")]
    assert places("table", "json=r.json", "junit=a=b.xml") == [
        ("table", None),
        ("json", "r.json"),
        ("junit", "a=b.xml"),
    ]
    assert places("tap", "json=r.json", output="t.tap") == [("tap", "t.tap"), ("json", "r.json")]
    for asked, words in (
        (["nonsense"], "table|json|junit|tap|nagios|prometheus"),
        (["json", "table=-"], "standard output"),
        (["json", "table"], "standard output"),
        (["json=x", "tap=x"], "to x"),
    ):
        with pytest.raises(SettingsWrong, match=r"There is no format|Two formats") as refused:
            reports(asked, None)
        assert words in str(refused.value)


# ---- advice: it works, and a careful person would change it


def test_advice_is_good_news_with_a_remark_in_every_format():
    assert (ADVISED.is_healthy, ADVISED.exit_code, ADVISED.root_causes) == (True, 0, ())
    assert (as_json_of(ADVISED)["healthy"], as_json_of(ADVISED)["advice"]) == (True, ["step1.b"])
    (suite,) = JUnitXml.fromstring(as_junit(ADVISED).encode())
    assert (suite.failures, suite.errors, suite.skipped) == (0, 0, 0)
    assert ["invoke step1-aws" in (case.system_out or "") for case in suite] == [False, True]
    assert [line.ok for line in tap_lines(ADVISED)] == [True, True]
    assert "it grants more" in as_tap(ADVISED)
    assert nagios_code(ADVISED) == 0
    assert as_nagios(ADVISED).splitlines()[-1] == "step1.b: it grants more; remedy: invoke step1-aws"
    assert metric(ADVISED, "healthy") == [1]
    assert metric(ADVISED, "check_passed") == [1, 1]
    assert metric(ADVISED, "advice") == [1]
    assert metric(ADVISED, "root_cause") == []


def test_strict_makes_advice_bad_news_in_every_format():
    assert (STRICT.is_healthy, STRICT.exit_code, STRICT.root_causes) == (False, 1, ())
    assert as_json_of(STRICT)["healthy"] is False
    (suite,) = JUnitXml.fromstring(as_junit(STRICT).encode())
    assert (suite.failures, [type(part) for case in suite for part in case.result]) == (1, [Failure])
    assert [line.ok for line in tap_lines(STRICT)] == [True, False]
    assert nagios_code(STRICT) == 1
    assert as_nagios(STRICT).startswith("SNOWPIPE WARNING - sandbox: step1.b: it grants more | ")
    assert metric(STRICT, "healthy") == [0]


def test_a_failure_is_worse_than_advice():
    both = replace(outcome(*ADVISED.results, result("step2.c", "failed")), strict=True)
    assert (both.exit_code, nagios_code(both)) == (1, 2)
    assert [row.id for row in both.root_causes] == ["step2.c"]


def as_json_of(found):
    return json.loads(as_json(found))


def metric(found, name):
    families = text_string_to_metric_families(as_prometheus(found) + "\n")
    return [
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == f"snowpipe_runbook_{name}"
    ]
