"""Resuming a pipe that Snowflake resumes by force only: paused for more than 14 days, or of another owner.

What was announced more than 14 days ago is then processed as far as it is still there, and no further. So
the files concerned are named before, the queue is waited for, and what is missing then is loaded by name.

Source: https://docs.snowflake.com/en/sql-reference/functions/system_pipe_force_resume
"""

import re
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from runbook.clouds.failures import SqlFailed
from runbook.errors import NotConverged
from runbook.facts.delivery import LOADED, named
from runbook.ledger import looking
from runbook.ledger.asked import Asked
from runbook.ledger.classes import Evidence
from runbook.ledger.evidence import evidence
from runbook.loading.loader import Loaded, Loader, Stop
from runbook.loading.planning import BackfillPlan, plan_files
from runbook.plan import SqlChange
from runbook.running import Run
from runbook.settings import Stream
from runbook.sql import rendered
from runbook.terminal import counted, note

EVERYTHING = Asked(re.compile(".*", re.DOTALL))


def force(run: Run, stream: Stream, refusal: SqlFailed) -> None:
    """Resume by force, then load what the queue has lost. Writes.

    Raises NotConverged while something of it is not loaded yet.
    """
    before = _plan(run, stream)
    missing = [verdict.file.key for verdict in before.missing]
    note(f"{stream.name}: Snowflake does not just resume {stream.pipe}: {refusal.message}")
    note(
        f"{stream.name}: {counted(len(missing), 'file')} not in the table"
        + (f" ({', '.join(named(missing))})" if missing else "")
        + "; what the queue has lost of them is loaded by name once the pipe runs"
    )
    run.ask(f"Resume {stream.pipe} by force, and load what its queue has lost?")
    file = "operate/force_resume.sql"
    run.make(SqlChange(file, rendered(file, run.settings, stream), f"{stream.name}: resume by force"))
    wait_for_the_queue(run, stream, missing)
    shown = _shown_since(before.evidence)
    plan, loaded = _plan(run, stream, shown), Loaded()
    if plan.to_load:
        with Stop().listening() as stop:
            loaded = Loader(run, stream, plan, stop, lambda *_: None).load()
        plan = _plan(run, stream, shown)
    for verdict in plan.missing:
        why = verdict.why or loaded.why.get(verdict.file.key, "")
        note(f"{stream.name}: missing: {verdict.file.key}: {why}")
    if plan.to_load:
        raise NotConverged(
            f"{stream.pipe} runs, and has not loaded {counted(len(plan.to_load), 'file')} that waited yet",
            remedy=f"invoke backfill --pattern '.*' --stream {stream.name}",
        )


def _plan(run: Run, stream: Stream, shown: datetime | None = None) -> BackfillPlan:
    facts = run.facts()
    found = evidence(facts, stream)
    return plan_files(EVERYTHING, looking.listed(facts, stream), replace(found, kept=shown or found.kept))


def _shown_since(before: Evidence) -> datetime:
    """From when on nothing was hidden by a TRUNCATE before the pipe was resumed.

    What it has loaded since then makes older files look as if they had been loaded and hidden.
    """
    kept = before.oldest_kept if before.last_ingested else None
    return kept or before.pipe.created_on


def wait_for_the_queue(run: Run, stream: Stream, waited: Collection[str]) -> None:
    """Until the pipe holds nothing any more, or has loaded what waited; raises NotConverged. Only reads.

    It ends while files keep arriving: what counts is that of those that ``waited`` fewer are left.
    """
    reader, pause = run.reader, 0.1
    since = run.facts().now - looking.ALREADY
    left, limit = set(waited), run.settings.checks.ready_within_seconds
    deadline = reader.now() + limit
    while True:
        facts = run.facts()
        status = facts.pipe_status(stream)
        pending = status.pending_files if status else 0
        loads = facts.loads_since(stream, since) or ()
        still = left - {load.key for load in loads if load.status in LOADED}
        if not pending or not still:
            return
        if still != left:
            left, deadline = still, reader.now() + limit
        if reader.now() > deadline:
            raise NotConverged(
                f"{stream.pipe} runs, and has not loaded {counted(len(left), 'file')} that waited "
                f"({', '.join(named(sorted(left)))})",
                why=f"its queue holds {counted(pending, 'file')}; only an empty one shows what it has lost",
                remedy=f"invoke backfill --pattern '.*' --stream {stream.name}, once the queue is empty",
            )
        reader.sleep(pause)
        pause = min(pause * 1.5, 5)
