"""Two installations in the same accounts, and one that moves: nobody's pipeline is taken over or starved.

Every combination of shared names is planned in tests/unit/test_two_installations.py; here some are lived.
"""

import gzip
import json
from dataclasses import replace

import pytest

from tests.scenarios.conftest import Installation
from tests.scenarios.test_backfill import event

STAGING = {
    "SNOWFLAKE_DATABASE": "RAW_STG",
    "STREAMS_EVENTS_PREFIX": "staging/stream/",
    "STREAMS_EVENTS_BAD_PREFIX": "staging/bad/",
}
OWN = {"AWS_POLICY_NAME": "policy-stg", "AWS_ROLE_NAME": "role-stg", "SNOWFLAKE_INTEGRATION": "STG_S3"}
SHARED = {"AWS_POLICY_NAME": "policy-stg", "AWS_SHARE_ROLE": "1", "SNOWFLAKE_SHARE_INTEGRATION": "1"}


def beside(first: Installation, changes: dict[str, str]) -> Installation:
    """Another environment file in the same accounts."""
    more = {f"INVOKE_{name}": value for name, value in changes.items()}
    return replace(first, environment={**first.environment, **more})


def documents(at: Installation) -> str:
    """Policies, roles, rules and integrations, as independent clients read them."""
    iam, found = at.aws("iam"), []
    for policy in iam.list_policies(Scope="Local")["Policies"]:
        version = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])
        tags = iam.list_policy_tags(PolicyArn=policy["Arn"])["Tags"]
        found.append([policy["Arn"], version["PolicyVersion"]["Document"], tags])
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        tags = iam.list_role_tags(RoleName=name)["Tags"]
        found.append([name, role["AssumeRolePolicyDocument"], attached, tags])
    rules = at.aws("s3").get_bucket_notification_configuration(Bucket=at.settings.aws.bucket)
    found.append(sorted(map(str, rules.get("QueueConfigurations", ()))))
    names = [row[0] for row in at.sql("SHOW INTEGRATIONS")]
    found += [[each[2] for each in at.sql(f"DESC INTEGRATION {name}")] for name in names]
    return json.dumps(found, sort_keys=True, default=str)


def loaded(at: Installation, folder: str, name: str, table: str = "RAW.SNOWPLOW.EVENTS") -> bool:
    """Whether a file that arrives there now is loaded."""
    key = f"{folder}{name}"
    body = gzip.compress(event(name, 1) + b"\n")
    at.aws("s3").put_object(Bucket=at.settings.aws.bucket, Key=key, Body=body)
    at.settle()
    return at.sql(f"SELECT COUNT(*) FROM {table} WHERE _file = '{key}'") == [(1,)]


def test_a_second_one_with_the_default_names_is_refused_and_nothing_is_changed(healthy: Installation) -> None:
    before = documents(healthy)
    staging = beside(healthy, STAGING)
    refused = " ".join(staging.run("up", expect=2).stderr.split())
    assert "belongs to another installation" in refused
    assert "set aws.policy_name to a name of this installation's own" in refused
    assert "there is nothing to take back" in staging.run("down").stdout
    assert documents(healthy) == before
    healthy.assert_healthy()


@pytest.mark.parametrize("names", [OWN, SHARED], ids=["apart", "shared"])
def test_two_live_side_by_side_and_each_takes_back_its_own(
    healthy: Installation, names: dict[str, str]
) -> None:
    before = documents(healthy)
    staging = beside(healthy, {**STAGING, **names})
    staging.run("up")
    healthy.assert_healthy()
    assert staging.verify()["healthy"]
    assert loaded(healthy, healthy.stream("events").prefix, "a.gz")
    assert loaded(healthy, "staging/stream/", "b.gz", "RAW_STG.SNOWPLOW.EVENTS")
    assert "nothing to change" in healthy.run("step2-snowflake").stdout
    staging.run("down")
    assert documents(healthy) == before
    healthy.assert_healthy()


def test_a_shared_integration_is_not_taken_from_under_the_other(healthy: Installation) -> None:
    staging = beside(healthy, {**STAGING, **SHARED})
    staging.run("up")
    before = documents(healthy)
    assert "RAW_STG.SNOWPLOW.ENRICHED_STAGE" in healthy.run("down", expect=2).stderr.replace("\n       ", " ")
    assert documents(healthy) == before
    assert staging.verify()["healthy"]


def test_a_prefix_moves_without_losing_a_file(healthy: Installation) -> None:
    """docs/runbook.md#moving, as it is written there."""
    old, new = healthy.stream("events").prefix, "moved/stream/"
    moved = beside(
        healthy,
        {
            "STREAMS_EVENTS_PREFIX": new,
            "STREAMS_EVENTS_STAGE": "ENRICHED_STAGE_2",
            "STREAMS_EVENTS_PIPE": "EVENTS_PIPE_2",
        },
    )
    assert loaded(healthy, old, "before.gz")
    told = " ".join(moved.run("plan").stdout.split())
    assert (
        f"it still reads {healthy.settings.aws.bucket}/{old}, for the pipe RAW.SNOWPLOW.EVENTS_PIPE" in told
    )
    said = " ".join(moved.run("up").stderr.split())
    assert "invoke down --stream EVENTS_PIPE" in said
    assert loaded(healthy, old, "meanwhile.gz")
    assert loaded(healthy, new, "first.gz")
    assert moved.verify()["root_causes"] == ["step4.nothing-of-ours-is-left-over"]

    before = healthy.requests()[-1]["n"]
    dry = " ".join(moved.run("down", "--stream", "EVENTS_PIPE", "--dry-run").stdout.split())
    assert "lost for good: the load history of RAW.SNOWPLOW.EVENTS_PIPE" in dry
    assert healthy.writes_since(before) == []
    moved.run("down", "--stream", "EVENTS_PIPE")
    told = " ".join(moved.run("plan").stdout.split())
    assert f"it no longer reads {healthy.settings.aws.bucket}/{old}" in told
    moved.run("up")
    assert old not in documents(healthy)
    assert loaded(healthy, new, "last.gz")
    assert moved.verify()["healthy"]
    rows = healthy.sql("SELECT _file, COUNT(*) FROM RAW.SNOWPLOW.EVENTS GROUP BY 1")
    assert sorted(rows) == [
        *[(f"{new}{name}", 1) for name in ("first.gz", "last.gz")],
        *[(f"{old}{name}", 1) for name in ("before.gz", "meanwhile.gz")],
    ]


def test_a_second_external_id_in_our_statement_is_right_and_stays(healthy: Installation) -> None:
    iam, name = healthy.aws("iam"), healthy.settings.aws.role_name
    trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    [row] = trust["Statement"]
    row["Condition"]["StringEquals"]["sts:ExternalId"] = [
        "another_SFCRole=1",
        row["Condition"]["StringEquals"]["sts:ExternalId"],
    ]
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
    healthy.assert_healthy()
    assert "nothing to change" in healthy.run("step3-aws").stdout
    row["Condition"]["StringEquals"]["sts:ExternalId"] = ["another_SFCRole=1", "third_SFCRole=2"]
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
    assert healthy.verify()["root_causes"] == ["step3.trust-external-id"]
    assert "the external ID another_SFCRole=1 stays" in " ".join(healthy.run("step3-aws").stdout.split())
    healthy.assert_healthy()
