"""How a check is declared: what mends it, where it is explained, and what its claim stands on.

What it claims is the first paragraph of its docstring.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from runbook.remedy import Part, Remedy

F = TypeVar("F", bound=Callable[..., None])


@dataclass(frozen=True)
class Claim:
    """What a check says beside what it finds; ``deep``: it needs a warehouse."""

    says: str
    remedy: Remedy
    see: str
    needs: tuple[str, ...]
    deep: bool


def check(
    *, remedy: Part | tuple[Part, ...], see: str, needs: tuple[str, ...] = (), deep: bool = False
) -> Callable[[F], F]:
    """Declare a check.

    Args:
        remedy: words for a person, and commands (:func:`runbook.remedy.invoke`).
        see: an anchor in docs/runbook.md.
        needs: the ids of the checks this one's claim stands on; where one of them fails, this one is blocked.
        deep: whether it needs a warehouse, so that it is only asked with --deep.
    """
    parts = remedy if isinstance(remedy, tuple) else (remedy,)

    def declared(function: F) -> F:
        says = " ".join((function.__doc__ or "").strip().split("\n\n")[0].split())
        function.claim = Claim(says, Remedy(parts), f"docs/runbook.md#{see}", needs, deep)  # type: ignore[attr-defined]
        return function

    return declared
