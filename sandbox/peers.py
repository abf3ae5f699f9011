"""Tools of others on the sandbox, each in its own environment: they build and read the documented pipeline.

    python sandbox/peers.py [--only NAME,…] [--environments DIR] [--write docs/sandbox.md]

Their packages are installed as they are; the cases are ours. ``--write`` puts the table between the two marks
of a page, where the rows of peers that were not run stay. Tools that take no host and port of Snowflake's
find the sandbox by SHIM. Exit code 1: a case in scope did not pass.
"""

# ruff: noqa: T201 - it prints as it goes

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import uuid
import venv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
from snowpipe_sandbox import process

BEGIN, END = "<!-- peers: begin -->", "<!-- peers: end -->"
SHIM = """
import os
from snowflake.connector import connection

_init = connection.SnowflakeConnection.__init__


def _at_the_sandbox(self, *args, **given):
    given |= {"host": os.environ["PEER_HOST"], "port": int(os.environ["PEER_PORT"]), "protocol": "http"}
    _init(self, *args, **given)


connection.SnowflakeConnection.__init__ = _at_the_sandbox
"""
INTEGRATION = (
    "CREATE STORAGE INTEGRATION IF NOT EXISTS S3_INT TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' "
    "ENABLED = TRUE STORAGE_AWS_ROLE_ARN = '{role}' STORAGE_ALLOWED_LOCATIONS = ('s3://{bucket}/')"
)
PIPELINE = (
    "CREATE DATABASE IF NOT EXISTS RAW",
    "CREATE SCHEMA IF NOT EXISTS RAW.SNOWPLOW",
    "CREATE TABLE IF NOT EXISTS RAW.SNOWPLOW.EVENTS (APP_ID VARCHAR, PLATFORM VARCHAR)",
    "CREATE FILE FORMAT IF NOT EXISTS RAW.SNOWPLOW.TSV TYPE = CSV FIELD_DELIMITER = '\\t' NULL_IF = ('')",
    "CREATE STAGE IF NOT EXISTS RAW.SNOWPLOW.EVENTS_STAGE URL = 's3://{bucket}/enriched/' "
    "STORAGE_INTEGRATION = S3_INT FILE_FORMAT = (FORMAT_NAME = 'RAW.SNOWPLOW.TSV')",
    "CREATE PIPE IF NOT EXISTS RAW.SNOWPLOW.EVENTS_PIPE AUTO_INGEST = TRUE AS "
    "COPY INTO RAW.SNOWPLOW.EVENTS FROM @RAW.SNOWPLOW.EVENTS_STAGE ON_ERROR = SKIP_FILE",
)


class NotPassedError(Exception):
    """A case that did not pass, with why."""


