"""A tenant with a bucket, a role Snowflake may assume, and the objects of a small pipeline."""

import gzip
import json
from datetime import timedelta
from uuid import uuid4

import boto3
import pyarrow as pa
from snowpipe_sandbox.snowflake import statements
from snowpipe_sandbox.snowflake.parameters import SessionParameters
from snowpipe_sandbox.snowflake.sessions import Session

TSV = (
    "TYPE = CSV FIELD_DELIMITER = '\\t' ESCAPE_UNENCLOSED_FIELD = NONE NULL_IF = () "
    "REPLACE_INVALID_CHARACTERS = TRUE"
)
ROLE_POLICY = [
    ("s3:GetBucketLocation", "arn:aws:s3:::{bucket}"),
    ("s3:ListBucket", "arn:aws:s3:::{bucket}"),
    ("s3:GetObject", "arn:aws:s3:::{bucket}/*"),
    ("s3:GetObjectVersion", "arn:aws:s3:::{bucket}/*"),
]


class World:
    """One tenant, seen from both sides; ``sql`` runs as ACCOUNTADMIN with a warehouse."""

    def __init__(self, tenants):
        self.tenants = tenants
        self.name = f"t{uuid4().hex[:10]}"
        self.bucket = f"bucket-{self.name}"
        self.tenant = tenants.create(self.name, bucket=self.bucket)
        self.account = self.tenant.account()
        admin = self.tenant.admin
        keys = {
            "aws_access_key_id": admin.access_key_id,
            "aws_secret_access_key": admin.secret_access_key,
            "region_name": self.tenant.region,
            "endpoint_url": self.tenant.endpoint_url,
        }
        self.s3 = boto3.client("s3", **keys)
        self.iam = boto3.client("iam", **keys)
        self.session = self.login("ACCOUNTADMIN")
        self.role_arn = f"arn:aws:iam::{admin.account_id}:role/snowflake"

    def login(self, role):
        session = Session(self.account, self.account.name, role, SessionParameters({"TIMEZONE": "UTC"}))
        session.warehouse = "COMPUTE_WH"
        return session

    def sql(self, text, session=None):
        """Run one statement; its rows. Raises SnowflakeError."""
        return self.result(text, session).rows

    def result(self, text, session=None):
        query = (session or self.session).new_query(text, {})
        statements.execute(query)
        if query.error is not None:
            raise query.error
        return query.result

    def dicts(self, text, session=None):
        """Run one statement; its rows by column name."""
        result = self.result(text, session)
        names = [column.name for column in result.columns]
        return [dict(zip(names, row, strict=True)) for row in result.rows]

    def copy(self, text, session=None):
        """Run a COPY; its rows by file name without path, or the one text of nothing to do."""
        rows = self.dicts(text, session)
        if "file" not in rows[0]:
            return rows[0]["status"]
        return {row["file"].rpartition("/")[2]: row for row in rows}

    def put(self, key, data, compress=False):
        """Put an object; its ETag."""
        body = data.encode() if isinstance(data, str) else data
        body = gzip.compress(body, mtime=0) if compress else body
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)["ETag"].strip('"')

    def later(self, **by):
        self.account.clock.advance(timedelta(**by))

    def settle(self):
        assert self.account.settle(20)

    def status(self, pipe="P"):
        return json.loads(self.sql(f"SELECT SYSTEM$PIPE_STATUS('D.S.{pipe}')")[0][0])

    # -- objects -----------------------------------------------------------------------------------------

    def connect(self, prefix=""):
        """Role, integration and trust."""
        self.iam.create_role(RoleName="snowflake", AssumeRolePolicyDocument=self._trust("nobody-yet"))
        self.permit(prefix)
        self.sql("CREATE WAREHOUSE IF NOT EXISTS COMPUTE_WH")
        self.sql("CREATE DATABASE D")
        self.sql("CREATE SCHEMA D.S")
        self.session.database, self.session.schema = "D", "S"
        self.sql(
            "CREATE STORAGE INTEGRATION I TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
            f"STORAGE_AWS_ROLE_ARN = '{self.role_arn}' STORAGE_ALLOWED_LOCATIONS = ('s3://{self.bucket}/')"
        )
        self.trust()
        return self

    def _trust(self, external_id):
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": self.account.aws.user_arn},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
        }
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    def trust(self, external_id=None):
        external_id = external_id or self.account.catalog.integrations["I"].external_id
        self.iam.update_assume_role_policy(RoleName="snowflake", PolicyDocument=self._trust(external_id))

    def permit(self, prefix="", without=(), more=()):
        statements_ = [
            {"Effect": "Allow", "Action": action, "Resource": resource.format(bucket=self.bucket)}
            for action, resource in [*ROLE_POLICY, *((one, "arn:aws:s3:::{bucket}/*") for one in more)]
            if action not in without
        ]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements_})
        self.iam.put_role_policy(RoleName="snowflake", PolicyName="read", PolicyDocument=document)

    def stage(self, name="ST", path="in/", file_format="TYPE = CSV"):
        self.sql(
            f"CREATE STAGE {name} URL = 's3://{self.bucket}/{path}' STORAGE_INTEGRATION = I "
            f"FILE_FORMAT = ({file_format})"
        )

    def pipe(self, copy, name="P", auto_ingest=True, replace=False):
        or_replace = "OR REPLACE " if replace else ""
        ingest = "AUTO_INGEST = TRUE " if auto_ingest else ""
        self.sql(f"CREATE {or_replace}PIPE {name} {ingest}AS {copy}")

    def notify(self, prefix="", pipe="P"):
        """The bucket's event notifications go to the pipe's queue."""
        rows = self.dicts(f"SHOW PIPES LIKE '{pipe}'")
        rule = {
            "Id": "snowpipe",
            "QueueArn": rows[0]["notification_channel"],
            "Events": ["s3:ObjectCreated:*"],
            "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}},
        }
        self.s3.put_bucket_notification_configuration(
            Bucket=self.bucket, NotificationConfiguration={"QueueConfigurations": [rule]}
        )

    def history(self, table="T", view=False, session=None):
        """COPY_HISTORY of a table by file name without path, oldest first; a list a name."""
        source = (
            "SNOWFLAKE.ACCOUNT_USAGE.COPY_HISTORY"
            if view
            else f"TABLE(D.INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => '{table}', "
            "START_TIME => DATEADD(day, -14, CURRENT_TIMESTAMP())))"
        )
        found = {}
        for row in self.dicts(f"SELECT * FROM {source} ORDER BY LAST_LOAD_TIME", session):
            found.setdefault(row["FILE_NAME"].rpartition("/")[2], []).append(row)
        return found


def zstd(data):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()
