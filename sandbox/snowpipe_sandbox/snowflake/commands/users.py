"""ALTER USER: the public keys of the account's user, and the lock after refused sign-ins.

Source: https://docs.snowflake.com/en/sql-reference/sql/alter-user
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from snowpipe_sandbox.snowflake import errors, result
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.result import Result
from snowpipe_sandbox.snowflake.sign_in import KEY_PROPERTIES

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session


def alter(session: Session, tokens: Tokens) -> Result:
    """ALTER USER name SET RSA_PUBLIC_KEY = '…' | MINS_TO_UNLOCK = 0, UNSET RSA_PUBLIC_KEY[_2]."""
    name = tokens.identifier()
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
