"""`invoke explain`: all that is known of one file, of a few, or of an event; what may be done. Only reads."""

import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from runbook import settings as reading
from runbook.clouds.failures import AwsFailed
from runbook.errors import RunbookError, SettingsWrong
from runbook.facts import Facts
from runbook.facts.objects import Load, StagedFile
from runbook.ledger import looking
from runbook.ledger.asked import Asked
from runbook.ledger.classes import SAYS, Evidence, Kind
from runbook.ledger.verdicts import Verdict, judge
from runbook.loading.planning import plan_store
from runbook.remedy import pattern_of
from runbook.running import Run, known, running
from runbook.settings import Settings, Stream
from runbook.terminal import Style, counted, say, say_json, table, visible, wrapped
from runbook.views.finding import check_id, sightings

LARGE = 10_000_000  # files: what --max-files may be at most


@dataclass(frozen=True)
class Explained:
    """One file's whole way; times are UTC. ``file`` is None where the bucket has no such key now."""

    key: str
    stream: Stream
    evidence: Evidence
    file: StagedFile | None
    versions: list[dict[str, Any]] | str
    announced: list[dict[str, str]] | str
    kind: Kind | None
    why: str
    remedy: str

    @property
    def loads(self) -> list[Load]:
        """Every load of it on record, oldest first."""
        start = datetime.min.replace(tzinfo=UTC)
        return sorted(self.evidence.loads(self.key), key=lambda load: load.loaded_at or start)

    @property
    def is_known(self) -> bool:
        """Whether the bucket, a load history or the table has ever had such a file."""
        return bool(self.file or self.loads or self.evidence.rows(self.key) or self._was_there)

    @property
    def _was_there(self) -> bool:
        return isinstance(self.versions, list) and bool(self.versions)

    @property
    def is_missing(self) -> bool:
        """Whether something of it is not in the table: also of what was gone before it was loaded."""
        if self.kind:
            return self.kind.is_missing
        loaded = self.evidence.done(self.key) or self.evidence.rows(self.key)
        return self.is_known and not loaded

    @property
    def verdict(self) -> str:
        """The verdict in words."""
        if self.kind:
            return SAYS[self.kind]
        if not self.is_known:
            return "not in the bucket, and in no load history: nothing is known of such a file"
        return "not in the bucket" + (": gone before it was loaded" if self.is_missing else "")

    def as_json(self) -> dict[str, Any]:
        """For programs; the keys stay as they are."""
        rows = self.evidence.rows(self.key)
        return {
            "key": self.key,
            "bucket": self.stream.bucket,
            "stream": self.stream.name,
            "in_bucket": None
            if self.file is None
            else {"size": self.file.size, "last_modified": self.file.modified.isoformat()},
            "versions": self.versions if isinstance(self.versions, list) else None,
            "announced_by": self.announced if isinstance(self.announced, list) else None,
            "loads": [
                {
                    "loaded_at": load.loaded_at.isoformat() if load.loaded_at else None,
                    "status": load.status,
                    "by": load.pipe or "COPY",
                    "rows": load.rows,
                    "rows_parsed": load.rows_parsed,
                    "errors": load.errors,
                    "first_error": load.first_error or None,
                }
                for load in self.loads
            ],
            "rows_in_table": None if self.evidence.table.files is None else rows.rows if rows else 0,
            "rows_twice": rows.twice if rows else 0,
            "read_at": rows.read_at.isoformat() if rows and rows.read_at else None,
            "pipe": str(self.stream.pipe),
            "pipe_created_on": self.evidence.pipe.created_on.isoformat(),
            "table": str(self.stream.table),
            "table_created_on": self.evidence.table.created_on.isoformat(),
            "verdict": self.kind.value if self.kind else "not_in_bucket" if self.is_known else "not_found",
            "missing": self.is_missing,
            "why": self.why or None,
            "remedy": self.remedy or None,
        }

    def told(self, style: Style) -> Iterator[str]:
        """For a person, a line or a paragraph each."""
        evidence, stream = self.evidence, self.stream
        yield style.paint(visible(f"s3://{stream.bucket}/{self.key}").replace("\n", "\\n"), "bold")
        yield wrapped("  verdict:    ", self.verdict + (f": {self.why}" if self.why else ""), style)
        if self.remedy:
            yield wrapped("  to do:      ", self.remedy, style)
        yield wrapped("  stream:     ", f"{stream.name}, {stream.pipe} into {stream.table}", style)
        yield wrapped("  in bucket:  ", _of_file(self.file), style)
        yield wrapped("  versions:   ", _of_versions(self.versions), style)
        yield wrapped("  rules now:  ", _of_rules(self.announced), style)
        rows = evidence.rows(self.key)
        if evidence.table.files is None:
            yield "  rows now:   the table has no column that names their file"
        else:
            at = f", read {_minute(rows.read_at)}" if rows and rows.read_at else ""
            twice = f", {rows.twice} of them more than once" if rows and rows.twice else ""
            yield wrapped("  rows now:   ", f"{rows.rows if rows else 0}{at}{twice}", style)
        made = f"pipe {_minute(evidence.pipe.created_on)}, table {_minute(evidence.table.created_on)}"
        yield wrapped("  made:       ", made, style)
        yield wrapped("  loads:      ", counted(len(self.loads), "load") + " on record", style)
        if self.loads:
            lines = table([_of_load(load, evidence) for load in self.loads], style).splitlines()
            yield from (f"    {line}" for line in lines)
            errors = dict.fromkeys(load.first_error for load in self.loads if load.first_error)
            yield from (wrapped("    error: ", error, style) for error in errors)


