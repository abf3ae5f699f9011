"""Enriched events: 131 fields apart by tabs, one event a line.

Source: https://docs.snowplow.io/docs/fundamentals/canonical-event/understanding-the-enriched-tsv-format/
"""

import re
from collections import Counter
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from runbook.sql import literal

NUMBER = 0
MAY_STAY_AWAY = False
FORMAT = {
    "TYPE": "CSV",
    "COMPRESSION": "AUTO",
    "RECORD_DELIMITER": "\\n",
    "FIELD_DELIMITER": "\\t",
    "MULTI_LINE": "false",
    "PARSE_HEADER": "false",
    "SKIP_HEADER": "0",
    "SKIP_BLANK_LINES": "true",
    "ESCAPE": "NONE",
    "ESCAPE_UNENCLOSED_FIELD": "NONE",
    "TRIM_SPACE": "false",
    "FIELD_OPTIONALLY_ENCLOSED_BY": "NONE",
    "NULL_IF": "[]",
    "ERROR_ON_COLUMN_COUNT_MISMATCH": "true",
    "REPLACE_INVALID_CHARACTERS": "true",
    "EMPTY_FIELD_AS_NULL": "true",
    "SKIP_BYTE_ORDER_MARK": "true",
    "ENCODING": "UTF8",
}

FIELDS = 131
FIRST_FIELDS = 108
"""What the oldest enriched events have; later versions only added to the end."""

CANARY = "snowpipe-runbook-canary"
"""How the name of a canary's file begins; its run follows (runbook.verify.canary)."""
CANARYS_COLUMNS = frozenset({"APP_ID", "NAME_TRACKER"})
CANARYS_ROW = f"app_id = {literal(CANARY)}"
CANARYS_RUN = "name_tracker"
MARK = "event_id || '|' || COALESCE(collector_tstamp, '') || '|' || COALESCE(etl_tstamp, '')"
"""An id alone also repeats when a tracker sends twice."""

ALWAYS = {
    "event_id": "________-____-____-____-____________",
    "collector_tstamp": "____-__-__%",
}
"""What Enrich writes into every event; a pattern of NULL is neither met nor unmet."""
ALWAYS_THERE = frozenset({"APP_ID", "EVENT_ID", "COLLECTOR_TSTAMP"})
"""The columns by which a table of somebody else's is taken for one of events."""
A_TIME_INSIDE = "%____-__-__ __:__:__%"
"""In ``app_id``, of a row without an id: the whole line, between other signs than tabs."""
EVENT_NAMES = ("page_view", "page_ping", "struct", "unstruct", "transaction", "transaction_item")
NULLS = ("\\N", "NULL", "null", "None", "nan", "NaN", "NA", "N/A", "nil", "undefined", "-")
"""What other writers of files put where nothing is; Enrich leaves the field empty."""
MOST_NULLS = 20
"""So many fields of an event hold one such word by no accident."""
NUMBERS = tuple(f"1{'_' * digits}" for digits in (9, 12, 15))
"""A time as seconds, milliseconds or microseconds since 1970; a year begins with a 2."""
A_TIME_OF_DAY = "%__:__:__%"
DOCUMENTS = {"contexts": 52, "unstruct_event": 58, "derived_contexts": 122}
"""The fields that hold JSON, and their places, counted from 0."""
OF_THE_STEPS = frozenset({"_FILE", "_FILE_ROW", "_LOADED_AT"})
"""What a table of ours has beside the events' fields, which are all text there."""
ESCAPED = ('"{', '{\\"')
"""How JSON begins where something else than Enrich wrote it as text once more, by CSV's rules or JSON's."""
COMMAS, BINARY = "," * 8, "\x01"
TAB, LINE_END, GZIP = "\t", "\n", "\x1f"

