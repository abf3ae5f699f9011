"""Taking back: what the steps made, removed in reverse, and nothing else.

Each step's opposite plans from what is there, like the step: changes as data, safe to repeat and to be
cut off. Only what carries our tag, comment or Id is touched; tables, buckets and their data stay.

    views         -  the typed views; first, for they stand on the tables' names only
    rules         5  our rules out of the bucket's notifications; everybody else's as they were read
    objects       4  pipes, then stages, then file formats
    trust         3  our statement out of the trust policy: from here on Snowflake cannot assume the role
    integration   2  the integration (of a shared one our locations), then the two roles
    role          1  the role and its policy, or only our part of them where others use them
    handed_over   1  the parameter that named all this to the other administrator (a file goes at the end)
"""

from runbook.plan import VIEWS, Step
from runbook.teardown import handed_over, integration, objects, role, rules, trust, views

BACKWARDS: tuple[Step, ...] = (
    Step(VIEWS, "down", "snowflake", views),
    Step(5, "down", "aws", rules),
    Step(4, "down", "snowflake", objects),
    Step(3, "down", "aws", trust),
    Step(2, "down", "snowflake", integration),
    Step(1, "down", "aws", role),
    Step(1, "down", "aws", handed_over),
)
