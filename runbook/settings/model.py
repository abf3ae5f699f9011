"""The sections of the settings, and everything derived from them, once."""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from runbook.errors import SettingsWrong
from runbook.settings.aws import Aws
from runbook.settings.buckets import S3Bucket, refuse_wrong
from runbook.settings.names import (
    SANDBOX,
    SANDBOX_ACCOUNT,
    SANDBOX_ACCOUNT_ID,
    SANDBOX_BUCKET,
    Identifier,
    QualifiedName,
    digest,
)
from runbook.settings.streams import Stream, StreamSettings, apart, joined
from runbook.settings.values import MADE, VIEWED, Hours, Model, Name, Place, fits_a_tag
from runbook.settings.views import Views
from runbook.settings.watch import Waiver, Watch


class Snowflake(Model):
    """Snowflake's side: where the objects live, and who owns and uses them."""

    connection: str = Field(pattern=r"^[\w.-]+$")
    account: str = Field(pattern=r"^[\w.-]+$")
    database: Name
    schema_name: Name = Field(alias="schema")
    integration: Name
    share_integration: bool = False
    without_integration: bool = False
    """The stages that others made have none: keys are written into them, or the bucket is public."""
    admin_role: Name = Identifier("ACCOUNTADMIN")
    owner_role: Name = Identifier("SYSADMIN")
    loader_role: Name
    operator_role: Name
    file_format_enriched: Name
    file_format_bad_rows: Name
    file_format_json: Name = Identifier("JSON_DOCUMENTS")


class Checks(Model):
    """What ``verify`` calls late."""

    loaded_within_minutes: int = Field(default=15, ge=0)
    files_arrive_within_hours: Hours = None
    ready_within_seconds: int = Field(default=120, ge=1)


