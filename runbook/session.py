"""The one module that talks to AWS and Snowflake: read verbs and write verbs apart.

:class:`Reader` is all that facts, plans and checks ever see; it refuses whatever is not a read.
:class:`Writer` is made only to apply a plan. Both reach a cloud the first time they are asked,
after :meth:`Reader.confirm` has compared who we are with what the settings pin.
"""

import os
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from getpass import GetPassWarning
from typing import Any, TypeVar
from urllib.parse import urlsplit

from runbook import sign_in_aws, sign_in_snowflake
from runbook.account import Account
from runbook.errors import CannotTell, NoCredentials, RunbookError, SettingsWrong
from runbook.network import AWS_BOUNDS, STATEMENT_TIMEOUT_S, failure, one_line, snowflake_bounds
from runbook.settings import Settings

APPLICATION = "snowpipe-runbook"
CA_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
NO_PLATFORM_DETECTION = ("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")
"""Else the connector asks AWS who we are at each sign-in, with the operator's credentials.

Source: ENV_VAR_DISABLE_PLATFORM_DETECTION in constants.py of 4.x; 5.x reads the same variable.
"""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
BATCH = 10_000  # rows at a time, of an answer that is no Arrow
QUERY_TAG_LENGTH = 2000  # https://docs.snowflake.com/en/sql-reference/parameters#query-tag

# Snowflake's error numbers; match the number, never the text (facts: connector 4.x and 5.x differ)
DOES_NOT_EXIST = (2003, 2043)
NO_PRIVILEGE = (3001,)
NO_WAREHOUSE = (606,)
ROLE_NOT_ASSUMED = (3167,)

_READING_AWS = ("Get", "List", "Head", "Describe", "Simulate")
_READING_SQL = ("SELECT", "SHOW", "DESC", "LIST", "LS", "WITH")

AWS_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "403")
AWS_CONFLICTS = ("ConcurrentModification", "OperationAborted")
AWS_NO_SESSION = (
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)

Row = dict[str, Any]
T = TypeVar("T")


@dataclass(eq=False)
class SqlFailed(Exception):
    """A statement Snowflake refused: its number, text and query id."""

    errno: int
    message: str
    query_id: str
    sql: str

    def __str__(self) -> str:
        return f"{self.errno:06d}: {self.message}"


@dataclass(eq=False)
class AwsFailed(Exception):
    """A call AWS refused: service, operation, error code and text with AWS' details."""

    service: str
    operation: str
    code: str
    message: str
    request_id: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    @property
    def is_denied(self) -> bool:
        """Whether a right is missing, rather than the thing."""
        return self.code in AWS_DENIED

    @property
    def is_of_the_moment(self) -> bool:
        """Whether the same write may well be taken a little later: nothing of it was done.

        Another write of the same thing is under way; IAM does not know yet what was just made; or a
        destination of events does not let S3 in yet: a queue's policy takes up to 60 seconds to be known.
        Sources: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (OperationAborted),
        IAM's API model (ConcurrentModification),
        https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html (eventual consistency),
        https://github.com/hashicorp/terraform-provider-aws/pull/6709 (NoSuchEntity),
        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
        """
        if self.code == "NoSuchEntity":  # seconds after it was made, IAM may not know of a role everywhere
            return not self.operation.startswith(("Delete", "Detach"))
        if self.code == "InvalidArgument":
            unready = "Unable to validate the following destination configurations"
            return unready in self.message and "does not exist" not in self.message
        return self.code in AWS_CONFLICTS

    @property
    def is_absence(self) -> bool:
        """Whether AWS says that what was asked for does not exist."""
        return self.code in (
            "404",
            "NoSuchBucket",
            "NoSuchBucketPolicy",
            "NoSuchEntity",
            "NotFound",
            "NotFoundException",
            "ParameterNotFound",
            "ServerSideEncryptionConfigurationNotFoundError",
        )


@dataclass(frozen=True)
class Identity:
    """Who we are on both sides: ``aws`` is the caller's ARN, ``snowflake`` is user@account."""

    aws: str
    snowflake: str


