"""Reading the evidence: everything once for a plan, and a few files again right before they are loaded."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from runbook.backfill.classes import Evidence
from runbook.errors import Blocked, CannotTell
from runbook.facts import Facts
from runbook.facts.history import rows_of_files
from runbook.facts.snowflake import StagedFile
from runbook.settings import Stream


def listed(facts: Facts, stream: Stream) -> tuple[StagedFile, ...]:
    """The files under the stream's stage; raises Blocked without a stage, CannotTell where LIST fails."""
    listing = facts.listing(stream)
    if listing is None:
        raise Blocked(f"The stage {stream.stage} does not exist", by_step=4, remedy="invoke step4-snowflake")
    if listing.error:
        raise CannotTell(
            f"The stage {stream.stage} cannot be listed", why=str(listing.error), remedy="invoke verify"
        )
    return listing.files


def evidence(facts: Facts, stream: Stream) -> Evidence:
    """Every history, the table's rows and the pipe, side by side. Only reads.

    Raises Blocked when the pipe or the table is not there, CannotTell when one may not be read.
    """
    questions = (facts.pipe, facts.pipe_status, facts.loads, facts.account_loads, facts.table_rows)
    with ThreadPoolExecutor(len(questions)) as pool:
        pending = [pool.submit(question, stream) for question in questions]
        now = facts.now
    for each in pending:
        each.result()
    pipe, status = facts.pipe(stream), facts.pipe_status(stream)
    recent, table = facts.loads(stream), facts.table_rows(stream)
    if pipe is None or status is None:
        raise Blocked(f"The pipe {stream.pipe} does not exist", by_step=4, remedy="invoke step4-snowflake")
    if recent is None or table is None:
        raise Blocked(f"The table {stream.table} does not exist", by_step=4, remedy="invoke step4-snowflake")
    patience = timedelta(minutes=facts.settings.checks.loaded_within_minutes)
    return Evidence(stream, now, pipe, status, recent, facts.account_loads(stream), table, patience)


def again(facts: Facts, before: Evidence, keys: Sequence[str]) -> Evidence:
    """The evidence about a few files as it is now; what ACCOUNT_USAGE said stays as it was."""
    stream, seen = before.stream, facts.afresh()
    pipe, status, recent = seen.pipe(stream), seen.pipe_status(stream), seen.loads(stream)
    if pipe is None or status is None or recent is None:
        raise Blocked(f"The pipe {stream.pipe} is gone", by_step=4, remedy="invoke step4-snowflake")
    now = replace(before, now=seen.now, pipe=pipe, status=status, recent=recent)
    table = seen.table(stream)
    if now.table.files is None or table is None:
        return now
    return now.with_rows(keys, rows_of_files(seen.reader, stream, table.names, tuple(keys)))
