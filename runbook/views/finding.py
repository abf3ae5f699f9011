"""One event by its id, in the raw tables: `invoke explain --event ID`. Only reads; needs no views."""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from runbook.clouds.failures import Row
from runbook.clouds.reader import Reader
from runbook.errors import SettingsWrong
from runbook.facts.snowflake import ask
from runbook.settings import Settings, Stream
from runbook.sql import literal

MOST = 20
_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_FAILED = "COALESCE(document:detail, document)"
_COLUMNS = {
    "enriched": "app_id, event_name AS what, collector_tstamp AS at, event_fingerprint AS more",
    "bad_rows": (
        f"{_FAILED}:data:payload:enriched:app_id::VARCHAR AS app_id, "
        f"SPLIT_PART({_FAILED}:schema::VARCHAR, '/', 2) AS what, "
        f"{_FAILED}:data:payload:enriched:collector_tstamp::VARCHAR AS at, "
        f"LEFT({_FAILED}:data:failure::VARCHAR, 300) AS more"
    ),
}
_IS_IT = {
    "enriched": "LOWER(event_id) = {0}",
    "bad_rows": " OR ".join(
        f"LOWER({value}) = {{0}}"
        for value in (
            f"{_FAILED}:data:payload:enriched:event_id::VARCHAR",
            f"{_FAILED}:data:payload:event_id::VARCHAR",
            f"SPLIT_PART({_FAILED}:data:payload::VARCHAR, '\\t', 7)",
        )
    ),
}


@dataclass(frozen=True)
class Sighting:
    """A row with the event: in which table, from which file, and what it is.

    ``what``: the event's name, or the failed event's family; ``more``: its fingerprint, or why it failed.
    """

    stream: str
    table: str
    file: str
    row: int
    loaded_at: str
    app_id: str
    what: str
    at: str
    more: str

    def as_json(self) -> dict[str, object]:
        """For programs; the keys stay as they are."""
        return asdict(self)

    def told(self) -> Iterator[tuple[str, str]]:
        """For a person, each line with its head."""
        yield "  in:         ", f"{self.table}, loaded {self.loaded_at} UTC"
        yield "  from:       ", f"{self.file} row {self.row}"
        yield "  it is:      ", ", ".join(part for part in (self.what, self.app_id, self.at) if part) or "?"
        if self.more:
            yield "  and:        ", self.more


def check_id(event_id: str) -> None:
    """Raises SettingsWrong for what is not an event's id."""
    if not _ID.fullmatch(event_id):
        raise SettingsWrong(f"{event_id!r} is not an event's id", remedy="--event and its event_id, a UUID")


def sightings(reader: Reader, settings: Settings, event_id: str) -> list[Sighting]:
    """Every row with that event, in every stream's table, at most so many of each. Only reads.

    Raises SettingsWrong for what is not an event's id.
    """
    check_id(event_id)
    return [
        _sighting(stream, row)
        for stream in settings.streams
        if stream.kind in _IS_IT
        for row in _rows(reader, stream, event_id.lower())
    ]


def _rows(reader: Reader, stream: Stream, event_id: str) -> list[Row]:
    where = _IS_IT[stream.kind].format(literal(event_id))
    statement = (
        f"SELECT _file, _file_row, _loaded_at, {_COLUMNS[stream.kind]} FROM {stream.table.sql} "
        f"WHERE {where} ORDER BY _loaded_at, _file, _file_row LIMIT {MOST}"
    )
    what, privilege = f"The rows of {stream.table}", f"SELECT on table {stream.table}"
    return ask(lambda: reader.sql(statement), what, privilege) or []


def _sighting(stream: Stream, row: Row) -> Sighting:
    return Sighting(
        stream=stream.name,
        table=stream.table.sql,
        file=str(row["_file"]),
        row=int(row["_file_row"] or 0),
        loaded_at=str(row["_loaded_at"])[:19],
        app_id=str(row["app_id"] or ""),
        what=str(row["what"] or ""),
        at=str(row["at"] or ""),
        more=str(row["more"] or ""),
    )
