"""A folder's keys listed by many at once: key ranges, split while they are listed.

S3 lists a prefix page after page, each beginning after a key; there is no end and no count. So one
worker begins, and whoever is idle halves a range that is still being listed: it looks, by pages of one
key, for a place with keys on both sides. Nothing is known of the names beforehand, and nothing but the
one prefix is ever listed: that needs no more permission than listing it page after page.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from queue import SimpleQueue
from typing import NamedTuple

WIDTH = 32  # requests under way; S3 takes thousands a second
PAGE = 1000  # keys S3 answers with at most
SPLIT_AFTER = 2  # pages of a range before it is worth halving: small folders are never probed


class Page(NamedTuple):
    """Keys in order, with LastModified and Size as S3 writes them; ``more``: others follow."""

    keys: list[str]
    modified: list[bytes]
    sizes: list[bytes]
    more: bool

    def upto(self, key: str | None) -> "Page":
        """The part up to and with ``key``; all of it for None."""
        if key is None or not self.keys or self.keys[-1] < key:
            return self
        end = bisect_right(self.keys, key)
        return Page(self.keys[:end], self.modified[:end], self.sizes[:end], more=False)


Fetch = Callable[[str, int], Page]
"""The page of at most so many keys that come after a key."""


@dataclass(eq=False)
class _Range:
    """Keys after ``after`` up to and with ``until``; ``after`` moves on as it is listed."""

    after: str
    until: str | None
    pages: int = 0
    is_being_split: bool = False


@dataclass
class _Work:
    """What is left to list, shared by the workers. Everything here is read and changed under ``changed``."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    waiting: list[_Range] = field(default_factory=list)
    active: set[_Range] = field(default_factory=set)
    idle: int = 0
    stopped: bool = False

    def next(self) -> tuple[_Range, bool] | None:
        """A range to list, or one to split (True); None when all is done."""
        with self.changed:
            while not self.stopped:
                if self.waiting:
                    found = self.waiting.pop()
                    self.active.add(found)
                    return found, False
                if not self.active:
                    return None
                worth = [
                    each for each in self.active if each.pages >= SPLIT_AFTER and not each.is_being_split
                ]
                if worth:
                    found = max(worth, key=lambda each: each.pages)
                    found.is_being_split = True
                    return found, True
                self.idle += 1
                self.changed.wait()
                self.idle -= 1
            return None

    def share(self) -> int:
        """Into how many more parts a range is split: each part of the work has its share of idle workers."""
        with self.changed:
            return 1 + self.idle // max(len(self.active), 1)

    def took(self, which: _Range, page: Page) -> Page:
        """The part of a page that is the range's own, now that others may have taken its end."""
        with self.changed:
            own = page.upto(which.until)
            if own.keys:
                which.after = own.keys[-1]
            which.pages += 1
            if not own.more or which.after == which.until:
                self.active.discard(which)
                which.until = which.after  # nothing is left to split
                self.changed.notify_all()
                return own._replace(more=False)
            if which.pages >= SPLIT_AFTER:
                self.changed.notify()
            return own

    def split(self, which: _Range, at: list[str], end: str | None) -> None:
        """The range's keys after each of these places become others'; it has none behind ``end``.

        Not where it has been listed already.
        """
        with self.changed:
            which.is_being_split, which.pages = False, 0
            if end is not None and which.after < end and (which.until is None or end < which.until):
                which.until = end
            left = [
                place for place in at if which.after < place and (which.until is None or place < which.until)
            ]
            bounds = [*left, which.until]
            self.waiting += [_Range(after, until) for after, until in pairwise(bounds) if after is not None]
            which.until = bounds[0]
            self.changed.notify_all()

    def stop(self) -> None:
        with self.changed:
            self.stopped = True
            self.changed.notify_all()


