"""``snowpipe-sandbox start|status|stop|reset|env|serve --dir DIR``: the sandbox's process, and its address.

The answers are JSON on standard output; a reason why not is one line on standard error, exit code 1.

Imports nothing of the sandbox itself, so that asking costs nothing. Whether one runs is told by a lock that
the process holds for as long as it lives: a kill -9 is noticed at once.
"""

import argparse
import contextlib
import fcntl
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from snowpipe_sandbox import private

_STARTED_WITHIN_S = 60.0
_STOPPED_WITHIN_S = 15.0
_POLL_S = 0.02
_LOG_LINES = 15
_NEEDED = ("moto", "flask", "fakesnow", "duckdb", "sqlglot", "starlette", "uvicorn")
CONNECTION = "sandbox"


class SandboxUnavailable(Exception):
    """The sandbox cannot be started or reached. One paragraph: what, why, what to do."""


@dataclass(frozen=True, slots=True)
class Status:
    """A running sandbox, as its process wrote it down. ``control_url`` has the control interface's token."""

    pid: int
    port: int
    control_url: str = field(repr=False)
    aws_endpoint_url: str
    started_at: str
    tenant: dict[str, Any] = field(repr=False)


def status(directory: Path) -> Status | None:
    """The sandbox that runs in ``directory`` and answers; None when there is none. Read-only."""
    if not _is_held(directory / "sandbox.lock"):
        return None
    try:
        state = json.loads((directory / "sandbox.json").read_text())
    except (OSError, ValueError):
        return None
    found = Status(**{field.name: state[field.name] for field in fields(Status)})
    return found if _answers(found) else None


def _is_held(lock: Path) -> bool:
    """Whether a living process holds the lock."""
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _answers(found: Status) -> bool:
    with contextlib.suppress(OSError, HTTPException, ValueError):
        return bool(_control(found, "GET", "")["pid"] == found.pid)
    return False


def _control(found: Status, method: str, path: str, body: Any = None) -> Any:
    connection = HTTPConnection("127.0.0.1", found.port, timeout=30)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(
            method, urlsplit(found.control_url).path + path, text, {"Content-Type": "application/json"}
        )
        response = connection.getresponse()
        answer = json.loads(response.read() or b"null")
        if response.status != 200:
            raise ValueError(answer)
        return answer
    finally:
        connection.close()


def start(
    directory: Path,
    *,
    port: int = 0,
    aws_port: int = 0,
    idle_s: float | None = None,
    python: str | None = None,
) -> Status:
    """The sandbox of ``directory``, started if none runs there. Safe against two starters at once.

    Raises SandboxUnavailable: extra not installed, directory not writable, port taken, or it died (with the
    end of its log).
    """
    if found := status(directory):
        return found
    _check_installed()
    with _only_starter(directory):
        if found := status(directory):
            return found
        command = [python or sys.executable, "-m", "snowpipe_sandbox", "serve", "--dir", str(directory)]
        command += ["--port", str(port), "--aws-port", str(aws_port)]
        command += ["--idle", str(idle_s)] if idle_s is not None else []
        return _launched(directory, command)


def _check_installed() -> None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise SandboxUnavailable(
            f"The sandbox needs packages that are not installed: {', '.join(missing)}. "
            "Install them with: pip install snowpipe-sandbox"
        )


@contextlib.contextmanager
def _only_starter(directory: Path) -> Iterator[None]:
    """Hold the lock of whoever is starting the sandbox in this directory."""
    with contextlib.ExitStack() as held:
        try:
            private.folder(directory)
            lock = held.enter_context(private.opened(directory / "start.lock", "w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
            probe = directory / "probe"
            private.write(probe, "x" * 4_096)
            probe.unlink()
        except OSError as error:
            raise SandboxUnavailable(
                f"The sandbox cannot write to {directory}: {error.strerror}. "
                "Free some space or make the directory writable."
            ) from error
        yield


def _launched(directory: Path, command: list[str]) -> Status:
    """Run the process and wait until it answers, or is dead."""
    log = directory / "sandbox.log"
    with contextlib.suppress(FileNotFoundError):
        log.replace(directory / "sandbox.log.1")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= _without_proxy()
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(Path(__file__).resolve().parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    with private.opened(log, "a") as output:
        launcher = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=environment,
        )
        launcher.wait(timeout=_STARTED_WITHIN_S)
    if launcher.returncode != 0:
        raise _died(log)
    return _await(directory, log)


def _await(directory: Path, log: Path) -> Status:
    deadline = time.monotonic() + _STARTED_WITHIN_S
    seen = False
    while time.monotonic() < deadline:
        if found := status(directory):
            return found
        held = _is_held(directory / "sandbox.lock")
        if (seen and not held) or "FATAL:" in _tail(log):
            raise _died(log)
        seen = seen or held
        time.sleep(_POLL_S)
    raise _died(log)


def _tail(log: Path) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_LINES:])
    except OSError:
        return ""


def _died(log: Path) -> SandboxUnavailable:
    tail = _tail(log)
    why = next((line for line in reversed(tail.splitlines()) if line.startswith("FATAL: ")), "")
    return SandboxUnavailable(
        f"The sandbox did not start{': ' + why.removeprefix('FATAL: ') if why else ''}. "
        f"The end of its log ({log}):\n{tail or '(empty)'}"
    )


def stop(directory: Path) -> bool:
    """Stop the sandbox of ``directory``; False when none ran. Its state is gone with it."""
    found = status(directory)
    if found is None:
        return False
    _control(found, "POST", "/shutdown")
    deadline = time.monotonic() + _STOPPED_WITHIN_S
    while _is_held(directory / "sandbox.lock"):
        if time.monotonic() > deadline:
            raise SandboxUnavailable(
                f"The sandbox (process {found.pid}) was told to stop and still runs. "
                f"End it with: kill {found.pid}"
            )
        time.sleep(_POLL_S)
    return True


