"""Arrays and objects: what a view over JSON text asks of them, as Snowflake documents it."""

import json

import pytest

DOCUMENT = '{"data":[{"schema":"iglu:a/b/jsonschema/1-0-2","data":{"k":null,"x":1}},null,{"schema":"c"},7]}'


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("AS_ARRAY(PARSE_JSON('[1,2]'))", [1, 2]),
        ("AS_ARRAY(PARSE_JSON('{\"a\":1}'))", None),
        ("AS_ARRAY(PARSE_JSON('1'))", None),
        ("AS_OBJECT(PARSE_JSON('{\"a\":1}'))", {"a": 1}),
        ("AS_OBJECT(PARSE_JSON('[1]'))", None),
        ("AS_OBJECT(PARSE_JSON('null'))", None),
        ("FILTER(AS_ARRAY(PARSE_JSON('[1,null,{\"s\":\"a\"}]')), e -> e:s::VARCHAR = 'a')", [{"s": "a"}]),
        ("FILTER(AS_ARRAY(PARSE_JSON('{}')), e -> e:s::VARCHAR = 'a')", None),
        ("FILTER(ARRAY_CONSTRUCT(), e -> e:s::VARCHAR = 'a')", []),
        ("TRANSFORM(AS_ARRAY(PARSE_JSON('[{\"a\":1},{\"b\":2}]')), e -> e:a)", [1, None]),
        ("ARRAY_CAT(AS_ARRAY(PARSE_JSON('[1]')), AS_ARRAY(PARSE_JSON('[{\"a\":null}]')))", [1, {"a": None}]),
        ("ARRAY_CAT(AS_ARRAY(PARSE_JSON('[1]')), NULL)", None),
        ("ARRAY_CAT(COALESCE(AS_ARRAY(PARSE_JSON('1')), ARRAY_CONSTRUCT()), ARRAY_CONSTRUCT())", []),
        ("OBJECT_INSERT(PARSE_JSON('{\"a\":null,\"v\":\"0\"}'), 'v', '1', TRUE)", {"a": None, "v": "1"}),
        ("OBJECT_INSERT(AS_OBJECT(PARSE_JSON('1')), 'v', '1', TRUE)", None),
        ("ARRAY_SIZE(AS_ARRAY(PARSE_JSON('[1,2,3]')))", 3),
        ("ARRAY_SIZE(ARRAY_CONSTRUCT())", 0),
        # https://docs.snowflake.com/en/sql-reference/functions/object_construct
        ("OBJECT_CONSTRUCT('a', 1, 'b', NULL, 'c', 'x')", {"a": 1, "c": "x"}),
        ("OBJECT_CONSTRUCT()", {}),
        ("OBJECT_CONSTRUCT_KEEP_NULL('a', 1, 'b', NULL)", {"a": 1, "b": None}),
        ("PARSE_JSON('{\"a\":1}'):A", None),
        ("TRY_PARSE_JSON('{\"a\":[1]}', 'd'):a", [1]),
        ("TRY_PARSE_JSON('{\"a\":[1', 'd'):a", None),
    ],
)  # fmt: skip
def test_a_function_gives(sql, expression, value):
    found = sql.one(f"SELECT {expression}")
    assert (json.loads(found) if isinstance(found, str) else found) == value


def test_entities_are_picked_from_a_column(sql):
    sql.run("CREATE DATABASE D", "CREATE TABLE D.PUBLIC.T (c VARCHAR)")
    sql(f"INSERT INTO D.PUBLIC.T VALUES ('{DOCUMENT}'), ('no json'), (NULL), ('{{\"data\":[]}}')")
    rows = sql(
        "SELECT TRANSFORM(FILTER(AS_ARRAY(TRY_PARSE_JSON(c, 'd'):data),"
        " e -> STARTSWITH(e:schema::VARCHAR, 'iglu:a/b/jsonschema/1-')),"
        " e -> OBJECT_INSERT(AS_OBJECT(e:data), '_schema_version',"
        " SPLIT_PART(e:schema::VARCHAR, '/', 4), TRUE))"
        " FROM D.PUBLIC.T"
    )
    found = [json.loads(row[0]) if row[0] else row[0] for row in rows]
    assert found == [[{"k": None, "x": 1, "_schema_version": "1-0-2"}], None, None, []]
    flat = sql(
        "SELECT e.value:schema::VARCHAR, e.index FROM D.PUBLIC.T t,"
        " LATERAL FLATTEN(INPUT => AS_ARRAY(TRY_PARSE_JSON(t.c, 'd'):data)) e ORDER BY 2"
    )
    assert flat == [("iglu:a/b/jsonschema/1-0-2", 0), (None, 1), ("c", 2), (None, 3)]


def test_flatten_has_a_row_for_each_element_and_six_columns(sql):
    """https://docs.snowflake.com/en/sql-reference/functions/flatten."""
    document = '{"a":[1,{"b":null}],"c":"x"}'
    asked = "SELECT * FROM TABLE(FLATTEN(INPUT => PARSE_JSON('{}')))"
    assert sql.columns(asked.format("[1]")) == ["SEQ", "KEY", "PATH", "INDEX", "VALUE", "THIS"]
    shown = "SELECT f.key, f.path, f.index, f.value"
    of = f"{shown} FROM TABLE(FLATTEN(INPUT => PARSE_JSON('{{}}'){{}})) f ORDER BY 1, 3"
    rows = [(*row[:3], json.loads(row[3])) for row in sql(of.format(document, ", OUTER => FALSE"))]
    assert rows == [("a", "a", None, [1, {"b": None}]), ("c", "c", None, "x")]
    assert [row[:3] for row in sql(of.format('[1,"y"]', ""))] == [(None, "[0]", 0), (None, "[1]", 1)]
    for empty in ("[]", "{}", "null"):
        assert sql(of.format(empty, "")) == []
    for more in ("OUTER => TRUE", "PATH => 'a'", "RECURSIVE => TRUE", "MODE => 'ARRAY'"):
        assert "not emulated" in str(sql.error(of.format(document, f", {more}"))), more


