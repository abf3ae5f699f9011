"""Each route's document is what its vendor documents, and what cannot be used is one sentence."""

import base64
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_string
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from runbook.settings import read
from runbook.settings.watch import Route
from runbook.watching import delivery, routes
from runbook.watching.causes import Cause, Seen, take
from runbook.watching.history import History
from runbook.watching.messages import Message
from runbook.watching.routes import KINDS, NotDelivered, Unusable
from tests.scenarios.receivers import Receiver, receiver
from tests.unit.conftest import written

AT = datetime(2026, 3, 2, 8, 10, tzinfo=UTC)
KEY = "0123456789abcdef0123456789abcdef"


def cause(number: int = 0, why: str = "the pipe is paused", streams: tuple[str, ...] = ("events",)) -> Cause:
    return Cause(
        f"step4.check-{number}",
        streams,
        "The pipe is not paused.",
        why,
        "invoke resume --stream events",
        "docs/runbook.md#paused",
        ("delivery.queue-is-worked-off",),
        since=AT,
    )


NASTY = "<!channel> & <https://evil|x> *b* _i_ `c` \u202e\x07 " + "é😀" * 3000
MESSAGES = {
    "broken": Message("0a1b", "prod", "broken", AT, new=(cause(),)),
    "well": Message("0a1b", "prod", "well", AT, ended=(cause(),)),
    "changed": Message("0a1b", "prod", "changed", AT, new=(cause(1),), ended=(cause(2),), open=(cause(3),)),
    "reminder": Message("0a1b", "prod", "reminder", AT, open=(cause(), cause(1))),
    "test": Message("0a1b", "prod", "test", AT),
    "hundred": Message("0a1b", "prod", "broken", AT, new=tuple(map(cause, range(100)))),
    "nasty": Message("0a1b", "prod", "broken", AT, new=(cause(0, NASTY), cause(1, NASTY)), repeated=True),
    "ten nasty": Message("0a1b", "prod", "broken", AT, new=tuple(cause(n, NASTY) for n in range(10))),
    "nothing known": Message("0a1b", "prod", "broken", AT, new=(Cause("watch.x", (), "", ""),)),
}


@pytest.fixture
def told() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def _way(kind: str, told: Receiver, monkeypatch: pytest.MonkeyPatch, **more: Any) -> routes.Way:
    secret = KEY if kind == "pagerduty" else told.url(kind)
    monkeypatch.setenv("THE_ADDRESS", secret)
    if kind == "pagerduty":
        more["url"] = told.url("pagerduty")
    route = Route(kind=kind, secret_from="THE_ADDRESS", **more)
    return routes.Way("team", kind, KINDS[kind](route, None))


