"""Files as loaders write them: gzip bodies under the keys of the S3 Loader (2.x, 3.x) or of Firehose.

Sources: DynamicPath and the emitter in https://github.com/snowplow/snowplow-s3-loader (2.x: modules/main,
3.x: modules/core); https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html
"""

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Literal, NamedTuple, Protocol

from .rows import identifier

Generation = Literal["2.x", "3.x", "firehose"]

_GZIP = 31
"""zlib's wbits for a gzip wrapper; its header carries no time, so same rows, same bytes."""
_FIRST_SEQUENCE_NUMBER = 496 * 10**53
"""Kinesis numbers records with 56 digits, ever larger within a shard."""
_SCHEMA_PARTS = ("vendor", "schema", "name", "format", "model")
_PLACEHOLDER = re.compile(r"\{(.*?)\}")


class Record(Protocol):
    """What a loader writes: an event or a bad row."""

    @property
    def line(self) -> str:
        """The record, without the line feed."""

    @property
    def written_at(self) -> datetime:
        """When it reached the stream the loader reads."""

    @property
    def schema(self) -> str | None:
        """The Iglu URI loaders partition by; None for an enriched event."""


class LoaderFile(NamedTuple):
    """One file of a loader.

    Attributes:
        key: its object key, partition folders included.
        body: its bytes, gzip-compressed.
        rows: how many records are in it.
        written_at: when the loader wrote it, in UTC (the time in its name).
    """

    key: str
    body: bytes
    rows: int
    written_at: datetime


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a loader names and ends its files.

    Attributes:
        generation: which loader: ``2.x`` writes a file a Kinesis shard and flush, its name ending in the
            first and last sequence number; ``3.x`` one a flush, its name ending in a random UUID;
            ``firehose`` one a flush below ``yyyy/MM/dd/HH/``.
        path: the folder all keys start with, with its final slash, or empty.
        partition: template of the folders below it. Bad rows: by default ``{vendor}.{schema}``. Of time,
            2.x knows ``{yy} {mm} {dd} {hh}`` (month is ``{mm}``; more y and capitals allowed), 3.x
            ``{yyyy} {MM} {dd} {HH} {mm} {ss}``; of schemas, both know ``{vendor} {schema} {name} {format}
            {model}``.
        filename_prefix: 2.x sets a hyphen after it, 3.x does not; for Firehose, the stream's name.
        delimiter: between two records.
        final_newline: whether the last record ends in a line feed (3.0 and 3.1 do not write it).
        shards: 2.x only: Kinesis shards, records spread by chance.
        level: gzip level, 1 to 9; 1 makes these files 5 times smaller, 6 makes them 7 times smaller in
            twice the time (real files: 3 to 6 times).
    """

    generation: Generation = "3.x"
    path: str = ""
    partition: str | None = None
    filename_prefix: str = ""
    delimiter: str = "\n"
    final_newline: bool = True
    shards: int = 1
    level: int = 1

    def __post_init__(self) -> None:
        """Raises ValueError for a layout no loader has."""
        if self.shards < 1 or (self.shards > 1 and self.generation != "2.x"):
            raise ValueError(
                f"{self.shards} shards: only 2.x writes a file a shard, and there is at least one"
            )
        if self.path and not self.path.endswith("/"):
            raise ValueError(f"path {self.path!r} needs a final slash: it is a folder")
        if self.partition is not None and self.generation == "firehose":
            raise ValueError("not emulated: custom prefixes of Firehose")
        for name in _PLACEHOLDER.findall(self.partition or ""):
            if name not in _SCHEMA_PARTS and _time_pattern(self.generation, name) is None:
                raise ValueError(f"not emulated: {{{name}}} in a partition of the {self.generation} loader")


def loader_files(
    records: Iterable[Record],
    *,
    per_file: int,
    layout: Layout | None = None,
    seed: int | str = 0,
    delay: timedelta = timedelta(seconds=2),
) -> Iterator[LoaderFile]:
    """Records as the files a loader makes of them, in the order they are written.

    A flush comes every ``per_file`` records. It becomes one file, but one a shard (2.x with shards), and
    one a partition where the partition names the schema, as bad rows by default have it.

    Args:
        records: events or bad rows, in order of time.
        per_file: records of a flush.
        layout: names and ends; S3 Loader 3.x without a path if not given.
        seed: of the UUIDs, sequence numbers and shards.
        delay: how long after its last record a flush is written.

    Raises:
        ValueError: for ``per_file`` below 1, or events under a partition by schema (loaders refuse it).
    """
    if per_file < 1:
        raise ValueError(f"per_file is {per_file}: a file holds at least one record")
    layout = layout or Layout()
    rng = Random(f"files {seed}")
    sequence = _FIRST_SEQUENCE_NUMBER + rng.getrandbits(170)
    for flush in _flushes(records, per_file):
        written_at = (flush[-1].written_at + delay).replace(microsecond=0)
        for shard in _spread(rng, flush, layout.shards):
            for folder, group in _partitioned(shard, layout, written_at).items():
                sequence += 1 + rng.getrandbits(60)
                last = sequence + rng.getrandbits(50)
                name = _NAMES[layout.generation](layout, written_at, rng, (sequence, last))
                sequence = last
                yield LoaderFile(f"{layout.path}{folder}{name}", _body(group, layout), len(group), written_at)


def compressed(data: bytes, level: int = 1) -> bytes:
    """Gzip bytes without a time in their header: same data, same bytes."""
    return zlib.compress(data, level, _GZIP)


def _flushes(records: Iterable[Record], per_file: int) -> Iterator[list[Record]]:
    flush: list[Record] = []
    for record in records:
        flush.append(record)
        if len(flush) == per_file:
            yield flush
            flush = []
    if flush:
        yield flush


def _spread(rng: Random, flush: list[Record], shards: int) -> Iterator[list[Record]]:
    """A flush by shard: Enrich's partition keys spread records evenly."""
    if shards == 1:
        yield flush
        return
    spread: list[list[Record]] = [[] for _ in range(shards)]
    for record in flush:
        spread[int(rng.random() * shards)].append(record)
    yield from filter(None, spread)


