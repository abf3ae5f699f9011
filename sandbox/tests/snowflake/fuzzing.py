# ruff: noqa: E501 - a table of statements, one a line
"""Statements for the fuzz: a grammar of what people write, and mutations of it. The same seed: the same texts."""

from __future__ import annotations

import random
from collections.abc import Iterator

SETUP = (
    "USE ROLE ACCOUNTADMIN",
    "USE WAREHOUSE SANDBOX_WH",
    "CREATE DATABASE IF NOT EXISTS RAW",
    "CREATE SCHEMA IF NOT EXISTS RAW.S",
    "USE SCHEMA RAW.S",
    "CREATE TABLE IF NOT EXISTS RAW.S.T (A INT, B VARCHAR(20), V VARIANT, TS TIMESTAMP_NTZ, L TIMESTAMP_LTZ, D NUMBER(10,2))",
    "CREATE STORAGE INTEGRATION IF NOT EXISTS I TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
    "STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::111122223333:role/r' STORAGE_ALLOWED_LOCATIONS = ('*')",
    "CREATE STAGE IF NOT EXISTS RAW.S.ST URL = 's3://a/b/' STORAGE_INTEGRATION = I",
    "CREATE FILE FORMAT IF NOT EXISTS RAW.S.F TYPE = CSV",
    "CREATE PIPE IF NOT EXISTS RAW.S.P AS COPY INTO RAW.S.T (A) FROM @RAW.S.ST",
    "CREATE STREAM IF NOT EXISTS RAW.S.SM ON TABLE RAW.S.T",
    "CREATE TASK IF NOT EXISTS RAW.S.TK AS SELECT 1",
)
"""What the statements are about; run again now and then, for they drop it."""

