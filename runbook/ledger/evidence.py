"""Reading what is known of a stream's files: histories, the table's rows, the pipe. Only reads."""

from datetime import timedelta

from runbook.errors import Blocked
from runbook.facts import Facts
from runbook.ledger.classes import Evidence
from runbook.ledger.left import left_by_an_earlier_pipe
from runbook.settings import Stream


def evidence(facts: Facts, stream: Stream) -> Evidence:
    """Every history, the table's rows and the pipe, side by side. Only reads.

    Raises Blocked when the pipe or the table is not there, CannotTell when one may not be read.
    """
    questions = (facts.pipe, facts.pipe_status, facts.loads, facts.account_loads, facts.table_rows)
    with facts.reader.side_by_side(len(questions)) as pool:
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
    recent = (*left_by_an_earlier_pipe(pipe, stream.pipe.name), *recent)
    return Evidence(stream, now, pipe, status, recent, facts.account_loads(stream), table, patience)
