"""Objects that stand beside a pipe in most installations: created, shown, described, dropped."""

from typing import Any

import pytest

SNS = (
    "ENABLED = TRUE TYPE = QUEUE DIRECTION = OUTBOUND NOTIFICATION_PROVIDER = AWS_SNS "
    "AWS_SNS_TOPIC_ARN = 'arn:aws:sns:us-west-2:111122223333:t' "
    "AWS_SNS_ROLE_ARN = 'arn:aws:iam::111122223333:role/r'"
)


@pytest.fixture
def t(sql: Any) -> Any:
    sql.run(
        "CREATE DATABASE RAW",
        "CREATE SCHEMA S",
        "CREATE TABLE T (A INT, B VARCHAR)",
        "CREATE STORAGE INTEGRATION I TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
        "STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::111122223333:role/r' STORAGE_ALLOWED_LOCATIONS = ('*')",
        "CREATE STAGE ST URL = 's3://b/in/' STORAGE_INTEGRATION = I",
    )
    return sql


def test_streams(t: Any) -> None:
    t("CREATE STREAM SM ON TABLE T APPEND_ONLY = TRUE COMMENT = 'c'")
    (row,) = t.dicts("SHOW STREAMS IN SCHEMA RAW.S")
    assert (row["table_name"], row["mode"], row["stale"]) == ("RAW.S.T", "APPEND_ONLY", "false")
    assert t.dicts("DESC STREAM SM") == [row]
    assert t("SELECT * FROM SM") == []
    t("CREATE OR REPLACE TABLE T (A INT)")
    assert t.dicts("SHOW STREAMS")[0]["stale"] == "true"
    assert t.errno("CREATE STREAM X ON TABLE NOPE") == 2003
    t("DROP STREAM SM")
    assert t.dicts("SHOW STREAMS") == []
    assert t.errno("DESC STREAM SM") == 2003


def test_tasks_never_run(t: Any) -> None:
    t("CREATE TASK TK WAREHOUSE = SANDBOX_WH SCHEDULE = '1 MINUTE' AS INSERT INTO T (A) VALUES (1)")
    t("CREATE TASK TK2 AFTER TK AS SELECT 1")
    t("ALTER TASK TK RESUME")
    first, second = t.dicts("SHOW TASKS")
    assert (first["state"], first["warehouse"], first["definition"]) == (
        "started",
        "SANDBOX_WH",
        "INSERT INTO T (A) VALUES (1)",
    )
    assert (second["state"], second["predecessors"]) == ("suspended", '["RAW.S.TK"]')
    assert t("SELECT * FROM T") == []
    assert t.errno("EXECUTE TASK TK") == 2
    assert t.errno("CREATE TASK X WAREHOUSE = NOPE AS SELECT 1") == 2003
    t.run("ALTER TASK TK SUSPEND", "DROP TASK TK2", "DROP TASK TK")
    assert t.dicts("SHOW TASKS") == []


def test_an_error_integration_is_one_that_is_there(t: Any) -> None:
    create = "CREATE PIPE P ERROR_INTEGRATION = N AS COPY INTO T FROM @ST"
    assert t.errno(create) == 2003
    t(f"CREATE NOTIFICATION INTEGRATION N {SNS}")
    t(create)
    assert t.dicts("SHOW PIPES")[0]["error_integration"] == "N"
    described = {row[0]: row[2] for row in t("DESC NOTIFICATION INTEGRATION N")}
    assert described["AWS_SNS_TOPIC_ARN"].endswith(":t")
    assert described["SF_AWS_EXTERNAL_ID"]
    shown = {row["name"]: row["category"] for row in t.dicts("SHOW INTEGRATIONS")}
    assert shown == {"I": "STORAGE", "N": "NOTIFICATION"}
    assert [row["name"] for row in t.dicts("SHOW STORAGE INTEGRATIONS")] == ["I"]
    t(f"CREATE NOTIFICATION INTEGRATION N2 {SNS}")
    assert "Unset it first" in str(t.error("ALTER PIPE P SET ERROR_INTEGRATION = N2"))
    t.run("ALTER PIPE P UNSET ERROR_INTEGRATION", "ALTER PIPE P SET ERROR_INTEGRATION = N2")
    t("DROP INTEGRATION N")
    assert t.errno("DESC INTEGRATION N") == 2003


