"""Step 2 plans, given these facts, these changes: roles, integration and who may use it."""

# ruff: noqa: E501 (a table has one row a line)

import pytest

from runbook.errors import Refused
from runbook.plan import SqlChange
from runbook.settings import read
from runbook.sql import rendered
from runbook.wanted.grants import Grant
from tests.unit.conftest import written
from tests.unit.observed import Known, healthy, integration
from tests.unit.planned import changes, files


def test_from_nothing(settings, absent, facts):
    assert changes(2, facts(absent)) == [
        SqlChange(
            "step2_snowflake/10_roles.sql",
            rendered("step2_snowflake/10_roles.sql", settings),
            "the role SNOWPLOW_LOADER does not exist; the role SNOWPLOW_OPERATOR does not exist",
        ),
        SqlChange(
            "step2_snowflake/20_integration.sql",
            rendered("step2_snowflake/20_integration.sql", settings),
            "the integration does not exist",
        ),
        SqlChange(
            "step2_snowflake/30_usage.sql",
            rendered("step2_snowflake/30_usage.sql", settings),
            "SYSADMIN has no USAGE on it; SNOWPLOW_LOADER has no USAGE on it; SNOWPLOW_OPERATOR has no USAGE on it",
        ),
    ]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"enabled": False}, "the integration is disabled"),
        ({"role_arn": "arn:aws:iam::1:role/old"}, "it is for the role arn:aws:iam::1:role/old"),
        ({"allowed_locations": ("*",)}, "it allows *; it will no longer allow *"),
        ({"allowed_locations": ()}, "it allows nothing"),
        (
            {"allowed_locations": ("s3://b/", "s3://a/")},
            "it allows s3://a/, s3://b/; it will no longer allow s3://a/, s3://b/",
        ),
    ],
)
def test_an_integration_that_drifted_is_altered(settings, found, facts, changed, why):
    found["integration"] = integration(settings, **changed)
    found["stages_on_it"] = {}
    assert files(2, facts(found)) == [("20_integration.sql", why)]


def test_an_integration_that_is_not_ours_is_altered_only_when_adopted(settings, found, facts):
    found["integration"] = integration(settings, comment="by Bob", role_arn="arn:aws:iam::1:role/bobs")
    with pytest.raises(Refused, match="not made by this project") as refused:
        changes(2, facts(found))
    assert "it is for the role arn:aws:iam::1:role/bobs" in refused.value.why
    assert "--adopt" in refused.value.remedy
    found["integration"] = integration(settings, comment="by Bob")
    assert changes(2, facts(found)) == []


def test_an_integration_for_another_provider_is_refused(settings, found, facts):
    found["integration"] = integration(settings, provider="GCS")
    with pytest.raises(Refused, match="is for GCS, not S3"):
        changes(2, facts(found))


def test_a_role_that_is_gone_and_one_that_is_not_granted(settings, found, facts):
    found["roles"] = found["roles"] - {"SNOWPLOW_OPERATOR"}
    assert files(2, facts(found)) == [("10_roles.sql", "the role SNOWPLOW_OPERATOR does not exist")]
    found["roles"] = found["roles"] | {"SNOWPLOW_OPERATOR"}
    owner = ("grants", settings.snowflake.owner_role)
    found[owner] = found[owner] - {Grant("USAGE", "ROLE", "SNOWPLOW_LOADER")}
    assert files(2, facts(found)) == [("10_roles.sql", "SNOWPLOW_LOADER is not granted to SYSADMIN")]


@pytest.mark.parametrize("who", ["owner_role", "loader_role", "operator_role"])
def test_usage_that_was_revoked_is_granted_again(settings, found, facts, who):
    name = getattr(settings.snowflake, who)
    found[("grants", name)] = found[("grants", name)] - {Grant("USAGE", "INTEGRATION", "SNOWPLOW_S3")}
    assert files(2, facts(found)) == [("30_usage.sql", f"{name} has no USAGE on it")]


def test_whoever_owns_the_integration_needs_no_usage(settings, found, facts):
    owner = ("grants", settings.snowflake.owner_role)
    found[owner] = found[owner] - {Grant("USAGE", "INTEGRATION", "SNOWPLOW_S3")}
    found[owner] = found[owner] | {Grant("OWNERSHIP", "INTEGRATION", "SNOWPLOW_S3")}
    assert changes(2, facts(found)) == []


def test_one_role_for_everything_is_not_granted_to_itself():
    settings = read(written(snowflake__loader_role="SYSADMIN", snowflake__operator_role="SYSADMIN"))
    found = healthy(settings)
    found[("grants", settings.snowflake.owner_role)] = frozenset(
        {Grant("USAGE", "INTEGRATION", "SNOWPLOW_S3")}
    )
    assert changes(2, Known(settings, found)) == []
