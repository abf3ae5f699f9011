"""Start-up and a healthy `verify` beside what a user would run instead, in one run, one after the other.

    python -m bench.beside [--rounds 5] [--snow SNOW]

`invoke --list` beside bare Invoke with one task; `invoke verify` against a sandbox beside ten calls of `aws`
and one `snow sql` that ask the same questions. SNOW: the `snow` of an environment of its own (snowflake-cli).
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tabulate import tabulate

ROOT = Path(__file__).parent.parent
BARE = 'from invoke import task\n\n\n@task\ndef hello(c):\n    """Say hello."""\n'
INVOKE = [sys.executable, "-m", "invoke"]
Cost = tuple[float, float]
"""Seconds of wall time and of processor time."""


def cost(commands: list[list[str]], cwd: Path) -> Cost:
    """What it takes to run them one after the other; raises CalledProcessError."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    for command in commands:
        subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - begun, used


def beside(
    ours: Callable[[], Cost], theirs: Callable[[], Cost], rounds: int
) -> tuple[list[float], list[float]]:
    """Medians of both, in turns, so that what else runs is the same for both; the first are not counted."""
    found: tuple[list[Cost], list[Cost]] = ([], [])
    for _ in range(rounds + 1):
        found[0].append(ours())
        found[1].append(theirs())
    mine, other = ([statistics.median(row[n] for row in rows[1:]) for n in (0, 1)] for rows in found)
    return mine, other


def row(what: str, mine: list[float], other: list[float]) -> list[Any]:
    return [what, *mine, *other, other[0] / mine[0], other[1] / mine[1]]


def table(rows: list[list[Any]]) -> str:
    headers = ["what", "s", "CPU s", "other's s", "other's CPU s", "ratio", "CPU ratio"]
    return tabulate(rows, headers=headers, tablefmt="github", floatfmt=".2f")


def questions_of_aws(names: dict[str, str]) -> list[list[str]]:
    """What `verify` asks AWS, as the command line of `aws` asks it."""
    bucket, role, policy = names["bucket"], names["role"], names["policy"]
    return [
        ["aws", *call.split()]
        for call in (
            "sts get-caller-identity",
            f"s3api head-bucket --bucket {bucket}",
            f"s3api get-bucket-notification-configuration --bucket {bucket}",
            f"s3api get-bucket-encryption --bucket {bucket}",
            f"s3api list-objects-v2 --bucket {bucket} --max-items 1000",
            f"iam get-role --role-name {role}",
            f"iam list-attached-role-policies --role-name {role}",
            f"iam list-role-policies --role-name {role}",
            f"iam get-policy --policy-arn {policy}",
            f"iam get-policy-version --policy-arn {policy} --version-id v1",
        )
    ]


def questions_of_snowflake(settings: Any) -> str:
    """What it asks Snowflake, in one text."""
    snowflake = settings.snowflake
    asked = [
        f"DESC INTEGRATION {snowflake.integration.sql}",
        "SHOW ROLES",
        *(
            f"SHOW GRANTS TO ROLE {role.sql}"
            for role in (snowflake.owner_role, snowflake.loader_role, snowflake.operator_role)
        ),
    ]
    for stream in settings.streams:
        schema = f"{stream.pipe.database.sql}.{stream.pipe.schema.sql}"
        asked += [
            f"DESC FILE FORMAT {stream.file_format.sql}",
            f"SHOW TABLES LIKE '{stream.table.name}' IN SCHEMA {schema}",
            f"DESC TABLE {stream.table.sql}",
            f"DESC STAGE {stream.stage.sql}",
            f"SELECT SYSTEM$PIPE_STATUS('{stream.pipe.sql}')",
            f"SHOW PARAMETERS LIKE 'PIPE_EXECUTION_PAUSED' IN PIPE {stream.pipe.sql}",
            f"LIST @{stream.stage.sql}",
        ]
        asked += [f"SHOW PIPES IN SCHEMA {schema}", f"SHOW STAGES IN SCHEMA {schema}"]
    return ";\n".join(dict.fromkeys(asked))


@contextmanager
def installed(home: Path) -> Iterator[Any]:
    """A sandbox with the default installation; yields its settings. This process' environment names it."""
    import yaml
    from snowpipe_sandbox import process

    from runbook import settings as reading

    status = process.start(home / "sandbox")
    tenant: Any = status.tenant
    try:
        os.environ.update(process.env(home / "sandbox", tenant))
        os.environ.update(
            {
                "RUNBOOK_SANDBOX_GIVEN": "1",
                "RUNBOOK_HOME": str(home / "runbook"),
                "INVOKE_TARGET": "sandbox",
            }
        )
        cost([[*INVOKE, "up"]], ROOT)
        yield reading.read(yaml.safe_load((ROOT / "invoke.yaml").read_text()))
    finally:
        process.stop(home / "sandbox")


def verify_beside(snow: str, rounds: int, home: Path) -> list[Any]:
    with installed(home) as settings:
        account = settings.aws.account_id
        names = {
            "bucket": settings.aws.bucket,
            "role": settings.aws.role_name,
            "policy": f"arn:aws:iam::{account}:policy/{settings.aws.policy_name}",
        }
        theirs = [
            *questions_of_aws(names),
            [snow, "sql", "-c", "sandbox", "-q", questions_of_snowflake(settings)],
        ]
        mine, other = beside(lambda: cost([[*INVOKE, "verify"]], ROOT), lambda: cost(theirs, home), rounds)
        return row("a healthy `verify` | 10 `aws`, 1 `snow sql`", mine, other)


def start_beside(rounds: int, home: Path) -> list[Any]:
    (home / "tasks.py").write_text(BARE, encoding="utf-8")
    listed = [[*INVOKE, "--list"]]
    mine, other = beside(lambda: cost(listed, ROOT), lambda: cost(listed, home), rounds)
    return row("`invoke --list` | bare Invoke with one task", mine, other)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--snow", default=shutil.which("snow") or "")
    given = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # nobody's commands are compiled at each start
    with TemporaryDirectory() as folder:
        home = Path(folder)
        rows = [start_beside(given.rounds, home)]
        if given.snow:
            rows.append(verify_beside(given.snow, given.rounds, home))
        else:
            print("no snow: --snow names that of an environment of its own", file=sys.stderr)
    print(f"load {os.getloadavg()[0]:.1f}, median of {given.rounds}")
    print(table(rows))


if __name__ == "__main__":
    main()
