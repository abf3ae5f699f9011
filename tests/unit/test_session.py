"""The one module that talks to the clouds: reads that only read, and errors by their kind."""

# ruff: noqa: E501 (a table has one row a line)

import inspect

import pytest
from botocore import exceptions as aws_errors
from snowflake.connector import errors as snowflake_errors

from runbook.clouds.calls import call_aws, run_sql, translated_aws, translated_sql
from runbook.clouds.connections import Clouds
from runbook.clouds.failures import AwsFailed, SqlFailed
from runbook.clouds.reader import Reader, not_ours
from runbook.clouds.writer import Writer
from runbook.errors import CannotTell, SettingsWrong


class NoClouds(Clouds):
    """Clouds that nobody may reach."""

    def __init__(self, settings):
        super().__init__(settings, run_id="r", command="plan")

    def aws(self, service):
        raise AssertionError("AWS was reached")

    def snowflake(self, purpose):
        raise AssertionError("Snowflake was reached")


@pytest.mark.parametrize(
    "operation",
    ["CreateRole", "PutBucketNotificationConfiguration", "DeletePolicyVersion", "TagRole", "AttachRolePolicy", "UpdateAssumeRolePolicy"],
)  # fmt: skip
def test_a_reader_makes_no_writing_call(settings, operation):
    with pytest.raises(AssertionError, match="is not a read"):
        Reader(NoClouds(settings)).aws("iam", operation)


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE x (a INT)", "ALTER PIPE p REFRESH", " drop table x", "COPY INTO t FROM @s", "USE ROLE r", "INSERT INTO t SELECT 1", "CALL p()", "EXECUTE IMMEDIATE 'x'", ""],
)  # fmt: skip
def test_a_reader_runs_no_writing_statement(settings, statement):
    with pytest.raises(AssertionError, match="not a read"):
        Reader(NoClouds(settings)).sql(statement)


@pytest.mark.parametrize("statement", ["SELECT 1", "  show pipes", "DESC TABLE x", "LIST @s", "ls @s"])
def test_what_reads_reaches_the_cloud(settings, statement):
    with pytest.raises(AssertionError, match="Snowflake was reached"):
        Reader(NoClouds(settings)).sql(statement)


def test_a_reader_has_no_verb_that_writes():
    verbs = {name for name, _ in inspect.getmembers(Reader, inspect.isfunction) if not name.startswith("_")}
    reads = {"again", "asked", "aws", "aws_pages", "batches", "kept", "side_by_side", "sql"}
    assert verbs == {*reads, "confirm", "sign_in_to_snowflake", "waited_for"}
    assert {
        name for name, _ in inspect.getmembers(Writer, inspect.isfunction) if not name.startswith("_")
    } == {"answer", "aws", "sql"}


def refused(code="NoSuchEntity", **more):
    response = {
        "Error": {"Code": code, "Message": "said\n AWS", **more},
        "ResponseMetadata": {"RequestId": "r1"},
    }
    return aws_errors.ClientError(response, "GetRole")


def test_a_refusal_of_aws_keeps_code_text_details_and_request():
    with pytest.raises(AwsFailed) as failed:
        with translated_aws("s3", "PutX"):
            raise refused("InvalidArgument", ArgumentName1="arn:q", ArgumentValue1="does not exist")
    error = failed.value
    assert (error.service, error.operation, error.code, error.request_id) == (
        "s3",
        "PutX",
        "InvalidArgument",
        "r1",
    )
    assert str(error) == "InvalidArgument: said AWS; ArgumentName1=arn:q; ArgumentValue1=does not exist"


@pytest.mark.parametrize(
    ("code", "absent", "denied"),
    [
        ("NoSuchEntity", True, False),
        ("NoSuchBucket", True, False),
        ("404", True, False),
        ("AccessDenied", False, True),
        ("403", False, True),
        ("Throttling", False, False),
        ("InternalError", False, False),
    ],
)
def test_absent_denied_and_broken_are_different(code, absent, denied):
    with pytest.raises(AwsFailed) as failed:
        with translated_aws("iam", "GetRole"):
            raise refused(code)
    assert (failed.value.is_absence, failed.value.is_denied) == (absent, denied)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (aws_errors.NoCredentialsError(), "There are no AWS credentials"),
        (aws_errors.PartialCredentialsError(provider="env", cred_var="x"), "There are no AWS credentials"),
        (
            aws_errors.EndpointConnectionError(endpoint_url="http://x"),
            "AWS cannot be reached for iam:GetRole",
        ),
        (aws_errors.ReadTimeoutError(endpoint_url="http://x"), "AWS cannot be reached for iam:GetRole"),
    ],
)
def test_out_of_reach_cannot_be_told(error, said):
    with pytest.raises(CannotTell, match=said):
        with translated_aws("iam", "GetRole"):
            raise error


def test_a_mistake_of_ours_is_not_called_the_clouds():
    for translated in (translated_aws("iam", "GetRole"), translated_sql("SELECT 1")):
        with pytest.raises(ZeroDivisionError):
            with translated:
                raise ZeroDivisionError


