"""What may be asked without changing anything: all that facts, plans and checks ever see.

A :class:`Reader` refuses whatever is not a read. It reaches a cloud the first time it is asked, after
:meth:`Reader.confirm` has compared who we are with what the settings pin.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from runbook.clouds import sign_in_aws
from runbook.clouds.account import Account
from runbook.clouds.calls import (
    LOOPBACK,
    batches,
    call_aws,
    run_sql,
    snake,
    translated_aws,
    translated_sql,
    while_it_lives,
)
from runbook.clouds.connections import Clouds, client_for
from runbook.clouds.failures import AWS_NO_SESSION, AwsFailed, Row
from runbook.clouds.tape import Question, Straight, Tape
from runbook.errors import CannotTell, NoCredentials, SettingsWrong

T = TypeVar("T")

_READING_AWS = ("Get", "List", "Head", "Describe", "Simulate")
CONTENT = "GetObject"
"""Of a file's content only what is found in it is kept."""
_READING_SQL = ("SELECT", "SHOW", "DESC", "LIST", "LS", "WITH")


@dataclass(frozen=True)
class Identity:
    """Who we are on both sides: ``aws`` is the caller's ARN, ``snowflake`` is user@account."""

    aws: str
    snowflake: str


def _hidden_from(row: Row) -> dict[str, str]:
    """The role that reads, by whose things it may not see: "admin", "owner", neither or both.

    Source: https://docs.snowflake.com/en/sql-reference/functions/is_role_in_session
    """
    role = str(row["role_name"] or "a session without a role")
    if row["is_admin"]:
        return {}
    return {"admin": role} if row["is_owner"] else {"admin": role, "owner": role}


def _all_of(first: CannotTell, *others: CannotTell) -> CannotTell:
    """One paragraph for what may be more than one cloud's trouble."""
    if not others:
        return first
    also = [f"{error.what}: {error.why}" for error in others]
    return CannotTell(
        first.what,
        where=first.where,
        why=". ".join([first.why.rstrip("."), *also]),
        remedy="; ".join(dict.fromkeys(error.remedy for error in (first, *others))),
        unreachable=all(error.unreachable for error in (first, *others)),
    )


_WRONG_CLOCK = re.compile(r"RequestTimeTooSkewed|Signature (?:expired|not yet current)")
"""Sources: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (RequestTimeTooSkewed);
*recorded:* github.com/EngineerBetter/control-tower/issues/51 (STS)."""


def _no_session(error: AwsFailed, target: str) -> CannotTell:
    clock = _WRONG_CLOCK.search(str(error))
    return CannotTell(
        "AWS does not accept the credentials",
        where=f"{target}, {sign_in_aws.profile()}",
        why=str(error),
        remedy="set this machine's clock" if clock else "sign in again, or check AWS_PROFILE",
        final=True,
    )


def not_ours(side: str) -> NoCredentials:
    """Why a side that is the other administrator's cannot be asked."""
    name = {"aws": "AWS", "snowflake": "Snowflake"}[side]
    return NoCredentials(
        f"There are no {name} credentials here", remedy=f"{name}'s administrator runs the same command"
    )


