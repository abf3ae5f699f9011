"""What signing in to Snowflake can end with, in connector 4.x and 5.x, as one of our own errors.

Judged by number, HTTP status and exception type, each from a list; never by a range of numbers, since one
range holds what Snowflake, the client and the network say. A number that is on no list is Snowflake's own
answer to the sign-in: it is shown with Snowflake's text.

Numbers of the client: errorcode.py of snowflake.connector 4.x, errorcode.py and error_kinds.py of 5.x.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from runbook.clouds.network import failure, one_line, proxy_in_between
from runbook.errors import CannotTell, RunbookError, SettingsWrong

# -- numbers of the client -----------------------------------------------------------------------------------

NETWORK = frozenset({250001, 250003, 250005, 251011, 251012})
"""Nobody answered, or not to the end."""

NO_BROWSER = frozenset({250008, 250009, 251014, 251015, 251016})
"""The sign-in in a browser did not come about, or came to nothing."""

IDENTITY_PROVIDER = frozenset({250006, 250007})

SETTINGS = frozenset(
    {-1, 0, 251001, 251004, 251005, 251006, 251007, 251008, 251009, 251013, 251017, 251018, 251020, 251021}
)
"""The named connection itself: 4.x gives -1 for a connections.toml that it cannot read."""

KINDS = frozenset(range(1, 16))
"""Of 5.x, where it has nobody's number to give: what kind of failure it is."""

NO_ANSWER_IN_TIME = 14  # a kind of 5.x

OF_THE_CLIENT = frozenset(
    {
        *NETWORK,
        *NO_BROWSER,
        *IDENTITY_PROVIDER,
        *SETTINGS,
        *(250002, 250004, 250011, 250012, 251002, 251003, 251010, 251019),
        *(252001, 252002, 252003, 252004, 252005, 252006, 252007, 252008, 252009, 252010, 252011, 252012),
        *(252013, 253001, 253002, 253003, 253004, 253005, 253006, 253007, 253008, 253009),
        *range(254001, 254021),
        *range(255001, 255007),
    }
)
"""What the client says for itself while a statement runs; every other number is Snowflake's answer."""

SESSION_ENDED = frozenset({390104, 390110, 390111, 390112, 390113, 390114, 390115, 390195, 390303, 390318})
"""Answers to a statement whose session is over (network.py of 4.x, gs_errors.js of the Node driver)."""

# -- numbers of Snowflake, with what to do -------------------------------------------------------------------

_KEY_PAIR = (
    "compare RSA_PUBLIC_KEY of the user (DESC USER) with the private key, user and account of the "
    "connection, and this machine's clock; SYSTEM$GET_LOGIN_FAILURE_DETAILS tells an administrator more"
)
_RENEWED = "get a new token, and put it where the connection reads it"
_UNATTENDED = "what runs by itself signs in with a key pair"
_SECOND_FACTOR = f"approve the request, or give the passcode that is shown now; {_UNATTENDED}"
_BY_NUMBER: Mapping[int, str] = {
    # https://docs.snowflake.com/en/user-guide/key-pair-auth-troubleshooting
    **dict.fromkeys((390144, *range(394300, 394308)), _KEY_PAIR),
    # network.py of 4.x: OAuth's numbers
    **dict.fromkeys((390303, 390318), _RENEWED),
    # https://docs.snowflake.com/en/user-guide/errors-saml
    **dict.fromkeys(
        (390139, 390140, 390191),
        "sign in as this account asks for: correct authenticator, or ask who runs the identity provider",
    ),
    390189: "name a role that the user has, or leave role out of the connection",
}
_LOCKED = "wait 15 minutes, or have an administrator run ALTER USER … SET MINS_TO_UNLOCK = 0"
_NETWORK_POLICY = (
    "sign in from an address that the network policy allows, or have an administrator allow this one"
)
_ELSEWHERE = f"sign in at the identity provider, at a terminal with a browser; {_UNATTENDED}"
_BY_TEXT = (
    # what has no documented number is known by Snowflake's words: they choose what to do, never the kind
    (r"locked", _LOCKED),
    (r"is not allowed to access Snowflake|[Nn]etwork policy", _NETWORK_POLICY),
    (r"\bM[Ff][Aa]\b|TOTP|[Pp]asscode|second factor|\bDuo\b", _SECOND_FACTOR),
    (r"[Tt]oken", _RENEWED),
)

