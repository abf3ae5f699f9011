"""Signing in as Snowflake judges it: key pairs, tokens, a second factor, the lock after refusals."""

import base64
import time
from typing import Any

import jwt
import pytest
import snowflake.connector
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from snowpipe_sandbox.snowflake.sign_in import fingerprint_of

JWT = {"authenticator": "SNOWFLAKE_JWT", "password": None}


def made() -> Any:
    """A key that Snowflake takes; elliptic ones are made at once."""
    return ec.generate_private_key(ec.SECP256R1())


def private(key: Any) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    written: bytes = key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())
    return written


def public(key: Any) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return base64.b64encode(key.public_key().public_bytes(serialization.Encoding.DER, form)).decode()


def errno(tenant: Any, **given: Any) -> int:
    """The number a sign-in is refused with."""
    with pytest.raises(snowflake.connector.errors.DatabaseError) as caught:
        tenant.connect(**given)
    number: int = caught.value.errno
    return number


def test_a_key_pair_signs_in_with_either_of_two_keys(tenant: Any, sql: Any) -> None:
    first, second = made(), made()
    user = tenant.described["snowflake"]["user"]
    assert errno(tenant, **JWT, private_key=private(first)) == 390144
    sql(f"ALTER USER {user} SET RSA_PUBLIC_KEY = '{public(first)}' RSA_PUBLIC_KEY_2 = '{public(second)}'")
    for key in (first, second):
        connection = tenant.connect(**JWT, private_key=private(key))
        assert connection.cursor().execute("SELECT CURRENT_USER()").fetchone() == (user,)
    sql(f"ALTER USER {user} UNSET RSA_PUBLIC_KEY")
    assert errno(tenant, **JWT, private_key=private(first)) == 390144
    tenant.connect(**JWT, private_key=private(second))


@pytest.mark.parametrize(
    ("wrong", "changed"),
    [
        ("whose it is", {"sub": "OTHER.USER"}),
        ("who says so", {"iss": "OTHER.USER.SHA256:x"}),
        ("it is over", {"iat": -7200, "exp": -3700}),
        ("it is not yet good", {"iat": 600, "exp": 1200}),
        ("it is good for too long", {"exp": 7200}),
    ],
)
def test_a_token_of_a_key_pair_that_is_not_right_is_refused(
    tenant: Any, sql: Any, wrong: str, changed: dict[str, Any]
) -> None:
    key = made()
    side = tenant.described["snowflake"]
    user = side["user"]
    sql(f"ALTER USER {user} SET RSA_PUBLIC_KEY = '{public(key)}'")
    whose, now = f"{side['account']}.{user}".upper(), int(time.time())
    claims = {"iss": f"{whose}.{fingerprint_of(public(key))}", "sub": whose, "iat": 0, "exp": 3600, **changed}
    claims |= {name: now + int(claims[name]) for name in ("iat", "exp")}
    token = jwt.encode(claims, key, algorithm="ES256")
    assert refusal(tenant, {"AUTHENTICATOR": "SNOWFLAKE_JWT", "TOKEN": token}) == "390144", wrong


def test_a_token_signed_by_another_is_refused(tenant: Any, sql: Any) -> None:
    key = made()
    side = tenant.described["snowflake"]
    sql(f"ALTER USER {side['user']} SET RSA_PUBLIC_KEY = '{public(key)}'")
    whose, now = f"{side['account']}.{side['user']}".upper(), int(time.time())
    claims = {"iss": f"{whose}.{fingerprint_of(public(key))}", "sub": whose, "iat": now, "exp": now + 60}
    for token in (
        jwt.encode(claims, made(), algorithm="ES256"),
        "no token",
        jwt.encode(claims, None, "none"),
    ):
        assert refusal(tenant, {"AUTHENTICATOR": "SNOWFLAKE_JWT", "TOKEN": token}) == "390144"


def refusal(tenant: Any, data: dict[str, Any]) -> str | None:
    """The number of a sign-in that is sent as it stands."""
    import requests

    side = tenant.described["snowflake"]
    whole = {"ACCOUNT_NAME": side["account"], "LOGIN_NAME": side["user"], **data}
    url = f"http://{side['host']}:{side['port']}/session/v1/login-request"
    code: str | None = requests.post(url, json={"data": whole}, timeout=30).json()["code"]
    return code


def test_tokens_that_were_given_out_sign_in(tenant: Any) -> None:
    tokens = {"o": "OAUTH", "e": "EXPIRED", "p": "PROGRAMMATIC_ACCESS_TOKEN"}
    tenant.control("POST", "/sign-ins", {"tokens": tokens})
    oauth = {"authenticator": "oauth", "password": None}
    tenant.connect(**oauth, token="o")
    assert errno(tenant, **oauth, token="e") == 390318
    assert errno(tenant, **oauth, token="x") == 390303
    tenant.connect(authenticator="PROGRAMMATIC_ACCESS_TOKEN", password=None, token="p")
    tenant.connect(password="p")


def test_five_refused_passwords_lock_the_user_for_fifteen_minutes(tenant: Any, sql: Any) -> None:
    user = tenant.described["snowflake"]["user"]
    assert [errno(tenant, password="no") for _ in range(4)] == [390100] * 4
    tenant.connect()
    assert [errno(tenant, password="no") for _ in range(5)] == [390100] * 5
    with pytest.raises(snowflake.connector.errors.DatabaseError, match="temporarily locked"):
        tenant.connect()
    tenant.control("POST", "/clock", {"advance_s": 901})
    tenant.connect()
    for _ in range(5):
        errno(tenant, password="no")
    sql(f"ALTER USER {user} SET MINS_TO_UNLOCK = 0")
    tenant.connect()


def test_a_second_factor_is_asked_for(tenant: Any) -> None:
    asked = {"authenticator": "username_password_mfa"}
    assert errno(tenant, **asked) == 250001  # as connector 4 tells a refusal on the telephone
    tenant.control("POST", "/sign-ins", {"second_factor": "approve"})
    tenant.connect(**asked)
    tenant.control("POST", "/sign-ins", {"second_factor": "123456"})
    tenant.connect(**asked, passcode="123456")
    assert errno(tenant, **asked, passcode="654321") != 0
    assert errno(tenant) == 250001  # who has a second factor is asked for it, whatever the connection says


def test_a_network_policy_keeps_an_address_out(tenant: Any) -> None:
    tenant.control("POST", "/sign-ins", {"is_from_elsewhere": True})
    with pytest.raises(snowflake.connector.errors.DatabaseError, match="is not allowed to access Snowflake"):
        tenant.connect()
    tenant.control("POST", "/sign-ins", {"is_from_elsewhere": False})
    tenant.connect()


def test_other_ways_are_refused_by_name(tenant: Any, sql: Any) -> None:
    for way in ("EXTERNALBROWSER", "WORKLOAD_IDENTITY", "OAUTH_AUTHORIZATION_CODE"):
        assert refusal(tenant, {"AUTHENTICATOR": way}) == "390267"
    user = tenant.described["snowflake"]["user"]
    assert sql.errno(f"ALTER USER {user} SET PASSWORD = 'x'") == 2
    assert sql.errno("ALTER USER NOBODY SET RSA_PUBLIC_KEY = 'eA=='") == 2003
    assert sql.errno(f"ALTER USER {user} SET RSA_PUBLIC_KEY = 'no key'") == 1008
