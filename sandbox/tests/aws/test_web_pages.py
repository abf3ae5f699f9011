"""A page in somebody's browser reaches neither cloud of the sandbox, nor its control interface."""

import json
from collections.abc import Mapping
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

WEB_PAGES = {
    "another site": {"Origin": "https://example.com"},
    "a sandboxed frame or a file": {"Origin": "null"},
    "another port of this machine": {"Origin": "http://localhost:8000"},
    "an image of another site": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    "a form of a site next to it": {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"},
    "a rebound name": {"Host": "attacker.example:{port}"},
    "a rebound name that begins like ours": {"Host": "127.0.0.1.attacker.example:{port}"},
    "a rebound name that ends like ours": {"Host": "attackerlocalhost"},
    "a rebound page asking for itself": {"Host": "attacker.example", "Sec-Fetch-Site": "same-origin"},
    "no name": {"Host": ""},
}


def ask(
    port: int, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
) -> tuple[int, bytes]:
    """Status and body of one request with exactly these headers; Host is 127.0.0.1 unless among them."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in {"Host": f"127.0.0.1:{port}", **headers}.items():
            connection.putheader(name, value.replace("{port}", str(port)))
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def refused(answer: tuple[int, bytes]) -> bool:
    return answer[0] == 403 and b"the sandbox " in answer[1]


def login(tenant: Any) -> bytes:
    side = tenant.described["snowflake"]
    data = {"ACCOUNT_NAME": side["account"], "LOGIN_NAME": side["user"], "PASSWORD": side["password"]}
    return json.dumps({"data": data}).encode()


@pytest.fixture
def aws_port(tenant: Any) -> int:
    return int(urlsplit(tenant.endpoint_url).port or 0)


def signed(tenant: Any, port: int, method: str, path: str, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers with the administrator's signature over them, whatever host they name."""
    aws = tenant.described["aws"]
    given = {name: value.replace("{port}", str(port)) for name, value in headers.items()}
    request = AWSRequest(method, f"http://127.0.0.1:{port}{path}", headers=given)
    keys = Credentials(aws["access_key_id"], aws["secret_access_key"])
    S3SigV4Auth(keys, "s3", aws["region"]).add_auth(request)
    return dict(request.headers)


@pytest.mark.parametrize("page", WEB_PAGES)
def test_aws_does_not_answer_a_page_that_knows_the_keys(tenant: Any, aws_port: int, page: str) -> None:
    tenant.boto3("s3").put_object(Bucket=tenant.bucket, Key="a", Body=b"as it was")
    path = f"/{tenant.bucket}/a"

    def asked(method: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        return ask(aws_port, method, path, signed(tenant, aws_port, method, path, headers))

    assert asked("GET", {}) == (200, b"as it was")
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
        assert refused(asked(method, {"Content-Type": "text/plain", **WEB_PAGES[page]})), method
        assert refused(ask(aws_port, method, path, WEB_PAGES[page])), method
    assert asked("GET", {}) == (200, b"as it was")


@pytest.mark.parametrize("page", WEB_PAGES)
def test_snowflake_does_not_answer_a_page_that_knows_the_password(tenant: Any, page: str) -> None:
    path = "/session/v1/login-request"
    simple = {"Content-Type": "text/plain", **WEB_PAGES[page]}  # no preflight in a browser
    assert refused(ask(tenant.port, "POST", path, simple, login(tenant)))
    assert ask(tenant.port, "OPTIONS", path, WEB_PAGES[page])[0] == 403
    status, answer = ask(tenant.port, "POST", path, {"Content-Type": "text/plain"}, login(tenant))
    assert (status, json.loads(answer)["success"]) == (200, True)


@pytest.mark.parametrize("page", WEB_PAGES)
def test_the_control_interface_does_not_answer(tenant: Any, page: str) -> None:
    simple = {"Content-Type": "text/plain", **WEB_PAGES[page]}
    control = tenant.control_path
    assert refused(ask(tenant.port, "GET", control, simple))
    assert refused(ask(tenant.port, "DELETE", f"{control}/{tenant.name}", simple))
    assert refused(ask(tenant.port, "POST", f"{control}/shutdown", simple))
    assert tenant.name in json.loads(ask(tenant.port, "GET", control, {})[1])["tenants"]


@pytest.mark.parametrize(
    "begin",
    ["/control", "/control/", "/control/x", "/control//", "/control/TOKEN%20", "/control/TOKE", "//control"],
)
def test_the_control_interface_asks_for_its_token(tenant: Any, begin: str) -> None:
    """Of every path and method, a tenant that is not there too: nothing is said of what there is."""
    begin = begin.replace("TOKEN", tenant.control_path.removeprefix("/control/"))
    begin = begin.replace("TOKE", tenant.control_path.removeprefix("/control/")[:-1])
    answers = [
        ask(tenant.port, method, begin + path, {}, b"{}")
        for path in (
            "",
            "/tenants",
            "/shutdown",
            *(f"/{tenant.name}{more}" for more in ("", "/faults", "/clock")),
        )
        for method in ("GET", "POST", "PUT", "DELETE")
    ]
    assert len({answer for answer in answers if begin != "//control"}) <= 1
    assert {status for status, _ in answers} <= ({403} if begin != "//control" else {404})
    assert all(tenant.name.encode() not in body for _, body in answers)
    assert tenant.control("GET")["name"] == tenant.name


def test_a_wrong_token_does_not_keep_the_sandbox_awake(tenant: Any, sandbox: Any) -> None:
    before = sandbox.control.last_request
    assert ask(tenant.port, "GET", "/control/guess", {})[0] == 403
    assert sandbox.control.last_request == before


def test_a_person_may_open_a_signed_address_and_name_the_bucket_in_the_host(
    tenant: Any, aws_port: int
) -> None:
    s3 = tenant.boto3("s3")
    s3.put_object(Bucket=tenant.bucket, Key="a", Body=b"body")
    place = {"Bucket": tenant.bucket, "Key": "a"}
    address = urlsplit(s3.generate_presigned_url("get_object", Params=place))
    typed = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}
    assert ask(aws_port, "GET", f"{address.path}?{address.query}", typed) == (200, b"body")
    for host in (f"{tenant.bucket}.localhost:{{port}}", f"{tenant.bucket}.LOCALHOST", "[::1]:{port}"):
        status, answer = ask(aws_port, "GET", "/a", {"Host": host})
        assert not refused((status, answer)), host
