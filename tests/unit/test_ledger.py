"""One verdict a file: verify --deep, status, refresh and backfill agree; what verify names has a way out."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from runbook.commands.refresh import refresh_plan
from runbook.commands.status import Whereabouts, whereabouts
from runbook.errors import CannotTell, Refused, RunbookError
from runbook.facts.delivery import LOADED, failed
from runbook.facts.history import RowsOfFile, SameRows, TableRows
from runbook.facts.objects import Listing, Load, PipeStatus, StagedFile
from runbook.kinds import CANARY
from runbook.ledger import findings as said
from runbook.ledger.classes import Evidence, Kind, classify
from runbook.ledger.findings import Ledger
from runbook.ledger.left import joined, left_by_an_earlier_pipe, split
from runbook.ledger.verdicts import Way, judge
from runbook.loading.planning import plan_files
from runbook.settings import Settings
from tests.conftest import states_asked
from tests.unit.observed import MADE, NOW, Known, healthy, pipe, staged
from tests.unit.test_backfill_classes import EVERYTHING, KEY_A, NOTHING_MORE, evidence_of, load, states

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


SOUND: dict[str, dict[Any, Any]] = {}


def known(settings: Settings, files: list[StagedFile], evidence: Evidence) -> Known:
    """The facts that the evidence is made of."""
    stream = evidence.stream
    found = SOUND.get(settings.fingerprint) or SOUND.setdefault(settings.fingerprint, healthy(settings))
    found = found | {"pipes": {**found["pipes"], stream.pipe.name: evidence.pipe}}
    given = {
        "status": evidence.status,
        "loads": evidence.recent,
        "account": evidence.account,
        "rows": evidence.table,
        "listing": Listing(tuple(files)),
    }
    return Known(settings, found | {(name, stream.name): value for name, value in given.items()})


def assert_adds_up(row: Whereabouts, ledger: Ledger) -> None:
    """Every file of the stream's is in one figure of `status`."""
    assert row.in_bucket is not None
    assert row.never_loaded is not None
    done = {load.key for load in ledger.evidence.recent if load.status in LOADED}
    gone = done - set(ledger.by_key)
    others = [kind for key, kind in ledger.verdicts.items() if kind is Kind.OTHER_SUFFIX]
    on_its_way = {key for key, kind in ledger.verdicts.items() if kind in (Kind.IN_FLIGHT, Kind.WAITING)}
    wrong = set(failed(Listing(tuple(ledger.by_key.values())), ledger.evidence.recent).keys)
    waiting = min(row.pending, len(on_its_way - done - wrong))
    told = row.loaded - len(gone) + row.failed + row.never_loaded + waiting + sum(row.rest.values())
    assert told >= row.in_bucket - len(others), (row, ledger.verdicts)
    assert told <= row.in_bucket, (row, ledger.verdicts)


@settings_of_hypothesis(states_asked(), deadline=None)
@given(st.data())
def test_every_command_says_the_same_of_every_file(settings: Settings, data: Any) -> None:
    files, evidence = data.draw(states(settings))
    ledger, facts = Ledger(evidence, tuple(files)), known(settings, files, evidence)
    plan = {verdict.file.key: verdict for verdict in plan_files(NOTHING_MORE, files, evidence).verdicts()}
    assert {key: verdict.kind for key, verdict in plan.items()} == ledger.verdicts
    days = NOW - 14 * DAY
    lost = (Kind.NEVER_NOTIFIED, Kind.BEFORE_PIPE, Kind.TOO_OLD_TO_KNOW)
    row = whereabouts(facts, evidence.stream)
    assert row.never_loaded == sum(file.modified > days and plan[file.key].kind in lost for file in files)
    assert_adds_up(row, ledger)
    with suppress(Refused, CannotTell):  # which is a sentence for a person
        refreshed = {file.key for file in refresh_plan(facts, evidence.stream).files}
        young = {file.key for file in files if file.modified > NOW - 7 * DAY}
        assert refreshed == {key for key in young if plan[key].kind in lost[:2]}


