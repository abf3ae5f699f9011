"""`invoke doctor`: everything that can be known before a step is run. Only reads."""

import json
import platform
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from textwrap import indent
from typing import Any

from runbook.errors import CannotTell, SettingsWrong
from runbook.facts import Facts
from runbook.rights.judged import Finding, Word, aws_findings, policy, reading_findings, snowflake_findings
from runbook.rights.needs import COMMANDS
from runbook.running import running
from runbook.settings import Identifier, S3Bucket
from runbook.steps import STEPS
from runbook.terminal import Style, say, say_as_is, say_json, wrapped

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
USES = ("USAGE", "OWNERSHIP")
MOST_SKEW = timedelta(minutes=5)
BOTH = ("aws", "snowflake")
OTHER_SIDE = "what the other administrator may do"
PACKAGES = ("boto3", "snowflake-connector-python", "invoke", "pydantic", "pytest")
SHOWN: dict[Word, tuple[str, str]] = {
    "held": ("ok", "green"),
    "missing": ("missing", "red"),
    "unknown": ("cannot tell", "yellow"),
}


def doctor(config: Mapping[str, Any], *, output_format: str, every: bool) -> int:
    """Settings, identities, rights, regions, clocks and versions. Only reads.

    The exit code is about the five steps: 1 when something is missing, 3 when a check could not tell. What
    only a command beside them needs is told too; not everybody who runs the steps is to take them back. Nor
    does a cloud count that only the other administrator has credentials of.
    """
    if output_format not in ("table", "json"):
        raise SettingsWrong(f"There is no format {output_format!r}", remedy="--format table|json")
    with running(
        config, "doctor", sides=(), spare=BOTH, alone=True, partly=True, quiet=output_format == "json"
    ) as run:
        facts = run.facts()
        facts.look(delivery=False)
        found = list(_examined(facts))
        if output_format == "json":
            rows = [finding.as_json() for finding in found]
            say_json({"target": run.settings.target, "findings": rows})
        else:
            _tell(found, every=every)
    words = {each.word for each in found if each.step not in COMMANDS and each.what != OTHER_SIDE}
    return 1 if "missing" in words else 3 if "unknown" in words else 0


def _examined(facts: Facts) -> Iterator[Finding]:
    closed = facts.reader.closed
    for cloud in BOTH:
        if cloud in facts.reader.absent:
            yield Finding(None, cloud, OTHER_SIDE, "unknown", str(closed[cloud]))
        elif cloud in closed:
            yield Finding(None, cloud, "signing in", "unknown", str(closed[cloud]))
    if "aws" not in closed:
        yield from aws_findings(facts)
        for bucket in facts.settings.buckets:
            yield from _bucket(facts, bucket)
        yield _clock("aws", _aws_time(facts))
    if "snowflake" not in closed:
        yield from (found := snowflake_findings(facts))
        if not any(row.word == "missing" and row.what.startswith("USE ROLE") for row in found):
            yield from reading_findings(facts)  # without the roles nothing is seen, and that is said
        yield from _error_integrations(facts)
        yield _clock("snowflake", facts.now)
    yield Finding(None, "here", _versions(), "held")


def _bucket(facts: Facts, wanted: S3Bucket) -> Iterator[Finding]:
    """A bucket's region, against the settings' and the queues' of the pipes that are there."""
    alone = len(facts.settings.buckets) == 1
    its = "the bucket" if alone else f"the bucket {wanted.name}"
    try:
        bucket = facts.bucket_named(wanted.name)
    except CannotTell as error:
        yield Finding(1, "aws", f"{its}'s region", "unknown", str(error))
        return
    if bucket is None:
        what = f"the bucket {wanted.name}"
        yield Finding(1, "aws", what, "missing", "there is none of that name", "create it")
        return
    if bucket.region == wanted.region:
        yield Finding(1, "aws", f"{its} is in {wanted.region}", "held")
    else:
        aws = facts.settings.aws
        mend = f"{aws.key_of(wanted.name, 'region')}: {bucket.region}"
        why = f"{aws.region_key(wanted.name)} says {wanted.region}"
        yield Finding(1, "aws", f"{its} is in {bucket.region}", "missing", why, mend)
    for stream in facts.settings.in_bucket(wanted.name):
        try:
            pipe = facts.pipe(stream)
        except CannotTell:
            continue  # said as a right
        if pipe is None or not pipe.notification_channel:
            continue
        region = pipe.notification_channel.split(":")[3]
        word: Word = "held" if region == bucket.region else "missing"
        why = "" if word == "held" else "S3 only notifies queues of the bucket's own region"
        yield Finding(5, "aws", f"the queue of {stream.pipe.sql} is in {region}", word, why)