def test_a_call_goes_by_its_api_name():
    class Client:
        def get_bucket_notification_configuration(self, **parameters):
            return parameters

    answer = call_aws(Client(), "s3", "GetBucketNotificationConfiguration", {"Bucket": "b"})
    assert answer == {"Bucket": "b"}


@pytest.mark.parametrize("kind", [snowflake_errors.ProgrammingError, snowflake_errors.DatabaseError])
def test_a_refusal_of_snowflake_keeps_number_text_query_and_statement(kind):
    with pytest.raises(SqlFailed) as failed:
        with translated_sql("DESC TABLE x"):
            raise kind(msg="Object 'X'\n does not exist", errno=2003, sfqid="q1")
    error = failed.value
    assert (error.errno, error.query_id, error.sql) == (2003, "q1", "DESC TABLE x")
    assert str(error) == "002003: Object 'X' does not exist"


@pytest.mark.parametrize(
    "error",
    [
        snowflake_errors.OperationalError(msg="no network", errno=250001),
        snowflake_errors.InterfaceError(msg="closed", errno=252005),
        snowflake_errors.ProgrammingError(msg="binding", errno=252004),
        snowflake_errors.OperationalError(msg="HTTP request failed after retries", errno=4),
        ConnectionResetError("reset"),
    ],
)
def test_snowflake_out_of_reach_cannot_be_told(error):
    with pytest.raises(CannotTell, match="Snowflake cannot be reached"):
        with translated_sql("SELECT 1"):
            raise error


class Cursor:
    """A cursor with one row, as the connector gives it."""

    def __init__(self, names, rows):
        self.description = [type("Column", (), {"name": name}) for name in names]
        self.rows = rows
        self.executed = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def cursor(self):
        return self

    def execute(self, statement, binds):
        self.executed.append((statement, binds))

    def fetchall(self):
        return self.rows


def test_rows_are_dictionaries_with_keys_in_lower_case():
    connection = Cursor(["NAME", "created_on"], [("a", 1), ("b", 2)])
    assert run_sql(connection, "SHOW PIPES") == [
        {"name": "a", "created_on": 1},
        {"name": "b", "created_on": 2},
    ]
    assert connection.executed == [("SHOW PIPES", None)]


# ---- who we are


class Answers(Reader):
    """A reader whose two identity questions are answered."""

    def __init__(self, settings, caller, row):
        super().__init__(NoClouds(settings))
        self.caller, self.row = caller, row

    def aws(self, service, operation, **parameters):
        if isinstance(self.caller, Exception):
            raise self.caller
        return self.caller

    def sql(self, statement, binds=None):
        return [self.row]


def caller(account="111122223333", arn="arn:aws:iam::111122223333:user/me"):
    return {"Account": account, "Arn": arn}


def snowflake_row(locator="AB12345", organization="ACME", account_name="SANDBOX"):
    return {"locator": locator, "organization": organization, "account_name": account_name, "user_name": "ME",
            "role_name": "ACCOUNTADMIN", "is_admin": True, "is_owner": True}  # fmt: skip


@pytest.mark.parametrize("pinned", ["AB12345", "ab12345", "ACME-SANDBOX1", "acme-sandbox1"])
def test_the_pinned_account_is_the_locator_or_organization_and_name(settings, pinned):
    changed = settings.model_copy(
        update={"snowflake": settings.snowflake.model_copy(update={"account": pinned})}
    )
    found = Answers(changed, caller(), snowflake_row(account_name="SANDBOX1")).confirm()
    assert (found.aws, found.snowflake) == ("arn:aws:iam::111122223333:user/me", "ME@AB12345")


@pytest.mark.parametrize(
    ("who", "row", "said"),
    [
        (caller(account="999999999999"), snowflake_row("SANDBOX", "SANDBOXORG"), "belong to account 999999999999, the settings pin 111122223333"),
        (caller(arn="arn:aws:iam::111122223333:root"), snowflake_row("SANDBOX", "SANDBOXORG"), "root user"),
        (caller(), snowflake_row("OTHER"), "goes to ACME-SANDBOX / OTHER, the settings pin "),
    ],
)  # fmt: skip
def test_another_account_is_refused_before_anything(settings, who, row, said):
    with pytest.raises(SettingsWrong, match=said):
        Answers(settings, who, row).confirm()


def test_credentials_that_are_not_accepted_cannot_be_told(settings):
    error = AwsFailed("sts", "GetCallerIdentity", "ExpiredToken", "expired", "r")
    with pytest.raises(CannotTell, match=r"does not accept the credentials.*sign in again"):
        Answers(settings, error, snowflake_row("SANDBOX", "SANDBOXORG")).confirm()


def test_only_the_sides_a_command_needs_are_asked(settings):
    found = Answers(
        settings, AssertionError("AWS was asked"), snowflake_row("SANDBOX", "SANDBOXORG")
    ).confirm(aws=False)
    assert (found.aws, found.snowflake) == ("", "ME@SANDBOX")


