"""Directory tables of external stages: what the last refresh saw, and nothing that came afterwards.

Sources: https://docs.snowflake.com/en/user-guide/data-load-dirtables-query (columns),
https://docs.snowflake.com/en/user-guide/data-load-dirtables-manage (what a refresh does),
https://docs.snowflake.com/en/sql-reference/sql/create-stage and …/alter-stage (options, SUBPATH),
https://docs.snowflake.com/en/release-notes/bcr-bundles/2023_06/bcr-1222 (USAGE is enough to refresh).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from snowpipe_sandbox.snowflake import resolve, result
from snowpipe_sandbox.snowflake.bucket import StagedFile
from snowpipe_sandbox.snowflake.copy_statement import parse_stage
from snowpipe_sandbox.snowflake.errors import SnowflakeError, not_emulated
from snowpipe_sandbox.snowflake.result import Column, Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.catalog import Stage
    from snowpipe_sandbox.snowflake.sessions import Session

REFRESHED = result.texts("file", "status", "description")
COLUMNS = [
    Column("RELATIVE_PATH"),
    Column("SIZE", "FIXED"),
    Column("LAST_MODIFIED", "TIMESTAMP_LTZ"),
    Column("MD5"),
    Column("ETAG"),
    Column("FILE_URL"),
]


@dataclass(slots=True)
class Directory:
    """The files of a stage by their path below its URL, as the last refresh saw them."""

    files: dict[str, StagedFile] = field(default_factory=dict)
    refreshed_on: datetime | None = None


def refresh(session: Session, parts: tuple[str, ...], subpath: str) -> Result:
    """ALTER STAGE … REFRESH [SUBPATH = '…']: a line for each file that is new, changed or gone.

    Calls AWS with the integration's role. The texts of ``description`` are ours.
    Raises what reading a stage raises, and 002096 (ours) without a directory table.
    """
    stage, integration = resolve.stage_for_use(session.account, session, parts)
    directory = _of(stage)
    role = session.account.bucket.reach(integration)
    found = {
        file.key.removeprefix(stage.path): file
        for file in role.list(stage.bucket, stage.path + subpath)
        if file.key != stage.path
    }
    with session.account.lock:
        before = {path: file for path, file in directory.files.items() if path.startswith(subpath)}
        rows = [
            (path, "REGISTERED_UPDATE" if path in before else "REGISTERED_NEW", "File registered.")
            for path, file in found.items()
            if before.get(path) != file
        ]
        gone = sorted(before.keys() - found.keys())
        rows += [(path, "UNREGISTERED", "File unregistered.") for path in gone]
        for path in gone:
            del directory.files[path]
        directory.files.update(found)
        directory.refreshed_on = session.account.now()
    return Result(REFRESHED, rows)


def rows(session: Session, written: str) -> Result:
    """DIRECTORY(@stage): calls nobody. MD5 is empty where the ETag is that of a multipart upload."""
    reference = parse_stage(written)
    if reference.path:
        raise not_emulated("DIRECTORY of a path below a stage")
    session.require_warehouse()
    stage, _ = resolve.stage_for_use(session.account, session, reference.parts)
    account = session.account
    base = f"https://{account.locator.lower()}.snowflakecomputing.com/api/files/{stage.full_name}"
    with account.lock:
        files = sorted(_of(stage).files.items())
    return Result(
        COLUMNS,
        [
            (
                path,
                file.size,
                file.last_modified.replace(microsecond=0),  # S3 tells whole seconds
                None if "-" in file.etag else file.etag,
                file.etag,
                f"{base}/{quote(path)}",
            )
            for path, file in files
        ],
    )


def _of(stage: Stage) -> Directory:
    """The stage's directory table; the number and text of the error without one are ours."""
    if stage.directory is None:
        raise SnowflakeError(
            2096, "0A000", f"SQL compilation error:\nStage '{stage.name}' has no directory table enabled."
        )
    return stage.directory
