"""The small parts a row is made of: a list of 131 texts, identifiers, timestamps, wrapped entities."""

from collections.abc import Mapping
from datetime import date
from random import Random

from .fields import FIELDS, POSITIONS

Row = list[str]
"""The 131 values of one event, in order; empty text where a value is absent."""

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_CONTEXTS = '{"schema":"iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-%d","data":[%s]}'
_UNSTRUCT = '{"schema":"iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0","data":%s}'
_1970 = date(1970, 1, 1).toordinal()
_DAYS: dict[int, str] = {}
_SECONDS_OF_DAY = tuple(f"{h:02d}:{m:02d}:{s:02d}" for h in range(24) for m in range(60) for s in range(60))
_MILLISECONDS = tuple(f".{ms:03d}" for ms in range(1000))


def blank_row() -> Row:
    """A row of 131 absent values."""
    return [""] * len(FIELDS)


def fill(row: Row, values: Mapping[str, str]) -> None:
    """Set fields by name. Raises KeyError for a name that is not a field."""
    for name, text in values.items():
        row[POSITIONS[name]] = text


def identifier(rng: Random) -> str:
    """A random (version 4) UUID in lower case."""
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def timestamp(milliseconds: int) -> str:
    """A UTC time since 1970 as Enrich writes it: ``yyyy-MM-dd HH:mm:ss.SSS``."""
    day, rest = divmod(milliseconds, DAY)
    text = _DAYS.get(day)
    if text is None:
        text = _DAYS[day] = f"{date.fromordinal(_1970 + day)} "
    second, fraction = divmod(rest, SECOND)
    return f"{text}{_SECONDS_OF_DAY[second]}{_MILLISECONDS[fraction]}"


def iso_timestamp(milliseconds: int) -> str:
    """The same time as trackers, bad rows and EventBridge write it: ISO 8601 with T and Z."""
    return f"{timestamp(milliseconds).replace(' ', 'T')}Z"


def contexts(entities: str, *, revision: int = 1) -> str:
    """The text of ``contexts`` or ``derived_contexts``; empty without entities, as Enrich leaves it."""
    return _CONTEXTS % (revision, entities) if entities else ""


def unstruct(entity: str) -> str:
    """The text of ``unstruct_event`` around one entity."""
    return _UNSTRUCT % entity
