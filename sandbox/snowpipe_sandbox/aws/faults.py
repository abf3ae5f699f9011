"""Faults on demand: what goes wrong on AWS now and then, made to go wrong on purpose.

Deterministic: the same seed and the same requests give the same faults. Set through the control
interface; keys and meaning are those of ``POST /control/<tenant>/faults``.
"""

import random
import threading
from dataclasses import dataclass, field
from typing import Any

from snowpipe_sandbox.aws.errors import AwsError

ONE_SHOT = ("throttle", "error_500", "drop_connection", "conflict", "unready_destination", "unseen")
_NUMBERS = (
    "latency_ms",
    "jitter_ms",
    "iam_propagation_s",
    "credential_cache_s",
    "new_queue_each_time",
    "pipe_latency_s",
    "replaced_pipe_s",
    "truncate_keeps_pipe_loads",
    "rollback_keeps_copies",
    "gone_file_is_denied",
)
_NOTIFICATIONS = {"drop", "duplicate", "delay_s", "reorder", "activation_s"}


@dataclass
class _Counted:
    """A fault for the next ``times`` calls of ``operation`` ("*" for any)."""

    operation: str
    times: int


@dataclass(frozen=True)
class NotificationFaults:
    """Probabilities and delay for event notifications."""

    drop: float = 0.0
    duplicate: float = 0.0
    delay_s: float = 0.0
    reorder: bool = False
    activation_s: float = 0.0
    """How long a changed notification document takes to work; about 300 on AWS."""


@dataclass(frozen=True)
class _Settings:
    numbers: dict[str, float] = field(default_factory=dict)
    notifications: NotificationFaults = field(default_factory=NotificationFaults)
    asked: dict[str, Any] = field(default_factory=dict)


class Faults:
    """One tenant's faults. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._settings = _Settings()
        self._counted: dict[str, list[_Counted]] = {name: [] for name in ONE_SHOT}
        self.random = random.Random(0)

    def replace(self, wanted: dict[str, Any]) -> None:
        """Set the faults again from the control interface's document; ValueError for what is not one."""
        counted = {name: _counted(wanted.get(name)) for name in ONE_SHOT}
        settings = _settings(wanted)
        with self._lock:
            self._settings, self._counted = settings, counted
            if "seed" in wanted:
                self.random = random.Random(wanted["seed"])

    def as_json(self) -> dict[str, Any]:
        """The faults that are set, as they were asked for."""
        return dict(self._settings.asked)

    def number(self, name: str) -> float:
        """A knob's value; 0 when it is not set."""
        return self._settings.numbers.get(name, 0.0)

    @property
    def notifications(self) -> NotificationFaults:
        """What happens to event notifications."""
        return self._settings.notifications

    def latency_s(self) -> float:
        """How long to hold the next answer back."""
        base, jitter = self.number("latency_ms"), self.number("jitter_ms")
        if not jitter:
            return base / 1000
        with self._lock:
            return max(0.0, base + self.random.uniform(-jitter, jitter)) / 1000

    def take(self, name: str, operation: str) -> bool:
        """Whether fault ``name`` befalls this call; counts it down."""
        if not self._counted[name]:
            return False
        with self._lock:
            for fault in self._counted[name]:
                if fault.times > 0 and fault.operation in ("*", operation):
                    fault.times -= 1
                    return True
        return False


def _counted(wanted: Any) -> list[_Counted]:
    faults = wanted if isinstance(wanted, list) else [wanted] if wanted else []
    return [_Counted(str(fault["operation"]), int(fault.get("times", 1))) for fault in faults]


def _settings(wanted: dict[str, Any]) -> _Settings:
    known = {*_NUMBERS, *ONE_SHOT, "notifications", "seed"}
    if unknown := set(wanted) - known:
        raise ValueError(f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    notifications = wanted.get("notifications", {})
    if unknown := set(notifications) - _NOTIFICATIONS:
        raise ValueError(f"no such notification fault: {', '.join(sorted(unknown))}")
    numbers = {name: float(wanted[name]) for name in _NUMBERS if name in wanted}
    return _Settings(numbers, NotificationFaults(**notifications), dict(wanted))


def throttled(service: str) -> AwsError:
    """The service's own refusal when it is asked too often (S3: SlowDown 503; others: Throttling 400)."""
    if service == "s3":
        return AwsError("SlowDown", "Please reduce your request rate.", 503)
    return AwsError("Throttling", "Rate exceeded", 400)


def unseen() -> AwsError:
    """What IAM says of a thing that was made a moment ago, where that is not known everywhere yet.

    Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html,
    https://github.com/hashicorp/terraform-provider-aws/pull/6709 (AttachRolePolicy),
    https://github.com/hashicorp/terraform-provider-aws/pull/18435 (reads).
    """
    return AwsError("NoSuchEntity", "The entity cannot be found.", 404)


def conflict(service: str) -> AwsError:
    """The refusal of a write while another one of the same thing is under way.

    Sources: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html; seen of bucket notifications
    in https://github.com/aws/aws-cdk/issues/16811; IAM's is in its API model.
    """
    if service == "s3":
        message = (
            "A conflicting conditional operation is currently in progress against this resource. Please try "
        )
        return AwsError("OperationAborted", f"{message}again.", 409)
    message = "The request was rejected because multiple requests to change this object were submitted "
    return AwsError("ConcurrentModification", f"{message}simultaneously.", 409)


def internal_error(service: str) -> AwsError:
    """The service's own 500."""
    if service == "s3":
        return AwsError("InternalError", "We encountered an internal error. Please try again.", 500)
    code = "ServiceFailure" if service == "iam" else "InternalFailure"
    return AwsError(code, "The request processing has failed because of an internal error", 500)