def test_an_autoincrement_column_counts_by_itself(t: Any) -> None:
    t(
        "CREATE TABLE C (K INT AUTOINCREMENT START 5 INCREMENT 2 ORDER, I INT IDENTITY, "
        "V VARCHAR DEFAULT 'd', N INT)"
    )
    t("INSERT INTO C (N) VALUES (1), (2)")
    assert t("SELECT * FROM C ORDER BY N") == [(5, 1, "d", 1), (7, 2, "d", 2)]
    defaults = {row[0]: row[4] for row in t("DESC TABLE C")}
    assert defaults["K"] == "IDENTITY START 5 INCREMENT 2 ORDER"
    assert defaults["I"] == "IDENTITY START 1 INCREMENT 1 NOORDER"
    flags = "SELECT COLUMN_NAME, IS_IDENTITY FROM RAW.INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'C'"
    assert dict(t(flags)) == {"K": "YES", "I": "YES", "V": "NO", "N": "NO"}
    t("CREATE OR REPLACE TABLE C (K INT AUTOINCREMENT, N INT)")
    t("INSERT INTO C (N) VALUES (1)")
    assert t("SELECT K FROM C") == [(1,)]
    assert t.errno("CREATE TABLE D CLONE C") == 2


def test_semi_structured_and_zoned_columns(t: Any) -> None:
    t("CREATE TABLE X (A ARRAY, O OBJECT, Z TIMESTAMP_TZ, L TIMESTAMP_LTZ)")
    assert [row[1] for row in t("DESC TABLE X")] == ["ARRAY", "OBJECT", "TIMESTAMP_TZ(9)", "TIMESTAMP_LTZ(9)"]
    t(
        "INSERT INTO X SELECT ARRAY_CONSTRUCT(1), OBJECT_CONSTRUCT('a', 1), "
        "'2026-01-01 00:00:00 +02:00'::TIMESTAMP_TZ, NULL"
    )
    ((array, document, moment),) = t("SELECT A, O, CONVERT_TIMEZONE('UTC', Z)::VARCHAR FROM X")
    assert (array, document) == ("[\n  1\n]", '{\n  "a": 1\n}')
    assert str(moment).startswith("2025-12-31 22:00:00")


def test_in_a_schema_with_managed_access_only_its_owner_grants(t: Any, session_of: Any) -> None:
    t.run(
        "CREATE TRANSIENT SCHEMA RAW.M WITH MANAGED ACCESS",
        "CREATE ROLE MAKER",
        "GRANT ROLE MAKER TO USER " + t.one("SELECT CURRENT_USER()"),
        "GRANT USAGE ON DATABASE RAW TO ROLE MAKER",
        "GRANT USAGE, CREATE TABLE ON SCHEMA RAW.M TO ROLE MAKER",
    )
    (row,) = t.dicts("SHOW SCHEMAS LIKE 'M' IN DATABASE RAW")
    assert row["options"] == "TRANSIENT, MANAGED ACCESS"
    maker = session_of(role="MAKER")
    maker("CREATE TABLE RAW.M.MINE (A INT)")
    assert maker.errno("GRANT SELECT ON TABLE RAW.M.MINE TO ROLE PUBLIC") == 3001
    t("ALTER SCHEMA RAW.M DISABLE MANAGED ACCESS")
    maker("GRANT SELECT ON TABLE RAW.M.MINE TO ROLE PUBLIC")


