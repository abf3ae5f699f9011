"""Snowflake's errors as numbers, sqlstates and texts.

The catalogue is sources: Snowflake §1.7; what that page does not list carries its source beside it.
"""

from sqlglot.errors import ParseError


class SnowflakeError(Exception):
    """A statement's failure, as the wire reports it: ``errno``, ``sqlstate``, ``message``."""

    def __init__(self, errno: int, sqlstate: str, message: str) -> None:
        super().__init__(message)
        self.errno = errno
        self.sqlstate = sqlstate
        self.message = message

    def __str__(self) -> str:
        return f"{self.errno:06d} ({self.sqlstate}): {self.message}"


def not_emulated(what: str) -> SnowflakeError:
    """What the real Snowflake may know and the sandbox does not: 000002, "Unsupported feature".

    The number and sqlstate are the ones Snowflake uses for features an account does not have
    (``000002 (0A000): Unsupported feature 'X'.``).
    """
    return SnowflakeError(2, "0A000", f"Unsupported feature: not emulated: {what}")


def syntax_error(detail: str, line: int = 1, position: int = 0) -> SnowflakeError:
    """001003 (42000): text that is not Snowflake SQL."""
    return SnowflakeError(
        1003, "42000", f"SQL compilation error:\nsyntax error line {line} at position {position} {detail}"
    )


def unparsed(error: ParseError) -> SnowflakeError:
    """001003 for what sqlglot cannot parse, at the place it names."""
    first = error.errors[0] if error.errors else {}
    unexpected = str(first.get("highlight") or "<EOF>")
    return syntax_error(
        f"unexpected '{unexpected}'.", int(first.get("line") or 1), int(first.get("col") or 0)
    )


def invalid_property(name: str, kind: str) -> SnowflakeError:
    """001420 (22023): a property the object does not have."""
    return SnowflakeError(1420, "22023", f"SQL compilation error:\ninvalid property '{name}' for '{kind}'")


def invalid_value(value: str, name: str) -> SnowflakeError:
    """001008 (22023): a property's value that does not fit it."""
    return SnowflakeError(
        1008, "22023", f"SQL compilation error:\ninvalid value [{value}] for parameter '{name}'"
    )


def invalid_url(url: str) -> SnowflakeError:
    """001011 (42601): a stage URL that is not an S3 URL."""
    return SnowflakeError(1011, "42601", f"SQL compilation error:\ninvalid URL prefix found in: '{url}'")


def missing_options(*names: str) -> SnowflakeError:
    """002029 (42601): CREATE without an option it needs."""
    return SnowflakeError(2029, "42601", f"SQL compilation error:\nMissing option(s): {', '.join(names)}")


def already_exists(name: str) -> SnowflakeError:
    """002002 (42710): CREATE of what is there."""
    return SnowflakeError(2002, "42710", f"SQL compilation error:\nObject '{name}' already exists.")


def too_long_a_list(most: int, got: int) -> SnowflakeError:
    """001795 (42601): IN with too many expressions.

    Sources: https://github.com/Health-Union/snowshu/pull/145 (number, text);
    https://github.com/snowflakedb/snowflake-connector-python/issues/37. Where it stands is not said here.
    """
    return SnowflakeError(
        1795,
        "42601",
        "SQL compilation error: error line 1 at position 0\n"
        f"maximum number of expressions in a list exceeded, expected at most {most:,}, got {got:,}",
    )


def exists_unseen(kind: str, name: str) -> SnowflakeError:
    """003041 (42710): CREATE, with IF NOT EXISTS too, of what is there and the role holds nothing on.

    Sources: https://github.com/rudderlabs/rudder-server (number, sqlstate, text),
    https://github.com/airbytehq/airbyte/pull/21764 (IF NOT EXISTS),
    https://github.com/slingdata-io/sling-cli/issues/458 (without it). Texts are known of schemas and tables.
    """
    shown = {"SCHEMA": "Schema", "TABLE": "Table"}.get(kind, "Object")
    return SnowflakeError(
        3041,
        "42710",
        f"SQL compilation error:\n{shown} '{name}' already exists, but current role has no privileges on it. "
        "If this is unexpected and you cannot resolve this problem, contact your system administrator. "
        "ACCOUNTADMIN role may be required to manage the privileges on the object.",
    )


def does_not_exist(kind: str, name: str) -> SnowflakeError:
    """002003: missing, or not visible to the role; the two are never told apart.

    Tables and views ("Object", "Table") come with sqlstate 42S02, everything else with 02000.
    """
    sqlstate = "42S02" if kind in ("Object", "Table", "View") else "02000"
    return SnowflakeError(
        2003, sqlstate, f"SQL compilation error:\n{kind} '{name}' does not exist or not authorized."
    )