@settings_of_hypothesis(states_asked(), deadline=None)
@given(st.data())
def test_what_verify_names_is_loaded_by_its_remedy_or_ends_in_a_sentence(
    settings: Settings, data: Any
) -> None:
    files, evidence = data.draw(states(settings))
    ledger, listing = Ledger(evidence, tuple(files)), Listing(tuple(files))
    there = {file.key: file for file in files}
    remedies = [
        (NOTHING_MORE, said.missing(ledger)),
        (replace(EVERYTHING, reload_gone=False), said.failed(ledger, listing)),
        (replace(EVERYTHING, reload_gone=False), said.changed(ledger)),
        (replace(EVERYTHING, reload_gone=False), said.twice(ledger)),
        (replace(EVERYTHING, reload_gone=False), said.misread(ledger)),
        (replace(EVERYTHING, reload_failed=False), said.gone(ledger)),
        (replace(EVERYTHING, reload_failed=False), said.emptied(ledger)),
    ]
    for asked, found in remedies:
        for key in there.keys() & set(found.keys):
            verdict = judge(there[key], evidence, asked)
            assert verdict.way or verdict.why or verdict.kind is Kind.IN_FLIGHT, verdict


@pytest.mark.parametrize(
    ("modified", "table_made", "is_missing"),
    [
        (NOW, MADE, False),  # may still be on its way
        (NOW - 14 * MINUTE, MADE, False),
        (NOW - 15 * MINUTE, MADE, True),
        (NOW - 5 * DAY, MADE, True),
        (MADE - HOUR, MADE - DAY, True),  # while there was a table, and no pipe or an earlier one
        (MADE - HOUR, MADE - MINUTE, False),  # a new installation's archive
        (MADE, MADE, False),
        (NOW - 15 * DAY, NOW - 90 * DAY, False),  # older than the load history
    ],
)
def test_a_file_is_missing_when_it_came_while_there_was_a_table_or_a_pipe(
    settings: Settings, modified: datetime, table_made: datetime, is_missing: bool
) -> None:
    table = TableRows(1, table_made, {"other": RowsOfFile(1, None)})
    file = staged(KEY_A, modified=modified)
    found = said.missing(Ledger(evidence_of(settings, table=table), (file,)))
    assert found == ([KEY_A] if is_missing else [])


@pytest.mark.parametrize(
    ("unnamed", "rows", "at", "named"),
    [
        (3, 0, HOUR, [KEY_A]),  # a job set _file to NULL
        (3, 3, HOUR, []),  # the rows without a name are of others
        (0, 0, HOUR, []),  # then its rows are gone, which is another finding
        (3, 0, 20 * DAY, []),  # from before the table had the column, perhaps
    ],
)
def test_a_file_whose_rows_may_be_those_that_name_no_file_is_named(
    settings: Settings, unnamed: int, rows: int, at: timedelta, named: list[str]
) -> None:
    loads = (load(KEY_A, loaded_at=NOW - at),)
    table = TableRows(9, MADE - 99 * DAY, {KEY_A: RowsOfFile(rows, None)} if rows else {}, unnamed)
    evidence = evidence_of(settings, recent=loads, table=table, made=MADE - 99 * DAY)
    found = said.without_a_name(Ledger(evidence, (staged(KEY_A, modified=NOW - at - HOUR),)))
    assert list(found.keys) == named


def test_a_file_from_before_a_pipe_just_made_is_named_with_the_time_it_can_be_loaded(
    settings: Settings,
) -> None:
    made = NOW - 5 * MINUTE
    ledger = Ledger(evidence_of(settings, made=made), (staged(KEY_A, modified=made - MINUTE),))
    assert said.missing(ledger) == [f"{KEY_A}: from before the pipe, and loaded by command after 12:10 UTC"]


def status(ingested: datetime | None, name: str = "last.gz") -> PipeStatus:
    shown = {"lastIngestedTimestamp": ingested.isoformat(), "lastIngestedFilePath": name} if ingested else {}
    return PipeStatus({"executionState": "RUNNING", **shown})


