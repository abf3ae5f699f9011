"""Other names in a recording: the same name becomes the same stand-in, wherever and however it is written."""

import json
import re
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.settings import Identifier, QualifiedName
from runbook.settings import read as settings_of
from runbook.verify import recording
from runbook.verify.renaming import Renaming, known
from tests.unit.conftest import written

WORDS = [
    "zebra",
    "Zebra",
    "ZEBRA_2",
    "quokka",
    "quokka_lake",
    "q u",
    'q"u"ok',
    "zé",
    "Zürich.Lake",
    "wom-bat+x",
    "a'b",
]
NAMES = st.sampled_from(WORDS) | st.from_regex(
    r"[A-Za-z][A-Za-z0-9_ é\".'-]{3,12}[A-Za-z0-9]", fullmatch=True
)


def of(**names: str) -> Any:
    """The settings with other Snowflake names, however they must be quoted."""
    settings = written()
    settings["snowflake"] |= {key: Identifier(name).sql for key, name in names.items()}
    return settings_of(settings)


def everywhere(settings: Any) -> dict[str, str]:
    """A name in what it stands in: statements, documents in texts, addresses, ARNs, patterns."""
    name = settings.snowflake.database
    full = QualifiedName(name, settings.snowflake.schema_name, Identifier("EVENTS"))
    copy = f"COPY INTO {full.sql} FROM @{full.sql}"
    return {
        "sql": copy,
        "literal": f"SELECT SYSTEM$PIPE_STATUS('{full.sql.replace(chr(39), chr(39) * 2)}')",
        "json": json.dumps({"definition": copy}),
        "json in json": json.dumps([json.dumps({"definition": copy}, ensure_ascii=False)]),
        "url": f"https://app.snowflake.com/x/#/data/{quote(name)}/schemas",
        "folder": f"a%2F{quote(name)}%2Fb",
        "lines": f"-- of\n{name.sql}\n",
        "pattern": re.escape(name),
    }


@given(NAMES, NAMES)
def test_a_name_is_replaced_by_the_same_wherever_it_stands(one: str, two: str) -> None:
    settings = of(database=one, schema=two)
    names = Renaming({"answers": {}, "settings": {}}, settings)
    first, second = (Identifier(names.text(each)) for each in (one, two))
    again = of(database=first, schema=second)
    for place, text in everywhere(settings).items():
        assert names.text(text) == everywhere(again)[place], place
    for stand_in, name in ((first, one), (second, two)):
        assert stand_in == name or re.fullmatch(r"n\d\W*é?\W*(database|schema|role)", stand_in, re.IGNORECASE)
        assert (Identifier(stand_in).sql == stand_in) == (Identifier(name).sql == name)
    assert (first == second) == (one == two)


@pytest.mark.parametrize("name", ["RAW", "EVENTS", "SNOWPLOW_LOADER", "ACCOUNTADMIN", "PUBLIC", "id"])
def test_words_of_the_program_and_short_ones_stay(name: str) -> None:
    settings = of(database=name)
    assert Renaming({"answers": {}, "settings": {}}, settings).text(name) == name


def test_the_programs_words_are_found_where_it_is_installed() -> None:
    assert {"SNOWPLOW", "STORAGE_INTEGRATION", "SNOWFLAKE-READ-ROLE"} <= known()
    assert "ACME" not in known()


OTHERS = [
    ("see anna.o@quokka.example, from 198.51.100.7", ["anna.o", "quokka.example", "198.51.100.7"]),
    ("cannot reach https://proxy.quokka.internal:3128/x", ["quokka", "proxy"]),
    ('{"aws:SourceVpce": "vpce-0a1b2c3d4e5f60718"}', ["0a1b2c3d4e5f60718"]),
    ("2001:db8:77::12 is not allowed", ["77::12"]),
    ("arn:aws:iam::123456789012:role/team-quokka/Quokka+Read", ["123456789012", "uokka"]),
    ("arn:aws:sns:us-west-2:123456789012:quokka-landings", ["quokka", "landings"]),
    ("arn:aws:kms:us-west-2:123456789012:key/1f2e3d4c-aaaa-bbbb-cccc-1234567890ab", ["1f2e3d4c"]),
    ("s3://quokka-landing/in/ and arn:aws:s3:::quokka-other/*", ["quokka"]),
    ("iglu:com.quokka-labs/hop/jsonschema/1-0-0", ["quokka"]),
    (
        "arn:aws:sqs:us-west-2:123456789012:sf-snowpipe-AIDAIOSFODNN7EXAMPLE-Kq3xX_9aQ12345",
        ["Kq3xX_9aQ12345"],
    ),
]


