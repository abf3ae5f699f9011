"""The JSON of a plan has the keys that docs/runbook.md explains, and no other."""

import json
import re
from pathlib import Path

from runbook.backfill.result import Result
from runbook.backfill.tell import plan_json, result_json
from runbook.ledger.classes import Kind
from runbook.loading.planning import plan_files
from runbook.settings import Settings
from tests.unit.observed import NOW, staged
from tests.unit.test_backfill_classes import EVERYTHING, KEY_A, evidence_of

RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook.md"
OF_THE_WHOLE = {"target", "dry_run", "pattern", "since", "until", "streams", "advice"}


def explained() -> dict[str, str]:
    text = RUNBOOK.read_text().split('<a id="backfill-json"></a>')[1].split("<a id=")[0]
    rows = re.findall(r"^\| (`.*?) \| (.*) \|$", text, re.MULTILINE)
    return {key: said for keys, said in rows for key in re.findall(r"`(\w+)`", keys)}


def test_every_key_is_explained_and_every_explained_key_is_there(settings: Settings) -> None:
    evidence = evidence_of(settings, rows=3)
    plan = plan_files(EVERYTHING, [staged(KEY_A), staged(KEY_A + ".gz", modified=NOW)], evidence)
    text = json.dumps({**plan_json(plan, ["COPY"]), **result_json(Result(evidence.stream, plan))}, indent=1)
    document, said = json.loads(text), explained()
    assert set(document) | OF_THE_WHOLE == set(said)
    assert set(re.findall(r"`([a-z_]+)`", said["classes"])) - {
        "files",
        "bytes",
        "matched",
        "refresh",
        "copy",
    } == {
        *map(str, Kind),
        "replace",
    }
    assert {key for row in document["classes"].values() for key in row} == {
        *("files", "bytes", "refresh", "copy", "replace")
    }
    for key in ("matched", "to_load"):
        assert set(document[key]) == set(re.findall(r"`(\w+)`", said[key]))
    assert document["loaded"] is None


def test_missing_files_are_written_one_by_one_as_a_list(settings: Settings) -> None:
    plan = plan_files(
        EVERYTHING, [staged(KEY_A), staged(KEY_A.replace("a.gz", "z.gz"))], evidence_of(settings)
    )
    document = json.loads(json.dumps(result_json(Result(plan.evidence.stream, plan)), indent=1))
    assert [set(row) for row in document["missing"]] == [{"key", "class", "reason"}] * 2
    empty = plan_files(EVERYTHING, [], evidence_of(settings))
    assert json.loads(json.dumps(result_json(Result(plan.evidence.stream, empty)), indent=1))["missing"] == []
