"""The AWS side: what becomes of a request, in order.

who signed it -> what it asks -> the tenant's faults -> is it allowed -> does the service accept it ->
done (here or by moto) -> what follows from it -> written into the tenant's request log.
"""

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from snowpipe_sandbox.aws import faults, opening, sts
from snowpipe_sandbox.aws.authorisation import Judge
from snowpipe_sandbox.aws.calls import Call, call_of, protocol_of
from snowpipe_sandbox.aws.delivery import Deliveries
from snowpipe_sandbox.aws.errors import AwsError, new_request_id, render
from snowpipe_sandbox.aws.events import Events
from snowpipe_sandbox.aws.http import HttpRequest, HttpResponse
from snowpipe_sandbox.aws.iam import Principal
from snowpipe_sandbox.aws.iam_rules import IamRules, with_encoded_documents
from snowpipe_sandbox.aws.identities import Caller, Identities
from snowpipe_sandbox.aws.messaging import Messaging
from snowpipe_sandbox.aws.moto import Moto
from snowpipe_sandbox.aws.objects import delete_objects
from snowpipe_sandbox.aws.principals import Directory
from snowpipe_sandbox.aws.realm import Realm, Realms
from snowpipe_sandbox.aws.s3 import S3
from snowpipe_sandbox.aws.signature import Credential, credential_of, signature_matches
from snowpipe_sandbox.aws.simulation import simulate
from snowpipe_sandbox.aws.stores import bucket_named, forget_accounts
from snowpipe_sandbox.local import why_refused

log = logging.getLogger(__name__)

