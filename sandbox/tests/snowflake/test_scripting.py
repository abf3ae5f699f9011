"""EXECUTE IMMEDIATE of a block (https://docs.snowflake.com/en/sql-reference/sql/execute-immediate)."""

from collections.abc import Iterator
from typing import Any

import pytest
from loading_rig import World


@pytest.fixture
def world(sandbox: Any) -> Iterator[Any]:
    made = World(sandbox.tenants)
    yield made
    sandbox.tenants.delete(made.name)


def block(world: Any, text: str) -> Any:
    quoted = text.replace("'", "''")
    return world.dicts(f"EXECUTE IMMEDIATE '{quoted}'")


GUARDED = """BEGIN
IF (SYSDATE() >= '{until}'::TIMESTAMP_NTZ) THEN RETURN 'too late'; END IF;
CREATE DATABASE AFTERWARDS;
RETURN 'done';
END;"""


@pytest.mark.parametrize(
    ("until", "says", "made"), [("2999-01-01", "done", 1), ("2001-01-01", "too late", 0)]
)
def test_a_statement_is_run_only_before_its_time(world: Any, until: str, says: str, made: int) -> None:
    assert block(world, GUARDED.format(until=until)) == [{"anonymous block": says}]
    assert len(world.sql("SHOW DATABASES LIKE 'AFTERWARDS'")) == made


def test_dollars_quote_a_block_too(world: Any) -> None:
    assert world.sql("EXECUTE IMMEDIATE $$BEGIN RETURN 'it''s'; END$$") == [("it's",)]


def test_a_block_stands_as_it_is_and_a_statement_may_be_a_text(world: Any) -> None:
    assert world.sql("BEGIN\n  CREATE DATABASE AFTERWARDS;\n  RETURN 'made';\nEND;") == [("made",)]
    world.sql("SET made = 'CREATE SCHEMA AFTERWARDS.S'")
    world.sql("EXECUTE IMMEDIATE $made")
    assert len(world.sql("SHOW SCHEMAS LIKE 'S' IN DATABASE AFTERWARDS")) == 1
    assert world.sql("EXECUTE IMMEDIATE 'SELECT 1 AS A'") == [(1,)]
    assert world.sql("BEGIN") == [("Statement executed successfully.",)]
    world.sql("ROLLBACK")


def test_a_statement_that_fails_ends_the_block_and_keeps_its_number(world: Any) -> None:
    """https://docs.snowflake.com/en/developer-guide/snowflake-scripting/exceptions"""
    with pytest.raises(
        Exception, match=r"(?s)Uncaught exception of type 'STATEMENT_ERROR'.*does not exist"
    ) as found:
        block(world, "BEGIN DROP PIPE A.B.C; CREATE DATABASE AFTERWARDS; END")
    assert found.value.errno == 2003  # type: ignore[attr-defined]
    assert world.sql("SHOW DATABASES LIKE 'AFTERWARDS'") == []


@pytest.mark.parametrize(
    "text",
    [
        "BEGIN LET X := 1; RETURN X; END",
        "BEGIN RETURN 1; END",
        "DECLARE X INT; BEGIN RETURN 'a'; END",
        "BEGIN IF (TRUE) THEN DROP DATABASE X; END IF; END",
        "BEGIN FOR I IN 1 TO 2 DO RETURN 'a'; END FOR; END",
        "BEGIN RETURN 'a'; EXCEPTION WHEN OTHER THEN RETURN 'b'; END",
    ],
)
def test_what_is_no_such_block_is_refused(world: Any, text: str) -> None:
    with pytest.raises(Exception, match="not emulated"):
        block(world, text)
