"""What exists in the account: objects with hidden ids, found by name or by id.

A stage remembers its integration's id and a pipe its stage's and format's id, never their names:
replacing an object gives the name a new id and leaves everything that knew the old one without it
(sources: Snowflake §1.1, §1.4, §8.3).

Longer than 400 lines: every kind of object, a dataclass each.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from snowpipe_sandbox.snowflake.names import Name

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.aws_client import Keys
    from snowpipe_sandbox.snowflake.copying import CopyStatement
    from snowpipe_sandbox.snowflake.directory import Directory
    from snowpipe_sandbox.snowflake.formats import FormatOptions


@dataclass(slots=True)
class Database:
    """A database; its data lie in an attached DuckDB database of the same name."""

    id: int
    name: str
    owner: str
    created_on: datetime
    comment: str = ""
    transient: bool = False


@dataclass(slots=True)
class Schema:
    """A schema. ``pipe_execution_paused``: None is "as the account says"."""

    id: int
    database: str
    name: str
    owner: str
    created_on: datetime
    comment: str = ""
    pipe_execution_paused: bool | None = None
    transient: bool = False
    managed: bool = False
    """WITH MANAGED ACCESS: only the schema's owner grants privileges on what is in it."""


@dataclass(slots=True)
class Warehouse:
    """A warehouse: there is no compute behind it, only its name and the privilege to use it."""

    id: int
    name: str
    owner: str
    created_on: datetime
    comment: str = ""
    statement_timeout_s: int = 0
    """STATEMENT_TIMEOUT_IN_SECONDS; 0: the session's counts."""


@dataclass(slots=True)
class User:
    """A user nobody signs in as; ``properties`` as they were written, without passwords."""

    name: str
    owner: str
    created_on: datetime
    properties: dict[str, Any] = field(default_factory=dict)

    def put(self, given: dict[str, Any]) -> None:
        """Set properties; of a password only that there is one."""
        self.properties |= {name: "" if name == "PASSWORD" else str(value) for name, value in given.items()}


@dataclass(slots=True)
class Monitor:
    """A resource monitor: its options as written, and its triggers' shares by what they do."""

    name: str
    owner: str
    created_on: datetime
    given: dict[str, Any]
    triggers: dict[str, list[str]]


@dataclass(slots=True)
class Integration:
    """A storage integration. Locations are S3 URLs; ``allowed_locations`` may be ``["*"]``."""

    id: int
    name: str
    provider: str
    role_arn: str
    external_id: str
    enabled: bool
    allowed_locations: list[str]
    blocked_locations: list[str]
    comment: str
    owner: str
    created_on: datetime
    object_acl: str = ""
    keys: Keys | None = field(default=None, repr=False)
    """The keys of a stage with credentials of its own, which stand in place of a role."""

    def allows(self, url: str) -> bool:
        """Does a stage at this URL pass? By string prefix; blocked wins (sources: Snowflake §8.5)."""
        url += "/" if url.count("/") == 2 else ""  # installations allow s3://b/ and have stages on s3://b
        allowed = any(place == "*" or url.startswith(place) for place in self.allowed_locations)
        return allowed and not any(url.startswith(place) for place in self.blocked_locations)


@dataclass(slots=True)
class NotificationIntegration:
    """A notification integration: to an SNS topic (QUEUE) or by EMAIL. ``options``: as written."""

    id: int
    name: str
    type: str
    external_id: str
    options: dict[str, Any]
    owner: str
    created_on: datetime


@dataclass(slots=True)
class SchemaObject:
    """What every object in a schema has."""

    id: int
    database: str
    schema: str
    name: str
    owner: str
    created_on: datetime
    comment: str = field(default="", kw_only=True)

    @property
    def full_name(self) -> Name:
        """Database, schema and name."""
        return Name(self.database, self.schema, self.name)


@dataclass(slots=True)
class FileFormat(SchemaObject):
    """A named file format."""

    options: FormatOptions


@dataclass(slots=True)
class Stage(SchemaObject):
    """A stage on S3, or an internal one, whose URL is empty.

    ``integration_id`` may be of an integration that is gone.
    ``file_format``: options written on the stage, or the id of a named format, or None.
    """

    url: str
    integration_id: int | None
    integration_name: str | None
    file_format: FormatOptions | int | None = None
    directory: Directory | None = None
    region: str | None = None
    on_error: str | None = None
    """ON_ERROR of COPY_OPTIONS."""
    own: Integration | None = None
    """What reaches the bucket for a stage with credentials: no integration of the account."""

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self.url.removeprefix("s3://").partition("/")[0]

    @property
    def path(self) -> str:
        """The key prefix inside the bucket; empty for the whole bucket."""
        return self.url.removeprefix("s3://").partition("/")[2]


