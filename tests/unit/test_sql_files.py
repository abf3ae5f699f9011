"""The SQL files: rendered by type, cut into statements, and never reshaped by a setting."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snowpipe_sandbox.snowplow.fields import FIELDS
from sqlglot import tokens
from sqlglot.dialects.snowflake import Snowflake

from runbook import sql
from runbook.errors import SettingsWrong
from runbook.settings import Identifier, QualifiedName, read
from runbook.wanted.pipeline import columns, pipe_definition
from tests.unit.conftest import written

FILES = [name for folder in ("step2_snowflake", "step4_snowflake", "operate") for name in sql.files(folder)]
PROVENANCE = ("_FILE", "_FILE_ROW", "_LOADED_AT")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", "''"),
        ("plain", "'plain'"),
        ("it's", "'it''s'"),
        ("back\\slash", "'back\\\\slash'"),
        ("\\'", "'\\\\'''"),
        ("'; DROP TABLE x; --", "'''; DROP TABLE x; --'"),
        (Identifier("EVENTS"), "EVENTS"),
        (Identifier("events"), '"events"'),
        (QualifiedName(Identifier("A"), Identifier("b"), Identifier("C")), 'A."b".C'),
        (True, "TRUE"),
        (0, "0"),
        (-3, "-3"),
        (("a", "b'c"), "('a', 'b''c')"),
        ((), "()"),
    ],
)
def test_how_a_value_is_written_follows_from_its_type(value, text):
    assert sql.written(value) == text
    assert sql.render("x <% v %> y", {"v": value}) == f"x {text} y"


@given(st.text())
def test_a_literal_is_one_token_with_exactly_that_text(text):
    found = Snowflake().tokenize(sql.literal(text))
    assert [(token.token_type, token.text) for token in found] == [(tokens.TokenType.STRING, text)]


@given(st.text("ab'\\;-$\"\n/*", max_size=12))
def test_a_literal_never_ends_a_statement(text):
    statement = f"SELECT {sql.literal(text)}, 1"
    assert sql.statements(f"{statement};\nSELECT 2;") == (statement, "SELECT 2")


def test_an_unknown_parameter_is_an_error_that_names_file_and_parameter():
    with pytest.raises(SettingsWrong, match=r"sql/x\.sql asks for an unknown parameter 'nmae'"):
        sql.render("SELECT <% nmae %>", {"name": "x"}, source="sql/x.sql")


def test_a_value_is_never_a_template():
    assert sql.render("<% a %>", {"a": "<% b %>", "b": "never"}) == "'<% b %>'"


def test_parameters_are_named_once_in_order():
    assert sql.parameters("<% b %> <%a%> <%  b  %>") == ("b", "a")


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("", ()),
        ("-- only a comment", ()),
        (";;  ;", ()),
        ("SELECT 1", ("SELECT 1",)),
        ("SELECT 1; SELECT 2;", ("SELECT 1", "SELECT 2")),
        ("-- a; b\nSELECT 1;", ("SELECT 1",)),
        ("-- it's \"one\nSELECT 1; -- it's another; $$\nSELECT 2;", ("SELECT 1", "SELECT 2")),
        ("/* a; 'b */ SELECT 1; /* c */", ("SELECT 1",)),
        ("SELECT/* between */1", ("SELECT 1",)),
        ("SELECT 'a;b', ';'", ("SELECT 'a;b', ';'",)),
        ("SELECT 'it''s; so'; SELECT 2", ("SELECT 'it''s; so'", "SELECT 2")),
        ("SELECT '\\';'; SELECT 2", ("SELECT '\\';'", "SELECT 2")),
        ("SELECT '-- no comment'; SELECT 2", ("SELECT '-- no comment'", "SELECT 2")),
        ("SELECT '/* no', ' comment */'", ("SELECT '/* no', ' comment */'",)),
        ('SELECT "a;""b"; SELECT 2', ('SELECT "a;""b"', "SELECT 2")),
        ("AS $$ a; 'b -- c $$; SELECT 2", ("AS $$ a; 'b -- c $$", "SELECT 2")),
        ("SELECT $1, 4 / 2 - 1; SELECT 2", ("SELECT $1, 4 / 2 - 1", "SELECT 2")),
        ("SELECT METADATA$FILENAME; SELECT 2", ("SELECT METADATA$FILENAME", "SELECT 2")),
        ("USE ROLE A$$; USE ROLE B$$; SELECT 2", ("USE ROLE A$$", "USE ROLE B$$", "SELECT 2")),
    ],
)
def test_statements_are_cut_at_semicolons_that_are_statement_ends(text, statements):
    assert sql.statements(text) == statements


@pytest.mark.parametrize("name", FILES)
def test_every_parameter_of_a_file_is_known(settings, name):
    for stream in settings.streams:
        text = sql.rendered(name, settings, stream)
        assert "<%" not in text
        assert sql.statements(text)


@pytest.mark.parametrize("name", FILES)
def test_every_file_can_run_twice_and_replaces_nothing(settings, name):
    """OR REPLACE breaks trust, stops pipes and forgets what was loaded: DESIGN of every step."""
    for statement in sql.statements(sql.rendered(name, settings, settings.streams[0])):
        assert "OR REPLACE" not in statement.upper()
        assert not re.match(r"DROP|TRUNCATE|DELETE", statement, re.IGNORECASE)
        if statement.startswith("CREATE"):
            assert " IF NOT EXISTS " in statement


@pytest.mark.parametrize("name", FILES)
def test_every_file_begins_with_a_comment_and_says_its_role(settings, name):
    text = sql.template(name)
    assert text.startswith("-- ")
    assert sql.statements(sql.rendered(name, settings, settings.streams[0]))[0].startswith("USE ROLE ")
    # Snowflake's other line comment, which statements() does not know
    assert not re.search(r"(?<![:/])//", text)


def test_files_run_in_the_order_of_their_numbers():
    assert [name.split("/")[1][:2] for name in sql.files("step4_snowflake")] == sorted(
        name.split("/")[1][:2] for name in sql.files("step4_snowflake")
    )
    assert sql.files("step2_snowflake") == (
        "step2_snowflake/10_roles.sql",
        "step2_snowflake/20_integration.sql",
        "step2_snowflake/30_usage.sql",
    )


# ---- the tables and what the pipes write into them


def test_the_enriched_table_has_the_131_fields_in_order_then_where_each_row_came_from(settings):
    names = columns(settings.stream("events"))
    assert len(FIELDS) == 131
    assert names == (*(field.name.upper() for field in FIELDS), *PROVENANCE)


def test_the_bad_rows_table_has_the_document_and_where_it_came_from(settings):
    assert columns(settings.stream("events_bad")) == ("DOCUMENT", *PROVENANCE)


@pytest.mark.parametrize("name", ["events", "events_bad"])
def test_the_pipe_writes_every_column_of_the_table_from_its_own_field(settings, name):
    stream = settings.stream(name)
    found = re.fullmatch(
        r"COPY INTO (?P<table>\S+) \(\n(?P<names>[^)]*)\)\nFROM \(\n  SELECT\n(?P<fields>.*)"
        r"  FROM (?P<stage>\S+)\n\)\nFILE_FORMAT = \(FORMAT_NAME = (?P<format>\S+)\)\nON_ERROR = SKIP_FILE",
        pipe_definition(settings, stream),
        re.DOTALL,
    )
    assert found
    names = tuple(part.strip().upper() for part in found["names"].split(","))
    fields = [line.strip().removesuffix(",") for line in found["fields"].splitlines()]
    assert names == columns(stream)
    assert fields == [
        *(f"${number}" for number in range(1, len(names) - 2)),
        "METADATA$FILENAME",
        "METADATA$FILE_ROW_NUMBER",
        "CONVERT_TIMEZONE('UTC', METADATA$START_SCAN_TIME)::TIMESTAMP_NTZ",
    ]
    assert found["table"] == stream.table.sql
    assert found["stage"] == f"@{stream.stage.sql}"
    assert found["format"] == stream.file_format.sql


# ---- hostile but accepted settings


def skeleton(statement: str) -> list[tuple[str, str]]:
    """A statement's tokens, with every name and every literal made the same."""
    found = []
    for token in Snowflake().tokenize(statement):
        if token.token_type in (tokens.TokenType.VAR, tokens.TokenType.IDENTIFIER):
            found.append(("name", ""))
        elif token.token_type == tokens.TokenType.STRING:
            found.append(("text", ""))
        else:
            found.append((token.token_type.name, token.text))
    return found


