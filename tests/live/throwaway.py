"""An installation under names of its own on the accounts of an environment file, and nothing of it after."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import snowflake.connector
import yaml

from runbook import settings as reading
from runbook.settings import Settings

ROOT = Path(__file__).parents[2]
OF_OTHERS = ("handoff", "waivers", "watch", "views", "made_by")
"""Sections and keys of the environment file that are of the installation it describes."""


@dataclass
class Throwaway:
    """The installation: its environment file, and clients that the runbook has no part in."""

    file: Path
    mark: str
    settings: Settings
    home: Path
    _connection: Any = field(default=None, repr=False)

    @property
    def folder(self) -> str:
        """Where all its files lie."""
        return f"runbook-live/{self.mark.lower()}/"

    def run(self, *arguments: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        """`invoke -f FILE …` as typed; asserts its exit code unless ``expect`` is None."""
        done = subprocess.run(
            self._line(arguments), cwd=ROOT, env=self._env, capture_output=True, text=True, check=False
        )
        if expect is not None:
            assert done.returncode == expect, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def killed_at(self, text: str, *arguments: str) -> None:
        """Start `invoke -f FILE …`, and kill it when it says so."""
        running = subprocess.Popen(
            self._line(arguments),
            cwd=ROOT,
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert running.stdout is not None
        said = []
        for line in running.stdout:
            said.append(line)
            if text in line:
                break
        running.kill()
        running.wait()
        running.stdout.close()
        assert any(text in line for line in said), "".join(said)

    def _line(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "invoke", "-f", str(self.file), *arguments]

    @property
    def _env(self) -> dict[str, str]:
        return {**os.environ, "RUNBOOK_HOME": str(self.home), "NO_COLOR": "1"}

    def aws(self, service: str) -> Any:
        """A client by the ordinary chain."""
        return boto3.Session().client(service, region_name=self.settings.aws.region)

    def sql(self, statement: str) -> list[dict[str, Any]]:
        """The rows of one statement, as the account's administrator."""
        if self._connection is None:
            self._connection = snowflake.connector.connect(
                connection_name=self.settings.snowflake.connection,
                role=str(self.settings.snowflake.admin_role),
            )
        with self._connection.cursor(snowflake.connector.DictCursor) as cursor:
            return [dict(row) for row in cursor.execute(statement).fetchall()]

    def put(self, stream: str, name: str, body: bytes) -> None:
        """A file in a stream's folder."""
        key = self.settings.stream(stream).prefix + name
        self.aws("s3").put_object(Bucket=self.settings.aws.bucket, Key=key, Body=body)

    def seen(self) -> dict[str, Any]:
        """What is on both clouds of it, and the bucket's rules; read without the runbook."""
        iam, s3, bucket = self.aws("iam"), self.aws("s3"), self.settings.aws.bucket
        rules = s3.get_bucket_notification_configuration(Bucket=bucket)
        rules.pop("ResponseMetadata")
        roles = [
            row["RoleName"] for page in iam.get_paginator("list_roles").paginate() for row in page["Roles"]
        ]
        policies = [
            row["PolicyName"]
            for page in iam.get_paginator("list_policies").paginate(Scope="Local")
            for row in page["Policies"]
        ]
        shown = {
            kind: [row["name"] for row in self.sql(f"SHOW {kind}{where}") if self._is_of_it(row)]
            for kind, where in (
                *(("ROLES", ""), ("INTEGRATIONS", ""), ("SCHEMAS", " IN ACCOUNT")),
                *(("STAGES", " IN ACCOUNT"), ("PIPES", " IN ACCOUNT"), ("TABLES", " IN ACCOUNT")),
            )
        }
        return {
            "rules": rules,
            "roles": [name for name in roles if self.mark.lower() in name],
            "policies": [name for name in policies if self.mark.lower() in name],
            "files": [row["Key"] for row in self._versions()],
            "databases": sorted(row["name"] for row in self.sql("SHOW DATABASES")),
            **shown,
        }

    def _versions(self) -> list[dict[str, Any]]:
        """Every version of its files, and every delete marker."""
        pages = self.aws("s3").get_paginator("list_object_versions")
        found = list(pages.paginate(Bucket=self.settings.aws.bucket, Prefix=self.folder))
        return [row for page in found for kind in ("Versions", "DeleteMarkers") for row in page.get(kind, [])]

    def _is_of_it(self, row: Mapping[str, Any]) -> bool:
        return any(self.mark in str(row.get(column, "")) for column in ("name", "schema_name"))

    def remove(self) -> None:
        """What `down` takes back, and the data that it never deletes."""
        done = self.run("down", "--yes", "--name", self.settings.target, expect=None)
        self.sql(f"DROP DATABASE IF EXISTS {self.settings.snowflake.database.sql}")  # its name has the mark
        s3, bucket = self.aws("s3"), self.settings.aws.bucket
        for row in self._versions():
            s3.delete_object(Bucket=bucket, Key=row["Key"], VersionId=row["VersionId"])
        assert done.returncode == 0, f"down: {done.returncode}\n{done.stdout}\n{done.stderr}"

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()


@contextmanager
def throwaway(environment: Path, folder: Path) -> Iterator[Throwaway]:
    """One of them; whatever becomes of it inside, nothing of it is left outside: that is asserted."""
    mark = f"LIVE_{uuid.uuid4().hex[:8].upper()}"
    given = named_by(yaml.safe_load(environment.read_text(encoding="utf-8")), mark)
    file = folder / "throwaway.yaml"
    file.write_text(yaml.safe_dump(given), encoding="utf-8")
    defaults = yaml.safe_load((ROOT / "invoke.yaml").read_text(encoding="utf-8"))
    made = Throwaway(file, mark, reading.read(merged(defaults, given)), folder / "runbook")
    had = made.seen()
    try:
        yield made
    finally:
        try:
            made.remove()
            assert made.seen() == had
        finally:
            made.close()


def named_by(given: dict[str, Any], mark: str) -> dict[str, Any]:
    """The environment with names that are nobody else's, and two streams with folders of their own."""
    found = {key: deepcopy(value) for key, value in given.items() if key not in OF_OTHERS}
    small = mark.lower()
    found.setdefault("aws", {}).update(
        role_name=f"runbook-{small}", policy_name=f"runbook-{small}-read", managed_by="runbook", buckets={}
    )
    found.setdefault("snowflake", {}).update(
        database=f"RUNBOOK_{mark}",
        schema=f"RUNBOOK_{mark}",
        integration=f"RUNBOOK_{mark}",
        loader_role=f"RUNBOOK_{mark}_LOADER",
        operator_role=f"RUNBOOK_{mark}_OPERATOR",
    )
    off = {name: {"enabled": False} for name in found.get("streams", {})}
    own = {
        "events": {"kind": "enriched", "prefix": f"runbook-live/{small}/enriched/"},
        "events_bad": {"kind": "bad_rows", "prefix": f"runbook-live/{small}/bad/"},
    }
    found["streams"] = off | own
    return found


def merged(under: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Settings over settings, section by section, as Invoke merges them."""
    found = deepcopy(under)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(found.get(key), dict)
        found[key] = merged(found[key], value) if both else deepcopy(value)
    return found
