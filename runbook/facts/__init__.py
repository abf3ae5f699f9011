"""What is there, on both clouds: each fact read once a run, independent ones side by side.

A fact is a frozen value; ``None`` where the thing is absent; and asking for one that could not
be read raises :class:`~runbook.errors.CannotTell` with the reason.

Longer than 400 lines: a property for each fact.
"""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from contextlib import suppress
from copy import copy
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from runbook.clouds.failures import SqlFailed
from runbook.clouds.reader import Reader
from runbook.errors import Blocked, CannotTell, RunbookError
from runbook.facts import aws, history, objects, snowflake, views
from runbook.facts import topic as topics
from runbook.facts.glimpse import Glimpse, glimpses
from runbook.facts.handoff import FromSnowflake, Handoff, fitting
from runbook.facts.left_over import left_over, read_now
from runbook.facts.neighbours import Neighbour, neighbours, stages_on_the_integration
from runbook.facts.other_pipes import OtherPipe, other_pipes
from runbook.facts.rights import GRANT_OPTION, GRANTS_EVERYTHING, held_by, inherits, is_inherited
from runbook.policies.documents import Document
from runbook.policies.held import (
    Key,
    Policy,
    Role,
    RolePolicies,
    SnowflakesUser,
    ids_asked_for,
    principals_of,
)
from runbook.settings import Identifier, QualifiedName, Settings, Stream
from runbook.wanted.grants import Grant
from runbook.wanted.rules import BucketNotifications
from runbook.wanted.views import View, wanted

T = TypeVar("T")

WIDTH = 48  # reads under way at once: what is independent is asked in one round trip
A_STREAM = 8  # that many more for each stream
MOST = 128


