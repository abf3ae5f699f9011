"""The settings as they are read, or refused with every key that is wrong."""

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError

from runbook.errors import SettingsWrong
from runbook.settings.model import Settings

SECTIONS = (
    "target",
    "aws",
    "snowflake",
    "streams",
    "checks",
    "handoff",
    "made_by",
    "watch",
    "waivers",
    "views",
)


def read(
    config: Mapping[str, Any], *, source: str = "invoke.yaml", variables: Collection[str] = ()
) -> Settings:
    """The settings in ``config``; raises SettingsWrong naming every key that is wrong, and where it is.

    ``source``: the files they come from; ``variables``: those of the environment, by name.
    """
    unknown = sorted(set(config) - set(SECTIONS))
    if unknown:
        raise SettingsWrong(
            f"Unknown settings: {', '.join(unknown)}", where=source, remedy=f"known are {', '.join(SECTIONS)}"
        )
    try:
        return Settings.model_validate(dict(config))
    except ValidationError as error:
        rows = error.errors()
        problems = "; ".join(_problem(row) for row in rows)
        named = {"_".join(["INVOKE", *map(str, row["loc"])]).upper() for row in rows}
        guilty = set(variables) if "INVOKE" in named else named & set(variables)  # of two keys: any may be
        where = [*([] if named <= guilty else [source]), *sorted(guilty)]
        raise SettingsWrong(
            f"Settings are wrong: {problems}",
            where=", ".join(where),
            remedy="see the comments in invoke.yaml",
        ) from None


def ours(config: Mapping[str, Any], command: str) -> None:
    """Refuse a command that only knows what the steps made; raises SettingsWrong."""
    settings = read(config)
    if not settings.is_ours:
        raise SettingsWrong(
            f"`invoke {command}` is not for an installation that others made (made_by: others)",
            where=settings.target,
            why="it would change it into what the steps make",
            remedy="verify, status, backfill, refresh, pause and resume serve it as it is",
        )


EXAMPLES = {
    "account_id": "111122223333 (12 digits in quotes)",
    "region": "us-west-2",
    "bucket": "my-snowplow-bucket (lower case)",
    "path": "/snowplow/",
    "permissions_boundary": "arn:aws:iam::111122223333:policy/NAME",
    "kms_key_arn": "arn:aws:kms:us-west-2:111122223333:key/ID",
    "account": "MYORG-MYACCOUNT",
    "connection": "my-connection (letters, digits, _, . and -)",
    "stage_url": "s3://my-snowplow-bucket/folder/",
    "sns_topic": "arn:aws:sns:us-west-2:111122223333:NAME",
    "target": "prod (letters, digits, _, . and -)",
}
"""What a value that has a shape looks like, by its key."""


SHOULD_BE = {
    "tuple_type": "a list",
    "dict_type": "a section, of keys and values",
    "model_type": "a section, of keys and values",
}
"""What pydantic calls by Python's names, as the file has it."""


def _problem(row: Any) -> str:
    """One pydantic finding as ``key: what is wrong``; never more of the value than pydantic quotes."""
    key = ".".join(str(part) for part in row["loc"])
    if row["type"] == "extra_forbidden":
        return f"{key}: unknown key"
    if row["type"] == "missing":
        return f"{key}: missing"
    message = str(row["msg"]).removeprefix("Value error, ")
    if row["type"] == "string_pattern_mismatch":
        example = EXAMPLES.get(str(row["loc"][-1]))
        shape = f"is not written like {example}" if example else f"does not match {row['ctx']['pattern']}"
        message = f"{row['input']!r} {shape}"
    elif row["type"] == "too_short":
        message = "none is there, or none is enabled; there must be one at least"
    elif row["type"] in SHOULD_BE:
        message = f"should be {SHOULD_BE[row['type']]}"
    elif row["type"] in ("greater_than_equal", "literal_error"):
        message = f"{row['input']!r} {message.removeprefix('Input ')}"
    return f"{key}: {message}" if key else message
