"""What GRANT, REVOKE and SHOW GRANTS are about: privileges by name, what they are on, and who has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snowpipe_sandbox.snowflake import errors, resolve
from snowpipe_sandbox.snowflake.catalog import Database, Objects, Schema, SchemaObject
from snowpipe_sandbox.snowflake.commands import beside, database_roles, roles
from snowpipe_sandbox.snowflake.errors import SnowflakeError
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.names import qualify, quoted
from snowpipe_sandbox.snowflake.privileges import PRIVILEGES, Owned, kind_of

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session

_OTHER_WORDS = """
    OWNERSHIP ALL IMPORTED PRIVILEGES READ WRITE TASK STREAM FUNCTION PROCEDURE SEQUENCE EXECUTE MANAGE
    APPLY ATTACH IMPORT OVERRIDE PURCHASE MANAGED REBUILD EVOLVE SNOWPARK NOTIFICATION API SECURITY EXTERNAL
    MATERIALIZED DYNAMIC TEMPORARY CATALOG SHARE USER NETWORK POLICY FAILOVER REPLICATION GROUP LISTING
    ACCOUNT ALERT ALERTS AGENT APPLICATION AUDIT AUTHENTICATION BUDGET COMPUTE CONNECTION CONTACT CORTEX DATA
    EVENT EXCHANGE GIT HYBRID ICEBERG IMAGE LEVEL LOG MASKING METRIC MODEL NOTEBOOK ORGANIZATION PACKAGE
    PASSWORD POOL PROFILE PROJECTION REPOSITORY RESOURCE ROW ACCESS RULE SECRET SERVICE SESSION SNAPSHOT
    STREAMLIT SUPPORT TAG TRACE VOLUME AGGREGATION CLASSIFICATION ENDPOINT BIND CALLER INSTANCE METRICS
"""
KNOWN_WORDS = {word for held in PRIVILEGES.values() for name in held for word in name.split()}
KNOWN_WORDS |= set(_OTHER_WORDS.split())
"""Words a privilege's name is made of, emulated or not; any other word is a syntax error."""

PLURALS = {
    "TABLES": "TABLE",
    "VIEWS": "VIEW",
    "STAGES": "STAGE",
    "PIPES": "PIPE",
    "STREAMS": "STREAM",
    "TASKS": "TASK",
    "SCHEMAS": "SCHEMA",
    "PROCEDURES": "PROCEDURE",
    "FUNCTIONS": "FUNCTION",
    "ALERTS": "ALERT",
    "SEQUENCES": "SEQUENCE",
    "MATERIALIZED": "MATERIALIZED VIEW",
    "DYNAMIC": "DYNAMIC TABLE",
}


@dataclass(frozen=True, slots=True)
class Target:
    """What a grant is on: an object, the account (both None), or every or every later object of a kind."""

    obj: Owned | None = None
    kind: str = "ACCOUNT"
    future: bool = False
    bulk: bool = False
    scope: Database | Schema | None = None


def read_privileges(tokens: Tokens) -> list[str]:
    """``SELECT, CREATE PIPE, …`` up to ON."""
    found: list[str] = []
    words: list[str] = []
    while not tokens.sees("ON"):
        if tokens.take(","):
            found.append(" ".join(words))
            words = []
        elif tokens.next.kind == "word" and tokens.next.value in KNOWN_WORDS:
            words.append(tokens.advance().value)
        else:
            raise tokens.error()
    tokens.expect("ON")
    found.append(" ".join(words))
    if "" in found:
        raise tokens.error()
    return ["ALL" if name in ("ALL", "ALL PRIVILEGES") else name for name in found]


def read_target(session: Session, tokens: Tokens) -> Target:
    """What stands after ON. Raises 2003 for an object the role may not know of (unless it manages grants)."""
    if tokens.take("ACCOUNT"):
        return Target()
    if tokens.sees("FUTURE") or tokens.sees("ALL"):
        future = tokens.one_of("FUTURE", "ALL") == "FUTURE"
        kind = _plural(tokens)
        tokens.expect("IN")
        scope_kind = tokens.one_of("SCHEMA", "DATABASE")
        parts = tokens.name(2 if scope_kind == "SCHEMA" else 1)
        scope: Database | Schema = (
            schema(session, parts) if scope_kind == "SCHEMA" else database(session, parts[0])
        )
        return Target(None, kind, future=future, bulk=not future, scope=scope)
    found = named(session, tokens)
    return Target(found, kind_of(found))


def _plural(tokens: Tokens) -> str:
    if tokens.take("FILE", "FORMATS"):
        return "FILE FORMAT"
    word = tokens.next.value
    if word not in PLURALS:
        raise errors.not_emulated(f"grants on {word}")
    tokens.advance()
    if " " in PLURALS[word]:
        tokens.expect(PLURALS[word].partition(" ")[2] + "S")
    return PLURALS[word]


def manages(session: Session) -> bool:
    """MANAGE GRANTS: may grant and see anything."""
    return session.account.privileges.has_on_account(session.role, "MANAGE GRANTS")


def _visible(session: Session, found: Owned | None) -> bool:
    return found is not None and (manages(session) or session.account.privileges.sees(session.role, found))


def database(session: Session, name: str) -> Database:
    """A database the role may know of, or manages grants on. Raises 2003."""
    found = session.account.catalog.databases.get(name)
    if found is None or not _visible(session, found):
        raise errors.does_not_exist("Database", quoted(name))
    return found


