"""`pytest -m live` on the sandbox that poses as live: its own environment file, and a key pair to sign in."""

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.scenarios.conftest import ROOT, Installation

STORY, KILLED = "story_is_played", "killed_in_the_middle"


def posing(at: Installation) -> Path:
    """The environment file of a live target, which is this tenant under another name."""
    key = rsa.generate_private_key(65537, 2048)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = base64.b64encode(key.public_key().public_bytes(serialization.Encoding.DER, form)).decode()
    side = at.tenant["snowflake"]
    at.sql(f"ALTER USER {side['user']} SET RSA_PUBLIC_KEY = '{public}'")
    home = at.folder / "home"
    home.mkdir(mode=0o700)
    pem = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    private(home / "key.p8", key.private_bytes(*pem).decode())
    values = {name: side[name] for name in ("account", "user", "host")}
    values |= {"protocol": "http", "role": "ACCOUNTADMIN", "warehouse": "SANDBOX_WH"}
    values |= {"authenticator": "SNOWFLAKE_JWT", "private_key_file": str(home / "key.p8")}
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    private(home / "connections.toml", "\n".join(["[posing]", *lines, f"port = {side['port']}", ""]))
    file = at.folder / "posing.yaml"
    aws = {name: at.tenant["aws"][name] for name in ("account_id", "bucket", "region")}
    account = f"{side['organization']}-{side['account_name']}"
    given: dict[str, Any] = {"target": "posing", "aws": aws}
    given["snowflake"] = {"connection": "posing", "account": account}
    file.write_text(yaml.safe_dump(given))
    return file


def private(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


@pytest.mark.parametrize("part", [pytest.param(STORY, marks=pytest.mark.slow), KILLED])
def test_the_live_story_passes_and_leaves_nothing_behind(installation: Installation, part: str) -> None:
    environment = posing(installation)
    own = {name: value for name, value in installation.environment.items() if not name.startswith("INVOKE_")}
    own |= {"SNOWFLAKE_HOME": str(installation.folder / "home")}
    del own["SNOWFLAKE_DEFAULT_CONNECTION_NAME"]
    before = left(installation)
    done = subprocess.run(
        [*(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-m", "live", "tests/live"),
         *("-k", part, "--environment", str(environment))],
        cwd=ROOT, env=own, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert left(installation) == before


def left(at: Installation) -> list[Any]:
    """What is there, read as the tenant's owner."""
    s3, iam, bucket = at.aws("s3"), at.aws("iam"), at.settings.aws.bucket
    rules = s3.get_bucket_notification_configuration(Bucket=bucket)
    rules.pop("ResponseMetadata")
    shown = (
        "DATABASES",
        "ROLES",
        "INTEGRATIONS",
        "SCHEMAS IN ACCOUNT",
        "PIPES IN ACCOUNT",
        "TABLES IN ACCOUNT",
    )
    return [
        rules,
        sorted(row["RoleName"] for row in iam.list_roles()["Roles"]),
        sorted(row["PolicyName"] for row in iam.list_policies(Scope="Local")["Policies"]),
        s3.list_objects_v2(Bucket=bucket).get("KeyCount"),
        *(sorted(str(row[1]) for row in at.sql(f"SHOW {kind}")) for kind in shown),
    ]
