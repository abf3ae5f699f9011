"""The canary is a file like any other of its stream, and its row is told apart from every other."""

import gzip
import json

from runbook.kinds import kind_of, shape_of
from runbook.kinds.bad_rows import SCHEMA
from runbook.verify.canary import NAME, RUN, Canary
from runbook.wanted.pipeline import columns

THIS = "20261120T120000Z-0a1b2c"


def canary(stream, run=THIS):
    return Canary(stream, run, shape_of(kind_of(stream)))


def test_an_enriched_canary_is_one_event_of_131_fields(settings):
    found = canary(settings.stream("events"))
    assert found.key == f"snowplow/enriched/stream/{NAME}-{THIS}.gz"
    line = gzip.decompress(found.body).decode()
    assert line.count("\n") == 1
    values = dict(zip(columns(settings.stream("events"))[:131], line.rstrip("\n").split("\t"), strict=True))
    assert len(values) == 131
    assert (values["APP_ID"], values["NAME_TRACKER"]) == (NAME, THIS)
    assert values["COLLECTOR_TSTAMP"] == "2026-11-20 12:00:00.000"
    assert len(values["EVENT_ID"]) == 36
    assert found.delete == (
        f"DELETE FROM RAW.SNOWPLOW.EVENTS WHERE app_id = '{NAME}' AND name_tracker = '{THIS}'"
    )


def test_a_bad_canary_is_one_document(settings):
    found = canary(settings.stream("events_bad"))
    assert json.loads(gzip.decompress(found.body)) == {"schema": SCHEMA, "data": {"run": THIS}}
    assert f"document:data.run::VARCHAR = '{THIS}'" in found.delete


def test_a_canary_is_packed_as_its_name_says(settings):
    stream = settings.stream("events_bad")
    plain = canary(type(stream)(**{**stream.__dict__, "suffix": ".json"}))
    assert plain.key.endswith(f"{THIS}.json")
    assert json.loads(plain.body)["schema"] == SCHEMA


def test_the_same_run_makes_the_same_canary_and_another_another(settings):
    stream = settings.stream("events")
    assert canary(stream).body == canary(stream).body
    assert canary(stream).body != canary(stream, THIS.replace("0a", "0b")).body
    assert RUN.fullmatch(THIS)
