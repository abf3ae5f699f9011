"""Snowflake CLI runs the same SQL files, by hand, to the same end."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from runbook.sql import FOLDER, files, parameters, template, values, written
from tests.scenarios.conftest import Installation

SNOWFLAKE_STEPS = ("step2_snowflake", "step4_snowflake")
OF_A_STREAM = ("table", "stage", "pipe", "file_format", "url")


@pytest.fixture
def snow() -> str:
    """`snow` of an environment of its own: it pins another connector than the sandbox needs."""
    found = os.environ.get("SANDBOX_SNOW", "")
    if not found or not Path(found).exists():
        pytest.skip(
            "SANDBOX_SNOW names no Snowflake CLI (pip install snowflake-cli, in an environment of its own)"
        )
    return found


def run_by_snow(snow: str, at: Installation, names: list[str], stream: str | None) -> None:
    """`snow sql -c sandbox -f FILE … -D name=value …`, as the files' reader would type it."""
    of = at.stream(stream) if stream else None
    wanted = {name for file in names for name in parameters(template(file))}
    given = {name: written(value) for name, value in values(at.settings, of).items() if name in wanted}
    command = [snow, "sql", "-c", "sandbox"]
    command += [part for file in names for part in ("-f", str(FOLDER / file))]
    command += [part for name, value in given.items() for part in ("-D", f"{name}={value}")]
    done = subprocess.run(
        command, env=at.environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{names}\n{done.stdout}\n{done.stderr}"


def files_of(folder: str, kind: str | None) -> list[str]:
    """A step's files that ask for a stream's names, those of its kind, or the files that ask for none."""
    other = {"enriched": "bad_rows", "bad_rows": "enriched"}.get(kind or "", "-")
    return [
        name
        for name in files(folder)
        if bool(set(parameters(template(name))) & set(OF_A_STREAM)) == (kind is not None)
        and other not in name
    ]


def objects(at: Installation) -> Iterator[str]:
    """The statements that show all these two steps make."""
    yield "DESC INTEGRATION SNOWPLOW_S3"
    yield "SHOW INTEGRATIONS"
    for role in ("SYSADMIN", "SNOWPLOW_LOADER", "SNOWPLOW_OPERATOR"):
        yield f"SHOW GRANTS TO ROLE {role}"
    yield "SHOW GRANTS OF ROLE SNOWPLOW_LOADER"
    for kind in ("ROLES", "SCHEMAS IN DATABASE RAW", *(f"{k} IN SCHEMA RAW.SNOWPLOW" for k in (
        "TABLES", "STAGES", "FILE FORMATS", "PIPES")),
    ):  # fmt: skip
        yield f"SHOW {kind}"
    for stream in at.settings.streams:
        yield f"DESC TABLE {stream.table.sql}"
        yield f"DESC STAGE {stream.stage.sql}"
        yield f"DESC FILE FORMAT {stream.file_format.sql}"
        yield f"DESC PIPE {stream.pipe.sql}"
        yield f"SELECT PARSE_JSON(SYSTEM$PIPE_STATUS('{stream.pipe.sql}')):executionState"


def end_state(at: Installation) -> dict[str, list[tuple[Any, ...]]]:
    """What those statements answer, without what differs between two accounts: names, identities, times."""
    described = {row[0]: row[2] for row in at.sql("DESC INTEGRATION SNOWPLOW_S3")}
    of_the_account = {
        described["STORAGE_AWS_EXTERNAL_ID"]: "<external id>",
        described["STORAGE_AWS_IAM_USER_ARN"]: "<user>",
        at.settings.aws.bucket: "<bucket>",
        at.settings.aws.account_id: "<account>",
        at.tenant["snowflake"]["account_name"]: "<snowflake account>",
        at.sql("SHOW PIPES IN SCHEMA RAW.SNOWPLOW")[0][6]: "<channel>",
    }

    def neutral(value: Any) -> Any:
        if isinstance(value, datetime):
            return "<time>"
        for mine, anybodys in of_the_account.items():
            value = value.replace(mine, anybodys) if isinstance(value, str) else value
        return value

    return {
        statement: sorted((tuple(map(neutral, row)) for row in at.sql(statement)), key=str)
        for statement in objects(at)
    }


def test_every_file_run_by_snow_makes_what_the_steps_make(
    snow: str, new_installation: Callable[..., Installation]
) -> None:
    by_invoke, by_snow = new_installation(), new_installation()
    for step in ("step1-aws", "step2-snowflake", "step3-aws", "step4-snowflake"):
        by_invoke.run(step)

    by_snow.run("step1-aws")
    run_by_snow(snow, by_snow, files_of("step2_snowflake", None), None)
    by_snow.run("step3-aws")
    run = [*files_of("step2_snowflake", None), *files_of("step4_snowflake", None)]
    run_by_snow(snow, by_snow, files_of("step4_snowflake", None), None)
    for stream in by_snow.settings.streams:
        mine = files_of("step4_snowflake", stream.kind)
        run_by_snow(snow, by_snow, mine, stream.name)
        run += mine
    assert set(run) == {name for folder in SNOWFLAKE_STEPS for name in files(folder)}

    wanted = end_state(by_invoke)
    assert all(wanted.values()), [statement for statement, rows in wanted.items() if not rows]
    assert end_state(by_snow) == wanted
    for step in ("step2-snowflake", "step4-snowflake"):
        assert "nothing to change" in by_snow.run(step).stdout


def test_snow_lists_objects_and_a_stages_files(snow: str, healthy: Installation) -> None:
    def listed(*arguments: str) -> list[dict[str, Any]]:
        command = [snow, *arguments, "-c", "sandbox", "--format", "json"]
        done = subprocess.run(command, env=healthy.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    healthy.put("events", "a.gz", b"x")
    tables = listed("object", "list", "table", "--in", "schema", "SNOWPLOW", "--database", "RAW")
    assert {row["name"] for row in tables} == {"EVENTS", "EVENTS_BAD"}
    (file,) = listed("stage", "list-files", "@RAW.SNOWPLOW.ENRICHED_STAGE")
    assert file["name"] == healthy.stream("events").url + "a.gz"
