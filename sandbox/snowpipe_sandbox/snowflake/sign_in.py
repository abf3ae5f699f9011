"""Who may sign in to an account: by password, key pair, token and second factor, as Snowflake judges them.

Requests and answers as snowflake-connector-python sends and reads them (auth/_auth.py, keypair.py of 4.x).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

LOCKED_AFTER, LOCKED_FOR = 5, timedelta(minutes=15)
"""Source: https://docs.snowflake.com/en/user-guide/admin-user-management (failed logins)"""

SKEW_S = 60
ALGORITHMS = ["RS256", "ES256", "ES384", "ES512"]
WITH_PASSWORD = ("SNOWFLAKE", "USERNAME_PASSWORD_MFA")
KEY_PROPERTIES = ("RSA_PUBLIC_KEY", "RSA_PUBLIC_KEY_2")
AUTHENTICATORS = (*WITH_PASSWORD, "SNOWFLAKE_JWT", "OAUTH", "PROGRAMMATIC_ACCESS_TOKEN")


@dataclass(frozen=True)
class Answer:
    """What a sign-in is answered with instead of a session: a number and text, or the next action."""

    code: str | None
    message: str
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def success(self) -> bool:
        """Whether it goes on."""
        return self.code is None


INCORRECT = Answer("390100", "Incorrect username or password was specified.")
LOCKED = Answer(
    "390102",  # the number is not on a public page (open)
    "Your user account has been temporarily locked due to too many failed attempts. Try again after 15 "
    "minutes or contact your account administrator for assistance. For more information about this error, go "
    "to https://community.snowflake.com/s/error-your-user-login-has-been-locked.",
)
"""Text: https://github.com/buremba/universql/issues/24"""

NOT_FROM_HERE = Answer(
    "390422",  # the number is not on a public page (open)
    "Incoming request with IP/Token 127.0.0.1 is not allowed to access Snowflake. Contact your account "
    "administrator.",
)
INVALID_TOKEN = Answer("390303", "Invalid OAuth access token.")
EXPIRED_TOKEN = Answer("390318", "OAuth access token expired.")