GRAMMAR: dict[str, tuple[str, ...]] = {
    "statement": (
        "{create}", "{create}", "{alter}", "{drop}", "{show}", "{desc}", "{grant}", "{query}", "{query}", "{query}",
        "{change}", "{copy}", "{session}", "{other}",
    ),
    "create": (
        "CREATE{or} TABLE{ine} {newname} ({columns}){comment}",
        "CREATE{or} TRANSIENT TABLE {newname} ({columns})",
        "CREATE{or} TABLE {newname} AS {query}",
        "CREATE{or} VIEW {newname} AS {query}",
        "CREATE{or} STAGE{ine} {newname} {stageoptions}",
        "CREATE{or} FILE FORMAT{ine} {newname} {formatoptions}",
        "CREATE{or} PIPE{ine} {newname} {pipeoptions} AS {copy}",
        "CREATE{or} PIPE {newname} AS ({copy})",
        "CREATE{or} STREAM{ine} {newname} ON TABLE {name} APPEND_ONLY = {bool}",
        "CREATE{or} TASK{ine} {newname} WAREHOUSE = SANDBOX_WH SCHEDULE = '5 MINUTE' WHEN {expression} AS {query}",
        "CREATE{or} SCHEMA{ine} {newname} WITH MANAGED ACCESS",
        "CREATE{or} DATABASE{ine} {word} DATA_RETENTION_TIME_IN_DAYS = {number}{comment}",
        "CREATE{or} ROLE{ine} {word}{comment}",
        "CREATE{or} WAREHOUSE{ine} {word} WITH WAREHOUSE_SIZE = {string} AUTO_SUSPEND = {number}",
        "CREATE{or} STORAGE INTEGRATION{ine} {word} TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = {string} ENABLED = {bool} "
        "STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::111122223333:role/r' STORAGE_ALLOWED_LOCATIONS = ({string})",
        "CREATE{or} NOTIFICATION INTEGRATION {word} ENABLED = TRUE TYPE = QUEUE DIRECTION = OUTBOUND "
        "NOTIFICATION_PROVIDER = AWS_SNS AWS_SNS_TOPIC_ARN = {string} AWS_SNS_ROLE_ARN = {string}",
        "CREATE{or} SEQUENCE {newname}", "CREATE FUNCTION {word}() RETURNS INT AS '1'", "CREATE USER {word}",
    ),
    "alter": (
        "ALTER PIPE {name} SET PIPE_EXECUTION_PAUSED = {bool}", "ALTER PIPE {name} REFRESH PREFIX = {string}",
        "ALTER PIPE {name} SET COMMENT = {string}", "ALTER PIPE {name} UNSET COMMENT, ERROR_INTEGRATION",
        "ALTER STAGE {name} SET {stageoptions}", "ALTER STAGE {name} RENAME TO {newname}",
        "ALTER TABLE {name} ADD COLUMN {column}", "ALTER TABLE {name} DROP COLUMN {word}",
        "ALTER TABLE {name} RENAME TO {newname}", "ALTER TABLE {name} ALTER COLUMN {word} SET DATA TYPE {type}",
        "ALTER FILE FORMAT {name} SET {formatoptions}", "ALTER SCHEMA {name} ENABLE MANAGED ACCESS",
        "ALTER TASK {name} RESUME", "ALTER TASK {name} SET SCHEDULE = {string}", "ALTER STREAM {name} SET COMMENT = {string}",
        "ALTER STORAGE INTEGRATION I SET ENABLED = {bool} TAG {word} = {string}", "ALTER SESSION SET {word} = {string}",
        "ALTER SESSION SET QUERY_TAG = {string}", "ALTER ACCOUNT SET {word} = {number}", "ALTER ROLE {word} SET COMMENT = {string}",
        "ALTER WAREHOUSE SANDBOX_WH SET AUTO_SUSPEND = {number}", "ALTER DATABASE RAW SET COMMENT = {string}",
    ),
    "drop": ("DROP {kind} IF EXISTS {newname}", "DROP {kind} {newname}", "DROP {kind} IDENTIFIER({string})", "UNDROP TABLE {name}"),
    "show": (
        "SHOW {plural} LIKE {string} IN {scope} STARTS WITH {string} LIMIT {number}", "SHOW {plural}", "SHOW TERSE {plural}",
        "SHOW {plural} IN {scope} ->> SELECT * FROM $1", "SHOW GRANTS ON {kind} {name}", "SHOW GRANTS TO ROLE {word}",
        "SHOW PARAMETERS LIKE {string} IN {scope}", "SHOW FUTURE GRANTS IN SCHEMA {name}",
    ),
    "scope": ("ACCOUNT", "DATABASE RAW", "SCHEMA RAW.S", "RAW.S", "DATABASE", "{name}"),
    "desc": ("DESC {kind} {name}", "DESCRIBE {kind} {name}", "DESC INTEGRATION I", "DESC TABLE {name} TYPE = COLUMNS"),
    "grant": (
        "GRANT {privilege} ON {kind} {name} TO ROLE {role}", "GRANT {privilege} ON {name} TO {role}",
        "GRANT {privilege}, {privilege} ON ALL {plural} IN SCHEMA RAW.S TO ROLE {role}",
        "GRANT {privilege} ON FUTURE {plural} IN DATABASE RAW TO ROLE {role}", "GRANT {privilege} ON ACCOUNT TO ROLE {role}",
        "REVOKE {privilege} ON {kind} {name} FROM ROLE {role}", "GRANT ROLE {role} TO ROLE {role}",
        "GRANT OWNERSHIP ON {kind} {name} TO ROLE ACCOUNTADMIN COPY CURRENT GRANTS",
    ),
    "query": (
        "SELECT {items} FROM RAW.S.T{where}", "SELECT {expression}", "SELECT {items} FROM {name} AS X{where} ORDER BY {number}",
        "WITH C AS (SELECT {items} FROM RAW.S.T) SELECT * FROM C", "SELECT {word}, COUNT(*) FROM T GROUP BY {word} HAVING {expression}",
        "SELECT $1, $2::{type}, METADATA$FILENAME FROM @{name} (FILE_FORMAT => {name}, PATTERN => {string})",
        "SELECT * FROM TABLE(FLATTEN(INPUT => {expression}))", "SELECT * FROM RAW.INFORMATION_SCHEMA.{view}",
        "SELECT * FROM TABLE(RAW.INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => {string}, START_TIME => DATEADD(HOUR, -1, CURRENT_TIMESTAMP())))",
        "SELECT SYSTEM$PIPE_STATUS({string})", "SELECT * FROM SNOWFLAKE.ACCOUNT_USAGE.{view}",
        "SELECT {items} FROM T JOIN T U ON T.A = U.A{where} LIMIT {number}", "SELECT * FROM VALUES ({expression}, {expression})",
        "SELECT {items} FROM T QUALIFY ROW_NUMBER() OVER (PARTITION BY A ORDER BY B) = 1", "VALUES ({expression})",
        "SELECT {items} FROM T UNION ALL SELECT {items} FROM T", "SELECT * EXCLUDE (A) FROM T", "SELECT T.A, RAW.S.T.B FROM RAW.S.T",
    ),
    "change": (
        "INSERT INTO T (A, B) VALUES ({expression}, {expression})", "INSERT INTO {name} SELECT {items} FROM T", "DELETE FROM T{where}",
        "UPDATE T SET {word} = {expression}{where}", "TRUNCATE TABLE {name}", "INSERT OVERWRITE INTO T SELECT * FROM T",
        "MERGE INTO T USING T U ON T.A = U.A WHEN MATCHED THEN UPDATE SET T.B = {expression} "
        "WHEN NOT MATCHED THEN INSERT (T.A, T.B) VALUES ({expression}, U.B)",
    ),
    "copy": (
        "COPY INTO {name} FROM @{name}{path} {copyoptions}", "COPY INTO T (A) FROM (SELECT {fields} FROM @ST{path}) {copyoptions}",
        "COPY INTO T FROM @ST (FILE_FORMAT => F, PATTERN => {string}) {copyoptions}", "COPY INTO T FROM '@RAW.S.ST{path}' {copyoptions}",
        "COPY INTO T FROM @ST MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE INCLUDE_METADATA = (B = METADATA$FILENAME) FILE_FORMAT = (TYPE = JSON)",
        "COPY INTO @ST FROM T", "LIST @ST{path} PATTERN = {string}",
    ),
    "fields": ("$1", "$1::{type}", "$1:a.b::{type}", "PARSE_JSON($1):a", "METADATA$FILENAME", "{function}", "NULLIF($1, {string})"),
    "path": ("", "", "/x/", "/a b", "/x-y=1/z.gz"),
    "copyoptions": ("", "ON_ERROR = CONTINUE", "FILE_FORMAT = ({formatoptions})", "FILE_FORMAT = {name}", "PATTERN = {string}", "FORCE = {bool}, PURGE = {bool}", "FILES = ({string})", "VALIDATION_MODE = RETURN_ERRORS"),
    "session": ("USE ROLE {role}", "USE SCHEMA {name}", "USE DATABASE RAW", "USE WAREHOUSE {word}", "BEGIN", "COMMIT", "ROLLBACK", "USE SECONDARY ROLES {word}", "SET X = {expression}"),
    "other": ("CALL {word}({expression})", "EXECUTE TASK {name}", "COMMENT ON TABLE T IS {string}", "PUT file://x @ST", "EXPLAIN {query}", "{word} {word} {word}", "EXECUTE IMMEDIATE {string}", "DECLARE X INT; BEGIN RETURN 1; END", "REMOVE @ST", "GET @ST file://x", "LS @ST"),
    "items": ("*", "{expression}", "{expression} AS {word}, {expression}", "COUNT(*), {expression}", "T.*, {expression}"),
    "where": ("", "", " WHERE {expression}", " WHERE A = {number} AND B LIKE {string}", " WHERE A IN ({expression}, {expression})"),
    "expression": (
        "{word}", "{number}", "{string}", "{function}", "{function}", "{expression} {operator} {expression}", "V:a.b[0]::{type}", "{word}::{type}",
        "CAST({expression} AS {type})", "TRY_CAST({expression} AS {type})", "CASE WHEN {expression} THEN {expression} ELSE {expression} END",
        "NULL", "({expression})", "A BETWEEN {number} AND {number}", "TS > {string}", "{expression} IS NOT NULL", "-{expression}", "NOT {expression}",
    ),
    "function": (
        "UPPER({expression})", "TO_VARCHAR({expression}, {string})", "TO_TIMESTAMP_NTZ({expression})", "TRY_TO_DATE({expression}, {string})",
        "DATEADD(DAY, {number}, {expression})", "DATEDIFF('hour', {expression}, {expression})", "PARSE_JSON({expression})", "TYPEOF({expression})",
        "COALESCE({expression}, {expression})", "NVL({expression}, {expression})", "IFF({expression}, {expression}, {expression})", "SPLIT_PART({expression}, '/', {number})",
        "REGEXP_REPLACE({expression}, {string}, {string})", "REGEXP_SUBSTR({expression}, {string}, 1, 1, 'e')", "ARRAY_CONSTRUCT({expression})", "OBJECT_CONSTRUCT({string}, {expression})",
        "CURRENT_TIMESTAMP()", "CONVERT_TIMEZONE('UTC', {expression})", "SUM({expression})", "MAX({expression})", "TO_NUMBER({expression}, 10, 2)", "TO_BINARY({expression})",
        "LENGTH({expression})", "CONCAT({expression}, {expression})", "MD5({expression})", "DATE_TRUNC('day', {expression})", "{word}({expression})", "GET({expression}, {expression})",
        "ARRAY_SIZE({expression})", "TRIM({expression})", "TO_JSON({expression})", "EQUAL_NULL({expression}, {expression})", "ROUND({expression}, {number})", "SYSTEM$TYPEOF({expression})",
        "LISTAGG({expression}, ',')", "ROW_NUMBER() OVER (ORDER BY {expression})", "GREATEST({expression}, {expression})", "CHARINDEX({string}, {expression})", "HASH({expression})",
        "TO_DATE({expression})", "LAST_QUERY_ID()", "GET_DDL({string}, {string})", "UUID_STRING()", "RANDOM()", "ABS({expression})", "DECODE({expression}, {expression}, {expression})",
    ),
    "operator": ("+", "-", "*", "/", "%", "||", "=", "<>", "<", "AND", "OR", "LIKE", "RLIKE", "IS DISTINCT FROM"),
    "columns": ("{column}", "{column}, {column}", "{column}, {column}, PRIMARY KEY (A)"),
    "column": ("{word} {type}", "{word} {type} NOT NULL", "{word} {type} DEFAULT {expression}", "{word} INT AUTOINCREMENT", "{word} INT IDENTITY (1, 2) COMMENT {string}", "{word} {type} UNIQUE"),
    "type": ("INT", "VARCHAR", "VARCHAR({number})", "NUMBER(10,2)", "FLOAT", "BOOLEAN", "DATE", "TIME", "TIMESTAMP", "TIMESTAMP_TZ", "TIMESTAMP_LTZ(3)", "VARIANT", "ARRAY", "OBJECT", "BINARY", "STRING", "GEOGRAPHY", "VECTOR(FLOAT, 3)", "MAP(INT, INT)"),
    "stageoptions": ("URL = 's3://a/b/' STORAGE_INTEGRATION = I", "URL = \"s3://a/b\", STORAGE_INTEGRATION = I, FILE_FORMAT = {name}", "STORAGE_INTEGRATION = I URL = ('s3://a/') FILE_FORMAT = ({formatoptions})", "URL = {string}", "COMMENT = {string}", "DIRECTORY = (ENABLE = {bool})"),
    "formatoptions": ("TYPE = CSV", "TYPE = JSON STRIP_OUTER_ARRAY = {bool}", "TYPE = {string}, FIELD_DELIMITER = \"|\" SKIP_HEADER = {number}", "TYPE = CSV NULL_IF = ({string}, {string}) COMPRESSION = {word}", "TYPE = PARQUET", "FORMAT_NAME = {name}", "TYPE = CSV FIELD_OPTIONALLY_ENCLOSED_BY = {string} ESCAPE = {string}"),
    "pipeoptions": ("", "AUTO_INGEST = FALSE", "COMMENT = {string}", "ERROR_INTEGRATION = {word}", "AWS_SNS_TOPIC = {string}", "INTEGRATION = {string}"),
    "or": ("", "", " OR REPLACE", " OR ALTER"),
    "ine": ("", "", " IF NOT EXISTS"),
    "comment": ("", " COMMENT = {string}", " COMMENT = \"c\""),
    "bool": ("TRUE", "FALSE", "true", "'true'"),
    "number": ("0", "1", "2", "10", "38", "1.5", "1e3", "99999999999", "-1"),
    "string": ("''", "'a'", "'1'", "'2026-01-01'", "'YYYY-MM-DD'", "'{{\"a\": 1}}'", "'%a%'", "'RAW.S.T'", "'it''s'", "'\\\\d+'", "'s3://a/b/'", "$$x$$", "'€'", "'('"),
    "word": ("A", "B", "V", "TS", "L", "D", "X", "T", "\"a b\"", "\"A\"", "DEFAULT", "Ü", "ORDER"),
    "name": ("T", "RAW.S.T", "S.T", "ST", "RAW.S.ST", "F", "P", "RAW.S.P", "SM", "TK", "NOPE", "RAW.S.\"t\"", "IDENTIFIER('RAW.S.T')", "S", "RAW.S", "V1"),
    "newname": ("N1", "RAW.S.N2", "S.N3", "\"n 4\"", "V1", "T", "IDENTIFIER('N5')"),
    "kind": ("TABLE", "VIEW", "STAGE", "PIPE", "FILE FORMAT", "SCHEMA", "STREAM", "TASK", "SEQUENCE", "FUNCTION", "INTEGRATION", "ROLE"),
    "plural": ("TABLES", "VIEWS", "STAGES", "PIPES", "FILE FORMATS", "SCHEMAS", "STREAMS", "TASKS", "DATABASES", "ROLES", "WAREHOUSES", "INTEGRATIONS", "USERS", "OBJECTS", "COLUMNS"),
    "privilege": ("SELECT", "INSERT", "USAGE", "OWNERSHIP", "ALL", "ALL PRIVILEGES", "READ", "OPERATE", "MONITOR", "CREATE TABLE", "CREATE TASK", "APPLY TAG", "MODIFY LOG EVENT LEVEL", "EXECUTE TASK"),
    "role": ("PUBLIC", "SYSADMIN", "ACCOUNTADMIN", "NOROLE"),
    "view": ("TABLES", "COLUMNS", "SCHEMATA", "PIPES", "STAGES", "COPY_HISTORY", "LOAD_HISTORY", "VIEWS", "DATABASES"),
}  # fmt: skip

