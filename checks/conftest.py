"""The facts as fixtures. Asking for something that is not there blocks the check, by its existence check."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import Any, TypeVar

import pytest

from runbook.errors import Absent, Advised, CannotTell, Failing, RunbookError
from runbook.facts import Facts
from runbook.facts.aws import Bucket
from runbook.facts.copy_statement import CopyStatement, read
from runbook.facts.objects import (
    FileFormat,
    Listing,
    Pause,
    Pipe,
    PipeStatus,
    Stage,
    StorageIntegration,
    Table,
)
from runbook.facts.topic import Topic, is_topic
from runbook.ledger.evidence import evidence
from runbook.ledger.findings import Ledger
from runbook.policies.access import NEEDED
from runbook.policies.documents import Document
from runbook.policies.held import Policy, Role, RolePolicies, SnowflakesUser
from runbook.policies.refusals import Refusal, refusals
from runbook.remedy import NOTHING, Remedy, invoke, remedy
from runbook.settings import Identifier, Settings, Stream
from runbook.wanted.grants import Grant, missing_grants
from runbook.wanted.pipeline import pipe_definition
from runbook.wanted.rules import BucketNotifications, silent_events

T = TypeVar("T")

GIVEN: dict[str, Callable[..., Any]] = {}
"""What a check may ask for by a parameter's name, beside facts, settings and stream."""
ONCE = ("ledgers",)
"""Those of them that are made once a run."""


def given(function: Callable[..., T]) -> Callable[..., T]:
    """A fixture, which the run of the checks calls by its name: pytest takes ten times as long to fill it in.

    It asks for other ones by its parameters' names, and returns.
    """
    GIVEN[function.__name__] = function
    made: Callable[..., T] = pytest.fixture(scope="session" if function.__name__ in ONCE else "function")(
        function
    )
    return made


OWN_OPTIONS = "the pipe's COPY states its format's options itself"
OTHERS = "others made this installation: what it was found as is right"


@contextmanager
def advice(*, only: bool | Callable[[], bool] = True, remedy: Remedy = NOTHING) -> Iterator[None]:
    """What is asserted inside is advice where ``only`` says so: it works, and should be changed.

    ``only`` as a function is asked where something is asserted in vain; ``remedy``: where it is not that of
    the check.
    """
    try:
        yield
    except AssertionError as error:
        if not (only() if callable(only) else only):
            raise
        raise Advised(str(error), remedy) from None


@contextmanager
def mended_by(remedy: Remedy, *, only: bool = True) -> Iterator[None]:
    """What is asserted inside has another remedy than the check's where ``only`` says so."""
    try:
        yield
    except AssertionError as error:
        if not only or isinstance(error, Advised | Failing):
            raise
        raise Failing(str(error), remedy) from None


def of_another(facts: Facts, kind: str, name: str) -> Remedy:
    """How to get back what cannot be seen since another role owns it; nothing where that is not so."""
    snowflake = facts.settings.snowflake
    owner = facts.other_owner(kind, name, snowflake.owner_role)
    if not owner:
        return NOTHING
    back = f"GRANT OWNERSHIP ON {kind} {name} TO ROLE {snowflake.owner_role.sql} COPY CURRENT GRANTS"
    return remedy(
        f"the {kind.lower()} {name} is owned by the role {owner}: have {owner} show it, or take it back as "
        f"{snowflake.admin_role}: {back}",
        invoke("step4-snowflake", lead="; then: "),
    )


def meant(setting: str, name: str, *otherwise: str) -> Remedy:
    """Where the settings have a name that nothing has, and what they mean may be there under another one.

    ``otherwise``: the task that makes it; nothing where there is no ``name``.
    """
    words = f"correct {setting} in the settings, if they mean {name}"
    if not name:
        return NOTHING
    return remedy(words, invoke(*otherwise, lead="; else: ")) if otherwise else remedy(words)


def lacking(
    facts: Facts, role: Identifier, held: frozenset[Grant] | None, wanted: tuple[Grant, ...]
) -> list[str]:
    """The wanted grants that a role has neither itself, nor by a role granted to it, nor as everybody has.

    Source: https://docs.snowflake.com/en/user-guide/security-access-control-overview
    """
    if not missing_grants(held, wanted):
        return []
    everybodys = facts.grants_to(Identifier("PUBLIC")) or frozenset()
    return missing_grants((facts.reach_of(role) or frozenset()) | everybodys, wanted)