def schema(session: Session, parts: tuple[str, ...]) -> Schema:
    """A schema the role may know of, or manages grants on. Raises 2003 or 090105."""
    if len(parts) == 1:
        if session.database is None:
            raise errors.no_database("GRANT")
        parts = (session.database, parts[0])
    found = session.account.catalog.schemas.get((parts[0], parts[1]))
    if found is None or not _visible(session, found):
        raise errors.does_not_exist("Schema", ".".join(quoted(part) for part in parts))
    return found


def named(session: Session, tokens: Tokens) -> Owned:
    """The object that kind and name say next. Raises 2003."""
    catalog = session.account.catalog
    if tokens.take("DATABASE"):
        return database(session, tokens.identifier())
    if tokens.take("SCHEMA"):
        return schema(session, tokens.name(2))
    integrations: dict[str, Owned] = {**catalog.integrations, **catalog.notifications}
    named: dict[str, tuple[str, Mapping[str, Owned]]] = {
        "INTEGRATION": ("Integration", integrations),
        "WAREHOUSE": ("Warehouse", catalog.warehouses),
    }
    if tokens.sees("STORAGE", "INTEGRATION") or tokens.sees("NOTIFICATION", "INTEGRATION"):
        tokens.advance()
    for word, (shown, held) in named.items():
        if tokens.take(word):
            name = tokens.identifier()
            found = held.get(name)
            if found is None or not _visible(session, found):
                raise errors.does_not_exist(shown, quoted(name))
            return found
    return _schema_object(session, tokens)


def _schema_object(session: Session, tokens: Tokens) -> SchemaObject:
    catalog = session.account.catalog
    kinds: dict[str, Objects[Any]] = {
        "FILE FORMAT": catalog.file_formats,
        "STAGE": catalog.stages,
        "PIPE": catalog.pipes,
        "STREAM": catalog.streams,
        "TASK": catalog.tasks,
        "DYNAMIC TABLE": catalog.tables,
        "MATERIALIZED VIEW": catalog.tables,
        "TABLE": catalog.tables,
        "VIEW": catalog.tables,
    }
    for kind, objects in kinds.items():
        if tokens.take(*kind.split()):
            shown = "Table" if objects is catalog.tables else kind.capitalize()
            found: SchemaObject = _in_schema(session, objects, shown, tokens)
            return found
    for kind in beside.READERS:
        if tokens.take(*kind.split()):
            return beside.find(session, tokens, kind)
    if _is_bare_name(tokens):
        return _in_schema(session, catalog.tables, "Table", tokens)
    if tokens.next.kind == "word" and not tokens.at_end:
        raise errors.not_emulated(f"grants on {tokens.next.value}")
    raise tokens.error()


def _is_bare_name(tokens: Tokens) -> bool:
    """A name with no kind before it is a table's.

    Source: https://docs.snowflake.com/en/user-guide/data-load-snowpipe-auto-s3 (``GRANT INSERT, SELECT ON
    mydb.public.mytable TO ROLE …``).
    """
    if tokens.sees("IDENTIFIER", "("):
        return True
    return tokens.next.kind in ("word", "quoted") and tokens.ahead(1).value in (".", "TO", "FROM")


def _in_schema(session: Session, objects: Objects[resolve.SO], kind: str, tokens: Tokens) -> resolve.SO:
    parts = tokens.name()
    if manages(session):
        found = objects.get(qualify(parts, session))
        if found is not None:
            return found
    return resolve.visible(session.account, session, objects, kind, parts)


def read_grantee(session: Session, tokens: Tokens, word: str) -> str:
    """``TO [ROLE | DATABASE ROLE] name`` / ``FROM …``."""
    tokens.expect(word)
    if tokens.take("DATABASE", "ROLE"):
        return database_roles.find(session, tokens).name
    if tokens.sees("SHARE"):
        raise errors.not_emulated("grants to a share")
    if tokens.sees("USER") and not tokens.at_end and tokens.ahead(1).kind in ("word", "quoted"):
        raise errors.not_emulated("privileges granted to a user")  # …/sql/grant-privilege-user
    tokens.take("ROLE")
    return roles.find(session, tokens.identifier()).name


def require_same_database(session: Session, target: Target, role: str) -> None:
    """A database role holds privileges on its own database and on what is in it alone.

    Source: https://docs.snowflake.com/en/user-guide/security-access-control-overview; Snowflake's number and
    text are on no public page.
    """
    database = session.account.privileges.roles[role].database
    on = target.scope or target.obj
    inside = on.name if isinstance(on, Database) else getattr(on, "database", "")
    if database and inside != database:
        raise errors.not_emulated("a privilege on what is not in a database role's database")


def scope_of(target: Target) -> Database | Schema:
    """The schema or database of a bulk or future grant."""
    if target.scope is None:  # a bulk or future target always has one
        raise errors.syntax_error("unexpected '<EOF>'.")
    return target.scope


def objects_of(session: Session, target: Target) -> list[Owned | None]:
    """What the grant is made on: one object (None: the account, or a future grant's scope) or many."""
    if not target.bulk:
        return [target.obj]
    if target.kind == "PIPE":
        # Bulk grants on pipes are not supported (sources: Snowflake §4.1).
        raise SnowflakeError(2, "0A000", "Unsupported feature 'GRANT/REVOKE ON ALL PIPES'.")
    scope = scope_of(target)
    found: list[Owned | None] = []
    for each in session.account.privileges.everything():
        inside = (
            isinstance(each, SchemaObject | Schema)
            and each.database == (scope.database if isinstance(scope, Schema) else scope.name)
            and (
                isinstance(scope, Database) or (isinstance(each, SchemaObject) and each.schema == scope.name)
            )
        )
        if inside and kind_of(each) == target.kind:
            found.append(each)
    return found
