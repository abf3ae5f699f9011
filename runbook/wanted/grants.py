"""What the roles must be granted for loading and operating."""

from dataclasses import dataclass

from runbook.settings import Settings, Stream


@dataclass(frozen=True, order=True)
class Grant:
    """One privilege a role holds."""

    privilege: str
    on: str
    name: str


def loader_grants(stream: Stream) -> tuple[Grant, ...]:
    """What the pipe's owner needs; all of it must stay granted or the pipe stalls.

    Source: https://docs.snowflake.com/en/user-guide/data-load-snowpipe-intro
    """
    return (
        *_containers(stream),
        Grant("USAGE", "STAGE", stream.stage.sql),
        *([Grant("USAGE", "FILE FORMAT", stream.file_format.sql)] if stream.names_a_format else ()),
        Grant("SELECT", "TABLE", stream.table.sql),
        Grant("INSERT", "TABLE", stream.table.sql),
    )


def operator_grants(settings: Settings, stream: Stream) -> tuple[Grant, ...]:
    """What watching, pausing, resuming and refreshing a stream needs.

    Source: https://docs.snowflake.com/en/user-guide/security-access-control-privileges
    """
    return (
        *loader_grants(stream),
        *([Grant("CREATE FILE FORMAT", "SCHEMA", _schema(settings))] if settings.is_ours else ()),
        Grant("MONITOR", "PIPE", stream.pipe.sql),
        Grant("OPERATE", "PIPE", stream.pipe.sql),
    )


def _containers(stream: Stream) -> tuple[Grant, ...]:
    """USAGE on the databases and schemas that hold what the stream is made of: several, if others made it."""
    named = (stream.file_format,) if stream.names_a_format else ()
    names = (stream.pipe, stream.stage, stream.table, *named)
    databases = dict.fromkeys(name.database.sql for name in names)
    schemas = dict.fromkeys(f"{name.database.sql}.{name.schema.sql}" for name in names)
    return (
        *(Grant("USAGE", "DATABASE", name) for name in databases),
        *(Grant("USAGE", "SCHEMA", name) for name in schemas),
    )


def integration_grants(settings: Settings) -> tuple[Grant, ...]:
    """What every role that builds on, loads or lists through the integration needs."""
    return (Grant("USAGE", "INTEGRATION", settings.snowflake.integration.sql),)


def missing_grants(held: frozenset[Grant] | None, wanted: tuple[Grant, ...]) -> list[str]:
    """The wanted grants a role does not hold; owning a thing is holding every right on it."""
    have = held or frozenset()
    return [
        f"{grant.privilege} on {grant.on.lower()} {grant.name}"
        for grant in wanted
        if grant not in have and Grant("OWNERSHIP", grant.on, grant.name) not in have
    ]


def _schema(settings: Settings) -> str:
    return f"{settings.snowflake.database.sql}.{settings.snowflake.schema_name.sql}"
