"""The line between a node and one of its worker processes: JSON messages, one a line."""

import asyncio
import socket
from typing import Any

import msgspec

MESSAGE_LIMIT = 8 * 1024 * 1024

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Channel:
    """One end of the line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, sock: socket.socket) -> "Channel":
        """The end that is this socket."""
        return cls(*await asyncio.open_connection(sock=sock, limit=MESSAGE_LIMIT))

    @property
    def idle(self) -> bool:
        """Whether the other end has room for more; one that is frozen reads nothing."""
        return self._writer.transport.get_write_buffer_size() == 0

    def send(self, kind: str, **values: Any) -> None:
        """Send a message; harmless where the other end is gone."""
        if not self._writer.is_closing():
            self._writer.write(_encode({"kind": kind, **values}) + b"\n")

    async def receive(self) -> dict[str, Any] | None:
        """The next message; None when the other end is gone."""
        try:
            line = await self._reader.readline()
        except OSError:
            return None
        return _decode(line) if line.endswith(b"\n") else None

    async def close(self) -> None:
        """Send what is left and end."""
        try:
            await self._writer.drain()
        except OSError:
            return
        finally:
            self._writer.close()