@dataclass(frozen=True, slots=True)
class Identity:
    """AUTOINCREMENT: where it starts, its step, and the DuckDB sequence that counts."""

    start: int = 1
    step: int = 1
    ordered: bool = False
    sequence: str = ""

    def __str__(self) -> str:
        order = "ORDER" if self.ordered else "NOORDER"
        return f"IDENTITY START {self.start} INCREMENT {self.step} {order}"

    @property
    def create_sql(self) -> str:
        """CREATE SEQUENCE for DuckDB, whose own bounds leave out 0 and turn with the step's sign."""
        bounds = "MINVALUE -9223372036854775808 MAXVALUE 9223372036854775807"
        return f"CREATE SEQUENCE {self.sequence} START {self.start} INCREMENT {self.step} {bounds}"

    @property
    def next_sql(self) -> str:
        """The next number, for DuckDB."""
        return next_number(self.sequence)


def next_number(sequence: str) -> str:
    """The next number of a DuckDB sequence, in its SQL."""
    return "nextval('" + sequence.replace("'", "''") + "')"


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A table's column; ``type`` as DESC TABLE shows it: ``VARCHAR(255)``, ``NUMBER(38,0)``."""

    name: str
    type: str
    nullable: bool = True
    default: str | None = None
    comment: str | None = None
    identity: Identity | None = None
    sequence: str = ""
    """The DuckDB sequence of a default that is ``sequence.NEXTVAL``."""

    @property
    def next_sql(self) -> str | None:
        """What counts for it, in DuckDB's SQL; None where nothing does."""
        if self.identity is not None:
            return self.identity.next_sql
        return next_number(self.sequence) if self.sequence else None

    @property
    def shown_default(self) -> str | None:
        """The default as DESC TABLE shows it."""
        return str(self.identity) if self.identity else self.default

    @property
    def base_type(self) -> str:
        """The type without its length or precision: ``VARCHAR``, ``NUMBER``, ``TIMESTAMP_NTZ``."""
        return self.type.partition("(")[0]

    @property
    def length(self) -> int | None:
        """Characters a VARCHAR, or bytes a BINARY, may have; None for other types."""
        if self.base_type not in ("VARCHAR", "BINARY"):
            return None
        return int(self.type.partition("(")[2].rstrip(")"))


@dataclass(frozen=True, slots=True)
class Key:
    """A constraint of a table, PRIMARY, UNIQUE or FOREIGN: informational, never enforced."""

    kind: str
    columns: tuple[str, ...]
    name: str


@dataclass(slots=True)
class Table(SchemaObject):
    """A table (or view); its rows lie in DuckDB under the same full name.

    A replaced table has a new id, so histories kept by id forget it.
    """

    columns: list[TableColumn] = field(default_factory=list)
    kind: str = "TABLE"
    transient: bool = False
    altered_on: datetime | None = None
    """When its rows or its columns last changed; None: when it was made."""
    ddl_on: datetime | None = None
    keys: list[Key] = field(default_factory=list)
    temporary: bool = False
    """Of one session: it is not in the catalog, and hides what has its name there."""
    secure: bool = False
    of_a_stream: bool = False
    """A view whose query names a stream, which it cannot be asked for here."""
    refreshed: dict[str, Any] | None = None
    """Of a dynamic table: its options as written."""
    changes: int = 0
    """How often rows were changed or deleted, or all of them written again."""
    evolves: bool = False
    """ENABLE_SCHEMA_EVOLUTION."""

    @property
    def is_query(self) -> bool:
        """Whether it holds no rows of its own: a view, a materialized one, a dynamic table."""
        return self.kind != "TABLE"

    @property
    def lies_at(self) -> Name:
        """Its name in DuckDB: its own, but for a temporary one, of which each session may have one."""
        name = f"{self.id} {self.name}" if self.temporary else self.name
        return Name(self.database, self.schema, name)


@dataclass(slots=True)
class Pipe(SchemaObject):
    """A pipe. ``definition`` is the COPY text as written; ``paused`` None means "as the schema says".

    ``owner_changed``: ownership was transferred and SYSTEM$PIPE_FORCE_RESUME not yet called.
    ``cloned``: made by cloning its schema; stopped until it is resumed.
    """

    definition: str
    copy: CopyStatement
    auto_ingest: bool
    stage_id: int
    format_id: int | None
    aws_sns_topic: str | None = None
    notification_channel: str | None = None
    bucket_region: str | None = None
    paused: bool | None = None
    paused_since: datetime | None = None
    log_event_level: str | None = None
    owner_changed: bool = False
    cloned: bool = False
    altered_on: datetime | None = None
    dropped_on: datetime | None = None
    error_integration: str | None = None
    replaces_another: bool = False
    table: Name = field(kw_only=True)
    """The target table, by name: a pipe follows the name, not the table's id (sources: Snowflake §3.6)."""
    stage_url: str = ""
    """The stage's URL when the pipe was made. Once it is another, the pipe is STOPPED_STAGE_ALTERED, and
    stays so when it is altered back: it must be re-created (sources: Snowflake §1.4)."""


