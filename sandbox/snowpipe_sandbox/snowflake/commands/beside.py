"""What stands beside a pipe: procedures, functions, policies, tags, alerts, which are only there; sequences.

They are created, shown, granted on and dropped. None but a sequence acts: CALL, a function in a query, a
policy set on a column or a table are refused by name, and an alert never runs.

Sources: https://docs.snowflake.com/en/sql-reference/sql/create-procedure,
https://docs.snowflake.com/en/sql-reference/sql/create-function,
https://docs.snowflake.com/en/sql-reference/sql/create-masking-policy,
https://docs.snowflake.com/en/sql-reference/sql/create-row-access-policy,
https://docs.snowflake.com/en/sql-reference/sql/create-tag,
https://docs.snowflake.com/en/sql-reference/sql/create-alert (and the SHOW page of each, for its columns).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import sqlglot
from sqlglot import exp

from snowpipe_sandbox.snowflake import errors, resolve, result, sequences
from snowpipe_sandbox.snowflake.catalog import Beside
from snowpipe_sandbox.snowflake.commands import tasks
from snowpipe_sandbox.snowflake.datatypes import snowflake_type
from snowpipe_sandbox.snowflake.grammar import options
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.commands.creating import Mode
    from snowpipe_sandbox.snowflake.sessions import Session

Read = Callable[[Tokens], dict[str, Any]]
"""Reads what follows the name: what SHOW tells of it, and COMMENT."""

CALLED = ("PROCEDURE", "FUNCTION")
POLICIES = ("MASKING POLICY", "ROW ACCESS POLICY")
ALERT_OPTIONS = {name: tasks.OPTIONS[name] for name in ("WAREHOUSE", "SCHEDULE", "COMMENT")}
DONE = "Statement executed successfully."


# --- CREATE


def creator(kind: str, read: Read) -> Callable[[Session, Tokens, Mode], Result]:
    """CREATE of a kind."""

    def create(session: Session, tokens: Tokens, mode: Mode) -> Result:
        parts = tokens.name()
        arguments = _arguments(tokens) if kind in CALLED else None
        given = read(tokens)
        account = session.account
        with account.lock:
            name, _ = resolve.schema_for_create(account, session, parts, f"CREATE {kind}")
            shown = name.name
            if arguments is not None:
                types = ", ".join(arguments)
                name = name._replace(name=f"{shown}({types})")
                given["arguments"] = f"{shown}({types}) RETURN {given['returns']}"
            objects = account.catalog.beside[kind]
            existing = objects.get(name)
            present = mode.present(session, existing)
            if present is not None:
                return present
            account.privileges.displace(session.role, existing)
            made = Beside(
                account.catalog.next_id(),
                *name,
                session.role,
                account.now(),
                kind,
                given,
                comment=given.get("COMMENT", ""),
            )
            objects.put(made)
            if kind == sequences.KIND:
                sequences.start(session, made)
                if existing is not None:
                    sequences.end(session, existing, replaced=True)
            account.privileges.created(made)
        what = "Function" if kind in CALLED else kind.capitalize()
        return result.status(f"{what} {shown} successfully created.")

    return create


def _arguments(tokens: Tokens) -> list[str]:
    """``( name type [DEFAULT …], … )``: the types, which tell overloaded ones apart."""

    def one() -> str:
        tokens.identifier()
        found = _type(tokens)
        while tokens.next.value not in (",", ")") and not tokens.at_end:  # DEFAULT and what stands for it
            tokens.advance()
        return found

    return tokens.listed(one)


def signature(tokens: Tokens) -> str:
    """``( type, … )`` behind the name of a procedure or function that is there."""
    return f"({', '.join(tokens.listed(lambda: _type(tokens)))})"


def _type(tokens: Tokens) -> str:
    """A type without its lengths: ``NUMBER``."""
    start = tokens.next.start
    end = tokens.advance().end
    if tokens.take("PRECISION"):
        end = tokens.next.start
    if tokens.take("("):
        while not tokens.sees(")"):
            if tokens.at_end:
                raise tokens.error()
            tokens.advance()
        end = tokens.advance().end
    written = tokens.text[start:end]
    try:
        read = exp.DataType.build(written, dialect="snowflake")
    except sqlglot.errors.SqlglotError:
        raise errors.not_emulated(f"data type {written}") from None
    return snowflake_type(read).partition("(")[0]


def _called(tokens: Tokens) -> dict[str, Any]:
    """RETURNS …, LANGUAGE … and what else stands before the body."""
    tokens.take("COPY", "GRANTS")
    tokens.expect("RETURNS")
    if tokens.take("TABLE"):
        start = tokens.next.start
        tokens.expect("(")
        tokens.until(")")
        tokens.expect(")")
        given = {"returns": f"TABLE {tokens.text[start : tokens.next.start].strip()}", "table": True}
    else:
        given = {"returns": _type(tokens), "table": False}
    while not tokens.take("AS"):
        if tokens.at_end:
            raise tokens.error()
        if tokens.take("EXECUTE", "AS"):
            tokens.one_of("CALLER", "OWNER", "RESTRICTED")
        elif tokens.take("LANGUAGE"):
            given["language"] = options.word(tokens).upper()
        elif tokens.take("COMMENT", "="):
            given["COMMENT"] = options.string(tokens)
        else:
            tokens.advance()
    if tokens.at_end:
        raise tokens.error()
    tokens.rest()
    return given


def _policy(tokens: Tokens) -> dict[str, Any]:
    """``AS ( name type, … ) RETURNS type -> body``."""
    tokens.expect("AS")
    _arguments(tokens)
    tokens.expect("RETURNS")
    _type(tokens)
    tokens.expect("->")
    if tokens.at_end:
        raise tokens.error()
    tokens.rest()
    return {}


def _tag(tokens: Tokens) -> dict[str, Any]:
    """``[ALLOWED_VALUES 'a', …] [COMMENT = '…']``."""
    given: dict[str, Any] = {}
    if tokens.take("ALLOWED_VALUES"):
        given["allowed"] = [tokens.string()]
        while tokens.take(","):
            given["allowed"].append(tokens.string())
    return given | options.read_options(tokens, {"COMMENT": options.string})


def _alert(tokens: Tokens) -> dict[str, Any]:
    """``WAREHOUSE = … SCHEDULE = '…' IF ( EXISTS ( … ) ) THEN …``."""
    given = options.read_options(tokens, ALERT_OPTIONS, until=lambda: tokens.sees("IF"))
    tokens.expect("IF")
    given["condition"] = tokens.until("THEN")
    tokens.expect("THEN")
    given["action"] = tokens.rest()
    if not given["action"]:
        raise tokens.error()
    return given


READERS: dict[str, Read] = {
    "PROCEDURE": _called,
    "FUNCTION": _called,
    "MASKING POLICY": _policy,
    "ROW ACCESS POLICY": _policy,
    "TAG": _tag,
    "ALERT": _alert,
    sequences.KIND: sequences.read,
}


# --- what is there


def find(session: Session, tokens: Tokens, kind: str) -> Beside:
    """The one that is named next. Raises 2003."""
    parts = tokens.name()
    if kind in CALLED:
        parts = (*parts[:-1], parts[-1] + signature(tokens))
    account = session.account
    return resolve.visible(account, session, account.catalog.beside[kind], kind.capitalize(), parts)


def dropper(kind: str) -> Callable[[Session, Tokens], Result]:
    """DROP of a kind."""

    def drop(session: Session, tokens: Tokens) -> Result:
        account = session.account
        with account.lock:
            found = find(session, tokens, kind)
            if kind == sequences.KIND and not tokens.take("CASCADE"):
                tokens.take("RESTRICT")
            tokens.end()
            account.privileges.require_ownership(session.role, found)
            if kind == sequences.KIND:
                sequences.end(session, found, replaced=False)
            account.catalog.beside[kind].remove(found.full_name)
            account.privileges.forget(found)
        return result.status(f"{found.called} successfully dropped.")

    return drop


def alter_sequence(session: Session, tokens: Tokens) -> Result:
    """ALTER SEQUENCE … SET or UNSET COMMENT; another increment or name is refused."""
    account = session.account
    with account.lock:
        found = find(session, tokens, sequences.KIND)
        if tokens.ahead(1).value != "COMMENT":
            raise errors.not_emulated(f"ALTER SEQUENCE … {tokens.next.value} {tokens.ahead(1).value}")
        comment = options.comment_only(tokens)
        account.privileges.require_ownership(session.role, found)
        found.comment = comment
    return result.status(DONE)


def alter_alert(session: Session, tokens: Tokens) -> Result:
    """ALTER ALERT … RESUME or SUSPEND: it is created suspended, and never runs."""
    account = session.account
    with account.lock:
        found = find(session, tokens, "ALERT")
        if not (tokens.sees("RESUME") or tokens.sees("SUSPEND")):
            raise errors.not_emulated(f"ALTER ALERT … {tokens.next.value}")
        account.privileges.require(session.role, found, "OPERATE")
        found.given["started"] = tokens.advance().value == "RESUME"
        tokens.end()
    return result.status(DONE)


# --- SHOW

PLACE = ("name", "database_name", "schema_name")
CREATED_ON = result.Column("created_on", "TIMESTAMP_LTZ")
SHOWN: dict[str, list[result.Column]] = {
    kind: [CREATED_ON, *result.texts(*PLACE, "kind", "owner", "comment", "owner_role_type", "options")]
    for kind in POLICIES
}
SHOWN["TAG"] = [CREATED_ON, *result.texts(*PLACE, "owner", "comment", "allowed_values", "owner_role_type")]
SHOWN["ALERT"] = [
    CREATED_ON,
    *result.texts(*PLACE, "owner", "comment", "warehouse", "schedule", "state", "condition", "action"),
    *result.texts("owner_role_type"),
]
for _kind in CALLED:
    SHOWN[_kind] = [
        CREATED_ON,
        *result.texts("name", "schema_name", "is_builtin", "is_aggregate", "is_ansi"),
        *[result.Column(name, "FIXED") for name in ("min_num_arguments", "max_num_arguments")],
        *result.texts("arguments", "description", "catalog_name", "is_table_function"),
        *result.texts("valid_for_clustering", "is_secure"),
    ]


def show_row(each: Beside) -> tuple[Any, ...]:
    """A row of the kind's SHOW."""
    given = each.given
    place = (each.created_on, each.called, each.database, each.schema)
    if each.kind in CALLED:
        count = given["arguments"].partition(" RETURN ")[0].count(",") + (each.name[-2:] != "()")
        texts = (given["arguments"], each.comment or "user-defined function", each.database)
        table = "Y" if given["table"] else "N"
        return (*place[:2], each.schema, "N", "N", "N", count, count, *texts, table, "N", "N")
    if each.kind == "TAG":
        allowed = given.get("allowed")
        values = None if allowed is None else str(allowed).replace("'", '"').replace('", "', '","')
        return (*place, each.owner, each.comment, values, "ROLE")
    if each.kind == "ALERT":
        state = "started" if given.get("started") else "suspended"
        when = (given.get("WAREHOUSE"), given.get("SCHEDULE"), state, given["condition"], given["action"])
        return (*place, each.owner, each.comment, *when, "ROLE")
    return (*place, each.kind.replace(" ", "_"), each.owner, each.comment, "ROLE", "")
