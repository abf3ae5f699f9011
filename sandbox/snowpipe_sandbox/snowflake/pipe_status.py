"""How a pipe stands: what waits for it, its execution state, SYSTEM$PIPE_STATUS.

Keys, states and which of them clear by themselves: sources: Snowflake §2.1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from snowpipe_sandbox.snowflake.bucket import StagedFile

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.account import Account
    from snowpipe_sandbox.snowflake.catalog import Pipe
    from snowpipe_sandbox.snowflake.pipe_service import PipeService

WORKING = (
    "RUNNING",
    "STALLED_COMPILATION_ERROR",
    "STALLED_STAGE_PERMISSION_ERROR",
    "STALLED_EXECUTION_ERROR",
)
"""States in which pending files are tried: a stall clears when a try succeeds."""

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Pending:
    """A file waiting to be loaded."""

    bucket: str
    key: str
    size: int
    received_at: datetime

    @property
    def path(self) -> str:
        """``bucket/key``."""
        return f"{self.bucket}/{self.key}"

    @property
    def file(self) -> StagedFile:
        """The file as far as the message told; reading it tells the rest."""
        return StagedFile(self.bucket, self.key, self.size, "", LONG_AGO)


@dataclass(slots=True)
class PipeState:
    """What the service knows of a pipe besides its definition."""

    pending: dict[str, Pending] = field(default_factory=dict)
    compiled_at: datetime | None = None
    compile_error: str | None = None
    storage_error: str | None = None
    last_fault: str | None = None
    last_error_at: datetime | None = None
    last_fault_at: datetime | None = None
    last_received: datetime | None = None
    last_forwarded: datetime | None = None
    last_forwarded_path: str | None = None
    last_ingested: datetime | None = None
    last_ingested_path: str | None = None

    def fail_compilation(self, message: str, now: datetime) -> None:
        """The COPY does not compile."""
        self.compile_error, self.last_error_at = message, now

    def fail_storage(self, message: str, now: datetime) -> None:
        """The bucket cannot be reached or read."""
        self.storage_error, self.last_error_at = message, now

    def fault(self, message: str, now: datetime) -> None:
        """Something went wrong inside; it is tried again."""
        self.last_fault, self.last_fault_at = message, now


def execution_state(account: Account, pipe: Pipe, state: PipeState) -> tuple[str, str | None]:
    """The execution state, and the error that goes with it."""
    with account.lock:
        stopped = _stopped(account, pipe)
        if stopped is not None:
            return stopped, None
        if account.catalog.pipe_is_paused(pipe):
            return "PAUSED", None
        problem = account.privileges.pipe_problems(pipe)
    if problem is not None:
        return "STALLED_COMPILATION_ERROR", problem
    if state.compile_error is not None:
        return "STALLED_COMPILATION_ERROR", state.compile_error
    if state.storage_error is not None:
        return "STALLED_STAGE_PERMISSION_ERROR", state.storage_error
    return "RUNNING", None


def _stopped(account: Account, pipe: Pipe) -> str | None:
    """What the pipe was made with is gone or another."""
    catalog = account.catalog
    stage = catalog.stages.by_id(pipe.stage_id)
    if pipe.cloned:
        return "STOPPED_CLONED"
    if stage is None:
        return "STOPPED_STAGE_DROPPED"
    if pipe.stage_url and stage.url != pipe.stage_url:
        return "STOPPED_STAGE_ALTERED"
    if pipe.format_id is not None and catalog.file_formats.by_id(pipe.format_id) is None:
        return "STOPPED_FILE_FORMAT_DROPPED"
    if catalog.pipe_table(pipe) is None:
        return "STOPPED_MISSING_TABLE"
    return None


def as_json(service: PipeService, pipe: Pipe, state: PipeState) -> dict[str, Any]:
    """SYSTEM$PIPE_STATUS: keys only where they apply."""
    name, error = service.state_name(pipe)
    pending = list(state.pending.values())
    shown: dict[str, Any] = {"executionState": name, "pendingFileCount": len(pending)}
    if pending:
        oldest = min(pending, key=lambda each: each.received_at)
        shown["oldestPendingFilePath"] = oldest.path
        shown["oldestFileTimestamp"] = iso(oldest.received_at)
    if state.last_ingested is not None:
        shown["lastIngestedTimestamp"] = iso(state.last_ingested)
        shown["lastIngestedFilePath"] = state.last_ingested_path
    if pipe.notification_channel is not None:
        shown["notificationChannelName"] = pipe.notification_channel
        shown["numOutstandingMessagesOnChannel"] = service.outstanding_on(pipe.notification_channel)
    times = {
        "lastReceivedMessageTimestamp": state.last_received,
        "lastForwardedMessageTimestamp": state.last_forwarded,
        "lastPulledFromChannelTimestamp": service.pulled_at(pipe.notification_channel),
        "lastPipeErrorTimestamp": state.last_error_at,
        "lastPipeFaultTimestamp": state.last_fault_at,
    }
    texts = {"lastForwardedFilePath": state.last_forwarded_path, "error": error, "fault": state.last_fault}
    shown |= {key: iso(moment) for key, moment in times.items() if moment is not None}
    shown |= {key: text for key, text in texts.items() if text is not None}
    shown["pendingHistoryRefreshJobsCount"] = 0
    return {key: value for key, value in shown.items() if value is not None}


def iso(moment: datetime) -> str:
    """A time as Snowflake writes it there: UTC, ``Z``, as many digits of the milliseconds as are not zero."""
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:23]
    return text.rstrip("0").rstrip(".") + "Z"
