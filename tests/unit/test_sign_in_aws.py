"""AWS credentials in every wrong way, with the real boto3: a sentence with the profile, and the exit code."""

# ruff: noqa: E501 (a table has one row a line)

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import AssumeRoleProvider

from runbook.clouds.connections import Clouds
from runbook.clouds.failures import AwsFailed
from runbook.clouds.reader import Reader
from runbook.errors import CannotTell, RunbookError, SettingsWrong
from runbook.settings import Settings

BUNDLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
ROLE = "role_arn = arn:aws:iam::111122223333:role/any"
STATIC = "source_profile = static"
DENIED = "403 <ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized to perform: sts:AssumeRole</Message></Error><RequestId>r1</RequestId></ErrorResponse>"
EXPIRED = DENIED.replace("AccessDenied", "ExpiredToken")
EARLY = DENIED.replace("AccessDenied", "SignatureDoesNotMatch").replace(
    "not authorized to perform: sts:AssumeRole",
    "Signature expired: 20191029T154623Z is now earlier than 20191029T163344Z (20191029T164844Z - 15 min.)",
)
WHO = "200 <GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/me</Arn><Account>111122223333</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>r1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
PROFILES: dict[str, tuple[str, str, type[RunbookError], str]] = {
    # -- files
    "token_missing": (f"{ROLE}\nweb_identity_token_file = /no/such/token", WHO, SettingsWrong, "/no/such/token: No such file"),
    "token_folder": (f"{ROLE}\nweb_identity_token_file = HERE", WHO, SettingsWrong, "Is a directory"),
    "token_empty": (f"{ROLE}\nweb_identity_token_file = HERE/empty", WHO, SettingsWrong, "WebIdentityToken"),
    "token_refused": (f"{ROLE}\nweb_identity_token_file = HERE/token", DENIED, CannotTell, "AssumeRoleWithWebIdentity: AccessDenied"),
    # -- programs
    "program_missing": ("credential_process = /no/such/helper", WHO, SettingsWrong, "/no/such/helper: No such file"),
    "program_no_program": ("credential_process = HERE/token", WHO, SettingsWrong, "Permission denied"),
    "program_talks": ("credential_process = echo please sign in", WHO, SettingsWrong, "not the JSON"),
    "program_fails": ("credential_process = false", WHO, CannotTell, "custom-process"),
    "program_prints_a_list": ("credential_process = echo []", WHO, SettingsWrong, "credentials cannot be used"),
    "program_prints_nothing": ("credential_process = true", WHO, SettingsWrong, "not the JSON"),
    "program_gives_what_is_over": ("""credential_process = echo '{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b", "SessionToken": "c", "Expiration": "2020-01-01T00:00:00Z"}'""", WHO, CannotTell, "have expired"),
    "program_gives_no_date": ("""credential_process = echo '{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b", "SessionToken": "c", "Expiration": "tomorrow"}'""", WHO, SettingsWrong, "tomorrow"),
    "program_quoted_wrongly": ('credential_process = echo "x', WHO, SettingsWrong, "No closing quotation"),
    # -- roles
    "second_factor": (f"{ROLE}\n{STATIC}\nmfa_serial = arn:aws:iam::111122223333:mfa/me", WHO, SettingsWrong, "second factor"),
    "role_refused": (f"{ROLE}\n{STATIC}", DENIED, CannotTell, "AssumeRole: AccessDenied"),
    "role_alone": (ROLE, WHO, SettingsWrong, "source_profile"),
    "role_from_nowhere": (f"{ROLE}\nsource_profile = nowhere", WHO, SettingsWrong, "nowhere"),
    "role_in_a_ring": (f"{ROLE}\nsource_profile = role_in_a_ring_too", WHO, SettingsWrong, "Infinite loop"),
    "role_in_a_ring_too": (f"{ROLE}\nsource_profile = role_in_a_ring", WHO, SettingsWrong, "Infinite loop"),
    "role_of_the_moon": (f"{ROLE}\ncredential_source = Moon", WHO, SettingsWrong, "Moon"),
    "role_of_a_machine": (f"{ROLE}\ncredential_source = Ec2InstanceMetadata", WHO, CannotTell, "Ec2InstanceMetadata"),
    # -- single sign-on
    "sso_signed_out": ("sso_session = s\nsso_account_id = 111122223333\nsso_role_name = any", WHO, CannotTell, "aws sso login --profile sso_signed_out"),
    "sso_without_session": ("sso_session = nowhere\nsso_account_id = 111122223333\nsso_role_name = any", WHO, SettingsWrong, "nowhere"),
    # -- keys
    "keys_expired": ("aws_access_key_id = a\naws_secret_access_key = b", EXPIRED, CannotTell, "does not accept the credentials"),
    "keys_of_a_late_clock": ("aws_access_key_id = a\naws_secret_access_key = b", EARLY, CannotTell, "set this machine's clock"),
    "keys_half": ("aws_access_key_id = a", WHO, SettingsWrong, "aws_secret_access_key"),
    "keys_none": ("region = us-west-2", WHO, CannotTell, "There are no AWS credentials"),
}  # fmt: skip


