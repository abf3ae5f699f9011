"""A line between a command and the sandbox, on which something happens at a certain request."""

import asyncio
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType


class Line:
    """Passes every request on to a port of this machine; at number ``at`` comes ``event``.

    What the event returns is the answer to that request and to all that follow; nothing: they go on.
    """

    def __init__(self, to: int, at: int, event: Callable[["Line"], bytes | None]) -> None:
        self._to, self._at, self._event = to, at, event
        self._requests = 0
        self._answer: bytes | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._is_cut = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.port = 0

    def __enter__(self) -> "Line":
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop
        ).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        await self._cut()
        # whoever has just been let in is served to its end, and so is closed, too
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)

    def cut(self) -> None:
        """Nobody listens any more, and what was under way breaks off. For events: they have a thread."""
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result()

    async def _cut(self) -> None:
        self._is_cut = True
        for listening in self._server.sockets:
            self._loop.remove_reader(listening)
        for _ in range(2):  # a server that closes while it lets somebody in leaves that socket open
            await asyncio.sleep(0)
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    @property
    def happened(self) -> bool:
        """Whether the request came."""
        return self._requests >= self._at

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers.add(far_writer)
        if self._is_cut:
            await self._cut()
        await asyncio.gather(self._asks(reader, far_writer, writer), self._answers(far_reader, writer))

    async def _asks(
        self, reader: asyncio.StreamReader, far: asyncio.StreamWriter, near: asyncio.StreamWriter
    ) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
                request = head + await reader.readexactly(int(length[1]) if length else 0)
                self._requests += 1
                if self._requests == self._at:
                    self._answer = await asyncio.to_thread(self._event, self)
                if self._answer is None:
                    far.write(request)
                else:
                    near.write(self._answer)
        far.close()

    async def _answers(self, far: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while chunk := await far.read(65536):
                near.write(chunk)
        near.close()


def http(body: bytes, status: str = "200 OK") -> bytes:
    """A whole answer, after which the connection stays open."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
