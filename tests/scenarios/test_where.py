"""Where a command goes, seen from outside: remedies on a live target, and changes without a record."""

import gzip
import json
import shlex
from collections.abc import Callable
from pathlib import Path

from tests.scenarios.conftest import Installation

PINS = ("INVOKE_AWS_ACCOUNT_ID", "INVOKE_AWS_BUCKET", "INVOKE_SNOWFLAKE_ACCOUNT")


def as_live(at: Installation, folder: Path) -> str:
    """The tenant as a live target: an environment file of its own, nothing in the environment."""
    connections = Path(at.environment["SNOWFLAKE_HOME"]) / "connections.toml"
    connections.write_text(connections.read_text().replace("[sandbox]", "[acme]"))
    account = at.environment["INVOKE_SNOWFLAKE_ACCOUNT"]
    file = folder / "our prod.yaml"
    file.write_text(
        "target: prod\n"
        f"aws: {{account_id: '{at.settings.aws.account_id}', bucket: {at.settings.aws.bucket}}}\n"
        f"snowflake: {{account: {account}, connection: acme}}\n"
    )
    for name in PINS:
        del at.environment[name]
    return str(file)


def rules(at: Installation) -> list[str]:
    found = at.aws("s3").get_bucket_notification_configuration(Bucket=at.settings.aws.bucket)
    return [row["Id"] for row in found.get("QueueConfigurations", [])]


def test_a_remedy_printed_for_a_live_target_mends_that_target(
    new_installation: Callable[..., Installation], tmp_path: Path
) -> None:
    live = new_installation()
    file = as_live(live, tmp_path)
    assert "prod" in live.run("-f", file, "up", "--yes").stderr.splitlines()[-1]
    live.aws("s3").put_bucket_notification_configuration(
        Bucket=live.settings.aws.bucket, NotificationConfiguration={}
    )
    wanted = shlex.join(["invoke", "-f", file, "step5-aws"])
    names = ("table", "json", "junit", "tap")
    formats = [f"--format={name}={tmp_path / name}" for name in names]
    done = live.run("-f", file, "verify", *formats, "--format=nagios", expect=2)
    for text in (done.stdout, *((tmp_path / name).read_text() for name in names)):
        assert wanted in " ".join(text.split())
    assert (tmp_path / "table").read_text().splitlines()[-1] == "not healthy: prod"
    remedy = next(
        row["remedy"]
        for row in json.loads((tmp_path / "json").read_text())["checks"]
        if row["outcome"] == "failed"
    )
    mended = live.run(*shlex.split(remedy)[1:], "--yes")
    assert "step 5 proven on prod" in mended.stderr
    assert len(rules(live)) == 2
    refused = live.run("-f", file, "pause", expect=2)
    assert refused.stderr.rstrip().endswith("Target: prod.")


def test_nothing_is_changed_without_a_record(healthy: Installation, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    healthy.aws("s3").put_bucket_notification_configuration(
        Bucket=healthy.settings.aws.bucket, NotificationConfiguration={}
    )
    healthy.put("events", "never-announced.gz", gzip.compress(b"\t" * 130 + b"\n"))
    healthy.environment["RUNBOOK_HOME"] = str(tmp_path / "file" / "home")
    before = healthy.requests()[-1]["n"]
    for line in ("pause", "backfill --pattern .*gz", "step5-aws", "down"):
        done = healthy.run(*line.split(), expect=2)
        assert "The record of this run cannot be written" in " ".join(done.stderr.split()), line
    assert healthy.run("backfill", "--pattern", ".*", "--dry-run").returncode == 0  # compares elsewhere
    written = healthy.writes_since(before)
    assert [text for text in written if "never-announced.gz" not in text] == []