def unless_without_integration(facts: Facts) -> None:
    """Skips what is of a role that Snowflake assumes, where it assumes none."""
    if facts.settings.snowflake.without_integration:
        pytest.skip("the stage has no storage integration: by which keys it reads, nobody can look at")


def there(found: T | None, what: str, asserted_by: str) -> T:
    """``found``, or Absent naming the one check that asserts its existence."""
    if found is None:
        raise Absent(what, asserted_by=asserted_by)
    return found


def unless_the_settings_are_wrong(facts: Facts, serves: Callable[[Settings], bool]) -> None:
    """Raises Absent where what is there serves the folders that integration and stages agree on instead."""
    with suppress(CannotTell):
        made = facts.as_it_is_made
        if made.streams != facts.settings.streams and serves(made):
            raise Absent("A stage on that folder", asserted_by="step4.stage-is-on-the-folder")


def pytest_generate_tests(metafunc: Any) -> None:
    if "stream" in metafunc.fixturenames:
        streams = _facts(metafunc.config).settings.streams
        metafunc.parametrize("stream", streams, ids=[stream.name for stream in streams])


def _facts(config: Any) -> Facts:
    found: Facts | None = getattr(config, "runbook_facts", None)
    if found is None:
        raise pytest.UsageError("the checks are run by `invoke verify`, which brings the facts")
    return found


@pytest.fixture(scope="session")
def facts(request: pytest.FixtureRequest) -> Facts:
    return _facts(request.config)


@pytest.fixture(scope="session")
def settings(facts: Facts) -> Settings:
    return facts.settings


def unless_the_bucket_lets_it_read(facts: Facts) -> None:
    """Skips where others' role holds no policy, and Snowflake reads: the bucket's own policy allows it.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
    """
    if not facts.settings.is_ours and facts.role and facts.policy is None and facts.snowflake_reads:
        pytest.skip("the role holds no policy: the bucket's own lets it read")


@given
def policy(facts: Facts) -> Policy:
    unless_without_integration(facts)
    unless_the_bucket_lets_it_read(facts)
    return there(facts.policy, "The policy", "step1.policy-exists")


@given
def role(facts: Facts) -> Role:
    unless_without_integration(facts)
    return there(facts.role, "The role", "step1.role-exists")


@given
def role_policies(facts: Facts, role: Role) -> RolePolicies:
    return facts.role_policies


@given
def copy_statement(pipe: Pipe, stream: Stream) -> CopyStatement:
    return read(pipe.definition, stream.pipe.database, stream.pipe.schema)


@given
def wanted_copy(settings: Settings, stream: Stream) -> CopyStatement:
    """What the COPY must say: sql/step4_snowflake's, or what it said when it was discovered."""
    return read(pipe_definition(settings, stream), stream.pipe.database, stream.pipe.schema)


@given
def bucket(facts: Facts, stream: Stream) -> Bucket:
    """The bucket that the stream's files lie in."""
    return there(facts.bucket_named(stream.bucket), "The bucket", "step1.bucket-exists")


@given
def buckets(facts: Facts) -> dict[str, Bucket]:
    """The streams' buckets that are there, by name."""
    found = {name: bucket for name, bucket in facts.buckets.items() if bucket}
    return there(found or None, "The bucket", "step1.bucket-exists")


def alone_or_named(settings: Settings, values: Mapping[str, str | None]) -> str | None:
    """Something of each bucket, by its name; where the streams have one bucket, without the name."""
    if len(settings.buckets) == 1:
        return values.get(settings.buckets[0].name)
    return "; ".join(f"{name}: {value}" for name, value in values.items() if value)


