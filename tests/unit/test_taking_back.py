"""Taking back, planned on pretended facts: what is ours goes, what is others' is as it was read."""

import copy
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from runbook.errors import CannotTell, Refused, SettingsWrong
from runbook.facts.topic import PUBLISH_SID, Topic
from runbook.plan import AwsChange
from runbook.settings import ADOPTED_BY, MANAGED_BY, MANAGED_FOR, read
from runbook.steps.step3_aws import trust as opened
from runbook.teardown import BACKWARDS, integration, objects, role, rules, trust
from runbook.wanted.grants import Grant
from runbook.wanted.permissions import permissions
from runbook.wanted.rules import BucketNotifications, topic_rule
from tests.unit import observed
from tests.unit.conftest import written
from tests.unit.observed import Known, healthy
from tests.unit.planned import changes

SETTINGS = read(written())
ROLE, POLICY = SETTINGS.aws.role_name, SETTINGS.aws.policy_arn
THEIRS = {
    "Sid": "Theirs",
    "Effect": "Allow",
    "Principal": {"Service": "x.amazonaws.com"},
    "Action": "sts:AssumeRole",
}


def objects_shown(kind, comment="Snowplow (snowpipe-runbook)", integration="SNOWPLOW_S3"):
    names = dict.fromkeys(getattr(stream, kind) for stream in SETTINGS.streams)
    return [
        {
            "name": str(name.name),
            "database_name": "RAW",
            "schema_name": "SNOWPLOW",
            "comment": comment,
            "storage_integration": integration,
            "url": "s3://snowplow-sandbox/snowplow/enriched/stream/",
            "notification_channel": observed.QUEUE,
            "definition": "COPY INTO RAW.SNOWPLOW.EVENTS FROM @RAW.SNOWPLOW.ENRICHED_STAGE",
        }
        for name in names
    ]


def answers(**changed):
    """What an independent look at a whole installation of ours is answered."""
    roles = [
        {"name": name, "comment": "x (snowpipe-runbook)"} for name in ("SNOWPLOW_LOADER", "SNOWPLOW_OPERATOR")
    ]
    found = {
        "SHOW PIPES IN SCHEMA": objects_shown("pipe"),
        "SHOW STAGES IN SCHEMA": objects_shown("stage"),
        "SHOW FILE FORMATS LIKE": [],
        "SHOW FILE FORMATS IN SCHEMA": objects_shown("file_format"),
        "SHOW PIPES IN ACCOUNT": objects_shown("pipe"),
        "SHOW STAGES IN ACCOUNT": objects_shown("stage"),
        "SHOW ROLES": roles,
        "DESC INTEGRATION": [{"property": "COMMENT", "property_value": "x (snowpipe-runbook)"}],
        "iam:ListRolePolicies": [],
        "iam:ListInstanceProfilesForRole": [],
        "iam:ListEntitiesForPolicy": {"PolicyRoles": [{"RoleName": ROLE}]},
    }
    return {**found, **changed}


def known(changed=None, **asked):
    return Known(SETTINGS, {**healthy(SETTINGS), **(changed or {})}, answers=answers(**asked))


def calls(module, facts):
    return [change.title for change in module.plan(facts)]


def test_a_whole_installation_goes_in_reverse_and_the_data_stays():
    facts = known()
    found = [change.title for step in BACKWARDS for change in step.changes(facts)]
    assert found == [
        "s3:PutBucketNotificationConfiguration",
        "sql/down/10_pipe.sql",
        "sql/down/10_pipe.sql",
        "sql/down/20_stage.sql",
        "sql/down/20_stage.sql",
        "sql/down/30_file_format.sql",
        "sql/down/30_file_format.sql",
        "iam:UpdateAssumeRolePolicy",
        "sql/down/40_integration.sql",
        "sql/down/50_loader_role.sql",
        "sql/down/51_operator_role.sql",
        "iam:DetachRolePolicy",
        "iam:DeleteRole",
        "iam:DeletePolicy",
    ]
    text = "\n".join(str(change) for step in BACKWARDS for change in step.changes(facts))
    for never in ("DROP TABLE", "DROP SCHEMA", "DROP DATABASE", "DELETE FROM", "TRUNCATE", "delete-bucket"):
        assert never not in text