_EVENT_ID = re.compile(rb"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NAMES = frozenset(name.encode() for name in EVENT_NAMES)
_FLAGS = (b"0", b"1")  # an event has many of them
_NUMBER = re.compile(rb"1\d{9}(\d{3}){0,2}")
_OTHER_MOMENT = re.compile(rb"(?!\d{4}-\d\d-\d\d).*\d\d:\d\d:\d\d.*")
_ESCAPED = tuple(each.encode() for each in ESCAPED)
_MOMENT = re.compile(rb"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d.*")


def begun(run: str) -> datetime:
    """When the run of a canary began, by the clock of the machine that began it."""
    return datetime.strptime(run[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def canary(run: str) -> str:
    """An enriched event of 131 fields; the run's name stands where the tracker's would."""
    fields = [""] * FIELDS
    fields[0], fields[1] = CANARY, "srv"
    fields[2] = fields[3] = f"{begun(run):%Y-%m-%d %H:%M:%S}.000"
    fields[5], fields[6] = "unstruct", str(uuid5(NAMESPACE_URL, run))
    fields[8], fields[9], fields[10], fields[11] = run, CANARY, CANARY, CANARY
    return "\t".join(fields)


def misread(columns: frozenset[str]) -> str:
    """How many of the rows no enriched event is read as, by its first field and its last.

    Enrich takes tabs and line ends out of every field, so one inside a field is a delimiter that was not
    taken for one; a field that begins as gzip, zip or Parquet does was not unpacked, or not often enough;
    with a brace it is a JSON document, with an angle bracket a web page, with a row of commas a CSV file.
    Enrich leaves empty what it does not know, writes times as ``2026-01-31 12:00:00.000``, and JSON as it
    is: a word for NULL, a time of another form, or JSON in quotes is another writer's.
    Where both fields that Enrich always fills hold something else, all stand in the wrong places: a header
    line, a tab inside a field, another order. One of them alone may be odd in a sound event; but an event's
    kind where its id belongs, or the other way round, is one place off. Sources:
    https://docs.snowflake.com/en/sql-reference/sql/create-file-format,
    https://docs.snowplow.io/docs/fundamentals/canonical-event/
    """
    if not {"APP_ID", "TRUE_TSTAMP"} <= columns:
        return "0"
    patterns = [("app_id", each) for each in (f"%{TAB}%", f"{GZIP}%", "{%", "<%", "PK\x03\x04%", "PAR1%")]
    patterns += [("app_id", f"%{COMMAS}%"), ("app_id", f"{BINARY * 3}%")]
    patterns += [("true_tstamp", f"%{sign}%") for sign in (TAB, LINE_END)]
    found = [f"{column} LIKE {literal(each)}" for column, each in patterns]
    found.append(f"true_tstamp IN ({', '.join(map(literal, NULLS))})")
    if "COLLECTOR_TSTAMP" in columns:
        found += [f"collector_tstamp LIKE {literal(each)}" for each in NUMBERS]
    if columns >= OF_THE_STEPS | {"COLLECTOR_TSTAMP"}:  # others may keep times and JSON as they like
        found.append(
            f"(collector_tstamp LIKE {literal(A_TIME_OF_DAY)} "
            f"AND collector_tstamp NOT LIKE {literal(ALWAYS['collector_tstamp'])})"
        )
        documents = [column for column in DOCUMENTS if column.upper() in columns]
        found += [f"STARTSWITH({each}, {literal(sign)})" for each in documents for sign in ESCAPED]
    if {column.upper() for column in ALWAYS} <= columns:
        unmet = [f"{column} NOT LIKE {literal(each)}" for column, each in ALWAYS.items()]
        found.append(f"({' AND '.join(unmet)})")
    if {"EVENT", "EVENT_ID"} <= columns:
        names = ", ".join(map(literal, EVENT_NAMES))
        found += [f"event_id IN ({names})", f"event LIKE {literal(ALWAYS['event_id'])}"]
        found.append(f"(event_id IS NULL AND app_id LIKE {literal(A_TIME_INSIDE)})")
    return f"COUNT_IF({' OR '.join(found)})"


def wrong_in(plain: bytes) -> str:
    """What text holds instead of events; empty where its beginning is right or unknown."""
    line = _first_line(plain)
    if plain.lstrip(b"\xef\xbb\xbf \r\n").startswith((b"{", b"[")) and line.count(b"\t") < FIRST_FIELDS - 1:
        return "it holds JSON"
    of_first = _of_fields(line.split(b"\t")) if line.strip(b"\r\t ") else ""
    return of_first or _of_later_lines(plain) or _of_documents(plain)


def older(plain: bytes) -> str:
    """How many fields the first line has, where it is an event of an older Snowplow's; else empty."""
    fields = _first_line(plain).count(b"\t") + 1
    return f"its first line has {fields} of {FIELDS} fields" if FIRST_FIELDS <= fields < FIELDS else ""


def _first_line(plain: bytes) -> bytes:
    """The first line that is not empty; nothing where its end is not among what was read."""
    line, end, _ = plain.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n").partition(b"\n")
    return line if end else b""


def _of_later_lines(plain: bytes) -> str:
    """The first line that is not an event by the number of its fields; one that is not whole is unknown."""
    for number, line in enumerate(plain.split(b"\n")[:-1], 1):
        fields = line.count(b"\t") + 1
        if line.strip(b"\r\t ") and not FIRST_FIELDS <= fields <= FIELDS:
            return f"its line {number:,} has {fields} of {FIELDS} fields"
    return ""


def _of_documents(plain: bytes) -> str:
    """The first line whose JSON was written as text once more."""
    if not any(b"\t" + sign in plain for sign in _ESCAPED):
        return ""
    for number, line in enumerate(plain.split(b"\n")[:-1], 1):
        fields = line.split(b"\t")
        for name, place in DOCUMENTS.items():
            if len(fields) > place and fields[place].startswith(_ESCAPED):
                return f"the {name} of its line {number:,} is JSON that was written as text once more"
    return ""


def _of_fields(fields: list[bytes]) -> str:
    """What is wrong with an event's fields."""
    if len(fields) > 6 and fields[0].lower() == b"app_id" and fields[1].lower() == b"platform":
        return "its first line is a header"
    if len(fields) < FIRST_FIELDS:
        return f"its first line has {len(fields)} of {FIELDS} fields"
    if _is_out_of_place(fields):
        return "the fields of its first line are not in their places"
    if len(fields) > FIELDS:
        return f"its first line has {len(fields)} fields, more than {FIELDS}"
    return _of_values(fields)


def _of_values(fields: list[bytes]) -> str:
    """What shows that something else than Enrich wrote the values."""
    words = Counter(field for field in fields if field.strip() and field not in _FLAGS)
    word, times = next(iter(words.most_common(1)), (b"", 0))
    if times >= MOST_NULLS:
        return f"the empty fields of its first line hold {word.decode('utf-8', 'replace')[:20]}"
    if _NUMBER.fullmatch(fields[3]):
        return "the collector_tstamp of its first line is a number"
    odd = _OTHER_MOMENT.fullmatch(fields[3])
    return "the collector_tstamp of its first line is not a time as Enrich writes it" if odd else ""


def _is_out_of_place(fields: list[bytes]) -> bool:
    """Whether both fields that Enrich always fills hold something else, or kind and id are one place off.

    A sound event may have one odd field.
    """
    odd_id, odd_time = (
        bool(field) and not sign.fullmatch(field)
        for field, sign in ((fields[6], _EVENT_ID), (fields[3], _MOMENT))
    )
    return (odd_id and odd_time) or fields[6] in _NAMES or bool(_EVENT_ID.fullmatch(fields[5]))
