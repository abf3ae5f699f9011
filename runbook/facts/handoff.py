"""What the other cloud's administrator has handed over, for what we cannot look at ourselves.

A small JSON document in a file or a Systems Manager parameter, written by `invoke handoff`. Nothing
in it is secret: an external ID is none, and the rest are names.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-user_externalid.html
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from runbook.clouds.reader import Reader
from runbook.errors import CannotTell, Refused
from runbook.facts.aws import ask
from runbook.settings import SSM, Settings

AGAIN = "`invoke handoff`"

UserArn = Annotated[str, Field(pattern=r"^arn:[a-z-]+:iam::[0-9]{12}:user/[A-Za-z0-9_+=,.@/-]+$")]
RoleArn = Annotated[str, Field(pattern=r"^arn:[a-z-]+:iam::[0-9]{12}:role/[\x21-\x7e]+$")]
ChannelArn = Annotated[str, Field(pattern=r"^arn:[a-z-]+:(sqs|sns):[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$")]
"""A pipe's notification channel: its queue, or its topic where it has one."""
ExternalId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_+=,.@:/-]+$", min_length=2, max_length=1224)]


class _Part(BaseModel):
    """What one side says, who said it, and when."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: str = Field(pattern=r"^[\x20-\x7e]*$")
    at: datetime


class FromAws(_Part):
    """What Snowflake's administrator needs of AWS."""

    role_arn: RoleArn


class FromSnowflake(_Part):
    """What the AWS administrator needs of Snowflake: whom to trust, and where S3 sends to."""

    iam_user_arn: UserArn
    external_id: ExternalId
    notification_channels: dict[str, ChannelArn] = Field(default_factory=dict)


class Handoff(BaseModel):
    """Both sides' words, with a fingerprint of the settings they were said under."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    handoff: Literal[1] = 1
    target: str
    settings: dict[str, str]
    aws: FromAws | None = None
    snowflake: FromSnowflake | None = None

    def differences(self, settings: Settings) -> list[str]:
        """The sections of the settings that are not those this was written under."""
        return [name for name, digest in settings.agreed.items() if self.settings.get(name) != digest]

    def as_text(self, *, indent: int | None = 1) -> str:
        """The document as it is written: for a person, or with no ``indent`` as short as can be."""
        found = self.model_dump(mode="json", exclude_none=True)
        return json.dumps(found, indent=indent, separators=(",", ":") if indent is None else None)


def stored(reader: Reader, place: str) -> Handoff | None:
    """The handoff at a place, whether it fits or not; None where nothing is.

    Raises CannotTell where it cannot be read or is none.
    """
    found = (
        _parameter(reader, place.removeprefix(SSM))
        if place.startswith(SSM)
        else reader.kept(("file", place), lambda: _file(Path(place)))
    )
    if found is None:
        return None
    try:
        return Handoff.model_validate_json(found)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, row['loc']))}: {row['msg']}" for row in error.errors()[:3])
        raise CannotTell(
            f"What is at {place} is not a handoff", why=wrong, remedy=f"write it again: {AGAIN}"
        ) from None


def fitting(reader: Reader) -> Handoff | None:
    """The handoff the settings name; None where nothing is there yet, or none is named.

    Raises Refused for one that was written under other settings, CannotTell like :func:`stored`.
    """
    settings = reader.settings
    found = stored(reader, settings.handoff) if settings.handoff else None
    if found and (differ := found.differences(settings)):
        raise Refused(
            f"The handoff is out of date ({settings.handoff})",
            why=f"it was written under other settings: {', '.join(differ)}",
            remedy=f"both administrators use one environment file, and each runs {AGAIN} again",
        )
    return found


def _file(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise CannotTell("The handoff cannot be read", where=str(path), why=str(error)) from None


def _parameter(reader: Reader, name: str) -> str | None:
    """The parameter's text; None where there is none of that name.

    Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html
    """
    return ask(
        lambda: str(reader.aws("ssm", "GetParameter", Name=name)["Parameter"]["Value"]),
        f"The handoff {SSM}{name}",
    )