class Facts:
    """The facts of one moment. Another is made to observe again; reading one never changes anything."""

    def __init__(
        self,
        reader: Reader,
        *,
        adopt: bool = False,
        listing: Callable[[Reader, Stream], objects.Listing | None] = snowflake.listing,
    ) -> None:
        self.reader = reader
        self._listing = listing  # whoever looks often reads only the end of a folder
        self.settings: Settings = reader.settings
        self.adopt = adopt
        self._found: dict[Hashable, Future[Any]] = {}
        self._lock = threading.Lock()

    def afresh(self) -> "Facts":
        """The same questions, asked again."""
        return Facts(self.reader, adopt=self.adopt, listing=self._listing)

    def adopting(self) -> "Facts":
        """The same facts, for a plan that may take over what somebody else made."""
        found = copy(self)
        found.adopt = True
        return found

    @property
    def role(self) -> Role | None:
        """The role Snowflake assumes."""
        return self._once("role", lambda: aws.role(self.reader))

    @property
    def policy(self) -> Policy | None:
        """The role's permissions policy; all that a role of others holds, as one."""
        if not self.settings.is_ours:
            return self._once("policy", lambda: aws.held_policy(self.role, self.role_policies))
        return self._once("policy", lambda: aws.policy(self.reader))

    def bucket_named(self, name: str) -> aws.Bucket | None:
        """A bucket."""
        return self._once(self._of("bucket", name), lambda: aws.bucket(self.reader, name))

    @property
    def buckets(self) -> dict[str, aws.Bucket | None]:
        """The buckets that the streams' files lie in, by name."""
        return {each.name: self.bucket_named(each.name) for each in self.settings.buckets}

    def notifications_of(self, bucket: str) -> BucketNotifications | None:
        """A bucket's event notifications."""
        return self._once(
            self._of("notifications", bucket), lambda: aws.bucket_notifications(self.reader, bucket)
        )

    def _of(self, what: str, bucket: str) -> Hashable:
        return what if bucket == self.settings.aws.bucket else (what, bucket)

    @property
    def role_policies(self) -> RolePolicies:
        """What the role has beside our policy."""
        return self._once("role_policies", lambda: aws.role_policies(self.reader, lambda: self.role))

    def bucket_policy(self, bucket: str) -> Document:
        """A bucket's own policy."""
        return self._once(self._of("bucket_policy", bucket), lambda: aws.bucket_policy(self.reader, bucket))

    def bucket_key(self, bucket: str) -> str | None:
        """The customer managed key new files are encrypted with; None also where there is no bucket."""
        try:
            return self._once(self._of("bucket_key", bucket), lambda: aws.bucket_key(self.reader, bucket))
        except CannotTell:
            with suppress(CannotTell):  # then the bucket itself is told of
                if self.bucket_named(bucket) is None:
                    return None
            raise

    def bucket_key_arn(self, bucket: str) -> str | None:
        """The ARN of the key new files are encrypted with, however the bucket names it: alias, id or ARN."""
        name = self.bucket_key(bucket)
        if name is None or ":key/" in name:
            return name
        return self._once(self._of("bucket_key_arn", bucket), lambda: aws.key_arn(self.reader, name))

    def key(self, bucket: str) -> Key | None:
        """The key the settings name for a bucket, or else the bucket's; None without one that exists."""

        def read() -> Key | None:
            name = self.settings.aws.bucket_named(bucket).kms_key_arn or self.bucket_key(bucket)
            return aws.key(self.reader, name) if name else None

        return self._once(self._of("key", bucket), read)

    def is_granted_the_key(self, bucket: str) -> bool:
        """Whether a grant of the bucket's key lets the role decrypt; no where nobody may say."""

        def read() -> bool:
            key = self.key(bucket)
            role = self.settings.aws.role_arn
            return key is not None and aws.grants_decrypt(self.reader, key.arn, role)

        return self._once(self._of("key_grants", bucket), read)

    @property
    def other_pipes(self) -> tuple[OtherPipe, ...]:
        """The account's pipes that are not ours."""
        return self._once("other_pipes", lambda: other_pipes(self.reader))

    @property
    def left_over(self) -> tuple[Stream, ...]:
        """What is this installation's in its schema and not in the settings."""

        def find() -> tuple[Stream, ...]:
            self.reader.sign_in_to_snowflake()
            pipes = self._once("pipes", lambda: snowflake.pipes(self.reader))
            stages = self._once("stages", lambda: snowflake.stages(self.reader))
            return left_over(self.settings, pipes, stages)

        return self._once("left_over", find)

    @property
    def read_now(self) -> dict[str, str]:
        """The URL that each pipe of ours reads, by the pipe's name."""
        return self._once("read_now", lambda: read_now(self))

    @property
    def neighbours(self) -> tuple[Neighbour, ...]:
        """The account's pipes that are not this installation's: where they read, and their queues."""
        return self._once("neighbours", lambda: neighbours(self))

    @property
    def stages_on_the_integration(self) -> dict[str, str]:
        """The URLs of the account's stages on the integration that the settings do not name, by name."""
        return self._once("stages_on_it", lambda: stages_on_the_integration(self))

    @property
    def others_on_the_integration(self) -> list[str]:
        """Those of them that are not in this installation's schema, or do not carry our mark."""
        ours = {stream.stage.sql for stream in self.left_over}
        return sorted(self.stages_on_the_integration.keys() - ours)

    @property
    def other_external_ids(self) -> frozenset[str]:
        """The external IDs of the other integrations that stages under our pipes are on."""

        def find() -> frozenset[str]:
            self.reader.sign_in_to_snowflake()
            used = {stream.stage for stream in (*self.settings.streams, *self.left_over)}
            names = {there.integration for name in used if (there := self._stages(name).get(name.name))}
            others = sorted(name for name in names if name and name != self.settings.snowflake.integration)
            return frozenset(snowflake.external_id(self.reader, Identifier(name)) for name in others) - {""}

        return self._once("other_external_ids", find)

    @property
    def idle_external_ids(self) -> tuple[str, ...]:
        """The external IDs in our trust statement that no integration has; none where nobody here can see it.

        One Snowflake user serves all integrations of an account, and no other account's: where the statement
        lets in that user alone, an ID that none of its integrations has lets nobody in.
        Source: https://docs.snowflake.com/en/user-guide/data-load-s3-config-storage-integration
        """
        have, user = self.role.own_statement if self.role else None, self.snowflakes_user
        if have is None or user is None or principals_of(have) != [user.iam_user_arn]:
            return ()
        beside = sorted(one for one in ids_asked_for(have) - {user.external_id, "*"} if " " not in one)

        def find() -> tuple[str, ...]:
            self.reader.sign_in_to_snowflake()
            known = snowflake.every_external_id(self.reader)
            return () if known is None else tuple(one for one in beside if one not in known)

        with suppress(CannotTell):
            return self._once("idle_external_ids", find) if beside else ()
        return ()

    def beside(self, stream: Stream) -> tuple[str, ...]:
        """The folders beside the stream's that are not a stream's; none where we may not look."""

        def read() -> tuple[str, ...]:
            with suppress(CannotTell):
                return aws.folders_beside(self.reader, stream)
            return ()

        return self._once(("beside", stream.name), read)

    @property
    def now(self) -> datetime:
        """Snowflake's time."""
        return self._once("now", lambda: snowflake.now(self.reader))

    @property
    def integration(self) -> objects.StorageIntegration | None:
        """The storage integration."""
        if self.settings.snowflake.without_integration:
            return None
        return self._once("integration", lambda: snowflake.integration(self.reader))

    def other_owner(self, kind: str, name: str, role: Identifier) -> str:
        """The role that owns an object, where ``role`` is surely not above it; else empty."""

        def read() -> str:
            with suppress(CannotTell, SqlFailed):
                owner = snowflake.owner(self.reader, kind, name)
                return "" if not owner or inherits(self.reader, role, owner) else owner
            return ""

        return self._once(("other owner", kind, name), read)

    def operators(self, stream: Stream) -> frozenset[str]:
        """The roles that OPERATE on the stream's pipe was granted to."""
        return self._once(
            ("operators", stream.name), lambda: snowflake.operators(self.reader, stream.pipe.sql)
        )

    def may_hand_on(self, grant: Grant, role: Identifier) -> bool:
        """Whether ``role`` may grant this though another role owns the object.

        With the grant option, with MANAGE GRANTS, or where the schema grants for the owners of what is in it.
        Source: https://docs.snowflake.com/en/user-guide/security-access-control-configure
        """
        held = self._once(("held by", role), lambda: held_by(self.reader, role))
        return (
            role in GRANTS_EVERYTHING
            or "MANAGE GRANTS on account" in held
            or f"{grant.privilege} on {grant.on.lower()} {grant.name} {GRANT_OPTION}" in held
            or self._once("schema is managed", lambda: snowflake.schema_is_managed(self.reader))
        )

    @property
    def handoff(self) -> Handoff | None:
        """What the other administrator has handed over; None where nothing is, or nobody does."""
        return self._once("handoff", lambda: fitting(self.reader))

    @property
    def snowflakes_user(self) -> SnowflakesUser | None:
        """Whom the trust policy trusts: as the integration says, or as it was handed over."""

        def look() -> SnowflakesUser | None:
            return self.integration

        def tell(told: FromSnowflake) -> SnowflakesUser:
            return told

        return self._looked_or_told(look, tell, "Snowflake's user and external ID", by_step=2)

    def topic(self, arn: str) -> topics.Topic | None:
        """An SNS topic the streams' events go through."""
        return self._once(("topic", arn), lambda: topics.topic(self.reader, arn))

    def topic_key(self, topic: topics.Topic) -> Key | None:
        """An encrypted topic's key, in the state "missing" where our account has none of that name.

        None: it is not encrypted, or only its owner can tell. A bare name is of the topic's own place.
        """
        if not topic.key or "alias/aws/" in topic.key:
            return None
        _, partition, _, region, account, _ = topic.arn.split(":", 5)
        name = aws.key_of(topic.key, partition, region, account)

        def read() -> Key | None:
            with suppress(CannotTell):  # the topic's owner may look; others learn it where events stay away
                found = aws.key(self.reader, name)
                is_ours = name.split(":")[4] == self.settings.aws.account_id
                return found or (Key(name, "missing", {}) if is_ours else None)
            return None

        return self._once(("topic key", topic.arn), read)

    def channel(self, stream: Stream) -> str | None:
        """The queue of the stream's pipe, or as it was handed over; empty for a pipe without one."""

        def look() -> str | None:
            pipe = self.pipe(stream)
            return (pipe.notification_channel or "") if pipe else None

        what = f"The queue of the pipe {stream.pipe}"
        return self._looked_or_told(
            look, lambda told: told.notification_channels.get(stream.name), what, by_step=4
        )

    @property
    def entry(self) -> objects.Entry | None:
        """Whether Snowflake gets into the bucket."""
        if self.settings.snowflake.without_integration:
            return None
        return self._once("entry", lambda: snowflake.entry(self.reader))

    @property
    def reading(self) -> objects.Entry | None:
        """Whether Snowflake may read the newest file of each stream; None where that is not known."""

        def read() -> objects.Entry | None:
            have = self.integration
            allowed = [stream for stream in self.settings.streams if have and have.allows(stream.url)]
            newest = [(stream, _newest(self.listing(stream))) for stream in allowed]
            files = [(stream, key) for stream, key in newest if key]
            return snowflake.reading(self.reader, files)

        return self._once("reading", read)

    @property
    def snowflake_reads(self) -> bool:
        """Whether Snowflake lists every stream's folder and reads a file of each: then it has access."""
        with suppress(RunbookError):
            entry, reading = self.entry, self.reading
            every = all(_newest(self.listing(stream)) for stream in self.settings.streams)
            return bool(every and entry and entry.succeeded and reading and reading.succeeded)
        return False

    @property
    def snowflake_decrypts(self) -> bool:
        """Whether what Snowflake reads shows that it may use the buckets' keys.

        A file that came before the key was set says nothing of it: the newest must be encrypted with it.
        """

        def read() -> bool:
            keys = {each.name: key.arn for each in self.settings.buckets if (key := self.key(each.name))}
            newest = {
                stream.bucket: file
                for stream in self.settings.streams
                if stream.bucket in keys and (file := _newest(self.listing(stream)))
            }
            return newest.keys() == keys.keys() and all(
                aws.key_of_file(self.reader, bucket, file) == keys[bucket] for bucket, file in newest.items()
            )

        with suppress(RunbookError):
            return self.snowflake_reads and self._once("decrypting", read)
        return False

    @property
    def unread_files(self) -> dict[str, tuple[str, ...]]:
        """The streams' newest files by bucket, where Snowflake may list and not read; else nothing.

        Nobody is asked for it alone: what is of AWS is judged without Snowflake, too.
        """
        found: dict[str, tuple[str, ...]] = {}
        with suppress(RunbookError):
            if self._was_asked("reading") and (reading := self.reading) and not reading.succeeded:
                for stream in self.settings.streams:
                    if key := _newest(self.listing(stream)):
                        found[stream.bucket] = (*found.get(stream.bucket, ()), key)
        return found

    @property
    def refusal(self) -> str:
        """What Snowflake says where it may not list or not read; empty where it may, or nobody can tell."""
        for answer in (self.entry, self.reading):
            if answer and not answer.succeeded:
                return answer.message
        return ""

    @property
    def roles(self) -> frozenset[str]:
        """The account's roles."""
        return self._once("roles", lambda: snowflake.roles(self.reader))

    @property
    def schema_exists(self) -> bool:
        """Whether the schema is there."""
        return self._once("schema", lambda: snowflake.schema_exists(self.reader))

    def grants_to(self, role: Identifier) -> frozenset[Grant] | None:
        """What a role holds."""
        return self._once(("grants", role), lambda: snowflake.grants_to(self.reader, role))

    def reach_of(self, role: Identifier) -> frozenset[Grant] | None:
        """What a role holds, itself or through the roles granted to it."""
        held = self.grants_to(role)
        return None if held is None else held.union(*map(self._reach_through, sorted(held)))

    def _reach_through(self, grant: Grant) -> frozenset[Grant]:
        """What a grant of a role hands on: nothing, where it is a grant of something else."""
        if not is_inherited(grant.on.lower(), grant.privilege, grant.name):
            return frozenset()
        if grant.on == "ROLE":
            return self.reach_of(Identifier(grant.name)) or frozenset()
        key = ("grants", grant.on, grant.name)
        held = self._once(key, lambda: snowflake.grants_to_database_role(self.reader, grant.name))
        return held.union(*map(self._reach_through, sorted(held)))

    def file_format(self, stream: Stream) -> objects.FileFormat | None:
        """The stream's file format."""
        key = ("format", stream.file_format)
        return self._once(key, lambda: snowflake.file_format(self.reader, stream))

    def table(self, stream: Stream) -> objects.Table | None:
        """The stream's table; a view that took its name is none."""

        def read() -> objects.Table | None:
            found = snowflake.table(self.reader, stream)
            if found is None or self._is_granted_as_a_table(stream):
                return found
            return found if snowflake.is_a_table(self.reader, stream) else None

        return self._once(("table", stream.name), read)

    def is_a_view(self, stream: Stream) -> bool:
        """Whether something that is not a table has the table's name."""
        with suppress(CannotTell):
            return self.table(stream) is None and snowflake.table(self.reader, stream) is not None
        return False

    def _is_granted_as_a_table(self, stream: Stream) -> bool:
        """Whether INSERT is granted on it: a view takes none."""
        with suppress(CannotTell):
            held = self.grants_to(self.settings.snowflake.loader_role) or ()
            return Grant("INSERT", "TABLE", stream.table.sql) in held
        return False

    def stage(self, stream: Stream) -> objects.Stage | None:
        """The stream's stage."""
        found = self._stages(stream.stage).get(stream.stage.name)
        what, privilege = f"The stage {stream.stage}", f"USAGE on stage {stream.stage}"
        return snowflake.seen(found, self.reader, what, "owner", privilege, stream.stage)

    def _stages(self, near: QualifiedName) -> dict[str, objects.Stage]:
        """The stages by name of the schema that holds ``near``: nearly always our own."""
        schema = _schema(near)
        if schema == self.settings.schema_sql:
            return self._once("stages", lambda: snowflake.stages(self.reader))
        return self._once(("stages", schema), lambda: snowflake.stages(self.reader, schema))

    @property
    def as_it_is_made(self) -> Settings:
        """The settings, with the folders that integration and stages are made for where they agree on others.

        Then it is the settings that are wrong, and what fails for their folders follows from that.
        """
        integration = self.integration
        if integration is None:
            return self.settings
        streams = []
        for stream in self.settings.streams:
            stage = self.stage(stream)
            url, root = stage.url if stage else "", stream.url.removesuffix(stream.prefix)
            other = url.startswith(root) and url.endswith("/")
            if other and integration.allows(url) and not integration.allows(stream.url):
                streams.append(replace(stream, prefix=url.removeprefix(root), url=url))
            else:
                streams.append(stream)
        return self.settings.model_copy(update={"streams": tuple(streams)})

    def pipe(self, stream: Stream) -> objects.Pipe | None:
        """The stream's pipe."""
        found = self._pipes(stream.pipe).get(stream.pipe.name)
        what, privilege = f"The pipe {stream.pipe}", f"MONITOR on pipe {stream.pipe}"
        return snowflake.seen(found, self.reader, what, "owner", privilege, stream.pipe)

    def _pipes(self, near: QualifiedName) -> dict[str, objects.Pipe]:
        """The pipes by name of the schema that holds ``near``."""
        schema = _schema(near)
        if schema == self.settings.schema_sql:
            return self._once("pipes", lambda: snowflake.pipes(self.reader))
        return self._once(("pipes", schema), lambda: snowflake.pipes(self.reader, schema))

    def pipe_status(self, stream: Stream) -> objects.PipeStatus | None:
        """What the stream's pipe says of itself."""
        return self._once(("status", stream.name), lambda: snowflake.pipe_status(self.reader, stream.pipe))

    def pause(self, stream: Stream) -> objects.Pause | None:
        """Whether and where the stream's pipe is paused."""
        return self._once(("pause", stream.name), lambda: snowflake.pause(self.reader, stream))

    def listing(self, stream: Stream) -> objects.Listing | None:
        """The files under the stream's stage."""
        return self._once(("listing", stream.name), lambda: self._listing(self.reader, stream))

    def loads(self, stream: Stream) -> tuple[objects.Load, ...] | None:
        """The last 14 days of loads into the stream's table."""
        return self._once(("loads", stream.name), lambda: snowflake.loads(self.reader, stream))

    def loads_since(self, stream: Stream, since: datetime) -> tuple[objects.Load, ...] | None:
        """The loads into the stream's table since then; not more than 14 days ago."""
        key = ("loads", stream.name, since)
        return self._once(key, lambda: snowflake.loads(self.reader, stream, since=since))

    def account_loads(self, stream: Stream) -> tuple[objects.Load, ...] | None:
        """A year of loads into tables of that name; None when ACCOUNT_USAGE may not be read."""
        return self._once(("account", stream.name), lambda: history.account_loads(self.reader, stream))

    def same_rows(self, stream: Stream) -> tuple[history.SameRows, ...]:
        """The files of the last days that brought the same rows as another one."""

        def read() -> tuple[history.SameRows, ...]:
            table = self.table(stream)
            since = self.now - timedelta(days=snowflake.LOAD_HISTORY_DAYS)
            return history.same_rows(self.reader, stream, table.names, since) if table else ()

        return self._once(("same", stream.name), read)

    def glimpses(self, stream: Stream) -> tuple[Glimpse, ...]:
        """What the stream's newest files begin with."""

        def read() -> tuple[Glimpse, ...]:
            listing = self.listing(stream)
            if not listing or listing.error:
                return ()
            rows = self.reader.kept(
                ("glimpses", stream.name),
                lambda: [(one.key, one.wrong, one.older) for one in glimpses(self.reader, stream, listing)],
            )
            return tuple(Glimpse(*row) for row in rows)

        return self._once(("glimpses", stream.name), read)

    def table_rows(self, stream: Stream) -> history.TableRows | None:
        """The rows of the stream's table, by file; read after its load history, so that none is missed."""

        def read() -> history.TableRows | None:
            table, _ = self.table(stream), self.loads(stream)
            return history.table_rows(self.reader, stream, table.names) if table else None

        return self._once(("rows", stream.name), read)

    def view(self, view: View) -> views.Present | None:
        """What has the view's name."""
        schema, name = view.schema, view.name
        found = self._once(("objects", schema), lambda: views.present(self.reader, schema)).get(name.name)
        return snowflake.seen(found, self.reader, f"The view {name}", "owner", f"SELECT on view {name}")

    def view_columns(self, view: View) -> tuple[str, ...]:
        """The columns that the view has now."""
        return self._once(("view columns", view.name.sql), lambda: views.column_names(self.reader, view))

    def view_schema_exists(self, view: View) -> bool:
        """Whether the view's schema is there."""
        return self._once(("schema", view.schema), lambda: views.schema_is_there(self.reader, view))

    @property
    def _lately(self) -> datetime:
        return self.now - timedelta(days=snowflake.LOAD_HISTORY_DAYS)

    def event_schemas(self, stream: Stream) -> dict[str, dict[str, views.Found]]:
        """The schemas in the stream's events of the last days."""
        return self._once(
            ("event schemas", stream.name), lambda: views.schemas(self.reader, stream, self._lately)
        )

    def lost_values(self, stream: Stream) -> tuple[views.Found, ...]:
        """The columns with text of the last days that is not of its type."""
        return self._once(("lost", stream.name), lambda: views.lost(self.reader, stream, self._lately))

    def broken_json(self, stream: Stream) -> tuple[views.Found, ...]:
        """The JSON columns with text of the last days that is not JSON."""
        return self._once(("broken", stream.name), lambda: views.broken(self.reader, stream, self._lately))

    def repeated_ids(self, stream: Stream) -> tuple[views.Again, ...]:
        """Events of the last days whose id came in several files."""
        return self._once(
            ("repeated", stream.name), lambda: views.repeated(self.reader, stream, self._lately)
        )

    def look(
        self, *, delivery: bool = True, deep: bool = False, steps: tuple[int, ...] = (1, 2, 3, 4, 5)
    ) -> None:
        """Read side by side what the steps and checks will ask, so nobody waits for the other.

        ``delivery`` also lists the files; ``deep`` also reads the load history, which needs a
        warehouse. Reads only; what cannot be read shows when it is asked for.
        """
        width = min(WIDTH + A_STREAM * len(self.settings.streams), MOST)
        with self.reader.side_by_side(width) as pool:
            for question in self._questions(delivery=delivery, deep=deep, steps=steps):
                pool.submit(_unless_it_fails, question)

    def _questions(self, *, delivery: bool, deep: bool, steps: tuple[int, ...]) -> list[Callable[[], object]]:
        nouns = {
            1: ("role", "policy", "role_policies"),
            2: ("integration", "roles"),
            3: ("role", "integration", "entry", "reading"),
            4: ("schema_exists", "integration", "other_pipes"),
        }
        of_buckets: dict[int, tuple[Callable[[str], object], ...]] = {
            1: (self.bucket_named, self.bucket_policy, self.bucket_key, self.key),
            5: (self.bucket_named, self.notifications_of),
        }
        asked = dict.fromkeys(noun for step in steps for noun in nouns.get(step, ()))
        questions: list[Callable[[], object]] = [partial(getattr, self, noun) for noun in asked]
        questions += [
            partial(ask, bucket.name)
            for step in steps
            for ask in of_buckets.get(step, ())
            for bucket in self.settings.buckets
        ]
        if {3, 5} & set(steps):
            questions += [partial(self.topic, arn) for arn in self.settings.topics]
        if {2, 4} & set(steps):
            questions += [partial(self.grants_to, role) for role in _roles(self.settings)]
        per_stream: list[Callable[[Stream], object]] = []
        if 4 in steps:
            per_stream += [self.file_format, self.table, self.stage, self.pipe, self.pipe_status, self.pause]
        elif 5 in steps:
            per_stream += [self.pipe]
        if delivery:
            questions.append(partial(getattr, self, "now"))
            per_stream += [self.listing]
        if delivery and self.settings.is_ours and {1, 5} <= set(steps):
            per_stream += [self.glimpses]
        if deep:
            per_stream += [self.loads, self.account_loads, self.table_rows, self.same_rows]
        questions += [partial(ask, stream) for stream in self.settings.streams for ask in per_stream]
        if 4 in steps:
            questions += [partial(self.view, view) for view in wanted(self.settings)]
        if deep and self.settings.views.enabled:
            over_rows = (self.event_schemas, self.lost_values, self.broken_json, self.repeated_ids)
            enriched = [stream for stream in self.settings.viewed if stream.kind == "enriched"]
            questions += [partial(ask, stream) for stream in enriched for ask in over_rows]
        return questions

    def _looked_or_told(
        self,
        look: Callable[[], T | None],
        tell: Callable[[FromSnowflake], T | None],
        what: str,
        *,
        by_step: int,
    ) -> T | None:
        """What we see; where we may not look, what Snowflake's administrator handed over.

        Raises CannotTell where nothing is handed over at all, Blocked where it is not there yet.
        """
        try:
            return look()
        except CannotTell as error:
            if error.unreachable or not self.settings.handoff:
                raise
        found = self.handoff
        told = tell(found.snowflake) if found and found.snowflake else None
        if told is None:
            raise Blocked(
                f"{what} cannot be read here, and is not in the handoff {self.settings.handoff}",
                by_step=by_step,
                remedy=f"Snowflake's administrator runs `invoke step{by_step}-snowflake handoff`",
            )
        return told

    def _was_asked(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._found

    def _once(self, key: Hashable, read: Callable[[], T]) -> T:
        with self._lock:
            future = self._found.get(key)
            mine = future is None
            if future is None:
                future = self._found[key] = Future()
        if mine:
            try:
                future.set_result(read())
            except BaseException as error:
                future.set_exception(error)
                if not isinstance(error, Exception):
                    raise
        found: T = future.result()
        return found


def _schema(name: QualifiedName) -> str:
    """The schema a name is in, as a statement writes it."""
    return f"{name.database.sql}.{name.schema.sql}"


def _roles(settings: Settings) -> tuple[Identifier, ...]:
    snowflake = settings.snowflake
    return (snowflake.owner_role, snowflake.loader_role, snowflake.operator_role)


def _newest(listing: objects.Listing | None) -> str:
    """The newest file that holds something, by its key."""
    files = [file for file in listing.files if file.size] if listing else []
    return max(files, key=lambda file: file.modified).key if files else ""


def _unless_it_fails(question: Callable[[], object]) -> None:
    """Ask; the failure is kept with the fact and raised to whoever needs it."""
    with suppress(Exception):
        question()
