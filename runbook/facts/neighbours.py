"""Who else in the Snowflake account uses what our pipes use: stages on the integration, pipes on the queues.

Installations in one Snowflake account share its queues, and may share an integration: taking ours away must
leave theirs what they need.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook.clouds.failures import Row
from runbook.errors import CannotTell
from runbook.facts.copy_statement import read
from runbook.facts.snowflake import ask
from runbook.facts.topic import is_topic
from runbook.settings import Identifier, QualifiedName, Stream, joined

if TYPE_CHECKING:
    from runbook.facts import Facts


@dataclass(frozen=True)
class Neighbour:
    """A pipe that is not this installation's: the URL it reads, as far as it can be seen, and its queue."""

    name: str
    url: str
    channel: str


def neighbours(facts: "Facts") -> tuple[Neighbour, ...]:
    """The account's pipes beside ours. Only reads."""
    ours = {stream.pipe for stream in (*facts.settings.streams, *facts.left_over)}
    urls = {_name(row): str(row["url"]) for row in _everywhere(facts, "STAGES")}
    return tuple(
        Neighbour(name.sql, _url(row, name, urls), str(row["notification_channel"] or ""))
        for row in _everywhere(facts, "PIPES")
        if (name := _name(row)) not in ours
    )


def _url(row: Row, name: QualifiedName, urls: dict[QualifiedName, str]) -> str:
    copy = read(str(row["definition"]), name.database, name.schema)
    url = urls.get(copy.stage, "") if copy.stage else ""
    return url and joined(url, copy.path)


def queue_of(facts: "Facts", stream: Stream) -> str:
    """The queue of a stream's pipe, which only its status tells where its channel is the topic.

    Source: https://docs.snowflake.com/en/user-guide/multi-location-resilience-data-pipelines-setup-validate
    """
    channel = facts.channel(stream) or ""
    if not is_topic(channel):
        return channel
    status = facts.pipe_status(stream)
    return str(status.document.get("notificationChannelName", "")) if status else ""


def stages_on_the_integration(facts: "Facts") -> dict[str, str]:
    """The URLs of stages on the integration that the settings do not name, by the stage's name. Only reads.

    Raises CannotTell where our role does not see the whole account.
    """
    settings = facts.settings
    ours = {stream.stage for stream in settings.streams}
    ours |= {stream.directory_stage for stream in settings.streams if stream.directory_stage}
    return {
        _name(row).sql: str(row["url"])
        for row in _everywhere(facts, "STAGES")
        if row["storage_integration"] == settings.snowflake.integration and _name(row) not in ours
    }


def _everywhere(facts: "Facts", kind: str) -> list[Row]:
    reader = facts.reader
    reader.sign_in_to_snowflake()
    if role := reader.hidden_from.get("admin"):
        admin = facts.settings.snowflake.admin_role
        raise CannotTell(
            f"The {kind.lower()} of the account cannot all be seen",
            why=f"the role {role} does not see everybody's",
            remedy=f"connect with the role {admin} (role in connections.toml)",
            missing_right=f"being granted the role {admin}",
        )
    return ask(lambda: reader.sql(f"SHOW {kind} IN ACCOUNT"), f"The {kind.lower()} of the account", "") or []


def _name(row: Row) -> QualifiedName:
    return QualifiedName(*(Identifier(str(row[key])) for key in ("database_name", "schema_name", "name")))
