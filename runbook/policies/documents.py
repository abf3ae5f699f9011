"""Policy documents, compared by meaning: scalar or one-element list, any key order."""

import json
from collections.abc import Mapping
from typing import Any

Document = dict[str, Any]

# elements where IAM takes one string or a list of them
_LISTS = ("Action", "NotAction", "Resource", "NotResource")


def as_document(value: Any) -> Document:
    """A policy as AWS hands it back: text, or parsed already."""
    return dict(json.loads(value)) if isinstance(value, str) else dict(value)


def canonical(value: Any) -> Any:
    """A document in one fixed shape, so that equal meaning is equal text and burns no version.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
    """
    if isinstance(value, Mapping) and "Statement" in value:
        statements = [_statement(row) for row in as_list(value["Statement"])]
        return {**value, "Statement": sorted(statements, key=text)}
    return value


def same(one: Any, other: Any) -> bool:
    """Whether two documents mean the same."""
    return text(canonical(one)) == text(canonical(other))


def text(value: Any) -> str:
    """JSON with sorted keys and ASCII only: IAM stores nothing beyond U+00FF raw."""
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def as_list(value: Any) -> list[Any]:
    """A scalar as a list of one; nothing as an empty list."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def statements(document: Mapping[str, Any]) -> list[Document]:
    """The document's statements, always a list."""
    return [dict(row) for row in as_list(document.get("Statement"))]


def _statement(row: Mapping[str, Any]) -> Document:
    shaped: Document = {}
    for key, value in row.items():
        if key in _LISTS:
            shaped[key] = sorted(as_list(value))
        elif key in ("Principal", "NotPrincipal") and isinstance(value, Mapping):
            shaped[key] = {kind: sorted(as_list(names)) for kind, names in value.items()}
        elif key == "Condition":
            shaped[key] = {
                operator: {name: sorted(map(_word, as_list(values))) for name, values in block.items()}
                for operator, block in value.items()
            }
        else:
            shaped[key] = value
    return shaped


def _word(value: Any) -> str:
    """A condition's value as IAM compares it: ``true`` is the same as ``"true"``."""
    return str(value).lower() if isinstance(value, bool) else str(value)
