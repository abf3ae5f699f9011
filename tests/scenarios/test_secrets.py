"""Canaries in every source of credentials; no command tells or keeps one. Shown by 7 of issue 6."""

from pathlib import Path

import pytest

from tests.scenarios.conftest import Installation
from tests.scenarios.test_bad_input import changed, connections

CANARY = "c4n4ryc4n4ryc4n4ry"
WRONG = {
    "password": f'password = "{CANARY}"',
    "programmatic access token": f'authenticator = "programmatic_access_token"\ntoken = "{CANARY}"',
    "key pair": 'authenticator = "snowflake_jwt"\nprivate_key_file = "/no"\n'
    f'private_key_file_pwd = "{CANARY}"',
    "broken file": f'password = "{CANARY}" broken',
}
COMMANDS = [
    ("up", "--debug"),
    ("plan",),
    ("doctor", "--all", "--debug"),
    ("verify", "--format", "json", "--all"),
    ("status",),
    ("sql", "--step", "4"),
    ("runs", "--show", "latest"),
    ("runs", "--show", "latest", "--format", "json"),
    ("down", "--debug"),
]
AWS_SOURCES = {
    "environment": {
        "AWS_ACCESS_KEY_ID": "AKIA0000000000000000",
        "AWS_SECRET_ACCESS_KEY": f"{CANARY}1",
        "AWS_SESSION_TOKEN": f"{CANARY}2",
    },
    "line ends": {
        "AWS_ACCESS_KEY_ID": "AKIA0000000000000000",
        "AWS_SECRET_ACCESS_KEY": f"{CANARY}1",
        "AWS_SESSION_TOKEN": f"{CANARY}2\n{CANARY}3\r\n",
        "HTTPS_PROXY": f"http://ann:{CANARY}@127.0.0.1:1",
    },
    "credentials file": {"AWS_PROFILE": "theirs", "AWS_SHARED_CREDENTIALS_FILE": "FILE"},
}
VERIFIED = ("--format", "json", "--output", "/dev/stdout", "--debug")
ENVIRONMENT = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def kept(one: Installation) -> list[str]:
    """Everything the commands left on disk."""
    folder = Path(one.environment["RUNBOOK_HOME"])
    return [path.read_text() for path in folder.rglob("*") if path.is_file()]


def test_the_secrets_in_use_are_in_no_output_and_no_record(installation: Installation) -> None:
    tenant = installation.tenant
    secrets = (tenant["aws"]["secret_access_key"], tenant["snowflake"]["password"], CANARY)
    unused = dict.fromkeys(("SNOWFLAKE_PASSWORD", "SNOWFLAKE_TOKEN", "PRIVATE_KEY_PASSPHRASE"), CANARY)
    told = []
    with changed(installation, (), unused):
        for arguments in COMMANDS:
            done = installation.run(*arguments, expect=None)
            assert done.returncode in (0, 1), done.stderr
            told.append(done.stdout + done.stderr)
    told += kept(installation)
    assert any("DROP PIPE" in text for text in told)
    assert [secret for secret in secrets for text in told if secret in text] == []


@pytest.mark.parametrize("source", AWS_SOURCES)
def test_refused_aws_secrets_are_not_told(installation: Installation, tmp_path: Path, source: str) -> None:
    file = tmp_path / "credentials"
    file.write_text(
        "[theirs]\naws_access_key_id = AKIA0000000000000000\n"
        f"aws_secret_access_key = {CANARY}1\naws_session_token = {CANARY}2\n"
    )
    variables = {name: str(file) if value == "FILE" else value for name, value in AWS_SOURCES[source].items()}
    without = ENVIRONMENT if source == "credentials file" else ()
    with changed(installation, without, variables):
        for arguments in (("up", "--debug"), ("doctor", "--debug"), ("verify", *VERIFIED)):
            done = installation.run(*arguments, expect=None)
            assert done.returncode in (1, 2, 3), done.stdout + done.stderr
            assert CANARY not in done.stdout + done.stderr
    assert all(CANARY not in text for text in kept(installation))


@pytest.mark.parametrize("line", WRONG.values(), ids=WRONG)
def test_refused_snowflake_secrets_are_not_told(
    installation: Installation, tmp_path: Path, line: str
) -> None:
    def wrong(text: str) -> str:
        rows = [row for row in text.splitlines() if not row.startswith("password")]
        return "\n".join([*rows, line, ""])

    home = connections(installation, tmp_path / "home", wrong)
    with changed(installation, (), {"SNOWFLAKE_HOME": home}):
        for arguments in (("up", "--debug"), ("doctor", "--debug")):
            done = installation.run(*arguments, expect=None)
            assert done.returncode in (2, 3), done.stdout + done.stderr
            assert CANARY not in done.stdout + done.stderr
    assert all(CANARY not in text for text in kept(installation))