def test_a_stages_own_keys_are_tried_when_its_bucket_is(t: Any, tenant: Any) -> None:
    keys = "CREDENTIALS = (AWS_KEY_ID = 'AKIANOBODY' AWS_SECRET_KEY = 'very-secret')"
    t(f"CREATE STAGE K URL = 's3://{tenant.bucket}' {keys} FILE_FORMAT = (TYPE = CSV)")
    assert t.errno("LIST @K") == 91003
    row = next(row for row in t.dicts("SHOW STAGES") if row["name"] == "K")
    assert (row["has_credentials"], row["storage_integration"]) == ("Y", None)
    user = tenant.boto3("iam")
    user.create_user(UserName="reader")
    allowed = '{"Effect":"Allow","Action":["s3:Get*","s3:List*"],"Resource":"*"}'
    read = '{"Version":"2012-10-17","Statement":[' + allowed + "]}"
    user.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=read)
    made = user.create_access_key(UserName="reader")["AccessKey"]
    tenant.boto3("s3").put_object(Bucket=tenant.bucket, Key="a.csv", Body=b"1,x\n")
    good = f"(AWS_KEY_ID = '{made['AccessKeyId']}' AWS_SECRET_KEY = '{made['SecretAccessKey']}')"
    t(f"ALTER STAGE K SET CREDENTIALS = {good}")
    assert [row[0] for row in t("LIST @K")] == [f"s3://{tenant.bucket}/a.csv"]
    t("COPY INTO T FROM @K")
    assert t("SELECT * FROM T") == [(1, "x")]
    logged = str(tenant.requests())
    assert "AKIANOBODY" in logged
    assert "very-secret" not in logged
    assert made["SecretAccessKey"] not in logged


def test_users_are_there_by_name(t: Any) -> None:
    """https://docs.snowflake.com/en/sql-reference/sql/create-user."""
    t("CREATE USER IF NOT EXISTS loader_user PASSWORD = 'x' DEFAULT_ROLE = LOADER DEFAULT_WAREHOUSE = WH "
      "MUST_CHANGE_PASSWORD = FALSE COMMENT = 'loads'")  # fmt: skip
    t("CREATE ROLE loader")
    t("GRANT ROLE loader TO USER loader_user")
    t("ALTER USER loader_user SET RSA_PUBLIC_KEY = 'MIIB' DEFAULT_NAMESPACE = RAW.S")
    (shown,) = t.dicts("SHOW USERS LIKE 'LOADER%'")
    assert (shown["name"], shown["default_role"], shown["comment"]) == ("LOADER_USER", "LOADER", "loads")
    assert (shown["has_rsa_public_key"], shown["has_password"]) == ("true", "true")
    assert "x" not in shown.values()
    t("DROP USER loader_user")
    assert t("SHOW USERS LIKE 'LOADER%'") == []
    t("DROP USER IF EXISTS loader_user")


def test_comment_on(t: Any) -> None:
    """https://docs.snowflake.com/en/sql-reference/sql/comment."""
    t("CREATE SCHEMA IF NOT EXISTS RAW.S")
    t("CREATE TABLE RAW.S.C (A INT)")
    t("COMMENT ON TABLE RAW.S.C IS 'it''s a table'")
    t("COMMENT IF EXISTS ON PIPE RAW.S.NOPE IS 'x'")
    (row,) = t("SHOW TABLES LIKE 'C' IN SCHEMA RAW.S")
    assert "it's a table" in row


def test_session_variables(t: Any) -> None:
    """https://docs.snowflake.com/en/sql-reference/session-variables."""
    t("SET who = 'ANALYST'")
    t("SET (n, text) = (1 + 1, 'it''s')")
    t("CREATE ROLE IDENTIFIER($who)")
    assert t("SELECT $n * 2, $text, '$n' -- $nobody") == [(4, "it's", "$n")]
    t("UNSET n")
    with pytest.raises(Exception, match=r"Session variable '\$N' does not exist"):
        t("SELECT $n")


def test_an_internal_stage_is_there_and_its_files_are_not(t: Any) -> None:
    t("CREATE STAGE IT FILE_FORMAT = (TYPE = CSV)")
    row = next(row for row in t.dicts("SHOW STAGES") if row["name"] == "IT")
    assert (row["type"], row["url"], row["cloud"]) == ("INTERNAL", "", None)
    for refused in ("LIST @IT", "COPY INTO T FROM @IT", "CREATE PIPE IP AS COPY INTO T FROM @IT"):
        assert t.errno(refused) == 2
    t("DROP STAGE IT")