def cannot_be_performed() -> SnowflakeError:
    """002043 (02000): USE of, or SHOW in, what is missing or not visible."""
    return SnowflakeError(
        2043,
        "02000",
        "SQL compilation error:\nObject does not exist, or operation cannot be performed.",
    )


def insufficient_privileges(kind: str, name: str) -> SnowflakeError:
    """003001 (42501): the role may see the object, and may not do this with it."""
    return SnowflakeError(
        3001, "42501", f"SQL access control error:\nInsufficient privileges to operate on {kind} '{name}'"
    )


def circle(role: str, grantee: str) -> SnowflakeError:
    """003007: a role that would inherit itself."""
    return SnowflakeError(
        3007, "42501", f"SQL compilation error:\nGranting role '{role}' to '{grantee}' makes a circle."
    )


def grant_partially_executed(privileges: str) -> SnowflakeError:
    """003011 (42501): GRANT of privileges the role cannot give."""
    return SnowflakeError(3011, "42501", f"Grant partially executed: privileges [{privileges}] not granted.")


def location_not_allowed(url: str, integration: str) -> SnowflakeError:
    """003127 (42601): a stage URL outside the integration's allowed locations, or inside a blocked one."""
    return SnowflakeError(
        3127,
        "42601",
        f"SQL compilation error:\nLocation '{url}' is not allowed by integration '{integration}'. "
        "Please use DESC INTEGRATION to check out allowed and blocked locations.",
    )


def integration_not_found(integration: str, stage: str) -> SnowflakeError:
    """003139: the stage's integration was replaced or dropped, whatever has its name now."""
    return SnowflakeError(
        3139,
        "02000",
        f"SQL compilation error:\nIntegration '{integration}' associated with the stage '{stage}' "
        "cannot be found.",
    )


def error_assuming_role(detail: str) -> SnowflakeError:
    """003167 (42601): AWS refused sts:AssumeRole; ``detail`` is AWS' own message."""
    return SnowflakeError(3167, "42601", f"Error assuming AWS_ROLE:\n{detail}")


def stage_failure(cause: str) -> SnowflakeError:
    """091003 (22000): S3 refused; ``cause`` as in ``Access Denied (Status Code: 403; ...)``."""
    return SnowflakeError(91003, "22000", f"Failure using stage area. Cause: [{cause}]")


def remote_file_not_found(file: str) -> SnowflakeError:
    """091016: an object that is gone, or whose reading was denied."""
    return SnowflakeError(
        91016,
        "22000",
        f"Remote file '{file}' was not found. There are several potential causes. The file might not exist. "
        "The required credentials may be missing or invalid.",
    )


def invalid_identifier(name: str) -> SnowflakeError:
    """000904 (42000): a column that is not there."""
    return SnowflakeError(
        904, "42000", f"SQL compilation error: error line 1 at position 0\ninvalid identifier '{name}'"
    )


def unknown_function(name: str) -> SnowflakeError:
    """002140 (42601): a function nobody knows."""
    return SnowflakeError(2140, "42601", f"SQL compilation error:\nUnknown function {name}")


def no_warehouse() -> SnowflakeError:
    """000606 (57P03): a statement that computes, in a session without a warehouse."""
    return SnowflakeError(
        606,
        "57P03",
        "No active warehouse selected in the current session.  "
        "Select an active warehouse with the 'use warehouse' command.",
    )


def no_database(operation: str) -> SnowflakeError:
    """090105 (22000): an unqualified name, and the session has no database."""
    return SnowflakeError(
        90105,
        "22000",
        f"Cannot perform {operation}. This session does not have a current database. "
        "Call 'USE DATABASE', or use a qualified name.",
    )


def no_schema(operation: str) -> SnowflakeError:
    """090106 (22000): an unqualified name, and the session has no schema."""
    return SnowflakeError(
        90106,
        "22000",
        f"Cannot perform {operation}. This session does not have a current schema. "
        "Call 'USE SCHEMA', or use a qualified name.",
    )


def canceled() -> SnowflakeError:
    """000604 (57014): the statement was cancelled."""
    return SnowflakeError(604, "57014", "SQL execution canceled")


def timed_out(seconds: int) -> SnowflakeError:
    """000630 (57014): STATEMENT_TIMEOUT_IN_SECONDS went by."""
    return SnowflakeError(
        630,
        "57014",
        f"Statement reached its statement or warehouse timeout of {seconds} second(s) and was canceled.",
    )


def not_bound(why: str) -> SnowflakeError:
    """A pipe that cannot be given its queue. Text observed by others, its number not (*open*).

    Source: https://github.com/snowflakedb/terraform-provider-snowflake/issues (sources: Snowflake §1.7).
    """
    return SnowflakeError(93100, "22023", f'Pipe Notifications bind failure "{why}"')
