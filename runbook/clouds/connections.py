"""Clients of AWS and sessions of Snowflake, each made the first time it is asked for."""

import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout, suppress
from functools import cached_property
from getpass import GetPassWarning
from typing import Any
from urllib.parse import urlsplit

from runbook.clouds import sign_in_aws, sign_in_snowflake
from runbook.clouds.calls import LOOPBACK
from runbook.clouds.network import AWS_BOUNDS, STATEMENT_TIMEOUT_S, one_line, snowflake_bounds
from runbook.errors import CannotTell, RunbookError, SettingsWrong
from runbook.settings import Settings

APPLICATION = "snowpipe-runbook"
CA_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
NO_PLATFORM_DETECTION = ("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")
"""Else the connector asks AWS who we are at each sign-in, with the operator's credentials.

Source: ENV_VAR_DISABLE_PLATFORM_DETECTION in constants.py of 4.x; 5.x reads the same variable.
"""
SESSIONS = 4
"""COPY statements at once; a warehouse runs eight unless MAX_CONCURRENCY_LEVEL says otherwise."""
SESSION: Mapping[str, Any] = {
    "TIMEZONE": "UTC",
    "STATEMENT_TIMEOUT_IN_SECONDS": STATEMENT_TIMEOUT_S,
    "AUTOCOMMIT": True,
    "ROWS_PER_RESULTSET": 0,
    "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
}
"""What a statement of ours must not depend on: an account or a user may have it set otherwise.

Then what is loaded would be rolled back at the end of the session, a listing be cut short, a name in small
letters not be found. Source: https://docs.snowflake.com/en/sql-reference/parameters
"""
QUERY_TAG_LENGTH = 2000  # https://docs.snowflake.com/en/sql-reference/parameters#query-tag


@contextmanager
def side_by_side(width: int) -> Iterator[Executor]:
    """Threads for independent work, all ended at the end; Ctrl-C waits for none of them."""
    pool = ThreadPoolExecutor(width)
    try:
        yield pool
        pool.shutdown()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise


_NAMED_BY = {"sns": "TopicArn", "kms": "KeyId"}


def region_of(settings: Settings, service: str, parameters: Mapping[str, Any]) -> str:
    """The region that a call is for: its bucket's, or the one that the ARN of its topic or key names."""
    if service == "s3":
        return settings.aws.bucket_named(str(parameters.get("Bucket", ""))).region
    arn = str(parameters.get(_NAMED_BY.get(service, ""), ""))
    return arn.split(":")[3] if arn.startswith("arn:") else settings.aws.region


def client_for(clouds: "Clouds", service: str, parameters: Mapping[str, Any]) -> Any:
    """The boto3 client for a call: of the region that its bucket, topic or key is in."""
    region = region_of(clouds.settings, service, parameters)
    return clouds.aws(service) if region == clouds.settings.aws.region else clouds.aws(service, region)


