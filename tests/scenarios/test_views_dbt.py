"""dbt builds ops/dbt on the typed views, and models that are shaped as the documented project's are.

dbt is not installed beside the rest: SANDBOX_DBT names its command (an environment with dbt-snowflake).
"""

import gzip
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.scenarios.conftest import ROOT, Installation
from tests.scenarios.test_views import FAILED, ON, event, load

DBT = os.environ.get("SANDBOX_DBT", "")
pytestmark = pytest.mark.skipif(not DBT, reason="SANDBOX_DBT names no dbt with its Snowflake adapter")

DOCUMENTED = {
    # good and repaired events together, what is new by the time of the load: the shape, in words of our own
    "events_good.sql": (
        "{{ config(materialized='incremental', unique_key='event_id') }}\n"
        "SELECT * FROM {{ source('snowplow', 'events') }}\n"
        "{% if is_incremental() %}\n"
        "WHERE uploaded_at >= (SELECT MAX(uploaded_at) FROM {{ this }}) {% endif %}\n"
    ),
    "events_repaired.sql": (
        "{{ config(materialized='table') }}\n"
        "SELECT PARSE_JSON(jsontext):data:payload:enriched:event_id::VARCHAR AS event_id,\n"
        "  PARSE_JSON(jsontext):data:payload:enriched:app_id::VARCHAR AS app_id, uploaded_at\n"
        "FROM {{ source('snowplow', 'events_bad') }}\n"
        "WHERE PARSE_JSON(jsontext):data:failure:messages[0]:schemaKey::VARCHAR LIKE 'iglu:a/%'\n"
    ),
    "events_all.sql": (
        "SELECT event_id, app_id, uploaded_at, FALSE AS was_bad FROM {{ ref('events_good') }}\n"
        "UNION ALL\n"
        "SELECT event_id, app_id, uploaded_at, TRUE AS was_bad FROM {{ ref('events_repaired') }}\n"
    ),
}


def dbt(at: Installation, folder: Path, *arguments: str) -> str:
    side = at.tenant["snowflake"]
    output = {
        "type": "snowflake",
        "account": side["account"],
        "user": side["user"],
        "password": side["password"],
        "host": side["host"],
        "port": side["port"],
        "protocol": "http",
        "role": "SYSADMIN",
        "warehouse": "SANDBOX_WH",
        "database": "RAW",
        "schema": "MODELS",
        "threads": 1,
    }
    profile = {"snowplow_events": {"target": "sandbox", "outputs": {"sandbox": output}}}
    (folder / "profiles.yml").write_text(yaml.safe_dump(profile))
    done = subprocess.run(
        [DBT, *arguments, "--project-dir", str(folder), "--profiles-dir", str(folder)],
        env={**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DO_NOT_TRACK": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_dbt_builds_on_the_views(healthy: Installation, tmp_path: Path) -> None:
    at = healthy
    at.environment.update({**ON, "INVOKE_VIEWS_DOCUMENTED_SCHEMA": "DOCUMENTED"})
    at.run("views")
    load(at, "one.gz", event(br_viewwidth="784"), event(event_id="6f1d3b2a-0000-4000-8000-000000000002"))
    at.put("events_bad", "bad.gz", gzip.compress(json.dumps(FAILED).encode()))
    at.settle()

    typed = tmp_path / "typed"
    shutil.copytree(ROOT / "ops" / "dbt", typed)
    dbt(at, typed, "debug")
    dbt(at, typed, "build")
    dbt(at, typed, "source", "freshness")
    load(at, "again.gz", event(br_viewwidth="784", collector_tstamp="2026-11-21 00:00:00.000"))
    dbt(at, typed, "build")
    assert at.sql("SELECT COUNT(*), MAX(br_viewwidth) FROM RAW.MODELS.EVENTS") == [(2, 784)]

    documented = tmp_path / "documented"
    (documented / "models").mkdir(parents=True)
    project = {
        "name": "documented",
        "version": "1.0.0",
        "profile": "snowplow_events",
        "model-paths": ["models"],
    }
    (documented / "dbt_project.yml").write_text(yaml.safe_dump(project))
    tables = [{"name": "events", "identifier": "EVENTS"}, {"name": "events_bad", "identifier": "EVENTS_BAD"}]
    source = {"name": "snowplow", "database": "RAW", "schema": "DOCUMENTED", "tables": tables}
    (documented / "models" / "sources.yml").write_text(yaml.safe_dump({"version": 2, "sources": [source]}))
    for name, text in DOCUMENTED.items():
        (documented / "models" / name).write_text(text)
    dbt(at, documented, "build")
    load(at, "third.gz", event(event_id="6f1d3b2a-0000-4000-8000-000000000003"))
    dbt(at, documented, "build")
    assert at.sql("SELECT was_bad, COUNT(*) FROM RAW.MODELS.EVENTS_ALL GROUP BY 1 ORDER BY 1") == [
        (False, 4), (True, 1),  # one event came twice, before the model was first built: as documented
    ]  # fmt: skip
    assert at.sql("SELECT COUNT(DISTINCT event_id) FROM RAW.MODELS.EVENTS_GOOD") == [(3,)]