def test_what_has_no_mark_of_ours_is_not_touched():
    unmarked = {
        "SHOW PIPES IN SCHEMA": objects_shown("pipe", "theirs"),
        "SHOW STAGES IN SCHEMA": objects_shown("stage", ""),
        "SHOW FILE FORMATS LIKE": [],
        "SHOW FILE FORMATS IN SCHEMA": objects_shown("file_format", None),
        "SHOW ROLES": [{"name": "SNOWPLOW_LOADER", "comment": "(snowpipe-runbook) no more"}],
        "DESC INTEGRATION": [{"property": "COMMENT", "property_value": ""}],
    }
    facts = known(
        {
            "role": observed.role(SETTINGS, tags={}),
            "policy": observed.policy(SETTINGS, tags={"ManagedBy": "terraform"}),
            "integration": observed.integration(SETTINGS, comment=""),
            "notifications": BucketNotifications({"QueueConfigurations": [{"Id": "theirs"}]}),
        },
        **unmarked,
    )
    assert [change for step in BACKWARDS for change in step.changes(facts)] == []


# ---- what others have, generated: after `up` and after `down` it is as it was

RULES = []


def quantified(*drawn, **named):
    """A rule over generated inputs, tried a hundred times here and a thousand times by --run-slow."""

    def kept(rule):
        RULES.append((rule, given(*drawn, **named)))
        return rule

    return kept


# ---- foreign notification documents

_id = st.one_of(st.text(min_size=1, max_size=20), st.just("snowpipe-runbook:OTHER.INSTALLATION.PIPE"))
_place = st.sampled_from(["logs/", "snowplow/", "snowplow/enriched/other/", "a%2Bb/", "%C3%A9/", ""])
_event = st.sampled_from(
    ["s3:ObjectCreated:*", "s3:ObjectCreated:Put", "s3:ObjectRemoved:*", "s3:LifecycleTransition"]
)


@st.composite
def _rule(draw, target):
    row = {"Id": draw(_id), target: draw(st.text(min_size=1)), "Events": draw(st.lists(_event, min_size=1))}
    if draw(st.booleans()):
        names = st.sampled_from(["Prefix", "prefix", "Suffix"])
        filters = draw(st.lists(st.fixed_dictionaries({"Name": names, "Value": _place}), max_size=2))
        row["Filter"] = {"Key": {"FilterRules": filters}}
    return row


_document = st.fixed_dictionaries(
    {},
    optional={
        "QueueConfigurations": st.lists(_rule("QueueArn"), min_size=1, max_size=4),
        "TopicConfigurations": st.lists(_rule("TopicArn"), min_size=1, max_size=4),
        "LambdaFunctionConfigurations": st.lists(_rule("LambdaFunctionArn"), min_size=1, max_size=4),
        "EventBridgeConfiguration": st.just({}),
    },
)


@quantified(_document)
def foreign_notification_documents_are_as_they_were(document):
    before = copy.deepcopy(document)
    facts = known({"notifications": BucketNotifications(document)})
    try:
        [up] = changes(5, facts)
    except Refused:  # one of theirs takes our files: nothing is written at all
        return
    wanted = up.parameters["NotificationConfiguration"]
    ours = {stream.rule_id for stream in SETTINGS.streams}
    assert _without(wanted, ours) == before
    facts = known({"notifications": BucketNotifications(wanted)})
    [down] = rules.plan(facts)
    assert json.dumps(down.parameters["NotificationConfiguration"], sort_keys=True) == json.dumps(
        before, sort_keys=True
    )
    assert down.before.answer == wanted
    assert list(rules.plan(known({"notifications": BucketNotifications(before)}))) == []


def _without(document, ours):
    kept = {
        kind: [row for row in rows if row.get("Id") not in ours] if isinstance(rows, list) else rows
        for kind, rows in document.items()
    }
    return {kind: rows for kind, rows in kept.items() if rows != []}


TOPIC = "arn:aws:sns:us-west-2:111122223333:files"
ANOTHERS = "arn:aws:sqs:us-west-2:900000000009:sf-snowpipe-AIDAANOTHER-x"


