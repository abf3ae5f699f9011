"""Settings: what is wrong is refused with the key's name, and every name is derived once."""

import re
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.errors import SettingsWrong
from runbook.settings import Identifier, QualifiedName, read
from tests.unit.conftest import written

LIVE = {
    "target": "prod",
    "aws__account_id": "210987654321",
    "aws__bucket": "acme-events",
    "snowflake__account": "ACME-EU",
    "snowflake__connection": "acme",
}

WRONG = [
    ("target", "pr od"),
    ("target", None),
    ("aws__account_id", 111122223333),
    ("aws__account_id", "11112222333"),
    ("aws__account_id", "1111-2222-33"),
    ("aws__account_id", "١٢٣٤٥٦٧٨٩٠١٢"),
    ("aws__account_id", "111122223333\n"),
    ("aws__region", "Oregon"),
    ("aws__region", "us-west-٢"),
    ("aws__region", "us-west"),
    ("aws__bucket", "Snowplow"),
    ("aws__bucket", "s3://snowplow"),
    ("aws__bucket", "snowplow/enriched"),
    ("aws__bucket", "ab"),
    ("aws__bucket", "a" * 64),
    ("aws__bucket", "snowplow\n"),
    ("aws__role_name", "snow flake"),
    ("aws__role_name", "team/reader"),
    ("aws__role_name", "lecteur-é"),
    ("aws__role_name", "r" * 65),
    ("aws__role_name", ""),
    ("aws__policy_name", "p" * 129),
    ("aws__policy_name", "a'b"),
    ("aws__path", "team/"),
    ("aws__path", "/team"),
    ("aws__path", "/te am/"),
    ("aws__permissions_boundary", "boundary"),
    ("aws__permissions_boundary", "arn:aws:iam::1111:policy/boundary"),
    ("aws__kms_key_arn", "1234abcd-12ab-34cd-56ef-1234567890ab"),
    ("aws__kms_key_arn", "arn:aws:kms:us-west-2:111122223333:alias/key"),
    ("aws__tags", {"team": 1}),
    ("aws__tags", ["team"]),
    ("aws__tags", {"team": "data & co"}),
    ("aws__tags", {"team,": "data"}),
    ("aws__tags", {"": "data"}),
    ("aws__tags", {"k" * 129: "data"}),
    ("aws__tags", {"team": "v" * 257}),
    ("aws__tags", {"AWS:team": "data"}),
    ("aws__tags", {"team": "data", "Team": "data"}),
    ("aws__tags", {"managedby": "us"}),
    ("aws__tags", {f"k{number}": "v" for number in range(50)}),
    ("snowflake__connection", "a b"),
    ("snowflake__account", "https://acme.snowflakecomputing.com"),
    ("snowflake__database", "1RAW"),
    ("snowflake__database", "RAW.SNOWPLOW"),
    ("snowflake__database", ""),
    ("snowflake__database", False),
    ("snowflake__schema", "SNOW PLOW"),
    ("snowflake__schema", 'a"b'),
    ("snowflake__integration", '"'),
    ("snowflake__integration", '""'),
    ("snowflake__integration", '"a"b"'),
    ("snowflake__loader_role", "ROLE; DROP TABLE X"),
    ("snowflake__loader_role", '"A\nDROP TABLE X"'),
    ("snowflake__operator_role", '"A\rB"'),
    ("snowflake__operator_role", '"A\u2028B"'),
    ("snowflake__owner_role", '"A\x00B"'),
    ("snowflake__admin_role", "R" * 256),
    ("snowflake__file_format_enriched", "a-b"),
    ("snowflake__file_format_bad_rows", None),
    ("streams", {}),
    ("streams", {"events": None, "events_bad": None}),
    ("streams__events__kind", "orc"),
    ("streams__events__prefix", "snowplow/stream"),
    ("streams__events__prefix", "/snowplow/stream/"),
    ("streams__events__prefix", "/"),
    ("streams__events__prefix", ""),
    ("streams__events__prefix", "snowplow//stream/"),
    ("streams__events__prefix", "snowplow/*/"),
    ("streams__events__prefix", "snowplow/?/"),
    ("streams__events__prefix", "snowplow/${aws:username}/"),
    ("streams__events__prefix", "snow\\plow/"),
    ("streams__events__prefix", "snow\nplow/"),
    ("streams__events__prefix", "snow,plow/"),
    ("streams__events__prefix", "s" * 900 + "/"),
    ("streams__events__prefix", "é" * 450 + "/"),
    ("streams__events__suffix", "*.gz"),
    ("streams__events__suffix", "/x.gz"),
    ("streams__events__suffix", "gz\n"),
    ("streams__events__table", "EVENTS-1"),
    ("streams__events__stage", 7),
    ("streams__events__pipe", "a.b"),
    ("checks__loaded_within_minutes", -1),
    ("checks__loaded_within_minutes", "soon"),
    ("checks__files_arrive_within_hours", 0),
    ("checks__ready_within_seconds", 0),
]