ANONYMOUS = Caller(Principal("anonymous", "anonymous", ""))
_SECRETS = ("SecretAccessKey", "Password", "Value")
_LONGEST_TEXT = 2_000


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request with everything known about it."""

    call: Call
    caller: Caller
    realm: Realm
    now: datetime
    judge: Judge


class Gateway:
    """One AWS endpoint for every account of every tenant. Thread-safe."""

    def __init__(self) -> None:
        self.realms = Realms()
        self.identities = Identities()
        self.deliveries = Deliveries()
        self.events = Events(self.deliveries)
        self.moto = Moto()
        self.directory = Directory(self.realms, self.identities)
        self.last_request = time.monotonic()
        self._s3 = S3(self.moto, self.events)
        self._messaging = Messaging(self.moto, self.directory)
        self._services: dict[str, Callable[[_Asked, str], HttpResponse]] = {
            "s3": self._run_s3,
            "sts": self._run_sts,
            "iam": self._run_iam,
        }
        self._iam_lock = threading.RLock()

    # -- set-up, which is not a request ------------------------------------------------------------------

    check_bucket_is_free = staticmethod(opening.check_bucket_is_free)

    def open_account(
        self, realm: Realm, account_id: str, user: str, region: str, policy: str | None = None
    ) -> tuple[str, str, str, str, str]:
        """An account with one user: account, name, ARN, key id, secret.

        ``policy`` is the user's inline policy; None gives it AdministratorAccess.
        """
        made = opening.make_user(account_id, user, region, policy)
        self.realms.add(account_id, realm)
        self.identities.start(account_id)
        return made

    def make_bucket(self, account_id: str, name: str, region: str) -> None:
        """A bucket with the settings AWS gives a new one."""
        opening.set_bucket_defaults(opening.make_bucket(account_id, name, region))

    def close_accounts(self, realm: Realm) -> None:
        """Remove a tenant's accounts and all they hold."""
        accounts = self.realms.remove(realm)
        self.deliveries.forget(realm)
        self.identities.forget(accounts)
        for bucket in forget_accounts(accounts):
            self._s3.forget(bucket)

    # -- requests -------------------------------------------------------------------------------------

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer one request; never raises."""
        self.last_request = time.monotonic()
        service = "s3"
        if why := why_refused(request.headers):
            error = AwsError("AccessDenied", why, 403)
            return render(error, protocol_of(request, service), request.path, head=request.method == "HEAD")
        try:
            credential = credential_of(request)
            service = credential.service if credential else "s3"
            caller = self._caller(request, credential)
            region = credential.region if credential else "us-east-1"
            call = call_of(request, service, region)
        except AwsError as refused:
            return render(refused, protocol_of(request, service), request.path, head=request.method == "HEAD")
        try:
            return self._answer(call, caller)
        except Exception:
            log.exception("%s failed", call.name)
            error = AwsError("InternalFailure", "the sandbox failed; see its log", 500)
            return render(error, call.protocol, request.path, head=request.method == "HEAD")

    # -- who ------------------------------------------------------------------------------------------

    def _caller(self, request: HttpRequest, credential: Credential | None) -> Caller:
        """The principal that signed the request. Raises the service's refusal of a wrong signature."""
        if credential is None:
            if "x-amz-target" in request.headers or b"Action=" in request.body[:2_000]:
                raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
            return ANONYMOUS
        s3 = credential.service == "s3"
        caller = self.identities.caller(credential.access_key_id, self.realms.snapshot())
        if caller is None:
            raise _unknown_key(credential, s3=s3)
        if caller.session is not None:
            if credential.token != caller.token:
                raise _unknown_key(credential, s3=s3)
            realm = self.realms.of(caller.principal.account)
            if realm is None or realm.clock.now() >= caller.session.expires_at:
                raise AwsError(
                    "ExpiredToken",
                    "The provided token has expired."
                    if s3
                    else "The security token included in the request is expired",
                    400 if s3 else 403,
                )
        if not signature_matches(request, credential, caller.secret):
            code = "SignatureDoesNotMatch"
            message = (
                "The request signature we calculated does not match the signature you provided. Check your "
            )
            message += "key and signing method."
            raise AwsError(code, message, 403)
        return caller

    # -- one call -------------------------------------------------------------------------------------

    def _answer(self, call: Call, caller: Caller) -> HttpResponse:
        realm = self._realm_of(call, caller)
        if realm is None:
            error = AwsError("AccessDenied", "Access Denied", 403)
            return render(error, call.protocol, call.request.path, head=call.request.method == "HEAD")
        started = realm.clock.now()
        response, request_id = self._disturbed(call, caller, realm, started)
        if call.service == "s3" and not response.drop:
            response.headers.setdefault("x-amz-request-id", request_id.replace("-", "")[:16].upper())
            response.headers.setdefault("x-amz-id-2", request_id)
        self._log(call, caller, realm, response, started)
        return response

    def _realm_of(self, call: Call, caller: Caller) -> Realm | None:
        """The caller's tenant; for an anonymous caller the bucket's."""
        if caller is not ANONYMOUS:
            return self.realms.of(caller.principal.account)
        bucket = bucket_named(call.bucket) if call.bucket else None
        return self.realms.of(bucket.account_id) if bucket is not None else None

    def _disturbed(self, call: Call, caller: Caller, realm: Realm, now: datetime) -> tuple[HttpResponse, str]:
        """The answer, after the tenant's latency and faults have had their say."""
        request_id = new_request_id()
        wait = realm.faults.latency_s()
        if wait:
            time.sleep(wait)
        if realm.faults.take("drop_connection", call.name):
            return HttpResponse(0, drop=True), request_id
        at = self._decided_at(realm, now)
        asked = _Asked(call, caller, realm, now, Judge(self.identities, caller, now, at))
        try:
            if realm.faults.take("throttle", call.name):
                raise faults.throttled(call.service)
            if realm.faults.take("error_500", call.name):
                raise faults.internal_error(call.service)
            if call.service in ("iam", "sts") and realm.faults.take("unseen", call.name):
                raise faults.unseen() if call.service == "iam" else sts.denied(call, caller)
            if realm.faults.take("conflict", call.name):
                raise faults.conflict(call.service)
            return self._run(asked, request_id), request_id
        except AwsError as refused:
            response = render(refused, call.protocol, call.request.path, head=call.request.method == "HEAD")
            if call.bucket:
                self._show_region(call, response)
            return response, request_id

    @staticmethod
    def _decided_at(realm: Realm, now: datetime) -> datetime | None:
        delay = realm.faults.number("iam_propagation_s")
        return now - timedelta(seconds=delay) if delay else None

    @staticmethod
    def _show_region(call: Call, response: HttpResponse) -> None:
        """A refused S3 call still tells the bucket's region (AWS API model s3, HeadBucket)."""
        bucket = bucket_named(call.bucket)
        if bucket is not None:
            response.headers["x-amz-bucket-region"] = bucket.region_name

    def _run(self, asked: _Asked, request_id: str) -> HttpResponse:
        call = asked.call
        if call.service == "s3":
            if asked.caller is not ANONYMOUS:
                self._s3.check_region(call)
            self._s3.check_owner(call)
        if call.name == "sts:AssumeRole":
            sts.check_parameters(call)
        if call.name != "sts:GetCallerIdentity":
            asked.judge.authorise(call)
        run = self._services.get(call.service, self._run_other)
        return run(asked, request_id)

    def _run_s3(self, asked: _Asked, request_id: str) -> HttpResponse:
        call = asked.call
        if call.operation == "DeleteObjects":
            return delete_objects(call, lambda one: self._delete_one(asked, one, request_id))
        self._s3.check(call, asked.judge, self.directory.exists)
        response, happening = self._s3.run(call, asked.judge, asked.realm)
        if happening is not None:
            bucket: Any = bucket_named(call.bucket)
            owner = self.realms.of(bucket.account_id) or asked.realm
            short_id = request_id.replace("-", "")[:16].upper()
            self.events.tell(owner, bucket, happening, asked.caller.principal, short_id)
        return response

    def _delete_one(self, asked: _Asked, call: Call, request_id: str) -> HttpResponse:
        asked.judge.authorise(call)
        response = self._run_s3(replace(asked, call=call), request_id)
        if response.status >= 300:
            raise AwsError("InternalError", "We encountered an internal error. Please try again.", 500)
        return response

    def _run_sts(self, asked: _Asked, _: str) -> HttpResponse:
        if asked.caller is ANONYMOUS:
            raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
        if asked.call.operation == "GetCallerIdentity":
            return sts.caller_identity(asked.caller)
        return sts.assume_role(asked.call, asked.caller, self.identities, asked.now)

    def _run_iam(self, asked: _Asked, _: str) -> HttpResponse:
        call, principal = asked.call, asked.caller.principal
        if call.operation == "SimulatePrincipalPolicy":
            return simulate(call, self.identities.view(principal.account, asked.judge.at))
        if call.access == "read":
            IamRules(call, principal, self.directory.exists).check()
            return with_encoded_documents(self.moto.call(call, principal.account))
        with self._iam_lock:
            IamRules(call, principal, self.directory.exists).check()
            gone = self._about_to_go(call, principal)
            response = self.moto.call(call, principal.account)
            if response.status < 300:
                touched = self.directory.deleted(*gone) if gone else set()
                for account in {principal.account, *touched}:
                    self.identities.changed(account, asked.now)
        return response

    def _about_to_go(self, call: Call, principal: Principal) -> tuple[str, str] | None:
        """ARN and unique id of the user or role a call deletes."""
        names = {"DeleteUser": ("user", "UserName"), "DeleteRole": ("role", "RoleName")}
        if call.operation not in names:
            return None
        kind, parameter = names[call.operation]
        for entity in self.identities.view(principal.account).entities.values():
            if f":{kind}/" in entity.arn and entity.arn.rpartition("/")[2] == call.text(parameter):
                return entity.arn, entity.unique_id
        return None

    def _run_other(self, asked: _Asked, _: str) -> HttpResponse:
        return self._messaging.run(asked.call, asked.caller.principal, asked.now)

    # -- the log --------------------------------------------------------------------------------------

    @staticmethod
    def _log(call: Call, caller: Caller, realm: Realm, response: HttpResponse, started: datetime) -> None:
        status = "dropped" if response.drop else str(response.status)
        realm.requests.append(
            "aws",
            caller.principal.arn,
            call.name,
            call.access,
            _text_of(call),
            status,
            started,
            max(started, realm.clock.now()),
        )


def _text_of(call: Call) -> str:
    """The call's parameters in brief, secrets left out."""
    if call.service == "s3":
        query = f"?{call.request.query_string}" if call.request.query_string else ""
        return f"{call.request.method} {call.request.path}{query}"
    shown = {
        name: value for name, value in call.parameters.items() if name not in ("Action", "Version", *_SECRETS)
    }
    return json.dumps(shown, ensure_ascii=False, default=str)[:_LONGEST_TEXT]


def _unknown_key(credential: Credential, *, s3: bool) -> AwsError:
    """S3 and the other services have different words for a key nobody has."""
    if s3:
        if credential.token:
            return AwsError("InvalidToken", "The provided token is malformed or otherwise invalid.", 400)
        return AwsError(
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
            403,
            {"AWSAccessKeyId": credential.access_key_id},
        )
    code = "UnrecognizedClientException" if credential.service in ("kms", "ssm") else "InvalidClientTokenId"
    return AwsError(code, "The security token included in the request is invalid.", 403)
