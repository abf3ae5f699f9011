"""Every way this pipeline breaks, as something that can be done to it: docs/faults.md has the words."""

from tests.scenarios.faults import (
    aws,
    conditions,
    denied,
    files,
    keys,
    others,
    pipes,
    rules,
    snowflake,
    topics,
    views,
)
from tests.scenarios.faults.fault import FAULTS, Fault

__all__ = [
    "FAULTS",
    "Fault",
    "aws",
    "conditions",
    "denied",
    "files",
    "keys",
    "others",
    "pipes",
    "rules",
    "snowflake",
    "topics",
    "views",
]
