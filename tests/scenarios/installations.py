# ruff: noqa: E501 - worksheets as their authors would write them
"""Installations as public repositories, guides and vendors' pages have them: re-expressed, original code.

Nothing of theirs is copied: the shapes are. Each is a worksheet with what AWS has for it, the files that arrive,
the rows there must be, and one file whose announcement is lost.
"""

import gzip
import io
import json
import re
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq

from tests.scenarios.conftest import Installation

Row = dict[str, Any]
BUCKET = "arn:aws:s3:::{bucket}"


def allow(action: Any, resource: Any, like: Any = None) -> Row:
    """A statement; ``like``: of the s3:prefix it asks for."""
    condition = {"Condition": {"StringLike": {"s3:prefix": like}}} if like else {}
    return {"Effect": "Allow", "Action": action, "Resource": resource, **condition}


OBJECTS = ["s3:GetObject", "s3:GetObjectVersion"]


def published(folder: str) -> list[Row]:
    """The policy of Snowflake's own page."""
    return [
        allow(OBJECTS, f"{BUCKET}/{folder}*"),
        allow(["s3:ListBucket", "s3:GetBucketLocation"], BUCKET, [f"{folder}*"]),
    ]


@dataclass(frozen=True)
class Site:
    """``sheet``: what its author runs, after the integration ``s3_int``; the first pipe is the one discovered.

    ``lost``: a file that nothing announces, its table and its rows. ``streams``: by name, their kinds.
    ``rules``: of the bucket, as (prefix, suffix). ``topic``: they go through one. ``canary``: the stream whose
    canary is sent, or why there is none.
    """

    sheet: str
    files: dict[str, str]
    rows: dict[str, int]
    lost: tuple[str, str, str, int]
    streams: dict[str, str]
    policy: list[Row]
    rules: tuple[tuple[str, str], ...] = (("", ""),)
    topic: bool = False
    keys: bool = False
    canary: str = ""
    no_canary: str = ""
    between: tuple[str, ...] = field(default=())
    """Statements after the files have been loaded."""


