"""Reading the evidence: everything once for a plan, and a few files again right before they are loaded."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import islice

from runbook.clouds.failures import DOES_NOT_EXIST, AwsFailed, SqlFailed
from runbook.errors import Blocked, CannotTell, SettingsWrong
from runbook.facts import Facts, history, snowflake
from runbook.facts.objects import StagedFile
from runbook.ledger.asked import Asked
from runbook.ledger.classes import Evidence
from runbook.ledger.left import left_by_an_earlier_pipe
from runbook.ledger.plain import MOST, Plain, TooMany
from runbook.ledger.store import Store
from runbook.listing import pages, ranges
from runbook.settings import Stream
from runbook.terminal import note

PAGES = 32  # of a listing, kept together
ALREADY = timedelta(hours=1)  # how much of a history that was read is read again


def surveyed(
    facts: Facts, asked: Asked, stream: Stream, told: Callable[[int], None], *, below: str = ""
) -> Store:
    """Every file of the stream and all that is known of them; ``told`` hears how many files are listed.

    Only keys that begin with ``below``, where it is given. As values; where there is more than those are for,
    from the beginning again in DuckDB. Raises Blocked when stage, pipe or table is not there, CannotTell when
    one may not be read.
    """
    below = below or stream.prefix
    try:
        return _filled(Plain(of_no_file(facts, stream)), facts, asked, below, told)
    except TooMany:
        return _filled(_on_disk(of_no_file(facts, stream)), facts, asked, below, told)


def _on_disk(evidence: Evidence) -> Store:
    with scale():
        from runbook.ledger.on_disk import OnDisk
    return OnDisk(evidence)


@contextmanager
def scale() -> Iterator[None]:
    """Import what compares more than values are for; raises SettingsWrong where it is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("duckdb", "pyarrow"):
            raise
        raise SettingsWrong(
            f"{error.name} is not installed",
            why=f"More than {MOST:,} files, loads or rows of one kind are compared in DuckDB, with Arrow",
            remedy="pip install duckdb pyarrow, in the runbook's environment",
        ) from None


def of_values(asked: Asked, files: Sequence[StagedFile], evidence: Evidence) -> Store:
    """What is listed, and evidence that holds everything, in the store for that many."""
    if max(len(files), len(evidence.recent), len(evidence.account or ())) <= MOST:
        return Plain.of(files, evidence)
    with scale():
        from runbook.ledger.on_disk import OnDisk
    return OnDisk.of(asked, files, evidence)


def _filled(store: Store, facts: Facts, asked: Asked, below: str, told: Callable[[int], None]) -> Store:
    """The files first: what is loaded while they are listed is in the histories, which are read then."""
    try:
        _list(facts, asked, store, below, told)
        read_histories(facts, store)
    except BaseException:
        store.close()
        raise
    return store


def read_histories(facts: Facts, store: Store) -> None:
    """Both histories and the table's rows, as they are now, in place of what the store held."""
    stream = store.evidence.stream
    evidence = of_no_file(facts, stream)
    store.forget_histories()
    with facts.reader.side_by_side(3) as pool:
        year = pool.submit(_read_year, facts, store)
        pending = [pool.submit(_read_recent, facts, store), pool.submit(_read_rows, facts, store)]
        for each in pending:
            each.result()
    table = evidence.table
    if table.files is not None:
        table = replace(table, unnamed=table.total - store.rows_present())
    store.add_loads(left_by_an_earlier_pipe(evidence.pipe, stream.pipe.name), recent=True)
    store.evidence = store.judged_as_a_whole(
        replace(evidence, account=() if year.result() else None, table=table)
    )


def _read_year(facts: Facts, store: Store) -> bool:
    """ACCOUNT_USAGE's history; False where it may not be read."""
    try:
        for batch in facts.reader.batches(history.account_statement(store.evidence.stream)):
            store.add_history(batch, recent=False)
    except SqlFailed as error:
        if history.is_hidden(error):
            return False
        raise
    return True


def _read_recent(facts: Facts, store: Store) -> None:
    stream = store.evidence.stream

    def read() -> None:
        for batch in facts.reader.batches(snowflake.loads_statement(stream)):
            store.add_history(batch, recent=True)

    snowflake.ask(read, *snowflake.loads_asked(stream))


def _read_rows(facts: Facts, store: Store) -> None:
    """The table's rows by file, where it has the column that names the file."""
    stream = store.evidence.stream
    table = facts.table(stream)
    if table is not None and store.evidence.table.files is not None:
        for batch in facts.reader.batches(history.rows_statement(stream, table.names)):
            store.add_rows(batch)


