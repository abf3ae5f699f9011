"""Secrets taken out of text before it leaves: the terminal, records, and files all pass through here.

Nothing of ours puts a secret into a text. What libraries say of an error may hold one: a header that is no
header because the token has a line end, an address with the proxy's password in it, a line of a file that
cannot be read. So every value that is a secret by the name it has in the environment, in connections.toml or
in AWS' files is looked for, however it is escaped or wrapped, and so is what looks like a secret by itself.
"""

import base64
import json
import os
import re
from collections.abc import Iterator
from functools import lru_cache
from html import escape
from pathlib import Path
from urllib.parse import quote, unquote

HIDDEN = "[secret]"
SHORTEST = 6
"""Shorter ones would take words out of sentences."""
OF_LETTERS = 12
"""A secret of letters only, and shorter, cannot be distinguished from a word such as snowflake."""
LARGEST_FILE = 100_000

_SECRET = re.compile(
    r"secret|token|passw|passphrase|passcode|(?<![a-z])pwd|_pwd|private_key|credential|api_?key|sas_",
    re.IGNORECASE,
)
_NO_SECRET = re.compile(
    r"(?:_file|_path|_uri|_url|_name|_id|_process|_source|_store|^pwd|^oldpwd)$", re.IGNORECASE
)
_FILE_OF_ONE = re.compile(r"(?:token_file_path|token_file|private_key_file|private_key_path)$", re.IGNORECASE)
_LINE = re.compile(r"^[ \t]*[\"']?([\w.-]+)[\"']?[ \t]*[=:][ \t]*(.+?)[ \t]*$", re.MULTILINE)
_USERINFO = re.compile(r"://([^\s/@'\"]+|[^\s/@'\"]*:[^\s'\"]*)@(?=[\w.\[-])")
_KEY = r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
# http.client and requests quote the header that they refuse: a token with a line end, whoever issued it
_HEADER = r"(header value:? )b?(?:'(?:[^'\\]|\\.)*'?|\"(?:[^\"\\]|\\.)*\"?)"
_AUTHORIZATION = (
    r"(?i)(authorization[\"']?\s*[:=]\s*b?[\"']?)(?:bearer|basic|snowflake token=)\s*[\"']?[\w.~+/=:-]+"
)
_JWT = r"\beyJ[\w-]{6,}\.[\w-]{6,}\.[\w-]*"
_SQL_NAMES = ("aws_secret_key", "aws_token", "master_key", "azure_sas_token", "password", "secret_string")
# within another literal, alone, escaped by a format, in dollar signs, or cut off
_LITERALS = r"''[^']+''|'(?:[^'\\]|''|\\.)+'|\\+'(?:[^'\\]|\\[^'])+\\+'|\$\$.*?\$\$|'[^']+\Z"
_IN_SQL = rf"(?i)\b({'|'.join(_SQL_NAMES)})(\s*=\s*)(?:{_LITERALS})"
_SIGNED = r"(?i)(x-amz-(?:signature|security-token)=)[^&\s\"']+"
_BY_ITSELF = (
    ("private key", re.compile(_KEY, re.DOTALL), HIDDEN),
    ("header value", re.compile(_HEADER, re.DOTALL), rf"\1{HIDDEN}"),
    ("eyj", re.compile(_JWT), HIDDEN),
    ("authorization", re.compile(_AUTHORIZATION), rf"\1{HIDDEN}"),
    ("@", _USERINFO, f"://{HIDDEN}@"),
    *((name, re.compile(_IN_SQL, re.DOTALL), rf"\1\2'{HIDDEN}'") for name in _SQL_NAMES),
    ("x-amz-s", re.compile(_SIGNED), rf"\1{HIDDEN}"),
)
"""What is looked for, where a part of it is there in lower case: most text has none, and may be long."""


_HELD: set[str] = set()


def hide(secret: str) -> None:
    """Look for this one too: a variable whose name does not say that it holds a secret."""
    _HELD.add(secret)


def redacted(text: str) -> str:
    """The text without secrets: those of this process' environment and files, and what looks like one."""
    lower = text.lower()
    for part, looks, instead in _BY_ITSELF:
        if part in lower:
            text = looks.sub(instead, text)
    for anchor, however in _patterns(frozenset(_known())):
        if anchor in text:
            text = however.sub(HIDDEN, text)
    return text


def _known() -> Iterator[str]:
    """Every secret this process may come across, as it is kept."""
    yield from _HELD
    for name, value in os.environ.items():
        yield from _of(name, value)
        if name == "SNOWFLAKE_CONNECTIONS":
            yield from _lines(value)
    for path in _files():
        try:
            at = path.stat()
            yield from _in_file(str(path), at.st_mtime_ns, at.st_size)
        except (OSError, ValueError):
            continue


def _of(name: str, value: str) -> Iterator[str]:
    """What is secret of a value with this name."""
    if "@" in value:
        address = value if "://" in value or not name.lower().endswith("proxy") else f"http://{value}"
        for found in _USERINFO.findall(address):
            user, colon, password = found.partition(":")
            yield from (password, unquote(password)) if colon else (user, unquote(user))
            yield f"{unquote(user)}:{unquote(password)}"
    if _names_a_secret(name):
        yield value
        yield from value.split()


