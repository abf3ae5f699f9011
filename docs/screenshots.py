"""Make docs/images again: what a terminal of 80 columns shows of three typical faults.

    python docs/screenshots.py          # writes them
    python docs/screenshots.py --check  # writes nothing; ends with 1 where one is not what is shown today

Starts a sandbox of its own, breaks one thing from outside, runs `invoke verify` on a terminal, keeps what
that shows, and runs the remedy it printed before the next.
"""

import fcntl
import json
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
from rich.console import Console
from rich.text import Text
from snowpipe_sandbox import process

COLUMNS = 80
ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"


def wrong_external_id() -> None:
    """Somebody applied the trust policy of another integration."""
    iam, name = boto3.client("iam"), "snowflake-read-role"
    trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    for statement in trust["Statement"]:
        statement["Condition"]["StringEquals"]["sts:ExternalId"] = "ACME_SFCRole=2_of-another-integration="
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))


def rule_deleted() -> None:
    """Somebody wrote the bucket's notifications whole, without ours."""
    s3, bucket = boto3.client("s3"), "snowplow-sandbox"
    document = s3.get_bucket_notification_configuration(Bucket=bucket)
    rules = [row for row in document["QueueConfigurations"] if "EVENTS_BAD" not in row["Id"]]
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": rules}
    )


def privilege_revoked() -> None:
    """Somebody tidied up grants."""
    import snowflake.connector

    with snowflake.connector.connect(connection_name="sandbox") as connection:
        connection.cursor().execute("USE ROLE ACCOUNTADMIN")
        revoke = "REVOKE INSERT ON TABLE RAW.SNOWPLOW.EVENTS FROM ROLE SNOWPLOW_LOADER"
        connection.cursor().execute(revoke)


FAULTS: dict[str, Callable[[], None]] = {
    "external-id": wrong_external_id,
    "notification-rule": rule_deleted,
    "loader-privilege": privilege_revoked,
}


def on_a_terminal(command: list[str]) -> str:
    """What the command writes on a terminal of 80 columns, colours and all."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 60, COLUMNS, 0, 0))
    with subprocess.Popen(command, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs) as running:
        os.close(theirs)
        parts = []
        while True:
            try:
                parts.append(os.read(ours, 65536))
            except OSError:  # its end is closed: the command is done
                break
        running.wait()
    os.close(ours)
    return b"".join(parts).decode().replace("\r\n", "\n")


def picture(title: str, shown: str, path: Path) -> None:
    """The terminal's content as SVG."""
    console = Console(record=True, width=COLUMNS, file=Path(os.devnull).open("w"), force_terminal=True)  # noqa: SIM115
    console.print(Text.from_ansi(f"$ {title}\n{shown.rstrip()}"))
    svg = console.export_svg(title=title, unique_id=path.stem)
    path.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", encoding="utf-8")


def words(picture: Path) -> list[str]:
    """What a picture says; an external ID is another one in every sandbox."""
    lines = re.findall(r"<text[^>]*>([^<]*)</text>", picture.read_text(encoding="utf-8"))
    return [re.sub(r"\w+_SFCRole=\S+", "EXTERNAL_ID", line) for line in lines if line.strip()]


def main() -> None:
    """Makes every picture, and with ``--check`` compares it with the one that is there."""
    if sys.argv[1:] != ["--check"]:
        make(IMAGES)
        return
    with TemporaryDirectory() as made:
        make(Path(made))
        old = [name for name in FAULTS if words(IMAGES / f"{name}.svg") != words(Path(made) / f"{name}.svg")]
    if old:
        sys.exit(
            f"docs/images: {', '.join(old)} no longer shows what verify says: python docs/screenshots.py"
        )


def make(images: Path) -> None:
    """Every fault, one after the other."""
    invoke = [sys.executable, "-m", "invoke"]
    with TemporaryDirectory() as home:
        folder = Path(home) / "sandbox"
        status = process.start(folder)
        tenant: Any = status.tenant
        os.environ.update(process.env(folder, tenant))
        os.environ.update({"RUNBOOK_SANDBOX_GIVEN": "1", "RUNBOOK_HOME": home, "TERM": "xterm-256color"})
        for name in ("NO_COLOR", "COLUMNS"):
            os.environ.pop(name, None)
        try:
            subprocess.run([*invoke, "up"], cwd=ROOT, check=True, capture_output=True)
            for name, break_it in FAULTS.items():
                break_it()
                picture("invoke verify", on_a_terminal([*invoke, "verify"]), images / f"{name}.svg")
                told = subprocess.run(
                    [*invoke, "verify", "--format", "json"], cwd=ROOT, check=False, capture_output=True
                )
                (cause,) = {
                    row["remedy"] for row in json.loads(told.stdout)["checks"] if row["outcome"] == "failed"
                }
                remedy = shlex.split(cause)[1:]
                subprocess.run([*invoke, *remedy], cwd=ROOT, check=True, capture_output=True)
        finally:
            process.stop(folder)


if __name__ == "__main__":
    main()
