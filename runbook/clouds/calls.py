"""One call or statement, and its errors as this project's own."""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from typing import Any, TypeVar

from runbook.clouds import sign_in_aws, sign_in_snowflake
from runbook.clouds.failures import AwsFailed, Row, SqlFailed
from runbook.clouds.network import failure, one_line
from runbook.errors import CannotTell

LOOPBACK = ("127.0.0.1", "localhost", "::1")
BATCH = 10_000  # rows at a time, of an answer that is not Arrow
T = TypeVar("T")


def run_sql(connection: Any, statement: str, binds: Any = None) -> list[Row]:
    """The rows of a statement as dictionaries with lower-case keys."""
    return executed(connection, statement, binds)[1]


def executed(connection: Any, statement: str, binds: Any = None) -> tuple[str, list[Row]]:
    """The query id and the rows of a statement; raises SqlFailed or CannotTell."""

    def execute() -> tuple[str, list[Row]]:
        with connection.cursor() as cursor:
            cursor.execute(statement, binds)
            names = [column.name.lower() for column in cursor.description or ()]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            return str(getattr(cursor, "sfqid", "") or ""), rows

    with translated_sql(statement):
        if getattr(connection, "host", "") in LOOPBACK:
            return while_it_lives(connection.host, int(connection.port), execute)
        return execute()


def batches(connection: Any, statement: str) -> Iterator[Any]:
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


def while_it_lives(host: str, port: int, work: Callable[[], T]) -> T:
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
                remedy="run the command again: it signs in once more",
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
        if not isinstance(error, Exception):  # nothing went wrong, or a person ends it
            return
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
        answer: Row = getattr(client, snake(operation))(**parameters)
    if told := sign_in_aws.answered_by_another(answer, service, operation):
        raise told
    return answer


def _failed(service: str, operation: str, response: Mapping[str, Any]) -> AwsFailed:
    error = response.get("Error", {})
    # S3's notification errors say what is wrong only in extra keys: ArgumentName1, ArgumentValue1
    details = [f"{key}={value}" for key, value in error.items() if key not in ("Code", "Message", "Type")]
    message = "; ".join([str(error.get("Message", "")).rstrip("."), *details])
    told = response.get("ResponseMetadata", {})
    return AwsFailed(
        service,
        operation,
        str(error.get("Code", "")),
        one_line(message),
        str(told.get("RequestId", "")),
        str(told.get("HTTPHeaders", {}).get("x-amz-bucket-region", "")),
    )


def snake(operation: str) -> str:
    """The name of boto3's method for an API call's name."""
    from botocore import xform_name

    return str(xform_name(operation))
