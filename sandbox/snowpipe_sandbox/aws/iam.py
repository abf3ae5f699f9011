"""IAM's decision: may this principal do this action on this resource, given these policies?

Pure: policies and context in, a decision out. Pinned by ``sandbox/tests/aws/test_iam_truth_table.py``.
Sources: `policy evaluation logic
<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>`_ (single
account, cross-account, and the table of resource-based policies against implicit denies), and `the
Principal element
<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>`_.
Organisations' SCPs and RCPs are not emulated: an account of the sandbox is in no organisation.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from snowpipe_sandbox.aws.conditions import conditions_hold, listed
from snowpipe_sandbox.aws.patterns import Context, action_matches, arn_matches

Document = Mapping[str, Any]
"""A parsed policy document."""

PrincipalKind = Literal["user", "assumed-role", "root", "service", "anonymous"]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. ``arn`` is the user's or the session's; ``role_arn`` (with path) says whose session."""

    kind: PrincipalKind
    arn: str
    account: str
    unique_id: str = ""
    role_arn: str = ""

    @property
    def partition(self) -> str:
        """``aws``, ``aws-cn`` or ``aws-us-gov``."""
        return self.arn.split(":")[1] if self.arn.startswith("arn:") else "aws"


@dataclass(frozen=True, slots=True)
class Request:
    """One action on one resource with its context (lower-case condition keys)."""

    action: str
    resource: str
    context: Context = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Policies:
    """Every policy that speaks about a request. None means: there is no such policy."""

    identity: Sequence[Document] = ()
    boundary: Document | None = None
    session: Sequence[Document] | None = None
    resource: Document | None = None
    resource_policy_decides: bool = False
    """Trust policies and KMS key policies: without their word, an identity policy allows nothing."""


@dataclass(frozen=True, slots=True)
class Decision:
    """``why`` is the tail of AWS' message: "because no identity-based policy allows the s3:… action"."""

    allowed: bool
    why: str = ""


Grant = Literal["", "account", "principal", "session", "everyone"]
"""How an Allow of a resource-based policy names the caller."""


def statements(document: Document) -> list[Mapping[str, Any]]:
    """The statements of a document; a single one need not be in a list."""
    found = document.get("Statement", [])
    return list(found) if isinstance(found, list) else [found]


def _matches_resource(statement: Mapping[str, Any], request: Request, variables: Context | None) -> bool:
    if "Resource" in statement:
        return any(
            arn_matches(pattern, request.resource, variables) for pattern in listed(statement["Resource"])
        )
    if "NotResource" in statement:
        return not any(
            arn_matches(pattern, request.resource, variables) for pattern in listed(statement["NotResource"])
        )
    return True  # a trust policy's statement has neither


def _matches_action(statement: Mapping[str, Any], request: Request) -> bool:
    if "Action" in statement:
        return any(action_matches(pattern, request.action) for pattern in listed(statement["Action"]))
    return not any(action_matches(pattern, request.action) for pattern in listed(statement["NotAction"]))


def _applies(document: Document, statement: Mapping[str, Any], request: Request) -> bool:
    modern = document.get("Version") == "2012-10-17"
    return (
        _matches_action(statement, request)
        and _matches_resource(statement, request, request.context if modern else None)
        and conditions_hold(statement.get("Condition", {}), request.context, variables=modern)
    )


def applying(document: Document, effect: str, request: Request) -> Iterator[Mapping[str, Any]]:
    """The statements of an identity policy that have ``effect`` (Allow, Deny) for the request."""
    for statement in statements(document):
        if statement.get("Effect") == effect and _applies(document, statement, request):
            yield statement


def says(documents: Iterable[Document], effect: str, request: Request) -> bool:
    """Whether any statement of identity policies has ``effect`` for the request."""
    return any(True for document in documents for _ in applying(document, effect, request))


def _aws_grant(name: str, principal: Principal) -> Grant:
    """How one value of Principal.AWS names the caller."""
    if name == "*":
        return "everyone"
    if principal.kind in ("service", "anonymous"):
        return ""
    if name in (principal.account, f"arn:{principal.partition}:iam::{principal.account}:root"):
        return "account"
    if principal.kind == "assumed-role" and name == principal.arn:
        return "session"
    owner = principal.role_arn if principal.kind == "assumed-role" else principal.arn
    if name in (owner, principal.unique_id.split(":")[0]):
        return "principal"
    return ""


