# ruff: noqa: E501 (a statement is one line)
"""Avro: what a value becomes; files through COPY by members and by names, and through a pipe."""

import json
import struct
import zlib

import pytest
from loading_rig import World
from snowpipe_sandbox.snowflake import avro_reader
from snowpipe_sandbox.snowflake.load_errors import FileError

SYNC = b"0123456789abcdef"
EVENT = {
    "type": "record",
    "name": "event",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "note", "type": ["null", "string"]},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "more", "type": {"type": "map", "values": "double"}},
        {"name": "way", "type": {"type": "enum", "name": "way", "symbols": ["in", "out"]}},
        {"name": "next", "type": ["null", "event"]},
    ],
}


def number(value):
    coded = (value << 1) ^ (value >> 63)
    found = bytearray()
    while coded > 0x7F:
        found.append(coded & 0x7F | 0x80)
        coded >>= 7
    return bytes([*found, coded])


def text(value):
    return number(len(value.encode())) + value.encode()


def event(id_, note=None, tags=(), more=(), way=0, following=None):
    """A record of EVENT as Avro writes it."""
    parts = [number(id_), number(0) if note is None else number(1) + text(note)]
    parts += [number(len(tags)), *map(text, tags)] if tags else []
    parts += [number(0)]
    parts += [number(len(more)), *(text(k) + struct.pack("<d", v) for k, v in more)] if more else []
    parts += [number(0), number(way), number(0) if following is None else number(1) + following]
    return b"".join(parts)


def avro(*records, schema=None, codec="null"):
    said = {"avro.schema": json.dumps(schema or EVENT), "avro.codec": codec}
    head = b"Obj\x01" + number(len(said)) + b"".join(text(k) + text(v) for k, v in said.items()) + number(0)
    block = b"".join(records)
    if codec == "deflate":
        packer = zlib.compressobj(wbits=-15)
        block = packer.compress(block) + packer.flush()
    return head + SYNC + number(len(records)) + number(len(block)) + block + SYNC


def shown(body):
    chunks = list(avro_reader.read([body]))
    return [json.loads(line) for chunk in chunks for line in chunk.table.column("c1").to_pylist()]


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_values(codec):
    inner = event(-1)
    body = avro(event(1 << 40, "é", ("a", "b"), (("x", 1.5),), 1, inner), event(2), codec=codec)
    last = {"id": -1, "note": None, "tags": [], "more": {}, "way": "in", "next": None}
    first = {"id": 1 << 40, "note": "é", "tags": ["a", "b"], "more": {"x": 1.5}, "way": "out", "next": last}
    assert shown(body) == [first, {**last, "id": 2}]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "the middle of a value"),
        (b'{"id": 1}\n', "does not begin as Avro does"),
        (avro(event(1))[:-20], "the middle of a value"),
        (avro(event(1))[:-1] + b"?", "does not end as the header says"),
        (avro(b"", codec="lzo"), "not emulated: Avro blocks packed with lzo"),
        (avro(b"", schema="bytes"), "not emulated: Avro values of bytes"),
        (avro(b"", schema={"type": "int", "logicalType": "date"}), "not emulated: Avro values of date"),
    ],
)
def test_what_is_broken_or_not_emulated_says_so(body, why):
    with pytest.raises(FileError, match=f"Error parsing the avro file: .*{why}"):
        shown(body)


@pytest.fixture
def world(sandbox):
    made = World(sandbox.tenants)
    yield made.connect()
    sandbox.tenants.delete(made.name)


def test_a_pipe_loads_avro_by_members_and_by_names_and_skips_what_is_none(world):
    """As a vendor's guide has it: a format with COMPRESSION = 'auto', set on the stage afterwards."""
    for statement in (
        "CREATE FILE FORMAT currents TYPE = 'avro' COMPRESSION = 'auto'",
        f"CREATE STAGE st URL = 's3://{world.bucket}/in/' STORAGE_INTEGRATION = I",
        "ALTER STAGE st SET FILE_FORMAT = D.S.currents",
        "CREATE TABLE opens (id NUMBER, note STRING, tag STRING, file STRING)",
        "CREATE TABLE whole (v VARIANT)",
        "CREATE TABLE named (note STRING, id INT, src STRING)",
        "CREATE PIPE p AUTO_INGEST = TRUE AS COPY INTO opens FROM (SELECT $1:id::INT, $1:note::STRING, $1:tags[0]::STRING, METADATA$FILENAME FROM @st)",
        "CREATE PIPE q AUTO_INGEST = TRUE AS COPY INTO whole FROM @st",
        "CREATE PIPE r AUTO_INGEST = TRUE AS COPY INTO named FROM @st MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE INCLUDE_METADATA = (src = METADATA$FILENAME)",
    ):  # fmt: skip
        world.sql(statement)
    rule = {
        "QueueArn": world.dicts("SHOW PIPES")[0]["notification_channel"],
        "Events": ["s3:ObjectCreated:*"],
    }
    world.s3.put_bucket_notification_configuration(
        Bucket=world.bucket, NotificationConfiguration={"QueueConfigurations": [rule]}
    )
    world.put("in/a.avro", avro(event(1, "x", ("t",)), event(2)))
    world.put("in/b.avro", "not Avro")
    world.settle()
    assert world.sql("SELECT * FROM opens ORDER BY id") == [
        (1, "x", "t", "in/a.avro"),
        (2, None, None, "in/a.avro"),
    ]
    assert world.sql("SELECT v:id::INT FROM whole ORDER BY 1") == [(1,), (2,)]
    assert world.sql("SELECT * FROM named ORDER BY id") == [("x", 1, "in/a.avro"), (None, 2, "in/a.avro")]
    failed = world.sql(
        "SELECT STATUS, FIRST_ERROR_MESSAGE FROM TABLE(INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => 'D.S.OPENS', "
        "START_TIME => DATEADD(HOUR, -1, CURRENT_TIMESTAMP()))) WHERE FILE_NAME LIKE '%b.avro'"
    )
    assert [(status, "avro" in message) for status, message in failed] == [("Load failed", True)]
    assert world.sql("SELECT t.$1:id::INT FROM @st/a.avro t ORDER BY 1") == [(1,), (2,)]
