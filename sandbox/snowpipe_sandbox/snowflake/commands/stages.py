"""External stages on S3: CREATE, ALTER, DROP, DESC, SHOW (sources: Snowflake §1.4).

Making or changing a stage without a directory table never calls AWS: only privileges and the integration's
locations are checked.

Longer than 400 lines: every statement about stages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from snowpipe_sandbox.snowflake import directory, errors, formats, resolve, result
from snowpipe_sandbox.snowflake.aws_client import Keys
from snowpipe_sandbox.snowflake.catalog import STAGE_WAS_ALTERED, Integration, Stage
from snowpipe_sandbox.snowflake.copy_statement import on_error_of
from snowpipe_sandbox.snowflake.directory import Directory
from snowpipe_sandbox.snowflake.errors import SnowflakeError
from snowpipe_sandbox.snowflake.formats import FormatOptions
from snowpipe_sandbox.snowflake.grammar import options
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.names import dotted, quoted
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.commands.creating import Mode
    from snowpipe_sandbox.snowflake.sessions import Session

S3_URL = re.compile(r"s3://[a-zA-Z0-9.\-_]+(/.*)?", re.DOTALL)
NO_CREDENTIALS = (
    "SQL compilation error:\nCREDENTIALS property is not allowed on stages that use a storage integration or "
    "within COPY commands that use a storage integration."
)


def _directory(tokens: Tokens) -> dict[str, Any]:
    """DIRECTORY = ( ENABLE = … ): refreshed when made and by hand; by events is not emulated."""
    found = options.parenthesised(
        tokens,
        {
            "ENABLE": options.boolean,
            "REFRESH_ON_CREATE": options.boolean,
            "AUTO_REFRESH": options.boolean,
            "AWS_SNS_TOPIC": options.string,
        },
    )
    if found.get("AUTO_REFRESH") or "AWS_SNS_TOPIC" in found:
        raise errors.not_emulated("directory tables refreshed by events")
    if "ENABLE" not in found:
        raise errors.missing_options("ENABLE")
    return found


def _encryption(tokens: Tokens) -> dict[str, Any]:
    """ENCRYPTION = ( TYPE = … ): server-side kinds change nothing for reading; client-side is refused."""
    found = options.parenthesised(
        tokens, {"TYPE": options.word, "KMS_KEY_ID": options.string, "MASTER_KEY": options.string}
    )
    if found.get("TYPE", "").upper() not in ("AWS_SSE_S3", "AWS_SSE_KMS", "NONE") or "MASTER_KEY" in found:
        raise errors.not_emulated("client-side encryption of a stage")
    return found


def _copy_options(tokens: Tokens) -> str | None:
    """COPY_OPTIONS = ( ON_ERROR = … ), which CREATE STAGE's page has no longer; the others are refused."""
    found = options.free(tokens)
    if set(found) - {"ON_ERROR"}:
        raise errors.not_emulated(f"COPY_OPTIONS with {min(set(found) - {'ON_ERROR'})}")
    if "ON_ERROR" in found:
        on_error_of(str(found["ON_ERROR"]))
    return str(found["ON_ERROR"]).upper() if found else None


OPTIONS: dict[str, options.Reader] = {
    "URL": options.location,
    "STORAGE_INTEGRATION": lambda tokens: options.name(tokens)[-1],
    "CREDENTIALS": options.free,
    "ENCRYPTION": _encryption,
    "AWS_ACCESS_POINT_ARN": options.refused("AWS_ACCESS_POINT_ARN"),
    "USE_PRIVATELINK_ENDPOINT": options.only("USE_PRIVATELINK_ENDPOINT", "FALSE"),
    "DIRECTORY": _directory,
    "FILE_FORMAT": options.file_format,
    "COPY_OPTIONS": _copy_options,
    "COMMENT": options.string,
}


