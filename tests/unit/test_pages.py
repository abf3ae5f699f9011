"""Pages of S3's listing: read without boto3's parser, asked for again while S3 is busy."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st

from bench.s3_endpoint import Endpoint, Keys, entry
from runbook.clouds.failures import AwsFailed
from runbook.clouds.reader import Reader
from runbook.errors import CannotTell
from runbook.listing import pages, ranges
from runbook.settings import read
from tests.unit.conftest import written

PREFIX = "odd names/"
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


@contextmanager
def listened(endpoint: Endpoint) -> Iterator[str]:
    """The endpoint in a thread of its own; gives its URL."""
    loop, begun = asyncio.new_event_loop(), threading.Event()
    found: list[asyncio.Server] = []

    def run() -> None:
        asyncio.set_event_loop(loop)
        found.append(loop.run_until_complete(endpoint.start()))
        begun.set()
        loop.run_forever()
        found[0].close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(30)
    yield f"http://127.0.0.1:{found[0].sockets[0].getsockname()[1]}"
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def fetch(url: str, naps: list[float]) -> ranges.Fetch:
    client = boto3.Session(aws_access_key_id="a", aws_secret_access_key="b").client(
        "s3", endpoint_url=url, region_name="us-east-1", config=Config(signature_version="s3v4")
    )
    return pages.of_bucket(reader_of(client, naps, time.monotonic), "bucket", PREFIX, connections=8)


def reader_of(client: Any, naps: list[float], now: Callable[[], float]) -> Reader:
    clouds: Any = SimpleNamespace(
        aws=lambda _: client,
        ca_bundle=lambda: None,
        settings=read(written()),
        waiting=lambda *_: nullcontext(),
    )
    return Reader(clouds, now=now, sleep=naps.append)


def test_a_busy_endpoint_is_backed_off_from_and_every_key_is_listed_once() -> None:
    names = [f"{PREFIX}{day:02d}/{number:04d} é+%&<.gz" for day in range(20) for number in range(400)]
    outside = ["odd", "odd names", "odd names.gz", "odd names0"]
    keys = Keys.of(entry(key) for key in sorted([*names, *outside]))
    endpoint, naps = Endpoint(keys, refuse_every=3), list[float]()
    with listened(endpoint) as url:
        listed = ranges.pages(fetch(url, naps), PREFIX, width=8)
        found = Counter(key for page in listed for key in page.keys)
    assert found == Counter(names)
    assert len(naps) == endpoint.refused > 2
    assert all(0 <= nap <= pages.LONGEST_PAUSE_S for nap in naps)


@given(st.lists(NAMES, unique=True, max_size=5))
def test_a_page_s_names_times_and_sizes_are_read_as_they_are_written(names: list[str]) -> None:
    endpoint = Keys.of(entry(PREFIX + name, size=number) for number, name in enumerate(sorted(names)))
    found = pages.read(200, endpoint.page({"prefix": PREFIX, "encoding-type": "url"}))
    assert found.keys == [PREFIX + name for name in sorted(names)]
    assert [int(size) for size in found.sizes] == list(range(len(names)))
    assert not found.more


def test_an_endpoint_that_does_not_encode_names_is_understood() -> None:
    one = b"<Contents><Key>a&amp;b+c%20d</Key><LastModified>t</LastModified><Size>1</Size></Contents>"
    body = b"<ListBucketResult>" + one + b"</ListBucketResult>"
    assert pages.read(200, body).keys == ["a&b+c%20d"]


def test_half_a_page_is_asked_for_again_and_a_refusal_is_not() -> None:
    whole = Keys.of([entry("a")]).page({})
    answers: list[tuple[int, bytes]] = [
        (200, whole[:-30]),
        (200, b'<?xml version="1.0"?><Error><Code>InternalError</Code></Error>'),
        (503, b""),
        (200, whole),
        (403, b"<Error><Code>AccessDenied</Code><Message>no\x1b</Message></Error>"),
    ]
    naps: list[float] = []
    answer = iter(answers)
    assert pages.patiently(lambda: pages.read(*next(answer)), naps.append).keys == ["a"]
    assert len(naps) == 3
    with pytest.raises(AwsFailed) as denied:
        pages.patiently(lambda: pages.read(*next(answer)), naps.append)
    assert denied.value.is_denied
    assert len(naps) == 3


def test_an_endpoint_that_stays_busy_or_silent_is_given_up() -> None:
    naps: list[float] = []

    def gone() -> ranges.Page:
        raise CannotTell("AWS cannot be reached", unreachable=True)

    with pytest.raises(AwsFailed):
        pages.patiently(lambda: pages.read(503, b""), naps.append)
    with pytest.raises(CannotTell):
        pages.patiently(gone, naps.append)
    assert len(naps) == 2 * (pages.TRIES - 1)


@pytest.mark.parametrize(
    "raised",
    [CannotTell("No answer", unreachable=True), pages.Broken(), AwsFailed("s3", "x", "busy", "", "")],
)
def test_who_does_not_answer_is_given_up_in_two_minutes_and_who_is_busy_is_waited_for(
    raised: Exception,
) -> None:
    clock, asked = [0.0], []

    def ask() -> ranges.Page:
        asked.append(clock[0])
        clock[0] += pages.ANSWER_S if isinstance(raised, CannotTell) else 0.1
        raise raised

    with pytest.raises((CannotTell, AwsFailed)) as told:
        pages.patiently(ask, lambda _: None, lambda: clock[0])
    assert not isinstance(told.value, pages.Broken)
    assert clock[0] <= 120
    if not isinstance(raised, CannotTell):
        assert len(asked) == pages.TRIES


def test_who_did_not_answer_for_one_listing_is_not_waited_for_by_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, asked = [0.0], []

    def send(_: object) -> ranges.Page:
        asked.append(clock[0])
        clock[0] += pages.ANSWER_S
        raise CannotTell("No answer", unreachable=True)

    monkeypatch.setattr(pages, "_sender", lambda *_: send)
    reader = reader_of(None, [], lambda: clock[0])
    for prefix in ("enriched/", "bad/"):
        with pytest.raises(CannotTell, match="No answer"):
            pages.of_bucket(reader, "bucket", prefix, connections=8)("", 1000)
    assert clock[0] <= 120
    reader.again()
    with pytest.raises(CannotTell):
        pages.of_bucket(reader, "bucket", "bad/", connections=8)("", 1000)
    assert clock[0] > 120
