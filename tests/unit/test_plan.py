"""Applying a plan: in order, stopped at the first refusal, observed again; and changes as typed."""

import json
import shlex

import pytest
from botocore import xform_name
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from runbook.clouds.failures import AwsFailed, SqlFailed
from runbook.errors import Blocked, CannotTell, NotConverged, Refused, RunbookError, SettingsWrong
from runbook.facts.objects import Entry
from runbook.plan import AwsChange, Before, SqlChange, again, apply, as_typed, make, plan_step
from runbook.policies.documents import text
from runbook.steps import STEPS
from runbook.wanted.rules import BucketNotifications
from tests.unit.observed import FakeReader, FakeWriter, Known, integration, policy, role

READ = "s3:GetBucketNotificationConfiguration"
DENIED = AwsFailed("iam", "CreateRole", "AccessDenied", "User is not authorized", "request")
NO_PRIVILEGE = SqlFailed(3001, "Insufficient privileges", "query", "CREATE")


def refusing(part, error):
    return FakeWriter(lambda what: error if part in what else None)


def nobody_is_asked(question):
    raise AssertionError(question)


def applied(number, facts, writer, told=None, ask=nobody_is_asked):
    """Plan the step on these facts and apply it."""
    told = [] if told is None else told
    return apply(plan_step(STEPS[number - 1], facts), facts, writer, told.append, ask)


# ---- apply


def test_a_name_that_is_taken_in_other_capitals_is_said():
    taken = AwsFailed(
        "iam", "CreateRole", "EntityAlreadyExists", "Role with name X already exists", "request"
    )
    assert "differs only in capitals or path is taken, set another in the settings" in again(
        taken, "step1-aws"
    )


def test_changes_are_made_in_order_and_told_with_their_references(absent, found, facts):
    writer, told = FakeWriter(), []
    seen = applied(1, facts(absent, then=facts(found)), writer, told)
    assert writer.written == ["iam:CreatePolicy", "iam:CreateRole", "iam:AttachRolePolicy"]
    assert [each.change.operation for each in told] == ["CreatePolicy", "CreateRole", "AttachRolePolicy"]
    assert [each.receipts[0].reference for each in told] == ["reference-1", "reference-2", "reference-3"]
    assert seen.role is not None


def test_a_file_is_run_statement_by_statement(absent, found, facts):
    writer = FakeWriter()
    told = []
    applied(2, facts(absent, then=facts(found)), writer, told)
    assert writer.written[0] == "USE ROLE ACCOUNTADMIN"
    assert [len(each.receipts) for each in told] == [5, 3, 4]
    assert len(writer.written) == 12


def test_an_empty_plan_writes_nothing(found, facts):
    writer = FakeWriter()
    for number in range(1, 6):
        applied(number, facts(found), writer)
    assert writer.written == []


def test_a_blocked_plan_writes_nothing(settings, found, facts):
    writer = FakeWriter()
    known = facts({**found, "integration": None})
    for number in (3, 4):
        with pytest.raises(Blocked):
            applied(number, known, writer)
    assert writer.written == []


def test_a_refusal_of_the_first_change_stops_before_anything_and_ends_with_3(absent, facts):
    writer = refusing("CreatePolicy", DENIED)
    with pytest.raises(CannotTell) as stopped:
        applied(1, facts(absent), writer)
    assert writer.written == []
    assert stopped.value.exit_code == 3
    assert "nothing was changed" in str(stopped.value)
    assert "grant iam:CreateRole" in str(stopped.value)


def test_a_refusal_half_way_stops_there_and_ends_with_4(absent, facts):
    writer, told = refusing("CreateRole", DENIED), []
    with pytest.raises(NotConverged) as stopped:
        applied(1, facts(absent), writer, told)
    assert writer.written == ["iam:CreatePolicy"]
    assert len(told) == 1
    assert stopped.value.exit_code == 4
    assert "1 of 3 changes were made before it" in str(stopped.value)
    assert "run `invoke step1-aws` again" in str(stopped.value)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (NO_PRIVILEGE, "let a role with that privilege run it"),
        (SqlFailed(2003, "Object does not exist", "q", "x"), "the role may see it"),
        (SqlFailed(3167, "Error assuming AWS_ROLE", "q", "x"), "verify --step 3"),
        (SqlFailed(606, "No active warehouse", "q", "x"), "give the connection a warehouse"),
        (SqlFailed(1003, "syntax error", "q", "x"), "run `invoke step2-snowflake` again"),
        (CannotTell("Snowflake cannot be reached"), "run `invoke step2-snowflake` again"),
    ],
)
def test_a_file_that_stopped_half_way_is_not_called_unchanged(absent, facts, error, advice):
    writer = refusing("CREATE ROLE IF NOT EXISTS SNOWPLOW_OPERATOR", error)
    with pytest.raises(NotConverged) as stopped:
        applied(2, facts(absent), writer)
    assert writer.written[-1].startswith("CREATE ROLE IF NOT EXISTS SNOWPLOW_LOADER")
    assert "nothing was changed" not in str(stopped.value)
    assert advice in str(stopped.value)