def by_bucket_policies(
    settings: Settings,
    texts: Mapping[str, Document],
    actions: tuple[str, ...] = NEEDED,
    files: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> list[Refusal]:
    """The statements of the buckets' own policies that deny what loading needs of them, or may.

    ``files``: those that are read beside what any file may be called, by bucket.
    """
    alone = len(settings.buckets) == 1
    return [
        row
        for name, text in texts.items()
        for row in refusals(
            "bucket policy" if alone else f"policy of the bucket {name}",
            text,
            settings,
            actions,
            settings.aws.bucket_named(name),
            files,
        )
    ]


@given
def integration(facts: Facts) -> StorageIntegration:
    unless_without_integration(facts)
    return there(facts.integration, "The integration", "step2.integration-exists")


@given
def snowflakes_user(facts: Facts) -> SnowflakesUser:
    unless_without_integration(facts)
    return there(facts.snowflakes_user, "The integration", "step2.integration-exists")


@given
def loader_grants_held(facts: Facts) -> frozenset[Grant]:
    held = facts.grants_to if facts.settings.is_ours else facts.reach_of
    return there(held(facts.settings.snowflake.loader_role), "The loader role", "step2.roles-exist")


@given
def operator_grants_held(facts: Facts) -> frozenset[Grant]:
    held = facts.grants_to if facts.settings.is_ours else facts.reach_of
    return there(held(facts.settings.snowflake.operator_role), "The operator role", "step2.roles-exist")


@given
def file_format(facts: Facts, stream: Stream) -> FileFormat:
    if not stream.names_a_format:
        pytest.skip(OWN_OPTIONS)
    return there(facts.file_format(stream), "The file format", "step4.file-format-exists")


@given
def table(facts: Facts, stream: Stream) -> Table:
    return there(facts.table(stream), "The table", "step4.table-exists")


@given
def stage(facts: Facts, stream: Stream) -> Stage:
    return there(facts.stage(stream), "The stage", "step4.stage-exists")


@given
def pipe(facts: Facts, stream: Stream) -> Pipe:
    return there(facts.pipe(stream), "The pipe", "step4.pipe-exists")


@given
def channel(facts: Facts, stream: Stream) -> str:
    return there(facts.channel(stream), "The pipe", "step4.pipe-exists")


NO_TOPIC = "its events go straight to the pipe's queue"


def goes_past_the_topic(facts: Facts, stream: Stream) -> bool:
    """Whether the settings name a topic, and rules tell a queue of the pipe's own of every new file."""
    with suppress(RunbookError):
        channel, found = facts.channel(stream), facts.notifications_of(stream.bucket)
        if stream.sns_topic and channel and not is_topic(channel) and found:
            return silent_events([rule for rule in found.rules if rule.target == channel], stream) == []
    return False


@contextmanager
def unless_past_the_topic(facts: Facts, stream: Stream) -> Iterator[None]:
    """What is asserted inside in vain of a topic that nothing goes through, another check tells of."""
    try:
        yield
    except AssertionError:
        if goes_past_the_topic(facts, stream):
            raise Absent("A topic on the way", asserted_by="step5.topic-reaches-the-pipes-queue") from None
        raise


@given
def topic(facts: Facts, stream: Stream) -> Topic:
    if not stream.sns_topic:
        pytest.skip(NO_TOPIC)
    return there(facts.topic(stream.sns_topic), "The topic", "step3.topic-exists")


@given
def pipe_status(facts: Facts, stream: Stream, pipe: Pipe) -> PipeStatus:
    return there(facts.pipe_status(stream), "The pipe", "step4.pipe-exists")


@given
def pause(facts: Facts, stream: Stream, pipe: Pipe) -> Pause:
    return there(facts.pause(stream), "The pipe", "step4.pipe-exists")


@given
def notifications(facts: Facts, bucket: Bucket, stream: Stream) -> BucketNotifications:
    return there(facts.notifications_of(stream.bucket), "The bucket", "step1.bucket-exists")


@given
def listing(facts: Facts, stream: Stream, stage: Stage) -> Listing:
    return there(facts.listing(stream), "The stage", "step4.stage-exists")


@given
def ledgers() -> dict[str, Ledger]:
    """Each stream's files are judged once a run."""
    return {}


@given
def ledger(
    facts: Facts, stream: Stream, listing: Listing, table: Table, pipe: Pipe, ledgers: dict[str, Ledger]
) -> Ledger:
    if stream.name not in ledgers:
        files = () if listing.error else listing.files
        ledgers[stream.name] = Ledger(evidence(facts, stream), files)
    return ledgers[stream.name]
