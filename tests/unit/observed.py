"""Pretended facts: what an installation looks like when it is whole, and when there is nothing.

Every test starts from one of the two and changes one thing.
"""

from collections.abc import Callable, Hashable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from runbook.clouds.connections import side_by_side
from runbook.clouds.writer import Receipt
from runbook.facts import Facts
from runbook.facts.aws import Bucket
from runbook.facts.history import TableRows
from runbook.facts.objects import (
    Entry,
    FileFormat,
    Listing,
    Pause,
    Pipe,
    PipeStatus,
    Stage,
    StagedFile,
    StorageIntegration,
    Table,
)
from runbook.kinds import KINDS
from runbook.policies.held import Policy, Role, RolePolicies
from runbook.settings import Settings, Stream
from runbook.settings.values import MADE as KINDS_THAT_ARE_MADE
from runbook.wanted.grants import Grant, integration_grants, loader_grants, operator_grants
from runbook.wanted.permissions import permissions
from runbook.wanted.pipeline import columns, made_as, pipe_definition
from runbook.wanted.rules import BucketNotifications, queue_rule
from runbook.wanted.trust import ours

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MADE = NOW - timedelta(days=10)
QUEUE = "arn:aws:sqs:us-west-2:999988887777:sf-snowpipe-AIDAEXAMPLE-abc123"
SNOWFLAKES_USER = "arn:aws:iam::999988887777:user/abc1-b-self1234"
EXTERNAL_ID = "SANDBOX_SFCRole=2_a123456/s0aBCDEfGHIJklmNoPq="
OURS = {"ManagedBy": "snowpipe-runbook"}
"""What a former version tagged: today's tags also name the installation."""


DERIVED = {"left_over", "read_now", "neighbours", "stages_on_it", "other_external_ids", "idle_external_ids"}
"""Facts that are worked out of others, or of a reader's answers, unless they are given."""


class FakeReader:
    """A Reader with prepared answers; asking anything else is an error of the test or the code."""

    side_by_side = staticmethod(side_by_side)

    def __init__(self, settings: Settings, answers: Mapping[str, Any] | None = None) -> None:
        self.settings = settings
        self.answers = dict(answers or {})
        self.hidden_from: dict[str, str] = {}
        self.asked: list[str] = []
        self.clock = 0.0
        self.slept: list[float] = []

    def sign_in_to_snowflake(self) -> None:
        pass

    def now(self) -> float:
        return self.clock

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock += seconds

    def kept(self, _question: Any, ask: Callable[[], Any]) -> Any:
        return ask()

    def aws(self, service: str, operation: str, **parameters: Any) -> Any:
        return self._answer(f"{service}:{operation}", parameters)

    def aws_pages(self, service: str, operation: str, key: str, **parameters: Any) -> Any:
        return self._answer(f"{service}:{operation}", parameters)

    def sql(self, statement: str, binds: Any = None) -> Any:
        found = [known for known in self.answers if ":" not in known and statement.startswith(known)]
        return self._answer(max(found, key=len, default=statement), {"statement": statement})

    def _answer(self, question: str, parameters: dict[str, Any]) -> Any:
        self.asked.append(question)
        if question.startswith("SHOW FILE FORMATS LIKE 'SNOWPIPE_RUNBOOK_LEASE"):
            return self.answers.get(question, [])  # no command is at work, unless a test says so
        if question not in self.answers:
            raise AssertionError(f"nobody expected {question} {parameters}")
        answer = self.answers[question]
        if callable(answer):
            answer = answer(**parameters)
        if isinstance(answer, Exception):
            raise answer
        return answer


class FakeWriter:
    """A Writer that notes what it is told to write, and refuses where it is told to."""

    def __init__(self, refuses: Callable[[str], Exception | None] = lambda _: None) -> None:
        self.written: list[str] = []
        self.begun = 0
        self.refuses = refuses

    def aws(self, service: str, operation: str, **parameters: Any) -> Receipt:
        return self._write(f"{service}:{operation}")

    def sql(self, statement: str) -> Receipt:
        return self._write(statement)

    def _write(self, what: str) -> Receipt:
        if error := self.refuses(what):
            raise error
        self.written.append(what)
        return Receipt(f"reference-{len(self.written)}")