def test_what_is_left_to_do_afterwards_is_not_converged(absent, found, facts):
    with pytest.raises(
        NotConverged, match=r"Step 1 was applied, and still .*iam:CreatePolicy \(the policy does not exist\)"
    ):
        applied(1, facts(absent, then=facts({**found, "policy": None})), FakeWriter())


def test_a_value_that_went_away_meanwhile_is_not_converged(settings, found, facts):
    closed = {**found, "role": role(settings, trust={"Version": "2012-10-17", "Statement": []})}
    answer = {"iam:GetRole": {"Role": {"AssumeRolePolicyDocument": closed["role"].trust}}}
    with pytest.raises(NotConverged, match="Step 2 comes first"):
        applied(3, facts(closed, then=facts({**found, "integration": None}), answers=answer), FakeWriter())


def test_a_change_that_cannot_be_recorded_is_not_called_unmade(absent, facts):
    def full(_):
        raise SettingsWrong("The record of this run cannot be written", why="No space left on device")

    writer = FakeWriter()
    with pytest.raises(NotConverged) as stopped:
        apply(plan_step(STEPS[0], facts(absent)), facts(absent), writer, full, nobody_is_asked)
    assert writer.written == ["iam:CreatePolicy"]
    assert "No space left on device" in str(stopped.value)
    assert "nothing was changed" not in str(stopped.value)


# ---- before


def with_document_now(found, facts, document):
    answer = {**document, "ResponseMetadata": {"RequestId": "another"}}
    return facts({**found, "notifications": BucketNotifications()}, answers={READ: answer}, then=facts(found))


def test_a_document_that_still_is_what_it_was_is_replaced(found, facts):
    writer = FakeWriter()
    applied(5, with_document_now(found, facts, {}), writer)
    assert writer.written == ["s3:PutBucketNotificationConfiguration"]


@pytest.mark.parametrize(
    "document", [{"EventBridgeConfiguration": {}}, {"QueueConfigurations": [{"Id": "new"}]}]
)
def test_a_document_that_somebody_has_just_changed_is_not_overwritten(found, facts, document):
    writer = FakeWriter()
    still = facts({**found, "notifications": BucketNotifications()}, answers={READ: document})
    overtaken = facts({**found, "notifications": BucketNotifications()}, answers={READ: document}, then=still)
    with pytest.raises(RunbookError, match="somebody else has just made") as stopped:
        applied(5, overtaken, writer)
    assert writer.written == []
    assert stopped.value.exit_code == 3


def test_what_somebody_else_has_done_meanwhile_is_not_done_again(found, facts):
    writer = FakeWriter()
    applied(5, with_document_now(found, facts, {"QueueConfigurations": [{"Id": "new"}]}), writer)
    assert writer.written == []


THEIRS = {"Id": "theirs", "QueueArn": "arn:aws:sqs:x", "Events": ["s3:ObjectCreated:*"]}


def beside_a_dead_rule(found, facts):
    document = {"QueueConfigurations": [THEIRS | {"Filter": {"Key": {"FilterRules": []}}}]}
    document["QueueConfigurations"][0]["Filter"]["Key"]["FilterRules"] = [{"Name": "prefix", "Value": "x/"}]
    before = {**found, "notifications": BucketNotifications(document)}
    return facts(before, answers={READ: document}, then=facts(found))


def test_a_document_is_written_past_somebodys_dead_rule_where_a_person_agrees(found, facts):
    told, asked, refusals = [], [], [GONE]
    writer = FakeWriter(lambda _: refusals.pop() if refusals else None)
    applied(5, beside_a_dead_rule(found, facts), writer, told, asked.append)
    assert len(asked) == 1
    assert "validation" in asked[0]
    assert told[0].change.parameters["SkipDestinationValidation"] is True, (
        "the record says how it was written"
    )


def test_a_document_is_not_written_past_a_dead_rule_where_a_person_does_not_agree(found, facts):
    def no(_):
        raise SettingsWrong("Nothing was changed: the answer was no")

    writer = FakeWriter(lambda _: GONE)
    with pytest.raises(RunbookError, match="have the owner of the rule"):
        applied(5, beside_a_dead_rule(found, facts), writer, ask=no)
    assert writer.written == []


def test_a_destination_of_ours_that_is_not_there_is_never_written(found, facts):
    ours = AwsFailed("s3", "PutX", "InvalidArgument", GONE.message.replace("sqs:x", "sqs:ours"), "request")
    with pytest.raises(RunbookError, match="sqs:ours"):
        applied(5, beside_a_dead_rule(found, facts), FakeWriter(lambda _: ours))


