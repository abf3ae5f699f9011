"""REFRESH's PREFIX for exactly the files that are wanted. Pure functions."""

from collections.abc import Iterable

from runbook.listing.ranges import common

WHOLE_NAMES = 20
"""So few files are refreshed by their whole names: what arrives meanwhile hardly ever comes with them."""


def exact_prefixes(wanted: frozenset[str], others: Iterable[str]) -> tuple[list[str], frozenset[str]]:
    """The fewest prefixes under which every wanted key lies and no other; and keys without such a one.

    A key that another key begins with has none: REFRESH takes both.
    """
    found: list[str] = []
    left: set[str] = set()
    stack = [sorted({*wanted, *others})]
    while stack:
        keys = stack.pop()
        inside = [key for key in keys if key in wanted]
        shared = common(keys[0], keys[-1])
        if not inside:
            continue
        if len(inside) == len(keys):
            found.append(shared)
            continue
        if keys[0] == shared:
            left.update({shared} & wanted)
            keys = keys[1:]
        groups: dict[str, list[str]] = {}
        for key in keys:
            groups.setdefault(key[len(shared)], []).append(key)
        stack.extend(groups.values())
    return sorted(found), frozenset(left)


def whole_names(prefixes: list[str], wanted: Iterable[str]) -> list[str]:
    """The wanted keys themselves in place of prefixes under which only they lie, where they are few."""
    keys = sorted(wanted)
    if len(keys) > WHOLE_NAMES:
        return prefixes
    found: list[str] = []
    for key in keys:
        if key.startswith(tuple(prefixes)) and not (found and key.startswith(found[-1])):
            found.append(key)
    return found