def of_no_file(facts: Facts, stream: Stream) -> Evidence:
    """The pipe and the table as they are now, without a word of any file.

    Raises Blocked when the pipe or the table is not there, CannotTell when one may not be read.
    """
    questions = (facts.pipe, facts.pipe_status, facts.table)
    with facts.reader.side_by_side(len(questions)) as pool:
        pending = [pool.submit(question, stream) for question in questions]
        now = facts.now
        for each in pending:
            each.result()
    pipe, status, found = facts.pipe(stream), facts.pipe_status(stream), facts.table(stream)
    if pipe is None or status is None:
        raise Blocked(f"The pipe {stream.pipe} does not exist", by_step=4, remedy="invoke step4-snowflake")
    table = history.table_total(facts.reader, stream, found.names) if found else None
    if table is None:
        raise Blocked(f"The table {stream.table} does not exist", by_step=4, remedy="invoke step4-snowflake")
    patience = timedelta(minutes=facts.settings.checks.loaded_within_minutes)
    return Evidence(stream, now, pipe, status, (), (), table, patience)


# -- the files ---------------------------------------------------------------------------------------------


def _list(facts: Facts, asked: Asked, store: Store, below: str, told: Callable[[int], None]) -> None:
    """By key ranges with the caller's AWS credentials, else through the stage with Snowflake's role."""
    stream = store.evidence.stream
    try:
        facts.reader.confirm(snowflake=False)
        fetch = pages.of_bucket(facts.reader, stream.bucket, below, connections=ranges.WIDTH)
        listed = ranges.pages(fetch, below)
        while some := list(islice(listed, PAGES)):
            store.add_pages(some, asked)
            told(sum(len(page.keys) for page in some))
    except (AwsFailed, CannotTell) as error:
        note(f"{stream.name}: listed through the stage, not with AWS credentials: {error}")
        store.forget_files()
        _list_the_stage(facts, asked, store, below, told)


def _list_the_stage(
    facts: Facts, asked: Asked, store: Store, below: str, told: Callable[[int], None]
) -> None:
    stream = store.evidence.stream
    try:
        if below != stream.prefix:
            store.add_files(snowflake.listed_below(facts.reader, stream, below), asked)
            return
        for batch in facts.reader.batches(snowflake.list_statement(stream)):
            rows = batch if isinstance(batch, list) else batch.to_pylist()
            store.add_files([snowflake.listed_file(row, stream) for row in rows], asked)
            told(len(rows))
    except SqlFailed as error:
        raise _not_listed(stream, error) from None


def _not_listed(stream: Stream, error: SqlFailed | None) -> Exception:
    if error is None or error.errno in DOES_NOT_EXIST:
        return Blocked(f"The stage {stream.stage} does not exist", by_step=4, remedy="invoke step4-snowflake")
    return CannotTell(f"The stage {stream.stage} cannot be listed", why=str(error), remedy="invoke verify")


def listed(facts: Facts, stream: Stream) -> tuple[StagedFile, ...]:
    """The files under the stream's stage; raises Blocked without a stage, CannotTell where LIST fails."""
    listing = facts.listing(stream)
    if listing is None or listing.error:
        raise _not_listed(stream, listing.error if listing else None)
    return listing.files


# -- right before loading ----------------------------------------------------------------------------------


def again(facts: Facts, before: Evidence, keys: Sequence[str]) -> Evidence:
    """The evidence about a few files as it is now; what ACCOUNT_USAGE said stays as it was.

    Of the 14 days' history only what is new since ``before`` is read.
    """
    stream = before.stream
    pipe, status = facts.pipe(stream), facts.pipe_status(stream)
    recent = facts.loads_since(stream, before.now - ALREADY)
    if pipe is None or status is None or recent is None:
        raise Blocked(f"The pipe {stream.pipe} is gone", by_step=4, remedy="invoke step4-snowflake")
    if pipe.created_on != before.pipe.created_on:
        raise CannotTell(
            f"The pipe {stream.pipe} was recreated meanwhile",
            why="it has forgotten what it loaded, and the plan does not know",
            remedy="run the same command again",
        )
    news = (*before.recent, *(load for load in recent if load.key in set(keys)))
    now = replace(before, now=facts.now, pipe=pipe, status=status, recent=news)
    table = facts.table(stream)
    if now.table.files is None or table is None:
        return now
    return now.with_rows(keys, history.rows_of_files(facts.reader, stream, table.names, tuple(keys)))
