# ruff: noqa: E501 - one case a line
"""Who gets in, what is refused, and how a bucket is listed."""

import json
import os
import subprocess
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from shutil import which
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def test_an_unknown_access_key(tenant: Any, refused: Any) -> None:
    error = refused(tenant.client_for("s3", "AKIANOBODY0000000000", "x").list_buckets)
    assert (error["Code"], error["Status"]) == ("InvalidAccessKeyId", 403)
    error = refused(tenant.client_for("sts", "AKIANOBODY0000000000", "x").get_caller_identity)
    assert (error["Code"], error["Status"]) == ("InvalidClientTokenId", 403)


@pytest.mark.parametrize("service", ["s3", "iam", "sqs", "kms"])
def test_a_wrong_secret(tenant: Any, refused: Any, service: str) -> None:
    client = tenant.client_for(service, tenant.described["aws"]["access_key_id"], "wrong")
    call = {"s3": "list_buckets", "iam": "list_roles", "sqs": "list_queues", "kms": "list_keys"}[service]
    assert refused(getattr(client, call))["Code"].endswith("SignatureDoesNotMatch")


def test_a_session_without_its_token(tenant: Any, snowflake: Any, iam: Any, refused: Any) -> None:
    found = snowflake.assume(iam.role(iam.trust({"AWS": snowflake.arn})))
    client = tenant.client_for("sts", found["AccessKeyId"], found["SecretAccessKey"])
    assert refused(client.get_caller_identity)["Code"] == "InvalidClientTokenId"


def test_a_new_user_may_nothing_but_ask_who_it_is(tenant: Any, refused: Any) -> None:
    iam = tenant.boto3("iam")
    user = iam.create_user(UserName="ann")["User"]
    assert user["UserId"].startswith("AIDA")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    keys = key["AccessKeyId"], key["SecretAccessKey"]
    assert tenant.client_for("sts", *keys).get_caller_identity()["Arn"] == user["Arn"]
    error = refused(tenant.client_for("iam", *keys).list_roles)
    assert error["Code"] == "AccessDenied"
    assert error["Message"].startswith(f"User: {user['Arn']} is not authorized to perform: iam:ListRoles")
    error = refused(tenant.client_for("sqs", *keys).create_queue, QueueName="q")
    assert error["Status"] in (400, 403)
    error = refused(tenant.client_for("s3", *keys).list_objects_v2, Bucket=tenant.bucket)
    assert error["Status"] == 403
    iam.attach_user_policy(UserName="ann", PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    tenant.client_for("s3", *keys).list_objects_v2(Bucket=tenant.bucket)
    error = refused(tenant.client_for("s3", *keys).put_object, Bucket=tenant.bucket, Key="a")
    assert error["Status"] == 403


def test_an_anonymous_request_is_refused(tenant: Any) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{tenant.endpoint_url}/{tenant.bucket}?list-type=2")
    assert caught.value.code == 403
    assert b"AccessDenied" in caught.value.read()
    caught.value.close()


def test_a_presigned_url_carries_its_signers_permission(tenant: Any) -> None:
    s3 = tenant.boto3("s3")
    s3.put_object(Bucket=tenant.bucket, Key="a b/ö.gz", Body=b"abc")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": tenant.bucket, "Key": "a b/ö.gz"})
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"abc"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url[:-1] + ("0" if url[-1] != "0" else "1"))
    assert caught.value.code == 403
    caught.value.close()


NOT_EMULATED = [
    ("s3", "put_bucket_replication", {"ReplicationConfiguration": {"Role": "r", "Rules": []}}),
    ("s3", "put_bucket_lifecycle_configuration", {"LifecycleConfiguration": {"Rules": []}}),
    ("s3", "put_public_access_block", {"PublicAccessBlockConfiguration": {}}),
    ("s3", "put_bucket_acl", {"ACL": "private"}),
    ("s3", "restore_object", {"Key": "a"}),
    ("iam", "create_saml_provider", {"Name": "x", "SAMLMetadataDocument": "x" * 1000}),
    ("iam", "simulate_custom_policy", {"PolicyInputList": ["{}"], "ActionNames": ["s3:*"]}),
    ("sts", "get_session_token", {}),
    ("sqs", "add_permission", {"QueueUrl": "http://x/1/q", "Label": "l", "AWSAccountIds": ["1"], "Actions": ["*"]}),
    ("events", "list_rules", {}),
    ("dynamodb", "list_tables", {}),
]  # fmt: skip


