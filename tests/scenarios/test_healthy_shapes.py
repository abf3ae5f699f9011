"""No false alarm: healthy installations of many shapes verify with nothing failed, blocked or unknown."""

import json
from collections.abc import Callable

import pytest

from tests.scenarios.conftest import Installation
from tests.scenarios.recordings import recorded
from tests.scenarios.shapes import FOLDERS, FOREIGN, MAKERS, REGIONS, Making, Shape, shape

SHORT, LONG = 12, 300


@pytest.mark.parametrize(
    "seed", [*range(SHORT), *(pytest.param(n, marks=pytest.mark.slow) for n in range(SHORT, LONG))]
)
def test_a_healthy_installation_verifies_green(
    new_installation: Callable[..., Installation], seed: int
) -> None:
    wanted = shape(seed)
    making = Making(new_installation(wanted.region), wanted)
    making.make()
    found = recorded(making.at, "-f", str(making.file))
    red = [row for row in found["checks"] if row["outcome"] not in ("passed", "skipped")]
    assert red == [], f"{wanted}\n{json.dumps(red, indent=1, ensure_ascii=False)}"
    assert found["healthy"]


def test_the_shapes_differ_in_everything_they_should() -> None:
    few, many = [shape(n) for n in range(SHORT)], [shape(n) for n in range(LONG)]
    assert {one.region for one in many} == set(REGIONS)
    assert {one.maker for one in few} == set(MAKERS)
    assert {len(one.streams) for one in many} == {1, 2, 3, 5}
    assert len({one.state for one in few}) >= 4
    prefixes = {stream["prefix"] for one in many for stream in one.streams.values()}
    assert prefixes == set(FOLDERS)
    assert {kind for one in few for kind in one.foreign} == set(FOREIGN)
    assert len({repr(Shape(**{**one.__dict__, "seed": 0})) for one in many}) == LONG