def explain(
    config: Mapping[str, Any],
    *,
    key: str,
    pattern: bool,
    event: bool,
    stream: str | None,
    max_files: int,
    output_format: str,
) -> int:
    """Say what became of a file: 0 nothing is missing, 1 something is, 2 no such file. Only reads."""
    known(output_format, ("table", "json"))
    if event and (pattern or stream):
        raise SettingsWrong("--event goes with neither --pattern nor --stream", remedy="--event ID")
    if event:
        return _event(config, key, output_format)
    if not 0 < max_files <= LARGE:
        raise SettingsWrong(f"--max-files is {max_files}", remedy=f"a number from 1 to {LARGE:,}")
    settings, quiet = reading.read(config), output_format == "json"
    compiled = _compiled(key) if pattern else None  # what cannot be meant is refused before anybody is asked
    one = None if pattern else _stream_of(settings, key, stream)
    with running(config, "explain", sides=("snowflake",), stream=stream, quiet=quiet) as run:
        found, more = ([_one(run, *one)], 0) if one else ([], 0)
        if compiled:
            found, more = _those(run, compiled, run.settings.those(stream), max_files)
        if quiet:
            rows = [each.as_json() for each in found]
            say_json({"target": run.settings.target, "more": more, "files": rows})
        else:
            for number, each in enumerate(found):
                for line in ([""] if number else []) + list(each.told(Style.of(sys.stdout))):
                    say(line)
            if more:
                say(f"{counted(more, 'more file')}: raise --max-files, or narrow the pattern")
    if not all(each.is_known for each in found):
        return SettingsWrong.exit_code  # as where a pattern matches no file
    return 1 if any(each.is_missing for each in found) else 0


def _event(config: Mapping[str, Any], event_id: str, output_format: str) -> int:
    """Say in which rows an event is; 0 where one of them is of events, 1 where none is."""
    quiet = output_format == "json"
    check_id(event_id)
    with running(config, "explain", sides=("snowflake",), quiet=quiet) as run:
        found = sightings(run.reader, run.settings, event_id)
        good = {stream.name for stream in run.settings.streams if stream.kind == "enriched"}
        if quiet:
            rows = [row.as_json() for row in found]
            say_json({"target": run.settings.target, "event": event_id, "rows": rows})
        else:
            style = Style.of(sys.stdout)
            say(style.paint(f"event {event_id}: {counted(len(found), 'row')}", "bold"))
            for line in (line for row in found for line in row.told()):
                say(wrapped(*line, style))
    return 0 if any(row.stream in good for row in found) else 1


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.DOTALL)
    except re.error as error:
        raise SettingsWrong(
            f"{pattern!r} is not a regular expression", why=str(error), remedy="as in '.*/2026-01-.*[.]gz'"
        ) from None


