"""China and GovCloud: other ARNs, other URLs, the same checks (the sandbox is of the ordinary partition)."""

import pytest

from runbook.settings import read
from runbook.verify import check
from tests.unit.conftest import written
from tests.unit.observed import Known, healthy


@pytest.mark.parametrize(
    ("region", "scheme"),
    [("us-west-2", "s3://"), ("cn-north-1", "s3china://"), ("us-gov-west-1", "s3gov://")],
)
def test_a_whole_installation_is_healthy_in_every_partition(region, scheme):
    settings = read(written(aws__region=region))
    assert all(stream.url.startswith(scheme) for stream in settings.streams)
    known = healthy(settings)
    queue = f"arn:{settings.aws.partition}:sqs:{region}:999988887777:sf-snowpipe-AIDAEXAMPLE-abc123"
    known["pipes"] = {
        name: type(pipe)(**{**pipe.__dict__, "notification_channel": queue})
        for name, pipe in known["pipes"].items()
    }
    rules = known["notifications"].document["QueueConfigurations"]
    known["notifications"] = type(known["notifications"])(
        {"QueueConfigurations": [{**rule, "QueueArn": queue} for rule in rules]}
    )
    outcome = check(Known(settings, known), deep=True)
    assert [row for row in outcome.results if row.outcome not in ("passed", "skipped")] == []
    assert outcome.is_healthy