@lru_cache(maxsize=1024)
def _names_a_secret(name: str) -> bool:
    return bool(_SECRET.search(name) and not _NO_SECRET.search(name))


def _files() -> Iterator[Path]:
    """Where credentials are kept.

    Sources: https://docs.snowflake.com/en/developer-guide/python-connector/python-connector-connect,
    https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-files.html
    """
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 (Path.home() raises where nobody has one)
    place = os.environ.get("SNOWFLAKE_HOME")
    for folder in (
        (Path(place).expanduser(),) if place else (home / ".snowflake", home / ".config" / "snowflake")
    ):
        yield from (folder / "connections.toml", folder / "config.toml")
    yield Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or home / ".aws" / "credentials").expanduser()
    yield Path(os.environ.get("AWS_CONFIG_FILE") or home / ".aws" / "config").expanduser()
    for name in ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
        if os.environ.get(name):
            yield Path(os.environ[name])


@lru_cache(maxsize=32)
def _in_file(path: str, _changed: int, size: int) -> tuple[str, ...]:
    """The secrets of a file of settings; the time and size tell one state of it from another."""
    if size > LARGEST_FILE:
        return ()
    text = Path(path).read_text(encoding="utf-8", errors="replace")
    if "=" not in text and ":" not in text:
        return (text, *text.split())  # the secret alone, as in a token's file
    return tuple(_lines(text))


def _lines(text: str) -> Iterator[str]:
    """The secrets in TOML or in an AWS file, read line by line: it may be one that cannot be parsed."""
    for name, value in _values(text):
        yield from _of(name, value)
        if _FILE_OF_ONE.search(name):
            yield from _alone(Path(value))


def _values(text: str) -> Iterator[tuple[str, str]]:
    import tomllib

    for name, value in _LINE.findall(text):
        yield name, value
        yield name, re.sub(r"\s+[#;].*$", "", value).strip("\"'")
        yield from ((name, inner) for inner in re.findall(r"[\"']([^\"']+)", value))
    try:
        tables: list[object] = [tomllib.loads(text)]
    except tomllib.TOMLDecodeError:
        return
    while tables:
        table = tables.pop()
        for name, value in table.items() if isinstance(table, dict) else ():
            if isinstance(value, str):
                yield name, value
            else:
                tables += value if isinstance(value, list) else [value]


def _alone(path: Path) -> Iterator[str]:
    """A file that holds a secret and nothing else: each line of it, but for a key's first and last."""
    try:
        if path.stat().st_size <= LARGEST_FILE:
            lines = path.read_text(encoding="utf-8", errors="replace").split()
            yield from (line for line in lines if "-----" not in line and len(line) >= OF_LETTERS)
    except (OSError, ValueError):
        return


@lru_cache(maxsize=32)
def _patterns(known: frozenset[str]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """What finds each of them, the longest first, with a part that is the same however it is written."""
    worth = sorted(
        {each.strip() for each in known if _is_worth_it(each.strip())}, key=lambda each: -len(each)
    )
    whole = [(each, _however_written(each)) for each in worth]
    encoded = [(form, re.escape(form)) for each in worth for form in _in_base64(each)]
    return tuple((_anchor(text), re.compile(however)) for text, however in (*whole, *encoded))


def _anchor(text: str) -> str:
    runs: list[str] = re.findall(r"[A-Za-z0-9]*", text)
    return max(runs, key=len)


def _is_worth_it(secret: str) -> bool:
    return len(secret) >= (OF_LETTERS if secret.isalpha() else SHORTEST)


def _however_written(secret: str) -> str:
    """A pattern for a secret as it is, or with any of its characters escaped as libraries and formats do."""
    return "".join(_character(char) for char in re.sub(r"\s+", " ", secret))


@lru_cache(maxsize=1024)
def _character(char: str) -> str:
    if char.isascii() and char.isalnum():
        return char
    if char == " ":  # a line end too: wrapped, escaped, or shown as a blank
        return r"(?:\s|\\+[nrtfv]|\\+x[0-9a-f]{2}|\\+u00[0-9a-f]{2}|%[0-9A-Fa-f]{2}|\+|&#\d+;)+"
    octets = char.encode("utf-8", "replace")
    ways = {
        char,
        quote(char, safe=""),
        quote(char, safe="").lower(),
        json.dumps(char)[1:-1],
        repr(char)[1:-1],
        escape(char),
        {"'": "&apos;"}.get(char, char),
        "".join(f"\\x{octet:02x}" for octet in octets),
        f"&#{ord(char)};",
        f"&#x{ord(char):x};",
    }
    escaped = (re.escape(way).replace(r"\\", r"\\+") for way in sorted(ways, key=len, reverse=True))
    return rf"(?:{'|'.join(escaped)}|\\+{re.escape(char)})"


def _in_base64(secret: str) -> Iterator[str]:
    """The secret within something that was encoded as a whole, at each of the three places it can begin."""
    octets = secret.encode("utf-8", "replace")
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + octets).decode().rstrip("=")
        inside = whole[(0, 2, 3)[before] :][: -1 if (before + len(octets)) % 3 else None]
        if len(inside) >= OF_LETTERS:
            yield inside
            yield inside.translate(str.maketrans("+/", "-_"))