def pages(fetch: Fetch, prefix: str, *, width: int = WIDTH) -> Iterator[Page]:
    """Every page under a prefix, each key once, in no order. Raises what ``fetch`` raises."""
    work = _Work(waiting=[_Range("", None)])
    room = threading.Semaphore(4 * width)  # pages nobody has taken yet
    found: SimpleQueue[Page | BaseException | None] = SimpleQueue()

    def run() -> None:
        try:
            while (given := work.next()) is not None:
                which, is_split = given
                if is_split:
                    work.split(which, *places(fetch, prefix, which.after, which.until, work.share()))
                    continue
                more = True
                while more and not work.stopped:
                    own = work.took(which, fetch(which.after, PAGE))
                    more = own.more
                    room.acquire()
                    found.put(own)
        except BaseException as error:  # noqa: BLE001 (raised again where the pages are asked for)
            work.stop()
            found.put(error)
        finally:
            found.put(None)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(width)]
    for each in threads:
        each.start()
    try:
        ended = 0
        while ended < width:
            page = found.get()
            if page is None:
                ended += 1
            elif isinstance(page, BaseException):
                raise page
            else:
                room.release()
                yield page
    finally:
        work.stop()
        for _ in threads:
            room.release()


def places(
    fetch: Fetch, prefix: str, low: str, high: str | None, count: int = 1
) -> tuple[list[str], str | None]:
    """Up to ``count`` places between two keys, evenly spread over what their names allow; and the end.

    There are keys after the last place. The end is ``high``, or a place before it behind which no key was
    found: who asks again with it asks little. First the characters where both differ; where nothing lies
    between, the shallowest place where a key differs from ``low``, and the characters there. No place
    where everything left begins with ``low``.
    """

    def after(place: str) -> str | None:
        """The first key after a place, when it is still the range's; without one, the place is the end."""
        nonlocal high
        if high is not None and place >= high:
            return None
        keys = fetch(place, 1).keys
        if keys and (high is None or keys[0] <= high):
            return keys[0]
        high = place
        return None

    def between(stem: str, first: int, last: int) -> list[str]:
        """Places behind ``first`` among the characters that follow ``stem``."""
        while first < last:
            middle = (first + last + 1) // 2
            if after(stem + _character(middle)) is not None:
                wide = min(count, last - first)
                codes = {first + max((last - first) * n // (wide + 1), 1) for n in range(1, wide + 1)}
                return sorted({stem + _character(code) for code in codes if code <= middle})
            last = middle - 1
        return []

    depth = len(prefix)
    if high is not None and not low.startswith(high):
        depth = len(common(low, high))
        if len(low) > depth and (found := between(low[:depth], ord(low[depth]), ord(high[depth]))):
            return found, high
    shallowest, key = _shallowest(after, low, depth)
    if key is None:
        return [], high
    stem, first = low[:shallowest], ord(key[shallowest])
    bounded = high is not None and high.startswith(stem) and len(high) > shallowest
    last = ord(high[shallowest]) if high and bounded else _last_of_its_kind(first)
    return between(stem, first, last) or [stem + _character(first)], high


def _shallowest(after: Callable[[str], str | None], low: str, depth: int) -> tuple[int, str | None]:
    """The least depth at which some key differs from ``low``, and the first that does.

    Names differ soon after what all have in common, or far behind it: steps grow, then are halved.
    """
    step, last, found = 1, len(low) - 1, None
    while depth <= last:
        tried = (depth + last) // 2 if found is not None else min(depth + step - 1, last)
        place = _behind(low[: tried + 1])
        key = after(place) if place is not None else None
        if key is None:
            depth, step = tried + 1, 2 * step
        else:
            last, found = tried - 1, key
    return (len(common(low, found)), found) if found is not None else (depth, None)


def _last_of_its_kind(code: int) -> int:
    """Where to look for the end first: names count with digits, or with letters."""
    return next((end for first, end in _KINDS if first <= code <= end), max(code, 0x7F))


_KINDS = [(ord("0"), ord("9")), (ord("a"), ord("z")), (ord("A"), ord("Z"))]


def _behind(text: str) -> str | None:
    """The first text that is greater than whatever begins with ``text``; None behind the last characters."""
    text = text.rstrip("\U0010ffff")
    return text[:-1] + _character(ord(text[-1]) + 1) if text else None


def _character(code: int) -> str:
    """A character of that code or, among the surrogates that no text holds, the next one."""
    return chr(0xE000 if 0xD800 <= code < 0xE000 else code)


def common(first: str, last: str) -> str:
    """What two texts begin with, character by character; of sorted ones, what all between begin with."""
    at = next((n for n, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), None)
    return first[: min(len(first), len(last))] if at is None else first[:at]
