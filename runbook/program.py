"""`snowpipe-runbook`: the same tasks as `invoke` in a checkout, from whatever folder one stands in.

An installed package needs nothing but an environment file of one's own. Defaults come from the
package's ``invoke.yaml``; an ``invoke.yaml`` in the folder one stands in, or above it, goes before them.
"""

import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import invoke
import yaml
from invoke.exceptions import ParseError

from runbook.errors import SettingsWrong
from runbook.invocation import HERE
from runbook.shipped import DEFAULTS, INSTALLED, TASKS

NAME = "snowpipe-runbook"


class Program(invoke.Program):  # type: ignore[misc] # Invoke is untyped
    """Invoke's own program, with our tasks and the settings of the folder one stands in."""

    def parse_core(self, argv: list[str] | None) -> None:
        """Read Invoke's own switches; one that is wrong is a usage error, exit code 2, as everywhere here."""
        try:
            super().parse_core(argv)
        except ParseError as error:
            from runbook.cli import refused

            wrong = SettingsWrong(
                "The command line cannot be read", why=str(error), remedy=f"{NAME} --help lists its switches"
            )
            raise SystemExit(refused(wrong, sys.argv)) from None

    def parse_collection(self) -> None:
        """Read the project's ``invoke.yaml``, which Invoke itself passes over for a program of one's own."""
        if folder := settings_folder(Path.cwd()):
            self.config.set_project_location(str(folder))
            self.config.load_project()
        super().parse_collection()
        HERE.program = NAME
        tasks().read_line(self)

    @property
    def name(self) -> str:
        """The program's name as --version prints it."""
        return NAME


def settings_folder(start: Path) -> Path | None:
    """The nearest folder with an ``invoke.yaml``, from ``start`` upward; None where there is none."""
    return next((folder for folder in _upward(start) if (folder / "invoke.yaml").is_file()), None)


def _upward(start: Path) -> Iterator[Path]:
    yield start
    yield from start.parents


@cache
def tasks() -> ModuleType:
    """The module ``tasks.py``, loaded from where it lies: it is not a module of a package."""
    spec = spec_from_file_location("tasks", TASKS)
    if spec is None or spec.loader is None:
        raise ImportError(f"{TASKS} cannot be loaded")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def collection() -> Any:
    """All tasks with the default settings.

    In a folder of one's own, a ``tasks.py`` that sets ``namespace`` to it gives `invoke` the same tasks.
    """
    found = invoke.Collection.from_module(tasks())
    if INSTALLED:
        del found.tasks["lint"]  # it is about a checkout, and would run on whatever folder one stands in
    found.configure(yaml.safe_load(DEFAULTS.read_text(encoding="utf-8")))
    return found


def main() -> None:
    """The console script."""
    tasks().prepared()
    Program(version=version(NAME), namespace=collection(), binary=NAME, binary_names=[NAME]).run()
