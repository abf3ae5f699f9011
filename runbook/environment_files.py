"""Whether environment files are right, as `invoke -f FILE settings` says it: for pre-commit. Contacts nobody.

python -m runbook.environment_files environments/prod.yaml environments/staging.yaml
"""

import subprocess
import sys
from collections.abc import Sequence


def main(files: Sequence[str]) -> int:
    """Read each file as a command would, which tells what is wrong; the highest exit code."""
    return max((_read(file) for file in files), default=0)


def _read(file: str) -> int:
    command = [sys.executable, "-m", "runbook", "-f", file, "settings"]
    return subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
