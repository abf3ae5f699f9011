"""What was discovered, as the settings will say it, and what a person should know beside them."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Described:
    """An installation being described.

    ``streams`` become the file's settings, and what a person should know its comments. ``proposed``: by
    stream, the statements that give its table a column for the name of a row's file.
    """

    target: str
    aws: dict[str, Any] = field(default_factory=dict)
    snowflake: dict[str, Any] = field(default_factory=dict)
    streams: dict[str, dict[str, Any]] = field(default_factory=dict)
    differs: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    proposed: dict[str, list[str]] = field(default_factory=dict)

    def settings(self, defaults: dict[str, Any]) -> dict[str, Any]:
        """The settings as Invoke will merge them over the defaults; its streams are these alone."""
        aws = {**defaults["aws"], **self.aws}
        snowflake = {**defaults["snowflake"], **self.snowflake}
        return {
            **defaults,
            "target": self.target,
            "made_by": "others",
            "aws": aws,
            "snowflake": snowflake,
            "streams": self.streams,
        }
