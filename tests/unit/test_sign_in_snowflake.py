"""Signing in to Snowflake in every wrong way, with both connectors: a sentence, the exit code, one attempt."""

# ruff: noqa: E501 (a table has one row a line)

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from snowflake.connector import errors

from runbook.clouds.connections import Clouds
from runbook.clouds.sign_in_snowflake import Connection, not_signed_in
from runbook.errors import CannotTell, SettingsWrong
from runbook.settings import read
from tests.unit.conftest import DEFAULTS, written

CONNECTOR_5 = os.environ.get("SANDBOX_CONNECTOR_5_PYTHON", "")
PYTHONS = {
    "4": sys.executable,
    "5": CONNECTOR_5,
}
JWT = {"authenticator": "SNOWFLAKE_JWT"}
PAT = {"authenticator": "PROGRAMMATIC_ACCESS_TOKEN"}
WIF = {"authenticator": "WORKLOAD_IDENTITY"}
PASSWORD = {"password": "x"}

WRONG, REFUSED, UNREACHABLE, ANSWERED = "wrong", "refused", "unreachable", "answered"
"""Found before anybody was asked (2, no sign-in); refused (3, one sign-in); nobody there, or too busy
(3, asked again a few times); answered by somebody else than Snowflake (3)."""

NEVER = "http 500"  # nobody gets as far as asking
CASES: dict[str, tuple[dict[str, Any], str, str, str]] = {
    # -- a key pair
    "key_none": (JWT, NEVER, WRONG, "names no private_key_file"),
    "key_missing": ({**JWT, "private_key_file": "KEYS/missing"}, NEVER, WRONG, "No such file"),
    "key_folder": ({**JWT, "private_key_file": "KEYS"}, NEVER, WRONG, "directory"),
    "key_junk": ({**JWT, "private_key_file": "KEYS/junk"}, NEVER, WRONG, "private_key_file names a PEM file"),
    "key_empty": ({**JWT, "private_key_file": "KEYS/empty"}, NEVER, WRONG, "private_key_file names a PEM file"),
    "key_public": ({**JWT, "private_key_file": "KEYS/public"}, NEVER, WRONG, "private_key_file names a PEM file"),
    "key_of_another_kind": ({**JWT, "private_key_file": "KEYS/ed25519"}, NEVER, WRONG, "not supported"),
    "key_without_passphrase": ({**JWT, "private_key_file": "KEYS/locked"}, NEVER, WRONG, "encrypted"),
    "key_wrong_passphrase": ({**JWT, "private_key_file": "KEYS/locked", "private_key_file_pwd": "y"}, NEVER, WRONG, "private_key_file_pwd its passphrase"),
    "key_passphrase_number": ({**JWT, "private_key_file": "KEYS/locked", "private_key_file_pwd": 5}, NEVER, WRONG, "private_key_file_pwd its passphrase"),
    "key_elsewhere": ({**JWT, "private_key_path": "KEYS/plain"}, NEVER, WRONG, "names no private_key_file"),
    "key_as_text": ({**JWT, "private_key": "junk"}, NEVER, WRONG, "private_key_file names a PEM file"),
    "key_unknown": ({**JWT, "private_key_file": "KEYS/plain"}, "390144 JWT token is invalid. [0ce9]", REFUSED, "RSA_PUBLIC_KEY"),
    "key_other_fingerprint": ({**JWT, "private_key_file": "KEYS/plain"}, "394304 JWT token is invalid.", REFUSED, "RSA_PUBLIC_KEY"),
    "key_right_passphrase": ({**JWT, "private_key_file": "KEYS/locked", "private_key_file_pwd": "x"}, "390144 JWT token is invalid.", REFUSED, "390144"),
    # -- tokens
    "pat_missing_file": ({**PAT, "token_file_path": "KEYS/missing"}, NEVER, WRONG, "No such file"),
    "pat_refused": ({**PAT, "token": "t"}, "390100 Programmatic access token is invalid.", REFUSED, "get a new token"),
    "oauth_missing_file": ({"authenticator": "OAUTH", "token_file_path": "KEYS/missing"}, NEVER, WRONG, "token_file_path names a file"),
    "oauth_invalid": ({"authenticator": "OAUTH", "token": "t"}, "390303 Invalid OAuth access token.", REFUSED, "get a new token"),
    "oauth_expired": ({"authenticator": "OAUTH", "token": "t"}, "390318 OAuth access token expired.", REFUSED, "get a new token"),
    "wif_no_provider": (WIF, NEVER, WRONG, "workload_identity_provider names the cloud"),
    "wif_token_missing": ({**WIF, "workload_identity_provider": "OIDC", "token_file_path": "KEYS/missing"}, NEVER, WRONG, "No such file"),
    "unknown_way": ({"authenticator": "MOON", **PASSWORD}, NEVER, WRONG, "MOON"),
    # -- a person elsewhere, and nobody at a terminal
    "browser_refused": ({"authenticator": "externalbrowser"}, "390190 There was an error related to the SAML Identity Provider.", ANSWERED, ""),
    # -- a password, and what goes with it
    "password_none": ({}, NEVER, WRONG, "assword"),
    "user_none": ({**PASSWORD, "user": None}, NEVER, WRONG, "ser"),
    "password_wrong": (PASSWORD, "390100 Incorrect username or password was specified.", REFUSED, "390100"),
    "locked": (PASSWORD, "390102 Your user account has been temporarily locked due to too many failed attempts.", REFUSED, "MINS_TO_UNLOCK"),
    "network_policy": (PASSWORD, "390422 Incoming request with IP/Token 1.2.3.4 is not allowed to access Snowflake.", REFUSED, "network policy allows"),
    "role_not_granted": (PASSWORD, "390189 Role 'X' specified in the connect string does not exist or not authorized.", REFUSED, "name a role that the user has"),
    "mfa_required": (PASSWORD, "394508 Failed to authenticate: MFA with TOTP is required.", REFUSED, "passcode"),
    "mfa_passcode_wrong": ({**PASSWORD, "authenticator": "USERNAME_PASSWORD_MFA", "passcode": "123456"}, "390127 TOTP invalid.", REFUSED, "passcode"),
    "mfa_refused": (PASSWORD, "mfa the request was denied", REFUSED, "the request was denied"),
    "mfa_refused_said_so": ({**PASSWORD, "authenticator": "USERNAME_PASSWORD_MFA"}, "mfa the request was denied", REFUSED, "the request was denied"),
    "not_known_here": (PASSWORD, "390999 Something new.", REFUSED, "390999"),
    "unsupported": (PASSWORD, "000002 Unsupported feature 'X'.", REFUSED, "Unsupported feature"),
    # -- who answers
    "http_400": (PASSWORD, "http 400", ANSWERED, "HTTP 400"),
    "http_403": (PASSWORD, "http 403", ANSWERED, "HTTP 403"),
    "http_404": (PASSWORD, "http 404", ANSWERED, "HTTP 404"),
    "http_407": (PASSWORD, "http 407", ANSWERED, "the proxy its user and password"),
    "http_429": (PASSWORD, "http 429", UNREACHABLE, "HTTP 429"),
    "http_500": (PASSWORD, "http 500", UNREACHABLE, "HTTP 500"),
    "http_502": (PASSWORD, "http 502", UNREACHABLE, "HTTP 502"),
    "http_503": (PASSWORD, "http 503", UNREACHABLE, "HTTP 503"),
    "http_504": (PASSWORD, "http 504", UNREACHABLE, "HTTP 504"),
    "web_page": (PASSWORD, "text <html>sign in</html>", ANSWERED, "a sign-in page"),
    "nothing": (PASSWORD, "text ", ANSWERED, "a sign-in page"),
    "other_json": (PASSWORD, "text []", ANSWERED, "a sign-in page"),
    # -- nobody answers
    "refused_port": ({**PASSWORD, "port": 9}, NEVER, UNREACHABLE, "127.0.0.1:9"),
    "no_such_host": ({**PASSWORD, "host": "nowhere.invalid"}, NEVER, UNREACHABLE, "nowhere.invalid"),
    "no_tls_there": ({**PASSWORD, "protocol": "https"}, NEVER, UNREACHABLE, "check the network"),
}  # fmt: skip
AT_MOST = {WRONG: 0, REFUSED: 1, ANSWERED: 6, UNREACHABLE: 6}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys that may be used, and others."""
    folder = tmp_path_factory.mktemp("keys")
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    pkcs8 = serialization.PrivateFormat.PKCS8
    key = ec.generate_private_key(ec.SECP256R1())  # Snowflake takes these too, and they are quickly made
    files = {
        "plain": key.private_bytes(pem, pkcs8, none),
        "locked": key.private_bytes(pem, pkcs8, serialization.BestAvailableEncryption(b"x")),
        "ed25519": ed25519.Ed25519PrivateKey.generate().private_bytes(pem, pkcs8, none),
        "public": key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo),
        "junk": b"junk\n",
        "empty": b"",
    }
    for name, text in files.items():
        (folder / name).write_bytes(text)
        (folder / name).chmod(0o600)
    return folder


@pytest.fixture(scope="module", params=["4", "5"])
def found(request: pytest.FixtureRequest, keys: Path) -> dict[str, Any]:
    """What became of every case, with one of the connectors."""
    python = PYTHONS[request.param]
    if not python:
        pytest.skip("SANDBOX_CONNECTOR_5_PYTHON names no Python with connector 5.x")
    cases = {name: {"given": given, "answer": answer} for name, (given, answer, *_) in CASES.items()}
    asked = {"settings": DEFAULTS, "cases": cases}
    done = subprocess.run(
        [python, str(Path(__file__).parent / "sign_ins.py")],
        input=json.dumps(asked).replace("KEYS", str(keys)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    became: dict[str, Any] = json.loads(done.stdout)
    return became


@pytest.mark.parametrize("name", CASES)
def test_how_a_sign_in_ends(found: dict[str, Any], name: str) -> None:
    _, _, kind, words = CASES[name]
    became = found[name]
    assert became["kind"] == ("SettingsWrong" if kind == WRONG else "CannotTell"), became
    assert became["exit_code"] == (2 if kind == WRONG else 3)
    assert f"connection {name!r}" in became["told"]
    assert f"[{name}] of " in became["told"]
    assert "To do: " in became["told"]
    assert words in became["told"]
    assert became["sign_ins"] <= AT_MOST[kind], became
    if kind in (REFUSED, UNREACHABLE):
        assert (became["final"], became["unreachable"]) == (kind == REFUSED, kind == UNREACHABLE), became


def told(**of_error: Any) -> Any:
    error = errors.Error(**of_error)
    return not_signed_in(error, Connection("prod", "connections.toml", {"host": "far.example"}), "target")


@pytest.mark.parametrize(
    ("number", "kind", "remedy"),
    [
        (250001, CannotTell, "check the network"),
        (250003, CannotTell, "check the network"),
        (290404, CannotTell, "that is not Snowflake answering"),
        (390100, CannotTell, "authentication of [prod]"),
        (251001, SettingsWrong, "correct [prod] in connections.toml"),
        (None, SettingsWrong, "correct [prod] in connections.toml"),
    ],
)
def test_the_kind_of_an_error_by_its_number(number: int | None, kind: type, remedy: str) -> None:
    error = told(msg="said", errno=number)
    assert type(error) is kind
    assert remedy in error.remedy
    assert "target" in error.where


@pytest.mark.parametrize(
    ("given", "asks"),
    [
        ({"authenticator": "externalbrowser"}, True),
        ({"authenticator": "username_password_mfa", "password": "x"}, True),
        ({"authenticator": "https://acme.okta.com", "password": "x"}, True),
        ({"password": "x", "passcode": "123456"}, True),
        ({"password": "x"}, False),
        ({**JWT, "private_key_file": "k"}, False),
        (PAT, False),
    ],
)
def test_a_person_is_not_asked_by_each_session_that_loads(
    given: dict[str, Any], asks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Connection("mine", "f", given)
    assert found.asks_a_person is asks
    monkeypatch.setattr("runbook.clouds.sign_in_snowflake.connection_named", lambda _: found)
    clouds = Clouds(read(written()), run_id="r", command="backfill")
    assert clouds.sessions == (1 if asks else 4)


def test_where_it_goes_is_told_once() -> None:
    assert told(msg="Connection refused", errno=250001).why.startswith("far.example:443: ")
    assert told(msg="no route to far.example", errno=250001).why.count("far.example") == 1


def test_a_file_that_cannot_be_read_is_told_without_what_stands_in_it() -> None:
    """As connector 5.2 says it."""
    text = (
        "000006: Configuration error: Failed to parse TOML from /home/connections.toml: "
        "TOML parse error at line 12, column 29\n   |\n"
        '12 | password = "hunter2" broken\n   |             ^\nexpected newline, `#`\n'
    )
    error = told(msg=text, errno=6)
    assert "hunter2" not in str(error)
    assert "line 12, column 29 expected newline" in error.why