@pytest.mark.parametrize(("service", "operation", "parameters"), NOT_EMULATED)
def test_what_is_not_emulated_is_refused(tenant: Any, service: str, operation: str, parameters: Any) -> None:
    if service == "s3":
        parameters = {"Bucket": tenant.bucket, **parameters}
    with pytest.raises(ClientError, match="not emulated: ") as caught:
        getattr(tenant.boto3(service), operation)(**parameters)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


@pytest.mark.parametrize("bucket", ["moto-api", "moto-api-x"])
def test_motos_own_interface_is_not_reached(tenant: Any, bucket: str) -> None:
    with pytest.raises(ClientError, match="not emulated: "):
        tenant.boto3("s3").create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": tenant.region}
        )


def test_acls_are_disabled(tenant: Any, refused: Any) -> None:
    error = refused(tenant.boto3("s3").put_object, Bucket=tenant.bucket, Key="a", ACL="public-read")
    assert error["Code"] == "AccessControlListNotSupported"
    found = tenant.boto3("s3").get_bucket_ownership_controls(Bucket=tenant.bucket)["OwnershipControls"][
        "Rules"
    ]
    assert found == [{"ObjectOwnership": "BucketOwnerEnforced"}]


def test_a_bucket_name_is_global(new_tenant: Any, refused: Any) -> None:
    one, other = new_tenant(), new_tenant()
    error = refused(
        other.boto3("s3").create_bucket,
        Bucket=one.bucket,
        CreateBucketConfiguration={"LocationConstraint": other.region},
    )
    assert (error["Code"], error["Status"]) == ("BucketAlreadyExists", 409)


def test_a_refused_head_still_tells_the_region(new_tenant: Any) -> None:
    one, other = new_tenant(region="eu-west-1"), new_tenant()
    assert one.boto3("s3").head_bucket(Bucket=one.bucket)["BucketRegion"] == "eu-west-1"
    with pytest.raises(ClientError) as caught:
        other.boto3("s3").head_bucket(Bucket=one.bucket)
    metadata = caught.value.response["ResponseMetadata"]
    assert (metadata["HTTPStatusCode"], metadata["HTTPHeaders"]["x-amz-bucket-region"]) == (403, "eu-west-1")


