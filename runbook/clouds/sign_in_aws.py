"""What getting and using AWS credentials can end with in botocore, as one of our own errors.

boto3 gets credentials when they are first needed, inside whatever call that is: a token file that is
missing, a program that prints no JSON, a second factor nobody can type or a role that may not be assumed
then come out of, say, iam:GetRole. They are told apart by type, by the operation that failed, and by where
they were raised.
"""

import os
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from runbook.clouds.network import failure, one_line, proxy_in_between
from runbook.errors import CannotTell, RunbookError, SettingsWrong

GETTING = (
    "AssumeRole",
    "AssumeRoleWithWebIdentity",
    "AssumeRoleWithSAML",
    "GetRoleCredentials",
    "CreateToken",
)
"""The calls by which botocore gets credentials (botocore/credentials.py, botocore/tokens.py)."""

_SIGNED_OUT = ("SSOTokenLoadError", "UnauthorizedSSOTokenError", "TokenRetrievalError", "SSOError")
_NOT_GIVEN = ("CredentialRetrievalError", "MetadataRetrievalError")
_PROFILE = (
    "ProfileNotFound",
    "ConfigNotFound",
    "ConfigParseError",
    "InvalidConfigError",
    "InfiniteLoopConfigError",
    "UnknownCredentialError",
    "ParamValidationError",
    "MissingDependencyException",
    "InvalidDefaultsMode",
    "InvalidRegionError",
    "InvalidRetryModeError",
    "InvalidRetryConfigurationError",
    "InvalidSTSRegionalEndpointsConfigError",
    "InvalidS3AddressingStyleError",
    "InvalidEndpointConfigurationError",
    "NoRegionError",
)
_WITHIN = ("botocore.credentials", "botocore.tokens", "botocore.utils", "botocore.configloader")


def profile() -> str:
    """Where the credentials come from, as a person has set it; botocore asks the environment first."""
    if os.environ.get("AWS_ACCESS_KEY_ID") and not os.environ.get("AWS_PROFILE"):
        return "AWS_ACCESS_KEY_ID"
    return f"profile {os.environ.get('AWS_PROFILE') or os.environ.get('AWS_DEFAULT_PROFILE') or 'default'}"


def files() -> str:
    """The files that a person corrects."""
    return os.environ.get("AWS_CONFIG_FILE") or "the files of ~/.aws"


def not_signed_in(error: BaseException, operation: str = "", *, target: str = "") -> RunbookError | None:
    """Why there are no AWS credentials to use; None where it is about something else.

    SettingsWrong for what was found before anybody was asked, CannotTell where somebody refused or was not
    there; final: nobody is asked again for a second factor or a token.
    """
    from botocore import exceptions

    where = ", ".join(part for part in (target, profile()) if part)
    if isinstance(error, exceptions.ClientError):
        return _refused(error, operation, where)
    if isinstance(error, exceptions.BotoCoreError):
        return _by_type(error, where)
    if not _raised_within(error.__traceback__, _WITHIN):
        return None
    if isinstance(error, EOFError):
        sys.stderr.write("\n")  # the prompt has left its line open
        return SettingsWrong(
            "The AWS profile asks for a second factor, and there is no terminal to type it at",
            where=where,
            remedy="run it in a terminal, or sign in first and use the credentials of that session "
            "(aws sts get-session-token, aws sso login)",
        )
    if isinstance(error, RuntimeError):  # "… were refreshed, but … are still expired"
        return _cannot("The AWS credentials have expired", where, one_line(str(error)), _again())
    return SettingsWrong(
        "AWS credentials cannot be used", where=where, why=_words(error), remedy=_what_to_correct()
    )


def _refused(error: Any, operation: str, where: str) -> RunbookError | None:
    """A call that was to get credentials, refused or not answered."""
    if error.operation_name == operation or error.operation_name not in GETTING:
        return None
    details = error.response.get("Error", {})
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) or 0)
    why = one_line(f"{error.operation_name}: {details.get('Code', '')}: {details.get('Message', '')}")
    remedy = (
        "check role_arn, source_profile, external_id and mfa_serial of the profile, "
        "and the role's trust policy"
        if error.operation_name.startswith("AssumeRole")
        else _again()
    )
    return CannotTell(
        "AWS does not give the profile its credentials",
        where=where,
        why=why,
        remedy=remedy,
        final=status < 500 and details.get("Code") not in ("Throttling", "ThrottlingException", "429"),
    )