def create(session: Session, tokens: Tokens, mode: Mode) -> Result:
    """CREATE STAGE. OR REPLACE gives a new hidden id, which stops its pipes; OR ALTER keeps the id.

    A directory table is refreshed once the stage is there; where AWS refuses that, the statement fails and
    the stage stays, with nothing in the table: what Snowflake does then is not documented.
    """
    parts = tokens.name()
    given = options.read_options(tokens, OPTIONS)
    account = session.account
    with account.lock:
        name, _ = resolve.schema_for_create(account, session, parts, "CREATE STAGE")
        existing = account.catalog.stages.get(name)
        present = mode.present(session, existing)
        if present is not None:
            return present
        if existing is not None:
            account.privileges.require_ownership(session.role, existing)
        integration = _integration(session, given)
        url = _url(given, integration) if integration else ""
        own = integration if integration is not None and integration.keys else None
        made = Stage(
            account.catalog.next_id(),
            *name,
            session.role,
            account.now(),
            url,
            integration.id if integration and not own else None,
            integration.name if integration and not own else None,
            _format(session, given.get("FILE_FORMAT"), None),
            comment=given.get("COMMENT", ""),
            on_error=given.get("COPY_OPTIONS"),
            own=own,
            directory=_directory_table(given, url, existing if mode.or_alter else None, mode),
        )
        if existing is not None and mode.or_alter:
            made.id, made.owner, made.created_on = existing.id, existing.owner, existing.created_on
            account.catalog.stages.put(made)
            what = "altered"
        else:
            if existing is not None:
                account.privileges.forget(existing)
            account.catalog.stages.put(made)
            account.privileges.created(made)
            what = "created"
    account.pipes.wake_all()
    if made.directory and not mode.or_alter and given["DIRECTORY"].get("REFRESH_ON_CREATE", True):
        directory.refresh(session, parts, "")
    text = (
        f"Stage area {name.name} successfully created."
        if what == "created"
        else f"{name.name} successfully altered."
    )
    return result.status(text)


def _directory_table(
    given: Mapping[str, Any], url: str, altered: Stage | None, mode: Mode
) -> Directory | None:
    """A stage's new directory table, still empty; that of the stage that CREATE OR ALTER alters."""
    asked = given.get("DIRECTORY", {})
    if mode.or_alter and "REFRESH_ON_CREATE" in asked:
        raise errors.invalid_property("REFRESH_ON_CREATE", "STAGE")
    if not asked.get("ENABLE"):
        return None
    if not url:
        raise errors.not_emulated("a directory table of an internal stage")
    _slash_at_the_end(url)
    return (altered.directory if altered else None) or Directory()


def _slash_at_the_end(url: str) -> None:
    """A directory table's URL ends with a slash (sources: data-load-dirtables-manage); the error is ours."""
    if not url.endswith("/"):
        raise errors.invalid_url(url)


def _integration(session: Session, given: Mapping[str, Any]) -> Integration | None:
    """The integration the statement names, or what stands for the credentials it gives; None: internal.

    The integration is usable by the role and enabled. Raises 2003, 3001.
    """
    if "STORAGE_INTEGRATION" not in given:
        if "URL" not in given:
            return None
        return _with_keys(session, given)
    if "CREDENTIALS" in given:
        raise SnowflakeError(2245, "0A000", NO_CREDENTIALS)
    account = session.account
    found = resolve.integration(account, session, given["STORAGE_INTEGRATION"])
    account.privileges.require(session.role, found, "USAGE")
    if not found.enabled:
        raise resolve.disabled_integration(found.name)
    return found


def _with_keys(session: Session, given: Mapping[str, Any]) -> Integration:
    """Credentials of the stage's own: they are tried when the bucket is, and not before.

    Source: https://docs.snowflake.com/en/sql-reference/sql/create-stage (credentials).
    """
    if "CREDENTIALS" not in given:
        raise errors.not_emulated("stages on a public bucket")
    written = {name: str(value) for name, value in given["CREDENTIALS"].items()}
    if set(written) - {"AWS_KEY_ID", "AWS_SECRET_KEY", "AWS_TOKEN"}:
        raise errors.not_emulated(f"CREDENTIALS with {min(written)}")
    if not written.get("AWS_KEY_ID") or not written.get("AWS_SECRET_KEY"):
        raise errors.missing_options("AWS_KEY_ID", "AWS_SECRET_KEY")
    keys = Keys(written["AWS_KEY_ID"], written["AWS_SECRET_KEY"], written.get("AWS_TOKEN"))
    return Integration(
        id=-1,
        name="",
        provider="S3",
        role_arn="",
        external_id="",
        enabled=True,
        allowed_locations=["*"],
        blocked_locations=[],
        comment="",
        owner=session.role,
        created_on=session.account.now(),
        keys=keys,
    )