def is_word_of_sql(text: str) -> bool:
    """Whether Snowflake's grammar takes the bare word for something else than a name."""
    return [token.token_type for token in Snowflake().tokenize(text)] != [tokens.TokenType.VAR]


NASTY = [
    '"',
    "'",
    ";",
    "--",
    "/*",
    "*/",
    "//",
    "$$",
    "\\",
    "<% table %>",
    "<%",
    "%>",
    ")",
    "(",
    "@",
    "é",
    " ",
]
quoted = (
    st.lists(
        st.one_of(st.sampled_from(NASTY), st.text("aB1", min_size=1, max_size=2)), min_size=1, max_size=6
    )
    .map("".join)
    .map(lambda inner: '"' + inner.replace('"', '""') + '"')
)
bare = st.from_regex(r"[A-Za-z_][A-Za-z0-9_$]{0,8}", fullmatch=True).filter(
    lambda text: not is_word_of_sql(text)
)
names = st.one_of(quoted, bare)
folders = (
    st.lists(
        st.text(
            st.characters(codec="utf-8", exclude_characters="*?\\,/$", exclude_categories=["Cc", "Cs"]),
            min_size=1,
        ),
        min_size=1,
        max_size=3,
    )
    .map("/".join)
    .map(lambda text: text + "/")
)
iam_path = st.lists(
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1), max_size=2
).map(lambda parts: "/" + "".join(part + "/" for part in parts))
NAMES = ["database", "schema", "integration", "admin_role", "owner_role", "loader_role", "operator_role"]
NAMES += ["file_format_enriched", "file_format_bad_rows", "file_format_json"]


