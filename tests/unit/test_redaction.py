"""No secret leaves: of whatever form, however a library or a format wrote it, wherever it is kept."""

import base64
import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import assume, example, given
from hypothesis import settings as tries
from hypothesis import strategies as st

from runbook.clouds.network import one_line
from runbook.errors import CannotTell
from runbook.records import Record
from runbook.redaction import HIDDEN, redacted
from runbook.running import ends, write_output
from runbook.settings import Settings
from runbook.terminal import Style, note, say, wrapped

CANARY = "c4n4ryC4N4RY"
FILLER = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=8)
SECRETS = st.builds(
    lambda one, other, end: f"{CANARY}{one}9x8{other}{CANARY[::-1]}{end}", FILLER, FILLER, FILLER
)
WRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "on one line": lambda text: " ".join(text.split()),
    "stripped": str.strip,
    "JSON": json.dumps,
    "JSON with all letters": lambda text: json.dumps(text, ensure_ascii=False),
    "JSON in JSON": lambda text: json.dumps(json.dumps({"a": text})),
    "repr": repr,
    "bytes": lambda text: repr(text.encode()),
    "in a URL": lambda text: quote(text, safe=""),
    "in a path": quote,
    "in a form": quote_plus,
    "XML": escape,
    "XML attribute": quoteattr,
    "wrapped": lambda text: wrapped("error: ", f"before {text} behind", Style(False, 40)),
    "base64": lambda text: base64.b64encode(text.strip().encode()).decode(),
    "basic authentication": lambda text: base64.b64encode(f"user:{text.strip()}".encode()).decode(),
    "base64 in a URL": lambda text: base64.urlsafe_b64encode(f"me:{text.strip()}:".encode()).decode(),
}  # fmt: skip
NAMES = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "SNOWFLAKE_PASSWORD",
    "PRIVATE_KEY_PASSPHRASE",
    "MY_API_KEY",
)


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """These variables and nobody's files."""
    nobody = {"HOME": "/nobody", "SNOWFLAKE_HOME": "/nobody/sf"}
    with mock.patch.dict(os.environ, nobody | variables, clear=True):
        yield


@tries(max_examples=30, deadline=None)
@given(secret=SECRETS, name=st.sampled_from(NAMES))
@example(secret=f"{CANARY}\n{CANARY[::-1]}\r\n", name="AWS_SESSION_TOKEN")
@example(secret=f"{CANARY}/+= %41&<\"'\\{CANARY[::-1]}", name="AWS_SECRET_ACCESS_KEY")
def test_a_secret_is_found_however_it_is_written(secret: str, name: str) -> None:
    assume("\0" not in secret)
    with environment(**{name: secret}):
        for way, write in WRITTEN.items():
            text = redacted(f"before {write(secret)} behind")
            assert CANARY not in text, (way, text)
            assert CANARY[::-1] not in text, (way, text)
            if not way.startswith("base64") and way != "basic authentication":
                assert HIDDEN in text, way
                assert text.startswith(("before", "error")) or way == "wrapped"
            else:
                assert base64.b64encode(f"u:{secret.strip()}".encode()).decode()[8:-8] not in text, way


@given(st.text(max_size=200))
def test_text_without_a_secret_stays_as_it_is(text: str) -> None:
    assume("://" not in text)
    with environment(
        AWS_SECRET_ACCESS_KEY=CANARY, PWD="/work", OLDPWD="/home/ann", SNOWFLAKE_PASSWORD="snowflake"
    ):
        assert redacted(text) == text
        assert redacted("the snowflake in /work of /home/ann") == "the snowflake in /work of /home/ann"


FILES = {
    "sf/connections.toml": '[prod]\npassword = "{}" # mine\n',
    "sf/config.toml": "[connections.prod]\nprivate_key_file_pwd = '{}'\n",
    "sf/connections.toml ": '[prod]\ntoken = "{}" broken\n',
    "sf/connections.toml  ": '[prod]\noauth_client_secret = """\n{}"""\n',
    "sf/connections.toml   ": '[prod]\ntoken_file_path = "HOME/token"\n',
    "sf/connections.toml    ": '[prod]\nprivate_key_file = "HOME/key.p8"\n',
    "aws": "[theirs]\naws_secret_access_key = {}\n",
    "aws ": "[theirs]\naws_session_token={}\n",
    "config": "[profile x]\nsso_client_secret = {}\n",
    "web": "{}",
}


@pytest.mark.parametrize("file", FILES)
def test_secrets_are_known_from_the_files_they_are_kept_in(tmp_path: Path, file: str) -> None:
    (tmp_path / "sf").mkdir()
    (tmp_path / "token").write_text(f"{CANARY}\n")
    (tmp_path / "key.p8").write_text(f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n")
    (tmp_path / file.strip()).write_text(FILES[file].replace("{}", CANARY).replace("HOME", str(tmp_path)))
    where = {
        "SNOWFLAKE_HOME": str(tmp_path / "sf"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "aws"),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "web"),
    }
    with environment(**where):
        assert redacted(f"a {CANARY} b") == f"a {HIDDEN} b"


