"""What was handed to another role: no step of ours may alter it, and the refusal says who may."""

from runbook.errors import Refused
from runbook.facts import Facts
from runbook.settings import Identifier


def refuse_another_owners(
    facts: Facts, kind: str, name: str, role: Identifier, *, why: str, number: int, to: str = "alter it"
) -> None:
    """Raises Refused where another role owns the object, which ``role`` is to alter. Only reads.

    Only its owner alters an object, or grants a right on it; who may grant everything may take it back.
    Source: https://docs.snowflake.com/en/sql-reference/sql/grant-ownership
    """
    if owner := facts.other_owner(kind, name, role):
        raise Refused(
            f"The {kind.lower()} {name} is owned by the role {owner}",
            why=f"{why}; {role} cannot {to}",
            remedy=f"have {owner} {to} (invoke sql --step {number} prints how), or take it back as "
            f"{facts.settings.snowflake.admin_role}: GRANT OWNERSHIP ON {kind} {name} TO ROLE {role.sql} "
            "COPY CURRENT GRANTS",
        )