@pytest.mark.parametrize(("path", "value"), WRONG)
def test_a_wrong_value_is_refused_with_the_keys_name(path, value):
    with pytest.raises(SettingsWrong) as refused:
        read(written(**{path: value}))
    assert path.replace("__", ".") in str(refused.value)
    assert refused.value.exit_code == 2


def test_every_wrong_key_is_named_at_once():
    with pytest.raises(SettingsWrong) as refused:
        read(written(aws__bucket="A", snowflake__database="a b", checks__ready_within_seconds=0))
    for key in ("aws.bucket", "snowflake.database", "checks.ready_within_seconds"):
        assert key in str(refused.value)


@pytest.mark.parametrize(
    "path",
    [
        "aws__account_id",
        "aws__region",
        "aws__bucket",
        "aws__role_name",
        "aws__policy_name",
        "snowflake__connection",
        "snowflake__account",
        "snowflake__database",
        "snowflake__schema",
        "snowflake__integration",
        "snowflake__loader_role",
        "snowflake__operator_role",
        "snowflake__file_format_enriched",
        "snowflake__file_format_bad_rows",
        "streams__events__kind",
        "streams__events__prefix",
        "streams__events__table",
        "streams__events__stage",
        "streams__events__pipe",
    ],
)
def test_a_missing_key_is_named(path):
    config = written()
    *folders, last = path.split("__")
    place = config
    for folder in folders:
        place = place[folder]
    del place[last]
    with pytest.raises(SettingsWrong, match=path.replace("__", r"\.") + ": missing"):
        read(config)


SECRETS = ["password", "token", "private_key", "secret_access_key", "aws_secret_access_key", "api_key"]


@pytest.mark.parametrize("section", ["", "aws__", "snowflake__", "streams__events__", "checks__"])
@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_never_a_setting_and_never_repeated(section, name):
    with pytest.raises(SettingsWrong) as refused:
        read(written(**{section + name: "hunter2-VERY-SECRET"}))
    assert name in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("awss", "Unknown settings: awss"),
        ("stream_settings", "Unknown settings: stream_settings"),
        ("snowflake__schema_name", "snowflake.schema_name: unknown key"),
        ("aws__bukket", "aws.bukket: unknown key"),
        ("streams__events__prefx", "streams.events.prefx: unknown key"),
        ("checks__late", "checks.late: unknown key"),
    ],
)
def test_an_unknown_key_is_refused(key, said):
    with pytest.raises(SettingsWrong) as refused:
        read(written(**{key: "x"}))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [("a/", "a/"), ("a/", "a/b/"), ("a/b/", "a/"), ("snowplow/", "snowplow/enriched/bad/")],
)
def test_overlapping_prefixes_are_refused_with_both_keys(one, other):
    with pytest.raises(SettingsWrong) as refused:
        read(written(streams__events__prefix=one, streams__events_bad__prefix=other))
    assert "streams.events.prefix" in str(refused.value)
    assert "streams.events_bad.prefix" in str(refused.value)


@pytest.mark.parametrize(("one", "other"), [("a/", "b/"), ("a/b/", "a/c/"), ("stream/", "stream_bad/")])
def test_prefixes_apart_are_accepted(one, other):
    settings = read(written(streams__events__prefix=one, streams__events_bad__prefix=other))
    assert [stream.prefix for stream in settings.streams] == [one, other]


