"""What a user installs beside the runbook: pinned with hashes, listed in a bill of materials, free to use."""

import json
import re
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.unit.test_documents import PROJECT, ROOT, rows

CONSTRAINTS = (ROOT / "constraints.txt").read_text()
BOM: dict[str, Any] = json.loads((ROOT / "sbom.cdx.json").read_text())
PAGE = (ROOT / "docs" / "dependencies.md").read_text()
PINNED = {
    canonicalize_name(Requirement(line.strip(" \\")).name): str(Requirement(line.strip(" \\")).specifier)[2:]
    for line in CONSTRAINTS.splitlines()
    if re.match(r"\w", line)
}
WANTED = [
    Requirement(row)
    for row in (
        *PROJECT["dependencies"],
        *(
            row
            for extra, needed in PROJECT["optional-dependencies"].items()
            for row in needed
            if extra not in ("proof", "test")
        ),
    )
]
COMPATIBLE = {
    "Apache-2.0": "the runbook's own",
    "BSD-2-Clause": "permissive",
    "BSD-3-Clause": "permissive",
    "ISC": "permissive",
    "MIT": "permissive",
    "MIT-0": "permissive",
    "PSF-2.0": "permissive",
    "MPL-2.0": "copyleft of its own files, which are used unchanged",
    "LGPL-3.0-or-later": "a library that is imported, of the extra report alone, and can be replaced",
}
"""The licences that code under Apache-2.0 may stand on, each with why.

Source: https://www.apache.org/legal/resolved.html (MPL-2.0: category B, unchanged and apart), and
https://www.gnu.org/licenses/lgpl-3.0.html (4: a program that uses the library may be under any licence).
"""


def test_every_version_is_pinned_with_the_hashes_of_its_files() -> None:
    requirements = re.split(r"\n(?=\w)", CONSTRAINTS.split("\n", 2)[2])
    assert len(requirements) == len(PINNED) > 20
    for one in requirements:
        first, *hashes = [line.strip(" \\") for line in one.strip().splitlines()]
        assert re.fullmatch(r"[a-z0-9-]+==[^ ;]+( ; .+)?", first)
        assert hashes
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each) for each in hashes), first


def test_no_registry_is_named() -> None:
    for text in (CONSTRAINTS, json.dumps(BOM["components"])):
        assert "://" not in text
        assert "index" not in text.replace("importlib", "")


@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_what_is_asked_for_is_pinned_to_a_version_that_fits(wanted: Requirement) -> None:
    assert Version(PINNED[canonicalize_name(wanted.name)]) in wanted.specifier
    assert "<" not in str(wanted.specifier), "no upper limit for users"


def test_what_a_pinned_package_needs_is_pinned_too() -> None:
    seen = 0
    for name, version in PINNED.items():
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        if found.version != version:
            continue
        seen += 1
        for row in map(Requirement, found.requires or ()):
            if row.marker is None or row.marker.evaluate({"extra": ""}):
                assert canonicalize_name(row.name) in PINNED, f"{name} needs {row}"
    assert seen > 10


def test_the_bill_of_materials_lists_what_is_pinned() -> None:
    assert {row["name"]: row["version"] for row in BOM["components"]} == PINNED
    assert all(row["purl"] == f"pkg:pypi/{row['name']}@{row['version']}" for row in BOM["components"])
    own = BOM["metadata"]["component"]
    assert (own["name"], own["version"]) == (PROJECT["name"], PROJECT["version"])
    needed = {row["ref"]: set(row["dependsOn"]) for row in BOM["dependencies"]}
    assert needed[PROJECT["name"]] == {canonicalize_name(row.name) for row in WANTED}
    assert set(needed) == {PROJECT["name"], *PINNED}
    assert set().union(*needed.values()) >= set(PINNED) - {"colorama", "tzdata"}  # Windows' alone


def test_a_reader_of_cyclonedx_takes_the_bill_of_materials() -> None:
    reader = pytest.importorskip("cyclonedx.validation.json", reason="cyclonedx-python-lib is not installed")
    from cyclonedx.schema import SchemaVersion

    text = (ROOT / "sbom.cdx.json").read_text()
    assert reader.JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_every_licence_is_named_and_compatible() -> None:
    table = dict(rows(PAGE, "| package | licence |"))
    said = {row["name"]: row["licenses"][0]["expression"] for row in BOM["components"]}
    assert table == said
    for name, expression in table.items():
        words = re.split(r" (?:AND|OR) ", expression)
        assert set(words) <= set(COMPATIBLE), f"{name}: {expression}"


def test_a_licence_is_what_the_installed_package_says() -> None:
    for row in BOM["components"]:
        try:
            found = distribution(row["name"]).metadata.get("License-Expression")
        except PackageNotFoundError:
            continue
        assert found in (None, row["licenses"][0]["expression"]), row["name"]