@st.composite
def hostile(draw):
    config = written(aws__path=draw(iam_path))
    for key in NAMES:
        config["snowflake"][key] = draw(names)
    events = config["streams"]["events"]
    events["prefix"] = draw(folders)
    for part in ("table", "stage", "pipe"):
        events[part] = draw(names)
    config["streams"]["events_bad"] = None
    return config


CALM = written(streams__events_bad=None)


@given(hostile())
def test_no_accepted_setting_changes_the_structure_of_a_statement(config):
    calm, wild = read(CALM), read(config)
    for name in FILES:
        expected = sql.statements(sql.rendered(name, calm, calm.streams[0]))
        actual = sql.statements(sql.rendered(name, wild, wild.streams[0]))
        assert len(actual) == len(expected), name
        for one, other in zip(actual, expected, strict=True):
            assert skeleton(one) == skeleton(other), name


@given(hostile())
def test_a_rendered_file_names_exactly_what_the_settings_name(config):
    settings = read(config)
    (stream,) = settings.streams
    found = Snowflake().tokenize(sql.rendered("step4_snowflake/40_stage.sql", settings, stream))
    texts = [token.text for token in found if token.token_type == tokens.TokenType.STRING]
    assert texts == [stream.url, "Snowplow files in S3 (snowpipe-runbook)"]
    last = [token.text for token in found][-2]
    assert last == str(settings.snowflake.integration)