def _by_type(error: Any, where: str) -> RunbookError | None:
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if kinds & set(_SIGNED_OUT):
        return _cannot("AWS: the single sign-on session is over", where, one_line(str(error)), _again())
    if kinds & set(_NOT_GIVEN):
        return _cannot("AWS credentials cannot be had", where, one_line(str(error)), _what_to_correct())
    if kinds & set(_PROFILE):
        return SettingsWrong(
            "AWS credentials cannot be used", where=where, why=one_line(str(error)), remedy=_what_to_correct()
        )
    if "HTTPClientError" in kinds and isinstance(error.__context__ or error.__cause__, ValueError):
        return SettingsWrong(  # its text holds the key or the token
            "An AWS key or token holds a character that cannot be sent",
            where=where,
            why="A line end or a blank, as copying leaves it",
            remedy="set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN anew",
        )
    return None


def _cannot(what: str, where: str, why: str, remedy: str) -> CannotTell:
    return CannotTell(what, where=where, why=why, remedy=remedy, final=True)


def _again() -> str:
    name = os.environ.get("AWS_PROFILE")
    return f"sign in again (aws sso login{f' --profile {name}' if name else ''}), and check AWS_PROFILE"


def _what_to_correct() -> str:
    return f"check AWS_PROFILE and what it names in {files()}: aws sts get-caller-identity must answer"


def _words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, ValueError) and "Expecting value" in str(error):
        return "What credential_process prints is not the JSON that AWS describes"
    return one_line(str(error)) or type(error).__name__


def _raised_within(trace: TracebackType | None, modules: tuple[str, ...]) -> bool:
    """Whether an exception passed through one of these modules."""
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__") in modules:
            return True
        trace = trace.tb_next
    return False


# -- who answered --------------------------------------------------------------------------------------------


def not_aws(error: BaseException, service: str, operation: str) -> CannotTell | None:
    """An answer that botocore could not read, and that nobody of AWS gave; None for anything else."""
    from botocore import exceptions

    if isinstance(error, exceptions.ClientError):
        return answered_by_another(error.response, service, operation)
    unread = type(error).__name__ == "ResponseParserError"
    if not unread and not _raised_within(error.__traceback__, ("botocore.parsers",)):
        return None
    return _another(service, operation, "it is not what AWS answers with")


def answered_by_another(response: Mapping[str, Any], service: str, operation: str) -> CannotTell | None:
    """Whether an answer lacks the request id that AWS gives to each; botocore takes a web page for success.

    Sources: https://docs.aws.amazon.com/AmazonS3/latest/API/RESTCommonResponseHeaders.html
    (x-amz-request-id), https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html and
    the other services' (RequestId).
    """
    about = response.get("ResponseMetadata", {})
    if about.get("RequestId") or about.get("HTTPHeaders", {}).get("x-amz-request-id"):
        return None
    status = about.get("HTTPStatusCode")
    if status is None:  # not from a wire at all
        return None
    kind = about.get("HTTPHeaders", {}).get("content-type", "")
    return _another(service, operation, f"HTTP {status}{f', {kind}' if kind else ''}", status=int(status))


def _another(service: str, operation: str, what: str, *, status: int = 0) -> CannotTell:
    remedy = (
        "open a web page to see whether the network asks for a sign-in, and check the proxy and the endpoint"
    )
    if status == 407:
        remedy = "give the proxy its user and password (HTTPS_PROXY), or name the host in NO_PROXY"
    return CannotTell(
        f"Something other than AWS answers {service}:{operation}",
        why=one_line(f"A proxy, a sign-in page of the network or another server: {what}"),
        remedy=remedy,
        unreachable=True,
    )


def out_of_reach(error: BaseException, service: str, operation: str) -> CannotTell:
    """Nobody answered."""
    return CannotTell(
        f"AWS cannot be reached for {service}:{operation}",
        why=failure(error),
        remedy=f"check the network{proxy_in_between()}, and run the command again",
        unreachable=True,
    )
