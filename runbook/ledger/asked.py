"""What was asked for: pattern, time, and how far a backfill may go. Read before anything is contacted."""

import re
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime

from runbook.errors import SettingsWrong
from runbook.facts.objects import StagedFile

MAX_FILES = 10_000  # more is asked for on purpose
MAX_GB = 100


@dataclass(frozen=True)
class Asked:
    """One backfill as typed. ``since`` is included, ``until`` is not; both by LAST_MODIFIED.

    ``queue_while_paused`` (replace-pipe's own): a paused pipe is given the files for when it is resumed.
    """

    pattern: re.Pattern[str]
    since: datetime | None = None
    until: datetime | None = None
    max_files: int = MAX_FILES
    max_gb: int = MAX_GB
    reload_failed: bool = False
    reload_gone: bool = False
    queue_while_paused: bool = False

    @property
    def journal(self) -> dict[str, str | int | bool | None]:
        """What was asked for, as it stands in the run's record; nothing reads it back."""
        return {
            "pattern": self.pattern.pattern,
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat() if self.until else None,
            "reload_failed": self.reload_failed,
            "reload_gone": self.reload_gone,
        }

    def names(self, key: str) -> bool:
        """Whether the pattern matches the object's whole key, as PATTERN does in COPY."""
        return self.pattern.fullmatch(key) is not None

    def matches(self, file: StagedFile) -> bool:
        """Whether the pattern names the file, and its time is among those asked for."""
        return self.names(file.key) and self.in_time(file)

    def in_time(self, file: StagedFile) -> bool:
        """Whether the file was last modified between ``since`` and ``until``."""
        return (self.since is None or file.modified >= self.since) and (
            self.until is None or file.modified < self.until
        )


def read(
    pattern: str,
    *,
    since: str | None,
    until: str | None,
    max_files: int,
    max_gb: int = MAX_GB,
    reload_failed: bool,
    reload_gone: bool,
) -> Asked:
    r"""The command line as typed; raises SettingsWrong naming the flag that is wrong.

    COPY's PATTERN is a Java regular expression that must match the whole path; what Python reads
    differently (``\p{…}``, ``[a&&b]``) it refuses rather than guesses.
    Source: https://docs.snowflake.com/en/sql-reference/sql/copy-into-table
    """
    if not pattern:
        raise SettingsWrong("--pattern is missing", remedy="--pattern '.*' takes every file of a stream")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # [a&&b], [[a]b]: sets of sets in Java, and not in Python
            compiled = re.compile(pattern)
    except (re.error, Warning) as error:
        raise SettingsWrong(
            f"--pattern {pattern!r} is not a regular expression that is read as COPY reads it",
            why=str(error),
            remedy="a pattern must match the whole object key, such as '.*/2026-01-.*[.]gz'",
        ) from None
    if max_files < 1:
        raise SettingsWrong(f"--max-files {max_files} is not a number of files")
    if max_gb < 1:
        raise SettingsWrong(f"--max-gb {max_gb} is not a number of gigabytes")
    first, last = moment("--since", since), moment("--until", until)
    if first and last and first >= last:
        raise SettingsWrong(f"--since {since} is not before --until {until}")
    return Asked(compiled, first, last, max_files, max_gb, reload_failed, reload_gone)


def moment(flag: str, text: str | None) -> datetime | None:
    """An ISO 8601 time; UTC where it names no zone, midnight where it names no time."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (
        ValueError,
        OverflowError,
    ):  # the latter in the first and the last hours there are, of another zone
        raise SettingsWrong(
            f"{flag} {text!r} is not a time", remedy=f"{flag} 2026-01-31 or {flag} 2026-01-31T08:00Z"
        ) from None
