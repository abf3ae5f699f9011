"""What is told: once when it breaks, once when it ends, whatever happens to the watcher in between."""

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runbook.remedy import invoke, remedy
from runbook.verify.checking import NOT_ASKED
from runbook.verify.outcome import Outcome, Result
from runbook.watching import causes
from runbook.watching.causes import Cause
from runbook.watching.delivery import deliver
from runbook.watching.history import History
from runbook.watching.messages import Message
from runbook.watching.routes import NotDelivered, Way

BEGIN = datetime(2026, 3, 2, 8, tzinfo=UTC)
STEP = timedelta(minutes=5)
CHECKS = ("step1.role-exists", "step3.trust-external-id", "step4.pipe-is-not-paused", "step5.rule-exists")
STREAMS = ("events", "events_bad")


class Killed(BaseException):
    """kill -9, at the worst moment."""


class Route:
    """A route that remembers, fails, or is killed at, before or after its receiver took the message."""

    def __init__(self) -> None:
        self.taken: list[Message] = []
        self.trouble: Exception | None = None
        self.killed: str = ""
        self.asked = 0

    def send(self, message: Message) -> None:
        self.asked += 1
        if self.killed == "before":
            raise Killed
        if self.trouble:
            raise self.trouble
        self.taken.append(message)
        if self.killed == "after":
            raise Killed

    @property
    def kinds(self) -> list[str]:
        return [message.kind for message in self.taken]


