"""Step 2 taken back, Snowflake: the storage integration, then the roles that load and operate."""

from collections.abc import Iterator

from runbook.facts import Facts
from runbook.facts.ours import held_beyond, integration_is_marked, marked_roles
from runbook.facts.snowflake import Grant
from runbook.plan import Change, SqlChange
from runbook.settings import Identifier
from runbook.sql import rendered
from runbook.taking_back.objects import refuse_others_use

FILES = {"loader_role": "50_loader_role.sql", "operator_role": "51_operator_role.sql"}


def plan(facts: Facts) -> Iterator[Change]:
    """Drop what carries our comment; a role that holds something of others' stays."""
    settings = facts.settings
    if integration_is_marked(facts.reader):
        refuse_others_use(facts)
        path = "down/40_integration.sql"
        why = f"{settings.snowflake.integration.sql} was made by step 2"
        yield SqlChange(path, rendered(path, settings), why)
    there = marked_roles(facts.reader)
    for setting, file in FILES.items():
        role: Identifier = getattr(settings.snowflake, setting)
        if role in there and not others_things(facts, role):
            path = f"down/{file}"
            yield SqlChange(path, rendered(path, settings), f"{role.sql} was made by step 2")


def others_things(facts: Facts, role: Identifier) -> list[Grant]:
    """What a role holds beyond this installation: dropping the role would take it away."""
    return held_beyond(facts.grants_to(role), facts.settings)