segment = st.text("ab", min_size=1, max_size=2)
prefix = st.lists(segment, min_size=1, max_size=3).map(lambda parts: "/".join(parts) + "/")


@given(prefix, prefix)
def test_two_prefixes_are_accepted_exactly_when_no_key_is_under_both(one, other):
    config = written(streams__events__prefix=one, streams__events_bad__prefix=other)
    under_both = one.startswith(other) or other.startswith(one)
    try:
        read(config)
    except SettingsWrong:
        assert under_both
    else:
        assert not under_both


@pytest.mark.parametrize("part", ["table", "stage", "pipe"])
def test_two_streams_share_no_object(part):
    with pytest.raises(SettingsWrong, match=rf"streams\.events\.{part} and streams\.events_bad\.{part}"):
        read(written(**{f"streams__events__{part}": "same", f"streams__events_bad__{part}": '"SAME"'}))


@pytest.mark.parametrize("name", ["Events", "1st", "a-b", "", "a b", "é"])
def test_a_streams_own_name_is_plain(name):
    config = written()
    config["streams"] = {name: config["streams"]["events"]}
    with pytest.raises(SettingsWrong, match="a stream's name"):
        read(config)


def test_null_removes_a_stream():
    assert [stream.name for stream in read(written(streams__events_bad=None)).streams] == ["events"]


def test_an_unknown_stream_is_refused_with_the_known_ones(settings):
    assert settings.stream("events_bad").name == "events_bad"
    with pytest.raises(SettingsWrong, match=r"no stream 'evnts'.*events, events_bad"):
        settings.stream("evnts")


@pytest.mark.parametrize(
    ("kept", "key"),
    [
        ("aws__account_id", "aws.account_id"),
        ("aws__bucket", "aws.bucket"),
        ("snowflake__account", "snowflake.account"),
        ("snowflake__connection", "snowflake.connection"),
    ],
)
def test_a_live_target_that_still_holds_a_value_of_the_sandbox_is_refused(kept, key):
    with pytest.raises(SettingsWrong) as refused:
        read(written(**{path: value for path, value in LIVE.items() if path != kept}))
    assert key in str(refused.value)


def test_a_live_target_with_its_own_values_is_accepted():
    assert not read(written(**LIVE)).is_sandbox
    assert read(written()).is_sandbox


@pytest.mark.parametrize(
    ("region", "partition", "scheme", "provider"),
    [
        ("us-west-2", "aws", "s3", "S3"),
        ("eu-central-1", "aws", "s3", "S3"),
        ("ap-southeast-4", "aws", "s3", "S3"),
        ("cn-north-1", "aws-cn", "s3china", "S3CHINA"),
        ("cn-northwest-1", "aws-cn", "s3china", "S3CHINA"),
        ("us-gov-west-1", "aws-us-gov", "s3gov", "S3GOV"),
    ],
)
def test_arns_and_urls_follow_the_regions_partition(region, partition, scheme, provider):
    settings = read(written(**LIVE, aws__region=region, aws__path="/team/data/", aws__role_name="reader"))
    assert settings.aws.partition == partition
    assert settings.aws.role_arn == f"arn:{partition}:iam::210987654321:role/team/data/reader"
    assert (
        settings.aws.policy_arn
        == f"arn:{partition}:iam::210987654321:policy/team/data/snowflake-read-snowplow"
    )
    assert settings.aws.bucket_arn == f"arn:{partition}:s3:::acme-events"
    assert settings.aws.storage_provider == provider
    assert settings.allowed_locations == (
        f"{scheme}://acme-events/snowplow/enriched/stream/",
        f"{scheme}://acme-events/snowplow/enriched/bad/",
    )


def test_a_stream_has_every_name_it_needs(settings):
    events = settings.stream("events")
    assert str(events.table) == "RAW.SNOWPLOW.EVENTS"
    assert str(events.stage) == "RAW.SNOWPLOW.ENRICHED_STAGE"
    assert str(events.pipe) == "RAW.SNOWPLOW.EVENTS_PIPE"
    assert str(events.file_format) == "RAW.SNOWPLOW.SNOWPLOW_TSV"
    assert str(settings.stream("events_bad").file_format) == "RAW.SNOWPLOW.SNOWPLOW_BAD_JSON"
    assert events.rule_id == "snowpipe-runbook:SANDBOXORG-SANDBOX:RAW.SNOWPLOW.EVENTS_PIPE"