class Clouds:
    """The connections of one run, opened when first needed, shared by Reader and Writer."""

    def __init__(self, settings: Settings, *, run_id: str, command: str) -> None:
        self.settings = settings
        self.query_tag = f"{APPLICATION} {command} {run_id}"[:QUERY_TAG_LENGTH]
        self._lock = threading.Lock()
        self._aws: dict[str, Any] = {}
        self._connections: dict[str, Any] = {}
        self._aws_session: Any = None
        self._refused: dict[str, RunbookError] = {}  # by side: a refused sign-in is not tried another time
        self.open: dict[object, tuple[str, float]] = {}  # questions and writes without an answer yet

    def aws(self, service: str) -> Any:
        """A boto3 client; raises SettingsWrong when the sandbox is meant and AWS would be reached."""
        with self._lock, self._once("aws"):
            if service not in self._aws:
                self._aws[service] = self._client(service)
            return self._aws[service]

    @contextmanager
    def _once(self, side: str) -> Iterator[None]:
        """Signing in to a side; raises at once, with the reason, where an earlier attempt was refused."""
        if side in self._refused:
            raise self._refused[side]
        try:
            yield
        except RunbookError as error:
            if not isinstance(error, CannotTell) or error.final:
                self._refused[side] = error
            raise

    @contextmanager
    def waiting(self, side: str, now: Callable[[], float] = time.monotonic) -> Iterator[None]:
        """A side has been asked, or told, something; see :meth:`Reader.waited_for`."""
        ticket = object()
        self.open[ticket] = (side, now())
        try:
            yield
        finally:
            del self.open[ticket]

    def session(self) -> Any:
        """The one boto3 session of this run, so that a second factor is asked for once."""
        import boto3

        warnings.simplefilter("ignore", GetPassWarning)  # of a prompt without a terminal: told as an error
        self._aws_session = self._aws_session or boto3.Session()
        return self._aws_session

    def _client(self, service: str) -> Any:
        from botocore.config import Config

        config = Config(
            region_name=self.settings.aws.region,
            max_pool_connections=32,
            **AWS_BOUNDS,
            user_agent_extra=APPLICATION,
            signature_version="s3v4" if service == "s3" else None,  # boto3 signs an S3 URL by version 2 else
        )
        try:
            session, region = self.session(), self.settings.aws.region
            client = session.client(service, region_name=region, config=config, verify=self.ca_bundle())
        except Exception as error:  # noqa: BLE001 (files, programs and prompts raise what they like)
            raise self._no_client(error, service) from None
        host = urlsplit(client.meta.endpoint_url).hostname
        if self.settings.is_sandbox and host not in LOOPBACK:
            raise SettingsWrong(
                f"The target is the sandbox, but {service} would be asked at {client.meta.endpoint_url}",
                remedy='eval "$(invoke sandbox.env)", or unset RUNBOOK_SANDBOX_GIVEN',
            )
        return client

    def _no_client(self, error: Exception, service: str) -> Exception:
        """Why there is no client of a service: the credentials, or the endpoint; else the error as it is."""
        from botocore.exceptions import BotoCoreError

        if told := sign_in_aws.not_signed_in(error, target=self.settings.target):
            return told
        if isinstance(error, BotoCoreError):
            return SettingsWrong(
                "AWS credentials cannot be used",
                where=f"{self.settings.target}, {sign_in_aws.profile()}",
                why=one_line(str(error)),
                remedy=f"check AWS_PROFILE and {sign_in_aws.files()}",
            )
        if isinstance(error, ValueError):  # botocore's word on an endpoint that is no URL
            return SettingsWrong(
                f"No client for {service} can be made",
                where=self.settings.target,
                why=one_line(str(error)),
                remedy="correct AWS_ENDPOINT_URL",
            )
        return error

    def ca_bundle(self) -> str | None:
        """The certificates to trust: those boto3 is given, else those every other client on this machine is.

        Sources: https://docs.aws.amazon.com/sdkref/latest/guide/feature-gen-config.html (AWS_CA_BUNDLE,
        ca_bundle), https://requests.readthedocs.io/en/latest/user/advanced/#ssl-cert-verification
        (REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE), https://docs.python.org/3/library/ssl.html (SSL_CERT_FILE).
        """
        from botocore.session import Session

        name, path = "AWS_CA_BUNDLE", Session().get_config_variable("ca_bundle")
        if not path:
            name, path = next(
                ((name, os.environ[name]) for name in CA_BUNDLES if os.environ.get(name)), ("", "")
            )
        if path and not os.path.exists(path):  # noqa: PTH110 (a file or a folder, as given)
            raise SettingsWrong(
                "The file with the certificates to trust does not exist",
                where=f"{self.settings.target}, {name}",
                why=path,
                remedy=f"correct {name}, or unset it",
            )
        return path or None

    def _trust_alike(self) -> None:
        """Both connectors trust what other clients here do: 4.x reads one variable, 5.x the other."""
        if path := next((os.environ[name] for name in CA_BUNDLES if os.environ.get(name)), None):
            for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
                os.environ.setdefault(name, path)

    def snowflake(self, purpose: str) -> Any:
        """A connection; ``read`` and ``write`` have one each, so a role used to write never reads."""
        with self._lock, self._once("snowflake"):
            if purpose not in self._connections:
                self._connections[purpose] = self._connect()
            return self._connections[purpose]

    def _connect(self) -> Any:
        os.environ.setdefault(*NO_PLATFORM_DETECTION)
        self._trust_alike()
        import snowflake.connector

        name = self.settings.snowflake.connection
        try:
            with redirect_stdout(sys.stderr):  # 4.x tells there where to sign in; our answer goes to stdout
                connection = snowflake.connector.connect(
                    connection_name=name,
                    application=APPLICATION.replace("-", "_"),
                    session_parameters={
                        "QUERY_TAG": self.query_tag,
                        "TIMEZONE": "UTC",
                        "STATEMENT_TIMEOUT_IN_SECONDS": STATEMENT_TIMEOUT_S,
                    },
                    **snowflake_bounds(snowflake.connector.__version__),
                )
        except Exception as error:  # noqa: BLE001 (key files, token files, prompts raise what they like)
            connection_ = sign_in_snowflake.connection_named(name)
            raise sign_in_snowflake.not_signed_in(error, connection_, self.settings.target) from None
        host = getattr(connection, "host", "") or ""
        if self.settings.is_sandbox and host not in LOOPBACK:
            connection.close()
            raise SettingsWrong(f"The target is the sandbox, but the connection {name!r} goes to {host}")
        return connection

    def has_credentials(self, side: str) -> bool:
        """Whether there is anything to sign in with on a side; says nothing of whether it still works."""
        if side == "aws":
            try:
                return self.session().get_credentials() is not None
            except Exception as error:  # noqa: BLE001 (as where a client is made)
                raise self._no_client(error, "sts") from None
        from snowflake.connector import errors
        from snowflake.connector.config_manager import CONFIG_MANAGER

        try:
            return self.settings.snowflake.connection in CONFIG_MANAGER["connections"]
        except (errors.Error, OSError, ValueError, TypeError):
            return True  # a connections.toml that cannot be read is told when it is used

    def forget(self, purpose: str) -> None:
        """Let a connection go without a goodbye; the next that asks opens another."""
        with self._lock:
            self._connections.pop(purpose, None)

    def close(self) -> None:
        """End the Snowflake sessions; errors are of no interest any more."""
        with self._lock:
            for connection in self._connections.values():
                with suppress(Exception):  # closing is a courtesy
                    connection.close()
            self._connections.clear()


