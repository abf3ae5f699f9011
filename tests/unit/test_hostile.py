"""Hostile settings and file names: refused, or one value among others; shown by 7 of issue 6."""

import json
import re
from functools import cache
from xml.etree import ElementTree as ET

import pytest
from sqlglot import tokens
from sqlglot.dialects.snowflake import Snowflake

from runbook import sql
from runbook.errors import SettingsWrong
from runbook.plan import AwsChange
from runbook.remedy import remedy
from runbook.settings import read
from runbook.terminal import visible
from runbook.verify.formats import FORMATS
from runbook.verify.outcome import Outcome, Result
from runbook.wanted.permissions import permissions
from runbook.wanted.rules import queue_rule
from tests.unit.conftest import written
from tests.unit.observed import NOW

HOSTILE = [
    "'; DROP TABLE RAW.SNOWPLOW.EVENTS; --",
    '"; DROP TABLE RAW.SNOWPLOW.EVENTS; --',
    '"a""; DROP ROLE SYSADMIN; --"',
    '"a; DROP ROLE SYSADMIN; b"',
    "a$$; DROP ROLE SYSADMIN; $$",
    "a -- b",
    "a/* b */",
    "a\nUSE ROLE ACCOUNTADMIN;",
    "a\rUSE ROLE ACCOUNTADMIN;",
    "a\u2028USE ROLE ACCOUNTADMIN;",
    "<% admin_role %>",
    '"<% admin_role %>"',
    "{{ secret }}",
    "\\'; SELECT 1; --",
    "a\x00b",
    "\x1b[2J\x1b[31mhealthy",
    "\u202eelbatpecca",
    "\u200b",
    "*",
    "../../*",
    "a/*",
    "${aws:username}",
    '","Resource":"*"},{"Effect":"Allow","Action":"*',
    "a,b",
    "x" * 2000,
    "",
    " ",
    "Ｅ\uff36ＥＮＴＳ",
]
KEYS = [
    "aws__bucket",
    "aws__role_name",
    "aws__policy_name",
    "aws__path",
    "snowflake__database",
    "snowflake__schema",
    "snowflake__integration",
    "snowflake__admin_role",
    "snowflake__loader_role",
    "snowflake__file_format_enriched",
    "streams__events__prefix",
    "streams__events__suffix",
    "streams__events__table",
    "streams__events__stage",
    "streams__events__pipe",
]
FILES = [
    name for folder in ("step2_snowflake", "step4_snowflake", "operate", "down") for name in sql.files(folder)
]


def shape(text):
    """What a statement is made of, whatever its names and literals say."""
    names = (tokens.TokenType.VAR, tokens.TokenType.IDENTIFIER)
    found = []
    for token in Snowflake().tokenize(text):
        if token.token_type in (tokens.TokenType.STRING, tokens.TokenType.RAW_STRING):
            found.append("literal")
        elif token.token_type in names or token.text.upper() in DEFAULTS:
            found.append("name")
        else:
            found.append(token.text.upper())
    return found


# the default names that are also words to the tokenizer
DEFAULTS = {"RAW", "EVENTS", "SNOWPLOW"}


@cache
def shapes_by_default():
    settings = read(written())
    return {name: _shapes(settings, name) for name in FILES}


def _shapes(settings, name):
    text = sql.rendered(name, settings, settings.streams[0])
    return [shape(statement) for statement in sql.statements(text)]


def taken(config):
    """The settings, or why they are refused."""
    try:
        return read(config), ""
    except SettingsWrong as refused:
        return None, str(refused)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_a_setting_is_refused_or_stays_one_value(key, value):
    """Alone, and at the end of something that is accepted."""
    value = f"snowplow/{value}/" if key.endswith("prefix") else value
    settings, refused = taken(written(**{key: value}))
    if settings is None:
        assert key.split("__")[-1] in refused or "streams" in refused
        return
    for name, wanted in shapes_by_default().items():
        assert _shapes(settings, name) == wanted, name
    _documents_say_the_same(settings)


def _documents_say_the_same(settings):
    document = json.loads(json.dumps(permissions(settings)))
    assert [row["Sid"] for row in document["Statement"]] == ["ReadObjects", "ListFolders", "LocateBucket"]
    bucket = settings.aws.bucket_arn
    for resource in document["Statement"][0]["Resource"]:
        assert resource.startswith(f"{bucket}/")
        assert resource.count("*") == 1
    rule = queue_rule(settings.streams[0], "arn:aws:sqs:us-west-2:1:q")
    assert len(rule["Filter"]["Key"]["FilterRules"]) <= 2
    typed = str(AwsChange("iam", "CreateRole", {"RoleName": settings.aws.role_name}, "why"))
    assert len(typed.splitlines()) == 1


NAMES = [
    "a\x1b]0;title\x07.gz",
    "\x1b[2J\x1b[Hhealthy\n",
    "a\rok.gz",
    "\u202egz.exe",
    "a\u2066b\u2069",
    "\x9b31m.gz",
    "</failure><testcase name='x'/>",
    "]]>",
    "&amp;&#0;",
    "\x00\x01\x0b\x1f\x7f",
    "\ud800.gz",
    "\ufffe\uffff",
    "a # TODO skip",
    "not ok 1 - x",
    "ok 1\nnot ok 2",
    'a"} 1\nsnowpipe_healthy 1',
    "a|b=1;2;3",
    "'; DROP TABLE x; --",
    "`rm -rf ~`$(id)",
    "x" * 1024,
]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_a_file_name_breaks_no_report(kind, name):
    def outcome(text):
        row = Result(
            "delivery.no-file-failed",
            6,
            "events",
            "No file failed",
            "failed",
            observed=text,
            expected="none",
            cause=f"{text} failed",
            remedy=remedy(f"load {text} again"),
        )
        return Outcome("sandbox", NOW, 0.1, (row,))

    text = visible(FORMATS[kind](outcome(name)))
    plain = FORMATS[kind](outcome("plain.gz"))
    assert all(char.isprintable() or char == "\n" for char in text)
    text.encode()
    if kind == "json":
        assert json.loads(text)["checks"][0]["observed"]
    elif kind == "junit":
        tree, wanted = ET.fromstring(text), ET.fromstring(plain)
        assert [each.tag for each in tree.iter()] == [each.tag for each in wanted.iter()]
    else:
        assert [head(line) for line in text.splitlines()] == [head(line) for line in plain.splitlines()]


def head(line):
    """What a line of TAP, Nagios or Prometheus output is, before anything is said in it."""
    return re.split(r"[ {:]", line.strip())[0]
