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
                self.changed.wait()
            return None

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

    def split(self, which: _Range, at: str | None) -> None:
        """The range's keys after ``at`` become another's; not where it has been listed already."""
        with self.changed:
            which.is_being_split, which.pages = False, 0
            if at is not None and which.after < at and (which.until is None or at < which.until):
                self.waiting.append(_Range(at, which.until))
                which.until = at
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
                    work.split(which, halfway(fetch, prefix, which.after, which.until))
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


def halfway(fetch: Fetch, prefix: str, low: str, high: str | None) -> str | None:
    """A place between two keys with keys after it, about the middle of what their names allow.

    First the shallowest place where a key differs from ``low``, then a middle of the characters there:
    some twelve pages of one key. None where everything left begins with ``low``.
    """

    def after(place: str | None) -> str | None:
        """The first key after a place, when it is still the range's."""
        if place is None:
            return None
        keys = fetch(place, 1).keys
        return keys[0] if keys and (high is None or keys[0] <= high) else None

    depth, last, found = len(prefix), len(low) - 1, None
    while depth <= last:
        middle = (depth + last) // 2
        key = after(_behind(low[: middle + 1]))
        if key is None:
            depth = middle + 1
        else:
            last, found = middle - 1, key
    if found is None:
        return None
    depth = len(common(low, found))
    stem, first = low[:depth], ord(found[depth])
    bounded = high is not None and high.startswith(stem) and len(high) > depth
    end = ord(high[depth]) if high and bounded else max(first, 0x7F)
    while end - first > 1:
        middle = (first + end) // 2
        if after(stem + _character(middle)) is not None:
            return stem + _character(middle)
        end = middle
    return stem + _character(first)


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
