"""What a single value of the settings may be: each is read here, or refused with a sentence."""

import re
from typing import Annotated, Literal
from unicodedata import category

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from runbook.settings.names import MANAGED_FOR, MOST_TAGS, SSM, Identifier, QualifiedName


def one_prefix(prefix: str) -> str:
    """A key prefix that means the same to S3, IAM and Snowflake."""
    if not prefix.endswith("/"):
        raise ValueError(
            f"{prefix!r} must end in a slash: without it the stage also takes its neighbours, "
            f"such as {prefix + '_other/'!r}"
        )
    if prefix.startswith("/"):
        raise ValueError(f"{prefix!r} must not begin with a slash: S3 keys have none")
    if "//" in prefix:
        raise ValueError(f"{prefix!r} holds an empty folder (//)")
    if "," in prefix:
        raise ValueError(f"{prefix!r} holds a comma: DESC INTEGRATION joins its locations with commas")
    if found := re.search(r"[*?\\\x00-\x1f\x7f]|\$\{", prefix):
        raise ValueError(f"{prefix!r} holds {found.group()!r}, which IAM or a statement would read specially")
    if len(prefix.encode()) > 900:
        raise ValueError("is longer than 900 bytes; an S3 key has at most 1,024")
    return prefix


def _suffix(suffix: str) -> str:
    if re.search(r"[*?/\x00-\x1f\x7f]", suffix):
        raise ValueError(f"{suffix!r} is not the end of a file name such as .gz")
    return suffix


def _place(place: str) -> str:
    """A file's path, or ``ssm:`` and a name as Systems Manager takes it.

    Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
    """
    if not place.isprintable() or not place:
        raise ValueError("is not the path of a file")
    if place.startswith(SSM) and not re.fullmatch(r"[A-Za-z0-9_.\-/]{1,1011}", place.removeprefix(SSM)):
        raise ValueError(f"{place!r} is not {SSM} and a parameter's name: letters, digits, and _.-/")
    return place


def fits_a_tag(sign: str) -> bool:
    """Whether IAM takes the character in a tag."""
    return category(sign)[0] in "LZN" or sign in "_.:/=+-@"


def iam_tags(tags: dict[str, str]) -> dict[str, str]:
    """Tags as IAM takes them, beside our own.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
    """
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or key.lower().startswith("aws:"):
            raise ValueError(f"{key!r} is not a tag's key: 1 to 128 characters, not beginning with aws:")
        if len(value) > 256:
            raise ValueError(f"the value of {key!r} is longer than 256 characters")
        for text in (key, value):
            if odd := [each for each in text if not fits_a_tag(each)]:
                raise ValueError(f"{text!r} holds {odd[0]!r}: letters, digits, blanks and _.:/=+-@ only")
    keys = [key.lower() for key in {**tags, "ManagedBy": "", MANAGED_FOR: ""}]
    if len(set(keys)) < len(keys):
        raise ValueError(
            f"two keys differ in their case only (ManagedBy and {MANAGED_FOR} are the runbook's own)"
        )
    if len(keys) > MOST_TAGS:
        raise ValueError(f"more than {MOST_TAGS} tags, the runbook's own among them")
    return tags


