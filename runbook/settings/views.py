"""The section ``views`` of the settings: the typed views on top of the raw tables (`invoke views`).

Off until ``enabled`` is set. Which schemas have a column is written here, so that a run is deterministic:
given by a person, or found in the data by `invoke views --scan`.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from runbook.settings.names import Identifier
from runbook.settings.values import Model, Name

SCHEMA = r"[A-Za-z0-9_.-]+/[A-Za-z0-9_-]+/[1-9][0-9]{0,3}"
LONGEST_NAME = 255
"""https://docs.snowflake.com/en/sql-reference/identifiers"""


def _schema(text: str) -> str:
    """A schema as ``vendor/name/major``, of what a vendor and a name may hold.

    Source: https://docs.snowplow.io/docs/fundamentals/schemas/ (self-describing JSON schemas)
    """
    if not re.fullmatch(SCHEMA, text):
        raise ValueError(f"{text!r} is not VENDOR/NAME/MAJOR, such as com.acme/checkout/1")
    for kind in ("contexts", "unstruct_event"):
        if len(column(kind, text)) > LONGEST_NAME:
            raise ValueError(f"the column of {text!r} would have more than {LONGEST_NAME} characters")
    return text


def column(kind: str, schema: str) -> str:
    """The column that Snowplow's loaders give a schema: ``contexts_com_acme_web_page_1``.

    Dots and dashes become ``_``, a capital behind a small letter gets one before it, all is in small letters.
    Source: https://github.com/snowplow/snowplow-scala-analytics-sdk (SnowplowEvent.transformSchema)
    """
    vendor, name, major = schema.split("/")
    vendor = re.sub(r"[.-]", "_", vendor)
    name = re.sub(r"([^A-Z_])([A-Z])", r"\1_\2", re.sub(r"[.-]", "_", name))
    return f"{kind}_{vendor}_{name}_{major}".lower()


def is_schema(text: str) -> bool:
    """Whether a schema can have a column: the settings take it."""
    try:
        return bool(_schema(text))
    except ValueError:
        return False


def _several(value: object) -> object:
    """A list; from a variable of the environment a text, its items divided by commas or blanks."""
    return (
        re.split(r"[,\s]+", value.strip(", \n")) if isinstance(value, str) and value.strip() else value or ()
    )


Schema = Annotated[str, AfterValidator(_schema)]
_LIST = {"type": "array", "items": {"type": "string", "pattern": f"^{SCHEMA}$"}}
Schemas = Annotated[
    tuple[Schema, ...],
    BeforeValidator(_several),
    WithJsonSchema({"anyOf": [_LIST, {"type": "string"}, {"type": "null"}]}),
]


class Views(Model):
    """The views that `invoke views` makes, and the schemas that have a column in them."""

    enabled: bool = False
    database: Name | None = None
    schema_name: Name = Field(default=Identifier("ATOMIC"), alias="schema")
    events: Name = Identifier("EVENTS")
    events_bad: Name = Identifier("EVENTS_BAD")
    documented_schema: Name | None = None
    """A schema for views of the documented tables' columns: ``uploaded_at`` and ``jsontext``."""
    self_describing_events: Schemas = ()
    entities: Schemas = ()

    @model_validator(mode="after")
    def _apart(self) -> "Views":
        if self.events == self.events_bad:
            raise ValueError(f"events and events_bad are both {self.events}")
        if self.documented_schema == self.schema_name:
            raise ValueError(f"schema and documented_schema are both {self.schema_name}")
        return self
