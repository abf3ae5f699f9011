"""Whatever is written, the sandbox answers in Snowflake's words or says what it does not emulate."""

import re
from collections.abc import Iterator
from typing import Any

import fuzzing
import pytest
from snowpipe_sandbox.snowflake import encoding, statements
from snowpipe_sandbox.snowflake.account import Account
from snowpipe_sandbox.snowflake.parameters import SessionParameters
from snowpipe_sandbox.snowflake.queries import Query
from snowpipe_sandbox.snowflake.sessions import Session

OTHERS_WORDS = re.compile(
    r"duckdb|sqlglot|fakesnow|traceback|nonetype|\b(?:Binder|Catalog|Parser|Conversion|Invalid Input|"
    r"Out of Range|Not implemented|Constraint|Internal|Type|Key|Value|Attribute)\s?Error\b|"
    r"sandbox_(?!wh)|_fs_|"
    r"the sandbox failed|Candidate functions|Expecting [^c\d]",
    re.IGNORECASE,
)
NUMBERS_OF_THE_SANDBOX_ITSELF = (603,)
BATCH = 250


class Fuzz:
    """A session inside the sandbox, and everything wrong with its answers."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.wrong: list[str] = []
        account.report = self._reported  # type: ignore[method-assign]
        self.session = self._session()

    def _session(self) -> Session:
        session = Session(self.account, self.account.user, "ACCOUNTADMIN", SessionParameters({}))
        session.warehouse = self.account.default_warehouse
        return session

    def _reported(self, error: Exception) -> None:
        self.wrong.append(f"internal error {type(error).__name__}: {error}")

    def run(self, text: str) -> Query:
        """Run one statement to its end and write its answer as both wires would."""
        query = self.session.new_query(text, {})
        statements.execute(query)
        if query.result is not None:
            encoding.arrow_base64(query.result)
            encoding.json_rows(query.result)
        return query

    def batch(self, texts: Iterator[str]) -> None:
        """Run the statements on a fresh session, and note what is wrong with any answer."""
        self.session.close()
        self.session = self._session()
        for number, text in enumerate(texts):
            if number % 25 == 0:
                for made in fuzzing.SETUP:
                    self.run(made)
            before = len(self.wrong)
            try:
                self.judge(self.run(text))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is wrong
                self.wrong.append(f"{type(error).__name__}: {error}")
            self.wrong[before:] = [f"{text!r}: {each}" for each in self.wrong[before:]]

    def judge(self, query: Query) -> None:
        error = query.error
        if error is None:
            return
        said = error.message.replace(query.text, "").replace(" ".join(query.text.split())[:100], "")
        if error.errno in NUMBERS_OF_THE_SANDBOX_ITSELF:
            self.wrong.append(str(error))
        elif found := OTHERS_WORDS.search(said):
            self.wrong.append(f"{found.group()} in {error}")
        elif error.errno == 2 and error.message.rstrip().endswith("not emulated:"):
            self.wrong.append(f"does not say what: {error}")


@pytest.fixture
def fuzz(sandbox: Any, tenant: Any) -> Fuzz:
    return Fuzz(sandbox.tenants.get(tenant.name).account())


def test_every_refusal_names_itself(fuzz: Fuzz) -> None:
    fuzz.batch(fuzzing.statements(seed=0, count=BATCH))
    assert fuzz.wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 81))
def test_every_refusal_of_twenty_thousand_names_itself(fuzz: Fuzz, seed: int) -> None:
    fuzz.batch(fuzzing.statements(seed, BATCH))
    assert fuzz.wrong == []