def _error_integrations(facts: Facts) -> Iterator[Finding]:
    """Where Snowflake pushes the errors of a pipe, if anywhere; it stops in silence without its right.

    Source: https://docs.snowflake.com/en/user-guide/data-load-snowpipe-errors-sns
    """
    for stream in facts.settings.streams:
        try:
            pipe = facts.pipe(stream)
            if pipe is None or not pipe.error_integration:
                continue
            held = facts.reach_of(Identifier(pipe.owner)) or frozenset()
        except CannotTell:
            continue  # said as a right
        name = Identifier(pipe.error_integration)
        has = any(g.on == "INTEGRATION" and g.name == name and g.privilege in USES for g in held)
        what = f"errors of {stream.pipe.sql} are pushed through {name}"
        if has:
            yield Finding(None, "snowflake", what, "held")
        else:
            why = f"its owner {pipe.owner} may not use that, and nothing is pushed"
            grant = f"GRANT USAGE ON INTEGRATION {name.sql} TO ROLE {Identifier(pipe.owner).sql};"
            yield Finding(None, "snowflake", what, "missing", why, grant)


def _aws_time(facts: Facts) -> datetime:
    answer = facts.reader.aws("sts", "GetCallerIdentity")
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).astimezone(UTC)


def _clock(cloud: str, theirs: datetime) -> Finding:
    """How far our clock is from a cloud's; AWS refuses a signature that is five minutes off."""
    skew = abs(datetime.now(UTC) - theirs)
    what = f"clocks differ by {skew.total_seconds():.0f} s"
    if skew < MOST_SKEW:
        return Finding(None, cloud, what, "held")
    why = "signatures and tokens are refused"
    return Finding(None, cloud, what, "missing", why, "set this machine's clock")


def _versions() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"Python {platform.python_version()}, {packages}"


def _tell(found: list[Finding], *, every: bool) -> None:
    style = Style.of(sys.stdout)
    titles: dict[int | str | None, str] = {None: "everywhere"}
    titles |= {step.number: step.title for step in STEPS}
    titles |= {command: f"invoke {command}" for command in COMMANDS}
    for step, title in titles.items():
        rows = [row for row in found if row.step == step]
        bad = [row for row in rows if row.word != "held"]
        if not rows:
            continue  # of a cloud that lets nobody in, which is said
        text = title.rstrip(".") + ("" if bad else f": {len(rows)} of {len(rows)} ok")
        say(style.paint(wrapped("", text, style), "bold"))
        for alike in _by_reason(rows if every else bad):
            _tell_alike(alike, style)
    if rights := [row.right for row in found if row.right]:
        say(style.paint("AWS, one policy for whoever runs this:", "bold"))
        say_as_is(indent(json.dumps(policy(rights), indent=1), "  "))
    if grants := [row.grant for row in found if row.grant.endswith(";")]:
        say(style.paint("Snowflake, for a worksheet:", "bold"))
        for grant in dict.fromkeys(grants):
            say(f"  {grant}")


def _by_reason(rows: list[Finding]) -> list[list[Finding]]:
    """The rows in order; together those that one thing keeps from being told, or that one policy gives."""
    found: dict[object, list[Finding]] = {}
    for number, row in enumerate(rows):
        found.setdefault(row.why if row.word == "unknown" or row.right else number, []).append(row)
    return list(found.values())


def _tell_alike(rows: list[Finding], style: Style) -> None:
    row = rows[0]
    word, colour = SHOWN[row.word]
    text = ", ".join(each.what for each in rows) + (f": {row.why}" if row.why else "")
    say(wrapped(f"  {word}: ", text, style, colour=colour))
    if row.grant and not row.right and not row.grant.endswith(";"):
        say(f"    to do: {row.grant}")
