"""The figures of a round for programs: Prometheus, JSON, StatsD with Datadog's tags.

Names end in their unit, counters in ``_total``, times are Unix seconds, a share is a ratio:
https://prometheus.io/docs/practices/naming/. A figure that could not be read has no sample.
"""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from runbook.errors import SettingsWrong
from runbook.settings import Settings
from runbook.watching import flow
from runbook.watching.causes import present
from runbook.watching.history import History, clean, iso
from runbook.watching.rounds import Round

PREFIX = "snowpipe_runbook"
DATAGRAM = 1400  # bytes: https://docs.datadoghq.com/extend/dogstatsd/high_throughput (below a packet)

GAUGE, COUNTER = "gauge", "counter"
FAMILIES: dict[str, tuple[str, str]] = {
    "watch_healthy": (GAUGE, "1 when the last round found everything that it judged working."),
    "watch_round_timestamp_seconds": (GAUGE, "When the last round was, by Snowflake's clock."),
    "watch_round_duration_seconds": (GAUGE, "How long the last round took."),
    "watch_cause": (GAUGE, "1 for each cause that is wrong and confirmed, by stream."),
    "watch_cloud_answers": (GAUGE, "1 when the cloud could be asked in the last round."),
    "watch_route_failures": (GAUGE, "How often in a row a route did not take a message."),
    "pipe_running": (GAUGE, "1 when the pipe's execution state is RUNNING."),
    "pending_files": (GAUGE, "Files that the pipe was notified of and that are not loaded yet."),
    "oldest_pending_timestamp_seconds": (GAUGE, "When the oldest of them was notified."),
    "newest_file_timestamp_seconds": (GAUGE, "When the newest file in the folder was written."),
    "notified_timestamp_seconds": (GAUGE, "When the pipe was last notified of a file."),
    "newest_row_timestamp_seconds": (GAUGE, "When the pipe last loaded a file."),
    "load_latency_p50_seconds": (GAUGE, "From a file's arrival to its rows: the median of the last day."),
    "load_latency_p95_seconds": (
        GAUGE,
        "From a file's arrival to its rows: 95 of 100 files of the last day.",
    ),
    "arrived_files_total": (COUNTER, "Files that arrived in the folder since watching began."),
    "arrived_bytes_total": (COUNTER, "Bytes that arrived in the folder since watching began."),
    "table_rows": (GAUGE, "Rows in the stream's table."),
    "bad_row_ratio": (GAUGE, "Bad rows among all rows of the last day, from 0 to 1."),
    "loaded_files": (GAUGE, "Files in the folder that are loaded, as the last deep round counted them."),
    "failed_files": (GAUGE, "Files that failed to load, as the last deep round counted them."),
    "pipe_credits": (GAUGE, "Credits that the pipe cost within a day, as the last deep round read them."),
    "missing_files": (GAUGE, "Files of the last 14 days that no load history knows, by the last deep round."),
}
"""Every figure with its type and what it says."""


@dataclass(frozen=True)
class Sample:
    """One figure of one stream (or cause, cloud, route)."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float


@dataclass(frozen=True)
class Figures:
    """The figures of one round."""

    target: str
    at: str
    verdict: str
    samples: tuple[Sample, ...]
    words: tuple[tuple[str, str], ...]
    """Each stream, and in a word where it stands."""
    whys: Mapping[str, str] = field(default_factory=dict)
    """What is wrong, by check: in a sentence, with the names that a person needs."""


def figures_of(found: Round, history: History, settings: Settings) -> Figures:
    """The figures of a round and of what is remembered."""
    samples = [*_of_round(found, history), *_of_streams(found, history, settings)]
    words = tuple((each.stream, word) for each, word in found.words(settings))
    whys = {cause.key: cause.why for cause in present(history.db).values()}
    return Figures(settings.target, iso(found.at), found.verdict, tuple(samples), words, whys)


def _of_round(found: Round, history: History) -> Iterator[Sample]:
    target = (("target", found.outcome.target),)
    yield Sample("watch_healthy", target, int(found.exit_code == 0))
    yield Sample("watch_round_timestamp_seconds", target, found.at.timestamp())
    if took := found.figures.get("", {}).get("round_duration_seconds"):
        yield Sample("watch_round_duration_seconds", target, took)
    for side in ("aws", "snowflake"):
        yield Sample("watch_cloud_answers", (*target, ("cloud", side)), int(side not in found.trouble))
    for cause in present(history.db).values():
        for stream in cause.streams or ("",):
            yield Sample("watch_cause", (*target, ("check", cause.key), ("stream", stream)), 1)
    for name, failures in history.db.execute("SELECT name, failures FROM route ORDER BY name"):
        yield Sample("watch_route_failures", (*target, ("route", name)), failures)


def _of_streams(found: Round, history: History, settings: Settings) -> Iterator[Sample]:
    kinds = {stream.name: stream.kind for stream in settings.streams}
    target = (("target", settings.target),)
    for each in found.flows:
        labels = (*target, ("stream", each.stream))
        mine = dict(found.figures.get(each.stream, {}))
        for percent in (50, 95):
            if (value := flow.quantile(each.latencies, percent)) is not None:
                mine[f"load_latency_p{percent}_seconds"] = value
        for name in ("arrived_files", "arrived_bytes"):
            mine[f"{name}_total"] = float(history.noted(f"{name}.{each.stream}") or 0)
        for name in ("loaded_files", "failed_files", "missing_files", "pipe_credits"):
            if name not in mine and (last := _last(history, each.stream, name)) is not None:
                mine[name] = last
        for name, value in mine.items():
            if name in FAMILIES:
                yield Sample(name, labels, value)
    if (share := flow.bad_row_share(found.flows, kinds)) is not None:
        yield Sample("bad_row_ratio", target, share)


def _last(history: History, stream: str, name: str) -> float | None:
    row = history.db.execute(
        "SELECT value FROM figure WHERE stream = ? AND name = ? ORDER BY at DESC LIMIT 1", (stream, name)
    ).fetchone()
    return float(row[0]) if row else None


def as_prometheus(figures: Figures) -> str:
    """The text format: https://prometheus.io/docs/instrumenting/exposition_formats/."""
    lines = []
    for name, (kind, words) in FAMILIES.items():
        rows = [sample for sample in figures.samples if sample.name == name]
        if not rows:
            continue
        full = f"{PREFIX}_{name}"
        lines += [f"# HELP {full} {words}", f"# TYPE {full} {kind}"]
        for row in rows:
            labels = ",".join(f'{key}="{_label(text)}"' for key, text in row.labels)
            lines.append(f"{full}{{{labels}}} {_number(row.value)}")
    return "\n".join(lines)


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(round(value, 6))


