"""Snowflake's HTTP protocol, as snowflake-connector-python 4.x and 5.x and Snowflake CLI speak it.

What clients send and read was taken from the connectors themselves (snowflake/connector/network.py,
cursor.py, auth/_auth.py) and from fakesnow's server. Statements run in worker threads; one that takes
longer than :data:`PATIENCE_S` is answered "in progress" with an address to ask again at.

Longer than 400 lines: the connector's requests, one each.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import secrets
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from snowpipe_sandbox.snowflake import bindings, encoding, result, statements
from snowpipe_sandbox.snowflake.commands import session_commands
from snowpipe_sandbox.snowflake.errors import SnowflakeError, not_emulated
from snowpipe_sandbox.snowflake.functions import VERSION
from snowpipe_sandbox.snowflake.grammar.tokens import split_statements
from snowpipe_sandbox.snowflake.parameters import SESSION, SessionParameters
from snowpipe_sandbox.snowflake.queries import Query
from snowpipe_sandbox.snowflake.result import Result
from snowpipe_sandbox.snowflake.sessions import Session
from snowpipe_sandbox.snowflake.sign_in import AUTHENTICATORS

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.account import Account

PATIENCE_S = 40
"""Snowflake answers a query request after about 45 seconds at the latest."""

SESSION_VALID_S, MASTER_VALID_S = 3600, 14400
IN_PROGRESS, IN_PROGRESS_ASYNC = "333333", "333334"
WORKERS = 64


def application(accounts: Mapping[str, Account]) -> Starlette:
    """The ASGI application for these accounts, by name. The mapping may change while it runs."""
    wire = Wire(accounts)
    routes = [
        Route("/session/v1/login-request", wire.login, methods=["POST"]),
        Route("/session/authenticator-request", wire.authenticator, methods=["POST"]),
        Route("/session/token-request", wire.renew, methods=["POST"]),
        Route("/session/heartbeat", wire.heartbeat, methods=["POST"]),
        Route("/session", wire.end, methods=["POST"]),
        Route("/queries/v1/query-request", wire.query, methods=["POST"]),
        Route("/queries/v1/abort-request", wire.abort, methods=["POST"]),
        Route("/queries/{query_id}/result", wire.result, methods=["GET"]),
        Route("/queries/{query_id}/abort-request", wire.abort_by_id, methods=["POST"]),
        Route("/monitoring/queries/{query_id}", wire.monitor, methods=["GET"]),
        Route("/monitoring/queries//{query_id}", wire.monitor, methods=["GET"]),  # as connector 5.2 asks
        Route("/api/v2/{path:path}", wire.rest, methods=["GET", "POST", "PUT", "DELETE"]),
        Route("/telemetry/send", wire.telemetry, methods=["POST"]),
        Route("/telemetry/send/sessionless", wire.telemetry, methods=["POST"]),
    ]
    return Starlette(routes=routes)


def success(data: Any, code: str | None = None) -> JSONResponse:
    """An answer to a request that went well."""
    return JSONResponse({"data": data, "code": code, "message": None, "success": True})


def refused(code: str, message: str, data: Any = None, status: int = 200) -> JSONResponse:
    """An answer to a request that did not."""
    return JSONResponse({"data": data, "code": code, "message": message, "success": False}, status)


async def body_of(request: Request) -> dict[str, Any]:
    """The request's JSON, unzipped if need be; an empty object for an empty body."""
    raw = await request.body()
    if request.headers.get("content-encoding") == "gzip":
        raw = gzip.decompress(raw)
    parsed = json.loads(raw) if raw else {}
    return parsed if isinstance(parsed, dict) else {}