_BY_STATUS: Mapping[int, str] = {
    403: "check account and host of the connection: Snowflake answers so for an account that does not exist "
    "there; a proxy or a firewall may also have answered",
    407: "give the proxy its user and password (HTTPS_PROXY), or name the host in NO_PROXY",
    429: "wait a few minutes, and run the command again: too many requests came from here",
}
_HTTP = {290000 + status: int(status) for status in HTTPStatus}
"""How 4.x numbers a status (ER_HTTP_GENERAL_ERROR)."""

_PASSING = frozenset({408, 429, 500, 502, 503, 504})
"""What may be over a little later; the connector has asked again already.

Source: https://docs.snowflake.com/en/developer-guide/sql-api/handling-responses (429, 5xx)
"""

_KEY_PAIR_HERE = (
    "private_key_file names a PEM file with an RSA or ECDSA private key, private_key_file_pwd its "
    "passphrase and only where it has one"
)
_PRESENTED = "token_file_path names a file with a token that can be read, or token holds it"
_BY_AUTHENTICATOR: Mapping[str, str] = {
    "SNOWFLAKE_JWT": _KEY_PAIR_HERE,
    "OAUTH": _PRESENTED,
    "PROGRAMMATIC_ACCESS_TOKEN": _PRESENTED,
    "WORKLOAD_IDENTITY": "workload_identity_provider names the cloud this runs in; with OIDC, "
    "token_file_path names its token",
}


@dataclass(frozen=True)
class Connection:
    """A named connection, as far as its file can be read: for what is told, never to sign in."""

    name: str
    file: str
    given: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def authenticator(self) -> str:
        """How it signs in, in capitals."""
        return str(self.given.get("authenticator", "SNOWFLAKE")).upper()

    @property
    def needs_a_browser(self) -> bool:
        """Whether a person signs in elsewhere."""
        return self.authenticator in ("EXTERNALBROWSER", "OAUTH_AUTHORIZATION_CODE")

    @property
    def asks_a_person(self) -> bool:
        """Whether each sign-in asks a person: in a browser, or for a second factor.

        The connector keeps a token for the next sign-in only where it is told to, on Linux.
        Source: snowflake.connector 4.x, connection.py (client_request_mfa_token)
        """
        passcode = self.given.get("passcode") or self.given.get("passcode_in_password")
        by_okta = self.authenticator.startswith("HTTPS://")
        return (
            self.needs_a_browser or self.authenticator == "USERNAME_PASSWORD_MFA" or by_okta or bool(passcode)
        )

    @property
    def place(self) -> str:
        """Its host and port; "" where the file does not say."""
        host = self.given.get("host")
        if not host and "account" in self.given:
            host = f"{self.given['account']}.snowflakecomputing.com"
        return f"{host}:{self.given.get('port', 443)}" if host else ""


def connection_named(name: str) -> Connection:
    """What connections.toml (or config.toml) says of a connection; nothing where it cannot be read."""
    from snowflake.connector.config_manager import CONFIG_MANAGER

    home = Path(os.environ.get("SNOWFLAKE_HOME") or "~/.snowflake").expanduser()
    try:
        from snowflake.connector.constants import CONFIG_FILE, CONNECTIONS_FILE

        file = CONNECTIONS_FILE if CONNECTIONS_FILE.exists() or not CONFIG_FILE.exists() else CONFIG_FILE
    except (ImportError, OSError):
        file = home / "connections.toml"
    try:
        given = CONFIG_MANAGER["connections"][name]
        return Connection(name, str(file), dict(given))
    except Exception:  # noqa: BLE001 (whatever reading it raises is told when it is used)
        return Connection(name, str(file))