def test_delete_objects_is_refused_key_by_key(tenant: Any) -> None:
    s3, iam = tenant.boto3("s3"), tenant.boto3("iam")
    for key in ("p/a", "q/a"):
        s3.put_object(Bucket=tenant.bucket, Key=key, Body=b"")
    iam.create_user(UserName="ann")
    allow = {"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": f"arn:aws:s3:::{tenant.bucket}/p/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=policy)
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    theirs = tenant.client_for("s3", key["AccessKeyId"], key["SecretAccessKey"])
    answer = theirs.delete_objects(Bucket=tenant.bucket, Delete={"Objects": [{"Key": "p/a"}, {"Key": "q/a"}]})
    assert [one["Key"] for one in answer["Deleted"]] == ["p/a"]
    assert [(one["Key"], one["Code"]) for one in answer["Errors"]] == [("q/a", "AccessDenied")]
    left = s3.list_objects_v2(Bucket=tenant.bucket)["Contents"]
    assert [one["Key"] for one in left] == ["q/a"]


def test_last_modified_is_the_tenants_time(tenant: Any) -> None:
    tenant.control("POST", "/clock", {"advance_s": 864_000})
    tenant.boto3("s3").put_object(Bucket=tenant.bucket, Key="a", Body=b"")
    now = tenant.control("GET", "/clock")["now"]
    [found] = tenant.boto3("s3").list_objects_v2(Bucket=tenant.bucket)["Contents"]
    assert found["LastModified"].isoformat()[:10] == now[:10]


def test_a_listing_tells_whole_seconds(tenant: Any) -> None:
    """Whoever compares it with a time of their own must not trust the fraction."""
    s3 = tenant.boto3("s3")
    for number in range(3):
        s3.put_object(Bucket=tenant.bucket, Key=str(number), Body=b"x")
    listed = s3.list_objects_v2(Bucket=tenant.bucket)["Contents"]
    assert {row["LastModified"].microsecond for row in listed} == {0}
    for row in listed:
        assert s3.head_object(Bucket=tenant.bucket, Key=row["Key"])["LastModified"] == row["LastModified"]


def everything(s3: Any, **parameters: Any) -> tuple[list[str], list[str]]:
    """Keys and common prefixes over all pages, by continuation token."""
    keys: list[str] = []
    prefixes: list[str] = []
    for page in s3.get_paginator("list_objects_v2").paginate(**parameters):
        found = page.get("Contents", []), page.get("CommonPrefixes", [])
        assert page["KeyCount"] == len(found[0]) + len(found[1]) <= page["MaxKeys"]
        keys += [one["Key"] for one in found[0]]
        prefixes += [one["Prefix"] for one in found[1]]
    return keys, prefixes


names = st.text(st.sampled_from("ab/é日+ %😀\uffff"), min_size=1, max_size=6).filter(
    lambda key: not key.startswith("/")
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    keys=st.sets(names, max_size=12),
    prefix=st.text("ab/é", max_size=2),
    delimiter=st.sampled_from(["", "/", "b"]),
    after=st.text("ab/é", max_size=3),
    page=st.integers(1, 4),
)
def test_listing_is_in_utf8_order_and_whole_over_pages(
    new_tenant: Any, keys: set[str], prefix: str, delimiter: str, after: str, page: int
) -> None:
    tenant = new_tenant()
    s3 = tenant.boto3("s3")
    for key in keys:
        s3.put_object(Bucket=tenant.bucket, Key=key, Body=b"")
    ordered = sorted(
        (key for key in keys if key.startswith(prefix) and key > after), key=lambda k: k.encode()
    )
    rolled: list[str] = []
    plain: list[str] = []
    for key in ordered:
        end = key.find(delimiter, len(prefix)) if delimiter else -1
        if end < 0:
            plain.append(key)
        elif (group := key[: end + 1]) not in rolled and not after.startswith(group):
            rolled.append(group)
    wanted = {"Prefix": prefix, "Delimiter": delimiter, "StartAfter": after}
    given_ = {name: value for name, value in wanted.items() if value}
    assert everything(s3, Bucket=tenant.bucket, PaginationConfig={"PageSize": page}, **given_) == (
        plain,
        rolled,
    )


def test_a_page_has_at_most_1000_keys(tenant: Any) -> None:
    s3 = tenant.boto3("s3")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: s3.put_object(Bucket=tenant.bucket, Key=f"{n:04}", Body=b""), range(1_001)))
    page = s3.list_objects_v2(Bucket=tenant.bucket, MaxKeys=5_000)
    assert (page["KeyCount"], page["MaxKeys"], page["IsTruncated"]) == (1_000, 1_000, True)
    keys, _ = everything(s3, Bucket=tenant.bucket)
    assert keys == [f"{n:04}" for n in range(1_001)]
    assert s3.list_objects_v2(Bucket=tenant.bucket, FetchOwner=True)["Contents"][0]["Owner"]["ID"]