@pytest.mark.parametrize(
    ("ingested", "loads", "red"),
    [
        (NOW - HOUR, (), True),
        (NOW - HOUR, (load("snowplow/enriched/stream/last.gz", loaded_at=NOW - HOUR - MINUTE),), False),
        (NOW - HOUR, (load("x/later.gz", loaded_at=NOW),), False),
        (NOW - HOUR, (load("x/earlier.gz", loaded_at=NOW - 2 * HOUR),), True),
        (NOW - MINUTE, (load("x/earlier.gz", loaded_at=NOW - 2 * HOUR),), False),  # on its way to the history
        (NOW - 14 * DAY, (), False),
        (None, (), False),
    ],
)
def test_a_history_that_lost_what_the_pipe_loaded_last(
    settings: Settings, ingested: datetime | None, loads: tuple[Load, ...], red: bool
) -> None:
    ledger = Ledger(evidence_of(settings, status=status(ingested), recent=loads), ())
    assert bool(said.emptied(ledger)) == red


EMPTY_TABLE = TableRows(0, MADE - DAY, {})
NO_FILE_COLUMN = TableRows(0, MADE - DAY, None)
AGES = [(HOUR, Kind.NEVER_NOTIFIED, Way.REFRESH), (8 * DAY, Kind.ROWS_GONE, Way.COPY)]


@pytest.mark.parametrize(("age", "kind", "way"), AGES)
def test_what_may_have_been_loaded_before_a_truncate_is_loaded_again_only_where_a_person_says_so(
    settings: Settings, age: timedelta, kind: Kind, way: Way
) -> None:
    """A young file is REFRESH's, which asks the pipe; COPY would ask nobody who knows."""
    evidence = evidence_of(settings, table=EMPTY_TABLE, status=status(NOW - MINUTE), recent=(), account=None)
    file = staged(KEY_A, modified=NOW - age)
    plans = [plan_files(asked, [file], evidence) for asked in (NOTHING_MORE, EVERYTHING)]
    found = [next(plan.verdicts()) for plan in plans]
    assert [verdict.kind for verdict in found] == [kind, kind]
    assert [verdict.way for verdict in found] == [None if kind is Kind.ROWS_GONE else way, way]


def test_without_file_names_what_may_have_been_loaded_before_a_truncate_is_never_copied(
    settings: Settings,
) -> None:
    evidence = evidence_of(settings, table=NO_FILE_COLUMN, status=status(NOW - 8 * DAY), account=None)
    plan = plan_files(EVERYTHING, [staged(KEY_A, modified=NOW - 9 * DAY)], evidence)
    assert [(verdict.kind, verdict.way) for verdict in plan.verdicts()] == [(Kind.ROWS_GONE, Way.COPY)]
    plan = plan_files(NOTHING_MORE, [staged(KEY_A, modified=NOW - 9 * DAY)], evidence)
    assert plan.loaded_by() == (0, 0)


@pytest.mark.parametrize(
    ("modified", "recent", "kind"),
    [
        (NOW - 2 * HOUR, (), Kind.TAKEN_ON),
        (NOW - HOUR / 2, (), Kind.NEVER_NOTIFIED),  # after the pipe's last load: it has not loaded this one
        (NOW - 2 * HOUR, (load(KEY_A, loaded_at=NOW - HOUR),), Kind.LOADED_BY_PIPE),  # before BCR-2305
        (MADE - DAY, (), Kind.TOO_OLD_TO_KNOW),
    ],
)
def test_a_landing_table_is_judged_by_its_load_history_and_the_pipes_last_load(
    settings: Settings, modified: datetime, recent: tuple[Load, ...], kind: Kind
) -> None:
    stream = replace(settings.streams[0], keeps_rows=False)
    evidence = evidence_of(
        settings,
        stream=stream,
        table=TableRows(0, MADE - 9 * DAY, None),
        status=status(NOW - HOUR),
        recent=recent,
        account=None,
    )
    assert classify(staged(KEY_A, modified=modified), evidence) is kind
    assert said.emptied(Ledger(evidence, ())) == []


