"""What can go wrong, named by what the reader does next.

    RunbookError
    ├── SettingsWrong   2  correct a setting or the command line; nothing was touched
    │   └── NotWritten     a file or standard output does not take the result
    ├── Refused         2  decide: going on would harm something; nothing was touched
    ├── Blocked         2  run the earlier step that brings the missing value; nothing was touched
    ├── CannotTell      3  a cloud could not be reached, or did not let us look
    │   └── NoCredentials  it is the other administrator's to see
    ├── Unhealthy       1  a check failed
    └── NotConverged    4  some changes were made; run the same command again

Every error says what failed, where, why as far as known, and what to do. The number is the
exit code (docs/runbook.md#exit-codes).
"""

from runbook.invocation import typed
from runbook.remedy import NOTHING, Command, Remedy


class RunbookError(Exception):
    """One paragraph for a person: ``what`` failed, ``where``, ``why``, and the ``remedy``."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", why: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.remedy = remedy
        self.target = ""
        """Where the command ran; known once the settings are read."""

    def __str__(self) -> str:
        """The paragraph; its commands go to the target of this process, which its last sentence names."""
        sentences = [_begun(self.what.rstrip("."))]
        if self.where:
            sentences[0] += f" ({self.where})"
        if self.why:
            sentences.append(_begun(self.why.rstrip(".")))
        if self.remedy:
            sentences.append(f"To do: {self.remedy.rstrip('.')}")
        if self.target:
            sentences.append(f"Target: {self.target}")
        return typed(". ".join(sentences) + ".")


def _begun(text: str) -> str:
    """``text`` with a capital, unless it begins with a name: of a key, file, stream, flag or command."""
    word = text.partition(" ")[0].rstrip(",;")
    return text[:1].upper() + text[1:] if word.isascii() and word.isalpha() and word != "invoke" else text


class SettingsWrong(RunbookError):
    """A setting, a flag or the place the command runs in is wrong; nothing was touched."""

    exit_code = 2


class NotWritten(SettingsWrong):
    """A result was found, and its file or standard output does not take it."""


class Refused(RunbookError):
    """Going on would lose, widen or overwrite something; nothing was touched.

    ``adopts``: the command that takes over what somebody else made, where that is what stands in the way.
    """

    exit_code = 2

    def __init__(
        self, what: str, *, where: str = "", why: str = "", remedy: str = "", adopts: Command | None = None
    ) -> None:
        super().__init__(what, where=where, why=why, remedy=remedy)
        self.adopts = adopts


class Blocked(RunbookError):
    """An earlier step brings a value that is not there yet; nothing was touched."""

    exit_code = 2

    def __init__(self, what: str, *, by_step: int, remedy: str = "") -> None:
        super().__init__(what, why=f"Step {by_step} comes first", remedy=remedy)
        self.by_step = by_step


class CannotTell(RunbookError):
    """A cloud could not be reached or refused to answer.

    ``missing_right`` names the IAM action or the Snowflake privilege, where that is the cause;
    ``unreachable`` says that nobody answered; ``final`` that a sign-in was refused, and that asking again
    in the same run could only lock the user or prompt once more.
    """

    exit_code = 3

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        why: str = "",
        remedy: str = "",
        missing_right: str = "",
        unreachable: bool = False,
        final: bool = False,
    ) -> None:
        super().__init__(what, where=where, why=why, remedy=remedy)
        self.missing_right = missing_right
        self.unreachable = unreachable
        self.final = final


class NoCredentials(CannotTell):
    """Nobody here has credentials of that cloud; the other administrator does."""


class Unhealthy(RunbookError):
    """A check failed: the set-up is not what it claims to be."""

    exit_code = 1


class NotConverged(RunbookError):
    """Changes were made, and something is left to do; running the command again goes on."""

    exit_code = 4


class Advised(AssertionError):
    """What a check says of something that works, and that a careful person would change.

    ``remedy``: where it is not the check's own.
    """

    def __init__(self, what: str, remedy: Remedy = NOTHING) -> None:
        super().__init__(what)
        self.remedy = remedy


class Failing(AssertionError):
    """What a check says is wrong, with the remedy of this very case, where it is not the check's own."""

    def __init__(self, what: str, remedy: Remedy) -> None:
        super().__init__(what)
        self.remedy = remedy


class Absent(Exception):
    """Something a check speaks of is not there; the check named ``asserted_by`` says so."""

    def __init__(self, what: str, *, asserted_by: str) -> None:
        super().__init__(f"{what} does not exist")
        self.asserted_by = asserted_by
