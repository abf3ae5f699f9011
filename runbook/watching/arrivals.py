"""The end of a folder, read in a few questions however many files lie in it.

S3 lists keys in order and from any place on. Where names grow with time, as those of Snowplow's loaders do,
what is new stands at the end: a round reads on from a place shortly before it. Whether names do grow is seen
from what the pipe was notified of; where they do not, only the pipe tells of arrivals between two looks at
the whole folder.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from runbook.facts.objects import StagedFile
from runbook.facts.silence import bringing
from runbook.listing.ranges import PAGE, Fetch, Page
from runbook.settings import Stream

PAGES = 5  # a round reads on
KEPT = 300  # names at the end that the next round looks at again: what comes out of order is seen there
PROBES = 200  # questions to find the end of a folder for the first time
_LAST = "~"


@dataclass(frozen=True)
class Mark:
    """Where the next look begins, and the names known from there on."""

    after: str = ""
    known: frozenset[str] = frozenset()
    is_known: bool = False
    """Whether this folder's end was seen before."""

    def as_text(self) -> str:
        """The mark as it is kept."""
        return json.dumps({"after": self.after, "known": sorted(self.known)})

    @classmethod
    def read(cls, text: str) -> "Mark":
        """A mark that was kept; the beginning where there is none."""
        if not text:
            return cls()
        kept = json.loads(text)
        return cls(str(kept["after"]), frozenset(kept["known"]), is_known=True)


@dataclass(frozen=True)
class End:
    """The end of a folder: its files, those of them that are new, and the next mark."""

    files: tuple[StagedFile, ...]
    new: tuple[StagedFile, ...]
    mark: Mark
    is_whole: bool
    """Whether nothing lies behind the last of the files."""

    @property
    def newest(self) -> StagedFile | None:
        """The file modified last."""
        return max(self.files, key=lambda file: file.modified, default=None)

    def newest_of(self, stream: Stream) -> StagedFile | None:
        """That of the stream's own: marks such as ``_SUCCESS`` are announced to nobody."""
        own = (file for file in bringing(self.files) if stream.takes(file.key))
        return max(own, key=lambda file: file.modified, default=None)


def look(fetch: Fetch, prefix: str, mark: Mark) -> End:
    """The end of the folder, from the mark on. Only reads."""
    after = mark.after if mark.is_known else end_of(fetch, prefix)
    files: list[StagedFile] = []
    more, begin = True, after
    for _ in range(PAGES):
        page = fetch(begin, PAGE)
        files += _files(page)
        more = page.more
        if not more or not page.keys:
            break
        begin = page.keys[-1]
    kept = files[-KEPT:]
    back = files[-KEPT - 1].key if len(files) > KEPT else after
    new = [file for file in files if file.key not in mark.known] if mark.is_known else []
    known = frozenset(file.key for file in kept)
    return End(tuple(files), tuple(new), Mark(back, known, is_known=True), is_whole=not more)


def _files(page: Page) -> list[StagedFile]:
    return [
        StagedFile(key, int(size), "", datetime.fromisoformat(modified.decode().replace("Z", "+00:00")))
        for key, modified, size in zip(page.keys, page.modified, page.sizes, strict=True)
    ]


def end_of(fetch: Fetch, prefix: str) -> str:
    """A place behind which at most a page of files lies, found by halving the names in between.

    Of a folder whose names do not let themselves be halved in :data:`PROBES` questions, the best place found.
    """
    page = fetch("", PAGE)
    if not page.more or not page.keys:
        return ""
    low, high = page.keys[-1], prefix + _LAST
    for _ in range(PROBES):
        middle = between(low, high)
        if middle is None:
            return low
        page = fetch(middle, PAGE)
        if not page.keys:
            high = middle
        elif page.more:
            low = page.keys[-1]
        else:
            return middle
        if low >= high:  # names behind every ordinary character
            high = low + _LAST
    return low


def between(low: str, high: str) -> str | None:
    """A text about half way between two; None where nothing lies between."""
    place = next(
        (at for at, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high))
    )
    if place < len(low) and place < len(high):
        middle = (ord(low[place]) + ord(high[place])) // 2
        if ord(low[place]) < middle < ord(high[place]):
            return low[:place] + chr(middle)
    for at in range(place + 1, len(low)):
        if ord(low[at]) < ord(_LAST) - 1:
            found = low[:at] + chr((ord(low[at]) + ord(_LAST) + 1) // 2)
            return found if low < found < high else None
    found = low + "P"
    return found if low < found < high else None


def names_grow(end: End, notified: str, notified_at: datetime | None) -> bool:
    """Whether the newest file a pipe was notified of stands at the folder's end, as far as can be told."""
    if not notified or notified_at is None or not end.files:
        return True
    keys = {file.key for file in end.files}
    newest = end.newest
    return notified in keys or newest is None or notified_at <= newest.modified or notified > end.files[0].key


def by_hour(files: Sequence[StagedFile]) -> dict[datetime, tuple[int, int]]:
    """How many files and bytes arrived in each hour."""
    found: dict[datetime, tuple[int, int]] = {}
    for file in files:
        hour = file.modified.replace(minute=0, second=0, microsecond=0)
        count, size = found.get(hour, (0, 0))
        found[hour] = (count + 1, size + file.size)
    return found
