"""What is another installation's, seen before anything is changed: `invoke up` refuses at once."""

from collections.abc import Callable

from runbook.facts import Facts
from runbook.steps import step1_aws, step2_snowflake, step4_snowflake, step5_aws

_REFUSING: dict[int, Callable[[Facts], object]] = {
    1: step1_aws.refuse_others,
    2: step2_snowflake.refuse_others,
    4: step4_snowflake.refuse_others,
    5: step5_aws.refuse_others,
}


def refuse_others(facts: Facts, numbers: tuple[int, ...]) -> None:
    """Raises Refused where one of these steps would take what is not this installation's. Only reads."""
    for number in numbers:
        if number in _REFUSING and not facts.settings.is_terraforms(number):
            _REFUSING[number](facts)