def _named(element: Any, principal: Principal) -> set[Grant]:
    """Every way a Principal element names the caller."""
    if element == "*":
        return {"everyone"}
    found: set[Grant] = set()
    for kind, names in element.items():
        if kind == "AWS":
            found |= {_aws_grant(name, principal) for name in listed(names)}
        elif kind == "Service" and principal.kind == "service" and principal.arn in listed(names):
            found.add("principal")
    return found - {""}


def grants(document: Document, effect: str, principal: Principal, request: Request) -> set[Grant]:
    """How statements of a resource-based policy with ``effect`` name the caller for this request."""
    found: set[Grant] = set()
    for statement in statements(document):
        if statement.get("Effect") != effect or not _applies(document, statement, request):
            continue
        if "NotPrincipal" in statement:
            found |= set() if _named(statement["NotPrincipal"], principal) else {"everyone"}
        elif "Principal" in statement:
            found |= _named(statement["Principal"], principal)
    return found


def _denied_by(policies: Policies, principal: Principal, request: Request) -> str:
    """The policy type with an explicit deny, or an empty string."""
    if says(policies.identity, "Deny", request):
        return "an identity-based policy"
    if policies.resource is not None and grants(policies.resource, "Deny", principal, request):
        return "a resource-based policy"
    if policies.boundary is not None and says([policies.boundary], "Deny", request):
        return "a permissions boundary"
    if policies.session is not None and says(policies.session, "Deny", request):
        return "a session policy"
    return ""


def _lacking(policies: Policies, request: Request, *, identity: bool = True) -> str:
    """The first policy type on the caller's side that does not allow, or an empty string."""
    if identity and not says(policies.identity, "Allow", request):
        return "identity-based policy"
    if policies.boundary is not None and not says([policies.boundary], "Allow", request):
        return "permissions boundary"
    if policies.session is not None and not says(policies.session, "Allow", request):
        return "session policy"
    return ""


def decide(principal: Principal, request: Request, policies: Policies, resource_account: str) -> Decision:
    """Allow or deny; read-only and without side effects.

    Same account: identity OR resource policy (both limited by boundary and session policy, except that a
    resource policy naming the user, or the session itself, is not). Cross-account: identity AND resource.
    Trust and key policies (``resource_policy_decides``): the resource policy must allow; if it only names
    the account, the identity policy must as well.
    """
    if denying := _denied_by(policies, principal, request):
        return Decision(allowed=False, why=f"with an explicit deny in {denying}")
    granted: set[Grant] = set()
    if policies.resource is not None:
        granted = grants(policies.resource, "Allow", principal, request)
    if principal.kind in ("service", "anonymous"):
        return Decision(bool(granted), "" if granted else _because("resource-based policy", request))
    if principal.account != resource_account:
        return _across_accounts(request, policies, granted)
    return _within_account(principal, request, policies, granted)


def _because(kind: str, request: Request) -> str:
    return f"because no {kind} allows the {request.action} action"


def _across_accounts(request: Request, policies: Policies, granted: set[Grant]) -> Decision:
    if not granted:
        return Decision(allowed=False, why=_because("resource-based policy", request))
    lacking = _lacking(policies, request)
    return Decision(not lacking, _because(lacking, request) if lacking else "")


def _within_account(
    principal: Principal, request: Request, policies: Policies, granted: set[Grant]
) -> Decision:
    if granted & {"session"} or (principal.kind == "user" and "principal" in granted):
        return Decision(allowed=True)
    if principal.kind == "root":
        return Decision(allowed=not policies.resource_policy_decides or bool(granted))
    if granted & {"principal", "everyone"}:
        lacking = _lacking(policies, request, identity=False)
        return Decision(not lacking, _because(lacking, request) if lacking else "")
    if policies.resource_policy_decides and not granted:
        return Decision(allowed=False, why=_because("resource-based policy", request))
    lacking = _lacking(policies, request)
    return Decision(not lacking, _because(lacking, request) if lacking else "")
