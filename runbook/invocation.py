"""How this process was called: its project folder, its settings file, and commands printed to match.

Messages, checks and documents write a command as ``invoke step5-aws``. A person pastes it into a terminal,
and it must go to the target it was printed for: what prints it passes it through :func:`typed`, which puts
in the ``-f FILE`` of this process. :data:`HERE` belongs to the process, as ``sys.argv`` does; the tasks
set it once, before a command runs.
"""

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

TASKS = (
    "step1-aws",
    "step2-snowflake",
    "step3-aws",
    "step4-snowflake",
    "step5-aws",
    "check",
    "discover",
    "doctor",
    "up",
    "down",
    "plan",
    "verify",
    "status",
    "explain",
    "refresh",
    "backfill",
    "replace-pipe",
    "pause",
    "resume",
    "handoff",
    "tfvars",
    "runs",
    "settings",
    "sql",
    "watch",
    "report",
    "views",
)
"""The tasks that read the settings; the sandbox's own, compare, demo and lint have no target to choose."""

_COMMAND = re.compile(rf"(?<![\w./-])invoke (?=(?:{'|'.join(TASKS)})(?![\w-]))")


@dataclass
class Invocation:
    """Invoke's -f, -r and -c, as they were given, the program, and the folder of ``tasks.py``.

    A file that the variable INVOKE_RUNTIME_CONFIG names counts as given: a printed command is often read in
    another shell than it was printed in. ``variables``: those that turn the file's target into another.
    """

    file: str = ""
    root: str = ""
    collection: str = ""
    project: Path = Path()
    program: str = "invoke"
    variables: tuple[tuple[str, str], ...] = ()

    def typed(self, text: str) -> str:
        """``text`` with every command in it as it must be typed to go where this process went."""
        if self.words == "invoke" or "invoke " not in text:
            return text
        return _COMMAND.sub(lambda _: f"{self.words} ", text)

    @property
    def words(self) -> str:
        """``invoke``, with the variables and the switches before a task that lead to the same target."""
        switches = (("-r", self.root), ("-c", self.collection), ("-f", self.file))
        given = [f"{switch} {shlex.quote(value)}" for switch, value in switches if value]
        before = [f"{name}={shlex.quote(value)}" for name, value in self.variables]
        return " ".join([*before, self.program, *given])

    @property
    def home(self) -> Path:
        """The folder of records and of the sandbox: RUNBOOK_HOME, or .runbook in the project folder."""
        given = os.environ.get("RUNBOOK_HOME")
        return Path(given) if given else self.project / ".runbook"


HERE = Invocation()


def typed(text: str) -> str:
    """``text`` with every ``invoke TASK`` in it as it must be typed to go where this process went."""
    return HERE.typed(text)


def home() -> Path:
    """The folder of records and of the sandbox."""
    return HERE.home