class Wire:
    """The endpoints, and the sessions by their tokens."""

    def __init__(self, accounts: Mapping[str, Account]) -> None:
        self._accounts = accounts
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="statement")

    # --- sessions

    async def login(self, request: Request) -> Response:
        """Sign in, in a way that is emulated; database, schema, warehouse and role may come with it."""
        body = await body_of(request)
        data = body.get("data", {})
        account = self._account(str(data.get("ACCOUNT_NAME", "")))
        if account is None:
            return refused("390201", "The requested account does not exist or is not reachable.")
        authenticator = str(data.get("AUTHENTICATOR") or "SNOWFLAKE").upper()
        if authenticator not in AUTHENTICATORS:
            error = not_emulated(f"authenticator {authenticator}")
            return refused("390267", error.message)
        if answer := account.sign_ins.judge(data, body.get("inFlightCtx")):
            return JSONResponse(
                {
                    "data": dict(answer.data),
                    "code": answer.code,
                    "message": answer.message,
                    "success": answer.success,
                }
            )
        user = str(data.get("LOGIN_NAME") or account.user).upper()
        async with noted(account, "LOGIN", user):
            return await asyncio.to_thread(self._open, account, data, dict(request.query_params))

    def _account(self, name: str) -> Account | None:
        """The account called ``name`` or ``organization-name``, without case."""
        wanted = name.upper()
        found = self._accounts.get(wanted)
        for at, letter in enumerate(wanted):
            if found is None and letter == "-":
                candidate = self._accounts.get(wanted[at + 1 :])
                if candidate is not None and candidate.organization == wanted[:at]:
                    found = candidate
        return found

    def _open(self, account: Account, data: Mapping[str, Any], asked: Mapping[str, str]) -> Response:
        role = session_commands.stored(asked.get("roleName")) or account.default_role
        if not account.privileges.user_may_use(role):
            return refused(
                "390189",
                f"Role '{role}' specified in the connect string does not exist or not authorized. Contact "
                "your local system administrator, or attempt to login with another role, e.g. PUBLIC.",
            )
        session = Session(
            account, account.user, role, SessionParameters(data.get("SESSION_PARAMETERS") or {})
        )
        session.client = f"{data.get('CLIENT_APP_ID', '')} {data.get('CLIENT_APP_VERSION', '')}".strip()
        session_commands.enter(session, asked)
        missing = session_commands.missing(session, asked)
        wanted = (data.get("SESSION_PARAMETERS") or {}).get("CLIENT_VALIDATE_DEFAULT_PARAMETERS")
        if missing and str(wanted).upper() == "TRUE":
            return refused("390201", f"The requested {missing[0]} does not exist or not authorized.")
        with self._lock:
            self._sessions = {token: each for token, each in self._sessions.items() if not each.closed}
            self._sessions[session.token] = session
        account.sessions.add(session)
        return success(self._login_answer(session, asked))

    def _login_answer(self, session: Session, asked: Mapping[str, str]) -> dict[str, Any]:
        """The session, with the names that were asked for, whether they are there or not (*observed*)."""
        named = {key: session_commands.stored(asked.get(key)) for key in session_commands.NAMES}
        return {
            "token": session.token,
            "masterToken": session.master_token,
            "validityInSeconds": SESSION_VALID_S,
            "masterValidityInSeconds": MASTER_VALID_S,
            "displayUserName": session.user,
            "serverVersion": VERSION,
            "firstLogin": False,
            "remMeToken": None,
            "remMeValidityInSeconds": 0,
            "healthCheckInterval": 45,
            "newClientForUpgrade": None,
            "sessionId": int(session.id),
            "parameters": _parameters(session),
            "sessionInfo": {
                "databaseName": session.database or named["databaseName"],
                "schemaName": session.schema or named["schemaName"],
                "warehouseName": session.warehouse or named["warehouse"],
                "roleName": session.role,
            },
            "idToken": None,
            "idTokenValidityInSeconds": 0,
            "responseData": None,
            "mfaToken": None,
            "mfaTokenValidityInSeconds": 0,
        }

    async def rest(self, _request: Request) -> Response:
        """The REST API: not emulated."""
        return JSONResponse({"code": "000002", "message": not_emulated("the REST API").message}, 501)

    async def authenticator(self, _request: Request) -> Response:
        """Browser and SSO log-ins are not emulated."""
        return refused("390267", not_emulated("single sign-on").message)

    def _session(self, request: Request) -> Session | None:
        """The session of the request's token, if it is open."""
        header = request.headers.get("authorization", "")
        token = header.partition('Token="')[2].rstrip('"')
        with self._lock:
            found = self._sessions.get(token)
        return found if found is not None and not found.closed else None

    async def renew(self, request: Request) -> Response:
        """Give a session a new token for its master token."""
        header = request.headers.get("authorization", "")
        master = header.partition('Token="')[2].rstrip('"')
        with self._lock:
            session = next((each for each in self._sessions.values() if each.master_token == master), None)
            if session is None or session.closed:
                return refused(
                    "390114", "Authentication token has expired.  The user must authenticate again."
                )
            session.token = secrets.token_urlsafe(48)
            self._sessions[session.token] = session
        return success(
            {
                "sessionToken": session.token,
                "validityInSecondsST": SESSION_VALID_S,
                "masterToken": session.master_token,
                "validityInSecondsMT": MASTER_VALID_S,
                "sessionId": int(session.id),
            }
        )

    async def heartbeat(self, request: Request) -> Response:
        """Is the session still open?"""
        return success(None) if self._session(request) else _gone()

    async def end(self, request: Request) -> Response:
        """Close the session (``?delete=true``)."""
        session = self._session(request)
        if session is None:
            return _gone()
        if request.query_params.get("delete") == "true":
            async with noted(session.account, "LOGOUT", f"{session.user}/{session.role}"):
                await asyncio.to_thread(session.close)
            with self._lock:
                self._sessions = {
                    token: each for token, each in self._sessions.items() if each is not session
                }
        return success(None)

    async def telemetry(self, request: Request) -> Response:
        """Clients' telemetry is thrown away; sending it takes its time all the same."""
        if session := self._session(request):
            async with noted(session.account, "TELEMETRY", f"{session.user}/{session.role}"):
                pass
        return success("Log Received")

    # --- queries

    async def query(self, request: Request) -> Response:
        """Run a statement, or several; wait for it unless it is asynchronous."""
        session = self._session(request)
        if session is None:
            return _gone()
        body = await body_of(request)
        request_id = request.query_params.get("requestId")
        known = session.account.queries.of_request(session.id, request_id)
        if known is not None:
            return await self._answer(known, IN_PROGRESS)
        text = str(body.get("sqlText") or "")
        if body.get("describeOnly"):
            return await self._run_in_worker(lambda: self._describe(session, text, body))
        query = self._start(session, text, body, request_id)
        if body.get("asyncExec"):
            return success(_in_progress(query), IN_PROGRESS_ASYNC)
        return await self._answer(query, IN_PROGRESS)

    def _start(self, session: Session, text: str, body: Mapping[str, Any], request_id: str | None) -> Query:
        settings = {str(name).upper(): value for name, value in (body.get("parameters") or {}).items()}
        wanted = int(settings.get("MULTI_STATEMENT_COUNT", session.parameters["MULTI_STATEMENT_COUNT"]))
        query = session.new_query(text, settings)
        session.account.queries.add(query, request_id)
        if wanted == 1:
            self._workers.submit(run_one, query, body.get("bindings") or {})
        else:
            self._workers.submit(run_several, query, wanted, body.get("bindings") or {})
        return query

    async def _run_in_worker(self, work: Callable[[], Response]) -> Response:
        return await asyncio.get_running_loop().run_in_executor(self._workers, work)

    def _describe(self, session: Session, text: str, body: Mapping[str, Any]) -> Response:
        """The result's columns without running what would change something."""
        query = session.new_query(text, {})
        try:
            outcome, placeholders = bindings.describe(session, text, body.get("bindings") or {})
        except SnowflakeError as error:
            return failed(query.id, error)
        data = result_data(session, query.id, Result(outcome.columns, [], outcome.statement_type))
        return success(
            data
            | {"numberOfBinds": placeholders, "arrayBindSupported": outcome.statement_type == result.INSERT}
        )

    async def _answer(self, query: Query, code: str) -> Response:
        """The query's outcome, or "in progress" after a while."""
        finished = await wait_for(query.finished, PATIENCE_S)
        if not finished:
            return success(_in_progress(query), code)
        return await asyncio.to_thread(outcome_of, query)

    async def result(self, request: Request) -> Response:
        """The outcome of a query that was started before."""
        return await self._about(request, lambda query: self._answer(query, IN_PROGRESS))

    async def monitor(self, request: Request) -> Response:
        """How a query stands."""
        session = self._session(request)
        if session is None:
            return _gone()
        query = session.account.queries.get(str(request.path_params["query_id"]))
        return success({"queries": [] if query is None else [_status(query)]})

    async def abort(self, request: Request) -> Response:
        """Cancel the query a request started."""
        session = self._session(request)
        if session is None:
            return _gone()
        body = await body_of(request)
        query = session.account.queries.of_request(session.id, body.get("requestId"))
        if query is None or query.finished.is_set():
            return refused("000605", "Identified SQL statement is not currently executing.", {})
        query.cancel()
        return success(None)

    async def abort_by_id(self, request: Request) -> Response:
        """Cancel a query by its id."""

        async def cancel(query: Query) -> Response:
            query.cancel()
            return success(None)

        return await self._about(request, cancel)

    async def _about(self, request: Request, then: Callable[[Query], Awaitable[Response]]) -> Response:
        session = self._session(request)
        if session is None:
            return _gone()
        query = session.account.queries.get(str(request.path_params["query_id"]))
        if query is None:
            return refused(
                "000709", f"Statement {request.path_params['query_id']} not found", {"sqlState": "02000"}
            )
        return await then(query)