def _url(given: Mapping[str, Any], integration: Integration, current: str | None = None) -> str:
    """The stage's URL, inside the integration's locations. Raises 001011 or 003127."""
    url = str(given.get("URL", current) or "")
    if not url:
        raise errors.missing_options("URL")
    if url.startswith(("s3gov://", "s3china://", "gcs://", "azure://", "s3compat://")):
        raise errors.not_emulated(f"stages at {url.partition('/')[0]}")
    if not S3_URL.fullmatch(url):
        raise errors.invalid_url(url)
    if not integration.allows(url):
        raise errors.location_not_allowed(url, integration.name)
    return url


def _format(
    session: Session, written: Mapping[str, Any] | None, current: FormatOptions | int | None
) -> FormatOptions | int | None:
    """FILE_FORMAT = ( … ): the named format's id, or options of the stage's own."""
    if written is None:
        return current
    if "FORMAT_NAME" in written:
        if len(written) > 1:
            raise errors.SnowflakeError(
                1003, "42000", "SQL compilation error:\nFORMAT_NAME and TYPE are mutually exclusive."
            )
        return resolve.format_for_use(session.account, session, written["FORMAT_NAME"]).id
    return formats.parse(written)


def _find(session: Session, parts: tuple[str, ...]) -> Stage:
    return resolve.visible(session.account, session, session.account.catalog.stages, "Stage", parts)


def alter(session: Session, tokens: Tokens) -> Result:
    """ALTER STAGE … SET, UNSET or RENAME TO. Another URL stops the pipes on the stage for good."""
    parts = tokens.name()
    verb = tokens.one_of("SET", "UNSET", "RENAME", "REFRESH")
    if verb == "REFRESH":
        subpath = options.read_options(tokens, {"SUBPATH": options.string}).get("SUBPATH", "")
        return directory.refresh(session, parts, subpath)
    target: tuple[str, ...] = ()
    given: dict[str, Any] = {}
    if verb == "RENAME":
        tokens.expect("TO")
        target = tokens.name()
        tokens.end()
    elif verb == "UNSET":
        options.unset_list(tokens, "COMMENT")
        given = {"COMMENT": ""}
    else:
        if tokens.sees("TAG"):
            raise errors.not_emulated("tags")
        if tokens.sees("USE_PRIVATELINK_ENDPOINT"):
            raise SnowflakeError(
                2245,
                "0A000",
                "SQL compilation error:\nIntegration based stages are not allowed to be altered to use "
                "privatelink endpoint. Please alter the storage integration instead",
            )
        given = options.read_options(tokens, OPTIONS)
        if not given:
            raise tokens.error()
    account = session.account
    with account.lock:
        stage = _find(session, parts)
        account.privileges.require_ownership(session.role, stage)
        if verb == "RENAME":
            new, _ = resolve.schema_for_create(account, session, target, "CREATE STAGE")
            if account.catalog.stages.get(new) is not None:
                raise errors.already_exists(str(new))
            account.catalog.stages.rename(stage.full_name, new)
        _set(session, stage, given)
    account.pipes.wake_all()
    return result.status("Statement executed successfully.")