@dataclass
class Place:
    """A tenant of the sandbox, and one peer's environment."""

    tenant: dict[str, Any]
    folder: Path
    bin: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def bucket(self) -> str:
        """The tenant's bucket."""
        return str(self.tenant["aws"]["bucket"])

    @property
    def role(self) -> str:
        """The role Snowflake assumes."""
        return f"arn:aws:iam::{self.tenant['aws']['account_id']}:role/snowflake"

    def run(self, *command: str, expect: int = 0) -> str:
        """Run one of the environment's programs; what it printed. Raises NotPassedError."""
        done = subprocess.run(  # noqa: S603 - what is run stands in this file
            [str(self.bin / command[0]), *command[1:]],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        said = f"{done.stdout}\n{done.stderr}"
        if done.returncode != expect:
            raise NotPassedError(_reason(said))
        return said

    def aws(self, service: str) -> Any:
        """A client of the bucket's owner."""
        aws = self.tenant["aws"]
        return boto3.client(
            service,
            endpoint_url=aws["endpoint_url"],
            region_name=aws["region"],
            aws_access_key_id=aws["access_key_id"],
            aws_secret_access_key=aws["secret_access_key"],
        )

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the control interface."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.tenant["control_url"] + path, data, {"Content-Type": "application/json"})  # noqa: S310
        request.get_method = lambda: method  # type: ignore[method-assign]
        with urlopen(request, timeout=60) as answer:  # noqa: S310
            return json.load(answer)

    def write(self, name: str, text: str) -> None:
        """A file of the peer's project."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def prepare(self) -> None:
        """Integration, role and trust: the administrator's part, which no peer here does."""
        import snowflake.connector

        side = self.tenant["snowflake"]
        names = ("account", "user", "password", "host", "port")
        with snowflake.connector.connect(
            **{name: side[name] for name in names}, protocol="http"
        ) as connection:
            cursor = connection.cursor()
            cursor.execute(INTEGRATION.format(role=self.role, bucket=self.bucket))
            rows = {row[0]: row[2] for row in cursor.execute("DESC INTEGRATION S3_INT").fetchall()}
        user, external_id = rows["STORAGE_AWS_IAM_USER_ARN"], rows["STORAGE_AWS_EXTERNAL_ID"]
        trust = {"Effect": "Allow", "Principal": {"AWS": user}, "Action": "sts:AssumeRole"}
        trust["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
        read = {"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": "*"}
        iam = self.aws("iam")
        iam.create_role(RoleName="snowflake", AssumeRolePolicyDocument=_document(trust))
        iam.put_role_policy(RoleName="snowflake", PolicyName="read", PolicyDocument=_document(read))

    def rows_after_a_file(self, show_pipe: str, count: str) -> None:
        """A file arrives, and is in the table by the pipe that the peer made. Raises NotPassedError."""
        queue = re.search(r"arn:aws:sqs:[\w:-]+", show_pipe.replace("\n", ""))
        if queue is None:
            raise NotPassedError("no notification channel is shown")
        rule = {"Id": "snowpipe", "QueueArn": queue[0], "Events": ["s3:ObjectCreated:*"]}
        s3 = self.aws("s3")
        s3.put_bucket_notification_configuration(
            Bucket=self.bucket, NotificationConfiguration={"QueueConfigurations": [rule]}
        )
        s3.put_object(Bucket=self.bucket, Key="enriched/a.tsv", Body=b"shop\tweb\n")
        self.control("POST", "/settle", {"timeout_s": 30})
        if not re.search(r"\b1\b", count_of(self, count)):
            raise NotPassedError("the file's row is not in the table")


def count_of(place: Place, command: str) -> str:
    """What the peer counts in the table."""
    return place.run(*command.split("|"))


def _document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _reason(said: str) -> str:
    """The line of an output that says why."""
    lines = [line.strip(" │|╭╰─") for line in said.splitlines() if line.strip(" │|╭╰─")]
    telling = [line for line in lines if re.search(r"not emulated|invalid identifier|[0-9]{6} \(", line)]
    return (telling or lines or ["nothing was said"])[-1][:160]


Case = Callable[[Place], None]
CASES: dict[str, tuple[str, dict[str, Case]]] = {}
"""By peer: its package, and its cases in order; each stands on those before it."""


def peer(name: str, package: str) -> Callable[[Callable[[], dict[str, Case]]], None]:
    """Note a peer's cases."""

    def note(make: Callable[[], dict[str, Case]]) -> None:
        CASES[name] = (package, make())

    return note


def says(*command: str, wanted: str = "", expect: int = 0) -> Case:
    """A case that runs one command, and finds a text in what it prints."""

    def case(place: Place) -> None:
        said = place.run(*(part.replace("BUCKET", place.bucket) for part in command), expect=expect)
        if wanted not in said:
            raise NotPassedError(f"{wanted!r} is not in: {_reason(said)}")

    return case


def refused(place: Place, *command: str) -> None:
    """A tool for whole accounts asks first for what the sandbox has nothing of, and must be told so."""
    try:
        place.run(*command)
    except NotPassedError as why:
        if "not emulated" in str(why):
            return
        raise
    raise NotPassedError("it was not refused")


def script(text: str) -> Case:
    """A case that is a Python program in the peer's environment."""

    def case(place: Place) -> None:
        place.write("case.py", text)
        place.run("python", "case.py")

    return case


# -- the peers ------------------------------------------------------------------------------------------


@peer("Snowflake CLI", "snowflake-cli")
def _cli() -> dict[str, Case]:
    def build(place: Place) -> None:
        place.write("pipeline.sql", ";\n".join(PIPELINE).format(bucket=place.bucket) + ";\n")
        place.run("snow", "sql", "-f", "pipeline.sql")

    def loads(place: Place) -> None:
        shown = place.run("snow", "sql", "-q", "SHOW PIPES IN ACCOUNT", "--format", "json")
        place.rows_after_a_file(
            shown, "snow|sql|-q|SELECT COUNT(*) AS N FROM RAW.SNOWPLOW.EVENTS|--format|json"
        )

    templated = ("snow", "sql", "-q", "SELECT <% n %> AS N", "-D", "n=42")
    cases: dict[str, Case] = {
        "connection test": says("snow", "connection", "test", wanted="OK"),
        "sql -f builds the pipeline": build,
        "its pipe loads": loads,
        "sql with a template": says(*templated, wanted="42"),
        "sql with a mistake fails": says("snow", "sql", "-q", "SELECT * FROM NOPE.NOPE.NOPE", expect=1),
        "connection test with an unknown schema fails": says(
            "snow", "connection", "test", "--schema", "NOPE", expect=1
        ),
    }
    for kind in ("database", "schema", "table", "stage", "role", "warehouse", "integration", "view", "user"):
        cases[f"object list {kind}"] = says("snow", "object", "list", kind)
    for kind, name in (
        ("table", "RAW.SNOWPLOW.EVENTS"),
        ("stage", "RAW.SNOWPLOW.EVENTS_STAGE"),
        ("integration", "S3_INT"),
        ("database", "RAW"),
        ("schema", "RAW.SNOWPLOW"),
    ):
        cases[f"object describe {kind}"] = says("snow", "object", "describe", kind, name)
    return cases | {
        "stage list": says("snow", "stage", "list", "--in", "database", "RAW", wanted="EVENTS_STAGE"),
        "stage describe": says("snow", "stage", "describe", "RAW.SNOWPLOW.EVENTS_STAGE", wanted="URL"),
        "stage list-files": says("snow", "stage", "list-files", "@RAW.SNOWPLOW.EVENTS_STAGE", wanted="a.tsv"),
        "object drop table": says("snow", "object", "drop", "table", "RAW.SNOWPLOW.EVENTS"),
        "object drop database": says("snow", "object", "drop", "database", "RAW"),
    }


@peer("schemachange", "schemachange")
def _schemachange() -> dict[str, Case]:
    deploy = (
        *("schemachange", "deploy", "--root-folder", "migrations", "--connection-name", "sandbox"),
        *("--connections-file-path", "connections.toml"),
        *("--change-history-table", "CHANGES.PUBLIC.HISTORY", "--create-change-history-table"),
    )

    def build(place: Place) -> None:
        first, last = PIPELINE[:3], PIPELINE[3:]
        named = {"V1.0.0__schema.sql": first, "V1.1.0__pipe.sql": last, "R__again.sql": PIPELINE[:1]}
        for name, statements in named.items():
            place.write(f"migrations/{name}", ";\n".join(statements).format(bucket=place.bucket) + ";\n")
        home = Path(place.environment["SNOWFLAKE_HOME"]) / "connections.toml"
        place.write("connections.toml", home.read_text())
        _python_sql(place, "CREATE DATABASE IF NOT EXISTS CHANGES")
        place.run(*deploy)

    def loads(place: Place) -> None:
        shown = _python_sql(place, "SHOW PIPES IN ACCOUNT")
        place.rows_after_a_file(shown, "python|sql.py|SELECT COUNT(*) FROM RAW.SNOWPLOW.EVENTS")

    return {
        "deploy builds the pipeline": build,
        "its pipe loads": loads,
        "a second deploy changes nothing": says(*deploy, wanted="scripts_applied=0"),
        "the history table has each script": lambda place: _wanted(
            _python_sql(place, "SELECT COUNT(*) FROM CHANGES.PUBLIC.HISTORY"), "3"
        ),
    }


SQL = """
import os, sys, snowflake.connector
with snowflake.connector.connect(account=os.environ["PEER_ACCOUNT"], user=os.environ["PEER_USER"],
                                 password=os.environ["PEER_PASSWORD"]) as connection:
    print(connection.cursor().execute(sys.argv[1]).fetchall())
"""


def _python_sql(place: Place, statement: str) -> str:
    place.write("sql.py", SQL)
    return place.run("python", "sql.py", statement)


def _wanted(said: str, text: str) -> None:
    if text not in said:
        raise NotPassedError(f"{text!r} is not in: {_reason(said)}")


@peer("Python connector", "snowflake-connector-python>=5 pandas pyarrow")
def _connector() -> dict[str, Case]:
    program = Path(__file__).with_name("peers_connector.py")
    names = re.findall(r"^def (case_\w+)", program.read_text(), re.MULTILINE)

    def build(place: Place) -> None:
        for statement in PIPELINE:
            _python_sql(place, statement.format(bucket=place.bucket))

    def loads(place: Place) -> None:
        shown = _python_sql(place, "SHOW PIPES IN ACCOUNT")
        place.rows_after_a_file(shown, "python|sql.py|SELECT COUNT(*) FROM RAW.SNOWPLOW.EVENTS")

    cases = {
        name.removeprefix("case_").replace("_", " "): says("python", str(program), name) for name in names
    }
    return {"builds the pipeline": build, "its pipe loads": loads, **cases}


ALCHEMY = """
import os
from sqlalchemy import *
engine = create_engine("snowflake://{}:{}@{}/RAW/SNOWPLOW?role=ACCOUNTADMIN&warehouse=SANDBOX_WH".format(
    os.environ["PEER_USER"], os.environ["PEER_PASSWORD"], os.environ["PEER_ACCOUNT"]))
"""


@peer("SQLAlchemy", "snowflake-sqlalchemy")
def _sqlalchemy() -> dict[str, Case]:
    def build(place: Place) -> None:
        statements = [statement.format(bucket=place.bucket) for statement in PIPELINE]
        text = f"with engine.begin() as c:\n    for s in {statements!r}: c.exec_driver_sql(s)\n"
        script(ALCHEMY + text)(place)

    def loads(place: Place) -> None:
        shown = _python_sql(place, "SHOW PIPES IN ACCOUNT")
        place.rows_after_a_file(shown, "python|sql.py|SELECT COUNT(*) FROM RAW.SNOWPLOW.EVENTS")

    table = (
        "t = Table('made', MetaData(), Column('id', Integer, primary_key=True), Column('n', String(20)))\n"
    )
    inspect = ALCHEMY + "i = inspect(engine)\n"
    return {
        "connects": script(ALCHEMY + "assert engine.connect().execute(text('select 1')).scalar() == 1"),
        "builds the pipeline": build,
        "its pipe loads": loads,
        "creates a table": script(ALCHEMY + table + "t.create(engine)"),
        "inserts and selects": script(
            ALCHEMY + table + "with engine.begin() as c:\n"
            "    c.execute(t.insert(), [{'id': 1, 'n': 'a'}, {'id': 2, 'n': 'b'}])\n"
            "    assert c.execute(select(t.c.n).where(t.c.id == 2)).scalar() == 'b'"
        ),
        "names of tables": script(inspect + "assert 'events' in i.get_table_names(schema='snowplow')"),
        "names of schemas": script(inspect + "assert 'snowplow' in i.get_schema_names()"),
        "columns of a table": script(
            inspect + "assert [c['name'] for c in i.get_columns('events')] == ['app_id', 'platform']"
        ),
        "reflects a table": script(
            ALCHEMY + "t = Table('events', MetaData(), autoload_with=engine)\nassert 'app_id' in t.c"
        ),
        "names of views": script(inspect + "assert i.get_view_names(schema='snowplow') == []"),
    }


@peer("dbt", "dbt-snowflake==1.9.4 dbt-core<1.11")
def _dbt() -> dict[str, Case]:
    def project(place: Place) -> None:
        side = place.tenant["snowflake"]
        output = {name: side[name] for name in ("account", "user", "password", "host", "port")}
        output |= {"type": "snowflake", "protocol": "http", "role": "ACCOUNTADMIN", "database": "RAW"}
        output |= {"warehouse": "SANDBOX_WH", "schema": "MARTS", "threads": 1}
        place.write("profiles.yml", json.dumps({"p": {"target": "d", "outputs": {"d": output}}}))
        place.write(
            "dbt_project.yml",
            json.dumps(
                {
                    "name": "p",
                    "version": "1.0",
                    "profile": "p",
                    "flags": {"send_anonymous_usage_stats": False},
                }
            ),
        )
        source = {"name": "snowplow", "database": "RAW", "schema": "SNOWPLOW", "tables": [{"name": "EVENTS"}]}
        tests = {"name": "apps", "columns": [{"name": "app_id", "data_tests": ["not_null", "unique"]}]}
        place.write("models/m.yml", json.dumps({"version": 2, "sources": [source], "models": [tests]}))
        place.write("models/events.sql", "select * from {{ source('snowplow', 'EVENTS') }}")
        place.write(
            "models/apps.sql",
            "{{ config(materialized='table') }} select app_id, count(*) as n "
            "from {{ ref('events') }} group by 1",
        )
        for statement in PIPELINE:
            _python_sql(place, statement.format(bucket=place.bucket))
        shown = _python_sql(place, "SHOW PIPES IN ACCOUNT")
        place.rows_after_a_file(shown, "python|sql.py|SELECT COUNT(*) FROM RAW.SNOWPLOW.EVENTS")
        place.run("dbt", "debug")

    return {
        "debug, over a pipeline that loads": project,
        "run": says("dbt", "run", wanted="Completed successfully"),
        "run again": says("dbt", "run", wanted="Completed successfully"),
        "test": says("dbt", "test", wanted="Completed successfully"),
        "docs": says("dbt", "docs", "generate", wanted="Catalog written"),
    }


@peer("SnowDDL", "snowddl")
def _snowddl() -> dict[str, Case]:
    def plan(place: Place) -> None:
        place.write("config/warehouse.yaml", "load_wh:\n  size: XSMALL\n  auto_suspend: 60\n")
        place.write("config/raw/params.yaml", "{}\n")
        place.write("config/raw/snowplow/params.yaml", "{}\n")
        table = "columns:\n  app_id: VARCHAR(255)\n  platform: VARCHAR(255)\n"
        place.write("config/raw/snowplow/table/events.yaml", table)
        side = place.tenant["snowflake"]
        who = ("-a", side["account"], "-u", side["user"], "-p", side["password"], "-r", "ACCOUNTADMIN")
        refused(place, "snowddl", "-c", "config", *who, "plan")

    return {"plan is refused by name, before it looks at anything": plan}


@peer("Snowcap", "snowcap")
def _snowcap() -> dict[str, Case]:
    def plan(place: Place) -> None:
        place.write(
            "config.yml", "databases:\n  - name: raw\nschemas:\n  - name: snowplow\n    database: raw\n"
        )
        side = place.tenant["snowflake"]
        place.environment |= {"SNOWFLAKE_ACCOUNT": side["account"], "SNOWFLAKE_USER": side["user"]}
        place.environment |= {"SNOWFLAKE_PASSWORD": side["password"], "SNOWFLAKE_ROLE": "ACCOUNTADMIN"}
        refused(place, "snowcap", "plan", "--config", "config.yml")

    return {"plan is refused by name, before it looks at anything": plan}


# -- running them ---------------------------------------------------------------------------------------


def environment(folder: Path, package: str) -> Path:
    """The environment's programs, installed if they are not there yet."""
    if not (folder / "bin" / "python").exists():
        venv.create(folder, with_pip=True)
        command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *package.split()]
        subprocess.run(command, check=True)  # noqa: S603 - a package named in this file
    return folder / "bin"


def version(programs: Path, package: str) -> str:
    """The installed version of the package."""
    name = re.split(r"[=<> ]", package)[0]
    text = f"from importlib.metadata import version; print(version({name!r}))"
    return subprocess.run(  # noqa: S603
        [str(programs / "python"), "-c", text], capture_output=True, text=True, check=True
    ).stdout.strip()


def place_of(found: process.Status, folder: Path, programs: Path) -> Place:
    """A new tenant for one peer."""
    name = f"p{uuid.uuid4().hex[:10]}"
    body = json.dumps({"name": name, "bucket": f"landing-{name}"}).encode()
    request = Request(f"{found.control_url}/tenants", body, {"Content-Type": "application/json"})  # noqa: S310
    with urlopen(request, timeout=60) as answer:  # noqa: S310
        tenant = json.load(answer)
    project = folder / name
    (project / "shim").mkdir(parents=True)
    side = tenant["snowflake"]
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "SNOWFLAKE_"))}
    variables = {
        **{key: value for key, value in kept.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")},
        **process.env(project, tenant),
        "PEER_HOST": side["host"],
        "PEER_PORT": str(side["port"]),
        "PEER_ACCOUNT": side["account"],
        "PEER_USER": side["user"],
        "PEER_PASSWORD": side["password"],
        "NO_COLOR": "1",
        "COLUMNS": "240",
        "PATH": f"{programs}:{os.environ.get('PATH', '')}",
    }
    if not (programs / "snow").exists():
        (project / "shim" / "sitecustomize.py").write_text(SHIM)
        variables["PYTHONPATH"] = str(project / "shim")
    return Place(tenant, project, programs, variables)


def one(
    name: str, found: process.Status, folder: Path, environments: Path
) -> tuple[str, int, int, list[str]]:
    """Run a peer's cases: its version, how many, how many passed, and why the others did not."""
    package, cases = CASES[name]
    programs = environment(environments / re.sub(r"\W+", "-", name.lower()), package)
    place = place_of(found, folder, programs)
    place.prepare()
    wrong = []
    for case, run in cases.items():
        try:
            run(place)
        except (NotPassedError, subprocess.TimeoutExpired) as why:
            wrong.append(f"{case}: {why}")
        failed = bool(wrong) and wrong[-1].startswith(f"{case}: ")
        print(f"{name}: {wrong[-1] if failed else f'{case}: passed'}", flush=True)
    place.control("DELETE", "")
    return version(programs, package), len(cases), len(cases) - len(wrong), wrong


def table(results: dict[str, tuple[str, int, int, list[str]]], before: str = "") -> str:
    """The results as a table of Markdown; the rows ``before`` has of peers that were not run stay."""
    lines = ["| peer | version | cases in scope | passed | why not |", "|---|---|---|---|---|"]
    old = {line.split("|")[1].strip(): line for line in before.splitlines() if line.startswith("| ")}
    for name in CASES:
        if name in results:
            installed, cases, passed, wrong = results[name]
            why = "; ".join(wrong).replace("|", "/") or "-"
            lines.append(f"| {name} | {installed} | {cases} | {passed} | {why} |")
        elif name in old:
            lines.append(old[name])
    return "\n".join(lines)


def main() -> int:
    """Run what was asked for, and tell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="names, with commas between them")
    parser.add_argument("--environments", type=Path, default=Path(tempfile.gettempdir()) / "sandbox-peers")
    parser.add_argument("--write", type=Path, help="a page with the two marks")
    asked = parser.parse_args()
    only = [name.strip().lower() for name in asked.only.split(",") if name.strip()]
    chosen = [name for name in CASES if not only or name.lower() in only]
    results: dict[str, tuple[str, int, int, list[str]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        found = process.start(Path(folder) / "sandbox")
        try:
            for name in chosen:
                results[name] = one(name, found, Path(folder), asked.environments.resolve())
        finally:
            process.stop(Path(folder) / "sandbox")
    made = table(results)
    print(made)
    if asked.write:
        page = asked.write.read_text()
        before, _, rest = page.partition(BEGIN)
        old, _, after = rest.partition(END)
        asked.write.write_text(f"{before}{BEGIN}\n{table(results, old)}\n{END}{after}")
    return 0 if all(cases == passed for _, cases, passed, _ in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
