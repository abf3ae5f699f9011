# ruff: noqa: E501 - fixtures and documents in one line each
"""Points 6, 7 and 9 of what moto leaves out: who may assume a role, and what the session may do."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError


def denied_message(user: str, role: str) -> str:
    return f"User: {user} is not authorized to perform: sts:AssumeRole on resource: {role}"


def test_point_6_trust_and_external_id_decide(tenant: Any, snowflake: Any, iam: Any, refused: Any) -> None:
    role = iam.role(iam.trust({"AWS": snowflake.arn}))
    assert snowflake.assume(role)["AccessKeyId"].startswith("ASIA")
    for external_id in (None, "ext-2", "EXT-1"):
        error = refused(snowflake.assume, role_arn=role, ExternalId=external_id)
        assert (error["Code"], error["Status"]) == ("AccessDenied", 403)
        assert error["Message"] == denied_message(snowflake.arn, role)


def test_point_6_the_customers_administrator_is_not_snowflake(
    tenant: Any, snowflake: Any, iam: Any, refused: Any
) -> None:
    role = iam.role(iam.trust({"AWS": snowflake.arn}))
    error = refused(tenant.boto3("sts").assume_role, RoleArn=role, RoleSessionName="me", ExternalId="ext-1")
    assert error["Code"] == "AccessDenied"


def test_point_6_a_role_that_does_not_exist(tenant: Any, snowflake: Any, refused: Any) -> None:
    role = f"arn:aws:iam::{tenant.account_id}:role/nobody"
    error = refused(snowflake.assume, role_arn=role)
    assert error["Message"] == denied_message(snowflake.arn, role)


def test_point_6_the_path_is_part_of_the_roles_arn(
    tenant: Any, snowflake: Any, iam: Any, refused: Any
) -> None:
    role = iam.role(iam.trust({"AWS": snowflake.arn}), Path="/team/")
    assert role.endswith(":role/team/reader")
    assert refused(snowflake.assume, role_arn=role.replace("team/", ""))["Code"] == "AccessDenied"
    identity = snowflake.as_role(role, "sts").get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{tenant.account_id}:assumed-role/reader/snowflake"
    assert identity["UserId"].startswith("AROA")


def test_point_6_session_duration(tenant: Any, snowflake: Any, iam: Any, refused: Any) -> None:
    role = iam.role(iam.trust({"AWS": snowflake.arn}))
    error = refused(snowflake.assume, role_arn=role, DurationSeconds=3601)
    assert error["Code"] == "ValidationError"
    assert (
        error["Message"] == "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    )
    iam.client.update_role(RoleName="reader", MaxSessionDuration=7200)
    snowflake.assume(role, DurationSeconds=7200)


def test_point_6_a_session_expires_with_the_tenants_clock(
    tenant: Any, snowflake: Any, iam: Any, refused: Any
) -> None:
    role = iam.role(iam.trust({"AWS": snowflake.arn}), *iam.reading())
    s3 = snowflake.as_role(role, DurationSeconds=900)
    s3.list_objects_v2(Bucket=tenant.bucket, Prefix="p/")
    tenant.control("POST", "/clock", {"advance_s": 901})
    error = refused(s3.list_objects_v2, Bucket=tenant.bucket, Prefix="p/")
    assert (error["Code"], error["Status"]) == ("ExpiredToken", 400)


@pytest.mark.parametrize("external_id", ["x", "a b", "x" * 1225, "ä-ö"])
def test_point_6_external_ids_that_are_none(tenant: Any, snowflake: Any, iam: Any, external_id: str) -> None:
    role = iam.role(iam.trust({"AWS": snowflake.arn}))
    # botocore refuses what is too short before it is sent
    with pytest.raises(Exception, match=r"ExternalId|externalId"):
        snowflake.assume(role, ExternalId=external_id)


def test_point_7_the_sessions_policy_decides(tenant: Any, snowflake: Any, iam: Any, refused: Any) -> None:
    s3 = tenant.boto3("s3")
    for key in ("p/a", "q/a"):
        s3.put_object(Bucket=tenant.bucket, Key=key, Body=b"abc")
    theirs = snowflake.as_role(iam.role(iam.trust({"AWS": snowflake.arn}), *iam.reading()))
    found = theirs.list_objects_v2(Bucket=tenant.bucket, Prefix="p/")
    assert [one["Key"] for one in found["Contents"]] == ["p/a"]
    assert theirs.get_object(Bucket=tenant.bucket, Key="p/a")["Body"].read() == b"abc"
    assert theirs.get_bucket_location(Bucket=tenant.bucket)["LocationConstraint"] == tenant.region
    for prefix in ({}, {"Prefix": ""}, {"Prefix": "p"}, {"Prefix": "q/"}):
        error = refused(theirs.list_objects_v2, Bucket=tenant.bucket, **prefix)
        assert error["Message"] == (
            f"User: arn:aws:sts::{tenant.account_id}:assumed-role/reader/snowflake is not authorized to perform: "
            f's3:ListBucket on resource: "arn:aws:s3:::{tenant.bucket}" because no identity-based policy allows '
            "the s3:ListBucket action"
        )
    for call in (theirs.get_object, theirs.put_object, theirs.delete_object):
        assert refused(call, Bucket=tenant.bucket, Key="q/a")["Status"] == 403
    assert refused(theirs.put_object, Bucket=tenant.bucket, Key="p/new")["Status"] == 403


def test_point_7_a_missing_key_is_403_without_listing_and_404_with_it(
    tenant: Any, snowflake: Any, iam: Any, refused: Any
) -> None:
    get = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    role = iam.role(iam.trust({"AWS": snowflake.arn}), get)
    assert (
        refused(snowflake.as_role(role).get_object, Bucket=tenant.bucket, Key="p/no")["Code"]
        == "AccessDenied"
    )
    listing = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}
    iam.client.put_role_policy(
        RoleName="reader", PolicyName="inline", PolicyDocument=iam.document(get, listing)
    )
    assert (
        refused(snowflake.as_role(role).get_object, Bucket=tenant.bucket, Key="p/no")["Code"] == "NoSuchKey"
    )


def test_point_7_the_published_sample_denies_get_bucket_location(
    tenant: Any, snowflake: Any, iam: Any, refused: Any
) -> None:
    bucket = f"arn:aws:s3:::{tenant.bucket}"
    sample = {
        "Effect": "Allow",
        "Action": ["s3:ListBucket", "s3:GetBucketLocation"],
        "Resource": bucket,
        "Condition": {"StringLike": {"s3:prefix": ["*"]}},
    }
    theirs = snowflake.as_role(iam.role(iam.trust({"AWS": snowflake.arn}), sample))
    theirs.list_objects_v2(Bucket=tenant.bucket, Prefix="")
    assert refused(theirs.get_bucket_location, Bucket=tenant.bucket)["Status"] == 403


def test_point_7_bucket_policy_boundary_and_session_policy(
    tenant: Any, snowflake: Any, iam: Any, refused: Any
) -> None:
    s3 = tenant.boto3("s3")
    s3.put_object(Bucket=tenant.bucket, Key="p/a", Body=b"abc")
    role = iam.role(iam.trust({"AWS": snowflake.arn}), *iam.reading())
    deny = {
        "Effect": "Deny",
        "Principal": {"AWS": role},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{tenant.bucket}/*",
    }
    s3.put_bucket_policy(Bucket=tenant.bucket, Policy=iam.document(deny))
    error = refused(snowflake.as_role(role).get_object, Bucket=tenant.bucket, Key="p/a")
    assert error["Message"].endswith("with an explicit deny in a resource-based policy")
    s3.delete_bucket_policy(Bucket=tenant.bucket)

    boundary = iam.client.create_policy(
        PolicyName="boundary",
        PolicyDocument=iam.document({"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}),
    )["Policy"]["Arn"]
    iam.client.put_role_permissions_boundary(RoleName="reader", PermissionsBoundary=boundary)
    error = refused(snowflake.as_role(role).get_object, Bucket=tenant.bucket, Key="p/a")
    assert error["Message"].endswith("because no permissions boundary allows the s3:GetObject action")
    iam.client.delete_role_permissions_boundary(RoleName="reader")

    nothing = json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:Get*", "Resource": "*"}]}
    )
    error = refused(snowflake.as_role(role, Policy=nothing).get_object, Bucket=tenant.bucket, Key="p/a")
    assert error["Message"].endswith("with an explicit deny in a session policy")
    assert snowflake.as_role(role).get_object(Bucket=tenant.bucket, Key="p/a")["Body"].read() == b"abc"


def test_point_7_a_bucket_of_another_account_needs_both_sides(
    tenant: Any, snowflake: Any, iam: Any, refused: Any
) -> None:
    theirs = f"theirs-{tenant.name}"
    other = tenant.control("POST", "/accounts", {})
    keys = other["access_key_id"], other["secret_access_key"]
    s3 = tenant.client_for("s3", *keys)
    s3.create_bucket(Bucket=theirs, CreateBucketConfiguration={"LocationConstraint": tenant.region})
    s3.put_object(Bucket=theirs, Key="p/a", Body=b"abc")
    allow = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{theirs}/*"}
    role = iam.role(iam.trust({"AWS": snowflake.arn}), allow)
    reader = snowflake.as_role(role)
    assert refused(reader.get_object, Bucket=theirs, Key="p/a")["Message"] == "Access Denied"
    s3.put_bucket_policy(Bucket=theirs, Policy=iam.document(allow | {"Principal": {"AWS": role}}))
    assert reader.get_object(Bucket=theirs, Key="p/a")["Body"].read() == b"abc"
    iam.client.delete_role_policy(RoleName="reader", PolicyName="inline")
    assert refused(reader.get_object, Bucket=theirs, Key="p/a")["Status"] == 403


def test_point_7_encrypted_objects_need_the_key(tenant: Any, snowflake: Any, iam: Any, refused: Any) -> None:
    kms, s3 = tenant.boto3("kms"), tenant.boto3("s3")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    s3.put_object(
        Bucket=tenant.bucket, Key="p/a", Body=b"abc", ServerSideEncryption="aws:kms", SSEKMSKeyId=key
    )
    role = iam.role(iam.trust({"AWS": snowflake.arn}), *iam.reading())
    error = refused(snowflake.as_role(role).get_object, Bucket=tenant.bucket, Key="p/a")
    assert f"is not authorized to perform: kms:Decrypt on resource: {key}" in error["Message"]
    decrypt = {
        "Effect": "Allow",
        "Action": "kms:Decrypt",
        "Resource": key,
        "Condition": {"StringEquals": {"kms:ViaService": f"s3.{tenant.region}.amazonaws.com"}},
    }
    iam.client.put_role_policy(RoleName="reader", PolicyName="key", PolicyDocument=iam.document(decrypt))
    assert snowflake.as_role(role).get_object(Bucket=tenant.bucket, Key="p/a")["Body"].read() == b"abc"
    kms.disable_key(KeyId=key)
    assert (
        refused(snowflake.as_role(role).get_object, Bucket=tenant.bucket, Key="p/a")["Code"]
        == "KMS.DisabledException"
    )


def test_a_grant_of_the_key_lets_a_role_decrypt(tenant: Any, snowflake: Any, iam: Any, refused: Any) -> None:
    """Without any policy that names the role, until it is revoked."""
    kms, s3 = tenant.boto3("kms"), tenant.boto3("s3")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    s3.put_object(
        Bucket=tenant.bucket, Key="p/a", Body=b"abc", ServerSideEncryption="aws:kms", SSEKMSKeyId=key
    )
    role = iam.role(iam.trust({"AWS": snowflake.arn}), *iam.reading())
    made = kms.create_grant(KeyId=key, GranteePrincipal=role, Operations=["Decrypt"])
    assert kms.list_grants(KeyId=key)["Grants"][0]["GranteePrincipal"] == role
    assert snowflake.as_role(role).get_object(Bucket=tenant.bucket, Key="p/a")["Body"].read() == b"abc"
    kms.revoke_grant(KeyId=key, GrantId=made["GrantId"])
    assert refused(snowflake.as_role(role).get_object, Bucket=tenant.bucket, Key="p/a")["Status"] == 403
    context = {"EncryptionContextSubset": {"a": "b"}}
    asked = {"KeyId": key, "GranteePrincipal": role, "Operations": ["Decrypt"], "Constraints": context}
    assert refused(kms.create_grant, **asked)["Code"] == "NotImplemented"


def test_an_archived_object_cannot_be_read(tenant: Any, refused: Any) -> None:
    s3 = tenant.boto3("s3")
    for storage_class in ("GLACIER", "DEEP_ARCHIVE"):
        s3.put_object(Bucket=tenant.bucket, Key="a", Body=b"x", StorageClass=storage_class)
        error = refused(s3.get_object, Bucket=tenant.bucket, Key="a")
        assert (error["Code"], error["Status"]) == ("InvalidObjectState", 403)


def test_point_9_a_deleted_snowflake_user_leaves_its_unique_id(
    tenant: Any, snowflake: Any, iam: Any, sandbox: Any, refused: Any
) -> None:
    role = iam.role(iam.trust({"AWS": snowflake.arn}))
    # Snowflake's account as its own administrator would see it
    backend = _administrator_of(sandbox, tenant, snowflake.account_id)
    name = snowflake.arn.rpartition("/")[2]
    unique_id = backend.get_user(UserName=name)["User"]["UserId"]
    assert unique_id.startswith("AIDA")
    backend.delete_access_key(UserName=name, AccessKeyId=snowflake.key)
    backend.delete_user_policy(UserName=name, PolicyName="permissions")
    backend.delete_user(UserName=name)
    trust = iam.client.get_role(RoleName="reader")["Role"]["AssumeRolePolicyDocument"]
    assert trust["Statement"][0]["Principal"] == {"AWS": unique_id}

    backend.create_user(UserName=name)
    backend.attach_user_policy(UserName=name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    again = backend.create_access_key(UserName=name)["AccessKey"]
    sts = tenant.client_for("sts", again["AccessKeyId"], again["SecretAccessKey"])
    with pytest.raises(ClientError, match="is not authorized to perform: sts:AssumeRole"):
        sts.assume_role(RoleArn=role, RoleSessionName="snowflake", ExternalId="ext-1")
    error = refused(iam.client.update_assume_role_policy, RoleName="reader", PolicyDocument=json.dumps(trust))
    assert error["Message"] == f'Invalid principal in policy: "AWS":"{unique_id}"'
    iam.client.update_assume_role_policy(RoleName="reader", PolicyDocument=iam.trust({"AWS": snowflake.arn}))
    assert sts.assume_role(RoleArn=role, RoleSessionName="snowflake", ExternalId="ext-1")["Credentials"]


def _administrator_of(sandbox: Any, tenant: Any, account: str) -> Any:
    realm = sandbox.tenants.get(tenant.name).realm
    *_, key, secret = sandbox.gateway.open_account(realm, account, "theirs", tenant.region)
    return tenant.client_for("iam", key, secret)
