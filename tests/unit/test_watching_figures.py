"""The figures, as their consumers read them."""

import json
import shutil
import socket
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from runbook.errors import SettingsWrong
from runbook.watching.figures import (
    FAMILIES,
    PREFIX,
    Endpoint,
    Figures,
    Sample,
    as_json,
    as_prometheus,
    as_statsd,
    send_statsd,
)

AT = datetime(2026, 3, 2, 8, tzinfo=UTC)
NASTY = 'a"b\\c\nd'


def figures() -> Figures:
    target = (("target", "prod"),)
    rows = []
    for name in FAMILIES:
        labels = {
            "watch_cause": (*target, ("check", "step4.pipe-is-not-paused"), ("stream", NASTY)),
            "watch_cloud_answers": (*target, ("cloud", "aws")),
            "watch_route_failures": (*target, ("route", "team")),
        }.get(
            name,
            target
            if name.startswith("watch_") or name == "bad_row_ratio"
            else (*target, ("stream", "events")),
        )
        rows.append(Sample(name, labels, 1_772_438_400.0 if "timestamp" in name else 0.25))
    why = {"step4.pipe-is-not-paused": "somebody paused it"}
    return Figures("prod", "2026-03-02T08:00:00Z", "broken", tuple(rows), (("events", "flowing"),), why)


def test_prometheus_reads_them() -> None:
    found = {
        family.name: family for family in text_string_to_metric_families(as_prometheus(figures()) + "\n")
    }
    for name, (kind, words) in FAMILIES.items():
        family = found[f"{PREFIX}_{name}".removesuffix("_total")]
        assert (family.type, family.documentation) == (kind, words)
        assert family.samples[0].labels["target"] == "prod"
    assert found[f"{PREFIX}_watch_cause"].samples[0].labels["stream"] == NASTY


def test_promtool_finds_nothing_to_say() -> None:
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    text = as_prometheus(figures()) + "\n"
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_figure_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "watch.md").read_text()
    for name, (kind, words) in FAMILIES.items():
        assert f"| `{name}` | {kind} | {words} |" in page


def test_scraped() -> None:
    endpoint = Endpoint("127.0.0.1:0")
    try:
        endpoint.text = as_prometheus(figures())
        url = f"http://127.0.0.1:{endpoint.server.server_port}"
        with urlopen(f"{url}/metrics", timeout=5) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert list(text_string_to_metric_families(answer.read().decode()))
        with pytest.raises(HTTPError) as raised:
            urlopen(f"{url}/", timeout=5)
        raised.value.close()
    finally:
        endpoint.close()


@pytest.mark.parametrize("listen", ["somewhere", "host:", "1.2.3.4:70000"])
def test_a_place_that_is_none(listen: str) -> None:
    with pytest.raises(SettingsWrong, match="not HOST:PORT"):
        Endpoint.place(listen)


def test_json_has_a_stream_by_name() -> None:
    document = json.loads(as_json(figures()))
    assert (document["target"], document["verdict"]) == ("prod", "broken")
    assert document["streams"]["events"]["pending_files"] == 0.25
    assert document["streams"]["events"]["state"] == "flowing"
    cause = {"check": "step4.pipe-is-not-paused", "stream": NASTY, "why": "somebody paused it"}
    assert document["causes"] == [cause]


def test_datadogs_agent_reads_them() -> None:
    """https://docs.datadoghq.com/extend/dogstatsd/datagram_shell: NAME:VALUE|TYPE|#TAG:VALUE,…"""
    for line in as_statsd(figures()):
        name, _, rest = line.partition(":")
        value, kind, tags = rest.split("|")
        assert name.replace("_", "").replace(".", "").isalnum()
        float(value)
        assert kind == "g"
        assert tags.startswith("#target:prod")
        assert all(tag.count(":") == 1 for tag in tags[1:].split(","))


def test_packets_stay_below_a_frame() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as agent:
        agent.bind(("127.0.0.1", 0))
        agent.settimeout(5)
        send_statsd(figures(), f"127.0.0.1:{agent.getsockname()[1]}")
        lines: list[str] = []
        while len(lines) < len(FAMILIES):
            packet = agent.recv(65535)
            assert len(packet) <= 1432
            lines += packet.decode().split("\n")
    assert lines == as_statsd(figures())