@pytest.mark.parametrize(
    ("queues", "stays"),
    [
        ({observed.QUEUE}, False),
        ({observed.QUEUE, "arn:aws:sqs:us-west-2:111122223333:lake"}, False),
        ({observed.QUEUE, ANOTHERS}, True),
    ],
)
def test_a_rule_to_a_topic_stays_for_another_account_s_snowpipe(queues, stays):
    """It found the rule there, and so wrote none of its own."""
    settings = read(written(streams__events__sns_topic=TOPIC))
    found = healthy(settings)
    rows = {"TopicConfigurations": [topic_rule(settings.streams[0], TOPIC)]}
    found |= {
        "notifications": BucketNotifications(rows),
        ("topic", TOPIC): Topic(TOPIC, {}, frozenset(queues), {}),
    }
    facts = Known(settings, found, answers=answers())
    [rule] = facts.notifications_of("snowplow-sandbox").rules
    assert bool(list(rules.plan(facts))) != stays
    assert rules.needed_by(facts, settings.aws.bucket, rule) == ([f"the queue {ANOTHERS}"] if stays else [])


OTHER_QUEUE = "arn:aws:sqs:us-west-2:111122223333:lake"


@pytest.mark.parametrize(
    ("queues", "in_account", "left"),
    [
        (set(), None, ["Theirs"]),
        ({observed.QUEUE}, None, ["Theirs"]),
        ({observed.QUEUE, OTHER_QUEUE}, None, ["Theirs", PUBLISH_SID]),
        ({observed.QUEUE, ANOTHERS}, None, ["Theirs", PUBLISH_SID]),
        ({observed.QUEUE}, TOPIC, None),  # a pipe of another schema in the account listens too
        ({observed.QUEUE}, observed.QUEUE, None),
    ],
)
def test_a_topic_keeps_what_others_on_it_need(queues, in_account, left):
    settings = read(written(streams__events__sns_topic=TOPIC))
    found = healthy(settings)
    have = Topic(TOPIC, {"Version": "2012-10-17", "Statement": [THEIRS]}, frozenset(queues), {})
    found["topic", TOPIC] = replace(have, policy=have.with_ours(settings, found["integration"]))
    theirs = {**objects_shown("pipe")[0], "schema_name": "THEIRS", "notification_channel": in_account}
    rows = [*objects_shown("pipe"), *([theirs] if in_account else [])]
    facts = Known(settings, found, answers=answers(**{"SHOW PIPES IN ACCOUNT": rows}))
    documents = [
        json.loads(change.parameters["AttributeValue"])["Statement"]
        for change in trust.plan(facts)
        if change.service == "sns"
    ]
    sids = [[row["Sid"] for row in document] for document in documents]
    assert sids == ([left] if left else [])


# ---- foreign trust policies

_principal = st.one_of(
    st.just("*"),
    st.fixed_dictionaries({"Service": st.sampled_from(["ec2.amazonaws.com", ["a.amazonaws.com"]])}),
    st.fixed_dictionaries({"AWS": st.lists(st.from_regex(r"arn:aws:iam::\d{12}:root", fullmatch=True))}),
)
_statement = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"]), "Principal": _principal},
    optional={
        "Sid": st.from_regex(r"[A-Za-z0-9]{1,12}", fullmatch=True),
        "Action": st.sampled_from(["sts:AssumeRole", ["sts:AssumeRole", "sts:TagSession"]]),
        "Condition": st.just({"StringEquals": {"aws:PrincipalOrgID": ["o-1"]}}),
    },
)
_trust = st.fixed_dictionaries(
    {"Statement": st.one_of(_statement, st.lists(_statement, min_size=1, max_size=4))},
    optional={
        "Version": st.sampled_from(["2012-10-17", "2008-10-17"]),
        "Id": st.text(min_size=1, max_size=8),
    },
)


@quantified(_trust)
def foreign_trust_policies_are_as_they_were(document):
    theirs = observed.role(SETTINGS, trust=copy.deepcopy(document))
    after_up = opened(theirs, observed.integration(SETTINGS))
    during = observed.role(SETTINGS, trust=after_up)
    assert during.others_statements == theirs.trust_statements
    after_down = trust.trust(during)
    back = observed.role(SETTINGS, trust=after_down)
    assert back.trust_statements == theirs.trust_statements
    rest = {key: value for key, value in after_down.items() if key != "Statement"}
    assert rest == {"Version": "2012-10-17"} | {k: v for k, v in document.items() if k != "Statement"}


def test_a_trust_policy_of_ours_alone_closes():
    [change] = trust.plan(known())
    statement = json.loads(change.parameters["PolicyDocument"])["Statement"]
    assert [(row["Effect"], row["Principal"]) for row in statement] == [("Deny", {"AWS": "*"})]


# ---- sets of policies