def test_a_document_that_cannot_be_read_again_is_not_overwritten(settings):
    change = AwsChange("s3", "PutX", {}, "why", Before("GetBucketNotificationConfiguration", {}, {}))
    writer = FakeWriter()
    with pytest.raises(AwsFailed):
        make(change, FakeReader(settings, {READ: DENIED}), writer)
    assert writer.written == []


ABORTED = AwsFailed("s3", "PutX", "OperationAborted", "A conflicting conditional operation", "request")
UNKNOWN = AwsFailed("iam", "AttachRolePolicy", "NoSuchEntity", "Policy x does not exist", "request")
UNREADY = AwsFailed(
    "s3",
    "PutX",
    "InvalidArgument",
    "Unable to validate the following destination configurations; ArgumentName1=arn:aws:sqs:x; "
    "ArgumentValue1=Permissions on the destination queue do not allow S3 to publish notifications",
    "request",
)
GONE = AwsFailed(
    "s3",
    "PutX",
    "InvalidArgument",
    "Unable to validate the following destination configurations; ArgumentName1=arn:aws:sqs:x; "
    "ArgumentValue1=The destination queue does not exist",
    "request",
)
PUT = AwsChange("s3", "PutX", {}, "why", Before("GetBucketNotificationConfiguration", {}, {}))


@pytest.mark.parametrize("refusal", [ABORTED, UNREADY, UNKNOWN], ids=["aborted", "unready", "unknown"])
def test_a_write_refused_for_the_moment_is_made_a_little_later(settings, refusal):
    reader, refusals = FakeReader(settings, {READ: {}}), [refusal, refusal]
    writer = FakeWriter(lambda _: refusals.pop() if refusals else None)
    make(PUT, reader, writer)
    assert writer.written == ["s3:PutX"]
    assert reader.asked == [READ] * 3
    assert len(reader.slept) == 2


def test_a_statement_is_tried_again_where_aws_does_not_let_snowflake_in_at_once(settings):
    refusals = [SqlFailed(3167, "Error assuming AWS_ROLE", "query", "CREATE PIPE P")]
    reader = FakeReader(settings)
    writer = FakeWriter(lambda what: refusals.pop() if refusals and "PIPE" in what else None)
    make(SqlChange("x.sql", "USE ROLE R; CREATE PIPE P;", "why"), reader, writer)
    assert writer.written == ["USE ROLE R", "CREATE PIPE P"]
    assert len(reader.slept) == 1


def test_a_write_refused_for_a_minute_is_refused(settings):
    reader = FakeReader(settings, {READ: {}})
    with pytest.raises(AwsFailed, match="OperationAborted"):
        make(PUT, reader, FakeWriter(lambda _: ABORTED))
    assert 60 < sum(reader.slept) < 70


def test_what_nobody_knows_a_cure_for_is_only_run_again():
    assert again(SqlFailed(1003, "syntax error", "query", "GRANT"), "pause") == "run `invoke pause` again"
    without = SqlFailed(606, "No active warehouse", "query", "COPY")
    assert again(without, "pause") == "give the connection a warehouse, then run `invoke pause` again"


def test_what_is_to_be_taken_away_and_is_not_there_is_not_waited_for(settings):
    gone = AwsFailed("iam", "DetachRolePolicy", "NoSuchEntity", "Policy x was not found", "request")
    reader = FakeReader(settings)
    with pytest.raises(AwsFailed):
        make(AwsChange("iam", "DetachRolePolicy", {}, "why"), reader, FakeWriter(lambda _: gone))
    assert reader.slept == []


def test_what_was_made_and_is_not_seen_yet_is_looked_for_again(absent, found, facts):
    settled = facts(found)
    late = facts(absent, then=facts(absent, then=settled))
    late.then.then = settled
    observed = iter([late.then, late.then, settled])
    late.afresh = lambda: next(observed)
    assert applied(1, late, FakeWriter()) is settled
    assert len(late.reader.slept) == 2


def test_what_another_write_has_changed_meanwhile_is_not_overwritten(settings):
    documents = [{}, {"QueueConfigurations": [{"Id": "theirs"}]}]
    reader = FakeReader(settings, {READ: lambda **_: documents.pop(0)})
    refusals = [ABORTED]
    writer = FakeWriter(lambda _: refusals.pop() if refusals else None)
    with pytest.raises(RunbookError, match="somebody else has just made"):
        make(PUT, reader, writer)
    assert writer.written == []


