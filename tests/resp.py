"""As much of Redis's wire protocol (RESP 2 and 3) as tests need to speak it and to take it apart."""

import socket


def frame_end(data: bytes | bytearray, start: int = 0) -> int | None:
    """Give the index behind the value that begins at `start`, None while it is incomplete."""
    line_end = data.find(b"\r\n", start)
    if line_end < 0:
        return None
    kind, end = data[start : start + 1], line_end + 2
    if kind in b"$=!":
        length = int(data[start + 1 : line_end])
        end += length + 2 if length >= 0 else 0
        return end if end <= len(data) else None
    if kind in b"*~>%|":
        return _elements_end(data, end, _elements(bytes(kind), int(data[start + 1 : line_end])))
    return end


def request(*parts: str | bytes | float) -> bytes:
    """Write one command as clients send it."""
    encoded = [part if isinstance(part, bytes) else str(part).encode() for part in parts]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in encoded)


def call(address: tuple[str, int], *requests: bytes, timeout: float = 5.0) -> list[bytes]:
    """Send a pipeline on a connection of its own and return the raw replies; an OSError when the server is away."""
    with socket.create_connection(address, timeout) as connection:
        connection.sendall(b"".join(requests))
        return _replies(connection, len(requests))


def _replies(connection: socket.socket, count: int) -> list[bytes]:
    received, replies = bytearray(), list[bytes]()
    while len(replies) < count:
        end = frame_end(received)
        if end is not None:
            replies.append(bytes(received[:end]))
            del received[:end]
        elif chunk := connection.recv(65536):
            received += chunk
        else:
            raise ConnectionResetError(f"expected {count} replies, got {len(replies)} before the connection closed")
    return replies


def _elements(kind: bytes, count: int) -> int:
    """Count the values inside: a map has two an entry, and an attribute (`|`) is followed by what it is about."""
    match kind:
        case b"%":
            return 2 * count
        case b"|":
            return 2 * count + 1
        case _:
            return count


def _elements_end(data: bytes | bytearray, start: int, count: int) -> int | None:
    end: int | None = start
    for _ in range(count):
        end = frame_end(data, end) if end is not None else None
    return end
