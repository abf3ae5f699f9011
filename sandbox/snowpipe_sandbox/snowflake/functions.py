"""Functions of Snowflake that plain SQL cannot answer: context, clock, SYSTEM$…, GET_DDL.

They are evaluated and written into the tree as constants before the rest of the query runs. Their
arguments must be constant. An unknown SYSTEM$ function is refused as not emulated.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import duckdb
from sqlglot import exp

from snowpipe_sandbox.snowflake import duckdb_errors, errors, relations, system_functions
from snowpipe_sandbox.snowflake.engine import translate

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session

VERSION = "9.34.0"
Maker = Callable[["Session", exp.Expression], exp.Expression]


def text(value: str | None) -> exp.Expression:
    """A string, or NULL, as a constant of the tree."""
    return exp.Null() if value is None else exp.Literal.string(value)


def timestamp(moment: datetime, type_: str) -> exp.Expression:
    """A time as a constant of type TIMESTAMPTZ (aware, shown in UTC) or TIMESTAMP (naive)."""
    return exp.cast(exp.Literal.string(moment.isoformat(sep=" ")), type_)


def _now(session: Session, node: exp.Expression) -> exp.Expression:
    now = session.account.now()
    if node.args.get("sysdate"):
        return timestamp(now.replace(tzinfo=None), "TIMESTAMPNTZ")
    return timestamp(now, "TIMESTAMPTZ")


def _local_now(session: Session, _node: exp.Expression) -> exp.Expression:
    return timestamp(session.account.now(), "TIMESTAMPTZ")


def _today(session: Session, _node: exp.Expression) -> exp.Expression:
    local = session.parameters.local(session.account.now())
    return exp.cast(exp.Literal.string(local.date().isoformat()), "DATE")


def _time(session: Session, _node: exp.Expression) -> exp.Expression:
    local = session.parameters.local(session.account.now())
    return exp.cast(exp.Literal.string(local.time().isoformat()), "TIME")


def _roles(session: Session) -> str:
    privileges = session.account.privileges
    return json.dumps(sorted(role for role in privileges.roles if privileges.user_may_use(role)))


NODES: dict[type[exp.Expression], Maker] = {
    exp.CurrentTimestamp: _now,
    exp.Localtimestamp: _local_now,
    exp.CurrentDate: _today,
    exp.CurrentTime: _time,
    exp.Localtime: _time,
    exp.CurrentAccount: lambda session, _: text(session.account.locator),
    exp.CurrentAccountName: lambda session, _: text(session.account.name),
    exp.CurrentOrganizationName: lambda session, _: text(session.account.organization),
    exp.CurrentRole: lambda session, _: text(session.role),
    exp.CurrentUser: lambda session, _: text(session.user),
    exp.CurrentWarehouse: lambda session, _: text(session.warehouse),
    exp.CurrentDatabase: lambda session, _: text(session.database),
    exp.CurrentSchema: lambda session, _: text(session.schema),
    exp.CurrentRegion: lambda session, _: text(session.account.region),
    exp.CurrentSession: lambda session, _: text(session.id),
    exp.CurrentVersion: lambda _session, _: text(VERSION),
    exp.CurrentAvailableRoles: lambda session, _: text(_roles(session)),
}
"""Functions sqlglot has a node for."""

CALLS: dict[str, Callable[..., Any]] = {
    "SYSTEM$PIPE_STATUS": system_functions.pipe_status,
    "SYSTEM$PIPE_FORCE_RESUME": system_functions.pipe_force_resume,
    "SYSTEM$VALIDATE_STORAGE_INTEGRATION": system_functions.validate_storage_integration,
    "SYSTEM$GET_AWS_SNS_IAM_POLICY": system_functions.aws_sns_iam_policy,
    "SYSTEM$CANCEL_QUERY": system_functions.cancel_query,
    "SYSTEM$STREAM_HAS_DATA": system_functions.stream_has_data,
    "SYSTEM$TYPEOF": system_functions.typeof,
    "GET_DDL": system_functions.get_ddl,
    "LAST_QUERY_ID": system_functions.last_query_id,
    "IS_ROLE_IN_SESSION": system_functions.is_role_in_session,
    "CURRENT_CLIENT": lambda session: session.client,
}
"""Functions by name; arguments are constants."""


TRANSLATED = {
    "AS_ARRAY",
    "AS_OBJECT",
    "FLATTEN",
    "TO_OBJECT",
    "TO_TIMESTAMP_TZ",
    "TO_TIMESTAMP",
    "TO_TIMESTAMP_LTZ",
    "TO_TIMESTAMP_NTZ",
    "TRY_TO_TIMESTAMP",
    "TRY_TO_TIMESTAMP_NTZ",
}
"""Functions sqlglot has no node for, and the translation knows."""


def check_known(statement: exp.Expression) -> None:
    """Refuse functions nobody here knows: DuckDB may have one of that name that does something else."""
    for node in statement.find_all(exp.Anonymous):
        if name_of(node) not in TRANSLATED and not node.meta.get(relations.PLACED):
            raise errors.not_emulated(f"function {name_of(node)}")


def name_of(node: exp.Expression) -> str:
    """A called function's name, upper-cased; empty for other nodes."""
    return str(node.this).upper() if isinstance(node, exp.Anonymous) else ""


def evaluate(session: Session, statement: exp.Expression) -> exp.Expression:
    """The statement with every such function replaced by its value, innermost first."""
    for node in reversed(list(statement.walk())):
        made = _evaluated(session, node)
        if made is None:
            continue
        if node is statement:
            statement = made
        else:
            node.replace(made)
    return statement


def _evaluated(session: Session, node: exp.Expression) -> exp.Expression | None:
    maker = NODES.get(type(node))
    if maker is not None:
        return maker(session, node)
    name = name_of(node)
    if name in CALLS:
        return constant_node(CALLS[name](session, *(constant(session, each) for each in node.expressions)))
    if name.startswith("SYSTEM$"):
        raise errors.not_emulated(name)
    if type(node).__name__.startswith("Current"):
        raise errors.not_emulated(node.sql(dialect="snowflake"))
    return None


def constant_node(value: Any) -> exp.Expression:
    """A Python value as a constant of the tree."""
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    if isinstance(value, (int, float)):
        return exp.Literal.number(value)
    return text(value)


def constant(session: Session, node: exp.Expression) -> Any:
    """A constant expression's value, worked out by DuckDB unless it is a plain literal.

    Raises 001015 for an argument that depends on a row.
    """
    if isinstance(node, exp.Literal):
        return node.this if node.is_string else int(node.this)
    if isinstance(node, exp.Var):
        return node.name
    if isinstance(node, exp.Null):
        return None
    if node.find(exp.Column, exp.Subquery, exp.Select):
        raise errors.SnowflakeError(
            1015,
            "22023",
            "SQL compilation error:\nargument needs to be constant: '" + node.sql(dialect="snowflake") + "'",
        )
    with session.lock:
        (sql,) = translate(exp.select(evaluate(session, node.copy())))
        try:
            return session.duck.execute(sql).fetchall()[0][0]
        except duckdb.Error as error:
            raise duckdb_errors.translate(error) from None