def _partitioned(flush: Sequence[Record], layout: Layout, now: datetime) -> dict[str, list[Record]]:
    """A flush by folder, in order of first appearance."""
    folders: dict[str | None, str] = {}
    groups: dict[str, list[Record]] = {}
    for record in flush:
        schema = record.schema
        if schema not in folders:
            folders[schema] = _folder(layout, schema, now)
        groups.setdefault(folders[schema], []).append(record)
    return groups


def _folder(layout: Layout, schema: str | None, now: datetime) -> str:
    """The partition folders with their final slash; empty without a partition."""
    if layout.generation == "firehose":
        return now.strftime("%Y/%m/%d/%H/")
    template = layout.partition
    if template is None:
        template = "" if schema is None else "{vendor}.{schema}"
    parts = {} if schema is None else _schema_parts(schema)

    def value(found: re.Match[str]) -> str:
        pattern = _time_pattern(layout.generation, found[1])
        if pattern is not None:
            return now.strftime(pattern)
        if schema is None:
            raise ValueError(f"enriched events can only be partitioned by time, not by {found[0]}")
        return parts[found[1]]

    return f"{_PLACEHOLDER.sub(value, template)}/" if template else ""


def _schema_parts(schema: str) -> dict[str, str]:
    vendor, name, form, version = schema.removeprefix("iglu:").split("/")
    return {"vendor": vendor, "schema": name, "name": name, "format": form, "model": version.split("-")[0]}


def _time_pattern(generation: Generation, placeholder: str) -> str | None:
    """The strftime pattern of a time placeholder; None if it is none of this loader's."""
    if generation == "2.x":  # month before minute, and case does not matter
        if re.fullmatch("yy+", placeholder, re.IGNORECASE):
            return "%Y"
        return {"mm": "%m", "dd": "%d", "hh": "%H"}.get(placeholder.lower())
    return {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}.get(placeholder)


def _body(group: Sequence[Record], layout: Layout) -> bytes:
    delimiter = layout.delimiter.encode()
    body = delimiter.join([record.line.encode() for record in group])
    return compressed(body + delimiter if layout.final_newline else body, layout.level)


def _name_2(layout: Layout, now: datetime, _: Random, numbers: tuple[int, int]) -> str:
    """``<prefix>-yyyy-MM-dd-HHmmss-<first>-<last>.gz``; its time is the server's own (here UTC)."""
    prefix = f"{layout.filename_prefix}-" if layout.filename_prefix else ""
    return f"{prefix}{now:%Y-%m-%d-%H%M%S}-{numbers[0]}-{numbers[1]}.gz"


def _name_3(layout: Layout, now: datetime, rng: Random, _: tuple[int, int]) -> str:
    """``<prefix>yyyy-MM-dd-HHmmss-<uuid>.gz`` in UTC."""
    return f"{layout.filename_prefix}{now:%Y-%m-%d-%H%M%S}-{identifier(rng)}.gz"


def _name_firehose(layout: Layout, now: datetime, rng: Random, _: tuple[int, int]) -> str:
    """``<stream>-<version>-yyyy-MM-dd-HH-mm-ss-<uuid>.gz`` in UTC."""
    stream = layout.filename_prefix or "snowplow-bad"
    return f"{stream}-1-{now:%Y-%m-%d-%H-%M-%S}-{identifier(rng)}.gz"


_NAMES: dict[Generation, Callable[[Layout, datetime, Random, tuple[int, int]], str]] = {
    "2.x": _name_2,
    "3.x": _name_3,
    "firehose": _name_firehose,
}
