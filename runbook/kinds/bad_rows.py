"""Failed events ("bad rows"): one self-describing JSON document a line.

Source: https://docs.snowplow.io/docs/fundamentals/failed-events/
"""

import json

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


misread = documents.misread


def wrong_in(plain: bytes) -> str:
    """What text holds instead of JSON; empty where its beginning is right or unknown."""
    begin = plain.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not begin or begin.startswith((b"{", b"[")):
        return ""
    return "it holds enriched events" if begin.count(b"\t") > 100 else "it does not hold JSON"


def older(_plain: bytes) -> str:
    """Nothing: a document says its version itself."""
    return ""
