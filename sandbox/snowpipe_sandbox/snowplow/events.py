"""Enriched events, as many as wanted, in the order Enrich would write them; same seed, same bytes."""

import heapq
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Literal, NamedTuple

from .app import MobileApp, Servers
from .catalogue import SITES
from .fields import POSITIONS
from .oddities import ODDITIES
from .rows import DAY, HOUR, MINUTE, SECOND, Row
from .visitors import Draft, seen_again
from .web import WebMix, WebSite

_EVENT = POSITIONS["event"]
_EVENT_ID = POSITIONS["event_id"]
_FINGERPRINT = POSITIONS["event_fingerprint"]
_TITLE = POSITIONS["page_title"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EVENTS_OF_A_SESSION = 5.6
"""Measured with the defaults; only spaces the sessions out."""

Duplicate = Literal["", "natural", "synthetic"]


@dataclass(frozen=True, kw_only=True)
class Rates:
    """How often what happens; every share is between 0 and 1.

    Attributes:
        app_sessions: share of sessions that are the mobile app's.
        server_sessions: share of sessions that are one event of a server.
        natural_duplicates: share of events that come once more, unchanged, collected later.
        synthetic_duplicates: share of events whose event_id comes again with another fingerprint.
        late: share of sessions kept on the device for hours or days (the app's: five times that).
        odd: share of events that get an odd value (:mod:`.oddities`), each kind in turn.
        web: how sessions on web sites go.
    """

    app_sessions: float = 0.16
    server_sessions: float = 0.28
    natural_duplicates: float = 0.005
    synthetic_duplicates: float = 0.001
    late: float = 0.01
    odd: float = 0.01
    web: WebMix = field(default_factory=WebMix)


class Event(NamedTuple):
    """One enriched event.

    Attributes:
        values: its 131 values, in order.
        etl: when Enrich wrote it, in milliseconds since 1970.
        duplicate: whether its event_id came before, and how alike the two are.
        odd: the name of the odd value it got, or empty.
        late: whether its device kept it for hours or days.
    """

    values: Row
    etl: int
    duplicate: Duplicate = ""
    odd: str = ""
    late: bool = False

    @property
    def line(self) -> str:
        """The event as it stands in a file, without the line feed."""
        return "\t".join(self.values)

    @property
    def event_id(self) -> str:
        """Its event_id as written (iOS trackers write upper case)."""
        return self.values[_EVENT_ID]

    @property
    def written_at(self) -> datetime:
        """When Enrich wrote it."""
        return _EPOCH + timedelta(milliseconds=self.etl)

    @property
    def schema(self) -> None:
        """Loaders do not partition enriched events by schema."""
        return None


@dataclass
class Counts:
    """What has been handed out so far."""

    rows: int = 0
    natural_duplicates: int = 0
    synthetic_duplicates: int = 0
    late: int = 0
    events: Counter[str] = field(default_factory=Counter)
    odd: Counter[str] = field(default_factory=Counter)

    @property
    def distinct_event_ids(self) -> int:
        """Rows without those whose event_id had come before."""
        return self.rows - self.natural_duplicates - self.synthetic_duplicates

    def add(self, event: Event) -> None:
        """Count one event."""
        self.rows += 1
        self.events[event.values[_EVENT]] += 1
        if event.duplicate == "natural":
            self.natural_duplicates += 1
        elif event.duplicate == "synthetic":
            self.synthetic_duplicates += 1
        if event.late:
            self.late += 1
        if event.odd:
            self.odd[event.odd] += 1


def events(
    seed: int | str,
    start: datetime,
    *,
    rows: int | None = None,
    per_second: float = 50.0,
    rates: Rates | None = None,
    counts: Counts | None = None,
) -> Iterator[Event]:
    """Enriched events in the order of their etl_tstamp, from ``start`` on.

    Args:
        seed: same seed and arguments, same events, in every process.
        start: aware time of the first session.
        rows: how many; None goes on for ever.
        per_second: mean events a second, of the events' time, once sessions overlap.
        rates: shares of duplicates, late events, odd values, and the mix of events.
        counts: counts what has been handed out, as it is handed out.

    Raises:
        ValueError: for a ``start`` without a time zone.
    """
    if start.tzinfo is None:
        raise ValueError(f"start needs a time zone: {start}")
    stream = _ordered(Random(f"events {seed}"), _milliseconds(start), per_second, rates or Rates())
    return _counted(itertools.islice(stream, rows), Counts() if counts is None else counts)


def _counted(stream: Iterable[Event], counts: Counts) -> Iterator[Event]:
    for event in stream:
        counts.add(event)
        yield event


def _ordered(rng: Random, start: int, per_second: float, rates: Rates) -> Iterator[Event]:
    """All sessions' events merged by etl: an event is due once no later session can come before it."""
    waiting: list[tuple[int, int, Event]] = []
    tickets, odd_names = itertools.count(), itertools.cycle(ODDITIES)
    for session_start, drafts in _sessions(rng, start, per_second / _EVENTS_OF_A_SESSION, rates):
        while waiting and waiting[0][0] < session_start:
            yield heapq.heappop(waiting)[2]
        for event in _repeated(rng, drafts, rates, odd_names):
            heapq.heappush(waiting, (event.etl, next(tickets), event))


def _sessions(
    rng: Random, start: int, per_second: float, rates: Rates
) -> Iterator[tuple[int, Iterable[Draft]]]:
    """Sessions for ever: when each starts, and its rows."""
    sites = [WebSite(rng, site, rates.web) for site in SITES]
    weights = list(itertools.accumulate((0.62, 0.26, 0.12)))
    app, servers = MobileApp(rng), Servers(rng)
    now = float(start)
    while True:
        now += rng.expovariate(per_second) * SECOND
        at = int(now)
        kind = rng.random()
        if kind < rates.server_sessions:
            yield at, (servers.call(at),)
        elif kind < rates.server_sessions + rates.app_sessions:
            yield at, app.session(at, _kept_for(rng, rates.late * 5))
        else:
            (site,) = rng.choices(sites, cum_weights=weights)
            yield at, site.session(at, _kept_for(rng, rates.late))


def _kept_for(rng: Random, share: float) -> int:
    """How long the device keeps a session: mostly not at all, else three hours to six days."""
    return 3 * HOUR + int(rng.random() * 6 * DAY) if rng.random() < share else 0


def _repeated(
    rng: Random, drafts: Iterable[Draft], rates: Rates, odd_names: Iterator[str]
) -> Iterator[Event]:
    """The rows as events, with odd values and duplicates."""
    natural = rates.natural_duplicates
    both = natural + rates.synthetic_duplicates
    for draft in drafts:
        odd = ""
        if rng.random() < rates.odd:
            odd = next(odd_names)
            ODDITIES[odd](draft.row)
        yield Event(draft.row, draft.etl, "", odd, draft.late)
        chance = rng.random()
        if chance >= both:
            continue
        if chance < natural:
            again = seen_again(rng, draft, 100 + int(rng.random() ** 3 * 5 * MINUTE))
            yield Event(again.row, again.etl, "natural", odd, again.late)
        elif draft.row[_FINGERPRINT]:
            again = seen_again(rng, draft, SECOND + int(rng.random() ** 3 * 20 * MINUTE))
            again.row[_FINGERPRINT] = f"{rng.getrandbits(128):032x}"
            yield Event(again.row, again.etl, "synthetic", odd, again.late)


def _milliseconds(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(milliseconds=1)
