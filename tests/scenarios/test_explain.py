"""`invoke explain`: one file's whole way, of whichever it is asked."""

import gzip
import json

from tests.scenarios.conftest import Installation
from tests.scenarios.test_backfill import event


def explained(at: Installation, *words: str, expect: int) -> dict[str, object]:
    found = json.loads(at.run("explain", *words, "--format", "json", expect=expect).stdout)
    return dict(found["files"][0])


def test_a_file_that_is_loaded_one_that_failed_and_one_that_was_never_announced(
    healthy: Installation,
) -> None:
    rows = [event("good", row) for row in range(3)]
    good = healthy.put("events", "2026-01-01/good.gz", gzip.compress(b"\n".join(rows) + b"\n"))
    bad = healthy.put("events", "2026-01-01/bad.gz", b"\x1f\x8b no gzip")
    healthy.settle()

    found = explained(healthy, good, expect=0)
    assert (found["verdict"], found["rows_in_table"], found["remedy"]) == ("loaded_by_pipe", 3, None)
    (load,) = found["loads"]
    assert (load["status"], load["rows"], load["by"]) == ("LOADED", 3, "EVENTS_PIPE")
    (rule,) = found["announced_by"]
    assert rule["is_the_pipes"] == "yes"

    url = f"s3://{healthy.settings.aws.bucket}/{bad}"
    found = explained(healthy, url, expect=1)
    assert found["verdict"] == "failed"
    assert found["loads"][0]["first_error"]
    assert found["remedy"].startswith("invoke backfill --pattern ")
    assert found["remedy"].endswith("--reload-failed")
    said = healthy.run("explain", url, expect=1).stdout
    assert "verdict:    failed to load" in said
    assert "to do:      invoke backfill" in said

    both = json.loads(
        healthy.run("explain", ".*", "--pattern", "--max-files", "1", "--format", "json", expect=None).stdout
    )
    assert len(both["files"]) == 1
    assert both["more"] >= 1

    healthy.aws("s3").delete_object(Bucket=healthy.settings.aws.bucket, Key=good)
    gone = explained(healthy, good, expect=0)
    assert (gone["verdict"], gone["in_bucket"], gone["missing"]) == ("not_in_bucket", None, False)
    never = explained(healthy, f"{healthy.stream('events').prefix}never-was.gz", expect=2)
    assert (never["verdict"], never["in_bucket"], never["loads"]) == ("not_found", None, [])
    assert never["remedy"] == "look for its name: invoke explain --pattern '.*never-was[.]gz.*'"
    refused = healthy.run("explain", "elsewhere/file.gz", expect=2).stderr
    assert "No stream reads elsewhere/file.gz" in " ".join(refused.split())