NOISE = (
    "(",
    ")",
    ",",
    ";",
    ".",
    "::",
    "->>",
    "$1",
    "@",
    "'",
    '"',
    "/*",
    "--",
    "NULL",
    "SELECT",
    "=",
    "=>",
    "\n",
    "TAG",
    "AS",
    "\\",
    "?",
    ":x",
    "[",
    "{",
    "\x00",
    "🎉",
)


def statements(seed: int, count: int) -> Iterator[str]:
    """``count`` statements of one seed: two of three as the grammar gives them, the others mutated."""
    dice = random.Random(seed)
    for number in range(count):
        text = written(dice, "statement")
        yield mutated(dice, text) if number % 3 == 2 else text


def written(dice: random.Random, symbol: str, depth: int = 0) -> str:
    """One text for a symbol of the grammar; deep inside only the shorter half of the choices."""
    choices = GRAMMAR[symbol]
    if depth > 5 and symbol in ("expression", "function", "query"):
        return dice.choice(("1", "A", "'x'", "NULL")) if symbol != "query" else "SELECT 1"
    template = dice.choice(choices)
    made, rest = "", template
    while rest:
        before, brace, rest = rest.partition("{")
        made += before
        if not brace:
            break
        if rest.startswith("{"):
            made, rest = made + "{", rest[1:]
            continue
        inner, _, rest = rest.partition("}")
        made += written(dice, inner, depth + 1)
    return made.replace("}}", "}")


def mutated(dice: random.Random, text: str) -> str:
    """The text with one to three things about it changed."""
    for _ in range(dice.randint(1, 3)):
        words = text.split(" ")
        at = dice.randrange(len(words))
        what = dice.randrange(7)
        if what == 0:
            del words[at]
        elif what == 1:
            words.insert(at, dice.choice(words))
        elif what == 2:
            words[at] = dice.choice(NOISE)
        elif what == 3:
            words.insert(at, dice.choice(("/* c */", "-- c\n", "// c\n", dice.choice(NOISE))))
        elif what == 4:
            words[at] = words[at].swapcase()
        elif what == 5:
            text = " ".join(words)
            cut = dice.randrange(len(text) + 1)
            words = [text[:cut]]
        else:
            words[at] = f'"{words[at]}"'
        text = " ".join(words)
    return text
