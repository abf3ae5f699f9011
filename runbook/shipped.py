"""Where the files lie that the runbook reads beside its modules: SQL, checks, default settings, Terraform.

In a checkout they stand at the top, where a person reads and runs them; an installed package carries
the same files inside itself, so that nothing of a common name (``checks``, ``sql``, ``tasks``) is
put beside other people's packages.
"""

from pathlib import Path

_INSIDE = Path(__file__).parent / "files"
INSTALLED = _INSIDE.is_dir()
ROOT = _INSIDE if INSTALLED else Path(__file__).parent.parent
SQL = ROOT / "sql"
CHECKS = ROOT / "checks"
TASKS = ROOT / "tasks.py"
DEFAULTS = ROOT / "invoke.yaml"
TERRAFORM = ROOT / "terraform"