def test_the_aws_command_works(tenant: Any, tmp_path: Any) -> None:
    aws = tenant.described["aws"]
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": aws["endpoint_url"],
        "AWS_ACCESS_KEY_ID": aws["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": aws["secret_access_key"],
        "AWS_DEFAULT_REGION": aws["region"],
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(tmp_path),
    }
    if which("aws") is None:
        pytest.skip("the aws command is not installed")
    (tmp_path / "file").write_bytes(b"abc")
    for command in (
        ["s3", "cp", str(tmp_path / "file"), f"s3://{tenant.bucket}/a"],
        ["s3", "ls", f"s3://{tenant.bucket}"],
    ):
        done = subprocess.run(["aws", *command], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "a"


def signed_elsewhere(tenant: Any, region: str, url: str, method: str = "GET") -> Any:
    """A request signed for another region, sent as it is: SDKs would follow the redirect by themselves."""
    aws = tenant.described["aws"]
    credentials = Credentials(aws["access_key_id"], aws["secret_access_key"])
    request = AWSRequest(method, url, headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    S3SigV4Auth(credentials, "s3", region).add_auth(request)
    parts = urlsplit(url)
    connection = HTTPConnection("127.0.0.1", parts.port, timeout=30)
    try:
        connection.request(
            method, f"{parts.path}?{parts.query}", headers={"Host": parts.netloc, **request.headers}
        )
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read().decode()
    finally:
        connection.close()


def test_a_call_signed_for_another_region_is_redirected(tenant: Any) -> None:
    """Recorded in github.com/JuliaCloud/AWSS3.jl/issues/25."""
    url = f"{tenant.endpoint_url}/{tenant.bucket}?list-type=2"
    status, headers, body = signed_elsewhere(tenant, "eu-west-1", url)
    assert (status, headers["x-amz-bucket-region"]) == (301, tenant.region)
    assert "<Code>PermanentRedirect</Code>" in body
    assert f"<Endpoint>{tenant.bucket}.s3-{tenant.region}.amazonaws.com</Endpoint>" in body
    status, headers, body = signed_elsewhere(tenant, "eu-west-1", url.partition("?")[0] + "?", "HEAD")
    assert (status, headers["x-amz-bucket-region"], body) == (301, tenant.region, "")


def test_the_global_endpoint_calls_the_region_malformed(tenant: Any) -> None:
    """Recorded in github.com/aws/aws-sdk-net/issues/1956."""
    port = tenant.endpoint_url.rpartition(":")[2]
    url = f"http://{tenant.bucket}.localhost:{port}/?list-type=2"
    status, _, body = signed_elsewhere(tenant, "us-east-1", url)
    assert (status, "<Code>AuthorizationHeaderMalformed</Code>" in body) == (400, True)
    assert f"the region 'us-east-1' is wrong; expecting '{tenant.region}'" in body
    assert f"<Region>{tenant.region}</Region>" in body


def test_an_sdk_of_another_region_follows_the_redirect_and_location_answers_anywhere(tenant: Any) -> None:
    aws = tenant.described["aws"]
    keys = (aws["access_key_id"], aws["secret_access_key"])
    client = tenant.client_for("s3", *keys, region="eu-west-1")
    location = client.get_bucket_location(Bucket=tenant.bucket)
    assert location["LocationConstraint"] == tenant.region
    since = tenant.control("GET", "/requests")["next"]
    client.put_object(Bucket=tenant.bucket, Key="k", Body=b"x")
    assert [row["status"] for row in tenant.requests(since) if row["operation"] == "s3:PutObject"] == [
        "301",
        "200",
    ]


def test_a_parameter_is_its_users_and_at_most_4_kb(tenant: Any, refused: Any) -> None:
    ssm = tenant.boto3("ssm")
    ssm.put_parameter(Name="/a/b", Value="x" * 4096, Type="String")
    assert ssm.get_parameter(Name="/a/b")["Parameter"]["Value"] == "x" * 4096
    again = refused(ssm.put_parameter, Name="/a/b", Value="y", Type="String")
    assert again["Code"] == "ParameterAlreadyExists"
    long = refused(ssm.put_parameter, Name="/a/b", Value="x" * 4097, Type="String", Overwrite=True)
    assert (long["Code"], "4096" in long["Message"]) == ("ValidationException", True)
    assert refused(ssm.get_parameter, Name="/a/c")["Code"] == "ParameterNotFound"
    tenant.boto3("iam").create_user(UserName="other")
    key = tenant.boto3("iam").create_access_key(UserName="other")["AccessKey"]
    other = tenant.client_for("ssm", key["AccessKeyId"], key["SecretAccessKey"])
    assert refused(other.get_parameter, Name="/a/b")["Code"] == "AccessDeniedException"
