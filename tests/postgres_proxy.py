"""The proxy of tests/proxy.py in front of a PostgreSQL: it takes its protocol apart, version 3, without encryption."""

from collections.abc import Iterator

from tests.proxy import CutProxy, Tunnel

HEADER = 5  # bytes: a letter, and the length of the rest with its own four


class PostgresProxy(CutProxy):
    """Requests end in Sync, or are simple queries or data to copy.

    Replies end in ReadyForQuery or a fatal error, or ask for such data.

    `matching` is sought in a statement's text too where only its name is sent, as it was prepared before.
    """

    def __init__(self, url: str) -> None:
        place, _, self._path = url.removeprefix("postgresql://").partition("/")
        self._user, _, address = place.rpartition("@")
        host, _, port = address.partition(":")
        super().__init__((host, int(port)))
        self.statements: set[str] = set()  # the text of every statement that was sent so far
        self._texts: dict[tuple[Tunnel, bytes], bytes] = {}

    @property
    def url(self) -> str:
        place = f"{self._user}@127.0.0.1:{self.port}/{self._path}"
        return f"postgresql://{place}?sslmode=disable&gssencmode=disable"

    def request_end(self, data: bytearray) -> int | None:
        if data[:1] == b"\0":  # the first message of a connection has no letter
            end = int.from_bytes(data[:4]) if len(data) >= HEADER else len(data) + 1
            return end if end <= len(data) else None
        return next((end for kind, _, end in _messages(data) if kind in b"QSXc"), None)

    def reply_end(self, data: bytearray) -> int | None:
        for number, (kind, start, end) in enumerate(_messages(data)):
            last_words = kind == b"E" and b"VFATAL\0" in data[start:end]
            if kind in b"ZG" or last_words or (kind == b"A" and not number):
                return end
        return None

    def answers(self, frame: bytes) -> bool:
        # A notification answers no request.
        return not frame.startswith(b"A")

    def text_of(self, frame: bytes, tunnel: Tunnel) -> bytes:
        texts = [frame]
        if frame[:1] != b"\0":
            for kind, start, end in _messages(frame):
                if kind == b"P":
                    name, text, _ = frame[start:end].split(b"\0", 2)
                    self._texts[tunnel, name] = text
                    self.statements.add(text.decode())
                if kind == b"Q":
                    self.statements.add(frame[start : end - 1].decode())
                if kind == b"B":
                    _, name, _ = frame[start:end].split(b"\0", 2)
                    texts.append(self._texts.get((tunnel, name), b""))
        return b"".join(texts)


def _messages(data: bytes | bytearray) -> Iterator[tuple[bytes, int, int]]:
    """The whole messages: letter, where the body begins, where it ends."""
    at = 0
    while len(data) >= at + HEADER:
        end = at + 1 + int.from_bytes(data[at + 1 : at + HEADER])
        if end > len(data):
            return
        yield bytes(data[at : at + 1]), at + HEADER, end
        at = end