def test_the_sandbox_never_reaches_the_real_cloud(settings, monkeypatch):
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_IAM", "AWS_PROFILE", "AWS_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    with pytest.raises(
        SettingsWrong, match="The target is the sandbox, but iam would be asked at https://iam"
    ):
        Clouds(settings, run_id="run", command="verify").aws("iam")


def test_every_session_says_whose_it_is(settings):
    assert Clouds(settings, run_id="run", command="verify").query_tag == "snowpipe-runbook verify run"
    assert len(Clouds(settings, run_id="r" * 3000, command="verify").query_tag) == 2000


# ---- who gives no answer


class Unanswering(NoClouds):
    """Clouds of which the named ones (a service, or "snowflake") give no answer."""

    def __init__(self, settings, *silent):
        super().__init__(settings)
        self.silent, self.asked = set(silent), []

    def _answer(self, whom):
        self.asked.append(whom)
        if whom in self.silent:
            raise CannotTell("No answer", why=f"question {len(self.asked)}", unreachable=True)

    def aws(self, service):
        self._answer(service)
        return type("Client", (), {"get_it": lambda self: {"Account": "111122223333", "Arn": "me"}})()

    def snowflake(self, purpose):
        self._answer("snowflake")
        return Cursor(["A"], [(1,)])

    def forget(self, purpose):
        self.asked.append("forgotten")


def why(ask, *words):
    with pytest.raises(CannotTell) as told:
        ask(*words)
    return told.value.why


def test_who_gives_no_answer_is_asked_once_and_others_are_asked_on(settings):
    clouds = Unanswering(settings, "iam", "snowflake")
    reader = Reader(clouds)
    assert [why(reader.aws, "iam", "GetIt") for _ in range(2)] == ["question 1"] * 2
    assert [why(reader.sql, "SELECT 1") for _ in range(2)] == ["question 2"] * 2
    assert reader.aws("s3", "GetIt")
    assert clouds.asked == ["iam", "snowflake", "s3"]
    assert reader.waited_for() == {}


def test_again_asks_anew_and_confirms_a_side_that_was_lost(settings):
    clouds = Unanswering(settings, "iam", "snowflake")
    reader = Reader(clouds)
    reader.confirm = lambda aws, snowflake: clouds.asked.append(("confirmed", aws, snowflake))
    why(reader.aws, "iam", "GetIt")
    why(reader.sql, "SELECT 1")
    clouds.silent.clear()
    reader.again()
    assert reader.aws("iam", "GetIt")
    assert reader.sql("SELECT 1") == [{"a": 1}]
    assert clouds.asked[2:] == ["forgotten", ("confirmed", False, True), "iam", "snowflake"]


def test_again_keeps_a_side_closed_that_still_lets_nobody_in(settings):
    reader = Reader(Unanswering(settings, "sts"))
    reader.closed = {"aws": CannotTell("No answer", why="at first"), "snowflake": not_ours("snowflake")}
    reader.again()
    assert "question 1" in reader.closed["aws"].why
    assert reader.absent == {"snowflake"}


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId"])
def test_a_session_that_has_ended_is_nobodys_to_ask_again(settings, code):
    class Ended(Unanswering):
        def aws(self, service):
            self.asked.append(service)
            return type("Client", (), {"get_it": lambda self: raise_(refused(code))})()

    clouds = Ended(settings)
    reader = Reader(clouds)
    assert why(reader.aws, "iam", "GetIt") == f"{code}: said AWS"
    assert why(reader.aws, "s3", "GetIt") == f"{code}: said AWS"
    assert clouds.asked == ["iam"]
    with pytest.raises(CannotTell, match="Snowflake has ended the session"):
        with translated_sql("SELECT 1"):
            raise snowflake_errors.ProgrammingError(msg="expired", errno=390114)


def raise_(error):
    raise error


def test_whom_somebody_waits_for_and_since_when(settings):
    clock = iter([10.0, 15.0, 30.0])
    reader = Reader(NoClouds(settings), now=lambda: next(clock))
    with reader.asked("aws", "iam"), reader.asked("aws", "s3"):
        assert reader.waited_for() == {"aws": 20.0}


def test_a_write_and_the_rows_of_a_long_answer_are_waited_for_like_a_question(settings):
    clouds, seen = NoClouds(settings), []
    reader = Reader(clouds)

    class Slow(Cursor):
        def execute(self, *words):
            seen.append(set(reader.waited_for()))

        def fetch_arrow_batches(self):
            raise snowflake_errors.NotSupportedError

        def fetchmany(self, count):
            rows, self.rows = self.rows, []
            return rows

    clouds.snowflake = lambda purpose: Slow(["A"], [(1,)])
    Writer(clouds).sql("CREATE DATABASE d")
    Writer(clouds).answer("ALTER PIPE p REFRESH")
    assert [row for rows in reader.batches("LIST @s") for row in rows] == [{"a": 1}]
    assert seen == [{"snowflake"}] * 3
    assert reader.waited_for() == {}
