"""What comes from outside reaches a statement as one value, or not at all; no statement is made otherwise."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.errors import Refused
from runbook.facts import copy_statement
from runbook.facts.belongings import Belongings, PipeGrant, constants, written_options
from runbook.replacing import note as notes
from runbook.replacing import statements
from runbook.settings import Identifier, Settings
from runbook.sql import Constant, Keyword, literal, one_statement
from runbook.sql import statements as split
from tests.unit.observed import NOW, pipe
from tests.unit.test_hostile import HOSTILE, shape

TEXT = st.one_of(
    st.text(max_size=40), st.sampled_from(HOSTILE), st.sampled_from(["TRUE", "MONITOR", "'x'", "7"])
)
AWAY = "; USE ROLE ACCOUNTADMIN; CREATE ROLE PWNED"


# ---- the types


@given(TEXT)
def test_a_keyword_is_words_and_nothing_else(text: str) -> None:
    try:
        written = Keyword(text).sql
    except ValueError:
        return
    assert re.fullmatch(r"[A-Z0-9_]+( [A-Z0-9_]+)*", written)


@given(TEXT)
def test_a_constant_is_one_value(text: str) -> None:
    try:
        written = Constant(text).sql
    except ValueError:
        return
    assert split(f"ALTER PIPE P SET A = {written}") == (f"ALTER PIPE P SET A = {written}",)
    assert len(shape(f"A = {written}")) in (3, 4, 5, 7)  # a name of up to three parts, a sign before a number


@given(st.lists(TEXT, min_size=1, max_size=3))
def test_a_literal_and_a_name_are_one_token_each(texts: list[str]) -> None:
    names = ".".join(Identifier(text or "x").sql for text in texts)
    whole = f"ALTER PIPE {names} SET COMMENT = {literal(''.join(texts))}"
    assert split(whole) == (whole,)


@given(
    st.lists(
        st.sampled_from(["'", '"', ";", "--", "/*", "*/", "//", "$$", "\n", "\\", "a", " ", "COPY"]),
        max_size=9,
    )
)
def test_what_is_added_to_one_statement_is_never_taken_in_nor_cut_off(pieces: list[str]) -> None:
    try:
        text = one_statement("".join(pieces))
    except ValueError:
        return
    assert split(f"{text}\nFILES = ('a;b')") == (f"{text}\nFILES = ('a;b')",)
    assert split(f"USE ROLE R;\n{text}\nFILES = ('a;b')")[1:] == (f"{text}\nFILES = ('a;b')",)


# ---- the note in a pipe's comment, which the pipe's owner can write


def noted(**other: Any) -> str:
    plain = {
        "comment": "x", "parameters": {}, "grants": [], "options": {}, "channel": None,
        "made_on": NOW.isoformat(), "since": NOW.isoformat(), "begun": NOW.isoformat(),
        "rule_changed_at": None, "witness": None,
    }  # fmt: skip
    return notes.MARK + json.dumps({**plain, **other})


ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), TEXT),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        "comment",
        "parameters",
        "grants",
        "options",
        "channel",
        "made_on",
        "since",
        "begun",
        "rule_changed_at",
        "witness",
    ]
)
LIKELY = st.fixed_dictionaries(
    {},
    optional={
        "comment": TEXT,
        "parameters": st.dictionaries(TEXT, TEXT, max_size=2),
        "options": st.dictionaries(TEXT, TEXT, max_size=2),
        "grants": st.lists(st.tuples(TEXT, TEXT, TEXT, st.booleans()), max_size=2),
    },
)


@given(st.one_of(LIKELY, st.dictionaries(FIELDS, ANYTHING, max_size=3)))
def test_a_note_is_refused_or_nothing_but_what_it_gives_back(
    settings: Settings, other: dict[str, Any]
) -> None:
    stream = settings.streams[0]
    try:
        note = notes.read(noted(**other), stream)
    except Refused:
        return
    assert note is not None
    assert notes.read(str(note), stream) == note
    for change in every(settings, note):
        texts = split(change.sql)
        assert len(texts) == 2, change.sql
        assert texts[0].startswith("USE ROLE ")
        assert texts[1].startswith(
            ("ALTER PIPE RAW.SNOWPLOW.", "GRANT ", "CREATE OR REPLACE PIPE RAW.SNOWPLOW.")
        )


def every(settings: Settings, note: notes.Note) -> Iterator[Any]:
    """Each statement that a note can lead to."""
    stream = settings.streams[0]
    own, nothing = pipe(settings, stream), Belongings({}, (), {})
    yield statements.hold(stream, own, note)
    yield statements.create(stream, own, note, "COPY INTO t FROM @s")
    yield statements.keep(stream, own, note)
    yield from statements.parameters(stream, own, note.belongings, nothing)
    yield from statements.parameters(stream, own, nothing, note.belongings)
    yield from statements.grants(stream, own, note.belongings, nothing)
    yield statements.end(stream, own, note)


@pytest.mark.parametrize(
    "other",
    [
        {"parameters": {"PIPE_EXECUTION_PAUSED": f"FALSE{AWAY}"}},
        {"parameters": {f"LOG_LEVEL = 'x'{AWAY}": "1"}},
        {"parameters": {"LOG_LEVEL": f"'x\\\\'{AWAY}; SELECT '"}},
        {"parameters": {"LOG_LEVEL": 7}},
        {"parameters": []},
        {"options": {"ERROR_INTEGRATION": f"X{AWAY}"}},
        {"grants": [["ROLE", "SYSADMIN", f"MONITOR ON PIPE X TO ROLE Y{AWAY}", False]]},
        {"grants": [["ROLE", "SYSADMIN", "MONITOR, OWNERSHIP", False]]},
        {"grants": [[f"ROLE X{AWAY}", "SYSADMIN", "MONITOR", False]]},
        {"grants": [["ROLE", "SYSADMIN", "MONITOR", "no"]]},
        {"since": "2026-11-01T00:00:00"},
        {"witness": {"until": NOW.isoformat(), "waiting": 7, "loaded": []}},
        {"more": 1},
    ],
)
def test_a_note_with_a_statement_in_it_is_refused(settings: Settings, other: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="damaged or altered"):
        notes.read(noted(**other), settings.streams[0])


def test_a_note_gives_back_what_it_holds(settings: Settings) -> None:
    held = Belongings(
        constants({"PIPE_EXECUTION_PAUSED": "TRUE", "LOG_LEVEL": "'IN''FO; --'"}),
        (PipeGrant("DATABASE_ROLE", "RAW.R", "MONITOR", True), PipeGrant("ROLE", 'odd "; name', "OPERATE")),
        constants({"ERROR_INTEGRATION": '"my; int"'}),
    )
    note = notes.Note(
        "it's; ours", held, "arn:q", NOW, NOW, NOW, None, notes.Witness(NOW, frozenset("a"), frozenset())
    )
    assert notes.read(str(note), settings.streams[0]) == note


# ---- what a pipe's owner or anybody else wrote, as Snowflake shows it


@given(TEXT, st.dictionaries(st.sampled_from(["ERROR_INTEGRATION", "AWS_SNS_TOPIC", "INTEGRATION"]), TEXT))
def test_options_are_read_out_of_a_definition_whatever_its_comment_says(
    comment: str, options: dict[str, str]
) -> None:
    wanted = {name: literal(value) for name, value in options.items()}
    said = "".join(f" {name.lower()}={value}" for name, value in wanted.items())
    head = f'create or replace pipe RAW.S."p x=y as" auto_ingest=true comment={literal(comment)}'
    ddl = f"{head}{said} as COPY INTO t"
    assert written_options(ddl) == wanted


def test_a_definition_with_something_else_before_as_is_not_guessed_at() -> None:
    with pytest.raises(ValueError, match="more than options"):
        written_options("create or replace pipe P auto_ingest=true; drop table t; as COPY INTO t")


@given(
    st.lists(
        st.sampled_from(
            ["COPY INTO ", " FROM ", "@", '"', "a", "\u00a0", "\n", ".", "é", "'", "(", "1", "😀", "x" * 300]
        )
    )
)
def test_a_copy_of_somebody_elses_can_always_be_looked_at(pieces: list[str]) -> None:
    home = (Identifier("D"), Identifier("S"))
    copy_statement.read("".join(pieces), *home)
    odd = "".join(pieces).replace('"', '""') or "x"
    found = copy_statement.read(f'copy into "{odd}" from @"{odd}"/a', *home)
    assert found.table is not None
    assert found.table.name == odd.replace('""', '"')
    assert found.stage == found.table


# ---- statements that are put together in the code

ROOT = Path(__file__).parents[2]
STATEMENT = re.compile(
    r"(?:^|\n|\()\s*(?:SELECT|SHOW|DESC|ALTER|CREATE|GRANT|REVOKE|DROP|LIST|COPY INTO|USE|DELETE|INSERT)\s"
)
WRITERS = ("literal", "written", "str", "_files", "_load", "_role", "use", "_by_owner")
"""Functions that write a value, or a piece of a statement that is itself held to this."""
NOT_SNOWFLAKES = ("runbook/ledger/on_disk.py", "runbook/loading/planning.py")  # DuckDB in this process
PROSE = re.compile(r"(?:SELECT|USAGE|MONITOR) on ")


def fstrings() -> Iterator[tuple[str, ast.JoinedStr, ast.AST]]:
    """Every f-string that is a statement, with the function it stands in."""
    for path in sorted((ROOT / "runbook").rglob("*.py")):
        name = str(path.relative_to(ROOT))
        if "sandbox/" in name or name.endswith("demo.py") or name in NOT_SNOWFLAKES:
            continue
        tree = ast.parse(path.read_text())
        for scope in ast.walk(tree):
            if isinstance(scope, ast.FunctionDef):
                for node in ast.walk(scope):
                    if isinstance(node, ast.JoinedStr) and is_statement(node):
                        yield f"{name}:{scope.name}", node, scope


def is_statement(node: ast.JoinedStr) -> bool:
    text = "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values)
    return bool(STATEMENT.search(text)) and not PROSE.match(text)


def unsafe(node: ast.expr, scope: ast.AST, seen: tuple[str, ...] = ()) -> Iterator[str]:
    """The parts of an expression that were not written as SQL, as far as one function shows it."""
    match node:
        case ast.Constant() | ast.Attribute(attr="sql"):
            return
        case ast.Call(func=ast.Name(id=called)) if called in WRITERS:
            return
        case ast.Name() if node.id.isupper():
            return
    for part in (parts := within(node, scope, seen)):
        yield from unsafe(part, scope, (*seen, ast.unparse(node)))
    if not parts:
        yield ast.unparse(node)


def within(node: ast.expr, scope: ast.AST, seen: tuple[str, ...]) -> list[ast.expr]:
    """What an expression is put together of; nothing where that cannot be seen here."""
    match node:
        case ast.JoinedStr():
            values = [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
            return values or [ast.Constant("")]
        case ast.IfExp():
            return [node.body, node.orelse]
        case ast.BinOp(op=ast.Add()):
            return [node.left, node.right]
        case ast.BoolOp():
            return node.values
        case ast.Call(func=ast.Attribute(attr="join"), args=[ast.GeneratorExp() | ast.ListComp() as each]):
            return [each.elt]
        case ast.Name() if node.id not in seen:
            return assigned(node.id, scope)
    return []


def assigned(name: str, scope: ast.AST) -> list[ast.expr]:
    """What a function gives a local name."""
    found = []
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign | ast.AugAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                pairs = [(target, node.value)]
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    pairs = list(zip(target.elts, node.value.elts, strict=True))
                found += [value for each, value in pairs if isinstance(each, ast.Name) and each.id == name]
    return found


LOOKED_AT: dict[str, set[str]] = {
    # other statements and pieces of them, each made in a function that is held to the same
    "runbook/ledger/in_snowflake.py:_listed": {"' AND '.join(times)"},
    "runbook/ledger/in_snowflake.py:_histories": {"snowflake.loads_statement(evidence.stream)"},
    "runbook/ledger/in_snowflake.py:_present": {"history.rows_statement(evidence.stream, names)"},
    "runbook/ledger/in_snowflake.py:files": {"which"},
    "runbook/ledger/in_snowflake.py:_unnamed": {"history.as_named(stream)"},
    "runbook/ledger/in_snowflake.py:judged_as_a_whole": {
        "_literals(set(evidence.last_ingested_keys))",
        "_micros(last) - 1000000",
    },
    "runbook/facts/history.py:rows_statement": {
        "', '.join(map(literal, keys))",
        "as_named(stream)",
        "kind_of(stream).misread(frozenset(columns))",
    },
    "runbook/facts/snowflake.py:_validated": {"', '.join(calls)"},
    "runbook/facts/snowflake.py:some": {"', '.join(calls)"},
    "runbook/teardown/objects.py:_leases": {"leases.drop(lease)"},
    # only parsed here, and run by nobody
    "runbook/facts/found_format.py:format_of": {"on_stages"},
    # proposed to a person, and run by nobody
    "runbook/discovery/differences.py:file_column_statements": {
        "key",
        "value",
        "with_file_column(statement, columns, name.sql)",
    },
    "runbook/facts/copy_columns.py:with_file_column": {"number"},
    # written as a string where it has any sign but those of a plain path
    "runbook/facts/snowflake.py:list_statement": {"stream.path"},
    "runbook/verify/canary.py:runs_in_table": {"shape.row", "shape.run"},
    "runbook/verify/canary.py:delete": {"self.shape.row", "self.shape.run"},
    "runbook/verify/flight.py:_remove_row": {"canary.delete"},
    "runbook/replacing/statements.py:_by_owner": {"statement"},
    "runbook/replacing/statements.py:create": {"definition"},
    # SQLite's own, in this process
    "runbook/watching/history.py:_shrink": {"table"},
    "runbook/watching/history.py:forget": {"table"},
    "runbook/watching/history.py:work": {"table"},
    # written by .sql in the settings
    "runbook/watching/looking.py:figures_of": {"schema"},
    "runbook/facts/snowflake.py:_holders": {"kind", "name"},
    # words and numbers of the code itself
    "runbook/replacing/procedure.py:_try_the_level": {"statements.EVENT_LEVEL"},
    "runbook/ledger/in_snowflake.py:_base": {"digit"},
    "runbook/facts/ours.py:marked": {"KINDS[kind]", "_schema(reader.settings)"},
    "runbook/facts/history.py:_same_rows_statement": {"mark", "name"},
    "runbook/facts/neighbours.py:_everywhere": {"kind"},
    "runbook/facts/ours.py:_everywhere": {"kind"},
    "runbook/facts/snowflake.py:_in_schema": {"kind", "reader.settings.schema_sql", "schema"},
    "runbook/facts/views.py:schemas": {"' UNION ALL '.join(parts)"},
    "runbook/facts/views.py:_schemas_of": {"column", "path", "flat", "_since(since)"},
    "runbook/facts/views.py:_counted": {"', '.join(columns)", "_since(since)"},
    "runbook/facts/views.py:repeated": {"_since(since, 'MAX(_loaded_at)')"},
    "runbook/views/finding.py:_rows": {
        "_COLUMNS[stream.kind]",
        "_IS_IT[stream.kind].format(literal(event_id))",
    },
    "runbook/facts/snowflake.py:loads_statement": {"5 - LOAD_HISTORY_DAYS * 24 * 60"},
    "runbook/rights/needs.py:grant": {
        "' COPY CURRENT GRANTS' * (self.privilege == 'OWNERSHIP')",
        "' WITH GRANT OPTION' * self.handed_on",
        "kind.upper()",
        "self.on.removeprefix(kind)",
        "self.privilege",
    },
    # names that were written by .sql before, or quoted here
    "runbook/facts/belongings.py:_parameters": {"pipe"},
    "runbook/facts/history.py:read": {"name"},
    "runbook/facts/views.py:present": {"schema"},
    "runbook/facts/rights.py:inherits": {"left.pop().replace('\"', '\"\"')"},
    "runbook/facts/rights.py:granted_to": {"name.replace('\"', '\"\"')", "two_parts(name)"},
}
"""Where a function alone does not show that a part was written as SQL: looked at, and why it is."""


def test_every_statement_in_the_code_is_made_of_written_values() -> None:
    """What one function does not show is named here, once it was looked at."""
    found: dict[str, set[str]] = {}
    for place, node, scope in fstrings():
        if parts := set(unsafe(node, scope)):
            found.setdefault(place, set()).update(parts)
    assert found == LOOKED_AT


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("def f(a): return f'DROP ROLE {a}'", ["a"]),
        ("def f(a): return f'DROP ROLE {a.sql} {literal(a)}'", []),
        ("def f(a):\n b = a.name\n return f'DROP ROLE {b}'", ["a.name"]),
        ("def f(a):\n b, c = a.sql, a\n return f'DROP ROLE {b}' + f'SHOW ROLES LIKE {c}'", ["a"]),
        ("def f(a): return f'GRANT ROLE {\", \".join(x for x in a)} TO'", ["x"]),
    ],
)
def test_the_search_for_unsafe_statements_finds_them(code: str, wrong: list[str]) -> None:
    scope = ast.parse(code).body[0]
    nodes = [node for node in ast.walk(scope) if isinstance(node, ast.JoinedStr) and is_statement(node)]
    assert nodes
    assert [part for node in nodes for part in unsafe(node, scope)] == wrong
