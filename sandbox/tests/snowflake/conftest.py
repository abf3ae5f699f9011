"""Fixtures for the Snowflake side: sessions through the real connector, and the AWS side set up for them."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from loading_rig import World

ROLE = "snowflake-read"


@dataclass
class Sql:
    """A session: statements in, rows as tuples or dicts out."""

    connection: Any

    def __call__(self, text: str, parameters: Any = None, **keywords: Any) -> list[tuple[Any, ...]]:
        """Run one statement and fetch everything."""
        with self.connection.cursor() as cursor:
            cursor.execute(text, parameters, **keywords)
            return list(cursor.fetchall())

    def dicts(self, text: str) -> list[dict[str, Any]]:
        """The rows by column name."""
        with self.connection.cursor() as cursor:
            cursor.execute(text)
            names = [column.name for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def columns(self, text: str) -> list[str]:
        """The result's column names, in order."""
        with self.connection.cursor() as cursor:
            cursor.execute(text)
            return [column.name for column in cursor.description]

    def one(self, text: str) -> Any:
        """The only value of the only row."""
        ((value,),) = self(text)
        return value

    def run(self, *statements: str) -> None:
        """Run statements in order."""
        for statement in statements:
            self(statement)

    def errno(self, text: str, parameters: Any = None) -> int:
        """The number of the error the statement must raise."""
        return self.error(text, parameters).errno

    def error(self, text: str, parameters: Any = None) -> Any:
        """The error the statement must raise."""
        import snowflake.connector

        with pytest.raises(snowflake.connector.errors.DatabaseError) as caught:
            self(text, parameters)
        return caught.value


@pytest.fixture
def world(sandbox: Any) -> Iterator[World]:
    """A tenant with a database, a bucket that Snowflake may read, and a session."""
    made = World(sandbox.tenants)
    yield made.connect()
    sandbox.tenants.delete(made.name)


@pytest.fixture
def sql(tenant: Any) -> Sql:
    """A session as ACCOUNTADMIN of a fresh tenant."""
    return Sql(tenant.connect())


@pytest.fixture
def session_of(tenant: Any) -> Callable[..., Sql]:
    """More sessions of the same tenant."""
    return lambda **keywords: Sql(tenant.connect(**keywords))


@dataclass
class Pipeline:
    """One stream set up on both sides, as the documented steps do it."""

    tenant: Any
    sql: Sql
    prefix: str = "enriched/"

    @property
    def url(self) -> str:
        return f"s3://{self.tenant.bucket}/{self.prefix}"

    @property
    def role_arn(self) -> str:
        return f"arn:aws:iam::{self.tenant.account_id}:role/{ROLE}"

    def integration(self, name: str = "S3INT") -> None:
        """Step 2: the integration."""
        self.sql(
            f"CREATE STORAGE INTEGRATION {name} TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
            f"STORAGE_AWS_ROLE_ARN = '{self.role_arn}' STORAGE_ALLOWED_LOCATIONS = ('s3://{self.tenant.bucket}/')"
        )

    def described(self, name: str = "S3INT") -> dict[str, str]:
        """DESC INTEGRATION by property."""
        return {row[0]: row[2] for row in self.sql(f"DESC INTEGRATION {name}")}

    def role(self) -> None:
        """Step 1: role and permissions; nobody may assume it yet."""
        iam = self.tenant.boto3("iam")
        nobody = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
        iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=document(nobody))
        bucket = f"arn:aws:s3:::{self.tenant.bucket}"
        iam.put_role_policy(
            RoleName=ROLE,
            PolicyName="read",
            PolicyDocument=document(
                {
                    "Effect": "Allow",
                    "Action": ["s3:GetObject", "s3:GetObjectVersion"],
                    "Resource": f"{bucket}/*",
                },
                {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetBucketLocation"], "Resource": bucket},
            ),
        )

    def trust(self, external_id: str | None = None) -> None:
        """Step 3: the trust policy."""
        described = self.described()
        self.tenant.boto3("iam").update_assume_role_policy(
            RoleName=ROLE,
            PolicyDocument=document(
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": described["STORAGE_AWS_IAM_USER_ARN"]},
                    "Action": "sts:AssumeRole",
                    "Condition": {
                        "StringEquals": {
                            "sts:ExternalId": external_id or described["STORAGE_AWS_EXTERNAL_ID"]
                        }
                    },
                }
            ),
        )

    def objects(self) -> None:
        """Database, schema, table and stage."""
        self.sql.run(
            "CREATE DATABASE RAW",
            "CREATE SCHEMA RAW.SNOWPLOW",
            "CREATE TABLE RAW.SNOWPLOW.EVENTS (A VARCHAR(100), B VARCHAR)",
            f"CREATE STAGE RAW.SNOWPLOW.ST URL = '{self.url}' STORAGE_INTEGRATION = S3INT "
            "FILE_FORMAT = (TYPE = CSV FIELD_DELIMITER = '\\t' ESCAPE_UNENCLOSED_FIELD = NONE)",
        )

    COPY = "COPY INTO RAW.SNOWPLOW.EVENTS FROM @RAW.SNOWPLOW.ST"

    def pipe(self, name: str = "RAW.SNOWPLOW.P", *, verb: str = "CREATE") -> str:
        """Step 4's pipe; its notification channel."""
        self.sql(f"{verb} PIPE {name} AUTO_INGEST = TRUE AS {self.COPY}")
        return str(self.sql.dicts(f"DESC PIPE {name}")[0]["notification_channel"])

    def notify(self, queue_arn: str) -> None:
        """Step 5: the bucket's event notification."""
        self.tenant.boto3("s3").put_bucket_notification_configuration(
            Bucket=self.tenant.bucket,
            NotificationConfiguration={
                "QueueConfigurations": [
                    {
                        "Id": "pipe",
                        "QueueArn": queue_arn,
                        "Events": ["s3:ObjectCreated:*"],
                        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": self.prefix}]}},
                    }
                ]
            },
        )

    def set_up(self) -> None:
        """All five steps."""
        self.role()
        self.integration()
        self.trust()
        self.objects()
        self.notify(self.pipe())

    def put(self, name: str, lines: Sequence[str] = ("a\tb",)) -> None:
        """A file under the prefix."""
        body = "".join(f"{line}\n" for line in lines).encode()
        self.tenant.boto3("s3").put_object(Bucket=self.tenant.bucket, Key=self.prefix + name, Body=body)

    def settle(self) -> None:
        """Wait until the pipe service has done what there is to do."""
        assert self.tenant.control("POST", "/settle", {"timeout_s": 20})["settled"]

    def rows(self) -> int:
        """Rows in the table."""
        return int(self.sql.one("SELECT COUNT(*) FROM RAW.SNOWPLOW.EVENTS"))

    def status(self, name: str = "RAW.SNOWPLOW.P") -> dict[str, Any]:
        """SYSTEM$PIPE_STATUS."""
        found: dict[str, Any] = json.loads(self.sql.one(f"SELECT SYSTEM$PIPE_STATUS('{name}')"))
        return found


def document(*statements: dict[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture
def pipeline(tenant: Any, sql: Sql) -> Pipeline:
    """The stream's parts, not yet set up."""
    return Pipeline(tenant, sql)


@pytest.fixture
def running(pipeline: Pipeline) -> Pipeline:
    """The stream, set up and loading."""
    pipeline.set_up()
    return pipeline


@pytest.fixture
def pipeline_of() -> Callable[[Any], Pipeline]:
    """The stream's parts in another tenant, not yet set up."""
    return lambda tenant: Pipeline(tenant, Sql(tenant.connect()))