SITES = {
    "four formats on one stage, a role of their own, one rule": Site(
        """
CREATE DATABASE lake; CREATE SCHEMA lake.util; CREATE SCHEMA lake.raw; CREATE ROLE ingest; GRANT ROLE ingest TO ROLE SYSADMIN;
GRANT USAGE ON DATABASE lake TO ROLE ingest; GRANT USAGE ON ALL SCHEMAS IN DATABASE lake TO ROLE ingest;
CREATE FILE FORMAT lake.util.psv TYPE = CSV FIELD_DELIMITER = '|' SKIP_HEADER = 1 NULL_IF = ('', 'NULL');
CREATE FILE FORMAT lake.util.par TYPE = PARQUET COMPRESSION = SNAPPY;
CREATE STAGE lake.util.landing URL = 's3://{bucket}/land/' STORAGE_INTEGRATION = s3_int FILE_FORMAT = (TYPE = JSON STRIP_OUTER_ARRAY = TRUE);
CREATE TABLE lake.raw.orders (id NUMBER, note VARCHAR, at TIMESTAMP_NTZ, loaded_at TIMESTAMP_LTZ DEFAULT CURRENT_TIMESTAMP());
CREATE TABLE lake.raw.clicks (v VARIANT, file_name VARCHAR, at TIMESTAMP_LTZ);
CREATE TABLE lake.raw.trips (id NUMBER, zone VARCHAR, src VARCHAR);
CREATE TABLE lake.raw.audit (doc VARIANT);
CREATE PIPE lake.raw.orders AUTO_INGEST = TRUE AS COPY INTO lake.raw.orders (id, note, at) FROM @lake.util.landing/orders/ FILE_FORMAT = lake.util.psv PATTERN = '.*[.]csv';
CREATE PIPE lake.raw.clicks AUTO_INGEST = TRUE AS COPY INTO lake.raw.clicks FROM (SELECT $1, METADATA$FILENAME, CURRENT_TIMESTAMP() FROM @lake.util.landing/clicks/);
CREATE PIPE lake.raw.trips AUTO_INGEST = TRUE AS COPY INTO lake.raw.trips FROM @lake.util.landing/trips/ FILE_FORMAT = (FORMAT_NAME = 'lake.util.par') MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE INCLUDE_METADATA = (src = METADATA$FILENAME);
CREATE PIPE lake.raw.audit AUTO_INGEST = TRUE AS COPY INTO lake.raw.audit FROM @lake.util.landing/audit/ ON_ERROR = CONTINUE;
""",
        {
            "land/orders/1.csv": "id|note|at\n1|a|2026-01-01 10:00:00\n2|NULL|\n",
            "land/clicks/1.json": '[{"a": 1}, {"a": 2}]',
            "land/trips/1.parquet": '{"id": 1, "zone": "x"}\n{"id": 2, "zone": "y"}\n',
            "land/audit/1.json.gz": '{"a": 1}\n',
        },
        {"lake.raw.orders": 2, "lake.raw.clicks": 2, "lake.raw.trips": 2, "lake.raw.audit": 1},
        ("land/trips/2.parquet", '{"id": 3}\n', "lake.raw.trips", 1),
        {"audit": "json", "clicks": "json", "orders": "text", "trips": "parquet"},
        published("land/"),
        canary="clicks",
        no_canary="trips: its files are Parquet",
    ),
    "a topic that everybody may publish to, an error integration, an array stripped by the stage": Site(
        """
CREATE NOTIFICATION INTEGRATION load_errors ENABLED = TRUE TYPE = QUEUE NOTIFICATION_PROVIDER = AWS_SNS DIRECTION = OUTBOUND AWS_SNS_TOPIC_ARN = 'arn:aws:sns:us-west-2:{account}:errors' AWS_SNS_ROLE_ARN = 'arn:aws:iam::{account}:role/errors';
CREATE ROLE ingest_role; GRANT ROLE ingest_role TO ROLE SYSADMIN; CREATE DATABASE ingest; CREATE SCHEMA ingest.api;
GRANT USAGE ON INTEGRATION s3_int TO ROLE ingest_role; GRANT USAGE ON INTEGRATION load_errors TO ROLE ingest_role;
GRANT USAGE ON DATABASE ingest TO ROLE ingest_role; GRANT USAGE, CREATE STAGE, CREATE PIPE, CREATE TABLE ON SCHEMA ingest.api TO ROLE ingest_role;
USE ROLE ingest_role; USE SCHEMA ingest.api;
CREATE TABLE ingest.api.answers (recorded_at TIMESTAMP_LTZ, answer VARIANT);
CREATE STAGE ingest.api.landing URL = 's3://{bucket}/data/' STORAGE_INTEGRATION = s3_int FILE_FORMAT = (TYPE = JSON STRIP_OUTER_ARRAY = TRUE) COMMENT = 'Ingest.';
CREATE PIPE ingest.api.answers_pipe AUTO_INGEST = TRUE AWS_SNS_TOPIC = '{topic}' ERROR_INTEGRATION = load_errors COMMENT = 'It''s ours.' AS COPY INTO ingest.api.answers(
 recorded_at, answer
 )
 FROM (SELECT CURRENT_TIMESTAMP, $1 FROM @ingest.api.landing)
""",
        {"data/a.json": '[{"a": 1}, {"a": 2}]', "data/b.json": '[{"a": 3}]'},
        {"ingest.api.answers": 3},
        ("data/c.json", '[{"a": 4}]', "ingest.api.answers", 1),
        {"answers": "json"},
        [allow(["s3:PutObject", *OBJECTS], f"{BUCKET}/*"), allow("s3:ListBucket", BUCKET, ["*"])],
        topic=True,
        canary="answers",
    ),
    "keys in the stage, a path for each pipe, the time in the file's name, what was there copied by hand": Site(
        """
CREATE ROLE watcher; GRANT ROLE watcher TO ROLE SYSADMIN; CREATE WAREHOUSE IF NOT EXISTS compute_wh; CREATE DATABASE watch;
GRANT OWNERSHIP ON DATABASE watch TO ROLE watcher; GRANT USAGE ON WAREHOUSE compute_wh TO ROLE watcher; USE ROLE watcher; USE WAREHOUSE compute_wh;
CREATE SCHEMA IF NOT EXISTS watch.aws; USE SCHEMA watch.aws;
CREATE FILE FORMAT IF NOT EXISTS watch.aws.arrays TYPE=JSON STRIP_OUTER_ARRAY=TRUE;
CREATE STAGE IF NOT EXISTS watch.aws.landing URL= 's3://{bucket}' CREDENTIALS=(AWS_KEY_ID='{key}' AWS_SECRET_KEY='{secret}') FILE_FORMAT=watch.aws.arrays;
CREATE TABLE ec2_zone (raw VARIANT, at TIMESTAMP_TZ, kind STRING(16)); CREATE TABLE elb_zone (raw VARIANT, at TIMESTAMP_TZ, kind STRING(16));
CREATE OR REPLACE PIPE watch.aws.ec2_pipe AUTO_INGEST=TRUE AS COPY INTO watch.aws.ec2_zone FROM (SELECT $1 AS raw, TO_TIMESTAMP_TZ(REGEXP_SUBSTR(METADATA$FILENAME, '\\/([^\\/]*)\\.json', 1, 1, 'e') || 'Z') AS at, $1:"State"."Name" :: STRING(16) AS kind FROM @watch.aws.landing/ec2/);
COPY INTO watch.aws.ec2_zone FROM (SELECT $1, TO_TIMESTAMP_TZ('2026-01-01 00:00:00 Z'), $1:"State"."Name" :: STRING(16) FROM @watch.aws.landing/ec2/);
CREATE OR REPLACE PIPE watch.aws.elb_pipe AUTO_INGEST=TRUE AS COPY INTO watch.aws.elb_zone FROM (SELECT $1, TO_TIMESTAMP_TZ(REGEXP_SUBSTR(METADATA$FILENAME, '\\/([^\\/]*)\\.json', 1, 1, 'e') || 'Z'), $1:"Type" :: STRING(16) FROM @watch.aws.landing/elb/);
""",
        {
            "ec2/2026-01-02T00:00:00.json": '[{"State": {"Name": "on"}}, {"State": {}}]',
            "elb/2026-01-02T00:00:00.json": '[{"Type": "a"}]',
        },
        {"watch.aws.ec2_zone": 2, "watch.aws.elb_zone": 1},
        ("ec2/2026-01-03T00:00:00.json", '[{"State": {"Name": "on"}}]', "watch.aws.ec2_zone", 1),
        {"ec2_zone": "json", "elb_zone": "json"},
        [allow(OBJECTS, f"{BUCKET}/*"), allow(["s3:ListBucket", "s3:GetBucketLocation"], BUCKET)],
        keys=True,
        no_canary="ec2_zone: its SELECT works values out",
    ),
    "keys in the stage, commas in the format, a landing table merged and emptied": Site(
        """
CREATE OR REPLACE DATABASE scd; USE DATABASE scd; CREATE OR REPLACE SCHEMA two; USE SCHEMA two; CREATE WAREHOUSE IF NOT EXISTS compute_wh; USE WAREHOUSE compute_wh;
CREATE OR REPLACE TABLE customer (id NUMBER, name VARCHAR, updated TIMESTAMP_NTZ DEFAULT CURRENT_TIMESTAMP()); CREATE OR REPLACE TABLE customer_raw (id NUMBER, name VARCHAR);
CREATE OR REPLACE STREAM changes ON TABLE customer;
CREATE OR REPLACE STAGE scd.two.ext url='s3://{bucket}/stream' credentials=(aws_key_id='{key}' aws_secret_key='{secret}');
CREATE OR REPLACE FILE FORMAT scd.two.csv TYPE = CSV,
FIELD_DELIMITER = ","
SKIP_HEADER = 1;
CREATE OR REPLACE PIPE customer_pipe
  auto_ingest = true
  AS
  COPY INTO customer_raw
  FROM @ext
  FILE_FORMAT = CSV
  ;
""",
        {"stream/c1.csv": "id,name\n1,A\n", "stream/c2.csv": "id,name\n2,B\n"},
        {"scd.two.customer": 2, "scd.two.customer_raw": 0},
        ("stream/c3.csv", "id,name\n3,C\n", "scd.two.customer_raw", 1),
        {"customer_raw": "text"},
        [allow(OBJECTS, f"{BUCKET}/*"), allow(["s3:ListBucket", "s3:GetBucketLocation"], BUCKET)],
        rules=(("stream/", ""),),
        keys=True,
        between=(
            "MERGE INTO customer c USING customer_raw r ON c.id = r.id WHEN MATCHED THEN UPDATE SET c.name = r.name "
            "WHEN NOT MATCHED THEN INSERT (id, name) VALUES (r.id, r.name)",
            "TRUNCATE TABLE customer_raw",
        ),
        no_canary="customer_raw: its table is emptied as it goes",
    ),
    "replicated tables: Parquet by members, by arguments behind the stage and by names, a rule a table": Site(
        """
CREATE DATABASE cdc; CREATE SCHEMA cdc.raw; CREATE SCHEMA cdc.curated; USE SCHEMA cdc.raw; CREATE WAREHOUSE IF NOT EXISTS compute_wh;
CREATE OR REPLACE FILE FORMAT cdc.raw.parquet_ff TYPE = PARQUET COMPRESSION = SNAPPY;
CREATE OR REPLACE STAGE cdc.raw.landing URL = 's3://{bucket}/dms/' STORAGE_INTEGRATION = s3_int FILE_FORMAT = cdc.raw.parquet_ff;
CREATE OR REPLACE TABLE orders (id NUMBER, amount NUMBER(18,2), op STRING, ts TIMESTAMP, loaded TIMESTAMP_LTZ, file_name VARCHAR);
CREATE OR REPLACE TABLE trucks (truck STRING, place VARIANT, reasons ARRAY, at TIMESTAMP_NTZ);
CREATE OR REPLACE TABLE coins (id NUMBER, name VARCHAR);
CREATE OR REPLACE PIPE cdc.raw.orders_pipe
  AUTO_INGEST = TRUE
AS
COPY INTO cdc.raw.orders
FROM (
  SELECT
    $1:id::NUMBER,
    $1:amount::NUMBER(18,2),
    $1:Op::STRING,
    $1:ts::TIMESTAMP,
    CURRENT_TIMESTAMP(), METADATA$FILENAME
  FROM @cdc.raw.landing/sales/orders/
)
FILE_FORMAT = (FORMAT_NAME = cdc.raw.parquet_ff) ON_ERROR = 'SKIP_FILE';
CREATE OR REPLACE PIPE trucks_pipe AUTO_INGEST = TRUE AS COPY INTO trucks
FROM (
  SELECT $1:truck::STRING, $1:place::VARIANT, $1:reasons::ARRAY, TO_TIMESTAMP_NTZ($1:at::STRING) AS at
    FROM @landing/sales/trucks/
        (FILE_FORMAT => parquet_ff,
         PATTERN => '.*\\\\.parquet')
)
ON_ERROR = 'CONTINUE';
CREATE PIPE "CDC"."RAW"."COINS_PIPE" AUTO_INGEST = TRUE AS COPY INTO "CDC"."RAW"."COINS" FROM @"CDC"."RAW"."LANDING"/coins/ FILE_FORMAT = (TYPE = 'PARQUET') MATCH_BY_COLUMN_NAME = 'CASE_INSENSITIVE';
CREATE OR REPLACE STREAM orders_stm ON TABLE orders;
CREATE OR REPLACE TASK cdc.curated.merge_orders WAREHOUSE = compute_wh SCHEDULE = 'USING CRON */1 * * * * UTC' WHEN SYSTEM$STREAM_HAS_DATA('cdc.raw.orders_stm') AS SELECT 1;
""",
        {
            "dms/sales/orders/LOAD1.parquet": '{"id": 1, "amount": 1.5, "Op": "I", "ts": "2026-01-01 00:00:00"}\n{"id": 2}\n',
            "dms/sales/trucks/a.parquet": '{"truck": "t", "place": {"x": 1}, "reasons": ["a"], "at": "2026-01-01 00:00:00"}\n',
            "dms/sales/trucks/manifest.txt": "PATTERN leaves it out\n",
            "dms/coins/1.parquet": '{"id": 1, "name": "a"}\n{"id": 2, "name": "b"}\n',
        },
        {"cdc.raw.orders": 2, "cdc.raw.trucks": 1, "cdc.raw.coins": 2},
        ("dms/sales/trucks/b.parquet", '{"truck": "v"}\n', "cdc.raw.trucks", 1),
        {"coins": "parquet", "orders": "parquet", "trucks": "parquet"},
        [allow("s3:ListBucket", BUCKET, ["dms/*"]), allow("s3:GetObject", f"{BUCKET}/dms/*")],
        rules=(("dms/sales/orders/", ".parquet"), ("dms/sales/trucks/", ""), ("dms/coins/", ".parquet")),
        no_canary="orders: its files are Parquet",
    ),
    "a stage, pipe and table for each source, an automatic key, options behind the stage, errors told": Site(
        """
CREATE NOTIFICATION INTEGRATION load_errors ENABLED = TRUE TYPE = QUEUE NOTIFICATION_PROVIDER = AWS_SNS DIRECTION = OUTBOUND AWS_SNS_TOPIC_ARN = 'arn:aws:sns:us-west-2:{account}:errors' AWS_SNS_ROLE_ARN = 'arn:aws:iam::{account}:role/errors';
CREATE DATABASE hub; USE DATABASE hub; CREATE SCHEMA integration; CREATE SCHEMA landing;
CREATE FILE FORMAT integration.json_format TYPE = JSON;
create stage if not exists integration.stage_ln storage_integration = s3_int url = "s3://{bucket}/LN/ln/";
create stage if not exists integration.stage_songs storage_integration = s3_int url = "s3://{bucket}/LN/songs/";
create table landing.ln (content VARIANT, etl_time TIMESTAMP_NTZ, etl_file VARCHAR);
create table if not exists landing.songs (song_key INTEGER PRIMARY KEY AUTOINCREMENT not null COMMENT 'A key.', id INTEGER, artist VARCHAR COMMENT 'Who', created TIMESTAMP_NTZ not null DEFAULT CURRENT_TIMESTAMP(), filename VARCHAR);
create or replace pipe integration.pipe_ln auto_ingest=true error_integration = load_errors as copy into landing.ln from (SELECT $1,CURRENT_TIMESTAMP as etl_time,METADATA$FILENAME as etl_file FROM @integration.stage_ln(FILE_FORMAT => integration.json_format));
create pipe if not exists integration.pipe_songs AUTO_INGEST = true ERROR_INTEGRATION = load_errors as copy into landing.songs(id, artist, created, filename) from (select $1:id::INTEGER id, $1:artist::VARCHAR artist, CURRENT_TIMESTAMP() created, METADATA$FILENAME filename from @integration.stage_songs) FILE_FORMAT = (type = 'JSON') PATTERN = '.*.json';
""",
        {"LN/ln/1.json": '{"a": 1}\n{"a": 2}\n', "LN/songs/20260101.json": '{"id": 1, "artist": "A"}\n'},
        {"hub.landing.ln": 2, "hub.landing.songs": 1},
        ("LN/songs/20260103.json", '{"id": 4, "artist": "D"}\n', "hub.landing.songs", 1),
        {"ln": "json", "songs": "json"},
        published(""),
        canary="songs",
    ),
    "a page as it is printed: GRANT without TABLE, ownership handed over while paused, a console's folder": Site(
        """
CREATE DATABASE snowpipe_db; USE SCHEMA snowpipe_db.public; CREATE TABLE mytable (v VARIANT);
CREATE STAGE mystage URL = 's3://{bucket}/load/files' STORAGE_INTEGRATION = s3_int;
CREATE PIPE snowpipe_db.public.mypipe AUTO_INGEST=TRUE AS COPY INTO snowpipe_db.public.mytable FROM @snowpipe_db.public.mystage FILE_FORMAT = (type = 'JSON');
CREATE OR REPLACE ROLE snowpipe_role; GRANT USAGE ON DATABASE snowpipe_db TO ROLE snowpipe_role; GRANT USAGE ON SCHEMA snowpipe_db.public TO ROLE snowpipe_role;
GRANT INSERT, SELECT ON snowpipe_db.public.mytable TO ROLE snowpipe_role; GRANT USAGE, READ ON STAGE snowpipe_db.public.mystage TO ROLE snowpipe_role;
ALTER PIPE mypipe SET PIPE_EXECUTION_PAUSED = TRUE; GRANT OWNERSHIP ON PIPE snowpipe_db.public.mypipe TO ROLE snowpipe_role;
GRANT ROLE snowpipe_role TO ROLE ACCOUNTADMIN; SELECT SYSTEM$PIPE_FORCE_RESUME('snowpipe_db.public.mypipe');
""",
        {"load/files/": "", "load/files/a.json": '{"a": 1}\n{"a": 2}\n', "load/files/b.json": '{"a": 3}\n'},
        {"snowpipe_db.public.mytable": 3},
        ("load/files/c.json", '{"a": 4}\n', "snowpipe_db.public.mytable", 1),
        {"mytable": "json"},
        published("load/files/"),
        rules=(("load/files/", ""),),
        canary="mytable",
    ),
    "a vendor's events: Avro, its format set on the stage afterwards": Site(
        """
CREATE DATABASE currents; USE SCHEMA currents.public;
CREATE OR REPLACE STAGE currents.public.vendor_data url='s3://{bucket}/' storage_integration = s3_int;
CREATE FILE FORMAT currents.public.currents_avro type = 'avro' compression = 'auto';
ALTER STAGE currents.public.vendor_data SET file_format = currents.public.currents_avro;
CREATE TABLE opens (id STRING, user_id STRING, time INT, app STRING);
CREATE OR REPLACE PIPE pipe_opens auto_ingest=true AS
COPY INTO opens FROM (SELECT $1:id::STRING, $1:user_id::STRING, $1:time::INT, $1:app::STRING FROM @currents.public.vendor_data/dataexport/event_type=opens/);
""",
        {
            "dataexport/event_type=opens/date=2026-01-01-10/part-0.avro": '{"id": "a", "user_id": "u", "time": 1}\n'
        },
        {"currents.public.opens": 1},
        (
            "dataexport/event_type=opens/date=2026-01-01-11/part-0.avro",
            '{"id": "b"}\n',
            "currents.public.opens",
            1,
        ),
        {"opens": "avro"},
        published(""),
        no_canary="opens: its files are Avro",
    ),
}


