"""The verbs that change something: made only to apply a plan."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runbook.clouds.calls import call_aws, executed
from runbook.clouds.connections import Clouds, client_for
from runbook.clouds.failures import Row


@dataclass(frozen=True)
class Receipt:
    """What a cloud gave back for one write: Snowflake's query id, or AWS' request id."""

    reference: str


class Writer:
    """The verbs that change something. Made only to apply a plan.

    Each has a Snowflake session: two of different names may write at once. ``ready`` is called before
    every write, and raises where nothing may be changed.
    """

    def __init__(
        self, clouds: Clouds, session: str = "write", *, ready: Callable[[], None] = lambda: None
    ) -> None:
        self.clouds = clouds
        self.session = session
        self.ready = ready
        self.begun = 0  # writes that were sent, answered or not

    def aws(self, service: str, operation: str, **parameters: Any) -> Receipt:
        """One AWS call that writes; raises AwsFailed."""
        self.ready()
        self.begun += 1
        with self.clouds.waiting("aws"):
            answer = call_aws(client_for(self.clouds, service, parameters), service, operation, parameters)
        return Receipt(answer.get("ResponseMetadata", {}).get("RequestId", ""))

    def sql(self, statement: str) -> Receipt:
        """One statement that writes; raises SqlFailed."""
        self.ready()
        connection = self.clouds.snowflake(self.session)
        self.begun += 1
        with self.clouds.waiting("snowflake"):
            return Receipt(executed(connection, statement)[0])

    def answer(self, statement: str) -> tuple[Receipt, list[Row]]:
        """One statement that writes, and the rows it answers with; raises SqlFailed."""
        self.ready()
        connection = self.clouds.snowflake(self.session)
        self.begun += 1
        with self.clouds.waiting("snowflake"):
            query_id, rows = executed(connection, statement)
        return Receipt(query_id), rows