@dataclass(slots=True)
class Stream(SchemaObject):
    """A stream on a table or view, whose id tells whether it was replaced."""

    source: Name
    source_id: int
    append_only: bool
    offset: int = 0
    """The row number from which on its table's rows are new."""
    changes: int = 0
    """The table's ``changes`` when the stream was made."""


@dataclass(slots=True)
class Task(SchemaObject):
    """A task. ``options``: as written. It never runs."""

    uuid: str
    definition: str
    condition: str
    predecessors: list[Name]
    options: dict[str, Any]
    started: bool = False


@dataclass(slots=True)
class Beside(SchemaObject):
    """A procedure, function, policy, tag or alert: it is there, and nothing here runs or applies it.

    The name of what is called ends with its arguments' types: ``P(NUMBER)``.
    """

    kind: str
    given: dict[str, Any]

    @property
    def called(self) -> str:
        """Its name without the types."""
        return self.name.partition("(")[0]


STAGE_WAS_ALTERED = "(altered)"
"""A pipe's ``stage_url`` that no stage has."""


class _Identified(Protocol):
    id: int


T = TypeVar("T", bound=_Identified)
SO = TypeVar("SO", bound=SchemaObject)


class Objects(Generic[SO]):
    """The schema objects of one kind."""

    def __init__(self) -> None:
        self._by_name: dict[Name, SO] = {}
        self._by_id: dict[int, SO] = {}

    def __iter__(self) -> Iterator[SO]:
        """All of them, by full name."""
        return iter([self._by_name[name] for name in sorted(self._by_name)])

    def get(self, name: Name) -> SO | None:
        """The one with this name."""
        return self._by_name.get(name)

    def by_id(self, id_: int | None) -> SO | None:
        """The one with this id, unless it was dropped or replaced."""
        return None if id_ is None else self._by_id.get(id_)

    def put(self, made: SO) -> None:
        """Store an object, replacing whatever has its name."""
        self.remove(made.full_name)
        self._by_name[made.full_name] = made
        self._by_id[made.id] = made

    def remove(self, name: Name) -> SO | None:
        """Forget the object of this name and return it."""
        gone = self._by_name.pop(name, None)
        if gone is not None:
            del self._by_id[gone.id]
        return gone

    def rename(self, old: Name, new: Name) -> SO:
        """Give the object another name; its id stays."""
        renamed = self._by_name.pop(old)
        renamed.database, renamed.schema, renamed.name = new
        self._by_name[new] = renamed
        return renamed


class Catalog:
    """Everything in the account. Not thread-safe by itself: callers hold ``Account.lock``."""

    def __init__(self) -> None:
        self._ids = itertools.count(1001)
        self.databases: dict[str, Database] = {}
        self.schemas: dict[tuple[str, str], Schema] = {}
        self.warehouses: dict[str, Warehouse] = {}
        self.monitors: dict[str, Monitor] = {}
        self.integrations: dict[str, Integration] = {}
        self.notifications: dict[str, NotificationIntegration] = {}
        self.file_formats: Objects[FileFormat] = Objects()
        self.stages: Objects[Stage] = Objects()
        self.tables: Objects[Table] = Objects()
        self.pipes: Objects[Pipe] = Objects()
        self.streams: Objects[Stream] = Objects()
        self.tasks: Objects[Task] = Objects()
        self.beside: dict[str, Objects[Beside]] = defaultdict(Objects)
        self.dropped_pipes: list[Pipe] = []
        self.pipe_execution_paused: bool | None = None

    def next_id(self) -> int:
        """An id nobody has had."""
        return next(self._ids)

    def integration_by_id(self, id_: int | None) -> Integration | None:
        """The integration with this id, unless it was dropped or replaced."""
        return next((found for found in self.integrations.values() if found.id == id_), None)

    def stage_integration(self, stage: Stage) -> Integration | None:
        """The integration the stage was made with, if it is still there."""
        return stage.own or self.integration_by_id(stage.integration_id)

    def pipe_table(self, pipe: Pipe) -> Table | None:
        """The table that has the name the pipe loads into."""
        return self.tables.get(pipe.table)

    def pipe_is_paused(self, pipe: Pipe) -> bool:
        """PIPE_EXECUTION_PAUSED as it counts for this pipe: the lowest level that is set decides."""
        schema = self.schemas.get((pipe.database, pipe.schema))
        levels = [pipe.paused, schema.pipe_execution_paused if schema else None, self.pipe_execution_paused]
        return next((level for level in levels if level is not None), False)
