"""Failed events ("bad rows"): one self-describing JSON document a line.

Source: https://docs.snowplow.io/docs/fundamentals/failed-events/
"""

import json
import re
from contextlib import suppress

from runbook.kinds import documents
from runbook.kinds.enriched import CANARY
from runbook.sql import literal

NUMBER = 1
MAY_STAY_AWAY = True
FORMAT = documents.FORMAT

SCHEMA = f"iglu:{CANARY}/canary/jsonschema/1-0-0"
CANARYS_COLUMNS = frozenset({"DOCUMENT"})
CANARYS_ROW = f"document:schema::VARCHAR = {literal(SCHEMA)}"
CANARYS_RUN = "document:data.run::VARCHAR"
_PROCESSOR = "COALESCE(document:data:processor, document:detail:data:processor)"
MARK = f"IFF({_PROCESSOR} IS NULL, NULL, MD5(TO_JSON(document)))"


def canary(run: str) -> str:
    """A document whose schema nobody else has."""
    return json.dumps({"schema": SCHEMA, "data": {"run": run}})


_EVENT = ("event_id", "collector_tstamp")
"""What every enriched event has, also one written as JSON; a failed event has it inside its payload."""


def misread(columns: frozenset[str]) -> str:
    """How many of the documents are enriched events, or arrays: a failed one is self-describing, one a line.

    Sources: https://docs.snowplow.io/docs/fundamentals/failed-events/,
    https://docs.snowplow.io/docs/fundamentals/canonical-event/
    """
    if "DOCUMENT" not in columns:
        return "0"
    has = [f"document:{name} IS NOT NULL" for name in _EVENT]
    return f"COUNT_IF(({' AND '.join(has)} AND document:schema IS NULL) OR TYPEOF(document) = 'ARRAY')"


def wrong_in(plain: bytes) -> str:
    """What text holds instead of JSON; empty where its beginning is right or unknown."""
    begin = plain.removeprefix(b"\xef\xbb\xbf").lstrip()
    if re.match(rb"\[\s*\{", begin):
        return "it holds documents in one array, which becomes one row"
    if not begin or begin.startswith((b"{", b"[")):
        return "it holds enriched events as JSON" if _is_an_event(begin.partition(b"\n")[0]) else ""
    return "it holds enriched events" if begin.count(b"\t") > 100 else "it does not hold JSON"


def _is_an_event(line: bytes) -> bool:
    """Whether the first document is an enriched event; one that is cut off, or over several lines, is not."""
    with suppress(ValueError):
        document = json.loads(line)
        return isinstance(document, dict) and {*_EVENT} <= document.keys() and "schema" not in document
    return False


def older(_plain: bytes) -> str:
    """Nothing: a document says its version itself."""
    return ""