@asynccontextmanager
async def noted(account: Account, operation: str, caller: str) -> AsyncIterator[None]:
    """A request that is not a statement: held back by the tenant's latency, and in its log."""
    started = account.now()
    await asyncio.sleep(account.latency_s())
    try:
        yield
    finally:
        account.requests.append("snowflake", caller, operation, "read", "", "success", started, account.now())


async def wait_for(event: threading.Event, seconds: float) -> bool:
    """Wait for a thread's event without a thread: look often at first, then every 50 ms."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    pause = 0.0005
    while not event.is_set():
        if loop.time() > deadline:
            return False
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.05)
    return True


def run_one(query: Query, given: Mapping[str, Any]) -> None:
    """Run a query of one statement, once for every row of an array binding."""
    time.sleep(query.session.account.latency_s())
    try:
        bound = bindings.read(given)
    except SnowflakeError as error:
        query.fail(error, query.session.account.now())
        return
    with query.session.with_settings(query):
        statements.execute(query, bound)


def run_several(query: Query, wanted: int, given: Mapping[str, Any]) -> None:
    """Run a text of several statements in order; the first that fails ends it.

    Each statement is a query of its own; the outer one carries their ids.
    """
    session = query.session
    time.sleep(session.account.latency_s())
    texts = split_statements(query.text)
    if given:
        query.fail(not_emulated("bindings in multi-statement requests"), session.account.now())
        return
    if wanted not in (0, len(texts)):
        message = f"Actual statement count {len(texts)} did not match the desired statement count {wanted}."
        query.fail(SnowflakeError(8, "0A000", message), session.account.now())
        return
    with session.with_settings(query):
        for text in texts:
            child = session.new_query(text, query.settings)
            session.account.queries.add(child)
            query.children.append(child.id)
            statements.execute(child)
            if child.error is not None:
                query.fail(child.error, session.account.now())
                return
    query.succeed(result.status("Multiple statements executed successfully.", 0xA000), session.account.now())


# --- answers


def outcome_of(query: Query) -> Response:
    """A finished query as the client reads it."""
    if query.error is not None:
        return failed(query.id, query.error)
    if query.result is None:
        return refused(
            "000709", f"Statement {query.id} not found", {"sqlState": "02000", "queryId": query.id}
        )
    try:
        data = result_data(query.session, query.id, query.result)
    except (ArithmeticError, ValueError) as error:  # a value the wire's form has no room for
        query.session.account.report(error)
        return failed(query.id, not_emulated("a value of this result on the wire"))
    if query.children:
        found = [query.session.account.queries.get(child) for child in query.children]
        kinds = [str(child.result.statement_type) if child and child.result else "0" for child in found]
        data |= {"resultIds": ",".join(query.children), "resultTypes": ",".join(kinds)}
    return success(data)


def result_data(session: Session, query_id: str, outcome: Result) -> dict[str, Any]:
    """A result as the ``data`` of an answer; queries as Arrow unless the session wants JSON."""
    data: dict[str, Any] = {
        "parameters": _parameters(session),
        "rowtype": encoding.rowtype(outcome.columns),
        "total": outcome.row_count,
        "returned": outcome.row_count,
        "queryId": query_id,
        "databaseProvider": None,
        "finalDatabaseName": session.database,
        "finalSchemaName": session.schema,
        "finalWarehouseName": session.warehouse,
        "finalRoleName": session.role,
        "numberOfBinds": 0,
        "arrayBindSupported": False,
        "statementTypeId": outcome.statement_type,
        "version": 1,
        "sendResultTime": 0,
    }
    wants_json = session.parameters["PYTHON_CONNECTOR_QUERY_RESULT_FORMAT"].upper() == "JSON"
    if outcome.statement_type == result.SELECT and not wants_json:
        return data | {"queryResultFormat": "arrow", "rowsetBase64": encoding.arrow_base64(outcome)}
    return data | {"queryResultFormat": "json", "rowset": encoding.json_rows(outcome)}


def failed(query_id: str, error: SnowflakeError) -> JSONResponse:
    """A statement's error."""
    code = f"{error.errno:06d}"
    data = {
        "internalError": False,
        "errorCode": code,
        "age": 0,
        "sqlState": error.sqlstate,
        "queryId": query_id,
        "line": -1,
        "pos": -1,
        "type": "COMPILATION" if "compilation" in error.message else "EXECUTION",
    }
    return refused(code, error.message, data)


