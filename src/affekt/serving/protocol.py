"""The protocol of a connection: uvicorn's, which lets nobody hold a connection by being slow."""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = (
    20.0  # for the head of a request to arrive whole, from when the connection is made or it begins
)
READ_SECONDS = 30.0  # for a client to go on reading what it is sent


class Protocol(H11Protocol):
    """A connection.

    A head that does not come and an answer that nobody reads end it. Who has closed their side after
    asking is answered all the same.
    """

    _head: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _ended = False  # nothing more is sent to us

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a head, but not for ever."""
        super().connection_made(transport)
        self._head = self.loop.call_later(HEAD_SECONDS, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Take what came; a head that has begun has to be whole in time."""
        super().data_received(data)
        whole = self.conn.their_state is not h11.IDLE
        if whole:
            self._stop_waiting_for_head()
        elif self._head is None:
            self._head = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep the other half of the connection open for an answer that is due."""
        self._ended = True
        cycle = self.cycle
        return cycle is not None and not cycle.more_body and not cycle.response_complete

    def on_response_complete(self) -> None:
        """Go on with the next request, or close where none can come."""
        super().on_response_complete()
        if self._ended:
            self.transport.close()

    def pause_writing(self) -> None:
        """Wait until the client reads, but not for ever."""
        super().pause_writing()
        self._unread = self.loop.call_later(READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the client reads again."""
        super().resume_writing()
        self._stop_waiting_for_reader()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of what waits."""
        super().connection_lost(exc)
        self._stop_waiting_for_head()
        self._stop_waiting_for_reader()

    def _stop_waiting_for_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _stop_waiting_for_reader(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
