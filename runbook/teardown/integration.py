"""Step 2 taken back, Snowflake: the storage integration, then the roles that load and operate."""

from collections.abc import Iterator

from runbook.facts import Facts
from runbook.facts.objects import StorageIntegration
from runbook.facts.ours import held_beyond, is_marked, marked_roles
from runbook.facts.whose import integration_is_for_us
from runbook.plan import Change, SqlChange
from runbook.settings import Identifier
from runbook.sql import rendered
from runbook.teardown.objects import refuse_others_stages
from runbook.wanted.grants import Grant

FILES = {"loader_role": "50_loader_role.sql", "operator_role": "51_operator_role.sql"}


def plan(facts: Facts) -> Iterator[Change]:
    """Drop what carries our comment; a role that holds something of others' stays.

    Of an integration that is another installation's too, only our locations go.
    """
    settings, have = facts.settings, facts.integration
    if have is not None and is_marked(have.comment):
        if integration_is_for_us(facts, have):
            refuse_others_stages(facts)
            path = "down/40_integration.sql"
            why = f"{settings.snowflake.integration.sql} was made by step 2"
            yield SqlChange(path, rendered(path, settings), why)
        elif settings.snowflake.share_integration:
            yield from _our_locations(facts, have)
    there = marked_roles(facts.reader)
    for setting, file in FILES.items():
        role: Identifier = getattr(settings.snowflake, setting)
        if role in there and not others_things(facts, role):
            path = f"down/{file}"
            yield SqlChange(path, rendered(path, settings), f"{role.sql} was made by step 2")


def _our_locations(facts: Facts, have: StorageIntegration) -> Iterator[Change]:
    """A shared integration without the locations that only our stages needed."""
    needed = tuple(facts.stages_on_the_integration[name] for name in facts.others_on_the_integration)
    gone = {
        place
        for place in facts.settings.allowed_locations
        if place in have.allowed_locations and not any(url.startswith(place) for url in needed)
    }
    left = tuple(place for place in have.allowed_locations if place not in gone)
    if gone and left:
        path = "down/45_locations.sql"
        why = f"{have.name} is shared: it no longer allows {', '.join(sorted(gone))}"
        yield SqlChange(path, rendered(path, facts.settings, other={"allowed_locations": left}), why)


def others_things(facts: Facts, role: Identifier) -> list[Grant]:
    """What a role holds beyond this installation: dropping the role would take it away."""
    return held_beyond(facts.grants_to(role), facts.settings)