def _status(query: Query) -> dict[str, Any]:
    described: dict[str, Any] = {
        "id": query.id,
        "status": query.status,
        "state": query.status,
        "sqlText": query.text,
        "sessionId": int(query.session.id),
        "startTime": int(query.started_at.timestamp() * 1000),
        "endTime": int(query.ended_at.timestamp() * 1000) if query.ended_at else 0,
        "errorCode": None,
        "errorMessage": None,
    }
    if query.error is not None:
        described |= {"errorCode": f"{query.error.errno:06d}", "errorMessage": query.error.message}
    return described


def _in_progress(query: Query) -> dict[str, Any]:
    return {
        "getResultUrl": f"/queries/{query.id}/result",
        "queryAbortsAfterSecs": 300,
        "progressDesc": None,
        "queryId": query.id,
    }


def _gone() -> JSONResponse:
    return refused("390111", "Session no longer exists.  New login required to access the service.")


def _parameters(session: Session) -> list[dict[str, Any]]:
    """The session's parameters as clients keep them, typed."""
    listed = [
        {"name": name, "value": _typed(session.parameters[name], known.type)}
        for name, known in SESSION.items()
    ]
    return [*listed, {"name": "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD", "value": 0}]


def _typed(value: str, type_: str) -> Any:
    if type_ == "BOOLEAN":
        return value == "true"
    return int(value) if type_ == "NUMBER" else value
