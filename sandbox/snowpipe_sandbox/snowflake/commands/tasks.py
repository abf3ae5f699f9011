"""Tasks: CREATE, ALTER, DROP, DESC, SHOW. They are there and are resumed and suspended; none ever runs.

Sources: https://docs.snowflake.com/en/sql-reference/sql/create-task,
https://docs.snowflake.com/en/sql-reference/sql/alter-task,
https://docs.snowflake.com/en/sql-reference/sql/show-tasks.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from snowpipe_sandbox.snowflake import errors, resolve, result
from snowpipe_sandbox.snowflake.catalog import Task
from snowpipe_sandbox.snowflake.grammar import options
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.names import quoted
from snowpipe_sandbox.snowflake.parameters import SESSION
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.commands.creating import Mode
    from snowpipe_sandbox.snowflake.sessions import Session

DONE = "Statement executed successfully."
OPTIONS: dict[str, options.Reader] = {
    "WAREHOUSE": lambda tokens: options.name(tokens)[-1],
    "SCHEDULE": options.string,
    "CONFIG": options.string,
    "ALLOW_OVERLAPPING_EXECUTION": options.boolean,
    "USER_TASK_MANAGED_INITIAL_WAREHOUSE_SIZE": options.word,
    "USER_TASK_TIMEOUT_MS": options.value,
    "USER_TASK_MINIMUM_TRIGGER_INTERVAL_IN_SECONDS": options.value,
    "SUSPEND_TASK_AFTER_NUM_FAILURES": options.value,
    "TASK_AUTO_RETRY_ATTEMPTS": options.value,
    "ERROR_INTEGRATION": lambda tokens: options.name(tokens)[-1],
    "SUCCESS_INTEGRATION": lambda tokens: options.name(tokens)[-1],
    "COMMENT": options.string,
    "FINALIZE": options.refused("FINALIZE"),
} | dict.fromkeys(SESSION.keys() - {"COMMENT"}, options.value)
"""A task's own, and session parameters, which count for the session it runs in."""


def create(session: Session, tokens: Tokens, mode: Mode) -> Result:
    """CREATE TASK: suspended until it is resumed. Raises 2003 for a warehouse or predecessor not found."""
    parts = tokens.name()
    given: dict[str, Any] = {}
    after: list[tuple[str, ...]] = []
    condition = ""
    while not tokens.sees("AS"):
        if tokens.at_end:
            raise tokens.error()
        if tokens.take("AFTER"):
            after = _names(tokens)
        elif tokens.take("WHEN"):
            condition = tokens.until("AS")
        elif tokens.sees("CLONE") or tokens.sees("EXECUTE") or tokens.sees("FINALIZE"):
            raise errors.not_emulated(f"CREATE TASK … {tokens.next.value}")
        else:
            given |= options.read_options(tokens, OPTIONS, until=lambda: _is_clause(tokens))
    tokens.expect("AS")
    definition = tokens.rest()
    if not definition:
        raise tokens.error()
    account = session.account
    with account.lock:
        name, _ = resolve.schema_for_create(account, session, parts, "CREATE TASK")
        existing = account.catalog.tasks.get(name)
        present = mode.present(session, existing)
        if present is not None:
            return present
        _check(session, given)
        predecessors = [_find(session, each).full_name for each in after]
        account.privileges.displace(session.role, existing)
        made = Task(
            account.catalog.next_id(),
            *name,
            session.role,
            account.now(),
            str(uuid.uuid4()),
            definition,
            condition,
            predecessors,
            given,
            comment=given.get("COMMENT", ""),
        )
        account.catalog.tasks.put(made)
        account.privileges.created(made)
    return result.status(f"Task {name.name} successfully created.")


def _is_clause(tokens: Tokens) -> bool:
    return any(tokens.sees(word) for word in ("AS", "AFTER", "WHEN", "CLONE", "EXECUTE"))


def _names(tokens: Tokens) -> list[tuple[str, ...]]:
    found = [options.name(tokens)]
    while tokens.take(","):
        found.append(options.name(tokens))
    return found