class Known(Facts):
    """Facts that are given beforehand; an exception stands for a fact that cannot be told.

    A fact nobody gave is an error, and so is any write: there is nothing to write with.
    """

    def __init__(
        self,
        settings: Settings,
        found: Mapping[Hashable, Any],
        *,
        adopt: bool = False,
        then: "Known | None" = None,
        answers: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(FakeReader(settings, answers), adopt=adopt)  # type: ignore[arg-type]
        self.known = found
        self.then = then

    def afresh(self) -> "Known":
        return self.then or self

    def _was_asked(self, key: Hashable) -> bool:
        return key in self.known

    def _once(self, key: Hashable, read: Callable[[], Any]) -> Any:
        if isinstance(key, tuple) and key[0] == "other owner" and key not in self.known:
            return ""  # the role's own, or that of one below it
        if isinstance(key, tuple) and key[0] == "held by" and key not in self.known:
            return frozenset()
        if key == "schema is managed" and key not in self.known:
            return False
        if key in DERIVED and key not in self.known:
            return read()
        if key not in self.known:
            raise AssertionError(f"nobody expected the fact {key}")
        if isinstance(self.known[key], Exception):
            raise self.known[key]
        return self.known[key]


def of_bucket(settings: Settings, what: str, bucket: str) -> Any:
    """The key of a fact of one bucket."""
    return what if bucket == settings.aws.bucket else (what, bucket)


def queue_of(settings: Settings, bucket: str) -> str:
    """The queue of the pipes that read a bucket: Snowflake has one in each region."""
    return QUEUE.replace("us-west-2", settings.aws.bucket_named(bucket).region)


def nothing(settings: Settings) -> dict[Any, Any]:
    """Two accounts in which only the buckets are there, and nobody else uses their notifications."""
    snowflake = settings.snowflake
    found: dict[Any, Any] = {
        "role": None,
        "policy": None,
        "now": NOW,
        "integration": None,
        "entry": None,
        "reading": None,
        "roles": frozenset({"ACCOUNTADMIN", "SYSADMIN"}),
        "schema": False,
        "stages": {},
        "pipes": {},
        ("grants", snowflake.owner_role): frozenset(),
        ("grants", snowflake.loader_role): None,
        ("grants", snowflake.operator_role): None,
    }
    for bucket in settings.buckets:
        found[of_bucket(settings, "bucket", bucket.name)] = Bucket(bucket.name, bucket.region)
        found[of_bucket(settings, "notifications", bucket.name)] = BucketNotifications()
    for stream in settings.streams:
        found[("format", stream.file_format)] = None
        for kind in ("table", "status", "pause", "listing", "loads"):
            found[(kind, stream.name)] = None
    return found


def healthy(settings: Settings) -> dict[Any, Any]:
    """A whole installation with nothing to load."""
    snowflake = settings.snowflake
    usage = frozenset(integration_grants(settings))
    found: dict[Any, Any] = {
        "role": role(settings),
        "policy": policy(settings),
        "role_policies": RolePolicies(),
        "other_pipes": (),
        "now": NOW,
        "integration": integration(settings),
        "entry": Entry(succeeded=True, message=""),
        "reading": None,
        "roles": frozenset({"ACCOUNTADMIN", "SYSADMIN", snowflake.loader_role, snowflake.operator_role}),
        "schema": True,
        "stages": {stream.stage.name: stage(settings, stream) for stream in settings.streams},
        "pipes": {stream.pipe.name: pipe(settings, stream) for stream in settings.streams},
        ("grants", snowflake.owner_role): usage
        | {Grant("USAGE", "ROLE", snowflake.loader_role), Grant("USAGE", "ROLE", snowflake.operator_role)},
        ("grants", snowflake.loader_role): usage.union(
            *(loader_grants(stream) for stream in settings.streams)
        ),
        ("grants", snowflake.operator_role): usage.union(
            *(operator_grants(settings, stream) for stream in settings.streams)
        ),
    }
    for bucket in settings.buckets:
        streams = settings.in_bucket(bucket.name)
        rules = [queue_rule(stream, queue_of(settings, bucket.name)) for stream in streams]
        of_it = {
            "bucket": Bucket(bucket.name, bucket.region),
            "notifications": BucketNotifications({"QueueConfigurations": rules}),
            "bucket_policy": {},
            "bucket_key": None,
            "key": None,
        }
        found |= {of_bucket(settings, what, bucket.name): fact for what, fact in of_it.items()}
    for stream in settings.streams:
        found |= {
            ("format", stream.file_format): FileFormat(dict(KINDS[stream.kind].FORMAT)),
            ("table", stream.name): Table(_columns(stream)),
            ("status", stream.name): PipeStatus({"executionState": "RUNNING", "pendingFileCount": 0}),
            ("pause", stream.name): Pause(paused=False, level=""),
            ("listing", stream.name): Listing(),
            ("loads", stream.name): (),
            ("account", stream.name): (),
            ("rows", stream.name): TableRows(0, MADE, {}),
            ("same", stream.name): (),
            ("glimpses", stream.name): (),
        }
    return found


def marks(settings: Settings) -> dict[str, str]:
    """The tags on role and policy."""
    return {**OURS, "ManagedFor": settings.installation}


def integration(settings: Settings, **changes: Any) -> StorageIntegration:
    """The storage integration as it should be, or with something changed."""
    given: dict[str, Any] = {
        "name": settings.snowflake.integration,
        "enabled": True,
        "provider": settings.aws.storage_provider,
        "role_arn": settings.aws.role_arn,
        "external_id": EXTERNAL_ID,
        "iam_user_arn": SNOWFLAKES_USER,
        "allowed_locations": settings.allowed_locations,
        "blocked_locations": frozenset(),
        "comment": f"Reads Snowplow files from S3 for {settings.schema_sql} (snowpipe-runbook)",
    }
    return StorageIntegration(**{**given, **changes})


def role(settings: Settings, **changes: Any) -> Role:
    """The role as it should be, or with something changed."""
    given: dict[str, Any] = {
        "arn": settings.aws.role_arn,
        "trust": {"Version": "2012-10-17", "Statement": [ours(integration(settings))]},
        "attached_policies": frozenset({settings.aws.policy_arn}),
        "permissions_boundary": settings.aws.permissions_boundary,
        "tags": marks(settings),
    }
    return Role(**{**given, **changes})


def policy(settings: Settings, **changes: Any) -> Policy:
    """The permissions policy as it should be, or with something changed."""
    given: dict[str, Any] = {
        "arn": settings.aws.policy_arn,
        "document": permissions(settings),
        "versions": ("v1",),
        "default_version": "v1",
        "tags": marks(settings),
    }
    return Policy(**{**given, **changes})


def stage(settings: Settings, stream: Stream, **changes: Any) -> Stage:
    """The stream's stage as it should be, or with something changed."""
    given: dict[str, Any] = {
        "url": stream.url,
        "integration": settings.snowflake.integration,
        "owner": settings.snowflake.owner_role,
        "comment": "Snowplow files in S3 (snowpipe-runbook)",
    }
    return Stage(**{**given, **changes})


def pipe(settings: Settings, stream: Stream, **changes: Any) -> Pipe:
    """The stream's pipe as it should be, or with something changed."""
    given: dict[str, Any] = {
        "definition": pipe_definition(settings, stream),
        "owner": settings.snowflake.loader_role,
        "notification_channel": queue_of(settings, stream.bucket),
        "created_on": MADE,
        "invalid_reason": None,
        "comment": "Snowplow events (snowpipe-runbook)",
    }
    return Pipe(**{**given, **changes})


def staged(key: str, *, modified: datetime = NOW - timedelta(hours=1), size: int = 10) -> StagedFile:
    """A file in the bucket."""
    return StagedFile(key=key, size=size, etag="etag", modified=modified)


def _columns(stream: Stream) -> tuple[tuple[str, str], ...]:
    """The columns of a stream's table; of a kind that no step makes, some that somebody may have."""
    made = made_as(stream) if stream.kind in KINDS_THAT_ARE_MADE else {}
    names = columns(stream) if made else ("ID", "NAME", "SRC")
    return tuple((name, made.get(name, "VARCHAR")) for name in names)
