"""CREATE [OR REPLACE | OR ALTER] <kind> [IF NOT EXISTS] <name>, by kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from snowpipe_sandbox.snowflake import errors, infer_schema, plain_sql, result, sequences, tables
from snowpipe_sandbox.snowflake.commands import (
    beside,
    containers,
    database_roles,
    derived,
    file_formats,
    integrations,
    monitors,
    notifications,
    pipes,
    roles,
    stages,
    streams,
    tagging,
    tasks,
    users,
)
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.privileges import Owned, kind_of
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session


@dataclass(frozen=True, slots=True)
class Mode:
    """How a CREATE treats what is already there."""

    replace: bool = False
    or_alter: bool = False
    if_not_exists: bool = False
    transient: bool = False

    def existing(self, name: str, *, exists: bool) -> Result | None:
        """IF NOT EXISTS over something: the answer that changes nothing. 002002 without either clause."""
        if not exists or self.replace or self.or_alter:
            return None
        if self.if_not_exists:
            return result.status(f"{name} already exists, statement succeeded.")
        raise errors.already_exists(name)

    def present(self, session: Session, found: Owned | None) -> Result | None:
        """The same for what has an owner: 003041 where the role holds nothing on it, IF NOT EXISTS or not."""
        plain = not self.replace and not self.or_alter
        if found is not None and plain and not session.account.privileges.has_any(session.role, found):
            raise errors.exists_unseen(kind_of(found), found.name)
        return self.existing(found.name if found else "", exists=found is not None)


Creator = Callable[["Session", Tokens, Mode], Result]

KINDS: list[tuple[tuple[str, ...], Creator]] = [
    (("STORAGE", "INTEGRATION"), integrations.create),
    (("NOTIFICATION", "INTEGRATION"), notifications.create),
    (("STAGE",), stages.create),
    (("FILE", "FORMAT"), file_formats.create),
    (("PIPE",), pipes.create),
    (("STREAM",), streams.create),
    (("TASK",), tasks.create),
    (("DATABASE", "ROLE"), database_roles.create),
    (("DATABASE",), containers.create_database),
    (("SCHEMA",), containers.create_schema),
    (("WAREHOUSE",), containers.create_warehouse),
    (("ROLE",), roles.create),
    (("USER",), users.create),
    (("RESOURCE", "MONITOR"), monitors.create),
    (("DYNAMIC", "TABLE"), derived.create_dynamic),
    (("MATERIALIZED", "VIEW"), derived.create_materialized),
    *[(tuple(kind.split()), beside.creator(kind, read)) for kind, read in beside.READERS.items()],
]
OR_ALTER = ("STAGE", "FILE", "PIPE", "DATABASE", "SCHEMA", "ROLE", "WAREHOUSE")
TABLE_WORDS = ("TABLE", "TRANSIENT", "VIEW")
TEMPORARY = ("TEMPORARY", "TEMP")


CLONED = ("STAGE", "FILE", "STREAM", "TASK")
"""First words of kinds that can be cloned by themselves.

Source: https://docs.snowflake.com/en/sql-reference/sql/create-clone
"""


def _names_a_source(tokens: Tokens) -> bool:
    """Whether CLONE stands behind the name, which may have three parts."""
    parts = next(n for n in (1, 3, 5) if tokens.ahead(n).text != "." or n == 5)
    return tokens.ahead(parts).value == "CLONE"


def create(session: Session, tokens: Tokens) -> Result:
    """CREATE of any kind; a table or view goes through sqlglot. What is not emulated is refused."""
    plain = tagging.without(session, tokens.text)
    if plain != tokens.text:
        tokens = Tokens(plain)
    tokens.expect("CREATE")
    replace = tokens.take("OR", "REPLACE")
    or_alter = not replace and tokens.take("OR", "ALTER")
    transient = (
        tokens.take("TRANSIENT") if tokens.ahead(1).value in ("SCHEMA", "DATABASE", "DYNAMIC") else False
    )
    is_temporary = tokens.next.value in TEMPORARY and tokens.ahead(1).value in ("TABLE", "VIEW")
    if tokens.next.value == "SECURE" and tokens.ahead(1).value in (*beside.CALLED, "MATERIALIZED"):
        tokens.advance()
    is_secure = tokens.next.value == "SECURE" and tokens.ahead(1).value == "VIEW"
    if (tokens.next.value in TABLE_WORDS or is_temporary or is_secure) and not or_alter:
        return _create_table(session, tokens.text)
    if or_alter and tokens.next.value in ("TABLE", "TRANSIENT"):
        return _create_or_alter_table(session, tokens.text[tokens.next.start :])
    for words, creator in KINDS:
        if tokens.take(*words):
            if or_alter and words[0] not in OR_ALTER:
                raise errors.not_emulated(f"CREATE OR ALTER {' '.join(words)}")
            mode = Mode(replace, or_alter, tokens.take("IF", "NOT", "EXISTS"), transient)
            if mode.if_not_exists and (replace or or_alter):
                raise errors.SnowflakeError(
                    1003,
                    "42000",
                    "SQL compilation error:\noptions IF NOT EXISTS and OR REPLACE are incompatible.",
                )
            if words[0] in CLONED and _names_a_source(tokens):
                raise errors.not_emulated(f"CREATE {' '.join(words)} … CLONE")
            session.commit()
            return creator(session, tokens, mode)
    if tokens.at_end or tokens.next.kind != "word":
        raise tokens.error()
    raise errors.not_emulated(f"CREATE {' '.join(tokens.ahead(n).text for n in range(2)).strip()}")


def _create_or_alter_table(session: Session, rest: str) -> Result:
    """A table that is not there yet is made; what would change one is not emulated.

    Source: https://docs.snowflake.com/en/sql-reference/sql/create-table (CREATE OR ALTER TABLE)
    """
    try:
        return _create_table(session, f"CREATE {rest}")
    except errors.SnowflakeError as error:
        if error.errno != 2002:  # already exists
            raise
        raise errors.not_emulated("CREATE OR ALTER TABLE over a table that exists") from None


def _create_table(session: Session, text: str) -> Result:
    templated = infer_schema.template(Tokens(text))
    if templated is not None:
        head, query, rest = templated
        columns = infer_schema.columns_of(plain_sql.run(session, query))
        text = f"{head}({columns}) {rest}"
    statement = plain_sql.one_statement(sequences.plain_clauses(text))
    if not isinstance(statement, exp.Create):
        raise errors.not_emulated(text.strip()[:60])
    return tables.create(session, statement)