def _hidden_from(row: Row) -> dict[str, str]:
    """The role that reads, by whose things it may not see: "admin", "owner", neither or both.

    Source: https://docs.snowflake.com/en/sql-reference/functions/is_role_in_session
    """
    role = str(row["role_name"] or "a session without a role")
    if row["is_admin"]:
        return {}
    return {"admin": role} if row["is_owner"] else {"admin": role, "owner": role}


@contextmanager
def side_by_side(width: int) -> Iterator[ThreadPoolExecutor]:
    """Threads for independent reads, all ended at the end; Ctrl-C waits for none of them."""
    pool = ThreadPoolExecutor(width)
    try:
        yield pool
        pool.shutdown()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def _all_of(first: CannotTell, *others: CannotTell) -> CannotTell:
    """One paragraph for what may be more than one cloud's trouble."""
    if not others:
        return first
    also = [f"{error.what}: {error.why}" for error in others]
    return CannotTell(
        first.what,
        where=first.where,
        why=". ".join([first.why.rstrip("."), *also]),
        remedy="; ".join(dict.fromkeys(error.remedy for error in (first, *others))),
        unreachable=all(error.unreachable for error in (first, *others)),
    )


def _no_session(error: AwsFailed, target: str) -> CannotTell:
    return CannotTell(
        "AWS does not accept the credentials",
        where=f"{target}, {sign_in_aws.profile()}",
        why=str(error),
        remedy="sign in again, or check AWS_PROFILE",
        final=True,
    )


