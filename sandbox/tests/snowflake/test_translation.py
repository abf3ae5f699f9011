"""Snowflake's SQL becomes DuckDB's: each transform is asked only where it has something to change."""

import pytest
from snowpipe_sandbox.snowflake.engine import CHAIN, LOOKS_AT, parse, translate
from sqlglot import ErrorLevel, exp

STATEMENTS = (
    'SELECT a, "b" FROM t WHERE a / b > 1 AND c % 2 = 0',
    "SELECT TRY_TO_TIMESTAMP(a), TRY_CAST(a AS TIMESTAMP_NTZ), TO_TIMESTAMP_LTZ(b), TRIM(a, 'x'), LTRIM(b)",
    "SELECT v:a.b::VARCHAR, v['k']::INT, v[0], UPPER(v:x), v:a > 1, v:t::TIMESTAMP_NTZ FROM t",
    "SELECT TRY_PARSE_JSON(a, 'd'):x, PARSE_JSON('1'), TO_VARIANT(a), SPLIT(a, ','), "
    "TO_DATE(a), TO_DECIMAL(a, 9, 2)",
    "SELECT e.value::VARCHAR, e.index FROM t, LATERAL FLATTEN(INPUT => t.a) AS e",
    "SELECT e.value FROM TABLE(FLATTEN(INPUT => PARSE_JSON('[1]'))) AS e",
    "SELECT FILTER(a, e -> STARTSWITH(e:s::VARCHAR, 'x')), TRANSFORM(a, e -> e:b), "
    "ARRAY_CAT(a, ARRAY_CONSTRUCT())",
    "SELECT OBJECT_INSERT(AS_OBJECT(a), 'v', '1', TRUE), OBJECT_CONSTRUCT('a', 1), OBJECT_CONSTRUCT()",
    "SELECT OBJECT_CONSTRUCT_KEEP_NULL('a', NULL), OBJECT_CONSTRUCT(*) FROM t",
    "SELECT REGEXP_REPLACE(a, 'x', 'y'), REGEXP_REPLACE(a, 'x'), REGEXP_SUBSTR(a, '^[0-9]+$')",
    "SELECT * FROM (VALUES (1, 'a'), (2, 'b'))",
    "SELECT '2026-01-01 10:00:00 +09:00'::TIMESTAMP_TZ, a::FLOAT, a::INTEGER, a::VARIANT, a::TIMESTAMP_NTZ",
    "SELECT TO_TIMESTAMP(a), TO_TIMESTAMP_NTZ(a, 3), TO_NUMBER(a, 18, 2), TRY_TO_NUMBER(a, 18, 2)",
    "SELECT * FROM t SAMPLE (10)",
    "SELECT ARRAY_SIZE(a), RANDOM(), ARRAY_CONSTRUCT(1, 2)",
    "SELECT RANDOM(7)",
    "SELECT ARRAY_CONSTRUCT_COMPACT(1, NULL)",
    "SELECT ARRAY_AGG(a), OBJECT_AGG(k, v) FROM t",
    "SELECT ARRAY_AGG(a) WITHIN GROUP (ORDER BY b DESC), ARRAY_AGG(DISTINCT a) FROM t GROUP BY c",
    "SELECT ARRAY_AGG(a) OVER (PARTITION BY b) FROM t",
    "SELECT DATEADD('day', 1, a::DATE), DATEADD('hour', -24, '2026-01-01'), "
    "DATEDIFF('day', '2026-01-01', '2026-02-01')",
    "SELECT HAVERSINE(1, 2, 3, 4), X'AB', SHA2(a), SHA2_HEX(a), SHA2_BINARY(a)",
    "SELECT a.x AS y FROM a JOIN b ON y = b.y",
    "SELECT OBJECT_CONSTRUCT('a', a) AS o FROM t WHERE o IS NOT NULL",
    "SELECT TYPEOF(a), TO_CHAR(a), TO_CHAR(t, 'YYYY-MM-DD'), a || b, NULLIF(v:a, 'x'), "
    "COALESCE(v:a, 'x'), IFF(a, 1, 2)",
    "SELECT TO_BINARY('ab'), TO_ARRAY(a), a::BINARY, 'on'::BOOLEAN, CONVERT_TIMEZONE('UTC', a)",
    "WITH x AS (SELECT a FROM t) SELECT COUNT_IF(a > 1), MIN(IFF(a, b, NULL)) FROM x "
    "GROUP BY ALL HAVING COUNT(*) > 1",
    "CREATE TABLE t (a INT COMMENT 'x', b VARIANT) COMMENT = 'y'",
    "CREATE TABLE t (a INT, b VARIANT) COMMENT = 'y'",
    "INSERT INTO t SELECT a::FLOAT, TO_DATE(b) FROM u",
    "UPDATE t SET a = v:x::VARCHAR WHERE b = 1",
    "DELETE FROM t WHERE a IN (SELECT b FROM u)",
    "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN UPDATE SET b = u.b WHEN NOT "
    "MATCHED THEN INSERT (a) VALUES (u.a)",
)


def by_sqlglot(statement: exp.Expr) -> str:
    """Every transform on every node, as sqlglot and fakesnow do it."""
    for transform in CHAIN:
        statement = statement.transform(transform, copy=False)
    return statement.sql(dialect="duckdb", identify=True, unsupported_level=ErrorLevel.RAISE)


@pytest.mark.parametrize("text", STATEMENTS)
def test_a_statement_becomes_what_every_transform_on_every_node_makes_of_it(text):
    (statement,) = parse(text)
    try:
        wanted = by_sqlglot(statement.copy())
    except Exception as error:  # noqa: BLE001 - whatever they raise, the same is raised
        with pytest.raises(type(error)):
            translate(statement)
        return
    if not isinstance(statement, exp.Merge):  # it is several statements first
        assert translate(statement) == [wanted]


def test_it_is_known_of_every_transform_of_fakesnows_what_it_looks_at():
    assert {each for each in CHAIN if each.__module__.startswith("fakesnow")} <= set(LOOKS_AT)
