"""What is there in Snowflake, as frozen values: the objects of the pipeline, files, and loads."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from runbook.clouds.failures import SqlFailed

STOPPED_FOR_GOOD = (
    "STOPPED_CLONED",
    "STOPPED_STAGE_ALTERED",
    "STOPPED_STAGE_DROPPED",
    "STOPPED_FILE_FORMAT_DROPPED",
    "STOPPED_NOTIFICATION_INTEGRATION_DROPPED",
)
"""Only another pipe loads again. https://docs.snowflake.com/en/user-guide/data-load-snowpipe-ts"""


@dataclass(frozen=True)
class StorageIntegration:
    """The integration as DESC INTEGRATION shows it."""

    name: str
    enabled: bool
    provider: str
    role_arn: str
    external_id: str
    iam_user_arn: str
    allowed_locations: tuple[str, ...]
    blocked_locations: frozenset[str]
    comment: str

    def allows(self, url: str) -> bool:
        """Whether a stage on ``url`` may use it: by prefix, blocked wins; a bucket may lack its slash."""
        url += "/" if url.count("/") == 2 else ""
        if any(url.startswith(blocked) for blocked in self.blocked_locations):
            return False
        return any(place == "*" or url.startswith(place) for place in self.allowed_locations)


@dataclass(frozen=True)
class FileFormat:
    """A named file format: its options by name, as DESC FILE FORMAT writes them."""

    options: dict[str, str]


@dataclass(frozen=True)
class Table:
    """A table's columns in order, name and type; and which of them refuse a missing value."""

    columns: tuple[tuple[str, str], ...]
    required: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names in order."""
        return tuple(name for name, _ in self.columns)


@dataclass(frozen=True)
class Stage:
    """A stage as SHOW STAGES lists it."""

    url: str
    integration: str | None
    owner: str
    comment: str = ""


@dataclass(frozen=True)
class Pipe:
    """A pipe as SHOW PIPES lists it."""

    definition: str
    owner: str
    notification_channel: str | None
    created_on: datetime
    invalid_reason: str | None
    comment: str = ""
    error_integration: str | None = None


@dataclass(frozen=True)
class PipeStatus:
    """SYSTEM$PIPE_STATUS: any key may be missing, and a missing key is not a fault."""

    document: dict[str, Any] = field(default_factory=dict)

    @property
    def execution_state(self) -> str:
        """The state in one word, such as RUNNING, PAUSED or STALLED_COMPILATION_ERROR."""
        return str(self.document.get("executionState", ""))

    @property
    def is_stopped_for_good(self) -> bool:
        """Whether the pipe will never load again: it must be replaced."""
        return self.execution_state in STOPPED_FOR_GOOD

    @property
    def error(self) -> str:
        """The current compilation or stage error."""
        return str(self.document.get("error", ""))

    @property
    def pending_files(self) -> int:
        """How many files are queued or being loaded."""
        return int(self.document.get("pendingFileCount", 0))

    @property
    def has_work(self) -> bool:
        """Whether files wait for the pipe, or a REFRESH of it is not done."""
        return bool(self.pending_files or int(self.document.get("pendingHistoryRefreshJobsCount", 0)))

    def time(self, key: str) -> datetime | None:
        """One of its times, such as oldestFileTimestamp; None where the key is missing."""
        text = self.document.get(key)
        return datetime.fromisoformat(str(text).replace("Z", "+00:00")) if text else None


@dataclass(frozen=True)
class Pause:
    """PIPE_EXECUTION_PAUSED as it applies to a pipe, and the level that says so."""

    paused: bool
    level: str


@dataclass(frozen=True)
class StagedFile:
    """A file the stage lists."""

    key: str
    size: int
    etag: str
    modified: datetime


@dataclass(frozen=True)
class Listing:
    """What LIST says: the files, or the error that kept it from saying."""

    files: tuple[StagedFile, ...] = ()
    error: SqlFailed | None = None


@dataclass(frozen=True)
class Load:
    """One line of COPY_HISTORY."""

    key: str
    status: str
    loaded_at: datetime | None
    rows: int
    rows_parsed: int
    errors: int
    first_error: str
    pipe: str | None
    size: int | None = None


@dataclass(frozen=True)
class Entry:
    """Whether Snowflake gets into the bucket, by SYSTEM$VALIDATE_STORAGE_INTEGRATION."""

    succeeded: bool
    message: str
