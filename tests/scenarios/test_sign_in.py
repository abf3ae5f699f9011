"""Commands whose sign-in is refused: a sentence, the exit code, a report that says so, one attempt."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.scenarios.conftest import Installation

COMMANDS = {
    "status": ["status"],
    "verify": ["verify", "--wait", "60"],
    "plan": ["plan"],
    "backfill": ["backfill", "--pattern", ".*", "--dry-run"],
    "step2-snowflake": ["step2-snowflake", "--yes"],
    "step5-aws": ["step5-aws", "--yes"],
    "up": ["up", "--yes"],
    "down": ["down", "--yes"],
    "pause": ["pause", "--stream", "events"],
    "resume": ["resume", "--stream", "events"],
    "refresh": ["refresh", "--stream", "events"],
    "replace-pipe": ["replace-pipe", "--stream", "events", "--yes"],
    "doctor": ["doctor"],
    "handoff": ["handoff"],
    "tfvars": ["tfvars"],
}
IN_EACH_RUN = ("status", "verify")


def slowly(names: dict[str, list[str]]) -> list[object]:
    """The commands, those beyond a few in the slow run only."""
    return [name if name in IN_EACH_RUN else pytest.param(name, marks=pytest.mark.slow) for name in names]


@contextmanager
def in_place_of(at: Installation, **variables: str | None) -> Iterator[None]:
    """The installation's environment with other variables; None takes one away."""
    kept = at.environment
    changed = {**kept, **variables}
    at.environment = {name: value for name, value in changed.items() if value is not None}
    try:
        yield
    finally:
        at.environment = kept


@contextmanager
def connected(at: Installation, folder: Path, change: Callable[[str], str]) -> Iterator[None]:
    """Another SNOWFLAKE_HOME, with connections.toml changed."""
    text = (Path(at.environment["SNOWFLAKE_HOME"]) / "connections.toml").read_text()
    folder.mkdir(mode=0o700)
    file = folder / "connections.toml"
    file.write_text(change(text))
    file.chmod(0o600)
    with in_place_of(at, SNOWFLAKE_HOME=str(folder)):
        yield
    shutil.rmtree(folder)


def with_wrong_password(text: str) -> str:
    lines = text.splitlines()
    return "\n".join('password = "wrong"' if line.startswith("password") else line for line in lines) + "\n"


def without_password(text: str, *more: str) -> str:
    return "\n".join([*(line for line in text.splitlines() if not line.startswith("password")), *more]) + "\n"


def sentence(at: Installation, name: str, code: int | tuple[int, ...]) -> str:
    """What the command says; the report that verify was asked for must say it too."""
    report = Path(at.environment["RUNBOOK_HOME"]) / "report.json"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text('{"healthy": true}')
    more = ["--format", f"json={report}", "--format", "table"] if name == "verify" else []
    done = at.run(*COMMANDS[name], *more, expect=None)
    text = " ".join((done.stdout + done.stderr).split())
    assert "mistake in" not in text, text
    assert "Traceback" not in text, text
    assert done.returncode in (code if isinstance(code, tuple) else (code,)), text
    if name == "verify":
        assert not json.loads(report.read_text())["healthy"]
    return text


@pytest.mark.parametrize("name", slowly(COMMANDS))
def test_a_refused_password_is_tried_once(shared: Installation, tmp_path: Path, name: str) -> None:
    shared.sql(f"ALTER USER {shared.tenant['snowflake']['user']} SET MINS_TO_UNLOCK = 0")
    with connected(shared, tmp_path / "home", with_wrong_password):
        # what asks AWS only, or goes on with it, may end well or by a check
        text = sentence(
            shared, name, (0, 1, 3) if name in ("step5-aws", "handoff", "tfvars", "backfill", "doctor") else 3
        )
    failed = shared.control("GET", "/sign-ins")["failed"]
    assert failed <= 1, text
    if failed:
        assert "390100" in text
        assert "[sandbox]" in text


@pytest.mark.parametrize("name", slowly(COMMANDS))
def test_a_key_that_cannot_be_used_is_found_before_anybody_is_asked(
    shared: Installation, tmp_path: Path, name: str
) -> None:
    lines = ('authenticator = "SNOWFLAKE_JWT"', f'private_key_file = "{tmp_path}/missing.p8"')
    with connected(shared, tmp_path / "home", lambda text: without_password(text, *lines)):
        only_aws = name in ("step5-aws", "handoff", "tfvars")
        text = sentence(shared, name, (0, 2) if only_aws else 2)
    assert only_aws or "missing.p8" in text


@pytest.mark.parametrize(
    "name", slowly({name: words for name, words in COMMANDS.items() if name != "status"})
)
def test_a_profile_whose_token_file_is_missing(shared: Installation, tmp_path: Path, name: str) -> None:
    role = "arn:aws:iam::111122223333:role/any"
    config = tmp_path / "config"
    config.write_text(
        f"[profile token]\nrole_arn = {role}\nweb_identity_token_file = /no/such/token\n"
        "s3 =\n    addressing_style = path\n"
    )
    keys = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"))
    with in_place_of(shared, AWS_PROFILE="token", AWS_CONFIG_FILE=str(config), **keys):
        text = sentence(shared, name, (0, 2))
    if "/no/such/token" in text:
        assert "profile token" in text


def test_nobody_asks_aws_for_a_command_that_needs_no_aws(shared: Installation) -> None:
    before = len(shared.requests())
    keys = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"))
    with in_place_of(shared, SNOWFLAKE_DISABLE_PLATFORM_DETECTION=None):
        shared.run("status")
    with in_place_of(shared, **keys):
        shared.run("status")
    asked = [row for row in shared.requests()[before:] if row["cloud"] == "aws"]
    person = f"{shared.settings.aws.account_id}:user/"  # Snowflake asks as the role
    ours = [row["operation"] for row in asked if person in row["caller"]]
    assert ours == []


def test_a_key_pair_signs_in(shared: Installation, tmp_path: Path) -> None:
    import base64

    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    form, secret = serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    file = tmp_path / "key.p8"
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, secret))
    file.chmod(0o600)
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    public = base64.b64encode(key.public_key().public_bytes(serialization.Encoding.DER, info)).decode()
    shared.sql(f"ALTER USER {shared.tenant['snowflake']['user']} SET RSA_PUBLIC_KEY = '{public}'")
    lines = ('authenticator = "SNOWFLAKE_JWT"', f'private_key_file = "{file}"', 'private_key_file_pwd = "x"')
    with connected(shared, tmp_path / "home", lambda text: without_password(text, *lines)):
        shared.run("status")


def test_a_proxy_does_not_take_the_sandboxs_own_traffic(shared: Installation) -> None:
    proxy = "http://127.0.0.1:9"  # discard: nobody listens
    assert {"127.0.0.1", "localhost"} <= set(shared.environment["NO_PROXY"].split(","))
    with in_place_of(shared, HTTP_PROXY=proxy, http_proxy=proxy, HTTPS_PROXY=proxy, https_proxy=proxy):
        shared.run("status")