@pytest.mark.parametrize(
    ("text", "stored", "sql"),
    [
        ("events", "EVENTS", "EVENTS"),
        ("Events_1$", "EVENTS_1$", "EVENTS_1$"),
        ("_x", "_X", "_X"),
        ('"events"', "events", '"events"'),
        ('"EVENTS"', "EVENTS", "EVENTS"),
        ('"a b"', "a b", '"a b"'),
        ('"1a"', "1a", '"1a"'),
        ('"a""b"', 'a"b', '"a""b"'),
        ('""""', '"', '""""'),
        ('"é;--\'"', "é;--'", '"é;--\'"'),
    ],
)
def test_a_name_is_stored_and_written_as_snowflake_does(text, stored, sql):
    """Source: https://docs.snowflake.com/en/sql-reference/identifiers-syntax"""
    name = Identifier.parse(text)
    assert (str(name), name.sql) == (stored, sql)


@given(
    st.text(st.characters(categories=["L", "N", "P", "S"], include_characters=" "), min_size=1, max_size=20)
)
def test_a_quoted_name_comes_back_as_it_was_written(inner):
    name = Identifier.parse('"' + inner.replace('"', '""') + '"')
    assert name == inner
    assert Identifier.parse(name.sql) == name


@given(st.text(max_size=12))
def test_a_name_either_reads_back_or_is_refused(text):
    try:
        name = Identifier.parse(text)
    except ValueError:
        return
    assert Identifier.parse(name.sql) == name
    assert "\n" not in name.sql
    assert "\r" not in name.sql


def test_a_qualified_name_quotes_each_part():
    name = QualifiedName(Identifier("RAW"), Identifier("a.b"), Identifier('c"d'))
    assert name.sql == 'RAW."a.b"."c""d"'


CHANGES = [
    ("aws__role_name", "another"),
    ("aws__tags", {"a": "b"}),
    ("snowflake__schema", "OTHER"),
    ("streams__events__suffix", ""),
    ("checks__loaded_within_minutes", 16),
]


@pytest.mark.parametrize(("path", "value"), CHANGES)
def test_the_fingerprint_changes_with_any_setting(settings, path, value):
    assert read(written(**{path: value})).fingerprint != settings.fingerprint


def test_the_fingerprint_stays_the_same_for_the_same_settings(settings):
    assert read(written()).fingerprint == settings.fingerprint
    assert len(settings.fingerprint) == 12
    assert int(settings.fingerprint, 16) >= 0


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("aws__region", "here", "aws.region: 'here' is not written like us-west-2"),
        ("aws__role_name", "a b", "aws.role_name: 'a b' does not match ^["),
        ("aws__managed_by", "puppet", "aws.managed_by: 'puppet' should be 'runbook', 'terraform' or"),
        (
            "checks__ready_within_seconds",
            0,
            "checks.ready_within_seconds: 0 should be greater than or equal to 1",
        ),
    ],
)
def test_a_wrong_value_is_told_with_what_it_should_be(key, value, said):
    with pytest.raises(SettingsWrong, match=re.escape(said)):
        read(written(**{key: value}))