@pytest.fixture(scope="module")
def sts() -> Iterator[tuple[str, dict[str, str]]]:
    """An endpoint, and what it answers with: a status and a text."""
    answers = {"next": WHO}

    class Endpoint(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, _, text = answers["next"].partition(" ")
            self.send_response(int(status))
            kind = "text/html" if text.startswith("<html") else "text/xml"
            self.send_header("Content-Type", kind)
            if status == "302":
                self.send_header("Location", "http://127.0.0.1:9/")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_PUT = do_POST  # noqa: N815 (http.server's names)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", answers
    server.shutdown()
    server.server_close()


@pytest.fixture
def here(sts: tuple[str, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment with the profiles and nothing else of AWS; what the endpoint answers with."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name in BUNDLES:
            monkeypatch.delenv(name)
    (tmp_path / "token").write_text("token of more than four letters")
    (tmp_path / "token").chmod(0o600)
    (tmp_path / "empty").touch()
    written = [f"[profile {name}]\n{lines}\n" for name, (lines, *_) in PROFILES.items()]
    written += ["[sso-session s]\nsso_region = us-west-2\nsso_start_url = https://x.invalid/start\n"]
    written += ["[profile static]\naws_access_key_id = a\naws_secret_access_key = b\n"]
    (tmp_path / "config").write_text("\n".join(written).replace("HERE", str(tmp_path)))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", sts[0])
    monkeypatch.setattr(AssumeRoleProvider, "__init__", without_a_terminal(AssumeRoleProvider.__init__))
    monkeypatch.setenv("HOME", str(tmp_path))
    return sts[1]


def without_a_terminal(make: Any) -> Any:
    """botocore's provider, with a prompt that ends as getpass does where nobody can type."""

    def prompter(_: str) -> str:
        raise EOFError

    return lambda self, *words, **named: make(self, *words, **{**named, "prompter": prompter})


@pytest.mark.parametrize("profile", PROFILES)
def test_credentials_that_cannot_be_used(
    settings: Settings, here: dict[str, str], monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    _, here["next"], kind, words = PROFILES[profile]
    monkeypatch.setenv("AWS_PROFILE", profile)
    reader = Reader(Clouds(settings, run_id="r", command="plan"))
    with pytest.raises(RunbookError) as told:
        reader.confirm(snowflake=False)
    error = told.value
    assert type(error) is kind, error
    assert words in str(error)
    assert f"profile {profile}" in str(error)
    assert error.remedy
    if isinstance(error, CannotTell):  # nobody is asked another time: a second factor, a token
        assert error.final
        reader.again()
        with pytest.raises(CannotTell) as again:
            reader.aws("iam", "GetRole", RoleName="any")
        assert again.value is error


NOT_OF_AWS = ["200 <html><body>sign in</body></html>", "200 <html><br>sign in</html>", "200 ", "200 OK", "302 ", "403 <html>no</html>", "407 proxy", "404 <html></html>", "429 slow", "502 <html>bad gateway</html>"]  # fmt: skip


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("sts", "GetCallerIdentity", {}),
        ("s3", "GetBucketNotificationConfiguration", {"Bucket": "some-bucket"}),
        ("s3", "GetBucketPolicy", {"Bucket": "some-bucket"}),
        pytest.param("iam", "GetRole", {"RoleName": "any"}, marks=pytest.mark.slow),
        pytest.param("ssm", "GetParameter", {"Name": "any"}, marks=pytest.mark.slow),
        pytest.param("sqs", "GetQueueUrl", {"QueueName": "any"}, marks=pytest.mark.slow),
    ],
)
def test_what_is_not_awss_answer_is_never_taken_for_one(
    settings: Settings,
    here: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    service: str,
    operation: str,
    parameters: dict[str, str],
) -> None:
    """boto3 takes a web page for a bucket without rules: a plan would write over those that are there."""
    monkeypatch.setenv("AWS_PROFILE", "static")
    monkeypatch.setattr("runbook.clouds.connections.AWS_BOUNDS", {"retries": {"total_max_attempts": 1}})
    clouds = Clouds(settings, run_id="r", command="plan")
    for answer in NOT_OF_AWS:
        here["next"] = answer
        with pytest.raises(CannotTell) as told:
            Reader(clouds).aws(service, operation, **parameters)
        assert f"Something other than AWS answers {service}:{operation}" in str(told.value), answer


def test_an_answer_of_awss_is_its_own(
    settings: Settings, here: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "static")
    here["next"] = WHO
    reader = Reader(Clouds(settings, run_id="r", command="plan"))
    assert reader.aws("sts", "GetCallerIdentity")["Account"] == "111122223333"
    here["next"] = DENIED
    with pytest.raises(AwsFailed, match="AccessDenied"):
        reader.aws("iam", "GetRole", RoleName="any")


def test_a_person_who_ends_it_while_credentials_are_read_is_no_error_of_awss(
    settings: Settings, here: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv("AWS_PROFILE", "static")
    monkeypatch.setattr("botocore.credentials.ReadOnlyCredentials", ended)
    with pytest.raises(KeyboardInterrupt):
        Reader(Clouds(settings, run_id="r", command="plan")).aws("iam", "GetRole", RoleName="any")


def test_a_session_that_ends_in_the_middle_is_told_and_nobody_is_asked_again(
    settings: Settings, here: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "static")
    reader = Reader(Clouds(settings, run_id="r", command="plan"))
    here["next"] = WHO
    reader.confirm(snowflake=False)
    here["next"] = EXPIRED
    with pytest.raises(CannotTell, match="does not accept the credentials"):
        reader.aws("iam", "GetRole", RoleName="any")
    here["next"] = WHO
    with pytest.raises(CannotTell, match="does not accept the credentials"):
        reader.aws("sts", "GetCallerIdentity")
    assert reader.is_refused


def test_a_token_with_a_line_end_is_told_without_it(
    settings: Settings, here: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "CANARY\ntail")
    with pytest.raises(SettingsWrong) as told:
        Reader(Clouds(settings, run_id="r", command="plan")).confirm(snowflake=False)
    assert "CANARY" not in str(told.value)
    assert "a character that cannot be sent" in str(told.value)


def test_certificates_that_are_not_there(
    settings: Settings, here: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "static")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such.pem")
    with pytest.raises(SettingsWrong, match=r"REQUESTS_CA_BUNDLE.*/no/such\.pem"):
        Reader(Clouds(settings, run_id="r", command="plan")).confirm(snowflake=False)


@pytest.mark.parametrize("name", BUNDLES)
def test_certificates_are_found_where_any_client_looks_for_them(
    settings: Settings, here: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setenv(name, str(tmp_path / "token"))
    assert Clouds(settings, run_id="r", command="plan").ca_bundle() == str(tmp_path / "token")


def test_a_profile_that_is_not_there_is_told_by_whoever_looks_for_credentials(
    settings: Settings, here: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nowhere")
    with pytest.raises(SettingsWrong, match="nowhere"):
        Clouds(settings, run_id="r", command="handoff").has_credentials("aws")
