"""`verify --deep` on recorded answers, each of which is a round trip away: a process of its own.

    python -m tests.scenarios.far BUNDLE SECONDS

What a sandbox on the same machine would need of its processor is not measured. Prints the number of calls.
"""

import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from runbook import settings as reading
from runbook.clouds.connections import Clouds
from runbook.clouds.reader import Reader
from runbook.clouds.tape import Player, Question, unpacked
from runbook.commands import verify  # noqa: F401 - what the command imports
from runbook.facts import Facts
from runbook.terminal import Style
from runbook.verify import check, recording
from runbook.verify.tell import as_table

T = TypeVar("T")


class Far:
    """Recorded answers, each a round trip away."""

    def __init__(self, answers: dict[str, list[Any]], a_call_s: float) -> None:
        self._player, self._a_call_s = Player(answers), a_call_s
        self._lock = threading.Lock()
        self.calls = 0

    def kept(self, question: Question, ask: Callable[[], T]) -> T:
        with self._lock:
            self.calls += 1
        time.sleep(self._a_call_s)
        return self._player.kept(question, ask)


def main(bundle: str, a_call_s: float) -> None:
    made = recording.read(bundle)
    settings = reading.read(unpacked(made["settings"]), source="the recording")
    tape = Far(made["answers"], a_call_s)
    reader = Reader(Clouds(settings, run_id="far", command="verify"), tape=tape)
    reader.confirm()
    outcome = check(Facts(reader), deep=True)
    assert not outcome.root_causes
    assert as_table(outcome, Style(colour=False, width=80))
    print(tape.calls)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