def _access(session: Session, stage: Stage, given: Mapping[str, Any]) -> Integration | None:
    """What shall reach the bucket after ALTER STAGE, or None where neither that nor the URL changes."""
    if "CREDENTIALS" in given and (stage.own is None or "STORAGE_INTEGRATION" in given):
        raise SnowflakeError(2245, "0A000", NO_CREDENTIALS)
    if not stage.url and given.keys() & {"URL", "STORAGE_INTEGRATION", "DIRECTORY"}:
        raise errors.not_emulated("such a change of an internal stage")
    if "CREDENTIALS" in given:
        return _with_keys(session, given)
    if "STORAGE_INTEGRATION" in given:
        return _integration(session, given)
    if "URL" not in given:
        return None
    found = session.account.catalog.stage_integration(stage)
    if found is None:
        raise errors.integration_not_found(str(stage.integration_name), stage.name)
    return found


def _set(session: Session, stage: Stage, given: Mapping[str, Any]) -> None:
    """Everything is checked before anything is changed."""
    account = session.account
    integration = _access(session, stage, given)
    url = stage.url if integration is None else _url(given, integration, stage.url)
    file_format = _format(session, given.get("FILE_FORMAT"), stage.file_format)
    if url != stage.url and stage.directory is not None:
        raise errors.not_emulated("another URL for a stage with a directory table")
    if "DIRECTORY" in given:
        _set_directory(stage, given["DIRECTORY"])
    if integration is not None and integration.keys is not None:
        stage.own = integration
    elif integration is not None and "STORAGE_INTEGRATION" in given:
        stage.integration_id, stage.integration_name, stage.own = integration.id, integration.name, None
    if url != stage.url:
        for pipe in account.catalog.pipes:
            if pipe.stage_id == stage.id:
                pipe.stage_url = STAGE_WAS_ALTERED
    stage.url, stage.file_format = url, file_format
    stage.comment = given.get("COMMENT", stage.comment)
    stage.on_error = given.get("COPY_OPTIONS", stage.on_error)


def _set_directory(stage: Stage, given: Mapping[str, Any]) -> None:
    """SET DIRECTORY = ( ENABLE = … ), which is all that ALTER takes; empty until it is refreshed."""
    if "REFRESH_ON_CREATE" in given:
        raise errors.invalid_property("REFRESH_ON_CREATE", "STAGE")
    if not given["ENABLE"]:
        stage.directory = None
    elif stage.directory is None:
        _slash_at_the_end(stage.url)
        stage.directory = Directory()


def drop(session: Session, tokens: Tokens) -> Result:
    """DROP STAGE: the pipes on it stop."""
    parts = tokens.name()
    tokens.end()
    account = session.account
    with account.lock:
        stage = _find(session, parts)
        account.privileges.require_ownership(session.role, stage)
        account.catalog.stages.remove(stage.full_name)
        account.privileges.forget(stage)
    account.pipes.wake_all()
    return result.status(f"{stage.name} successfully dropped.")


DESCRIBED = result.texts("parent_property", "property", "property_type", "property_value", "property_default")
COPY_OPTION_ROWS = [
    ("STAGE_COPY_OPTIONS", "ON_ERROR", "String", "ABORT_STATEMENT", "ABORT_STATEMENT"),
    ("STAGE_COPY_OPTIONS", "SIZE_LIMIT", "Long", "", ""),
    ("STAGE_COPY_OPTIONS", "PURGE", "Boolean", "false", "false"),
    ("STAGE_COPY_OPTIONS", "RETURN_FAILED_ONLY", "Boolean", "false", "false"),
    ("STAGE_COPY_OPTIONS", "ENFORCE_LENGTH", "Boolean", "true", "true"),
    ("STAGE_COPY_OPTIONS", "TRUNCATECOLUMNS", "Boolean", "false", "false"),
    ("STAGE_COPY_OPTIONS", "FORCE", "Boolean", "false", "false"),
]


