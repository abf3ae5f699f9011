"""What a user's install weighs: packages and megabytes, of the base install and with each extra.

    python -m bench.install                  # a fresh environment from the wheel
    python -m bench.install --extra scale    # and with an extra
    python -m bench.install --json FILE

Needs what pip needs. Compiled files (`.pyc`) are left out: they come by themselves, later.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[1]
LISTED = """
import json
from importlib.metadata import distributions
print(json.dumps({one.name.lower(): sum(
    file.locate().stat().st_size for file in one.files or ()
    if file.suffix != ".pyc" and file.locate().is_file()) for one in distributions()}))
"""
BEFORE = {"pip", "setuptools"}


def installed(folder: Path, extras: list[str]) -> dict[str, int]:
    """The bytes of each package that the wheel brings into an empty environment."""
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(folder / "dist"), versions=["standard"])
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    what = f"{wheel}[{','.join(extras)}]" if extras else wheel
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check", what],
        check=True,
    )
    done = subprocess.run([python, "-c", LISTED], check=True, capture_output=True, text=True)
    found: dict[str, int] = json.loads(done.stdout)
    return {name: size for name, size in found.items() if name not in BEFORE}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--extra", action="append", default=[])
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = installed(Path(folder), asked.extra)
    rows = sorted(found.items(), key=lambda row: -row[1])
    for name, size in rows:
        print(f"{size / 1e6:8.1f} MB  {name}")
    print(f"{sum(found.values()) / 1e6:8.1f} MB  {len(found)} packages")
    if asked.json:
        result: dict[str, Any] = {"extras": asked.extra, "python": sys.version.split()[0], "bytes": found}
        asked.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