def built(at: Installation, site: Site) -> dict[str, str]:
    """The installation, with its files loaded; the names its texts have."""
    names = {"bucket": at.settings.aws.bucket, "account": at.settings.aws.account_id}
    role = f"arn:aws:iam::{names['account']}:role/reader"
    iam = at.aws("iam")
    at.sql(
        "CREATE STORAGE INTEGRATION s3_int TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
        f"STORAGE_AWS_ROLE_ARN = '{role}' STORAGE_ALLOWED_LOCATIONS = ('s3://{names['bucket']}/')"
    )
    shown = {str(row[0]): str(row[2]) for row in at.sql("DESC INTEGRATION s3_int")}
    user = shown["STORAGE_AWS_IAM_USER_ARN"]
    given = {"StringEquals": {"sts:ExternalId": shown["STORAGE_AWS_EXTERNAL_ID"]}}
    trust = {"Effect": "Allow", "Principal": {"AWS": user}, "Action": "sts:AssumeRole", "Condition": given}
    policy = document(*site.policy).replace("{bucket}", names["bucket"])
    iam.create_role(RoleName="reader", AssumeRolePolicyDocument=document(trust))
    iam.put_role_policy(RoleName="reader", PolicyName="read", PolicyDocument=policy)
    if site.keys:
        iam.create_user(UserName="loader")
        iam.put_user_policy(UserName="loader", PolicyName="read", PolicyDocument=policy)
        key = iam.create_access_key(UserName="loader")["AccessKey"]
        names |= {"key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}
    if site.topic:
        names["topic"] = a_topic(at, user)
    at.worksheet(*(filled(statement, names) for statement in worksheet(site.sheet)))
    announced(at, site, names)
    for key, body in site.files.items():
        put(at, key, body)
    at.settle()
    at.worksheet(*site.between)
    at.settle()
    return names


def a_topic(at: Installation, user: str) -> str:
    """A topic that S3 may publish to, and Snowflake subscribe to."""
    sns, bucket = at.aws("sns"), f"arn:aws:s3:::{at.settings.aws.bucket}"
    arn = str(sns.create_topic(Name="files")["TopicArn"])
    rows = [
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "SNS:Publish", "Resource": arn, "Condition": {"ArnLike": {"aws:SourceArn": bucket}}},
        {"Effect": "Allow", "Principal": {"AWS": user}, "Action": "sns:Subscribe", "Resource": arn},
    ]  # fmt: skip
    sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=document(*rows))
    return arn