def _stream_of(settings: Settings, key: str, stream: str | None) -> tuple[str, Stream]:
    """The key without its bucket, and the stream that reads it; raises SettingsWrong where none does."""
    bucket, name = "", key
    try:
        key.encode()
    except UnicodeEncodeError:
        raise SettingsWrong(
            "The key is not text in UTF-8", why="every key of S3 is", remedy="give it as S3 lists it"
        ) from None
    if key.startswith(("s3://", "s3a://", "s3n://")):
        bucket, _, name = key.partition("://")[2].partition("/")
    fitting = [
        each
        for each in settings.those(stream)
        if name.startswith(each.prefix) and bucket in ("", each.bucket)
    ]
    if not fitting:
        places = ", ".join(f"s3://{each.bucket}/{each.prefix}" for each in settings.those(stream))
        raise SettingsWrong(
            f"No stream reads {key}",
            where=settings.target,
            why=f"Streams read {places}",
            remedy="give the whole key, as S3 lists it; or --pattern, where it is a regular expression",
        )
    closest = max(fitting, key=lambda each: len(each.prefix))
    also = [each for each in fitting if each.bucket != closest.bucket]
    if also:
        raise SettingsWrong(
            f"Streams of several buckets read {key}",
            where=settings.target,
            why=", ".join(f"{each.name} reads s3://{each.bucket}/{each.prefix}" for each in (closest, *also)),
            remedy=f"give it with its bucket: s3://{closest.bucket}/{name}; or add --stream {closest.name}",
        )
    return name, closest


def _one(run: Run, key: str, stream: Stream) -> Explained:
    facts = run.facts()
    asked = Asked(re.compile(re.escape(key)))
    store = looking.surveyed(facts, asked, stream, lambda _: None, below=key)
    try:
        plan = plan_store(asked, store)
        file = next((verdict.file for verdict in plan.verdicts()), None)
        return _explained(facts, stream, key, file, store.about([key]))
    finally:
        store.close()


def _those(
    run: Run, pattern: re.Pattern[str], streams: tuple[Stream, ...], most: int
) -> tuple[list[Explained], int]:
    """The first files that match, oldest first, and how many more there are."""
    found: list[Explained] = []
    more = 0
    for stream in streams:
        facts, asked = run.facts(), Asked(pattern)
        store = looking.surveyed(facts, asked, stream, lambda _: None)
        try:
            plan = plan_store(asked, store)
            keys = store.first(most - len(found)) if len(found) < most else []
            evidence = store.about(keys)
            files = {file.key: file for some in store.verdicts() for file, *_ in some if file.key in keys}
            more += plan.matching[0] - len(keys)
            found += [_explained(facts, stream, key, files[key], evidence) for key in keys]
        finally:
            store.close()
    if not found:
        raise SettingsWrong(
            f"{pattern.pattern!r} matches no file",
            remedy="the pattern is matched with the whole key, as in '.*/2026-01-.*[.]gz'",
        )
    return found, more


def _explained(
    facts: Facts, stream: Stream, key: str, file: StagedFile | None, evidence: Evidence
) -> Explained:
    verdict = judge(file, evidence, Asked(re.compile(re.escape(key)))) if file else None
    return Explained(
        key=key,
        stream=stream,
        evidence=evidence,
        file=file,
        versions=_versions(facts, stream, key),
        announced=_announced(facts, stream, key),
        kind=verdict.kind if verdict else None,
        why=verdict.why if verdict else "",
        remedy=_remedy(stream, key, verdict) if verdict else _look_for(evidence, key),
    )


