"""The section ``watch`` of the settings, and ``waivers``: what `invoke watch` calls wrong, and whom it tells.

Secrets are never here: ``secret_from`` and ``heartbeat_url_from`` are names of environment variables.
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator


def _variable(name: str) -> str:
    """The name of an environment variable; what looks like the secret itself is not repeated."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError("is not the name of an environment variable (the secret itself is never a setting)")
    return name


Variable = Annotated[str, AfterValidator(_variable)]
CheckId = Annotated[str, Field(pattern=r"^[a-z0-9]+\.[a-z0-9-]+$")]


FEWEST_ROWS = 200
"""Of fewer rows, a share of bad ones says nothing."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Route(_Model):
    """One way to tell people. What a kind needs is judged by runbook/watching/routes.py, not here.

    A route that cannot be used is told in one sentence, and does not keep the others from being used.
    """

    kind: str
    enabled: bool = True
    secret_from: Variable | None = None
    """The variable with the URL (webhook, slack, teams, apprise), the key (pagerduty) or password (email)."""
    to: tuple[str, ...] = ()
    sender: str = ""
    host: str = ""
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    topic_arn: str = ""
    url: str = ""
    """PagerDuty's address, for a service region of its own (https://events.eu.pagerduty.com/v2/enqueue)."""


class Limits(_Model):
    """What is too much or too late; null: not judged."""

    latency_p95_minutes: float | None = Field(default=30, gt=0)
    backlog_files: int | None = Field(default=1000, ge=1)
    bad_rows_percent: float | None = Field(default=20, ge=0, le=100)
    """Judged of ``FEWEST_ROWS`` or more."""
    quiet_hours: Mapping[str, float] = Field(default_factory=dict)
    """By stream: the longest silence; without, it is learned from the past weeks."""


class Watch(_Model):
    """How `invoke watch` looks, and whom it tells."""

    every_minutes: float = Field(default=5, gt=0)
    deep_every_minutes: float | None = Field(default=360, gt=0)
    confirm_rounds: int = Field(default=2, ge=1, le=10)
    remind_after_hours: float | None = Field(default=24, gt=0)
    blind_after_minutes: float = Field(default=60, ge=0)
    messages_an_hour: int = Field(default=6, ge=1)
    heartbeat_url_from: Variable | None = None
    statsd: str = Field(default="", pattern=r"^$|^[^:\s]+:[0-9]+$")
    keep_days: int = Field(default=35, ge=2, le=400)
    limits: Limits = Limits()
    routes: Mapping[str, Route] = Field(default_factory=dict)

    @field_validator("routes", mode="before")
    @classmethod
    def _without_removed(cls, value: object) -> object:
        return value or {}


class Waiver(_Model):
    """A failure that is known and not told, until a day: it begins to fail again on the day after."""

    check: CheckId
    stream: str | None = None
    until: date
    reason: str = Field(min_length=3)