@quantified(
    adopted_role=st.booleans(),
    adopted_policy=st.booleans(),
    held=st.booleans(),
    trusted=st.booleans(),
    attached=st.sets(st.from_regex(r"arn:aws:iam::\d{12}:policy/\w+", fullmatch=True), max_size=3),
    inline=st.lists(st.text(min_size=1), max_size=2),
    profiles=st.integers(0, 1),
    others=st.lists(st.sampled_from(["Role", "User", "Group"]), max_size=2),
    versions=st.integers(1, 5),
)
def only_what_nobody_else_uses_is_deleted(
    adopted_role, adopted_policy, held, trusted, attached, inline, profiles, others, versions
):
    ours = observed.marks(SETTINGS)
    adopted = {**ours, "ManagedBy": "terraform", ADOPTED_BY: MANAGED_BY}
    names = tuple(f"v{number}" for number in range(1, versions + 1))
    entities = {f"Policy{kind}s": [{f"{kind}Name": "theirs"}] for kind in others}
    facts = known(
        {
            "role": observed.role(
                SETTINGS,
                tags=adopted if adopted_role else ours,
                trust={"Version": "2012-10-17", "Statement": [THEIRS] if trusted else []},
                attached_policies=frozenset(attached | ({POLICY} if held else set())),
            ),
            "policy": observed.policy(
                SETTINGS,
                tags=adopted if adopted_policy else ours,
                versions=names,
                default_version=names[-1],
                document=permissions(SETTINGS),
            ),
        },
        **{
            "iam:ListRolePolicies": inline,
            "iam:ListInstanceProfilesForRole": [{}] * profiles,
            "iam:ListEntitiesForPolicy": entities,
        },
    )
    found = list(role.plan(facts))
    titles = [change.title for change in found]
    role_is_theirs = bool(adopted_role or trusted or attached or inline or profiles)
    policy_is_theirs = bool(adopted_policy or others)
    assert ("iam:DeleteRole" in titles) != role_is_theirs
    assert ("iam:UntagRole" in titles) == role_is_theirs
    assert ("iam:DeletePolicy" in titles) != policy_is_theirs
    assert ("iam:UntagPolicy" in titles) == policy_is_theirs
    assert titles.count("iam:DeletePolicyVersion") == (0 if policy_is_theirs else versions - 1)
    detached = [change for change in found if change.title == "iam:DetachRolePolicy"]
    assert [change.parameters["PolicyArn"] for change in detached] == (
        [POLICY] if held and not (role_is_theirs and adopted_policy) else []
    )
    for change in found:
        assert isinstance(change, AwsChange)
        if "Untag" in change.title:
            was_adopted = adopted_role if change.title == "iam:UntagRole" else adopted_policy
            assert change.parameters["TagKeys"] == [
                ADOPTED_BY if was_adopted else "ManagedBy",
                MANAGED_FOR,
            ]
            assert "stays, no longer ours: " in change.why


@pytest.mark.parametrize(
    "times", [100, pytest.param(1000, marks=pytest.mark.slow)], ids=["hundred", "thousand"]
)
@pytest.mark.parametrize(("rule", "over"), RULES, ids=[rule.__name__ for rule, _ in RULES])
def test_what_is_foreign_survives(rule, over, times):
    examples(max_examples=times)(over(rule))()


# ---- Snowflake


def test_others_stages_and_pipes_on_ours_stop_it_before_anything():
    theirs = {**objects_shown("stage")[0], "schema_name": "THEIRS", "comment": ""}
    facts = known(**{"SHOW STAGES IN ACCOUNT": [*objects_shown("stage"), theirs]})
    for module in (objects, integration):
        with pytest.raises(Refused, match=r"the stage RAW\.THEIRS\.ENRICHED_STAGE"):
            list(module.plan(facts))


@pytest.mark.parametrize(
    ("schema", "definition", "uses"),
    [
        ("OTHER", "COPY INTO T FROM @RAW.SNOWPLOW.ENRICHED_STAGE", True),
        ("OTHER", "copy into t from @raw.snowplow.enriched_stage/2026/", True),
        ("OTHER", "COPY INTO T FROM @ENRICHED_STAGE", False),
        ("OTHER", "COPY INTO T FROM @OTHER.SNOWPLOW.ENRICHED_STAGE", False),
        ("SNOWPLOW", "COPY INTO T FROM @ENRICHED_STAGE", True),
        ("SNOWPLOW", "COPY INTO T FROM @SNOWPLOW.ENRICHED_STAGE", True),
        ("SNOWPLOW", "COPY INTO T FROM @MY_ENRICHED_STAGE", False),
        ("OTHER", "COPY INTO T FROM @S FILE_FORMAT = (FORMAT_NAME = 'RAW.SNOWPLOW.SNOWPLOW_TSV')", True),
    ],
)
def test_a_pipe_of_others_uses_what_its_copy_names(schema, definition, uses):
    theirs = {**objects_shown("pipe")[0], "name": "P", "schema_name": schema, "definition": definition}
    facts = known(**{"SHOW PIPES IN ACCOUNT": [*objects_shown("pipe"), theirs]})
    if uses:
        with pytest.raises(Refused, match="the pipe"):
            list(objects.plan(facts))
    else:
        assert len(list(objects.plan(facts))) == 6


