"""The documented steps, in their order, once."""

from runbook.plan import Step
from runbook.steps import step1_aws, step2_snowflake, step3_aws, step4_snowflake, step5_aws

STEPS: tuple[Step, ...] = (
    Step(1, "step1-aws", "aws", step1_aws),
    Step(2, "step2-snowflake", "snowflake", step2_snowflake),
    Step(3, "step3-aws", "aws", step3_aws),
    Step(4, "step4-snowflake", "snowflake", step4_snowflake),
    Step(5, "step5-aws", "aws", step5_aws),
)