class Clouds:
    """The connections of one run, opened when first needed, shared by Reader and Writer."""

    def __init__(self, settings: Settings, *, run_id: str, command: str) -> None:
        self.settings = settings
        self.query_tag = f"{APPLICATION} {command} {run_id}"[:QUERY_TAG_LENGTH]
        self._lock = threading.Lock()
        self._aws: dict[tuple[str, str], Any] = {}
        self._connections: dict[str, Any] = {}
        self._aws_session: Any = None
        self._refused: dict[str, RunbookError] = {}  # by side: a refused sign-in is not tried another time
        self.open: dict[object, tuple[str, float]] = {}  # questions and writes without an answer yet

    def aws(self, service: str, region: str = "") -> Any:
        """A boto3 client; raises SettingsWrong when the sandbox is meant and AWS would be reached.

        ``region``: ``aws.region``, if none is said.
        """
        region = region or self.settings.aws.region
        with self._lock, self._once("aws"):
            if (service, region) not in self._aws:
                self._aws[service, region] = self._client(service, region)
            return self._aws[service, region]

    @contextmanager
    def _once(self, side: str) -> Iterator[None]:
        """Signing in to a side; raises at once, with the reason, where an earlier attempt was refused."""
        if side in self._refused:
            raise self._refused[side]
        try:
            yield
        except RunbookError as error:
            if not isinstance(error, CannotTell) or error.final:
                self._refused[side] = error
            raise

    @contextmanager
    def waiting(self, side: str, now: Callable[[], float] = time.monotonic) -> Iterator[None]:
        """A side has been asked, or told, something; see :meth:`Reader.waited_for`."""
        ticket = object()
        self.open[ticket] = (side, now())
        try:
            yield
        finally:
            del self.open[ticket]

    def session(self) -> Any:
        """The one boto3 session of this run, so that a second factor is asked for once."""
        import boto3

        warnings.simplefilter("ignore", GetPassWarning)  # of a prompt without a terminal: told as an error
        self._aws_session = self._aws_session or boto3.Session(botocore_session=self._botocore)
        return self._aws_session

    @cached_property
    def _botocore(self) -> Any:
        """What reads AWS' configuration files; making one takes as long as many calls."""
        from botocore.session import Session

        return Session()

    def _client(self, service: str, region: str) -> Any:
        from botocore.config import Config

        config = Config(
            region_name=region,
            max_pool_connections=32,
            **AWS_BOUNDS,
            user_agent_extra=APPLICATION,
            signature_version="s3v4" if service == "s3" else None,  # boto3 signs an S3 URL by version 2 else
        )
        try:
            client = self.session().client(
                service, region_name=region, config=config, verify=self.ca_bundle()
            )
        except Exception as error:  # noqa: BLE001 (files, programs and prompts raise what they like)
            raise self._no_client(error, service) from None
        host = urlsplit(client.meta.endpoint_url).hostname
        if self.settings.is_sandbox and host not in LOOPBACK:
            raise SettingsWrong(
                f"The target is the sandbox, but {service} would be asked at {client.meta.endpoint_url}",
                remedy='eval "$(invoke sandbox.env)", or unset RUNBOOK_SANDBOX_GIVEN',
            )
        return client

    def _no_client(self, error: Exception, service: str) -> Exception:
        """Why there is no client of a service: the credentials, or the endpoint; else the error as it is."""
        from botocore.exceptions import BotoCoreError

        if told := sign_in_aws.not_signed_in(error, target=self.settings.target):
            return told
        if isinstance(error, BotoCoreError):
            return SettingsWrong(
                "AWS credentials cannot be used",
                where=f"{self.settings.target}, {sign_in_aws.profile()}",
                why=one_line(str(error)),
                remedy=f"check AWS_PROFILE and {sign_in_aws.files()}",
            )
        if isinstance(error, ValueError):  # botocore's word on an endpoint that is not a URL
            return SettingsWrong(
                f"No client for {service} can be made",
                where=self.settings.target,
                why=one_line(str(error)),
                remedy="correct AWS_ENDPOINT_URL",
            )
        return error

    def ca_bundle(self) -> str | None:
        """The certificates to trust: those boto3 is given, else those every other client on this machine is.

        Sources: https://docs.aws.amazon.com/sdkref/latest/guide/feature-gen-config.html (AWS_CA_BUNDLE,
        ca_bundle), https://requests.readthedocs.io/en/latest/user/advanced/#ssl-cert-verification
        (REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE), https://docs.python.org/3/library/ssl.html (SSL_CERT_FILE).
        """
        name, path = "AWS_CA_BUNDLE", self._botocore.get_config_variable("ca_bundle")
        if not path:
            name, path = next(
                ((name, os.environ[name]) for name in CA_BUNDLES if os.environ.get(name)), ("", "")
            )
        if path and not os.path.exists(path):  # noqa: PTH110 (a file or a folder, as given)
            raise SettingsWrong(
                "The file with the certificates to trust does not exist",
                where=f"{self.settings.target}, {name}",
                why=path,
                remedy=f"correct {name}, or unset it",
            )
        return path or None

    def _trust_alike(self) -> None:
        """Both connectors trust what other clients here do: 4.x reads one variable, 5.x the other."""
        if path := next((os.environ[name] for name in CA_BUNDLES if os.environ.get(name)), None):
            for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
                os.environ.setdefault(name, path)

    def snowflake(self, purpose: str) -> Any:
        """A connection; ``read`` and ``write`` have one each, so a role used to write never reads."""
        with self._lock, self._once("snowflake"):
            if purpose not in self._connections:
                self._connections[purpose] = self._connect()
            return self._connections[purpose]

    def _connect(self) -> Any:
        os.environ.setdefault(*NO_PLATFORM_DETECTION)
        self._trust_alike()
        import snowflake.connector

        name = self.settings.snowflake.connection
        try:
            with redirect_stdout(sys.stderr):  # 4.x tells there where to sign in; our answer goes to stdout
                connection = snowflake.connector.connect(
                    connection_name=name,
                    application=APPLICATION.replace("-", "_"),
                    session_parameters={**SESSION, "QUERY_TAG": self.query_tag},
                    **snowflake_bounds(snowflake.connector.__version__),
                )
        except Exception as error:  # noqa: BLE001 (key files, token files, prompts raise what they like)
            connection_ = sign_in_snowflake.connection_named(name)
            raise sign_in_snowflake.not_signed_in(error, connection_, self.settings.target) from None
        host = getattr(connection, "host", "") or ""
        if self.settings.is_sandbox and host not in LOOPBACK:
            connection.close()
            raise SettingsWrong(f"The target is the sandbox, but the connection {name!r} goes to {host}")
        return connection

    @property
    def sessions(self) -> int:
        """How many sessions may load at once: each signs in by itself, and one is enough for a person."""
        connection = sign_in_snowflake.connection_named(self.settings.snowflake.connection)
        return 1 if connection.asks_a_person else SESSIONS

    def has_credentials(self, side: str) -> bool:
        """Whether there is anything to sign in with on a side; says nothing of whether it still works."""
        if side == "aws":
            try:
                return self.session().get_credentials() is not None
            except Exception as error:  # noqa: BLE001 (as where a client is made)
                raise self._no_client(error, "sts") from None
        from snowflake.connector import errors
        from snowflake.connector.config_manager import CONFIG_MANAGER

        try:
            return self.settings.snowflake.connection in CONFIG_MANAGER["connections"]
        except (errors.Error, OSError, ValueError, TypeError):
            return True  # a connections.toml that cannot be read is told when it is used

    def forget(self, purpose: str) -> None:
        """Let a connection go without a goodbye; the next that asks opens another."""
        with self._lock:
            self._connections.pop(purpose, None)

    side_by_side = staticmethod(side_by_side)

    def aside(self) -> Executor:
        """A thread beside this one, for a statement that is to end whatever happens here."""
        return ThreadPoolExecutor(1)

    def close(self) -> None:
        """End the Snowflake sessions; errors are of no interest any more."""
        with self._lock:
            for connection in self._connections.values():
                with suppress(Exception):  # closing is a courtesy
                    connection.close()
            self._connections.clear()