@pytest.mark.parametrize(("text", "whose"), OTHERS)
def test_addresses_and_what_others_own_is_replaced(text: str, whose: list[str]) -> None:
    found = {"answers": {'["sql", "SELECT 1", null]': [{"answer": [{"said": text}]}]}, "settings": {}}
    made = json.dumps(Renaming(found, settings_of(written())).value(found))
    assert [each for each in whose if each in made] == []


SECRETS = [
    ("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----", "MIIEvQIBADANBg"),
    ("Authorization: Bearer tok-3f9a8b7c6d5e", "tok-3f9a8b7c6d5e"),
    ("token eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl here", "c2lnbmF0dXJl"),
    ("CREATE STAGE s CREDENTIALS = (AWS_KEY_ID = 'k' AWS_SECRET_KEY = 'wJalrXUtnFEMI')", "wJalrXUtnFEMI"),
    ("cannot reach http://anna:hunter2pass@proxy.quokka.example:3128", "hunter2pass"),
    ("https://b.s3.amazonaws.com/k?X-Amz-Signature=0a1b2c3d4e&x=1", "0a1b2c3d4e"),
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_no_secret_is_in_a_recording(text: str, secret: str) -> None:
    answer = {"answer": [{"definition": text}], "failed": {"kind": "SqlFailed", "message": f"it said {text}"}}
    found = {
        "answers": {'["sql", "SHOW PIPES", null]': [answer]},
        "settings": {"waivers": [{"reason": text}]},
    }
    assert secret not in json.dumps(Renaming(found, settings_of(written())).value(found))
    assert secret not in json.dumps(recording.without_secrets(found))


def test_what_somebody_wrote_about_a_thing_is_left_out() -> None:
    said = {"comment": "Anna's, do not touch", "name": "P"}
    ours = {"comment": "Snowplow bad rows (snowpipe-runbook)", "name": "Q"}
    shown = [{"property": "COMMENT", "property_value": "Anna's"}]
    found = {"answers": {'["sql", "SHOW PIPES", null]': [{"answer": [said, ours, *shown]}]}, "settings": {}}
    rows = Renaming(found, settings_of(written())).value(found)["answers"]['["sql", "SHOW PIPES", null]'][0][
        "answer"
    ]
    assert [row.get("comment", row.get("property_value")) for row in rows] == ["", ours["comment"], ""]


def test_capitals_stay_apart() -> None:
    names = Renaming({"answers": {}, "settings": {}}, of(database="Quokka"))
    forms = [names.text(each) for each in ("QUOKKA", "quokka", "Quokka", "quokkA", "Quokka")]
    assert len(set(forms)) == 4
    assert {each.casefold() for each in forms} == {forms[0].casefold()}
    assert forms[2] == forms[4]
    assert forms[0].isupper()


def test_an_external_id_with_a_blank_stays_one_with_a_blank() -> None:
    trust = {"Condition": {"StringEquals": {"sts:ExternalId": "AB1_SFCRole=2_quokka "}}}
    shown = {"property": "STORAGE_AWS_EXTERNAL_ID", "property_value": "AB1_SFCRole=2_quokka"}
    found = {"answers": {'["aws", "iam", "GetRole", null]': [{"answer": [trust, shown]}]}, "settings": {}}
    made = Renaming(found, settings_of(written())).value(found)
    asked, has = made["answers"]['["aws", "iam", "GetRole", null]'][0]["answer"]
    assert asked["Condition"]["StringEquals"]["sts:ExternalId"] == f"{has['property_value']} "