def test_a_destination_that_is_not_there_is_not_waited_for(settings):
    reader = FakeReader(settings, {READ: {}})
    with pytest.raises(AwsFailed, match="does not exist"):
        make(PUT, reader, FakeWriter(lambda _: GONE))
    assert reader.slept == []


# ---- plan_step


def test_a_refused_plan_is_raised_not_returned(settings, found, facts):
    with pytest.raises(Refused):
        plan_step(STEPS[0], facts({**found, "role": role(settings, tags={})}))


def test_changes_found_before_the_block_are_told(settings, absent, facts):
    known = absent | {"integration": integration(settings), "entry": Entry(succeeded=False, message="denied")}
    plan = plan_step(STEPS[3], facts(known))
    assert plan.changes
    assert plan.blocked
    assert not plan.is_empty


# ---- as typed

MODELS = {
    service: ServiceModel(Loader().load_service_model(service, "service-2"), service)
    for service in ("iam", "s3")
}


def every_aws_change(settings, absent, found, facts):
    """All calls any step can make, by planning on broken facts."""
    boundary = settings.model_copy(
        update={
            "aws": settings.aws.model_copy(
                update={"permissions_boundary": "arn:aws:iam::111122223333:policy/b"}
            )
        }
    )
    versions = tuple(f"v{n}" for n in range(1, 6))
    old = policy(settings, document={"Statement": []}, versions=versions, default_version="v5")
    theirs = policy(settings, tags={})
    broken = {**found, "policy": theirs, "role": role(settings, tags={}, attached_policies=frozenset())}
    trust = {"Version": "2012-10-17", "Statement": []}
    return [
        *STEPS[0].changes(Known(boundary, absent)),
        *STEPS[0].changes(Known(boundary, broken, adopt=True)),
        *STEPS[0].changes(Known(boundary, {**found, "policy": old})),
        *STEPS[2].changes(facts({**found, "role": role(settings, trust=trust)})),
        *STEPS[4].changes(
            facts({**found, "notifications": BucketNotifications({"EventBridgeConfiguration": {}})})
        ),
    ]


def parsed(line):
    """The line's service, operation and arguments, as the ``aws`` command's own parser takes them apart."""
    aws, service, operation, *rest = shlex.split(line)
    assert aws == "aws"
    arguments = {}
    while rest:
        name = rest.pop(0)
        assert name.startswith("--")
        arguments[name] = rest.pop(0) if rest and not rest[0].startswith("--") else True
    return service, operation, arguments


def test_every_call_of_the_steps_is_typed_as_the_aws_command_takes_it(settings, absent, found, facts):
    made = every_aws_change(settings, absent, found, facts)
    assert {change.operation for change in made} == {
        "AttachRolePolicy",
        "CreatePolicy",
        "CreatePolicyVersion",
        "CreateRole",
        "DeletePolicyVersion",
        "PutBucketNotificationConfiguration",
        "PutRolePermissionsBoundary",
        "TagPolicy",
        "TagRole",
        "UpdateAssumeRolePolicy",
    }
    for change in made:
        shape = MODELS[change.service].operation_model(change.operation).input_shape
        assert not ParamValidator().validate(change.parameters, shape).has_errors()
        service, operation, arguments = parsed(str(change))
        assert service == {"s3": "s3api", "iam": "iam"}[change.service]
        assert operation == xform_name(change.operation, "-")
        assert arguments == {
            f"--{xform_name(name, '-')}": typed(value) for name, value in change.parameters.items()
        }


def typed(value):
    """A parameter as ``aws`` wants it: a flag, JSON for a structure, text as it is."""
    if value is True:
        return True
    return text(value) if isinstance(value, dict | list) else str(value)


@given(
    st.text(st.characters(exclude_characters="\x00", codec="utf-8")).filter(
        lambda value: not value.startswith("--")
    )
)
def test_any_text_survives_a_shell(value):
    line = as_typed("iam", "CreateRole", {"RoleName": value, "Tags": [{"Key": value, "Value": ""}]})
    _, _, arguments = parsed(line)
    assert arguments["--role-name"] == value
    assert json.loads(arguments["--tags"]) == [{"Key": value, "Value": ""}]


@pytest.mark.parametrize(("value", "said"), [(True, "--set-as-default"), (False, "--no-set-as-default")])
def test_a_switch_is_a_flag(value, said):
    assert (
        as_typed("iam", "CreatePolicyVersion", {"SetAsDefault": value})
        == f"aws iam create-policy-version {said}"
    )


def test_a_file_is_typed_as_its_statements():
    change = SqlChange(
        "step/10_x.sql", "-- why\nUSE ROLE R;\n\nCREATE TABLE IF NOT EXISTS T (a INT);\n", "because"
    )
    assert str(change) == "USE ROLE R;\nCREATE TABLE IF NOT EXISTS T (a INT);"
    assert change.title == "sql/step/10_x.sql"
