"""Which right keeps a role from seeing something: the first it does not hold on the way there."""

from runbook.clouds.failures import DOES_NOT_EXIST, NO_PRIVILEGE, Row, SqlFailed
from runbook.clouds.reader import Reader
from runbook.errors import CannotTell
from runbook.settings.names import two_parts

GRANT_OPTION = "with grant option"
ROLE, DATABASE_ROLE = "role", "database role"
GRANTS_EVERYTHING = frozenset({"ACCOUNTADMIN", "SECURITYADMIN"})


def inherits(reader: Reader, role: str, other: str) -> bool:
    """Whether ``role`` is ``other``, or has it granted, directly or through roles between them. Only reads.

    Asked from below: above a role there are few. Source:
    https://docs.snowflake.com/en/user-guide/security-access-control-overview
    """
    left, known = [other], {other}
    while left and role not in known:
        quoted = left.pop().replace('"', '""')
        for row in reader.sql(f'SHOW GRANTS OF ROLE "{quoted}"'):
            name = str(row["grantee_name"])
            if row["granted_to"] == "ROLE" and name not in known:
                known.add(name)
                left.append(name)
    return role in known


def first_missing(reader: Reader, role: str, way: tuple[str, ...]) -> str:
    """The first right of ``way`` that ``role`` does not hold; its last where that is not known.

    ``way``: ``("USAGE on database RAW", …, "SELECT on table RAW.SNOWPLOW.EVENTS")``. Only reads.
    """
    try:
        held = held_by(reader, role)
    except (SqlFailed, CannotTell):
        return way[-1]
    return next((right for right in way if not _holds(held, right)), way[-1])


def _holds(held: frozenset[str], right: str) -> bool:
    return right in held or f"OWNERSHIP {right.partition(' ')[2]}" in held


def held_by(reader: Reader, role: str) -> frozenset[str]:
    """Everything granted to the role and to the roles it inherits, as ``SELECT on table …``. Only reads.

    What may be handed on is there a second time, with GRANT_OPTION behind it. Every role has what PUBLIC
    has, without a grant that shows it.

    Sources: https://docs.snowflake.com/en/sql-reference/sql/show-grants,
    https://docs.snowflake.com/en/user-guide/security-access-control-overview
    """
    found: set[str] = set()
    known = {(ROLE, role), (ROLE, "PUBLIC")}
    left = sorted(known)
    while left:
        for row in granted_to(reader, *left.pop()):
            kind, name = str(row["granted_on"]).replace("_", " ").lower(), str(row["name"])
            right = f"{row['privilege']} on {kind}" + ("" if kind == "account" else f" {name}")
            found.add(right)
            if str(row.get("grant_option")).lower() == "true":
                found.add(f"{right} {GRANT_OPTION}")
            if is_inherited(kind, str(row["privilege"]), name) and (kind, name) not in known:
                known.add((kind, name))
                left.append((kind, name))
    return frozenset(found)


def granted_to(reader: Reader, kind: str, name: str) -> list[Row]:
    """The grants to a role, its name as Snowflake keeps it, or to a database role, its name as shown.

    None of a database role that we may not look at: others' may be among what a role holds.
    """
    if kind == ROLE:
        quoted = name.replace('"', '""')
        return reader.sql(f'SHOW GRANTS TO ROLE "{quoted}"')
    try:
        return reader.sql(f"SHOW GRANTS TO DATABASE ROLE {two_parts(name)}")
    except SqlFailed as error:
        if error.errno in (*DOES_NOT_EXIST, *NO_PRIVILEGE):
            return []
        raise


def is_inherited(kind: str, privilege: str, name: str) -> bool:
    """Whether a grant hands on what another role has. What Snowflake's own database roles have is not shown.

    Source: https://docs.snowflake.com/en/sql-reference/sql/grant-database-role
    """
    is_readable = kind == DATABASE_ROLE and not name.startswith("SNOWFLAKE.") and two_parts(name) != ""
    return privilege == "USAGE" and (kind == ROLE or is_readable)
