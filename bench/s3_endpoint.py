"""An S3 endpoint that does one thing, fast: ListObjectsV2 over keys written down beforehand.

A page is a slice of a file mapped into memory, so a listing of ten million keys costs this process a
few seconds of CPU. Latency and 503 SlowDown are injected.

    python -m bench.s3_endpoint KEYS.xml --latency-ms 30

Answers as documented in https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

import argparse
import asyncio
import base64
import itertools
import mmap
from array import array
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote_plus, urlsplit

PAGE = 1000  # more is never answered, whatever MaxKeys says
HEAD = b'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
ENTRY = (
    "<Contents><Key>{key}</Key><LastModified>{modified}</LastModified>"
    "<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>{size}</Size>"
    "<StorageClass>STANDARD</StorageClass></Contents>"
)
SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECONDS = 730 * 86400
PREFIX = "snowplow/enriched/stream/"


def moment(number: int, count: int) -> datetime:
    """When the so manieth of ``count`` keys was written: one after the other over two years until now."""
    return NOW - timedelta(seconds=(count - number) * SECONDS // count)


def written(keys: Iterable[str], count: int) -> Iterator[bytes]:
    """The entries of so many keys."""
    for number, key in enumerate(keys):
        yield entry(key, f"{moment(number, count):%Y-%m-%dT%H:%M:%S.000Z}")


def entry(key: str, modified: str = "2026-11-01T00:00:00.000Z", size: int = 20_000) -> bytes:
    """One object as a page shows it, its key encoded for EncodingType=url."""
    written = quote(key, safe="/!*'()-._~=:").replace("%20", "+")
    return ENTRY.format(key=written, modified=modified, size=size).encode()


def write(path: Path, entries: Iterable[bytes]) -> int:
    """Entries in the order of their keys to a file, and where each begins to another; how many."""
    starts, at = array("Q"), 0
    with path.open("wb") as out:
        for one in entries:
            starts.append(at)
            at += out.write(one)
    starts.append(at)
    path.with_suffix(".starts").write_bytes(starts.tobytes())
    return len(starts) - 1


class Keys:
    """The entries of a file, found by key and sliced by number."""

    def __init__(self, text: bytes | mmap.mmap, starts: array) -> None:  # type: ignore[type-arg]
        self.text, self.starts = text, starts

    @classmethod
    def of(cls, entries: Iterable[bytes]) -> "Keys":
        """Few entries, in memory."""
        rows = list(entries)
        return cls(b"".join(rows), array("Q", itertools.accumulate(map(len, rows), initial=0)))

    @classmethod
    def read(cls, path: Path) -> "Keys":
        starts = array("Q")
        starts.frombytes(path.with_suffix(".starts").read_bytes())
        with path.open("rb") as file:
            return cls(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), starts)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def key(self, number: int) -> str:
        at = self.starts[number] + len("<Contents><Key>")
        return unquote_plus(self.text[at : self.text.find(b"</Key>", at)].decode())

    def after(self, key: str) -> int:
        """The number of the first key greater than this one."""
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if key < self.key(middle):
                high = middle
            else:
                low = middle + 1
        return low

    def first_with(self, prefix: str) -> int:
        at = self.after(prefix)
        return at - 1 if at and self.key(at - 1) == prefix else at

    def page(self, query: dict[str, str]) -> bytes:
        """The answer to one ListObjectsV2."""
        prefix = query.get("prefix", "")
        if token := query.get("continuation-token"):
            first = int(base64.b64decode(token))
        else:
            first = max(self.first_with(prefix), self.after(query.get("start-after", "")))
        end = self.after(prefix + "\U0010ffff") if prefix else len(self)
        last = min(first + min(int(query.get("max-keys", PAGE)), PAGE), max(end, first))
        more = last < end
        said = [
            f"<Prefix>{quote(prefix)}</Prefix><KeyCount>{last - first}</KeyCount><MaxKeys>{PAGE}</MaxKeys>",
            "<EncodingType>url</EncodingType>" if "encoding-type" in query else "",
            f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>",
            f"<NextContinuationToken>{base64.b64encode(str(last).encode()).decode()}</NextContinuationToken>"
            if more
            else "",
        ]
        body = self.text[self.starts[first] : self.starts[last]]
        return b"".join((HEAD, "".join(said).encode(), body, b"</ListBucketResult>"))


class Endpoint:
    """Requests, counted; every so many of them is answered 503 SlowDown when ``refuse_every`` says so."""

    def __init__(self, keys: Keys, *, latency_s: float = 0.0, refuse_every: int = 0) -> None:
        self.keys, self.latency_s, self.refuse_every = keys, latency_s, refuse_every
        self.asked = self.refused = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                while (await reader.readline()).strip():
                    pass
                self.asked += 1
                await asyncio.sleep(self.latency_s)
                status, body = self.answer(line.decode())
                writer.write(
                    f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nContent-Type: application/xml\r\n"
                    "x-amz-bucket-region: us-east-1\r\n\r\n".encode()
                )
                writer.write(b"" if line.startswith(b"HEAD") else body)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    def answer(self, line: str) -> tuple[str, bytes]:
        method, target, _ = line.split(" ", 2)
        query = dict(parse_qsl(urlsplit(target).query, keep_blank_values=True))
        if self.refuse_every and self.asked % self.refuse_every == 0:
            self.refused += 1
            return "503 Slow Down", SLOW_DOWN
        if method == "HEAD" or "location" in query:
            return "200 OK", b"<LocationConstraint/>"
        if method != "GET" or query.get("delimiter"):
            return "501 Not Implemented", b"<Error><Code>NotImplemented</Code></Error>"
        return "200 OK", self.keys.page(query)

    async def start(self, port: int = 0) -> asyncio.Server:
        return await asyncio.start_server(self.serve, "127.0.0.1", port, limit=2**16)


def shapes(count: int) -> dict[str, Iterator[str]]:
    """Keys in order, of the shapes that buckets have, ``count`` of each."""
    return {
        "date folders": _by_hour(count),
        "one hot folder": _hot(count),
        "hashes": _hashes(count),
    }


def _by_hour(count: int) -> Iterator[str]:
    """Snowplow's loader: a folder an hour over two years, four times busier by day than by night."""
    day = [hour for hour in range(24) for _ in range(4 if 6 <= hour < 22 else 1)]
    start = datetime(2025, 1, 1, tzinfo=UTC)
    slots = 730 * len(day)
    for number in range(count):
        days, slot = divmod(number * slots // count, len(day))
        when = start + timedelta(days=days, hours=day[slot])
        yield f"{PREFIX}{when:%Y/%m/%d/%H}/part-{number:09d}-{_noise(number):08x}.gz"


def _hot(count: int) -> Iterator[str]:
    """Nine keys of ten in one folder among two hundred."""
    small = max(count // 2000, 1)
    for folder in range(200):
        for number in range(count - 199 * small if folder == 137 else small):
            yield f"{PREFIX}app={folder:03d}/{number:09d}-{_noise(number):08x}.gz"


def _hashes(count: int) -> Iterator[str]:
    """Random names without any folder."""
    step = 2**64 // count
    for number in range(count):
        yield f"{PREFIX}{number * step + _noise(number) % step:016x}.gz"


def _noise(number: int) -> int:
    return number * 2654435761 % 2**32


async def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("keys", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency-ms", type=float, default=30)
    parser.add_argument("--refuse-every", type=int, default=0, help="answer every so many with 503")
    given = parser.parse_args()
    keys = Keys.read(given.keys)
    endpoint = Endpoint(keys, latency_s=given.latency_ms / 1000, refuse_every=given.refuse_every)
    server = await endpoint.start(given.port)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
