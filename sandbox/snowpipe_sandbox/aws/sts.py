"""STS: AssumeRole and GetCallerIdentity.

Sources: AWS API model sts (botocore 1.44.5) for parameters, lengths and patterns; `Requesting temporary
security credentials
<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_request.html>`_ and `role chaining
<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining>`_ for durations.
Whether the caller may assume the role was decided before (:mod:`snowpipe_sandbox.aws.authorisation`).
"""

import re
from datetime import datetime, timedelta
from xml.sax.saxutils import escape

from snowpipe_sandbox.aws.calls import Call
from snowpipe_sandbox.aws.errors import AwsError, NotEmulated, new_request_id
from snowpipe_sandbox.aws.http import HttpResponse
from snowpipe_sandbox.aws.identities import Caller, Entity, Identities, Session
from snowpipe_sandbox.aws.validation import check_identity_document

_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
_PATTERNS = {
    # parameter -> (shortest, longest, pattern)
    "ExternalId": (2, 1224, r"[\w+=,.@:\/-]*"),
    "RoleSessionName": (2, 64, r"[\w+=,.@-]*"),
    "RoleArn": (20, 2048, r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD]+"),
}
_NOT_EMULATED = ("Tags.member.1.Key", "SerialNumber", "SourceIdentity", "PolicyArns.member.1.arn")
CHAINED = timedelta(hours=1)
SHORTEST = timedelta(minutes=15)


def check_parameters(call: Call) -> None:
    """Raise ValidationError for what the API model refuses; NotEmulated for session tags and the like."""
    for name, (shortest, longest, pattern) in _PATTERNS.items():
        value = call.text(name)
        if not value and name == "ExternalId":
            continue
        _check_text(name, value, shortest, longest, pattern)
    for name in _NOT_EMULATED:
        if call.text(name):
            raise NotEmulated(f"sts:AssumeRole with {name.partition('.')[0]}")


def _check_text(name: str, value: str, shortest: int, longest: int, pattern: str) -> None:
    member = name[0].lower() + name[1:]
    rule = ""
    if len(value) < shortest:
        rule = f"Member must have length greater than or equal to {shortest}"
    elif len(value) > longest:
        rule = f"Member must have length less than or equal to {longest}"
    elif not re.fullmatch(pattern, value, re.ASCII):
        rule = f"Member must satisfy regular expression pattern: {pattern}"
    if rule:
        raise AwsError(
            "ValidationError",
            f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: "
            + rule,
        )


def _duration(call: Call, role: Entity, *, chained: bool) -> timedelta:
    """The session's length; ValidationError when longer than the role, or role chaining, allows."""
    asked = timedelta(seconds=int(call.text("DurationSeconds", "3600")))
    if asked < SHORTEST:
        raise AwsError(
            "ValidationError",
            f"1 validation error detected: Value '{int(asked.total_seconds())}' at 'durationSeconds' "
            "failed to satisfy constraint: Member must have value greater than or equal to 900",
        )
    if chained and asked > CHAINED:
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role "
            "chaining",
        )
    if asked > role.max_session:
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        )
    return asked


def denied(call: Call, caller: Caller) -> AwsError:
    """The refusal of a role that is not there, or does not trust the caller."""
    who, arn = caller.principal.arn, call.text("RoleArn")
    message = f"User: {who} is not authorized to perform: sts:AssumeRole on resource: {arn}"
    return AwsError("AccessDenied", message, 403)


def assume_role(call: Call, caller: Caller, identities: Identities, now: datetime) -> HttpResponse:
    """Credentials of a role for a caller who may assume it. Writes only the session."""
    arn = call.text("RoleArn")
    account = arn.split(":")[4]
    role = identities.view(account).by_arn(arn)
    if role is None:
        raise denied(call, caller)
    duration = _duration(call, role, chained=caller.session is not None)
    policy = call.text("Policy")
    if policy:
        check_identity_document(policy)
    session = identities.open_session(
        role,
        account,
        name=call.text("RoleSessionName"),
        policies=(policy,) if policy else None,
        now=now,
        duration=duration,
    )
    return _answer("AssumeRole", _credentials(session))


def _credentials(session: Session) -> str:
    return (
        "<AssumedRoleUser>"
        f"<AssumedRoleId>{session.role_id}:{escape(session.name)}</AssumedRoleId><Arn>{escape(session.arn)}</Arn>"
        "</AssumedRoleUser><Credentials>"
        f"<AccessKeyId>{session.access_key_id}</AccessKeyId>"
        f"<SecretAccessKey>{session.secret}</SecretAccessKey>"
        f"<SessionToken>{session.token}</SessionToken>"
        f"<Expiration>{session.expires_at.strftime('%Y-%m-%dT%H:%M:%SZ')}</Expiration></Credentials>"
    )


def caller_identity(caller: Caller) -> HttpResponse:
    """Who the caller is; needs no permission and cannot be denied."""
    principal = caller.principal
    return _answer(
        "GetCallerIdentity",
        f"<Arn>{escape(principal.arn)}</Arn><UserId>{escape(principal.unique_id)}</UserId>"
        f"<Account>{principal.account}</Account>",
    )


def _answer(operation: str, result: str) -> HttpResponse:
    request_id = new_request_id()
    body = (
        f'<{operation}Response xmlns="{_NAMESPACE}"><{operation}Result>{result}</{operation}Result>'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
    )
    return HttpResponse(200, {"Content-Type": "text/xml", "x-amzn-RequestId": request_id}, body.encode())