def test_array_agg_leaves_nulls_out_and_is_never_null(sql):
    """https://docs.snowflake.com/en/sql-reference/functions/array_agg."""
    rows = (
        "(SELECT 2 AS n, 'a' AS g UNION ALL SELECT 1, 'a' UNION ALL SELECT NULL, 'b' UNION ALL SELECT 2, 'a')"
    )
    for asked, value in (
        (f"SELECT ARRAY_AGG(n) WITHIN GROUP (ORDER BY n) FROM {rows}", [1, 2, 2]),
        (f"SELECT ARRAY_AGG(DISTINCT n) WITHIN GROUP (ORDER BY n DESC) FROM {rows}", [2, 1]),
        (f"SELECT ARRAY_AGG(n) FROM {rows} WHERE g = 'b'", []),
        (f"SELECT ARRAY_AGG(n) FROM {rows} WHERE g = 'none'", []),
        (f"SELECT ARRAY_SIZE(ARRAY_AGG(OBJECT_CONSTRUCT('n', n))) FROM {rows}", 4),
    ):
        assert json.loads(str(sql.one(asked))) == value, asked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-01-02 03:04:05.123", "2026-01-02 03:04:05.123000"),
        ("2026-01-02 03:04:05.1", "2026-01-02 03:04:05.100000"),
        ("2026-01-02 03:04:05.123456789", "2026-01-02 03:04:05.123456"),
        ("2026-01-02 03:04:05", None),
        ("2026-01-02T03:04:05.123Z", None),
        ("2026-13-02 03:04:05.123", None),
        ("1600000000", None),
    ],
)
def test_a_time_by_its_format(sql, text, shown):
    found = sql.one(f"SELECT TRY_TO_TIMESTAMP_NTZ('{text}', 'YYYY-MM-DD HH24:MI:SS.FF')")
    assert (found and found.strftime("%Y-%m-%d %H:%M:%S.%f")) == shown


def test_a_time_without_a_fraction_has_a_format_of_its_own(sql):
    asked = "SELECT TRY_TO_TIMESTAMP_NTZ('2026-01-02 03:04:05', 'YYYY-MM-DD HH24:MI:SS')"
    assert str(sql.one(asked)) == "2026-01-02 03:04:05"


@pytest.mark.parametrize(
    "expression",
    [
        "TRY_TO_TIMESTAMP_NTZ('2', 'TZHTZM YYYY')",
        "OBJECT_INSERT(PARSE_JSON('{}'), 'a', 'b')",
        "OBJECT_INSERT(PARSE_JSON('{}'), 'a', PARSE_JSON('{}'), TRUE)",
    ],
)
def test_what_is_not_emulated_is_refused(sql, expression):
    assert "not emulated" in str(sql.error(f"SELECT {expression}"))


def test_a_moment_of_utc_becomes_one_of_the_sessions_zone(sql):
    sql("ALTER SESSION SET TIMEZONE = 'America/Los_Angeles'")
    asked = "TO_TIMESTAMP_LTZ(DATE_PART(EPOCH_MICROSECOND, '2026-01-02 03:04:05'::TIMESTAMP_NTZ), 6)"
    assert sql.one(f"SELECT {asked}").isoformat() == "2026-01-01T19:04:05-08:00"


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", 12), ("-7", -7), ("+7", 7), ("1.5", None), ("1e3", None), ("", None), ("x", None)],
)
def test_a_whole_number(sql, text, value):
    assert sql.one(f"SELECT TRY_TO_NUMBER(REGEXP_SUBSTR('{text}', '^[+-]?[0-9]+$'), 38, 0)") == value


def test_differs_a_key_twice(sql):
    assert sql.one("""SELECT TRY_PARSE_JSON('{"k":1,"k":2}', 'd'):k""") == "1"


def test_whole_documents_of_every_size_and_depth_are_read_or_null(sql):
    deep = "[" * 900 + "]" * 900
    for text in ("{", "nul", "", " ", "[1,]x", '{"a":"\\\\u0000"}', deep, '"' + "x" * 1_000_000 + '"'):
        sql(f"SELECT AS_ARRAY(TRY_PARSE_JSON('{text}', 'd'):data)")


def test_show_objects_says_what_is_a_dynamic_or_an_iceberg_table(sql):
    sql.run("CREATE DATABASE D", "CREATE TABLE D.PUBLIC.T (a INT)", "CREATE VIEW D.PUBLIC.V AS SELECT 1 AS a")
    rows = sql.dicts("SHOW OBJECTS IN SCHEMA D.PUBLIC")
    assert [(row["name"], row["kind"], row["is_dynamic"], row["is_iceberg"]) for row in rows] == [
        ("T", "TABLE", "N", "N"), ("V", "VIEW", "N", "N"),
    ]  # fmt: skip