def describe(session: Session, tokens: Tokens) -> Result:
    """DESC STAGE (https://docs.snowflake.com/en/sql-reference/sql/desc-stage)."""
    parts = tokens.name()
    tokens.end()
    account = session.account
    with account.lock:
        stage = _find(session, parts)
        account.privileges.require(session.role, stage, "USAGE")
        rows = [*_format_rows(session, stage), *COPY_OPTION_ROWS]
        if stage.on_error is not None:
            at = rows.index(COPY_OPTION_ROWS[0])
            rows[at] = (*COPY_OPTION_ROWS[0][:3], stage.on_error, COPY_OPTION_ROWS[0][4])
        known = stage.directory
    refreshed = known.refreshed_on if known else None
    key_id = stage.own.keys.access_key_id if stage.own is not None and stage.own.keys else ""
    rows += [
        ("STAGE_LOCATION", "URL", "String", f'["{stage.url}"]' if stage.url else "", ""),
        ("STAGE_CREDENTIALS", "AWS_KEY_ID", "String", key_id, ""),
        ("DIRECTORY", "ENABLE", "Boolean", "true" if known else "false", "false"),
        ("DIRECTORY", "AUTO_REFRESH", "Boolean", "false", "false"),
        ("DIRECTORY", "DIRECTORY_NOTIFICATION_CHANNEL", "String", "", ""),
        ("DIRECTORY", "LAST_REFRESHED_ON", "String", str(refreshed or ""), ""),
        ("DIRECTORY", "AWS_SNS_TOPIC", "String", "", ""),
        ("PRIVATELINK", "USE_PRIVATELINK_ENDPOINT", "Boolean", "false", "false"),
    ]
    return Result(DESCRIBED, rows, result.DESCRIBE)


def _format_rows(session: Session, stage: Stage) -> list[tuple[str, str, str, str, str]]:
    """The file format: by name where the stage names one, else every option."""
    if isinstance(stage.file_format, int):
        found = session.account.catalog.file_formats.by_id(stage.file_format)
        name = "" if found is None else ".".join(f'\\"{part}\\"' for part in found.full_name)
        return [("STAGE_FILE_FORMAT", "FORMAT_NAME", "String", name, "")]
    shown = stage.file_format or FormatOptions()
    return [("STAGE_FILE_FORMAT", *row) for row in shown.rows()]


SHOWN = [
    result.Column("created_on", "TIMESTAMP_LTZ"),
    *result.texts(
        "name",
        "database_name",
        "schema_name",
        "url",
        "has_credentials",
        "has_encryption_key",
        "owner",
        "comment",
        "region",
        "type",
        "cloud",
        "notification_channel",
        "storage_integration",
        "endpoint",
        "owner_role_type",
        "directory_enabled",
    ),
]


def show_row(session: Session, stage: Stage) -> tuple[Any, ...]:
    """A row of SHOW STAGES. An orphaned stage shows no integration."""
    integration = session.account.catalog.stage_integration(stage)
    return (
        stage.created_on,
        stage.name,
        stage.database,
        stage.schema,
        stage.url,
        "Y" if stage.own else "N",
        "N",
        stage.owner,
        stage.comment,
        (stage.region or session.account.aws.region) if stage.url else None,
        "EXTERNAL" if stage.url else "INTERNAL",
        "AWS" if stage.url else None,
        None,
        integration.name if integration and not stage.own else None,
        None,
        "ROLE",
        "N" if stage.directory is None else "Y",
    )


def ddl(session: Session, stage: Stage) -> str:
    """CREATE OR REPLACE … as GET_DDL writes it; how it writes a directory table is not documented."""
    if stage.directory is not None:
        raise errors.not_emulated("GET_DDL of a stage with a directory table")
    if stage.own is not None or not stage.url:
        raise errors.not_emulated("GET_DDL of a stage without a storage integration")
    lines = [
        f"create or replace stage {dotted((stage.name,))}",
        f"\tstorage_integration = {quoted(stage.integration_name or '')}",
        f"\turl = '{stage.url}'",
    ]
    if isinstance(stage.file_format, FormatOptions):
        lines.append(f"\tfile_format = ({stage.file_format.sql()})")
    elif stage.file_format is not None:
        found = session.account.catalog.file_formats.by_id(stage.file_format)
        lines.append(f"\tfile_format = (format_name = '{found.full_name if found else ''}')")
    return "\n".join(lines) + ";"