def test_where_a_wrong_value_comes_from_is_its_variable_or_the_files():
    def where(given, **wrong):
        with pytest.raises(SettingsWrong) as told:
            read(written(**wrong), source="invoke.yaml, prod.yaml", variables=given)
        return told.value.where

    variables = {"INVOKE_AWS_REGION", "INVOKE_AWS_BUCKET"}
    assert where(variables, aws__region="here") == "INVOKE_AWS_REGION"
    assert where({"INVOKE_AWS_BUCKET"}, aws__region="here") == "invoke.yaml, prod.yaml"
    both = {"aws__region": "here", "aws__bucket": "B"}
    assert where({"INVOKE_AWS_BUCKET"}, **both) == "invoke.yaml, prod.yaml, INVOKE_AWS_BUCKET"
    assert where(variables, **both) == "INVOKE_AWS_BUCKET, INVOKE_AWS_REGION"
    overlapping = where({"INVOKE_STREAMS_EVENTS_PREFIX"}, streams__events__prefix="snowplow/")
    assert overlapping == "invoke.yaml, prod.yaml, INVOKE_STREAMS_EVENTS_PREFIX"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("step", {"numbers": (1,), "dry_run": True, "yes": True, "adopt": False}),
        ("down", {"dry_run": True, "yes": True, "name": "", "stream": None}),
        ("plan", {"output_format": "table"}),
        (
            "replace_pipe",
            {"stream": "events", "max_files": 1, "max_gb": 1, "dry_run": True, "yes": True}
            | {"output_format": "table"},
        ),
    ],
)
def test_what_others_made_is_refused_by_every_command_that_would_change_it(
    monkeypatch: pytest.MonkeyPatch, name: str, options: dict[str, Any]
) -> None:
    module = import_module(f"runbook.commands.{name}")
    monkeypatch.setattr(module, "running", lambda *_, **__: pytest.fail("somebody was contacted"))
    with pytest.raises(SettingsWrong, match="not for an installation that others made"):
        getattr(module, name)(written(made_by="others"), **options)


def _others(**streams: dict[str, Any]) -> Any:
    """Settings of what others made, with these streams."""
    given = written(made_by="others", streams={})
    for name, row in streams.items():
        found = {
            "stage_url": "s3://snowplow-sandbox/in/",
            "path": "",
            "statement": "COPY …",
            **row.pop("found", {}),
        }
        given["streams"][name] = {
            "kind": "enriched", "prefix": "in/", "suffix": "", "table": "T", "stage": "ST", "pipe": name,
            "found": found, **row,
        }  # fmt: skip
    return read(given)


def test_what_others_made_may_lie_in_several_schemas() -> None:
    found = {"table": "LAND.PUBLIC.T", "stage": 'MANAGE."st"."in"'}
    stream = _others(p={"found": found}).streams[0]
    assert (str(stream.table), str(stream.stage)) == ("LAND.PUBLIC.T", 'MANAGE."st"."in"')
    assert str(stream.pipe) == "RAW.SNOWPLOW.P"


def test_others_pipes_may_share_a_folder_or_a_table_but_not_both() -> None:
    assert len(_others(a={}, b={"table": "U"}).streams) == 2
    assert len(_others(a={}, b={"found": {"table": "LAND.PUBLIC.T"}}).streams) == 2
    south = {"prefix": "south/", "found": {"stage_url": "s3://snowplow-sandbox/south/"}}
    assert len(_others(a={}, b=south).streams) == 2
    with pytest.raises(SettingsWrong, match="overlap"):
        _others(a={}, b={"found": {}})


@pytest.mark.parametrize(
    ("url", "path", "prefix"),
    [
        ("s3://snowplow-sandbox/in/", "events/", "in/events/"),
        ("s3://snowplow-sandbox/in", "events/", "in/events/"),
        ("s3://snowplow-sandbox/in", "events", "in/events"),
        ("s3://snowplow-sandbox/in/", "ev", "in/ev"),
    ],
)
def test_one_slash_stands_between_a_stage_and_the_path_behind_it(url: str, path: str, prefix: str) -> None:
    stream = _others(p={"prefix": prefix, "found": {"stage_url": url, "path": path}}).streams[0]
    assert stream.url == f"s3://snowplow-sandbox/{prefix}"
    assert stream.name_of(f"{prefix}/a.gz") == "/a.gz"


@pytest.mark.parametrize(
    ("pattern", "takes"),
    [("b/a[.]gz", True), (".*/a[.]gz", True), (".*b/.*", True), ("a[.]gz", False), ("in/b/a[.]gz", False)],
)
@pytest.mark.parametrize("url", ["s3://snowplow-sandbox/in/", "s3://snowplow-sandbox/in"])
def test_a_pipes_pattern_sees_what_is_behind_the_stage_its_own_path_too(
    url: str, pattern: str, takes: bool
) -> None:
    found = {"stage_url": url, "path": "b/", "pattern": pattern}
    stream = _others(p={"prefix": "in/b/", "found": found}).streams[0]
    assert stream.takes("in/b/a.gz") is takes