def readable_pattern(pattern: str) -> str:
    """A PATTERN that Python reads too."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is read by Snowflake otherwise than here ({error})") from None
    return pattern


def qualified_or_none(text: object) -> QualifiedName | None:
    """A name of three parts, or nothing."""
    return text if text is None or isinstance(text, QualifiedName) else QualifiedName.parse(str(text))


_NUMBER, _TIMESTAMP = r"NUMBER(\([1-9][0-9]?(, ?[0-9]{1,2})?\))?", r"TIMESTAMP_(NTZ|LTZ|TZ)(\([0-9]\))?"
_TYPE = rf"VARCHAR|{_NUMBER}|FLOAT|BOOLEAN|DATE|{_TIMESTAMP}|VARIANT"
_OWN = r"[A-Za-z_][A-Za-z0-9_]{0,254}"
TAKEN = ("DOCUMENT", "_FILE", "_FILE_ROW", "_LOADED_AT")
"""The columns that a table of JSON documents has anyway."""


def own_columns(columns: dict[str, str]) -> dict[str, str]:
    """Columns of a JSON stream's table, each filled by the document's member of that name, and their types.

    Source: https://docs.snowflake.com/en/sql-reference/intro-summary-data-types
    """
    for name, kind in columns.items():
        if not re.fullmatch(_OWN, name, re.ASCII) or name.upper() in TAKEN:
            taken = ", ".join(TAKEN)
            raise ValueError(f"{name!r} is not a column's name: letters, digits and _, and none of {taken}")
        if not re.fullmatch(_TYPE, kind, re.ASCII):
            raise ValueError(
                f"{name}: {kind!r} is not a type such as VARCHAR, NUMBER(12, 2) or TIMESTAMP_NTZ"
            )
    if len({name.upper() for name in columns}) < len(columns):
        raise ValueError("two columns differ in their case only")
    return columns


def _for_editors(pattern: str, **more: object) -> WithJsonSchema:
    """The same rule, as far as a pattern can say it: schema.py."""
    return WithJsonSchema({"type": "string", "pattern": pattern, **more})


_NAME = r'[A-Za-z_][A-Za-z0-9_$]{0,254}|"([^"\x00-\x1f\x7f-\x9f\u2028\u2029]|""){1,255}"'
_TAG = r"""^[^\x00-\x1f\x7f!"#$%&'()*,;<>?\[\]\\^`{|}~]*$"""
_TAGS = WithJsonSchema(
    {
        "type": "object",
        "propertyNames": {
            "pattern": _TAG,
            "minLength": 1,
            "maxLength": 128,
            "not": {"pattern": "^[Aa][Ww][Ss]:"},
        },
        "additionalProperties": {"type": "string", "pattern": _TAG, "maxLength": 256},
        "maxProperties": MOST_TAGS,
    }
)
OwnColumns = Annotated[
    dict[str, str],
    AfterValidator(own_columns),
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"pattern": f"^{_OWN}$"},
            "additionalProperties": {"type": "string", "pattern": f"^({_TYPE})$"},
        }
    ),
]
Name = Annotated[Identifier, BeforeValidator(Identifier.parse), _for_editors(f"^({_NAME})$")]
FullName = Annotated[
    QualifiedName | None,
    BeforeValidator(qualified_or_none),
    WithJsonSchema({"type": ["string", "null"], "pattern": rf"^({_NAME})(\.({_NAME})){{2}}$"}),
]
Prefix = Annotated[str, _for_editors(r"^(?!/)(?!.*//)(?!.*\$\{)[^,*?\\\x00-\x1f\x7f]+/$", maxLength=900)]
"""A folder; which of them is right depends on who made the stream (StreamSettings)."""
Suffix = Annotated[str, AfterValidator(_suffix), _for_editors(r"^[^*?/\x00-\x1f\x7f]*$")]
Place = Annotated[
    str,
    AfterValidator(_place),
    _for_editors(r"^(ssm:[A-Za-z0-9_.\-/]{1,1011}|(?!ssm:)[^\x00-\x1f\x7f]+)$"),
]
Tags = Annotated[dict[str, str], AfterValidator(iam_tags), _TAGS]
IamName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_+=,.@-]+$")]  # ASCII only, as IAM
StreamKind = Literal["enriched", "bad_rows", "text", "json", "parquet", "avro", "other"]
MADE = ("enriched", "bad_rows", "json")
"""The kinds that the steps make; a stream of another one was found."""
VIEWED = ("enriched", "bad_rows")
"""The kinds that have a typed view."""


Hours = Annotated[int, Field(ge=1)] | Literal["never"] | None
"""The longest silence of a producer; None: what it used to be; never: it is not judged."""


class Model(BaseModel):
    """A section: frozen, and without keys that nobody knows."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, str_strip_whitespace=False
    )
