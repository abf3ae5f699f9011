"""IAM's policy simulator: iam:SimulatePrincipalPolicy, answered by the evaluator that judges real calls.

What it does not look at is AWS' choice as much as ours: trust policies, bucket policies and session policies
are never part of it, and no condition key has a value but those given and the caller's own.
Sources: AWS API model iam (botocore 1.44.5), and answers recorded against AWS in September 2026
(https://github.com/radkawar/stackd, testdata/aws/iam/simulation.json and simulation_inputs.json): one result
an action, missing keys only beside an implicit deny, an implicit deny for an ARN the action is never about.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from snowpipe_sandbox.aws.calls import Call, resource_kind
from snowpipe_sandbox.aws.errors import AwsError, NotEmulated, new_request_id
from snowpipe_sandbox.aws.http import HttpResponse
from snowpipe_sandbox.aws.iam import Document, Request, applying, says, statements
from snowpipe_sandbox.aws.identities import Entity, View, parsed

_NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"
_SOURCE = re.compile(r"arn:[\w-]+:iam::\d{12}:(user|role|group)/(?:.*/)?([\w+=,.@-]+)")
_ARN = re.compile(r"arn:[^:]+:[^:]+:[^:]*:[^:]*:.+", re.DOTALL)
_VARIABLE = re.compile(r"\$\{([^},]*)[^}]*\}")
_NOT_EMULATED = (
    "PolicyInputList.member.1",
    "PermissionsBoundaryPolicyInputList.member.1",
    "PolicyExclusionList.member.1",
    "ResourcePolicy",
    "ResourceOwner",
    "ResourceHandlingOption",
    "Marker",
    "MaxItems",
)
_RESOURCES = {
    # what an ARN of a kind looks like; buckets and objects are one kind to the simulator
    "s3": r"arn:[^:]+:s3:::.+",
    "role": r"arn:[^:]+:iam::\d{12}:role/.+",
    "user": r"arn:[^:]+:iam::\d{12}:user/.+",
    "group": r"arn:[^:]+:iam::\d{12}:group/.+",
    "policy": r"arn:[^:]+:iam::(\d{12}|aws):policy/.+",
    "entity": r"arn:[^:]+:iam::\d{12}:(role|user|group)/.+",
    "queue": r"arn:[^:]+:sqs:[^:]*:\d{12}:.+",
    "topic": r"arn:[^:]+:sns:[^:]*:\d{12}:.+",
    "key": r"arn:[^:]+:kms:[^:]*:\d{12}:key/.+",
    "parameter": r"arn:[^:]+:ssm:[^:]*:\d{12}:parameter/.+",
}
_WORST_FIRST = ("explicitDeny", "implicitDeny", "allowed")


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidInput", message, 400)


@dataclass(frozen=True, slots=True)
class _Verdict:
    """The decision about one action on one resource; ``boundary`` None means there is none."""

    resource: str
    decision: str
    matched: tuple[str, ...]
    missing: tuple[str, ...]
    boundary: bool | None


def simulate(call: Call, view: View) -> HttpResponse:
    """Decide every action on every resource for the entity PolicySourceArn names. Read-only.

    Raises InvalidInput, NoSuchEntity, and NotEmulated for the parameters and actions the sandbox lacks.
    """
    entity = _entity(call.text("PolicySourceArn"), view)
    for parameter in _NOT_EMULATED:
        if call.text(parameter):
            raise NotEmulated(f"iam:SimulatePrincipalPolicy with {parameter.partition('.')[0]}")
    if call.text("CallerArn", entity.arn) != entity.arn:
        raise NotEmulated("iam:SimulatePrincipalPolicy for a caller other than PolicySourceArn")
    context = {**_callers_context(entity), **_context_entries(call)}
    resources = _resources(call, entity)
    results = "".join(
        _result(action, resources, [_verdict(entity, action, resource, context) for resource in resources])
        for action in _actions(call)
    )
    return _answer(f"<EvaluationResults>{results}</EvaluationResults><IsTruncated>false</IsTruncated>")


def _entity(arn: str, view: View) -> Entity:
    """The user or role; found by name, whatever path the ARN says."""
    found = _SOURCE.fullmatch(arn)
    if not found:
        raise _invalid(f"Invalid Entity Arn: {arn} does not clearly define entity type and name.")
    kind, name = found.groups()
    if kind == "group":
        raise NotEmulated("iam:SimulatePrincipalPolicy of a group")
    for entity in view.entities.values():
        if f":{kind}/" in entity.arn and entity.name == name:
            return entity
    raise AwsError("NoSuchEntity", f"The {kind} with name {name} cannot be found.", 404)


def _callers_context(entity: Entity) -> dict[str, tuple[str, ...]]:
    """The condition keys the simulator fills in from the entity's ARN."""
    context: dict[str, tuple[str, ...]] = {
        "aws:principalarn": (entity.arn,),
        "aws:principalaccount": (entity.arn.split(":")[4],),
        "aws:userid": (entity.arn,),
    }
    return context | ({"aws:username": (entity.name,)} if ":user/" in entity.arn else {})


