"""IAM's condition operators.

Source: `IAM JSON policy elements: condition operators
<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>`_
and `set operators
<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>`_.

- Operators and keys of one block are ANDed; the values of one key are ORed (negated operators: NOR).
- An absent key makes a positive operator false, a negated one true, and ``...IfExists`` true.
- ``ForAllValues`` is true for an absent key, ``ForAnyValue`` is false.
- Keys ignore case, values do not (unless the operator says so).
"""

import base64
import binascii
import ipaddress
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from snowpipe_sandbox.aws.patterns import Context, arn_matches, text_matches

Comparison = Callable[[str, str, Context | None], bool]
"""(the policy's value, the request's value, the context for policy variables) -> holds"""


def _number(compare: Callable[[float, float], bool]) -> Comparison:
    def holds(wanted: str, actual: str, _: Context | None) -> bool:
        try:
            return compare(float(actual), float(wanted))
        except ValueError:
            return False

    return holds


def _moment(text: str) -> datetime:
    """ISO 8601, or seconds since the epoch, as IAM accepts both."""
    if text.lstrip("-").isdigit():
        return datetime.fromtimestamp(int(text), UTC)
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _date(compare: Callable[[datetime, datetime], bool]) -> Comparison:
    def holds(wanted: str, actual: str, _: Context | None) -> bool:
        try:
            return compare(_moment(actual), _moment(wanted))
        except ValueError:
            return False

    return holds


def _ip(wanted: str, actual: str, _: Context | None) -> bool:
    try:
        return ipaddress.ip_address(actual) in ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return False


def _bool(wanted: str, actual: str, _: Context | None) -> bool:
    return wanted.lower() == actual.lower()


def _binary(wanted: str, actual: str, _: Context | None) -> bool:
    try:
        return base64.b64decode(wanted, validate=True) == base64.b64decode(actual, validate=True)
    except (binascii.Error, ValueError):
        return False


def _equals(wanted: str, actual: str, context: Context | None) -> bool:
    return text_matches(wanted, actual, context, wildcards=False)


def _equals_ignoring_case(wanted: str, actual: str, context: Context | None) -> bool:
    return text_matches(wanted, actual, context, wildcards=False, ignore_case=True)


def _like(wanted: str, actual: str, context: Context | None) -> bool:
    return text_matches(wanted, actual, context)


def _arn(wanted: str, actual: str, context: Context | None) -> bool:
    return arn_matches(wanted, actual, context)


OPERATORS: dict[str, tuple[Comparison, bool]] = {
    # lower-case name -> (comparison, negated)
    "stringequals": (_equals, False),
    "stringnotequals": (_equals, True),
    "stringequalsignorecase": (_equals_ignoring_case, False),
    "stringnotequalsignorecase": (_equals_ignoring_case, True),
    "stringlike": (_like, False),
    "stringnotlike": (_like, True),
    "numericequals": (_number(lambda a, w: a == w), False),
    "numericnotequals": (_number(lambda a, w: a == w), True),
    "numericlessthan": (_number(lambda a, w: a < w), False),
    "numericlessthanequals": (_number(lambda a, w: a <= w), False),
    "numericgreaterthan": (_number(lambda a, w: a > w), False),
    "numericgreaterthanequals": (_number(lambda a, w: a >= w), False),
    "dateequals": (_date(lambda a, w: a == w), False),
    "datenotequals": (_date(lambda a, w: a == w), True),
    "datelessthan": (_date(lambda a, w: a < w), False),
    "datelessthanequals": (_date(lambda a, w: a <= w), False),
    "dategreaterthan": (_date(lambda a, w: a > w), False),
    "dategreaterthanequals": (_date(lambda a, w: a >= w), False),
    "bool": (_bool, False),
    "binaryequals": (_binary, False),
    "ipaddress": (_ip, False),
    "notipaddress": (_ip, True),
    "arnequals": (_arn, False),
    "arnlike": (_arn, False),
    "arnnotequals": (_arn, True),
    "arnnotlike": (_arn, True),
}


def split_operator(name: str) -> tuple[str, str, bool]:
    """``ForAnyValue:StringLikeIfExists`` -> ("foranyvalue", "stringlike", True). Lower case throughout."""
    quantifier, colon, operator = name.lower().rpartition(":")
    if_exists = operator.endswith("ifexists")
    return (quantifier if colon else "", operator.removesuffix("ifexists"), if_exists)


def is_operator(name: str) -> bool:
    """Whether IAM knows the condition operator ``name``, prefix and suffix included."""
    quantifier, operator, if_exists = split_operator(name)
    if quantifier not in ("", "forallvalues", "foranyvalue"):
        return False
    return operator in OPERATORS or (operator == "null" and not if_exists and not quantifier)


def listed(value: Any) -> list[str]:
    """A policy's scalar or list as a list of strings; JSON booleans and numbers as IAM writes them."""
    values = value if isinstance(value, list) else [value]
    return [
        str(item).lower() if isinstance(item, bool) else item if isinstance(item, str) else str(item)
        for item in values
    ]


def _holds(name: str, wanted: list[str], actual: tuple[str, ...] | None, context: Context | None) -> bool:
    quantifier, operator, if_exists = split_operator(name)
    if operator == "null":
        return listed(actual is None)[0] == wanted[0].lower()
    compare, negated = OPERATORS[operator]
    if actual is None:
        return if_exists or quantifier == "forallvalues" or (negated and quantifier != "foranyvalue")
    verdicts = [any(compare(want, value, context) for want in wanted) != negated for value in actual]
    return any(verdicts) if quantifier == "foranyvalue" else all(verdicts)


def conditions_hold(block: Mapping[str, Mapping[str, Any]], context: Context, *, variables: bool) -> bool:
    """Whether a statement's whole Condition block holds; ``variables``: the policy is of 2012-10-17."""
    return all(
        _holds(operator, listed(wanted), context.get(key.lower()), context if variables else None)
        for operator, keys in block.items()
        for key, wanted in keys.items()
    )