class Reader:
    """Everything that may be asked without changing anything. Safe to use from many threads.

    ``hidden_from``: whose things ("admin", "owner") the role that reads may not see, and that role;
    :meth:`confirm` finds out. What such a role does not see may be there all the same.
    ``closed``: the sides ("aws", "snowflake") that refused the sign-in, and why; asking them raises that.
    Who gives no answer is not asked another time, before :meth:`again`: it would be waited for each time.
    ``tape``: what keeps the answers, or gives those that were kept and asks nobody.
    """

    def __init__(
        self,
        clouds: Clouds,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        tape: Tape | None = None,
    ) -> None:
        self.clouds = clouds
        self._tape = tape or Straight()
        self.settings = clouds.settings
        self.now = now
        self.sleep = sleep
        self.hidden_from: Mapping[str, str] = {}
        self.confirmed = False  # of Snowflake
        self.closed: dict[str, CannotTell] = {}
        self._silent: dict[str, CannotTell] = {}  # by side, or by service of AWS
        self._final: dict[str, CannotTell] = {}  # by side: the sign-in was refused

    def side_by_side(self, width: int) -> AbstractContextManager[Executor]:
        """Threads for independent reads, all ended at the end; Ctrl-C waits for none of them."""
        return self.clouds.side_by_side(width)

    @property
    def absent(self) -> frozenset[str]:
        """The sides that are the other administrator's: nobody has credentials of them here."""
        return frozenset(side for side, why in self.closed.items() if isinstance(why, NoCredentials))

    @property
    def is_refused(self) -> bool:
        """Whether a side refused the sign-in, which is final for this run: waiting changes nothing."""
        return bool(self._final)

    @property
    def trouble(self) -> dict[str, CannotTell]:
        """The sides that could not be asked, or gave no answer, and why; not those that others see."""
        found: dict[str, CannotTell] = {}
        for known in (self._final, self.closed, self._silent):
            for whom, why in known.items():
                side = whom if whom == "snowflake" else "aws"
                if not isinstance(why, NoCredentials):
                    found.setdefault(side, why)
        return found

    def aws(self, service: str, operation: str, **parameters: Any) -> Row:
        """One AWS call that only reads; raises AwsFailed, or CannotTell when AWS is out of reach."""
        if not operation.startswith(_READING_AWS):
            raise AssertionError(f"{service}:{operation} is not a read")

        def ask() -> Row:
            return call_aws(client_for(self.clouds, service, parameters), service, operation, parameters)

        with self.asked("aws", service):
            if operation == CONTENT:
                return ask()
            return self.kept(("aws", service, operation, parameters), ask)

    def kept(self, question: Question, ask: Callable[[], T]) -> T:
        """What ``ask`` finds, or what was found when this was recorded."""
        return self._tape.kept(question, ask)

    def aws_pages(self, service: str, operation: str, key: str, **parameters: Any) -> list[Any]:
        """All items of a paginated read."""

        def ask() -> list[Any]:
            items: list[Any] = []
            with translated_aws(service, operation):
                client = client_for(self.clouds, service, parameters)
                for page in client.get_paginator(snake(operation)).paginate(**parameters):
                    if told := sign_in_aws.answered_by_another(page, service, operation):
                        raise told
                    items.extend(page.get(key, ()))
            return items

        with self.asked("aws", service):
            return self.kept(("aws_pages", service, operation, key, parameters), ask)

    def sql(self, statement: str, binds: Sequence[Any] | Mapping[str, Any] | None = None) -> list[Row]:
        """The rows of one statement that only reads, keys in lower case; raises SqlFailed."""
        if not statement.lstrip().upper().startswith(_READING_SQL):
            raise AssertionError(f"not a read: {statement[:60]}")
        with self.asked("snowflake"):
            return self.kept(
                ("sql", statement, binds), lambda: run_sql(self.clouds.snowflake("read"), statement, binds)
            )

    @contextmanager
    def asked(self, side: str, service: str = "") -> Iterator[None]:
        """One question; raises at once, with the reason, where an earlier one was not answered."""
        whom = service or side
        for known in (self._final, self.closed, self._silent):
            if told := known.get(side) or known.get(whom):
                raise told
        try:
            with self.clouds.waiting(side, self.now):
                yield
        except CannotTell as error:
            known = self._final if error.final else self._silent
            raise known.setdefault(side if error.final else whom, error) from None
        except AwsFailed as error:
            if error.code not in AWS_NO_SESSION:
                raise
            raise self._final.setdefault(side, _no_session(error, self.settings.target)) from None

    def waited_for(self) -> dict[str, float]:
        """The sides that have not answered, and for how many seconds the oldest question has been open."""
        open_since: dict[str, float] = {}
        for side, begun in list(self.clouds.open.values()):
            open_since[side] = min(begun, open_since.get(side, begun))
        return {side: self.now() - begun for side, begun in open_since.items()}

    def again(self) -> None:
        """Ask again whoever gave no answer; a side that refused the sign-in is tried again.

        Raises SettingsWrong where it is another account by now.
        """
        sides = {side for side, why in self.closed.items() if not isinstance(why, NoCredentials)}
        sides = (sides | ({"aws", "snowflake"} & self._silent.keys())) - self._final.keys()
        self._silent.clear()
        for side in sides:
            self.closed.pop(side, None)
            if side == "snowflake":
                self.clouds.forget("read")
            try:
                self.confirm(aws=side == "aws", snowflake=side == "snowflake")
            except CannotTell as error:
                self.closed[side] = error
        self._silent.clear()

    def batches(self, statement: str) -> Iterator[Any]:
        """The rows of one statement that only reads, some at a time, however many there are.

        Each batch is an Arrow table with column names in lower case or, where the answer is not Arrow
        (SHOW, LIST), a list of rows. Raises SqlFailed.
        """
        if not statement.lstrip().upper().startswith(_READING_SQL):
            raise AssertionError(f"not a read: {statement[:60]}")
        with self.asked("snowflake"):
            found = self._found(self.clouds.snowflake("read"), statement)
        while True:
            with self.asked("snowflake"), translated_sql(statement):
                batch = next(found, None)
            if batch is None:
                return
            yield batch

    def _found(self, connection: Any, statement: str) -> Iterator[Any]:
        if getattr(connection, "host", "") not in LOOPBACK:
            return batches(connection, statement)
        host, port = connection.host, int(connection.port)
        with translated_sql(statement):
            return iter(while_it_lives(host, port, lambda: list(batches(connection, statement))))

    def confirm(self, *, aws: bool = True, snowflake: bool = True, partly: bool = False) -> Identity:
        """Who we are, compared with the pinned accounts; raises SettingsWrong on a mismatch.

        ``partly``: a side that refuses the sign-in is ``closed`` instead of raised, unless both are.
        """
        with self._sandbox_answers(), self.side_by_side(2) as pool:
            asked = {"aws": pool.submit(self._confirm_aws)} if aws else {}
            if snowflake:
                asked["snowflake"] = pool.submit(self._confirm_snowflake)
            who = {"aws": "", "snowflake": ""}
            closed: dict[str, CannotTell] = {}
            for side, answer in asked.items():
                try:
                    who[side] = answer.result()
                except CannotTell as error:
                    closed[side] = error
            if closed and (not partly or len(closed) == len(asked)):
                raise _all_of(*closed.values())
            self.closed |= closed
            return Identity(**who)

    @contextmanager
    def _sandbox_answers(self) -> Iterator[None]:
        """A sandbox out of reach is told as that, not as a cloud's trouble."""
        try:
            yield
        except CannotTell as error:
            if not self.settings.is_sandbox or not error.unreachable:
                raise
            raise CannotTell(
                "The sandbox does not answer",
                why=f"{error.what}: {error.why}",
                remedy="run the command again, it starts a new one; where RUNBOOK_SANDBOX_GIVEN is set, "
                'first eval "$(invoke sandbox.env)"',
            ) from None

    def sign_in_to_snowflake(self) -> None:
        """Sign in, and see that it is the pinned account, where the command has not yet asked Snowflake.

        Raises CannotTell where nobody may, SettingsWrong where it is another account.
        """
        if not self.confirmed and "snowflake" not in self.closed:
            if not self.clouds.has_credentials("snowflake"):
                raise not_ours("snowflake")
            self.confirm(aws=False)

    def _confirm_aws(self) -> str:
        try:
            caller = self.aws("sts", "GetCallerIdentity")
        except AwsFailed as error:
            raise _no_session(error, self.settings.target) from None
        if caller["Account"] != self.settings.aws.account_id:
            raise SettingsWrong(
                f"The AWS credentials belong to account {caller['Account']}, "
                f"the settings pin {self.settings.aws.account_id}",
                where=self.settings.target,
                remedy="use the other profile, or the other environment file",
            )
        if caller["Arn"].endswith(":root"):
            raise SettingsWrong("The AWS credentials are the account's root user", remedy="use a role")
        return str(caller["Arn"])

    def _confirm_snowflake(self) -> str:
        row = self.sql(
            "SELECT CURRENT_ACCOUNT() AS locator, CURRENT_ORGANIZATION_NAME() AS organization, "
            "CURRENT_ACCOUNT_NAME() AS account_name, CURRENT_REGION() AS region, "
            "CURRENT_USER() AS user_name, "
            "CURRENT_ROLE() AS role_name, IS_ROLE_IN_SESSION(%s) AS is_admin, "
            "IS_ROLE_IN_SESSION(%s) AS is_owner",
            (str(self.settings.snowflake.admin_role), str(self.settings.snowflake.owner_role)),
        )[0]
        self.hidden_from = _hidden_from(row)
        self.confirmed = True
        here = Account(
            *(str(row.get(part) or "") for part in ("locator", "organization", "account_name", "region"))
        )
        if not here.is_called(self.settings.snowflake.account):
            raise SettingsWrong(
                f"The Snowflake connection goes to {here}, "
                f"the settings pin {self.settings.snowflake.account}",
                where=self.settings.target,
                remedy="use the other connection, or the other environment file",
            )
        return f"{row['user_name']}@{row['locator']}"
