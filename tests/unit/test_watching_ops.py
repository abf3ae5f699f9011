"""What stands in ops/ is judged by the tool it is for, where that is installed."""

import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from runbook.watching.figures import FAMILIES, PREFIX

OPS = Path(__file__).parents[2] / "ops"
FIGURE = re.compile(rf"{PREFIX}_(\w+)")


def _run(*command: str, cwd: Path = OPS) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if not found:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    return found


def test_the_alert_rules_are_right(promtool: str) -> None:
    assert "SUCCESS" in _run(promtool, "check", "rules", "alerts.yaml", cwd=OPS / "prometheus")


def test_every_alert_fires_on_its_fault(promtool: str) -> None:
    assert "SUCCESS" in _run(promtool, "test", "rules", "alerts.test.yaml", cwd=OPS / "prometheus")
    rules = yaml.safe_load((OPS / "prometheus" / "alerts.yaml").read_text())["groups"][0]["rules"]
    tests = yaml.safe_load((OPS / "prometheus" / "alerts.test.yaml").read_text())["tests"]
    fired = {row["alertname"] for test in tests for row in test["alert_rule_test"] if row.get("exp_alerts")}
    quiet = {row["alertname"] for row in tests[0]["alert_rule_test"]}
    assert fired == quiet == {rule["alert"] for rule in rules}


def test_every_command_in_an_alert_goes_to_the_alerts_target() -> None:
    rules = yaml.safe_load((OPS / "prometheus" / "alerts.yaml").read_text())["groups"][0]["rules"]
    told = " ".join(text for rule in rules for text in rule["annotations"].values())
    assert told.count("invoke ") == told.count("invoke -f environments/{{ $labels.target }}.yaml ") == 4


@pytest.mark.parametrize("name", ["prometheus/alerts.yaml", "grafana/dashboard.json"])
def test_only_figures_that_exist_are_asked_for(name: str) -> None:
    asked = set(FIGURE.findall((OPS / name).read_text()))
    assert asked
    assert asked <= FAMILIES.keys()


def test_the_dashboard_is_one_that_grafana_imports() -> None:
    """https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/"""
    board = json.loads((OPS / "grafana" / "dashboard.json").read_text())
    assert {"title", "uid", "schemaVersion", "panels", "templating", "time"} <= board.keys()
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        assert {"type", "title", "gridPos", "targets", "datasource"} <= panel.keys()
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not taken & cells, f"{panel['title']} lies on another panel"
        taken |= cells


def test_every_expression_of_the_dashboard_can_be_read(promtool: str, tmp_path: Path) -> None:
    board = json.loads((OPS / "grafana" / "dashboard.json").read_text())
    asked = [
        target["expr"].replace("$target", "prod") for panel in board["panels"] for target in panel["targets"]
    ]
    rules = [{"record": f"x:{number}", "expr": expression} for number, expression in enumerate(asked)]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": rules}]}))
    assert f"{len(asked)} rules found" in _run(promtool, "check", "rules", str(file))


def test_the_units_are_right(tmp_path: Path) -> None:
    found = shutil.which("systemd-analyze")
    if not found:
        pytest.skip("systemd-analyze is not installed")
    for name in ("snowpipe-watch.service", "snowpipe-watch.timer"):
        text = (OPS / "systemd" / name).read_text()
        # the program is not installed where the tests run
        (tmp_path / name).write_text(text.replace("/opt/snowpipe-runbook/bin/snowpipe-runbook", "/bin/true"))
    done = subprocess.run(
        [
            found,
            "verify",
            "--man=no",
            str(tmp_path / "snowpipe-watch.timer"),
            str(tmp_path / "snowpipe-watch.service"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    wrong = [line for line in done.stderr.splitlines() if "snowpipe-watch" in line]
    assert (done.returncode, wrong) == (0, []), done.stderr


def test_the_cron_job_is_one() -> None:
    """https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/cron-job-v1/"""
    job = yaml.safe_load((OPS / "kubernetes" / "cronjob.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "CronJob")
    spec = job["spec"]
    assert re.fullmatch(r"(\S+ ){4}\S+", spec["schedule"])
    assert spec["concurrencyPolicy"] in ("Allow", "Forbid", "Replace")
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["restartPolicy"] in ("Never", "OnFailure")
    (container,) = pod["containers"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {each["name"] for each in pod["volumes"]}


@pytest.mark.parametrize(("code", "ends"), [(0, 0), (1, 0), (3, 0), (2, 2), (4, 4)])
def test_the_cron_job_fails_only_where_nothing_was_watched(code: int, ends: int) -> None:
    job: dict[str, Any] = yaml.safe_load((OPS / "kubernetes" / "cronjob.yaml").read_text())
    shell = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["command"]
    line = shell[2].replace("snowpipe-runbook watch --once", f"(exit {code})")
    assert subprocess.run([*shell[:2], line], check=False).returncode == ends


class Dag:
    """As much of Airflow's DAG as a file of one needs to be imported."""

    def __init__(self, **given: Any) -> None:
        self.given, self.tasks = given, []  # type: ignore[var-annotated]

    def __enter__(self) -> "Dag":
        Dag.current = self
        return self

    def __exit__(self, *_: object) -> None:
        pass

    current: "Dag"


class Bash:
    """As much of its BashOperator."""

    def __init__(self, **given: Any) -> None:
        self.task_id, self.given = given["task_id"], given
        Dag.current.tasks.append(self)


@pytest.fixture
def dag(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The DAG as the scheduler imports it; where Airflow is not installed, with what stands in for it."""
    if find_spec("airflow") is None:
        for name, content in (("airflow", {"DAG": Dag}), (f"{OPERATORS}.bash", {"BashOperator": Bash})):
            parts = name.split(".")
            for length in range(1, len(parts) + 1):
                made = ModuleType(".".join(parts[:length]))
                if made.__name__ not in sys.modules:
                    monkeypatch.setitem(sys.modules, made.__name__, made)
            vars(sys.modules[name]).update(content)
    text = (OPS / "airflow" / "snowpipe_watch.py").read_text()
    place: dict[str, Any] = {}
    exec(compile(text, "snowpipe_watch.py", "exec"), place)
    return place["dag"]


OPERATORS = "airflow.providers.standard.operators"


def test_the_dag_is_one(dag: Any) -> None:
    assert [task.task_id for task in dag.tasks] == ["watch"]


@pytest.mark.parametrize(("code", "ends"), [(0, 0), (1, 1), (2, 2), (3, 0), (4, 4)])
def test_the_task_fails_where_something_is_wrong(dag: Any, code: int, ends: int) -> None:
    (task,) = dag.tasks
    line = getattr(task, "bash_command", None) or task.given["bash_command"]
    line = line.replace("snowpipe-runbook watch --once", f"(exit {code})")
    assert subprocess.run(["bash", "-c", line], check=False).returncode == ends