@tries(max_examples=20, deadline=None)
@given(secret=SECRETS)
def test_a_password_of_any_letters_is_read_out_of_connections_toml(
    tmp_path_factory: pytest.TempPathFactory, secret: str
) -> None:
    assume(not set(secret) & {"\0", "\x7f"})
    folder = tmp_path_factory.mktemp("sf")
    (folder / "connections.toml").write_text(f"[prod]\npassword = {json.dumps(secret, ensure_ascii=False)}\n")
    with environment(SNOWFLAKE_HOME=str(folder)):
        for way, write in WRITTEN.items():
            assert CANARY not in redacted(write(secret)), way


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", f"http://ann:{CANARY}@proxy.example.com:3128"),
        ("http_proxy", f"ann:{CANARY}@proxy.example.com:3128"),
        ("ALL_PROXY", f"socks5://ann:p%40ss{CANARY}@proxy"),
        ("PIP_INDEX_URL", f"https://{CANARY}@packages.example.com/simple"),
    ],
)
def test_a_password_in_an_address_is_known(name: str, value: str) -> None:
    with environment(**{name: value}):
        more = f"p@ss{CANARY}" if "%40" in value else f"b'ann:{CANARY}'"
        for text in (f"Cannot connect to proxy {value}", more):
            assert CANARY not in redacted(text)


def test_what_looks_like_a_secret_needs_not_be_known() -> None:
    with environment():
        assert CANARY not in redacted(f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{CANARY}\n{CANARY}")
        assert CANARY not in redacted(f"proxy https://ann:{CANARY}/@{CANARY}@host:1 is not one")
        assert CANARY not in redacted(f"FROM 's3://b' CREDENTIALS = (AWS_SECRET_KEY = '{CANARY}')")
        assert CANARY not in redacted(f"AWS_TOKEN  =\n'{CANARY}''{CANARY}' AWS_SECRET_KEY=$$ {CANARY} $$")
        assert CANARY not in redacted(f"EXECUTE IMMEDIATE 'COPY … (MASTER_KEY=''{CANARY}'')'")
        assert CANARY not in redacted(rf"(aws_secret_key = \'{CANARY}\') x \"y\" AWS_TOKEN = '{CANARY}")
        assert CANARY not in redacted(f"https://b/k?X-Amz-Security-Token={CANARY}&X-Amz-Signature={CANARY}")
        assert CANARY not in redacted(f"Invalid header value {f'{CANARY}2'.encode() + bytes([10])!r}")
        assert CANARY not in redacted(f"return character(s) in header value: {CANARY + chr(10)!r}")
        assert CANARY not in redacted(f"{{'Authorization': 'Bearer {CANARY}'}}")
        assert CANARY not in redacted(f'Authorization: Snowflake Token="{CANARY}"')
        assert CANARY not in redacted(f"eyJhbGciOiJ9.{CANARY}.{CANARY}")
        for plain in (
            "a basic authentication",
            "basic rules of the bucket",
            "s3://bucket/a:b@c/",
            "http://127.0.0.1:80/control",
            "ANN@YI64108",
            "LIST @STAGE/a",
        ):
            assert redacted(plain) == plain


def test_nothing_that_leaves_has_it(settings: Settings, tmp_path: Path) -> None:
    """The terminal, a traceback, a record, a result in a file, and what is cut to a length."""
    secret = f"{CANARY}\nmore of {CANARY[::-1]}"

    def fails() -> int:
        try:
            int(f"Invalid header value {secret.encode()!r}")
        except ValueError as error:
            raise CannotTell("AWS cannot be asked", why=str(error)) from error

    def breaks() -> int:
        raise KeyError(secret)

    with environment(AWS_SESSION_TOKEN=secret):
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            say(f"a {secret}")
            note(json.dumps(secret))
            for action in (fails, breaks):
                for debug in (True, False):
                    assert ends(action, debug=debug)
            write_output(secret, None, say)
        record = Record(settings, "up", "run", folder=tmp_path)
        record.note({"error": f"Invalid header value {secret.encode()!r}"})
        write_output(json.dumps({"cause": secret}), str(tmp_path / "report.json"), say)
        cut = one_line(f"{'x' * 30} {secret!r}")[:45]
        written = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    told = [out.getvalue(), err.getvalue(), *written]
    assert len(told) == 4
    assert "Traceback" in err.getvalue()
    assert [text for text in (*told, cut) if "c4n4ry" in text or CANARY[::-1][:8] in text] == []
    assert json.loads((tmp_path / "report.json").read_text()) == {"cause": HIDDEN}