def _context_entries(call: Call) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for n in range(1, 1001):
        prefix = f"ContextEntries.member.{n}"
        name, kind = call.text(f"{prefix}.ContextKeyName"), call.text(f"{prefix}.ContextKeyType")
        if not name:
            break
        values = tuple(call.members(f"{prefix}.ContextKeyValues"))
        if name.lower() in found:
            raise _invalid(f"Duplicate context key: {name}.")
        if not values:
            raise _invalid(f"Context values for context key {name} cannot be null or empty.")
        if not kind:
            raise _invalid(f"Context key {name} has invalid type null.")
        if kind not in ("string", "stringList"):
            raise NotEmulated(f"iam:SimulatePrincipalPolicy with a context key of type {kind}")
        found[name.lower()] = values
    return found


def _actions(call: Call) -> Iterator[str]:
    for action in call.members("ActionNames"):
        if ":" not in action:
            raise _invalid("The action is invalid since it is missing names")
        if resource_kind(action) is None:
            raise NotEmulated(f"simulating {action}, an action the sandbox does not know")
        yield action


def _resources(call: Call, entity: Entity) -> list[str]:
    resources = call.members("ResourceArns") or ["*"]
    for resource in resources:
        if resource == "*" and len(resources) == 1:
            continue
        if not _ARN.fullmatch(resource):
            raise _invalid(f"ResourceNames are not in a valid ARN format: {resource}.")
        if resource.split(":")[4] not in ("", "aws", entity.arn.split(":")[4]):
            raise NotEmulated("simulating a resource of another account")
    return resources


def _verdict(entity: Entity, action: str, resource: str, context: Mapping[str, tuple[str, ...]]) -> _Verdict:
    request = Request(action, resource, context)
    policies = [(source, parsed(text)) for source, text in zip(entity.sources, entity.policies, strict=True)]
    boundary = None if entity.boundary is None else parsed(entity.boundary)
    within = None if boundary is None else says([boundary], "Allow", request)
    if denying := _matched(policies, "Deny", request):
        return _Verdict(resource, "explicitDeny", denying, (), within)
    if boundary is not None and says([boundary], "Deny", request):
        return _Verdict(resource, "explicitDeny", (), (), boundary=False)
    allowing = _matched(policies, "Allow", request) if _is_of_its_kind(action, resource) else ()
    if allowing and within is not False:
        return _Verdict(resource, "allowed", allowing, (), within)
    missing = tuple(_keys_without_value([document for _, document in policies], context))
    return _Verdict(resource, "implicitDeny", (), missing, within)


def _is_of_its_kind(action: str, resource: str) -> bool:
    if resource == "*":
        return True
    kind = resource_kind(action)
    return bool(kind) and re.fullmatch(_RESOURCES[str(kind)], resource, re.DOTALL) is not None


def _matched(policies: Iterable[tuple[str, Document]], effect: str, request: Request) -> tuple[str, ...]:
    """The source of every statement that has ``effect`` for the request."""
    return tuple(source for source, document in policies for _ in applying(document, effect, request))


