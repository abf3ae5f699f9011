"""DuckDB's errors as the ones Snowflake gives for the same mistake.

Numbers: sources: Snowflake §1.7, and fakesnow's cursor for the ones it maps. What is neither a known
mistake nor a known limit comes out as not emulated, with DuckDB's own words.
"""

from __future__ import annotations

import re

import duckdb

from runbook.sandbox.snowflake import errors
from runbook.sandbox.snowflake.engine import DIVISION_BY_ZERO
from runbook.sandbox.snowflake.errors import SnowflakeError

CLASH = 625
"""The error for two changes DuckDB cannot put in an order; Snowflake would have let one wait."""


def translate(error: duckdb.Error) -> SnowflakeError:
    """The Snowflake error for a DuckDB one."""
    message = str(error).split("\n\n")[0]
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
    return errors.not_emulated(message[:300])


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
    counts = re.search(r"has (\d+) columns but (\d+) values", message)
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
    return SnowflakeError(2043, "02000", f"SQL compilation error:\n{message}")


def _catalog(message: str) -> SnowflakeError:
    function = re.search(r"Function with name (\S+) does not exist", message)
    if function:
        return errors.unknown_function(function.group(1).upper())
    table = re.search(r"Table with name (\S+) does not exist", message)
    if table:
        return errors.does_not_exist("Object", table.group(1).upper())
    present = re.search(r'with name "([^"]+)" already exists', message)
    if present:
        return errors.already_exists(present.group(1))
    return errors.not_emulated(message[:300])


def _conversion(message: str) -> SnowflakeError:
    value = re.search(r"Could not convert string '([^']*)' to (\w+)", message)
    if value and value.group(2).startswith(("INT", "DECIMAL", "DOUBLE", "BIGINT", "HUGEINT")):
        return SnowflakeError(100038, "22018", f"Numeric value '{value.group(1)}' is not recognized")
    if value and value.group(2).startswith("BOOL"):
        return SnowflakeError(100037, "22018", f"Boolean value '{value.group(1)}' is not recognized")
    stamp = re.search(r'invalid (timestamp|date) field format: "([^"]*)"', message)
    if stamp:
        kind = stamp.group(1).capitalize()
        return SnowflakeError(100035, "22007", f"{kind} '{stamp.group(2)}' is not recognized")
    return SnowflakeError(100038, "22018", message)


def _constraint(message: str) -> SnowflakeError:
    if "NOT NULL" in message:
        return SnowflakeError(100072, "22000", "NULL result in a non-nullable column")
    if "CHECK" in message:
        return SnowflakeError(100078, "22000", "String is too long and would be truncated")
    return errors.not_emulated(message[:300])


def _out_of_range(message: str) -> SnowflakeError:
    return SnowflakeError(100039, "22003", message)


def _invalid_input(message: str) -> SnowflakeError:
    """What a macro of the engine's raises. Source: https://github.com/getdozer/dozer/issues/1323."""
    if DIVISION_BY_ZERO in message:
        return SnowflakeError(100051, "22012", DIVISION_BY_ZERO)
    return errors.not_emulated(message[:300])


def _transaction(message: str) -> SnowflakeError:
    if "onflict" in message or "Failed to commit" in message:
        return SnowflakeError(CLASH, "57014", f"Statement was aborted by a concurrent change: {message}")
    return errors.not_emulated(f"going on in a transaction after an error ({message[:200]}); ROLLBACK first")