def _check(session: Session, given: dict[str, Any]) -> None:
    """The warehouse and the integrations that are named are there. Raises 2003 or 3001."""
    account = session.account
    if "WAREHOUSE" in given:
        found = account.catalog.warehouses.get(given["WAREHOUSE"])
        if found is None or not account.privileges.sees(session.role, found):
            raise errors.does_not_exist("Warehouse", quoted(given["WAREHOUSE"]))
    for option in ("ERROR_INTEGRATION", "SUCCESS_INTEGRATION"):
        if option in given:
            resolve.error_integration(account, session, given[option])


def _find(session: Session, parts: tuple[str, ...]) -> Task:
    return resolve.visible(session.account, session, session.account.catalog.tasks, "Task", parts)


def alter(session: Session, tokens: Tokens) -> Result:
    """ALTER TASK … RESUME, SUSPEND, SET, UNSET, MODIFY AS or MODIFY WHEN, ADD and REMOVE AFTER."""
    parts = tokens.name()
    verb = tokens.one_of("RESUME", "SUSPEND", "SET", "UNSET", "MODIFY", "ADD", "REMOVE")
    account = session.account
    with account.lock:
        task = _find(session, parts)
        if verb in ("RESUME", "SUSPEND"):
            tokens.end()
            account.privileges.require(session.role, task, "OPERATE")
            task.started = verb == "RESUME"
            return result.status(DONE)
        account.privileges.require_ownership(session.role, task)
        _changed(session, task, verb, tokens)
    return result.status(DONE)


def _changed(session: Session, task: Task, verb: str, tokens: Tokens) -> None:
    if verb == "SET":
        given = options.read_options(tokens, OPTIONS)
        if not given:
            raise tokens.error()
        _check(session, given)
        task.options.update(given)
        task.comment = given.get("COMMENT", task.comment)
    elif verb == "UNSET":
        for name in options.unset_list(tokens, *OPTIONS):
            task.options.pop(name, None)
            task.comment = "" if name == "COMMENT" else task.comment
    elif verb == "MODIFY" and tokens.one_of("AS", "WHEN") == "AS":
        task.definition = tokens.rest()
    elif verb == "MODIFY":
        task.condition = tokens.rest()
    else:
        tokens.expect("AFTER")
        named = [_find(session, each).full_name for each in _names(tokens)]
        tokens.end()
        kept = [each for each in task.predecessors if each not in named]
        task.predecessors = kept + (named if verb == "ADD" else [])


def drop(session: Session, tokens: Tokens) -> Result:
    """DROP TASK."""
    parts = tokens.name()
    tokens.end()
    account = session.account
    with account.lock:
        found = _find(session, parts)
        account.privileges.require_ownership(session.role, found)
        account.catalog.tasks.remove(found.full_name)
        account.privileges.forget(found)
    return result.status(f"{found.name} successfully dropped.")


SHOWN = [
    result.Column("created_on", "TIMESTAMP_LTZ"),
    *result.texts("name", "id", "database_name", "schema_name", "owner", "comment", "warehouse", "schedule"),
    *result.texts("predecessors", "state", "definition", "condition", "allow_overlapping_execution"),
    *result.texts("error_integration"),
    *[result.Column(name, "TIMESTAMP_LTZ") for name in ("last_committed_on", "last_suspended_on")],
    *result.texts("owner_role_type", "config", "budget"),
]


def show_row(task: Task) -> tuple[Any, ...]:
    """A row of SHOW TASKS."""
    given = task.options
    return (
        task.created_on,
        task.name,
        task.uuid,
        task.database,
        task.schema,
        task.owner,
        task.comment,
        given.get("WAREHOUSE"),
        given.get("SCHEDULE"),
        json.dumps([str(each) for each in task.predecessors]),
        "started" if task.started else "suspended",
        task.definition,
        task.condition or None,
        "true" if given.get("ALLOW_OVERLAPPING_EXECUTION") else "false",
        given.get("ERROR_INTEGRATION"),
        task.created_on if task.started else None,
        None,
        "ROLE",
        given.get("CONFIG"),
        None,
    )


def describe(session: Session, tokens: Tokens) -> Result:
    """DESC TASK: its row of SHOW TASKS."""
    parts = tokens.name()
    tokens.end()
    with session.account.lock:
        return Result(SHOWN, [show_row(_find(session, parts))], result.DESCRIBE)
