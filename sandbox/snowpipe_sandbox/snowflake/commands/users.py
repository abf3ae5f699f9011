"""Users: the one that signs in, with its public keys and its lock, and others that are there by name.

Nobody signs in as another user: they are granted roles, shown and dropped. Sources:
https://docs.snowflake.com/en/sql-reference/sql/alter-user,
https://docs.snowflake.com/en/sql-reference/sql/create-user,
https://docs.snowflake.com/en/sql-reference/sql/show-users.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from snowpipe_sandbox.snowflake import errors, result
from snowpipe_sandbox.snowflake.catalog import User
from snowpipe_sandbox.snowflake.grammar import options
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.result import Result
from snowpipe_sandbox.snowflake.sign_in import KEY_PROPERTIES

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.commands.creating import Mode
    from snowpipe_sandbox.snowflake.sessions import Session

_TEXTS = (
    "PASSWORD",
    "LOGIN_NAME",
    "DISPLAY_NAME",
    "FIRST_NAME",
    "MIDDLE_NAME",
    "LAST_NAME",
    "EMAIL",
    "RSA_PUBLIC_KEY",
    "RSA_PUBLIC_KEY_2",
    "COMMENT",
)
_WORDS = ("DEFAULT_WAREHOUSE", "DEFAULT_ROLE", "TYPE", "NETWORK_POLICY")
_FLAGS = ("MUST_CHANGE_PASSWORD", "DISABLED")
PROPERTIES: dict[str, options.Reader] = {
    **dict.fromkeys(_TEXTS, options.string),
    **dict.fromkeys(_WORDS, options.word),
    **dict.fromkeys(_FLAGS, options.boolean),
    "DEFAULT_NAMESPACE": lambda tokens: ".".join(options.name(tokens)),
    "DEFAULT_SECONDARY_ROLES": options.value,
    "DAYS_TO_EXPIRY": options.value,
    "MINS_TO_UNLOCK": options.value,
}


def create(session: Session, tokens: Tokens, mode: Mode) -> Result:
    """CREATE USER. Raises 002002 for a name that is taken, the signing user's among them."""
    name = tokens.identifier()
    given = options.read_options(tokens, PROPERTIES)
    account = session.account
    with account.lock:
        account.privileges.require_on_account(session.role, "CREATE USER")
        if name == account.user and mode.replace:
            raise errors.not_emulated("CREATE OR REPLACE of the user that signs in")
        present = mode.existing(name, exists=name == account.user or name in account.users)
        if present is not None:
            return present
        account.users[name] = User(name, session.role, account.now())
        account.users[name].put(given)
    return result.status(f"User {name} successfully created.")


def drop(session: Session, tokens: Tokens) -> Result:
    """DROP USER."""
    name = tokens.identifier()
    tokens.end()
    if name == session.account.user:
        raise errors.not_emulated("DROP USER of the user that signs in")
    with session.account.lock:
        _owned(session, name)
        del session.account.users[name]
    return result.status(f"{name} successfully dropped.")


def _owned(session: Session, name: str) -> User:
    found = session.account.users.get(name)
    if found is None:
        raise errors.does_not_exist("User", name)
    if not session.account.privileges.holds_role(session.role, found.owner):
        raise errors.insufficient_privileges("user", name)
    return found


SHOWN = (
    "name",
    "login_name",
    "display_name",
    "first_name",
    "last_name",
    "email",
    "comment",
    "disabled",
    "must_change_password",
    "default_warehouse",
    "default_namespace",
    "default_role",
    "owner",
    "has_password",
    "has_rsa_public_key",
    "type",
)
"""The columns that are known here; Snowflake has more."""


def rows(session: Session) -> list[tuple[Any, ...]]:
    """SHOW USERS: (created_on, and SHOWN) of each user."""
    account = session.account
    signing = User(account.user, "ACCOUNTADMIN", account.created_on, {"PASSWORD": ""})
    signing.properties |= {"RSA_PUBLIC_KEY": ""} if account.sign_ins.keys else {}
    return [_row(each) for each in sorted([signing, *account.users.values()], key=lambda each: each.name)]


def _row(each: User) -> tuple[Any, ...]:
    flags = {
        "has_password": str("PASSWORD" in each.properties).lower(),
        "has_rsa_public_key": str("RSA_PUBLIC_KEY" in each.properties).lower(),
        "disabled": str(each.properties.get("DISABLED", False)).lower(),
        "must_change_password": str(each.properties.get("MUST_CHANGE_PASSWORD", False)).lower(),
        "name": each.name,
        "owner": each.owner,
    }
    named = {"login_name": each.name, "display_name": each.name}
    return (
        each.created_on,
        *(flags.get(name) or each.properties.get(name.upper()) or named.get(name, "") for name in SHOWN),
    )


def alter(session: Session, tokens: Tokens) -> Result:
    """ALTER USER name SET RSA_PUBLIC_KEY = '…' | MINS_TO_UNLOCK = 0, UNSET RSA_PUBLIC_KEY[_2].

    Of a user nobody signs in as: SET of any property.
    """
    name = tokens.identifier()
    if name in session.account.users and tokens.take("SET"):
        given = options.read_options(tokens, PROPERTIES)
        with session.account.lock:
            _owned(session, name).put(given)
        return result.status("Statement executed successfully.", result.DDL)
    verb = tokens.one_of("SET", "UNSET")
    if tokens.next.value not in (*KEY_PROPERTIES, "MINS_TO_UNLOCK"):
        raise errors.not_emulated(f"ALTER USER … {verb} {tokens.next.text}")
    if name != session.account.user:
        raise errors.does_not_exist("User", name)
    while not tokens.at_end:
        _set(session, tokens) if verb == "SET" else _unset(session, tokens)
        tokens.take(",")
    return result.status("Statement executed successfully.", result.DDL)


def _set(session: Session, tokens: Tokens) -> None:
    sign_ins = session.account.sign_ins
    if tokens.take("MINS_TO_UNLOCK"):
        tokens.expect("=")
        if int(tokens.number()) != 0:
            raise errors.not_emulated("MINS_TO_UNLOCK other than 0")
        sign_ins.failed, sign_ins.locked_until = 0, None
        return
    which = tokens.identifier()
    if which not in KEY_PROPERTIES:
        raise errors.not_emulated(f"ALTER USER … SET {which}")
    tokens.expect("=")
    key = "".join(tokens.string().split())
    try:
        base64.b64decode(key, validate=True)
    except binascii.Error:
        raise errors.invalid_value(key[:20], which) from None
    sign_ins.keys[which] = key


def _unset(session: Session, tokens: Tokens) -> None:
    which = tokens.identifier()
    if which not in KEY_PROPERTIES:
        raise errors.not_emulated(f"ALTER USER … UNSET {which}")
    session.account.sign_ins.keys.pop(which, None)