def not_signed_in(error: BaseException, connection: Connection, target: str) -> RunbookError:
    """Why no session came about.

    SettingsWrong for what was found before anybody was asked; CannotTell where Snowflake refused (final: it
    locks a user after five refusals, so nobody asks another time) or nobody answered (unreachable).
    """
    error = getattr(error, "cause", None) or error  # ReauthenticationRequest of 4.x
    from snowflake.connector import errors

    told = _Told(connection, target)
    status = _status(error)
    if getattr(error, "errno", None) == 250001 and (by_words := _of_5(str(error), told)):
        return by_words
    if status:
        return told.by_status(status)
    return _by_number(error, told) if isinstance(error, errors.Error) else told.by_type(error)


def _by_number(error: Any, told: "_Told") -> RunbookError:
    """The connector's own error: its number is on one of the lists, or is Snowflake's."""
    from snowflake.connector import errors

    number, why = int(error.errno or 0), _words(error)
    if number in NO_BROWSER | IDENTITY_PROVIDER:
        return told.refused(why, _ELSEWHERE)
    if number == NO_ANSWER_IN_TIME and told.connection.needs_a_browser:
        return told.refused(f"Nobody signed in in the browser: {why}", _ELSEWHERE)
    if number == 250001 and type(error) is errors.DatabaseError:  # so 4.x gives a refused second factor
        return told.refused(why, _SECOND_FACTOR)
    if number in NETWORK or number == NO_ANSWER_IN_TIME:
        return told.unreachable(failure(error))
    if number in SETTINGS or (number in KINDS and not error.sqlstate):  # with one, 2 is Snowflake's 000002
        return told.wrong(why)
    return told.refused(why, _remedy(number, why))


@dataclass(frozen=True)
class _Told:
    """The ends of a sign-in, with the connection and the target in each."""

    connection: Connection
    target: str

    @property
    def what(self) -> str:
        return f"Snowflake connection {self.connection.name!r} cannot be used"

    @property
    def where(self) -> str:
        return f"{self.target}, [{self.connection.name}] of {self.connection.file}"

    @property
    def file(self) -> str:
        return f"[{self.connection.name}] in connections.toml"

    def wrong(self, why: str) -> SettingsWrong:
        """The connection's own settings, or a file they name."""
        right = _BY_AUTHENTICATOR.get(self.connection.authenticator, "")
        if self.connection.authenticator == "SNOWFLAKE_JWT" and not _has_key(self.connection):
            why = f"It signs in with a key pair and names no private_key_file ({why})"
        remedy = f"correct {self.file}" + (f": {right}" if right else "; its file mode must be 0600")
        return SettingsWrong(self.what, where=self.where, why=why, remedy=remedy)

    def refused(self, why: str, remedy: str) -> CannotTell:
        """Snowflake, or who vouches for the user, said no: asking again only locks the user."""
        remedy = remedy or f"check account, user, role and authentication of {self.file}"
        return CannotTell(self.what, where=self.where, why=why, remedy=remedy, final=True)

    def unreachable(self, why: str) -> CannotTell:
        """Nobody answered."""
        place = self.connection.place
        why = why if not place or place.partition(":")[0] in why else f"{place}: {why}"
        remedy = f"check the network{proxy_in_between()}, and account and host of {self.file}"
        return CannotTell(self.what, where=self.where, why=why, remedy=remedy, unreachable=True)

    def by_status(self, status: int, why: str = "") -> CannotTell:
        """Somebody answered, with an HTTP status instead of Snowflake's own answer."""
        place = self.connection.place or "The host"
        if status == 200:
            why = f"{place} answers, but not as Snowflake does{f' ({why})' if why else ''}"
            remedy = (
                f"check account and host of {self.file}, and whether a proxy or a sign-in page is in between"
            )
            return CannotTell(self.what, where=self.where, why=why, remedy=remedy)
        remedy = _BY_STATUS.get(
            status,
            "run the command again a little later"
            if status in _PASSING
            else f"check account and host of {self.file}: that is not Snowflake answering",
        )
        phrase = next((each.phrase for each in HTTPStatus if each == status), "")
        why = f"{place} answers HTTP {status} {phrase}".rstrip()
        return CannotTell(self.what, where=self.where, why=why, remedy=remedy, unreachable=status in _PASSING)

    def by_type(self, error: BaseException) -> RunbookError:
        """What the connector lets through: of a key file, of a token file, of a prompt."""
        if isinstance(error, EOFError):
            return self.refused("It asks a person, and there is no terminal", _ELSEWHERE)
        if isinstance(error, AttributeError | KeyError):  # JSON that has not what Snowflake's has
            return self.by_status(200)
        return self.wrong(_words(error))