def test_what_was_loaded_in_part_stays_named_after_the_pipe_is_replaced(settings: Settings) -> None:
    partly = load(KEY_A, "PARTIALLY_LOADED", rows=2, first_error="a 'bad' line", loaded_at=NOW - DAY)
    made = pipe(settings, settings.streams[0], created_on=NOW - HOUR, comment=joined("as it was", [partly]))
    assert split(made.comment)[0] == "as it was"
    left = left_by_an_earlier_pipe(made, "EVENTS_PIPE")
    assert left == (replace(partly, errors=1),)
    evidence = evidence_of(settings, rows=2, pipe=made, recent=left, account=None)
    assert said.partly_loaded(Ledger(evidence, (staged(KEY_A, modified=NOW - 2 * DAY),))) == [
        f"{KEY_A}: 1 of 3 rows, a 'bad' line"
    ]


@pytest.mark.parametrize(
    "text",
    [
        *("", "[", "[[1]]", "{}", "[" * 100_000, '[["a", "now", 1, 1, ""]]', '[["a", 1, 1, 1, ""]]'),
        '[["a", "2026-01-01T00:00:00+00:00", Infinity, 1, ""]]',
    ],
    ids=str.__len__,
)
def test_a_list_that_is_not_as_it_was_written_is_ignored(text: str) -> None:
    assert split(joined("c", []) + joined("", [load(KEY_A)]).partition("[[")[0] + text)[1] == ()


def test_a_file_that_vanished_before_it_was_loaded_is_named(settings: Settings) -> None:
    stream = settings.streams[0]
    keys = [f"{stream.prefix}{name}" for name in ("gone.gz", "_temporary/gone.gz", "back.gz", "bad.gz")]
    keys.insert(
        2, f"{stream.prefix}{CANARY}-20261130T045100Z-7b16b8{stream.suffix}"
    )  # taken away before its event came
    errors = ["Remote file 'x' was not found. There are…"] * 4 + ["not a gzip file"]
    loads = tuple(
        load(key, "LOAD_FAILED", first_error=error) for key, error in zip(keys, errors, strict=True)
    )
    found = said.vanished(stream, Listing((staged(keys[3]),)), loads)
    assert list(found) == keys[:1]


def test_of_two_files_with_the_same_rows_the_later_is_named(settings: Settings) -> None:
    rows = {
        "a": RowsOfFile(10, NOW),
        "b": RowsOfFile(4, NOW - HOUR),
        "c": RowsOfFile(100, NOW - HOUR),
    }
    ledger = Ledger(evidence_of(settings, table=TableRows(114, MADE, rows)), ())
    ones = Ledger(
        evidence_of(settings, table=TableRows(2, MADE, {"a": rows["b"], "b": RowsOfFile(1, MADE)})), ()
    )
    assert said.again(ones, [SameRows("a", "b", 1)]) == ["a: 1 row that b brought before"]
    pairs = [SameRows("a", "b", 2), SameRows("a", "c", 4)]  # the latter: what was read again after a failure
    assert said.again(ledger, pairs) == ["a: 2 rows that b brought before"]


def test_rows_of_a_file_of_another_suffix_are_named_unless_the_settings_were_changed(
    settings: Settings,
) -> None:
    """What was read before the first of the stream's own is of a suffix the settings had before."""
    prefix = settings.streams[0].prefix
    own, note, old = (staged(prefix + name) for name in ("a.gz", "readme.txt", "z.txt"))
    rows = {
        own.key: RowsOfFile(3, NOW - HOUR),
        note.key: RowsOfFile(1, NOW - HOUR / 2),
        old.key: RowsOfFile(5, NOW - 2 * HOUR),
    }
    ledger = Ledger(evidence_of(settings, table=TableRows(9, MADE, rows)), (own, note, old))
    assert said.strays(ledger) == [f"{note.key}: 1 row"]
    alone = Ledger(evidence_of(settings, table=TableRows(6, MADE, rows)), (note, old))
    assert said.strays(alone) == []


def test_a_status_that_cannot_be_read_is_an_error_with_a_remedy(settings: Settings) -> None:
    facts = known(settings, [], evidence_of(settings))
    facts.known = {**facts.known, ("rows", "events"): None}  # type: ignore[dict-item]
    with pytest.raises(RunbookError):
        whereabouts(facts, settings.streams[0])