class Settings(Model):
    """Everything a command needs to know about one installation."""

    target: str = Field(pattern=r"^[\w.-]+$")
    aws: Aws
    snowflake: Snowflake
    stream_settings: dict[str, StreamSettings] = Field(alias="streams", min_length=1)
    checks: Checks = Checks()
    handoff: Place | None = None
    made_by: Literal["runbook", "others"] = "runbook"
    watch: Watch = Field(default=Watch(), exclude=True)  # whom to tell changes nothing of the installation
    waivers: tuple[Waiver, ...] = Field(default=(), exclude=True)
    views: Views = Field(default=Views(), exclude=True)  # on top of the installation, and not part of it

    @property
    def is_ours(self) -> bool:
        """Whether the steps make and change it; what others made is only watched and loaded."""
        return self.made_by == "runbook"

    @field_validator("stream_settings", mode="before")
    @classmethod
    def _without_removed(cls, value: object) -> object:
        # an environment file drops a default stream by enabled: false; Invoke merges no null into a section
        if isinstance(value, Mapping):
            return {name: stream for name, stream in value.items() if not _is_removed(stream)}
        return value

    @model_validator(mode="after")
    def _streams_apart(self) -> "Settings":
        rows = list(self.stream_settings.items())
        for index, (name, stream) in enumerate(rows):
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise ValueError(f"streams.{name}: a stream's name is lower case letters, digits and _")
            for other_name, other in rows[index + 1 :]:
                apart(name, stream, other_name, other, self.aws.bucket)
        return self

    @model_validator(mode="after")
    def _buckets_fit(self) -> "Settings":
        named = {self._bucket(row) for row in self.stream_settings.values()}
        for name, bucket in self.aws.buckets.items():
            default = self.aws.bucket_named(self.aws.bucket)
            refuse_wrong(name, bucket, default, is_named=name in named)
        return self

    def _bucket(self, row: StreamSettings) -> str:
        return row.bucket or self.aws.bucket

    @cached_property
    def buckets(self) -> tuple[S3Bucket, ...]:
        """The buckets that the streams' files lie in, each once, in the streams' order."""
        names = dict.fromkeys(stream.bucket for stream in self.streams)
        return tuple(map(self.aws.bucket_named, names))

    def in_bucket(self, name: str) -> tuple[Stream, ...]:
        """The streams whose files lie in that bucket."""
        return tuple(stream for stream in self.streams if stream.bucket == name)

    @model_validator(mode="after")
    def _watched_streams_exist(self) -> "Settings":
        for name in self.watch.limits.quiet_hours:
            if name not in self.stream_settings:
                raise ValueError(f"watch.limits.quiet_hours.{name}: there is no stream of that name")
        for number, waiver in enumerate(self.waivers):
            if waiver.stream is not None and waiver.stream not in self.stream_settings:
                raise ValueError(f"waivers.{number}.stream: there is no stream {waiver.stream!r}")
        return self

    @model_validator(mode="after")
    def _views_beside_the_tables(self) -> "Settings":
        if self.views.enabled and not self.is_ours:
            raise ValueError("views.enabled is not for an installation that others made (made_by: others)")
        tables = (self.snowflake.database, self.snowflake.schema_name)
        for key, schema in (
            ("schema", self.views.schema_name),
            ("documented_schema", self.views.documented_schema),
        ):
            if self.views.enabled and (self.views_database, schema) == tables:
                raise ValueError(f"views.{key} is the tables' own schema, {schema}")
        return self

    @property
    def views_database(self) -> Identifier:
        """The database of the typed views."""
        return self.views.database or self.snowflake.database

    def view(self, stream: Stream, *, documented: bool = False) -> QualifiedName:
        """The typed view on a stream's table, or the one with the documented table's columns."""
        views = self.views
        schema = (views.documented_schema if documented else None) or views.schema_name
        name = views.events if stream.kind == "enriched" else views.events_bad
        return QualifiedName(self.views_database, schema, name)

    @property
    def viewed(self) -> tuple[Stream, ...]:
        """The streams with a typed view: the first of each kind."""
        first: dict[str, Stream] = {}
        for stream in self.streams:
            first.setdefault(stream.kind, stream)
        return tuple(stream for kind, stream in first.items() if kind in VIEWED)

    @model_validator(mode="after")
    def _topics_near_the_bucket(self) -> "Settings":
        for name, stream in self.stream_settings.items():
            region = self.aws.bucket_named(self._bucket(stream)).region
            if stream.sns_topic and stream.sns_topic.split(":")[3] != region:
                where = f"aws.region ({region})" if region == self.aws.region else f"the bucket's {region}"
                raise ValueError(
                    f"streams.{name}.sns_topic is not in {where}: "
                    "S3 only notifies topics of the bucket's own region"
                )
        return self

    @model_validator(mode="after")
    def _terraform_knows_no_topics(self) -> "Settings":
        for name, stream in self.stream_settings.items():
            if stream.sns_topic and self.aws.managed_by != "runbook":
                raise ValueError(f"streams.{name}.sns_topic: the Terraform module makes no rules to a topic")
        for name, bucket in self.aws.buckets.items():
            elsewhere = bucket.region not in (None, self.aws.region)
            if elsewhere and self.aws.managed_by == "terraform":
                raise ValueError(
                    f"aws.buckets.{name}.region: the Terraform module makes rules in aws.region alone; with "
                    "aws.managed_by: terraform_without_rules `invoke step5-aws` makes them"
                )
        return self

    def is_terraforms(self, step: int) -> bool:
        """Whether what an AWS step makes is Terraform's: then the step only verifies."""
        terraform = self.aws.managed_by != "runbook"
        return terraform and (step in (1, 3) or (step == 5 and self.aws.managed_by == "terraform"))

    @model_validator(mode="after")
    def _found_where_it_reads(self) -> "Settings":
        for name, row in self.stream_settings.items():
            if row.found is None:
                if row.kind not in MADE:
                    raise ValueError(
                        f"streams.{name}.kind: no step makes a stream of the kind {row.kind}; "
                        "`invoke discover` writes one, of what others made"
                    )
                if self.snowflake.without_integration:
                    raise ValueError("snowflake.without_integration is of what others made (made_by: others)")
                continue
            if self.is_ours:
                raise ValueError(f"streams.{name}.found is of what others made: set made_by: others")
            read = joined(row.found.stage_url, row.found.path)
            url = f"{self.aws.url_scheme}://{self._bucket(row)}/{row.prefix}"
            if url not in (read, f"{read}/"):
                raise ValueError(f"streams.{name}.prefix is not what the pipe reads, {read}")
        return self

    @property
    def topics(self) -> dict[str, tuple[Stream, ...]]:
        """The SNS topics that take the streams' events, each with its streams."""
        found: dict[str, tuple[Stream, ...]] = {}
        for stream in self.streams:
            if stream.sns_topic:
                found[stream.sns_topic] = (*found.get(stream.sns_topic, ()), stream)
        return found

    @model_validator(mode="after")
    def _a_shared_integration_shares_its_role(self) -> "Settings":
        if self.snowflake.share_integration and not self.aws.share_role:
            raise ValueError("snowflake.share_integration also needs aws.share_role: it names one role")
        return self

    @model_validator(mode="after")
    def _live_is_not_the_sandbox(self) -> "Settings":
        if self.is_sandbox:
            return self
        if self.aws.account_id == SANDBOX_ACCOUNT_ID:
            raise ValueError("aws.account_id is still the sandbox's; a live target pins its own")
        if self.aws.bucket == SANDBOX_BUCKET:
            raise ValueError("aws.bucket is still the sandbox's; a live target names its own")
        for name, stream in self.stream_settings.items():
            if stream.bucket == SANDBOX_BUCKET:
                raise ValueError(f"streams.{name}.bucket is the sandbox's; a live target names its own")
        if self.snowflake.account.upper() == SANDBOX_ACCOUNT or self.snowflake.connection == SANDBOX:
            raise ValueError("snowflake.account and snowflake.connection are still the sandbox's")
        return self

    @property
    def is_sandbox(self) -> bool:
        """Whether this is the local stand-in."""
        return self.target == SANDBOX

    @cached_property
    def streams(self) -> tuple[Stream, ...]:
        """The streams, in the order they are written."""
        return tuple(self._stream(name, row) for name, row in self.stream_settings.items())

    def those(self, name: str | None) -> tuple[Stream, ...]:
        """The stream of that name, or all; raises SettingsWrong when there is none."""
        return self.streams if name is None else (self.stream(name),)

    def stream(self, name: str) -> Stream:
        """The stream of that name; raises SettingsWrong when there is none."""
        for stream in self.streams:
            if stream.name == name:
                return stream
        known = ", ".join(stream.name for stream in self.streams)
        raise SettingsWrong(
            f"There is no stream {name!r}",
            where=self.target,
            why=f"The settings have {known}",
            remedy=f"--stream {self.streams[0].name}, or another of them",
        )

    @property
    def schema_sql(self) -> str:
        """``DATABASE.SCHEMA``, as it is written in a statement."""
        return f"{self.snowflake.database.sql}.{self.snowflake.schema_name.sql}"

    @cached_property
    def installation(self) -> str:
        """The installation's name as a tag's value: the Snowflake account, and the schema its pipes are in.

        IAM takes 256 characters, and fewer signs than Snowflake does; what does not fit gets a digest.
        Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
        """
        name = f"{self.snowflake.account.upper()}/{self.schema_sql}"
        plain = "".join(each if fits_a_tag(each) else "-" for each in name)
        return name if plain == name and len(name) <= 256 else f"{plain[:200]}:{digest(name)[:12]}"

    @property
    def allowed_locations(self) -> tuple[str, ...]:
        """The integration's STORAGE_ALLOWED_LOCATIONS: the streams' folders and nothing else."""
        return tuple(stream.url for stream in self.streams)

    def qualified(self, name: Identifier) -> QualifiedName:
        """A name in the installation's schema."""
        return QualifiedName(self.snowflake.database, self.snowflake.schema_name, name)

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change when any setting does."""
        return digest(self._written())[:12]

    def _written(self) -> dict[str, Any]:
        """The settings as they are compared; without keys that came later and say nothing here."""
        written = self.model_dump(mode="json", by_alias=True)
        if all(row.kind != "json" for row in self.stream_settings.values()):
            written["snowflake"].pop("file_format_json")
        for section in (written["aws"], *written["streams"].values()):
            for key in ("buckets", "bucket", "columns"):
                if key in section and not section[key]:
                    section.pop(key)
        return written

    @cached_property
    def agreed(self) -> dict[str, str]:
        """What both administrators must mean alike, as eight hexadecimal digits a section.

        Left out is what is each one's own: the connection's name, the target's, how long to wait.
        """
        written = self._written()
        written["snowflake"].pop("connection")
        for section, key in _LATER:
            if not written[section][key]:
                written[section].pop(key)  # a handoff of a former version goes on to fit
        return {name: digest(written[name])[:8] for name in ("aws", "snowflake", "streams")}

    def _stream(self, name: str, row: StreamSettings) -> Stream:
        formats = {
            "enriched": self.snowflake.file_format_enriched,
            "bad_rows": self.snowflake.file_format_bad_rows,
            "json": self.snowflake.file_format_json,
        }
        never_made = (
            self.snowflake.file_format_enriched
        )  # of a kind that was found, where its COPY names none
        return Stream(
            name=name,
            kind=row.kind,
            prefix=row.prefix,
            suffix=row.suffix,
            url=f"{self.aws.url_scheme}://{self._bucket(row)}/{row.prefix}",
            bucket=self._bucket(row),
            table=(row.found and row.found.table) or self.qualified(row.table),
            stage=(row.found and row.found.stage) or self.qualified(row.stage),
            pipe=(row.found and row.found.pipe) or self.qualified(row.pipe),
            file_format=(row.found and row.found.file_format)
            or self.qualified(formats.get(row.kind, never_made)),
            sns_topic=row.sns_topic,
            directory_stage=self.qualified(row.directory_stage) if row.directory_stage else None,
            keeps_rows=row.keeps_rows,
            own_columns=tuple(row.columns.items()),
            files_arrive_within_hours=row.files_arrive_within_hours or self.checks.files_arrive_within_hours,
            found=row.found,
            account=self.snowflake.account.upper(),
        )


_LATER = (("aws", "share_role"), ("snowflake", "share_integration"), ("snowflake", "without_integration"))
"""Settings that a handoff of a former version does not know."""


def _is_removed(stream: object) -> bool:
    return stream is None or (isinstance(stream, Mapping) and stream.get("enabled") is False)
