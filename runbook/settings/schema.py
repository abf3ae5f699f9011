"""The JSON schema of an environment file, out of the settings' own models: what an editor can tell at once.

It describes one file, as a person writes it over ``invoke.yaml``: whatever has a default may be left out.
What needs two keys at once (prefixes that overlap, a topic in another region) only the program refuses.
Descriptions and defaults are the comments and values of ``invoke.yaml``.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml
from invoke.config import Config

from runbook.settings.model import Settings
from runbook.settings.names import SANDBOX
from runbook.shipped import DEFAULTS

DRAFT = "http://json-schema.org/draft-07/schema#"  # what editors' YAML plug-ins read best
PINNED = {"aws": ("account_id", "bucket"), "snowflake": ("account", "connection")}
"""What a live target names itself: the default is the sandbox's."""
COMPLETE = ("found", "routes", "waivers")
"""Sections that no default fills up."""
NO_DEFAULT = ("target", *PINNED["aws"], *PINNED["snowflake"])
_COMMENTED = re.compile(r"(?P<indent> *)(?P<key>[a-z_]+):(?P<rest>.*)")
_COMMENT = re.compile(r"\s#\s*(.*)$")


def schema() -> dict[str, Any]:
    """The schema of an environment file, as JSON schema draft 7."""
    whole = Settings.model_json_schema(by_alias=True)
    found = _plain(whole, whole["$defs"])
    properties = found["properties"]
    streams = properties["streams"]
    stream = _stream(streams["additionalProperties"])
    properties["streams"] = {
        "type": "object",
        "propertyNames": {"pattern": "^[a-z][a-z0-9_]*$"},
        "additionalProperties": stream,
    }
    default = yaml.safe_load(DEFAULTS.read_text(encoding="utf-8"))
    _described(found, default, _comments(), ())
    properties |= {key: {"type": "object", "description": "Invoke's own"} for key in Config.global_defaults()}
    is_sandbox = {"properties": {"target": {"const": SANDBOX}}}
    live = {
        "required": list(PINNED),
        "properties": {
            section: {
                "required": list(keys),
                "properties": {key: {"not": {"const": default[section][key]}} for key in keys},
            }
            for section, keys in PINNED.items()
        },
    }
    return {
        "$schema": DRAFT,
        "title": "An environment file of snowpipe-runbook",
        **found,
        "required": ["target"],
        "if": is_sandbox,
        "else": live,
    }


def text() -> str:
    """The schema as ``environment.schema.json`` has it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _stream(row: dict[str, Any]) -> dict[str, Any]:
    """A stream as a file writes it: switched off, of others, or with a folder of its own."""
    row["properties"]["enabled"] = {"type": "boolean", "description": "false: the stream is not there at all"}
    folder = row["properties"]["prefix"].pop("pattern")
    return {
        **row,
        "if": {"properties": {"found": {"type": "null"}}},
        "then": {"properties": {"prefix": {"pattern": folder}}},
    }


def _plain(node: Any, definitions: Mapping[str, Any], place: str = "") -> Any:
    """The schema without references, titles and defaults, and with what a file may leave out."""
    if isinstance(node, list):
        return [_plain(each, definitions, place) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _plain(definitions[node["$ref"].rpartition("/")[2]], definitions, place)
    found = {
        key: _plain(value, definitions, place)
        for key, value in node.items()
        if key not in ("$defs", "title", "default", "description", "properties", "required")
    }
    if "properties" in node:
        found["properties"] = {
            key: _plain(value, definitions, place if place in COMPLETE else key)
            for key, value in node["properties"].items()
        }
    if "required" in node and place in COMPLETE:
        found["required"] = node["required"]
    return found


def _described(
    node: dict[str, Any], default: Any, comments: Mapping[tuple[str, ...], str], place: Any
) -> None:
    """Put the comments and the values of ``invoke.yaml`` where they belong."""
    for key, inner in node.get("properties", {}).items():
        here = (*place, key)
        value = default.get(key) if isinstance(default, Mapping) else None
        if here in comments:
            inner["description"] = comments[here]
        if value is not None and not isinstance(value, Mapping) and key not in NO_DEFAULT:
            inner["default"] = value
        _described(inner, value, comments, here)
    if place == ("streams",):
        stream = node["additionalProperties"]
        of_events = {row[1:]: text for row, text in comments.items() if row[:2] == ("streams", "events")}
        _described(stream, {}, {("events", *row[1:]): text for row, text in of_events.items()}, ("events",))


def _comments() -> dict[tuple[str, ...], str]:
    """Each key of ``invoke.yaml`` with the comment behind it."""
    found: dict[tuple[str, ...], str] = {}
    place: list[str] = []
    for line in DEFAULTS.read_text(encoding="utf-8").splitlines():
        row = _COMMENTED.fullmatch(line)
        if row is None:
            continue
        place = [*place[: len(row["indent"]) // 2], row["key"]]
        if comment := _COMMENT.search(row["rest"]):
            found[tuple(place)] = comment[1]
    return found


if __name__ == "__main__":
    print(text(), end="")  # noqa: T201 (what environment.schema.json holds)