def as_json(figures: Figures) -> str:
    """One document: the target's figures, and each stream's by name."""
    streams: dict[str, dict[str, Any]] = {stream: {"state": word} for stream, word in figures.words}
    whole: dict[str, Any] = {}
    causes: list[dict[str, str]] = []
    others: dict[str, dict[str, float]] = {}
    for sample in figures.samples:
        labels = dict(sample.labels)
        labels.pop("target", None)
        if sample.name == "watch_cause":
            causes.append({**labels, "why": figures.whys.get(labels["check"], "")})
        elif labels.keys() == {"stream"}:
            streams.setdefault(labels["stream"], {})[sample.name] = sample.value
        elif labels:
            others.setdefault(sample.name, {})[next(iter(labels.values()))] = sample.value
        else:
            whole[sample.name] = sample.value
    document = {
        "target": figures.target,
        "at": figures.at,
        "verdict": figures.verdict,
        **whole,
        **others,
        "causes": causes,
        "streams": streams,
    }
    return json.dumps(clean(document), indent=1, ensure_ascii=False)


def as_statsd(figures: Figures) -> list[str]:
    """A datagram's lines, each a gauge with tags.

    Source: https://docs.datadoghq.com/extend/dogstatsd/datagram_shell
    """
    lines = []
    for sample in figures.samples:
        tags = ",".join(f"{key}:{_tag(text)}" for key, text in sample.labels)
        name = f"{PREFIX}.{sample.name.removesuffix('_total')}"
        lines.append(f"{name}:{_number(sample.value)}|g|#{tags}")
    return lines


def _tag(text: str) -> str:
    return "".join(char if char.isalnum() or char in "_-./:" else "_" for char in text) or "none"


def send_statsd(figures: Figures, place: str) -> None:
    """Send every figure by UDP, some to a packet. Raises OSError."""
    host, _, port = place.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for packet in _packed(as_statsd(figures)):
            out.sendto(packet, (host, int(port)))


def _packed(lines: Sequence[str]) -> Iterator[bytes]:
    packet = b""
    for line in lines:
        more = line.encode()
        if packet and len(packet) + 1 + len(more) > DATAGRAM:
            yield packet
            packet = b""
        packet = packet + b"\n" + more if packet else more
    if packet:
        yield packet


class Endpoint:
    """What Prometheus scrapes: the last round's figures at /metrics; no round is begun by a scrape."""

    def __init__(self, listen: str) -> None:
        self.text = ""
        host, port = self.place(listen)
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                known = self.path.partition("?")[0] == "/metrics"
                body = (endpoint.text + "\n" if known else "see /metrics\n").encode()
                self.send_response(200 if known else 404)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """A scrape is not news."""

        try:
            self.server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise SettingsWrong(
                f"Nothing can listen on {listen}",
                why=error.strerror or str(error),
                remedy="--listen with another port",
            ) from None
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @staticmethod
    def place(listen: str) -> tuple[str, int]:
        """Host and port of ``9142``, ``:9142`` or ``0.0.0.0:9142``; raises SettingsWrong."""
        host, _, port = listen.rpartition(":")
        if not port.isdigit() or int(port) > 65535:
            raise SettingsWrong(f"--listen {listen} is not HOST:PORT", remedy="--listen 127.0.0.1:9142")
        return host or "127.0.0.1", int(port)

    def close(self) -> None:
        """Listen no more."""
        self.server.shutdown()
        self.server.server_close()


FORMATS: dict[str, Callable[[Figures], str]] = {"prometheus": as_prometheus, "json": as_json}
