"""The kind ``json`` as the steps make it: JSON documents of any producer, each into one VARIANT column.

Nothing is asked of a document but that it is one; so nothing is lost, and nothing is judged of its content.
Source: https://docs.snowflake.com/en/sql-reference/sql/create-file-format (TYPE = JSON)
"""

import json

from runbook.kinds.enriched import CANARY

NUMBER = 2
MAY_STAY_AWAY = True
FORMAT = {
    "TYPE": "JSON",
    "COMPRESSION": "AUTO",
    "STRIP_OUTER_ARRAY": "false",
    "STRIP_NULL_VALUES": "false",
    "ALLOW_DUPLICATE": "false",
    "ENABLE_OCTAL": "false",
    "REPLACE_INVALID_CHARACTERS": "true",
    "SKIP_BYTE_ORDER_MARK": "true",
}

MEMBER = f"{CANARY}-run"
MARK = "NULL"
CANARYS_COLUMNS = frozenset({"DOCUMENT"})
CANARYS_RUN = f'document:"{MEMBER}"::VARCHAR'
CANARYS_ROW = f"{CANARYS_RUN} IS NOT NULL"
_BEGINNINGS = (b"{", b"[", b'"', b"-", b"t", b"f", b"n", *(b"%d" % digit for digit in range(10)))


def canary(run: str) -> str:
    """A document with a member that nobody else's has."""
    return json.dumps({MEMBER: run})


def misread(_columns: frozenset[str]) -> str:
    """Nothing: what is not JSON does not become a row."""
    return "0"


def wrong_in(plain: bytes) -> str:
    """What text holds instead of JSON; empty where its beginning is right or unknown."""
    begin = plain.removeprefix(b"\xef\xbb\xbf").lstrip()
    return "" if not begin or begin.startswith(_BEGINNINGS) else "it does not hold JSON"


def older(_plain: bytes) -> str:
    """Nothing is known of its producer."""
    return ""