def not_ours(side: str) -> NoCredentials:
    """Why a side that is the other administrator's cannot be asked."""
    name = {"aws": "AWS", "snowflake": "Snowflake"}[side]
    return NoCredentials(
        f"There are no {name} credentials here", remedy=f"{name}'s administrator runs the same command"
    )


class Reader:
    """Everything that may be asked without changing anything. Safe to use from many threads.

    ``hidden_from``: whose things ("admin", "owner") the role that reads may not see, and that role;
    :meth:`confirm` finds out. What such a role does not see may be there all the same.
    ``closed``: the sides ("aws", "snowflake") that did not let us in, and why; asking them raises that.
    Who gives no answer is not asked another time, before :meth:`again`: it would be waited for each time.
    """

    def __init__(
        self,
        clouds: Clouds,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.clouds = clouds
        self.settings = clouds.settings
        self.now = now
        self.sleep = sleep
        self.hidden_from: Mapping[str, str] = {}
        self.confirmed = False  # of Snowflake
        self.closed: dict[str, CannotTell] = {}
        self._silent: dict[str, CannotTell] = {}  # by side, or by service of AWS
        self._final: dict[str, CannotTell] = {}  # by side: the sign-in was refused

    @property
    def absent(self) -> frozenset[str]:
        """The sides that are the other administrator's: nobody has credentials of them here."""
        return frozenset(side for side, why in self.closed.items() if isinstance(why, NoCredentials))

    @property
    def is_refused(self) -> bool:
        """Whether a side refused the sign-in, which is final for this run: waiting changes nothing."""
        return bool(self._final)

    def aws(self, service: str, operation: str, **parameters: Any) -> Row:
        """One AWS call that only reads; raises AwsFailed, or CannotTell when AWS is out of reach."""
        if not operation.startswith(_READING_AWS):
            raise AssertionError(f"{service}:{operation} is not a read")
        with self.asked("aws", service):
            return call_aws(self.clouds.aws(service), service, operation, parameters)

    def aws_pages(self, service: str, operation: str, key: str, **parameters: Any) -> list[Any]:
        """All items of a paginated read."""
        items: list[Any] = []
        with self.asked("aws", service), translated_aws(service, operation):
            client = self.clouds.aws(service)
            for page in client.get_paginator(_snake(operation)).paginate(**parameters):
                if told := sign_in_aws.answered_by_another(page, service, operation):
                    raise told
                items.extend(page.get(key, ()))
        return items

    def sql(self, statement: str, binds: Sequence[Any] | Mapping[str, Any] | None = None) -> list[Row]:
        """The rows of one statement that only reads, keys in lower case; raises SqlFailed."""
        if not statement.lstrip().upper().startswith(_READING_SQL):
            raise AssertionError(f"not a read: {statement[:60]}")
        with self.asked("snowflake"):
            return run_sql(self.clouds.snowflake("read"), statement, binds)

    @contextmanager
    def asked(self, side: str, service: str = "") -> Iterator[None]:
        """One question; raises at once, with the reason, where an earlier one was not answered."""
        whom = service or side
        for known in (self._final, self.closed, self._silent):
            if told := known.get(side) or known.get(whom):
                raise told
        try:
            with self.clouds.waiting(side, self.now):
                yield
        except CannotTell as error:
            known = self._final if error.final else self._silent
            raise known.setdefault(side if error.final else whom, error) from None
        except AwsFailed as error:
            if error.code not in AWS_NO_SESSION:
                raise
            raise self._final.setdefault(side, _no_session(error, self.settings.target)) from None

    def waited_for(self) -> dict[str, float]:
        """The sides that have not answered, and for how many seconds the oldest question has been open."""
        open_since: dict[str, float] = {}
        for side, begun in list(self.clouds.open.values()):
            open_since[side] = min(begun, open_since.get(side, begun))
        return {side: self.now() - begun for side, begun in open_since.items()}

    def again(self) -> None:
        """Ask anew whoever gave no answer; a side that did not let us in is tried again.

        Raises SettingsWrong where it is another account by now.
        """
        sides = {side for side, why in self.closed.items() if not isinstance(why, NoCredentials)}
        sides = (sides | ({"aws", "snowflake"} & self._silent.keys())) - self._final.keys()
        self._silent.clear()
        for side in sides:
            self.closed.pop(side, None)
            if side == "snowflake":
                self.clouds.forget("read")
            try:
                self.confirm(aws=side == "aws", snowflake=side == "snowflake")
            except CannotTell as error:
                self.closed[side] = error
        self._silent.clear()

    def batches(self, statement: str) -> Iterator[Any]:
        """The rows of one statement that only reads, some at a time, however many there are.

        Each batch is an Arrow table with column names in lower case or, where the answer is no Arrow
        (SHOW, LIST), a list of rows. Raises SqlFailed.
        """
        if not statement.lstrip().upper().startswith(_READING_SQL):
            raise AssertionError(f"not a read: {statement[:60]}")
        with self.asked("snowflake"):
            found = self._found(self.clouds.snowflake("read"), statement)
        while True:
            with self.asked("snowflake"), translated_sql(statement):
                batch = next(found, None)
            if batch is None:
                return
            yield batch

    def _found(self, connection: Any, statement: str) -> Iterator[Any]:
        if getattr(connection, "host", "") not in LOOPBACK:
            return _batches(connection, statement)
        host, port = connection.host, int(connection.port)
        with translated_sql(statement):
            return iter(_while_it_lives(host, port, lambda: list(_batches(connection, statement))))

    def confirm(self, *, aws: bool = True, snowflake: bool = True, partly: bool = False) -> Identity:
        """Who we are, compared with the pinned accounts; raises SettingsWrong on a mismatch.

        ``partly``: a side that does not let us in is ``closed`` instead of raised, unless both are.
        """
        with self._sandbox_answers(), side_by_side(2) as pool:
            asked = {"aws": pool.submit(self._confirm_aws)} if aws else {}
            if snowflake:
                asked["snowflake"] = pool.submit(self._confirm_snowflake)
            who = {"aws": "", "snowflake": ""}
            closed: dict[str, CannotTell] = {}
            for side, answer in asked.items():
                try:
                    who[side] = answer.result()
                except CannotTell as error:
                    closed[side] = error
            if closed and (not partly or len(closed) == len(asked)):
                raise _all_of(*closed.values())
            self.closed |= closed
            return Identity(**who)

    @contextmanager
    def _sandbox_answers(self) -> Iterator[None]:
        """A sandbox out of reach is told as that, not as a cloud's trouble."""
        try:
            yield
        except CannotTell as error:
            if not self.settings.is_sandbox or not error.unreachable:
                raise
            raise CannotTell(
                "The sandbox does not answer",
                why=f"{error.what}: {error.why}",
                remedy="run the command again, it starts a new one; where RUNBOOK_SANDBOX_GIVEN is set, "
                'first eval "$(invoke sandbox.env)"',
            ) from None

    def sign_in_to_snowflake(self) -> None:
        """Sign in, and see that it is the pinned account, where the command has not yet asked Snowflake.

        Raises CannotTell where nobody may, SettingsWrong where it is another account.
        """
        if not self.confirmed and "snowflake" not in self.closed:
            if not self.clouds.has_credentials("snowflake"):
                raise not_ours("snowflake")
            self.confirm(aws=False)

    def _confirm_aws(self) -> str:
        try:
            caller = self.aws("sts", "GetCallerIdentity")
        except AwsFailed as error:
            raise _no_session(error, self.settings.target) from None
        if caller["Account"] != self.settings.aws.account_id:
            raise SettingsWrong(
                f"The AWS credentials belong to account {caller['Account']}, "
                f"the settings pin {self.settings.aws.account_id}",
                where=self.settings.target,
                remedy="use the other profile, or the other environment file",
            )
        if caller["Arn"].endswith(":root"):
            raise SettingsWrong("The AWS credentials are the account's root user", remedy="use a role")
        return str(caller["Arn"])

    def _confirm_snowflake(self) -> str:
        row = self.sql(
            "SELECT CURRENT_ACCOUNT() AS locator, CURRENT_ORGANIZATION_NAME() AS organization, "
            "CURRENT_ACCOUNT_NAME() AS account_name, CURRENT_REGION() AS region, "
            "CURRENT_USER() AS user_name, "
            "CURRENT_ROLE() AS role_name, IS_ROLE_IN_SESSION(%s) AS is_admin, "
            "IS_ROLE_IN_SESSION(%s) AS is_owner",
            (str(self.settings.snowflake.admin_role), str(self.settings.snowflake.owner_role)),
        )[0]
        self.hidden_from = _hidden_from(row)
        self.confirmed = True
        here = Account(
            *(str(row.get(part) or "") for part in ("locator", "organization", "account_name", "region"))
        )
        if not here.is_called(self.settings.snowflake.account):
            raise SettingsWrong(
                f"The Snowflake connection goes to {here}, "
                f"the settings pin {self.settings.snowflake.account}",
                where=self.settings.target,
                remedy="use the other connection, or the other environment file",
            )
        return f"{row['user_name']}@{row['locator']}"


@dataclass(frozen=True)
class Receipt:
    """What a cloud gave back for one write: Snowflake's query id, or AWS' request id."""

    reference: str


class Writer:
    """The verbs that change something. Made only to apply a plan.

    Each has a Snowflake session: two of different names may write at once. ``ready`` is called before
    every write, and raises where nothing may be changed.
    """

    def __init__(
        self, clouds: Clouds, session: str = "write", *, ready: Callable[[], None] = lambda: None
    ) -> None:
        self.clouds = clouds
        self.session = session
        self.ready = ready
        self.begun = 0  # writes that were sent, answered or not

    def aws(self, service: str, operation: str, **parameters: Any) -> Receipt:
        """One AWS call that writes; raises AwsFailed."""
        self.ready()
        self.begun += 1
        with self.clouds.waiting("aws"):
            answer = call_aws(self.clouds.aws(service), service, operation, parameters)
        return Receipt(answer.get("ResponseMetadata", {}).get("RequestId", ""))

    def sql(self, statement: str) -> Receipt:
        """One statement that writes; raises SqlFailed."""
        self.ready()
        connection = self.clouds.snowflake(self.session)
        self.begun += 1
        with self.clouds.waiting("snowflake"):
            return Receipt(_executed(connection, statement)[0])

    def answer(self, statement: str) -> tuple[Receipt, list[Row]]:
        """One statement that writes, and the rows it answers with; raises SqlFailed."""
        self.ready()
        connection = self.clouds.snowflake(self.session)
        self.begun += 1
        with self.clouds.waiting("snowflake"):
            query_id, rows = _executed(connection, statement)
        return Receipt(query_id), rows


def run_sql(connection: Any, statement: str, binds: Any = None) -> list[Row]:
    """The rows of a statement as dictionaries with lower-case keys."""
    return _executed(connection, statement, binds)[1]


def _executed(connection: Any, statement: str, binds: Any = None) -> tuple[str, list[Row]]:
    """The query id and the rows of a statement; raises SqlFailed or CannotTell."""

    def execute() -> tuple[str, list[Row]]:
        with connection.cursor() as cursor:
            cursor.execute(statement, binds)
            names = [column.name.lower() for column in cursor.description or ()]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            return str(getattr(cursor, "sfqid", "") or ""), rows

    with translated_sql(statement):
        if getattr(connection, "host", "") in LOOPBACK:
            return _while_it_lives(connection.host, int(connection.port), execute)
        return execute()


def _batches(connection: Any, statement: str) -> Iterator[Any]:
    """What a statement answers with, as Arrow where the connector has it so, else as rows."""
    from snowflake.connector import errors

    with connection.cursor() as cursor:
        cursor.execute(statement)
        names = [column.name.lower() for column in cursor.description or ()]
        try:
            tables = cursor.fetch_arrow_batches()
            first = next(tables, None)
        except (errors.NotSupportedError, errors.ProgrammingError):
            first = tables = None
        if tables is None:
            while rows := cursor.fetchmany(BATCH):
                yield [dict(zip(names, row, strict=True)) for row in rows]
        elif first is not None:
            yield first.rename_columns(names)
            for table in tables:
                yield table.rename_columns(names)


def _while_it_lives(host: str, port: int, work: Callable[[], T]) -> T:
    """``work()``, given up once nobody listens there any more: 4.x of the connector would not give up.

    A sandbox that was killed is known by its closed port; for a cloud nothing as sure exists.
    """
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 (raised again where the result is asked for)
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    while True:
        ended = bool(wait([done], timeout=1).done)
        if ended and not done.exception():
            return done.result()
        try:
            socket.create_connection((host, port), timeout=5).close()
        except ConnectionRefusedError:
            raise CannotTell(
                "The sandbox has gone away",
                why=f"Nobody listens on {host}:{port} any more",
                remedy="run the command again",
                unreachable=True,
            ) from None
        if ended:
            return done.result()


class translated_sql:  # noqa: N801 (reads as a statement: with translated_sql(...))
    """The connector's errors as SqlFailed (Snowflake refused) or CannotTell (out of reach)."""

    def __init__(self, statement: str) -> None:
        self.statement = statement

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if kind is None:
            return
        from snowflake.connector import errors

        number = int(getattr(error, "errno", None) or 0)
        if isinstance(error, errors.Error) and number in sign_in_snowflake.SESSION_ENDED:
            raise CannotTell(
                "Snowflake has ended the session",
                why=one_line(str(error)),
                remedy="run the command again, it signs in anew",
                final=True,
            ) from None
        if isinstance(error, errors.ProgrammingError | errors.DatabaseError) and _is_refusal(error):
            raise SqlFailed(
                number, one_line(error.raw_msg or error.msg or ""), error.sfqid or "", self.statement
            ) from None
        if isinstance(error, errors.Error | OSError):
            raise CannotTell(
                "Snowflake cannot be reached",
                why=failure(error),
                remedy="check the network, and run the command again",
                unreachable=True,
            ) from None


def _is_refusal(error: Any) -> bool:
    """An answer of Snowflake's to a statement, not of the client or the network.

    Small numbers are of two kinds: 000002 is Snowflake's "Unsupported feature", 2 is also a kind of failure
    of connector 5.x; Snowflake's answer has a query id.
    """
    if error.errno is None or int(error.errno) in sign_in_snowflake.OF_THE_CLIENT:
        return False
    return int(error.errno) not in sign_in_snowflake.KINDS or bool(error.sfqid)


class translated_aws:  # noqa: N801
    """botocore's errors as AwsFailed (AWS refused) or CannotTell (out of reach, no credentials)."""

    def __init__(self, service: str, operation: str) -> None:
        self.service = service
        self.operation = operation

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if kind is None:
            return
        assert error is not None
        told = sign_in_aws.not_signed_in(error, self.operation) or sign_in_aws.not_aws(
            error, self.service, self.operation
        )
        if told:
            raise told from None
        from botocore import exceptions

        if isinstance(error, exceptions.ClientError):
            raise _failed(self.service, self.operation, error.response) from None
        if isinstance(error, exceptions.HTTPClientError | exceptions.ConnectionError):
            raise sign_in_aws.out_of_reach(error, self.service, self.operation) from None
        if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
            raise CannotTell(
                "There are no AWS credentials",
                where=sign_in_aws.profile(),
                why=one_line(str(error)),
                remedy="set AWS_PROFILE, or sign in (aws sso login)",
                final=True,
            ) from None
        if isinstance(error, exceptions.BotoCoreError):
            raise CannotTell(
                f"AWS cannot be asked for {self.service}:{self.operation}",
                where=sign_in_aws.profile(),
                why=one_line(str(error)),
                remedy="sign in again (aws sso login), or check AWS_PROFILE and the files of ~/.aws",
            ) from None


def call_aws(client: Any, service: str, operation: str, parameters: Mapping[str, Any]) -> Row:
    """One call by its API name, such as ``GetRole``."""
    with translated_aws(service, operation):
        answer: Row = getattr(client, _snake(operation))(**parameters)
    if told := sign_in_aws.answered_by_another(answer, service, operation):
        raise told
    return answer


def _failed(service: str, operation: str, response: Mapping[str, Any]) -> AwsFailed:
    error = response.get("Error", {})
    # S3's notification errors say what is wrong only in extra keys: ArgumentName1, ArgumentValue1
    details = [f"{key}={value}" for key, value in error.items() if key not in ("Code", "Message", "Type")]
    message = "; ".join([str(error.get("Message", "")).rstrip("."), *details])
    return AwsFailed(
        service,
        operation,
        str(error.get("Code", "")),
        one_line(message),
        str(response.get("ResponseMetadata", {}).get("RequestId", "")),
    )


def _snake(operation: str) -> str:
    from botocore import xform_name

    return str(xform_name(operation))