@pytest.mark.parametrize("kind", ["webhook", "slack", "teams", "pagerduty"])
@pytest.mark.parametrize("name", MESSAGES)
def test_the_vendor_takes_it(kind: str, name: str, told: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    _way(kind, told, monkeypatch).send(MESSAGES[name])
    assert told.refused == []
    assert told.of(kind)


def test_no_name_from_outside_is_a_link_in_teams() -> None:
    """The title too is Markdown to an Adaptive Card: https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features."""
    card = routes.teams(Message("0a1b", "prod", "broken", AT, new=(cause(0, "[sign in](https://evil) *b*"),)))
    body = card["attachments"][0]["content"]["body"]
    assert len(body) > 1
    for block in body:
        assert "\\[sign in\\](https://evil) \\*b\\*" in block["text"]


def test_pagerduty_triggers_and_resolves_under_one_key(
    told: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = _way("pagerduty", told, monkeypatch)
    way.send(MESSAGES["broken"])
    way.send(MESSAGES["well"])
    (triggered, key), (resolved, same) = [
        (row["event_action"], row["dedup_key"]) for row in told.of("pagerduty")
    ]
    assert (triggered, resolved, key) == ("trigger", "resolve", same)
    assert key.startswith("snowpipe-runbook/prod/")
    assert key.endswith("/step4.check-0")


def test_two_installations_of_one_targets_name_share_no_incident() -> None:
    keys = [
        {event["dedup_key"] for event in routes.pagerduty(MESSAGES[kind], "key", installation)}
        for kind in ("broken", "test")
        for installation in ("ACME-ONE/RAW.SNOWPLOW", "ACME-TWO/RAW.SNOWPLOW")
    ]
    assert len(set().union(*keys)) == 4


def test_a_message_sent_again_carries_the_same_key(told: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    way = _way("webhook", told, monkeypatch)
    for _ in range(2):
        way.send(MESSAGES["broken"])
    assert [row["key"] for row in told.taken] == ["0a1b", "0a1b"]


def test_nobody_is_called_to_a_channel_by_a_files_name(
    told: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    _way("slack", told, monkeypatch).send(MESSAGES["nasty"])
    sections = [block["text"]["text"] for block in told.of("slack")[0]["blocks"][1:]]
    assert "<!channel>" not in "".join(sections)
    assert "&lt;!channel&gt;" in "".join(sections)


@pytest.mark.parametrize(
    ("answer", "is_final"), [(400, True), (404, True), (410, True), (429, False), (503, False), (302, False)]
)
def test_an_answer_that_is_no_delivery(
    answer: int, is_final: bool, told: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    told.answer = answer
    with pytest.raises(NotDelivered, match=f"HTTP {answer}") as raised:
        _way("slack", told, monkeypatch).send(MESSAGES["broken"])
    assert raised.value.is_final == is_final
    assert "pl4nted" not in str(raised.value)


def test_nobody_there(told: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    way = _way("slack", told, monkeypatch)
    monkeypatch.setenv("THE_ADDRESS", "http://127.0.0.1:9/services/pl4ntedS3cretInTheUrl")
    way = routes.Way("team", "slack", KINDS["slack"](Route(kind="slack", secret_from="THE_ADDRESS"), None))
    with pytest.raises(NotDelivered) as raised:
        way.send(MESSAGES["broken"])
    assert "pl4nted" not in str(raised.value)
    assert delivery.send_test([way], "prod", AT)["team"]


@pytest.mark.parametrize(
    ("route", "sentence"),
    [
        ({"kind": "pigeon"}, "there is no kind 'pigeon'"),
        ({"kind": "slack"}, "secret_from names no variable"),
        (
            {"kind": "slack", "secret_from": "NOT_SET_AT_ALL"},
            "the variable NOT_SET_AT_ALL with its URL is not set",
        ),
        ({"kind": "slack", "secret_from": "NO_URL"}, "what the variable NO_URL holds is not a URL"),
        ({"kind": "email", "to": ["a@example.com"]}, "host is missing"),
        ({"kind": "sns"}, "topic_arn is missing"),
        ({"kind": "sns", "topic_arn": "arn:aws:sns"}, "not the ARN of a standard SNS topic"),
        (
            {"kind": "sns", "topic_arn": "arn:aws:sns:eu-west-1:123456789012:a.fifo"},
            "not the ARN of a standard",
        ),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    route: dict[str, Any], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_URL", "pl4nted-S3cret")
    with pytest.raises(Unusable, match=sentence) as raised:
        routes._sender(Route.model_validate(route), None)
    assert "pl4nted" not in str(raised.value)


def test_a_topic_is_asked_in_its_own_region() -> None:
    class Asked:
        """What Clouds gives: a client of a region."""

        settings = read(written())
        published: ClassVar[list[tuple[str, str]]] = []

        def aws(self, service: str, region: str = "") -> Any:
            return SimpleNamespace(publish=lambda **said: self.published.append((region, said["TopicArn"])))

    topics = [
        f"arn:aws:sns:{region}:123456789012:told" for region in (Asked.settings.aws.region, "ap-south-2")
    ]
    for topic in topics:
        KINDS["sns"](Route(kind="sns", topic_arn=topic), Asked())(MESSAGES["broken"])
    assert Asked.published == [("", topics[0]), ("ap-south-2", topics[1])]


def test_another_secret_or_setting_is_another_route(monkeypatch: pytest.MonkeyPatch) -> None:
    marks = set()
    for secret, to in (("one", "a@x.org"), ("two", "a@x.org"), ("two", "b@x.org"), ("two", "b@x.org")):
        monkeypatch.setenv("THE_PASSWORD", secret)
        route = Route(kind="email", host="h", sender="s", user="u", to=(to,), secret_from="THE_PASSWORD")
        marks.add(routes._mark(route))
    assert len(marks) == 3


class Mailbox(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as a client needs to hand over a mail."""

    taken: list[tuple[str, list[str], str]]

    def handle(self) -> None:
        self.say("220 mailbox")
        sender, to = "", []
        while line := self.rfile.readline().decode().strip():
            verb = line.upper()
            if verb.startswith("MAIL FROM:"):
                sender = line[10:].strip("<>").split(">")[0]
            elif verb.startswith("RCPT TO:"):
                to.append(line[8:].strip("<>"))
            elif verb == "DATA":
                self.say("354 go on")
                body = ""
                while (row := self.rfile.readline().decode()) != ".\r\n":
                    body += row
                self.server.taken.append((sender, to, body))  # type: ignore[attr-defined]
            elif verb == "QUIT":
                self.say("221 bye")
                return
            self.say("250 ok")

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


def test_mail() -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mailbox) as server:
        server.taken = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        route = Route(
            kind="email",
            host="127.0.0.1",
            port=server.server_address[1],
            security="none",
            sender="runbook@example.com",
            to=("a@example.com", "b@example.com"),
        )
        KINDS["email"](route, None)(MESSAGES["changed"])
        KINDS["email"](route, None)(MESSAGES["nasty"])
        server.shutdown()
        sender, to, body = server.taken[0]  # type: ignore[attr-defined]
    mail = message_from_string(body)
    assert (sender, to) == ("runbook@example.com", ["a@example.com", "b@example.com"])
    assert mail["Message-ID"] == "<0a1b@snowpipe-runbook.invalid>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Subject"] == MESSAGES["changed"].title
    assert "invoke resume --stream events" in body


class Tattler(socketserver.StreamRequestHandler):
    """Refuses everything, and repeats what it was told: an HTTP server, or one for mail."""

    def handle(self) -> None:
        if self.server.is_mail:  # type: ignore[attr-defined]
            self.say("220 mail")
            while line := self.rfile.readline().decode().strip():
                known = {"EHLO": "250-mail\r\n250 AUTH PLAIN", "QUIT": "221 bye"}
                said = known.get(line[:4].upper(), "250 ok")
                if line.startswith("AUTH"):
                    said = f"535 {base64.b64decode(line[11:]).decode()!r}"
                self.say(said)
            return
        head = [self.rfile.readline().decode()]
        while head[-1].strip():
            head.append(self.rfile.readline().decode())
        size = next(int(line[15:]) for line in head if line.lower().startswith("content-length:"))
        said = f"{head[0]} {self.rfile.read(size).decode()[:200]}"[:290].replace("\r\n", " ")
        self.say(f"HTTP/1.0 400 no\r\nContent-Length: {len(said.encode())}\r\n\r\n{said}")

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def tattler(*, is_mail: bool = False) -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tattler) as server:
        server.is_mail, server.daemon_threads = is_mail, True  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_a_secret_that_comes_back_is_in_no_log_and_no_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every kind of route, each with a secret of its own, and servers that repeat it."""
    log: list[str] = []
    with tattler() as web, tattler(is_mail=True) as post:
        address = f"http://127.0.0.1:{web}/services/pl4nted"
        for kind in ("webhook", "slack", "teams"):
            monkeypatch.setenv(f"OF_{kind.upper()}", f"{address}-{kind}?sig=pl4nted-query")
        monkeypatch.setenv("OF_PAGERDUTY", "pl4nted0123456789abcdef012345678")
        monkeypatch.setenv("OF_EMAIL", "pl4nted-password")
        mail = {
            "host": "127.0.0.1",
            "port": post,
            "security": "none",
            "user": "me",
            "sender": "a@b.c",
            "to": ["d@e.f"],
        }
        named = {
            kind: {"kind": kind, "secret_from": f"OF_{kind.upper()}"}
            for kind in ("webhook", "slack", "teams")
        }
        settings = read(
            written(
                watch={
                    "routes": {
                        **named,
                        "pagerduty": {
                            "kind": "pagerduty",
                            "secret_from": "OF_PAGERDUTY",
                            "url": f"http://127.0.0.1:{web}/v2/enqueue",
                        },
                        "email": {"kind": "email", "secret_from": "OF_EMAIL", **mail},
                    }
                }
            )
        )
        usable, problems = routes.ways(settings)
        history = History(tmp_path / "h.sqlite", durable=False)
        seen = Seen({"step4.check-0": replace(cause(), sure=True)})
        history.change(lambda db: take(db, seen, AT, confirm=1))
        delivery.deliver(
            history, usable, target="prod", now=AT, remind_after=None, messages_an_hour=6, tell=log.append
        )
        answers = delivery.send_test(usable, "prod", AT)
        history.close()
    assert problems == []
    assert len(log) == len(answers) == 5
    assert all("HTTP 400" in answers[kind] for kind in ("webhook", "slack", "teams", "pagerduty"))
    assert "535" in answers["email"]
    kept = (tmp_path / "h.sqlite").read_bytes()
    assert "pl4nted" not in "".join(log) + "".join(answers.values())
    assert b"pl4nted" not in kept


def test_the_titles_fit_a_telephone() -> None:
    for message in MESSAGES.values():
        assert len(message.title) <= 150, message.title
        assert message.title.startswith("Snowpipe prod: ")