def _words(error: Any) -> str:
    """An error in a line: the file and the reason of a file's trouble, else number and text."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    text = one_line(without_excerpt(str(getattr(error, "msg", None) or error)))
    return text.rstrip("?") or type(error).__name__


def without_excerpt(text: str) -> str:
    """Without lines as "3 | password = …": 5.x shows what it cannot read in connections.toml."""
    return "\n".join(line for line in text.splitlines() if not re.match(r"\s*\d*\s*\|", line))


def _remedy(number: int, text: str) -> str:
    known = _BY_NUMBER.get(number)
    return known or next((remedy for pattern, remedy in _BY_TEXT if re.search(pattern, text)), "")


def _has_key(connection: Connection) -> bool:
    return bool({"private_key", "private_key_file"} & connection.given.keys())


def _of_5(text: str, told: _Told) -> RunbookError | None:
    """5.x has one number, 250001, for whatever ends a sign-in on this side; its text begins with the kind.

    Source: snowflake.connector 5.2.0, sf_core; each seen by causing it.
    """
    said = one_line(text.partition("Failed to login: ")[2])
    if found := re.search(r"(?:error|last) status:? (\d{3})", said):
        return told.by_status(int(found[1]))
    return next((end(told, said) for start, end in _KINDS_OF_5 if said.startswith(start)), None)


def _key_of_5(told: _Told, said: str) -> RunbookError:
    reason = said.removeprefix("Authentication failed.").strip()
    if reason in ("Unspecified", "UnexpectedError", ""):
        reason = "The private key cannot be read, or not with this passphrase"
    return told.wrong(reason)


_KINDS_OF_5: tuple[tuple[str, Callable[[_Told, str], RunbookError]], ...] = (
    ("HTTP request failed", _Told.unreachable),
    ("Invalid Snowflake response", lambda told, said: told.by_status(200, said)),
    ("Missing response field", lambda told, said: told.by_status(200, said)),
    ("Login error: ", lambda told, said: told.refused(said, _remedy(250001, said) or _SECOND_FACTOR)),
    ("Authentication failed.", _key_of_5),
    ("Workload Identity", _Told.wrong),
    ("OAuth", lambda told, said: told.refused(said, _ELSEWHERE)),
    ("External browser", lambda told, said: told.refused(said, _ELSEWHERE)),
    ("Native Okta", lambda told, said: told.refused(said, _ELSEWHERE)),
)


def _status(error: BaseException) -> int:
    """The HTTP status somebody answered with, 0 where none did.

    4.x says it in the number (290404), or loses it on the way: then it stands only in the frame that read
    the answer (network.py, raw_ret).
    """
    for each in _chain(error):
        if status := _HTTP.get(getattr(each, "errno", None) or 0):
            return status
        trace = each.__traceback__
        while trace is not None:
            answer = trace.tb_frame.f_locals.get("raw_ret")
            if isinstance(status := getattr(answer, "status_code", None), int):
                return status if _is_no_refusal(error) else 0
            trace = trace.tb_next
    return 0


def _is_no_refusal(error: BaseException) -> bool:
    """Whether what came back was not Snowflake's own answer, which comes with status 200 too."""
    from snowflake.connector import errors

    if not isinstance(error, errors.Error):
        return True
    return type(error) not in (errors.DatabaseError, errors.ProgrammingError)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and each not in seen:
        seen.append(each)
        each = each.__cause__ or each.__context__
    yield from seen