def announced(at: Installation, site: Site, names: dict[str, str]) -> None:
    """The bucket's rules, to the queue of the account's pipes or to the topic."""
    queue = str(at.sql("SHOW PIPES IN ACCOUNT")[0][6])
    target = {"TopicArn": names["topic"]} if site.topic else {"QueueArn": queue}
    rules = []
    for number, (prefix, suffix) in enumerate(site.rules):
        filters = [{"Name": n, "Value": v} for n, v in (("prefix", prefix), ("suffix", suffix)) if v]
        only = {"Filter": {"Key": {"FilterRules": filters}}} if filters else {}
        rules.append({"Id": f"rule {number}", "Events": ["s3:ObjectCreated:*"], **target, **only})
    kind = "TopicConfigurations" if site.topic else "QueueConfigurations"
    at.aws("s3").put_bucket_notification_configuration(
        Bucket=names["bucket"], NotificationConfiguration={kind: rules}
    )


def put(at: Installation, key: str, body: str) -> None:
    """A file as its name says: packed, or Parquet of JSON's lines."""
    put_in(at, at.settings.aws.bucket, key, body)


def put_in(at: Installation, bucket: str, key: str, body: str) -> None:
    """The same in a bucket of the same account."""
    raw = body.encode()
    if key.endswith(".parquet"):
        sink = io.BytesIO()
        pq.write_table(pa.json.read_json(io.BytesIO(raw)), sink)
        raw = sink.getvalue()
    elif key.endswith(".avro"):
        raw = avro([json.loads(line) for line in body.splitlines()])
    elif key.endswith(".gz"):
        raw = gzip.compress(raw)
    at.aws("s3").put_object(Bucket=bucket, Key=key, Body=raw)