def _look_for(evidence: Evidence, key: str) -> str:
    """How to find a file whose key is not in the bucket; empty where a history or the table has it."""
    if evidence.loads(key) or evidence.rows(key):
        return ""
    name = pattern_of((key.rpartition("/")[2],))
    return f"look for its name: invoke explain --pattern {shlex.quote(f'.*{name}.*')}"


def _remedy(stream: Stream, key: str, verdict: Verdict) -> str:
    """The command that loads what is missing of the file; empty where there is none, or nothing to do."""
    if not verdict.kind.is_missing:
        return ""
    flag = next((flag for flag in ("--reload-failed", "--reload-gone") if flag in verdict.why), "")
    if verdict.way is None and not flag:
        return ""
    words = f"invoke backfill --pattern {shlex.quote(pattern_of((key,)))} --stream {stream.name} {flag}"
    return words.rstrip()


def _versions(facts: Facts, stream: Stream, key: str) -> list[dict[str, Any]] | str:
    """The object's versions and delete markers, newest first; else why they cannot be seen."""
    try:
        answer = facts.reader.aws("s3", "ListObjectVersions", Bucket=stream.bucket, Prefix=key, MaxKeys=100)
    except (AwsFailed, RunbookError) as error:
        return str(error)
    rows = [(row, False) for row in answer.get("Versions", ())]
    rows += [(row, True) for row in answer.get("DeleteMarkers", ())]
    its = [(row, gone) for row, gone in rows if row["Key"] == key]
    its.sort(key=lambda each: each[0]["LastModified"], reverse=True)
    return [
        {
            "version": row["VersionId"],
            "last_modified": row["LastModified"].astimezone(UTC).isoformat(),
            "size": None if gone else row["Size"],
            "is_latest": row["IsLatest"],
            "is_delete_marker": gone,
        }
        for row, gone in its
    ]


def _announced(facts: Facts, stream: Stream, key: str) -> list[dict[str, str]] | str:
    """The bucket's rules that tell of such a key, and whom; else why they cannot be seen."""
    try:
        notifications = facts.notifications_of(stream.bucket)
    except (AwsFailed, RunbookError) as error:
        return str(error)
    channel: str | None = None
    with suppress(AwsFailed, RunbookError):
        channel = stream.sns_topic or facts.channel(stream)
    return [
        {"rule": rule.id, "to": rule.target, "is_the_pipes": "yes" if rule.target == channel else "no"}
        for rule in (notifications.rules if notifications else ())
        if rule.takes(key)
    ]


def _of_file(file: StagedFile | None) -> str:
    return f"since {_second(file.modified)}, {file.size:,} bytes" if file else "no such key now"


def _of_versions(versions: list[dict[str, Any]] | str) -> str:
    if isinstance(versions, str):
        return f"cannot be seen: {versions}"
    if len(versions) == 1 and versions[0]["version"] == "null":
        return "the bucket keeps none"
    each = [
        f"{row['last_modified'][:19]} " + ("deleted" if row["is_delete_marker"] else f"{row['size']:,} bytes")
        for row in versions
    ]
    return "; ".join(each) or "none"


def _of_rules(rules: list[dict[str, str]] | str) -> str:
    if isinstance(rules, str):
        return f"cannot be seen: {rules}"
    each = [
        f"{row['rule']} announces such a key to {row['to']}"
        + ("" if row["is_the_pipes"] == "yes" else " (not what the pipe listens to)")
        for row in rules
    ]
    return "; ".join(each) or "no rule of the bucket announces such a key"


def _of_load(load: Load, evidence: Evidence) -> dict[str, Any]:
    earlier = load.loaded_at is not None and load.loaded_at < evidence.pipe.created_on
    return {
        "loaded (UTC)": _second(load.loaded_at) if load.loaded_at else "",
        "by": f"{'an earlier pipe' if earlier else load.pipe}" if load.pipe else "COPY",
        "status": load.status.lower().replace("_", " "),
        "rows": load.rows,
        "of": load.rows_parsed,
        "errors": load.errors,
    }


def _second(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _minute(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M}" if at else "never"