@dataclass
class SignIns:
    """One user's ways to sign in, and how often they failed. The control interface sets what SQL does not."""

    account: str
    organization: str
    user: str
    password: str
    now: Callable[[], datetime]
    keys: dict[str, str] = field(default_factory=dict)
    """Fingerprints by property: RSA_PUBLIC_KEY and RSA_PUBLIC_KEY_2."""

    tokens: dict[str, str] = field(default_factory=dict)
    """Tokens that were given out, each "OAUTH", "EXPIRED" or "PROGRAMMATIC_ACCESS_TOKEN"."""

    second_factor: str = ""
    """What the user's telephone says: "" nobody there, "approve"; or the passcode that it shows."""

    is_from_elsewhere: bool = False
    """Whether a network policy keeps this address out."""

    failed: int = 0
    locked_until: datetime | None = None
    _approved: set[str] = field(default_factory=set)

    def judge(self, data: Mapping[str, Any], in_flight: str | None) -> Answer | None:
        """None where the user may come in; else what the sign-in is answered with."""
        authenticator = str(data.get("AUTHENTICATOR") or "SNOWFLAKE").upper()
        if self.is_from_elsewhere:
            return NOT_FROM_HERE
        if authenticator == "SNOWFLAKE_JWT":
            return self._by_key(data)
        if authenticator in ("OAUTH", "PROGRAMMATIC_ACCESS_TOKEN"):
            return self._by_token(data, authenticator)
        if in_flight in self._approved:  # comes without the password
            self._approved.discard(str(in_flight))
            return None
        return self._by_password(data) or self._second(data, authenticator, in_flight)

    def _by_password(self, data: Mapping[str, Any]) -> Answer | None:
        if self.locked_until is not None and self.now() < self.locked_until:
            return LOCKED
        given = str(data.get("PASSWORD"))
        # a programmatic access token may be given as the password: .../programmatic-access-tokens
        known = [self.password, *(token for token, kind in self.tokens.items() if kind.startswith("PROG"))]
        right = any(secrets.compare_digest(given.encode(), each.encode()) for each in known)
        if str(data.get("LOGIN_NAME", "")).upper() != self.user or not right:
            self.failed += 1
            self.locked_until = self.now() + LOCKED_FOR if self.failed >= LOCKED_AFTER else None
            return INCORRECT
        self.failed, self.locked_until = 0, None
        return None

    def _second(self, data: Mapping[str, Any], authenticator: str, in_flight: str | None) -> Answer | None:
        """The second factor, where the connection asks for one: by passcode, or approved on the telephone."""
        # 4.x sends no authenticator for username_password_mfa; it says whether it will keep a token
        asked_for = "CLIENT_REQUEST_MFA_TOKEN" in (data.get("SESSION_PARAMETERS") or {})
        if authenticator != "USERNAME_PASSWORD_MFA" and not asked_for and not self.second_factor:
            return None
        if data.get("EXT_AUTHN_DUO_METHOD") == "passcode":
            right = secrets.compare_digest(str(data.get("PASSCODE")), self.second_factor or "no telephone")
            return None if right else Answer("390127", "Invalid passcode. (MFA)")  # number and text: open
        if not in_flight:
            asked = {"nextAction": "EXT_AUTHN_DUO_ALL", "inFlightCtx": secrets.token_urlsafe()}
            return Answer(None, "", asked)
        if self.second_factor == "approve":
            approved = secrets.token_urlsafe()
            self._approved.add(approved)
            return Answer(None, "", {"nextAction": "EXT_AUTHN_SUCCESS", "inFlightCtx": approved})
        return Answer(None, "MFA authentication was denied.", {"nextAction": "EXT_AUTHN_DENIED"})

    def _by_token(self, data: Mapping[str, Any], authenticator: str) -> Answer | None:
        kind = self.tokens.get(str(data.get("TOKEN")))
        if kind == authenticator:
            return None
        return EXPIRED_TOKEN if kind == "EXPIRED" else INVALID_TOKEN

    def _by_key(self, data: Mapping[str, Any]) -> Answer | None:
        """A JWT signed with one of the user's keys: whose it is, and how long it is good for.

        Source: https://docs.snowflake.com/en/developer-guide/sql-api/authenticating (claims); the client sees
        the general number, the rest is in SYSTEM$GET_LOGIN_FAILURE_DETAILS:
        https://docs.snowflake.com/en/user-guide/key-pair-auth-troubleshooting
        """
        import jwt

        token = str(data.get("TOKEN"))
        invalid = Answer("390144", f"JWT token is invalid. [{uuid.uuid4()}]")
        try:
            claims = jwt.decode(token, options={"verify_signature": False, "verify_exp": False})
            issuer, _, fingerprint = str(claims["iss"]).partition(".SHA256:")
            key = self._public_key(f"SHA256:{fingerprint}")
            if key is None or issuer != claims["sub"] or not self._is_ours(issuer):
                return invalid
            told = jwt.decode(
                token, key, algorithms=ALGORITHMS, options={"verify_exp": False, "verify_iat": False}
            )
        except (jwt.PyJWTError, KeyError, ValueError):
            return invalid
        now = self.now().timestamp()
        is_good = told["iat"] <= now + SKEW_S and now - SKEW_S <= told["exp"] <= told["iat"] + 3600
        return None if is_good else invalid

    def _is_ours(self, issuer: str) -> bool:
        names = (self.account, f"{self.organization}-{self.account}")
        return issuer in [f"{name}.{self.user}" for name in names]

    def _public_key(self, fingerprint: str) -> Any:
        from cryptography.hazmat.primitives.serialization import load_der_public_key

        der = next((key for key in self.keys.values() if fingerprint_of(key) == fingerprint), None)
        return load_der_public_key(base64.b64decode(der)) if der else None


def fingerprint_of(key: str) -> str:
    """RSA_PUBLIC_KEY_FP: of a key as ALTER USER takes it, base64 without PEM's lines. Raises ValueError."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(base64.b64decode(key)).digest()).decode()