def _keys_without_value(documents: Iterable[Document], context: Mapping[str, Any]) -> Iterator[str]:
    """The condition keys and variables of all statements, whatever they are about, that have no value."""
    seen = set(context)
    for document in documents:
        for statement in statements(document):
            keys = [key for keys in statement.get("Condition", {}).values() for key in keys]
            texts = str([statement.get("Resource"), statement.get("NotResource"), statement.get("Condition")])
            variables = [name.strip() for name in _VARIABLE.findall(texts) if name not in ("*", "?", "$")]
            for key in [*keys, *variables]:
                if key.lower() not in seen:
                    seen.add(key.lower())
                    yield key


def _result(action: str, resources: list[str], verdicts: list[_Verdict]) -> str:
    """One action's result: the strictest decision over all resources, then each by itself."""
    decision = min((verdict.decision for verdict in verdicts), key=_WORST_FIRST.index)
    boundaries = [verdict.boundary for verdict in verdicts if verdict.boundary is not None]
    everything = resources == ["*"]
    body = f"<EvalActionName>{escape(action)}</EvalActionName>"
    if name := _shown_resource(action, resources):
        body += f"<EvalResourceName>{escape(name)}</EvalResourceName>"
    body += f"<EvalDecision>{decision}</EvalDecision>"
    body += _matched_statements(dict.fromkeys(source for verdict in verdicts for source in verdict.matched))
    body += _missing(dict.fromkeys(key for verdict in verdicts for key in verdict.missing))
    body += _boundary(all(boundaries) if boundaries else None)
    if not everything:
        each = "".join(_specific(verdict) for verdict in verdicts)
        body += f"<EvalDecisionDetails/><ResourceSpecificResults>{each}</ResourceSpecificResults>"
    return f"<member>{body}</member>"


def _shown_resource(action: str, resources: list[str]) -> str:
    """The one resource, or for several the template of their ARNs (recorded for S3; left out for others)."""
    if len(resources) == 1:
        return resources[0]
    templates = {"s3": "arn:aws:s3:::${BucketName}", "": "*"}
    template = templates.get(resource_kind(action) or "", "")
    return template + "/${KeyName}" if "Object" in action and template.endswith("}") else template


def _specific(verdict: _Verdict) -> str:
    return (
        f"<member><EvalResourceName>{escape(verdict.resource)}</EvalResourceName>"
        f"<EvalResourceDecision>{verdict.decision}</EvalResourceDecision>"
        f"{_matched_statements(verdict.matched)}{_missing(verdict.missing)}{_boundary(verdict.boundary)}</member>"
    )


def _matched_statements(sources: Iterable[str]) -> str:
    members = "".join(
        f"<member><SourcePolicyId>{escape(source)}</SourcePolicyId>"
        "<SourcePolicyType>IAM Policy</SourcePolicyType></member>"
        for source in sources
    )
    return f"<MatchedStatements>{members}</MatchedStatements>"


def _missing(keys: Iterable[str]) -> str:
    members = "".join(f"<member>{escape(key)}</member>" for key in keys)
    return f"<MissingContextValues>{members}</MissingContextValues>"


def _boundary(allowed: bool | None) -> str:  # noqa: FBT001 (what the element says)
    if allowed is None:
        return ""
    return (
        "<PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>"
        f"{str(allowed).lower()}</AllowedByPermissionsBoundary></PermissionsBoundaryDecisionDetail>"
    )


def _answer(result: str) -> HttpResponse:
    request_id = new_request_id()
    body = (
        f'<SimulatePrincipalPolicyResponse xmlns="{_NAMESPACE}"><SimulatePrincipalPolicyResult>{result}'
        "</SimulatePrincipalPolicyResult>"
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
        "</SimulatePrincipalPolicyResponse>"
    )
    return HttpResponse(200, {"Content-Type": "text/xml", "x-amzn-RequestId": request_id}, body.encode())
