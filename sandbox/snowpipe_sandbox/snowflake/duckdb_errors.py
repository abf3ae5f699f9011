"""DuckDB's errors as the ones Snowflake gives for the same mistake.

Numbers: sources: Snowflake §1.7, and fakesnow's cursor for the ones it maps. What is not a mistake known
here comes out as not emulated, with the statement's own beginning; DuckDB's words go to the log only.
"""

from __future__ import annotations

import logging
import re

import duckdb

from snowpipe_sandbox.snowflake import errors, json_reader, values
from snowpipe_sandbox.snowflake.engine import DIVISION_BY_ZERO
from snowpipe_sandbox.snowflake.errors import SnowflakeError
from snowpipe_sandbox.snowflake.queries import CURRENT

log = logging.getLogger(__name__)
CLASH = 625
"""The error for two changes DuckDB cannot put in an order; Snowflake would have let one wait."""


def translate(error: duckdb.Error) -> SnowflakeError:
    """The Snowflake error for a DuckDB one."""
    message = str(error).split("\n\n")[0]
    log.info("DuckDB: %s", message)
    for cls, make in (
        (duckdb.BinderException, _binder),
        (duckdb.CatalogException, _catalog),
        (duckdb.ConversionException, _conversion),
        (duckdb.ConstraintException, _constraint),
        (duckdb.OutOfRangeException, _out_of_range),
        (duckdb.TransactionException, _transaction),
        (duckdb.InvalidInputException, _invalid_input),
    ):
        if isinstance(error, cls):
            return make(message)
    return this_statement()


def this_statement() -> SnowflakeError:
    """Not emulated: the running statement, by its beginning."""
    text = " ".join(_running().split())
    return errors.not_emulated(f"this statement: {text[:100]}{'…' if len(text) > 100 else ''}")


def _running() -> str:
    """The text of the running statement."""
    query = CURRENT.get()
    return query.text if query is not None else ""


def of_fakesnow(error: Exception) -> SnowflakeError | None:
    """The error fakesnow raised, if it is one of the connector's (it has a number)."""
    errno = getattr(error, "errno", None)
    if not isinstance(errno, int):
        return None
    text = str(getattr(error, "raw_msg", None) or getattr(error, "msg", None) or error)
    return SnowflakeError(errno, str(getattr(error, "sqlstate", None) or "42000"), text)


def _binder(message: str) -> SnowflakeError:
    column = re.search(
        r'Referenced column "([^"]+)" (?:was )?not found|does not have a column named "([^"]+)"', message
    )
    if column:
        return errors.invalid_identifier((column.group(1) or column.group(2)).upper())
    table = re.search(r'Referenced table "([^"]+)" not found', message)
    if table:
        return errors.invalid_identifier(table.group(1).upper())
    counts = re.search(r"(?:has|expected) (\d+) columns but (\d+) values", message)
    if counts:
        return SnowflakeError(
            2020,
            "21S01",
            "SQL compilation error:\nInsert value list does not match column list expecting "
            f"{counts.group(1)} but got {counts.group(2)}",
        )
    grouped = re.search(r'column "?([^"]+)"? must appear in the GROUP BY', message)
    if grouped:
        return SnowflakeError(
            979,
            "42601",
            f"SQL compilation error:\n[{grouped.group(1).upper()}] is not a valid group by expression",
        )
    function = re.search(r"matches the given name and argument types '?\"?(\w+)", message)
    if function and function.group(1).lower() in _running().lower():
        return errors.not_emulated(f"function {function.group(1).upper()} with arguments of these types")
    return this_statement()


def _catalog(message: str) -> SnowflakeError:
    function = re.search(r"Function with name (\S+) does not exist", message)
    if function:  # one nobody knows never gets here
        return errors.not_emulated(f"function {function.group(1).upper()}")
    table = re.search(r"Table with name (\S+) does not exist", message)
    if table:
        return errors.does_not_exist("Object", table.group(1).upper())
    present = re.search(r'with name "([^"]+)" already exists', message)
    if present:  # the catalog has none of that name: DuckDB compares without case, also what was quoted
        return errors.not_emulated(f"two names that differ only in case: {present.group(1)}")
    return this_statement()


def _conversion(message: str) -> SnowflakeError:
    value = re.search(r"""Could not convert string ['"](.*)['"] to (\w+)""", message, re.DOTALL)
    if value and value.group(2).startswith(("INT", "DECIMAL", "DOUBLE", "BIGINT", "HUGEINT")):
        return SnowflakeError(100038, "22018", f"Numeric value '{value.group(1)}' is not recognized")
    if value and value.group(2).startswith("BOOL"):
        return SnowflakeError(100037, "22018", f"Boolean value '{value.group(1)}' is not recognized")
    stamp = re.search(r'invalid (timestamp|date) field format: "([^"]*)"', message)
    if stamp:
        kind = stamp.group(1).capitalize()
        return SnowflakeError(100035, "22007", f"{kind} '{stamp.group(2)}' is not recognized")
    number = re.search(
        r'Casting value "([^"]*)" to type \S+ failed: value is out of range|'
        r"Could not cast value (\S+) to DECIMAL",
        message,
    )
    if number or "out of range" in message:
        return _unrepresentable((number.group(1) or number.group(2)) if number else "")
    if "Malformed JSON" in message:
        return _malformed_json(message)
    return this_statement()


def _unrepresentable(value: str) -> SnowflakeError:
    """100039 (22003): a number its type has no room for."""
    shown = f", value {value}" if value else ""
    return SnowflakeError(100039, "22003", f"Number out of representable range{shown}")


def _malformed_json(message: str) -> SnowflakeError:
    """100069 (22P02): PARSE_JSON of what is not JSON (snowflakedb/snowflake-connector-python#41)."""
    given = re.search(r'Input: "(.*)"', message, re.DOTALL)
    detail = json_reader.detail_of(given.group(1)) if given else "invalid input"
    return SnowflakeError(100069, "22P02", f"Error parsing JSON: {detail}")


def _constraint(message: str) -> SnowflakeError:
    if "NOT NULL" in message:
        return SnowflakeError(100072, "22000", "NULL result in a non-nullable column")
    if "CHECK" in message:
        return SnowflakeError(100078, "22000", "String is too long and would be truncated")
    return this_statement()


def _out_of_range(_message: str) -> SnowflakeError:
    return _unrepresentable("")


def _invalid_input(message: str) -> SnowflakeError:
    """What a macro of the engine's raises. Source: https://github.com/getdozer/dozer/issues/1323."""
    if DIVISION_BY_ZERO in message:
        return SnowflakeError(100051, "22012", DIVISION_BY_ZERO)
    if "Malformed JSON" in message:
        return _malformed_json(message)
    detail = message.partition(": ")[2] or message
    for told, errno, sqlstate in (
        (values.NOT_HEX, 100115, "22000"),
        (values.TOO_LONG, 100078, "22000"),
        (values.NOT_OBJECT, 100071, "22000"),
    ):
        if told in message:
            return SnowflakeError(errno, sqlstate, detail)
    return errors.not_emulated(values.NO_ZONE) if values.NO_ZONE in message else this_statement()


def _transaction(message: str) -> SnowflakeError:
    if "onflict" in message or "Failed to commit" in message:
        return SnowflakeError(CLASH, "57014", "Statement was aborted by a concurrent change.")
    return errors.not_emulated("going on in a transaction after an error; ROLLBACK first")