class Watcher:
    """Rounds on given outcomes, with a history on disk that outlives it."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.path = folder / "history.sqlite"
        self.route = Route()
        self.now = BEGIN
        self.log: list[str] = []
        self.mark = ""
        self.options = {"remind_after": None, "messages_an_hour": 6, **options}

    def round(
        self, *wrong: str, streams: tuple[str, ...] = ("events",), unknown: tuple[str, ...] = ()
    ) -> None:
        self.look(outcome(wrong, streams, unknown))

    def look(self, found: Outcome, own: tuple[Cause, ...] = (), own_well: tuple[str, ...] = ()) -> None:
        history = History(self.path, durable=False)  # each round is a process of its own
        try:
            seen = causes.seen_in(found, own, own_well)
            history.change(lambda db: causes.take(db, seen, self.now, confirm=2))
            deliver(
                history,
                [Way("team", "test", self.route.send, self.mark)],
                target="prod",
                now=self.now,
                tell=self.log.append,
                **self.options,
            )
        finally:
            history.db.close()
            self.now += STEP


def outcome(
    wrong: tuple[str, ...] = (),
    streams: tuple[str, ...] = ("events",),
    unknown: tuple[str, ...] = (),
    blocked: dict[str, str] | None = None,
    skipped: tuple[str, ...] = (),
) -> Outcome:
    rows = []
    for check in CHECKS:
        for stream in STREAMS:
            word: Any = "passed"
            if check in wrong and stream in streams:
                word = "failed"
            elif check in unknown:
                word = "unknown"
            elif check in (blocked or {}):
                word = "blocked"
            elif check in skipped:
                word = "skipped"
            by = ((blocked or {})[check],) if word == "blocked" else ()
            cause = NOT_ASKED if word == "skipped" else f"{check} is not as it should be"
            rows.append(
                Result(
                    id=check,
                    step=int(check[4]),
                    stream=stream,
                    title=f"{check} is well.",
                    outcome=word,
                    blocked_by=by,
                    cause=cause,
                    remedy=remedy(invoke("mend", "--stream", stream)),
                )
            )
    return Outcome("prod", BEGIN, 0.1, tuple(rows))


@pytest.fixture
def watcher(tmp_path: Path) -> Watcher:
    return Watcher(tmp_path)


def test_what_lasts_one_round_is_not_told(watcher: Watcher) -> None:
    watcher.round(CHECKS[2])
    watcher.round()
    watcher.round(CHECKS[2])
    watcher.round()
    assert watcher.route.taken == []


def test_told_in_the_second_round_and_over_in_the_second(watcher: Watcher) -> None:
    watcher.round(CHECKS[2])
    watcher.round(CHECKS[2])
    assert watcher.route.kinds == ["broken"]
    assert watcher.route.taken[0].new[0].since == BEGIN
    for _ in range(50):
        watcher.round(CHECKS[2])
    watcher.round()
    assert watcher.route.kinds == ["broken"]
    watcher.round()
    assert watcher.route.kinds == ["broken", "well"]


def test_many_streams_and_checks_at_once_are_one_message(watcher: Watcher) -> None:
    for _ in range(3):
        watcher.round(*CHECKS, streams=STREAMS)
    (message,) = watcher.route.taken
    assert [cause.key for cause in message.new] == list(CHECKS)
    assert message.new[0].streams == STREAMS
    assert "(and 3 more)" in message.title


def test_another_stream_of_the_same_cause_is_told(watcher: Watcher) -> None:
    for _ in range(3):
        watcher.round(CHECKS[2])
    for _ in range(3):
        watcher.round(CHECKS[2], streams=STREAMS)
    assert watcher.route.kinds == ["broken", "changed"]


def test_a_cause_that_another_one_hides_changes_and_is_not_well(watcher: Watcher) -> None:
    for _ in range(2):
        watcher.round(CHECKS[3])
    for _ in range(3):
        watcher.look(outcome((CHECKS[0],), STREAMS, blocked={CHECKS[3]: CHECKS[0]}))
    assert watcher.route.kinds == ["broken", "changed"]
    assert [cause.key for cause in watcher.route.taken[1].new] == [CHECKS[0]]
    assert [cause.key for cause in watcher.route.taken[1].ended] == [CHECKS[3]]


@pytest.mark.parametrize("how", ["unknown", "skipped"])
def test_what_cannot_be_judged_stays_as_it_was(watcher: Watcher, how: str) -> None:
    for _ in range(2):
        watcher.round(CHECKS[2])
    for _ in range(20):
        watcher.look(outcome(**{how: CHECKS}))
    assert watcher.route.kinds == ["broken"]
    for _ in range(2):
        watcher.round()
    assert watcher.route.kinds == ["broken", "well"]


def test_reminded_after_the_set_time_and_not_before(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path, remind_after=timedelta(hours=2))
    for _ in range(60):  # five hours
        watcher.round(CHECKS[2])
    assert watcher.route.kinds == ["broken", "reminder", "reminder"]


def test_what_comes_and_goes_is_no_storm(watcher: Watcher) -> None:
    for _ in range(12 * 3):  # twelve hours, broken and well in turn every ten minutes
        for _ in range(2):
            watcher.round(CHECKS[2])
        for _ in range(2):
            watcher.round()
    assert len(watcher.route.taken) <= 5


def test_never_more_than_so_many_an_hour_and_nothing_is_forgotten(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path, messages_an_hour=3)
    wrong: tuple[str, ...] = ()
    for check in CHECKS:
        wrong = (*wrong, check)
        for _ in range(2):
            watcher.round(*wrong)
    assert len(watcher.route.taken) == 3
    for _ in range(12):
        watcher.round(*wrong)
    assert len(watcher.route.taken) == 4
    assert {cause.key for message in watcher.route.taken for cause in message.new} == set(CHECKS)


def test_a_route_that_does_not_answer_gets_the_state_once_it_does(watcher: Watcher) -> None:
    watcher.route.trouble = NotDelivered("HTTP 503")
    for _ in range(6):
        watcher.round(CHECKS[2])
    for _ in range(6):
        watcher.round(CHECKS[3])
    assert watcher.log[0] == "The route team (test) did not take a message: HTTP 503; it is sent again."
    assert len(watcher.log) <= 2
    watcher.route.trouble = None
    for _ in range(15):
        watcher.round(CHECKS[3])
    assert watcher.route.kinds == ["broken"]
    assert [cause.key for cause in watcher.route.taken[0].new] == [CHECKS[3]]


@pytest.mark.parametrize("how", ["before", "after"])
def test_killed_while_sending(watcher: Watcher, how: str) -> None:
    watcher.round(CHECKS[2])
    watcher.route.killed = how
    with pytest.raises(Killed):
        watcher.round(CHECKS[2])
    watcher.route.killed = ""
    for _ in range(5):
        watcher.round(CHECKS[2])
    ids = {message.id for message in watcher.route.taken}
    assert len(ids) == 1  # by which the receiver tells them apart
    assert watcher.route.taken[-1].repeated
    assert len(watcher.route.taken) == (1 if how == "before" else 2)


def test_what_is_refused_for_good_is_not_sent_again_as_it_is(watcher: Watcher) -> None:
    watcher.route.trouble = NotDelivered("HTTP 404 (no_service)", is_final=True)
    for _ in range(10):
        watcher.round(CHECKS[2])
    assert watcher.route.asked == 1
    assert "changes nothing: correct the route" in watcher.log[0]
    watcher.route.trouble = None
    watcher.round(CHECKS[2])
    assert watcher.route.taken == []
    watcher.mark = "another secret"
    watcher.round(CHECKS[2])
    assert watcher.route.kinds == ["broken"]


@pytest.mark.parametrize("what", ["another state", "an hour"])
def test_what_was_refused_for_good_is_not_forgotten(watcher: Watcher, what: str) -> None:
    watcher.route.trouble = NotDelivered("HTTP 400", is_final=True)
    for _ in range(2):
        watcher.round(CHECKS[2])
    watcher.route.trouble = None
    if what == "an hour":
        watcher.now += timedelta(hours=1)
    wrong = CHECKS[1:3] if what == "another state" else CHECKS[2:3]
    for _ in range(2):
        watcher.round(*wrong)
    assert watcher.route.kinds == ["broken"]
    assert [cause.key for cause in watcher.route.taken[0].new] == [*CHECKS[2:3], *CHECKS[1:2]][: len(wrong)]


def test_a_mistake_in_a_route_is_a_message_that_was_not_taken(watcher: Watcher) -> None:
    watcher.route.trouble = KeyError("a library's own")
    for _ in range(3):
        watcher.round(CHECKS[2])
    assert "did not take a message: KeyError" in watcher.log[0]
    watcher.route.trouble = None
    for _ in range(3):
        watcher.round(CHECKS[2])
    assert watcher.route.kinds == ["broken"]
    assert not watcher.route.taken[0].repeated


def test_killed_between_two_rounds_nothing_is_sent_twice(watcher: Watcher) -> None:
    for _ in range(9):  # each round of this watcher is a process of its own
        watcher.round(CHECKS[2])
    assert watcher.route.kinds == ["broken"]


@pytest.mark.parametrize("seed", range(12))
def test_every_fault_is_told_once_and_its_end_once(tmp_path: Path, seed: int) -> None:
    """Faults at random times on random checks, with outages of ours and of the route in between."""
    chance = random.Random(seed)
    watcher = Watcher(tmp_path, messages_an_hour=1000)
    expected: list[tuple[str, str]] = []
    broken: dict[str, int] = {}
    calm = 0
    for number in range(400):
        calm = 0 if broken else calm + 1
        if calm > 20 and number < 300 and chance.random() < 0.1:
            broken = {chance.choice(CHECKS): chance.randint(40, 60)}
            expected += [("new", next(iter(broken))), ("ended", next(iter(broken)))]
        blind = chance.random() < 0.1
        watcher.route.trouble = NotDelivered("down") if chance.random() < 0.05 else None
        watcher.look(outcome(unknown=CHECKS) if blind else outcome(tuple(broken)))
        broken = {check: left - 1 for check, left in broken.items() if left > 1}
    watcher.route.trouble = None
    watcher.now += timedelta(hours=2)
    for _ in range(30):
        watcher.round()
    told = []
    for message in watcher.route.taken:
        told += [("ended", cause.key) for cause in message.ended]
        told += [("new", cause.key) for cause in message.new]
    assert sorted(told) == sorted(expected)


def test_a_message_holds_what_a_person_needs(watcher: Watcher) -> None:
    for _ in range(2):
        watcher.look(outcome((CHECKS[0],), STREAMS, blocked={CHECKS[2]: CHECKS[0], CHECKS[3]: CHECKS[0]}))
    (message,) = watcher.route.taken
    for words in ("prod", "events, events_bad", "2026-03-02 08:00 UTC", CHECKS[0], CHECKS[3], "invoke mend"):
        assert words in f"{message.title}\n{message.text}", message.text
    assert len(message.title) <= 150


def test_secrets_are_in_no_message_and_in_no_history(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNOWFLAKE_PASSWORD", "pl4nted-S3cret")
    own = Cause("watch.snowflake-answers", (), "Snowflake can be asked.", "said pl4nted-S3cret", sure=True)
    watcher.route.trouble = NotDelivered("https://user:pl4nted-S3cret@host said no")
    watcher.look(outcome(), own=(own,))
    watcher.route.trouble = None
    watcher.now += timedelta(hours=1)
    watcher.look(outcome(), own=(own,))
    (message,) = watcher.route.taken
    assert "pl4nted" not in json.dumps(message.as_json()) + "".join(watcher.log)
    assert b"pl4nted" not in watcher.path.read_bytes()


def of_new_schemas(*names: str) -> Outcome:
    """What `verify --deep` finds in the rows where these schemas have no column."""
    found = Result(
        id="views.every-schema-has-a-column",
        step=None,
        stream="events",
        title="Every schema in the events of the last 14 days has its column in the view.",
        outcome="failed",
        observed=", ".join(f"{name}: 17, first in events/a.gz row 3" for name in names),
        expected="(none)",
        cause="events have a schema that the view has no column for: it is in the raw table only",
        remedy=remedy(invoke("views", "--scan")),
        names=names,
    )
    return Outcome("prod", BEGIN, 0.1, (found,))


def test_a_new_schema_is_told_by_its_name(watcher: Watcher) -> None:
    for _ in range(2):
        watcher.look(of_new_schemas("com.acme/cart/2"))
    (message,) = watcher.route.taken
    assert "com.acme/cart/2" in message.text
    assert "views --scan" in message.text


def test_a_second_new_schema_is_told_once_when_it_comes(watcher: Watcher) -> None:
    for _ in range(3):
        watcher.look(of_new_schemas("com.acme/cart/2"))
    for _ in range(3):
        watcher.look(of_new_schemas("com.acme/ad/1", "com.acme/cart/2"))
    for _ in range(3):  # one of them got its column
        watcher.look(of_new_schemas("com.acme/ad/1"))
    assert watcher.route.kinds == ["broken", "changed"]
    second = watcher.route.taken[1]
    assert second.title.startswith("Snowpipe prod: changed [events]: now also com.acme/ad/1: events have")
    assert "com.acme/cart/2: 17" in second.text
    assert second.new[0].names == ("com.acme/cart/2", "com.acme/ad/1")


def test_what_a_former_version_told_without_names_is_not_told_again(watcher: Watcher) -> None:
    for _ in range(2):
        watcher.look(of_new_schemas())
    for _ in range(3):
        watcher.look(of_new_schemas("com.acme/cart/2"))
    assert watcher.route.kinds == ["broken"]