def avro(rows: list[Row]) -> bytes:
    """An Avro file of these rows, whose members are text or whole numbers, or are missing."""
    fields = dict.fromkeys(name for row in rows for name in row)
    types = [{"name": name, "type": ["null", "string", "long"]} for name in fields]
    said = {
        "avro.schema": json.dumps({"type": "record", "name": "row", "fields": types}),
        "avro.codec": "null",
    }
    head = b"Obj\x01" + _number(len(said)) + b"".join(_text(k) + _text(v) for k, v in said.items())
    block = b"".join(_value(row.get(name)) for row in rows for name in fields)
    sync = b"0123456789abcdef"
    return head + _number(0) + sync + _number(len(rows)) + _number(len(block)) + block + sync


def _number(value: int) -> bytes:
    coded, found = value << 1, bytearray()
    while coded > 0x7F:
        found.append(coded & 0x7F | 0x80)
        coded >>= 7
    return bytes([*found, coded])


def _text(value: str) -> bytes:
    return _number(len(value.encode())) + value.encode()


def _value(value: Any) -> bytes:
    if value is None:
        return _number(0)
    return _number(1) + _text(value) if isinstance(value, str) else _number(2) + _number(value)


def worksheet(text: str) -> list[str]:
    """The statements of a worksheet: apart by a semicolon that ends a line, or stands before a word."""
    parts = re.split(r";(?=(?:[^']*'[^']*')*[^']*$)", text)
    return [part.strip() for part in parts if re.sub(r"(?m)(--|//).*$", "", part).strip()]


def filled(text: str, names: dict[str, str]) -> str:
    """The text with the names that the clouds gave."""
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def document(*rows: Row) -> str:
    """An IAM document of these statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(rows)})