def test_a_role_that_does_not_see_the_account_cannot_tell_who_else_uses_it():
    facts = known()
    facts.reader.hidden_from = {"admin": "SYSADMIN"}
    with pytest.raises(CannotTell, match="Who else uses"):
        list(objects.plan(facts))


def test_a_half_replaced_pipe_is_ended_first():
    pipe = observed.pipe(SETTINGS, SETTINGS.stream("events"))
    from dataclasses import replace

    from runbook.replacing.note import MARK

    facts = known({"pipes": {"EVENTS_PIPE": replace(pipe, comment=MARK + "{}")}})
    with pytest.raises(Refused, match="half replaced"):
        list(objects.plan(facts))


def test_a_role_that_holds_more_than_the_steps_gave_it_stays():
    name = SETTINGS.snowflake.operator_role
    held = healthy(SETTINGS)[("grants", name)] | {Grant("SELECT", "TABLE", "RAW.PUBLIC.THEIRS")}
    assert calls(integration, known({("grants", name): held})) == [
        "sql/down/40_integration.sql",
        "sql/down/50_loader_role.sql",
    ]


# ---- asking


@pytest.mark.parametrize(
    ("yes", "name", "said"),
    [
        (True, "", "--yes is not enough"),
        (False, "", "nobody to ask"),
        (False, "prod2", "is not this target's"),
        (True, "PROD", "is not this target's"),
    ],
)
def test_a_live_target_wants_its_name(yes, name, said, live_run):
    from runbook.commands.down import _confirm

    with pytest.raises(SettingsWrong, match=said):
        _confirm(live_run(yes=yes), name, 3)


def test_the_name_is_enough(live_run):
    from runbook.commands.down import _confirm

    _confirm(live_run(yes=False), "prod", 3)


@pytest.fixture
def live_run():
    from runbook.running import Run

    live = read(
        written(
            target="prod",
            aws__account_id="123456789012",
            aws__bucket="theirs",
            snowflake__account="ORG-A",
            snowflake__connection="prod",
        )
    )
    return lambda yes: Run(live, "down", None, None, None, yes=yes)  # type: ignore[arg-type]


def test_a_left_over_pipe_leaves_the_rule_of_a_stream_that_reads_the_same_folder():
    stays, pipes = SETTINGS.streams[0], healthy(SETTINGS)["pipes"]
    old_pipe = replace(stays.pipe, name=type(stays.pipe.name)("OLD_PIPE"))
    old = replace(stays, name="OLD_PIPE", pipe=old_pipe)
    facts = known({"left_over": (old,), "pipes": {**pipes, old_pipe.name: pipes[stays.pipe.name]}})
    assert facts.channel(old) == facts.channel(stays)
    assert list(rules.plan_streams(facts, (old,))) == []
    assert list(rules.plan_streams(facts, (old, stays))) != []


def test_what_the_settings_do_not_name_is_told_as_that():
    """It may be in another environment file of the same schema, and goes all the same."""
    first = SETTINGS.streams[0]
    old = replace(first, name="OLD", pipe=replace(first.pipe, name=type(first.pipe.name)("OLD")))
    rows = [*objects_shown("pipe"), {**objects_shown("pipe")[0], "name": "OLD"}]
    shown = {"SHOW PIPES IN SCHEMA": rows, "SHOW PIPES IN ACCOUNT": rows}
    facts = known({"left_over": (old,)}, **shown)
    told = [change.why for change in objects.plan(facts) if "PIPE IF EXISTS" in change.sql]
    assert len(told) == 3
    assert [why for why in told if "the settings do not name it" in why] == [
        "RAW.SNOWPLOW.OLD was made by step 4, and the settings do not name it"
    ]