def reset(directory: Path) -> Status:
    """The same sandbox with the default tenant as new; started if none ran."""
    found = status(directory)
    if found is None:
        return start(directory)
    stop(directory)
    port = int(found.aws_endpoint_url.rpartition(":")[2])
    return start(directory, port=found.port, aws_port=port)


def env(directory: Path, tenant: dict[str, Any]) -> dict[str, str]:
    """The environment of a shell that talks to ``tenant``; writes its ``connections.toml`` (mode 0600).

    ``tenant`` is what the control interface answers. See :func:`unset` for what must not be set beside it.
    """
    return variables(directory, tenant) | _without_proxy()


def variables(directory: Path, tenant: dict[str, Any]) -> dict[str, str]:
    """What :func:`env` says and does, apart from the proxy, which is the caller's."""
    aws = tenant["aws"]
    home = _snowflake_home(directory, tenant)
    token = {"AWS_SESSION_TOKEN": aws["session_token"]} if aws.get("session_token") else {}
    return token | {
        "AWS_ENDPOINT_URL": aws["endpoint_url"],
        "AWS_ACCESS_KEY_ID": aws["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": aws["secret_access_key"],
        "AWS_DEFAULT_REGION": aws["region"],
        "AWS_REGION": aws["region"],
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(home / "aws_config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "aws_credentials"),
        "SNOWFLAKE_HOME": str(home),
        "SNOWFLAKE_DEFAULT_CONNECTION_NAME": CONNECTION,
    }


def _without_proxy() -> dict[str, str]:
    """NO_PROXY in both spellings, with what it has: a company's proxy does not reach this machine's loopback.

    Source: https://docs.python.org/3/library/urllib.request.html#urllib.request.getproxies
    """
    there = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = [host.strip() for host in there.split(",") if host.strip()]
    hosts += [host for host in ("127.0.0.1", "localhost", "::1") if host not in hosts]
    return dict.fromkeys(("NO_PROXY", "no_proxy"), ",".join(hosts))


def unset() -> tuple[str, ...]:
    """Variables that would lead a client away from the sandbox."""
    return (
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_SESSION_TOKEN",
        "AWS_SECURITY_TOKEN",
        "AWS_ROLE_ARN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "AWS_CA_BUNDLE",
        *(f"AWS_ENDPOINT_URL_{service}" for service in ("S3", "IAM", "STS", "SQS", "SNS", "SSM", "KMS")),
        *(f"SNOWFLAKE_{name}" for name in ("ACCOUNT", "USER", "PASSWORD", "ROLE", "DATABASE", "WAREHOUSE")),
    )


def _snowflake_home(directory: Path, tenant: dict[str, Any]) -> Path:
    snowflake = tenant["snowflake"]
    lines = [f"[{CONNECTION}]"]
    values = {
        "account": snowflake["account"],
        "user": snowflake["user"],
        "password": snowflake["password"],
        "host": snowflake["host"],
        "protocol": "http",
    }
    lines += [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    lines.append(f"port = {int(snowflake['port'])}")
    home = directory / "snowflake" / tenant["name"]
    try:
        private.folder(home)
        # addressing by path: a bucket of a loopback endpoint has no host name of its own
        private.write(home / "aws_config", "[default]\ns3 =\n    addressing_style = path\n")
        private.write(home / "aws_credentials", "")
        private.write(home / "connections.toml", "\n".join(lines) + "\n")
    except OSError as error:
        raise SandboxUnavailable(f"The sandbox cannot write to {home}: {error.strerror}.") from error
    return home.resolve()


def clear(directory: Path) -> None:
    """Remove what a stopped sandbox leaves behind; SandboxUnavailable while one runs."""
    if _is_held(directory / "sandbox.lock"):
        raise SandboxUnavailable(f"A sandbox runs in {directory}; stop it first.")
    shutil.rmtree(directory, ignore_errors=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="snowpipe-sandbox", description="A local stand-in for both clouds.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, says in {
        "start": "start it where none runs; print its address",
        "status": "print its address; null and exit code 1 where none runs",
        "stop": "stop it; what was in it is gone",
        "reset": "start it afresh at the same address",
        "env": 'print what a shell must set: eval "$(snowpipe-sandbox env)"',
        "serve": "be the sandbox (serve --help says more)",
    }.items():
        verb = verbs.add_parser(name, help=says, description=says, add_help=name != "serve")
        if name != "serve":
            verb.add_argument(
                "--dir",
                type=Path,
                default=Path(".sandbox"),
                help="state file, lock and log (default: .sandbox)",
            )
    return parser


def _shell(found: Status, directory: Path) -> str:
    lines = [f"unset {name}" for name in unset()]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in env(directory, found.tenant).items()]
    return "\n".join(lines)


def _answer(verb: str, directory: Path) -> str:
    if verb == "stop":
        return json.dumps({"stopped": stop(directory)})
    found = (
        status(directory) if verb == "status" else reset(directory) if verb == "reset" else start(directory)
    )
    if verb == "env" and found:
        return _shell(found, directory)
    return (directory / "sandbox.json").read_text().strip() if found else "null"


def main(arguments: list[str] | None = None) -> int:
    """Do what one verb says; 1 where that cannot be, or where ``status`` finds none."""
    given, rest = _parser().parse_known_args(arguments)
    if given.verb == "serve":
        from snowpipe_sandbox.serve import main as serve

        return serve(rest)
    if rest:
        _parser().error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        answer = _answer(given.verb, given.dir.resolve())
    except SandboxUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{answer}\n")
    return int(answer == "null")
