"""Bad rows: bare, as the S3 loader writes them, or in the EventBridge envelope some pipelines add."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import NamedTuple

from .events import Event, Rates, events
from .failures import FAMILIES, Cause, document, schema
from .rows import iso_timestamp

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadRow(NamedTuple):
    """One bad row.

    Attributes:
        family: the name in its schema, such as ``schema_violations``.
        line: the JSON document, on one line, without the line feed.
        written: when it was written, in milliseconds since 1970.
    """

    family: str
    line: str
    written: int

    @property
    def schema(self) -> str:
        """The Iglu URI of its schema, by which loaders partition."""
        return schema(self.family)

    @property
    def written_at(self) -> datetime:
        """When it was written."""
        return _EPOCH + timedelta(milliseconds=self.written)


def bad_rows(
    seed: int | str,
    start: datetime,
    *,
    rows: int | None = None,
    per_second: float = 1.0,
    weights: Mapping[str, float] | None = None,
) -> Iterator[BadRow]:
    """Bad rows in the order they were written; each family once, then by weight.

    Args:
        seed: same seed and arguments, same documents, in every process.
        start: aware time of the first.
        rows: how many; None goes on for ever.
        per_second: mean bad rows a second, of their own time.
        weights: how common each family is; without it as in :data:`.failures.FAMILIES`. A family that is
            not named does not occur.

    Raises:
        ValueError: for an unknown family, weights that are all zero, or a ``start`` without a time zone.
    """
    chosen = {name: family.weight for name, family in FAMILIES.items()} if weights is None else dict(weights)
    if unknown := chosen.keys() - FAMILIES.keys():
        raise ValueError(
            f"no such bad row families: {', '.join(sorted(unknown))}; there are {', '.join(FAMILIES)}"
        )
    names = [name for name, weight in chosen.items() if weight > 0]
    if not names:
        raise ValueError("bad rows need at least one family with a weight above 0")
    failing = events(f"bad rows {seed}", start, rows=rows, per_second=per_second, rates=Rates(odd=0.05))
    return _made(Random(f"bad rows {seed}"), failing, {name: chosen[name] for name in names})


def _made(rng: Random, failing: Iterable[Event], weights: Mapping[str, float]) -> Iterator[BadRow]:
    names, cumulative = list(weights), list(itertools.accumulate(weights.values()))
    for position, event in enumerate(failing):
        if position < len(names):
            family = names[position]
        else:
            (family,) = rng.choices(names, cum_weights=cumulative)
        made = document(family, Cause(event.values, event.etl, rng))
        yield BadRow(family, _write(made), event.etl)


def enveloped(
    bad: BadRow,
    *,
    account: str = "111122223333",
    region: str = "us-west-2",
    source: str = "snowplow.enriched.bad",
) -> BadRow:
    """The same bad row as the ``detail`` of an EventBridge event.

    Sources: the standard event structure of EventBridge; detail-type as in the sink of
    https://github.com/opensnowcat/opensnowcat-enrich.
    """
    digest = hashlib.sha256(f"{bad.written} {bad.line}".encode()).hexdigest()
    identity = f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}"
    around = {
        "version": "0",
        "id": identity,
        "detail-type": "enrich-event",
        "source": source,
        "account": account,
        "time": f"{iso_timestamp(bad.written)[:19]}Z",
        "region": region,
        "resources": [],
    }
    return BadRow(bad.family, f'{_write(around)[:-1]},"detail":{bad.line}}}', bad.written)


def joined(rows: Iterable[BadRow], delimiter: str = "\n") -> bytes:
    """The documents in one body; with an empty delimiter as Firehose concatenates them by default.

    A line feed as delimiter also ends the last one.
    Source: https://docs.aws.amazon.com/firehose/latest/dev/basic-deliver.html
    """
    return "".join(f"{row.line}{delimiter}" for row in rows).encode()


def _write(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
