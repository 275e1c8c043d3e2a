"""Runs process jobs: helper processes that hold the app and take one job at a time, so that a job can be killed.

They belong to the process group of the worker that started them and end with it: the parent kills the group of a dead
worker, and each of them ends when its socket does.
"""

import asyncio
import contextlib
import socket
import subprocess
from collections.abc import Callable, Sequence

import msgspec

from treadle.core.job import Job
from treadle.core.outcomes import Outcome
from treadle.errors import TreadleError
from treadle.runtime.attempt import Attempt, Interrupted

HEADER = 4
START_LIMIT = 60.0
END_LIMIT = 2.0

_encode = msgspec.msgpack.Encoder().encode
_decode_job = msgspec.msgpack.Decoder(Job).decode
_decode_outcome = msgspec.msgpack.Decoder(Outcome).decode


class ProcessDied(TreadleError):
    """The process that ran a job, or was to run it, ended before the job did."""


class _Process:
    """One helper process and the socket to it."""

    def __init__(self, command: Sequence[str]) -> None:
        self._ours, theirs = socket.socketpair()
        with theirs:
            self._popen = subprocess.Popen([*command, str(theirs.fileno())], pass_fds=[theirs.fileno()])
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    @property
    def lives(self) -> bool:
        """Whether it has not ended."""
        return self._popen.poll() is None

    async def ready(self) -> None:
        """Wait until it has imported the app, at its first job."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(sock=self._ours)
            await self._streams[0].readexactly(HEADER)

    async def ask(self, job: Job) -> Outcome:
        if self._streams is None:
            raise RuntimeError("expected a process that is ready")
        reader, writer = self._streams
        writer.write(frame(_encode(job)))
        await writer.drain()
        size = int.from_bytes(await reader.readexactly(HEADER), "big")
        outcome: Outcome = _decode_outcome(await reader.readexactly(size))
        return outcome

    def end(self) -> None:
        """Kill it; whoever waits for its answer sees the end of its socket."""
        self._popen.kill()

    def hang_up(self) -> None:
        """Close the socket; one that waits for a job then ends by itself."""
        if self._streams is None:
            self._ours.close()
        else:
            self._streams[1].close()

    def reap(self, patience: float) -> int:
        """Wait for its end for so many seconds, then kill it; its exit code, negative for a signal."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._popen.wait(timeout=patience)
        self._popen.kill()
        return self._popen.wait()

    def kill(self) -> int:
        """End it now; its exit code, negative for a signal."""
        self.hang_up()
        # One that ended by itself shows its own code.
        return self.reap(0.05)


class ProcessRunners:
    """Helper processes, started when they are needed and kept; `command` takes a descriptor's number.

    `begun` is called when an attempt's process is ready: an import that takes long must not eat up its time-out.
    """

    def __init__(self, command: Sequence[str], begun: Callable[[Attempt], None]) -> None:
        self._command = command
        self._begun = begun
        self._idle: list[_Process] = []
        self._busy: dict[Attempt, _Process] = {}

    async def run(self, attempt: Attempt) -> Outcome:
        """Run an attempt; its outcome. Raises Interrupted if `stop` killed it, ProcessDied if it died by itself."""
        if attempt.stop is not None:
            raise Interrupted
        process = self._living() or _Process(self._command)
        self._busy[attempt] = process
        try:
            async with asyncio.timeout(START_LIMIT):
                await process.ready()
            self._begun(attempt)
            outcome = await process.ask(attempt.claim.job)
        except TimeoutError:
            process.kill()
            raise ProcessDied(f"a helper process was not ready within {START_LIMIT:g} s") from None
        except (EOFError, OSError) as error:
            code = process.kill()
            if attempt.stop is not None:
                raise Interrupted from error
            raise ProcessDied(f'the process that ran "{attempt.claim.job.name}" ended with {_shown(code)}') from None
        except BaseException:
            process.kill()
            raise
        finally:
            del self._busy[attempt]
        self._idle.append(process)
        return outcome

    def stop(self, attempt: Attempt) -> bool:
        """Kill the process of a running attempt; whether it had one."""
        process = self._busy.get(attempt)
        if process is None:
            return False
        process.end()
        return True

    async def close(self) -> None:
        """Kill the processes that run a job; let the others end in order, for two seconds."""
        for process in self._busy.values():
            process.kill()
        idle, self._idle = self._idle, []
        for process in idle:
            process.hang_up()
        await asyncio.gather(*(asyncio.to_thread(process.reap, END_LIMIT) for process in idle))

    def _living(self) -> _Process | None:
        """A process that waits for a job; one that died meanwhile must not cost a job its attempt."""
        while self._idle:
            process = self._idle.pop()
            if process.lives:
                return process
            process.kill()
        return None


def frame(payload: bytes) -> bytes:
    """A message with its length before it."""
    return len(payload).to_bytes(HEADER, "big") + payload


def serve(sock: socket.socket, perform: Callable[[Job], Outcome]) -> None:
    """The helper's side: say that it is ready, then perform one job after the other until the socket ends."""
    sock.sendall(frame(b""))
    with sock.makefile("rb") as requests:
        while len(header := requests.read(HEADER)) == HEADER:
            job = _decode_job(requests.read(int.from_bytes(header, "big")))
            sock.sendall(frame(_encode(perform(job))))


def _shown(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
