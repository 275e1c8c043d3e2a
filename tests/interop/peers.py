"""A real Sidekiq 6.4.1 beside the tests: its worker, its client and its Web pages.

Three Ruby programs of the folder `sidekiq/`, each a context manager here:

* `SidekiqProcess` is the `sidekiq` command running the classes of workers.rb,
* `SidekiqClient` pushes jobs and reads Sidekiq's own API,
* `SidekiqWeb` serves Sidekiq::Web and presses its buttons.

What the jobs leave in Redis is read with entries.py.
"""

import html
import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from redis import Redis

from tests.interop.entries import text
from tests.interop.program import PATIENCE, PeerError, Program
from tests.servers import wait_until

PROGRAMS = Path(__file__).parent / "sidekiq"


@dataclass(frozen=True, slots=True)
class Page:
    """An answer of the Web pages; `location` is "" unless it is a redirect, which nobody follows."""

    status: int
    text: str
    location: str = ""

    def rows(self, table: str) -> list[list[str]]:
        """The cells of the Busy page's table `processes` or `workers`, without tags and runs of blanks."""
        body = re.search(rf'<table class="{table} .*?</table>', self.text, re.DOTALL)
        assert body is not None
        cells = [
            re.findall(r"<td.*?>(.*?)</td>", row, re.DOTALL)
            for row in re.findall(r"<tr>(.*?)</tr>", body[0], re.DOTALL)
        ]
        return [[html.unescape(" ".join(re.sub(r"<[^>]*>", " ", cell).split())) for cell in row] for row in cells]


class SidekiqProcess:
    """The real `sidekiq`, ready once its first heartbeat is in `processes`.

    poll: seconds between two looks at `schedule` and `retry`; None leaves both to others.
    beat: seconds between two heartbeats (Sidekiq's own is 5): counters, busy jobs and the signals
    of the Web's buttons move that often.
    namespace: what stands before every key; needs ruby-redis-namespace.
    shutdown: seconds that running jobs get after `stop()` before they are pushed back.  Below 3, idle
    threads still wait in BRPOP (2 s) and may swallow what is pushed back, unless concurrency is 1.
    environment: variables on top of the fixed ones, for example LD_PRELOAD.
    """

    def __init__(
        self,
        redis_url: str,
        *,
        queues: Sequence[str] = ("default",),
        concurrency: int = 5,
        poll: float | None = 0.1,
        beat: float = 0.5,
        shutdown: int = 5,
        namespace: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._redis = Redis.from_url(redis_url)
        self._prefix = f"{namespace}:" if namespace else ""
        self._argv = [
            "sidekiq",
            *("-r", str(PROGRAMS / "workers.rb"), "-c", str(concurrency), "-t", str(shutdown)),
            *(word for queue in queues for word in ("-q", queue)),
        ]
        polling = {} if poll is None else {"INTEROP_POLL": str(poll)}
        self._environment = {
            "REDIS_URL": redis_url,
            "INTEROP_BEAT": str(beat),
            **polling,
            **_named(namespace),
            **(environment or {}),
        }
        self.identity = ""

    def __enter__(self) -> Self:
        self._program = Program(self._argv, self._environment)
        self.identity = self._program.boot(lambda: wait_until(self._registered, PATIENCE, "sidekiq's first heartbeat"))
        return self

    def __exit__(self, *_error: object) -> None:
        self._program.close()
        self._redis.close()

    @property
    def pid(self) -> int:
        return self._program.process.pid

    def heartbeat(self) -> dict[str, str]:
        """The fields of the process hash, {} when it is gone."""
        return {text(name): text(value) for name, value in self._redis.hgetall(self._prefix + self.identity).items()}

    def quiet(self) -> None:
        """Take no new jobs (TSTP); returns when the heartbeat says so."""
        self._program.process.send_signal(signal.SIGTSTP)
        wait_until(lambda: self.heartbeat().get("quiet") == "true", PATIENCE, "a heartbeat says quiet")

    def stop(self) -> int:
        """End it as an operator does (TERM) and give its exit code, which is 0."""
        return self._program.end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a fault does: what it was running is lost, as always with Sidekiq's fetch."""
        self._program.end(signal.SIGKILL)

    def wait(self) -> int:
        """Wait until it ended by itself, for example by the Web's Stop button; its exit code."""
        return self._program.process.wait(PATIENCE)

    def log(self) -> str:
        return self._program.log()

    def _registered(self) -> str:
        self._program.check_running()
        identities = [text(member) for member in self._redis.smembers(f"{self._prefix}processes")]
        return next((name for name in identities if name.split(":")[-2:-1] == [str(self.pid)]), "")


class SidekiqClient:
    """A Ruby program that pushes jobs with the real Sidekiq client.

    `job_class` names a class of workers.rb, whose options Sidekiq merges in; `options` is what Ruby
    code gives to `.set(…)`: queue, retry, tags, backtrace, or any field that Sidekiq does not know.
    A refusal by Sidekiq raises PeerError with Ruby's class and message.
    """

    def __init__(self, redis_url: str, *, namespace: str = "") -> None:
        self._environment = {"REDIS_URL": redis_url, **_named(namespace)}

    def __enter__(self) -> Self:
        self._program = Program(["ruby", str(PROGRAMS / "client.rb")], self._environment, answers=True)
        self.version = self._program.boot(lambda: self._program.answer(str))
        return self

    def __exit__(self, *_error: object) -> None:
        self._program.close()

    def perform_async(self, job_class: str, *args: object, options: Mapping[str, object] | None = None) -> str:
        """`JobClass.set(options).perform_async(*args)`; the jid."""
        request = {"do": "perform_async", "class": job_class, "args": args, "set": options or {}}
        return self._program.ask(request, str)

    def perform_in(
        self, job_class: str, wait: float, *args: object, options: Mapping[str, object] | None = None
    ) -> str:
        """`JobClass.set(options).perform_in(wait, *args)`; the jid.  From 1e9 on, `wait` is an epoch time."""
        request = {"do": "perform_in", "class": job_class, "in": wait, "args": args, "set": options or {}}
        return self._program.ask(request, str)

    def perform_bulk(
        self, job_class: str, args: Sequence[Sequence[object]], options: Mapping[str, object] | None = None
    ) -> list[str]:
        """`JobClass.set(options).perform_bulk(args)`; the jids in the order of `args`."""
        request = {"do": "perform_bulk", "class": job_class, "args": args, "set": options or {}}
        return self._program.ask(request, list[str])

    def push(self, item: Mapping[str, object]) -> str:
        """`Sidekiq::Client.push(item)`: any class name and any further fields; the jid."""
        return self._program.ask({"do": "push", "item": item}, str)

    def push_bulk(self, item: Mapping[str, object]) -> list[str]:
        """`Sidekiq::Client.push_bulk(item)`: like `push`, with a list of argument lists as "args"."""
        return self._program.ask({"do": "push_bulk", "item": item}, list[str])

    def reschedule(self, key: str, jid: str, wait: float) -> None:
        """`SortedEntry#reschedule`: the job of `schedule` or `retry` is due `wait` seconds from now."""
        self._program.ask({"do": "reschedule", "set": key, "jid": jid, "in": wait}, type(None))

    def poll(self) -> None:
        """One round of Sidekiq's poller: everything due in `retry`, then in `schedule`, is pushed."""
        self._program.ask({"do": "poll"}, type(None))

    def stats(self) -> dict[str, float]:
        """Sidekiq::Stats: processed, failed, enqueued, scheduled_size, retry_size, dead_size and the like."""
        return self._program.ask({"do": "stats"}, dict[str, float])

    def processes(self) -> list[dict[str, Any]]:
        """Sidekiq::ProcessSet: what the Busy page knows of each process; prunes those without a hash."""
        return self._program.ask({"do": "processes"}, list[dict[str, Any]])

    def work(self) -> list[dict[str, Any]]:
        """Sidekiq::WorkSet: identity, tid, queue, run_at and payload (decoded) of each running job."""
        return self._program.ask({"do": "work"}, list[dict[str, Any]])


class SidekiqWeb:
    """The real Sidekiq::Web on a free loopback port, used like a browser: one session, one cookie.

    A page that raises answers 500 with Ruby's trace as its text.
    """

    def __init__(self, redis_url: str) -> None:
        self._environment = {"REDIS_URL": redis_url}
        self._cookies = SimpleCookie()
        self.port = 0

    def __enter__(self) -> Self:
        self._program = Program(["ruby", str(PROGRAMS / "web.rb")], self._environment, answers=True)
        self.port = self._program.boot(lambda: self._program.answer(int))
        return self

    def __exit__(self, *_error: object) -> None:
        self._program.close()

    def get(self, path: str) -> Page:
        return self._request("GET", path, None)

    def press(self, path: str, fields: Mapping[str, str]) -> Page:
        """Post a form with a fresh token of the Busy page: 302 when Sidekiq did it.

        `fields` are the form's hidden ones and the button:
        `press("/busy", {"identity": identity, "quiet": "1"})`, or "stop", or without an identity for all;
        `press(web.detail("/retries", jid), {"retry": "1"})`, or "delete", or "kill"; /morgue has the first two;
        `press(web.detail("/scheduled", jid), {"add_to_queue": "1"})`, or "delete";
        `press("/retries/all/kill", {})`, or retry, or delete;
        `press("/queues/default", {"delete": "1"})` clears the queue.
        """
        token = re.search(r"name='authenticity_token' value='([^']+)'", self.get("/busy").text)
        if token is None:
            raise PeerError("expected a form with a token on /busy, found none")
        return self._request("POST", path, urlencode({"authenticity_token": token[1], **fields}))

    def detail(self, path: str, jid: str) -> str:
        """The path of a job's own page, as the list at `path` (/retries, /scheduled, /morgue) links it."""
        found = re.search(rf'href="({path}/[^"]*-{re.escape(jid)})"', self.get(path).text)
        if found is None:
            raise PeerError(f"expected a link to job {jid} on {path}, found none")
        return html.unescape(found[1])

    def _request(self, method: str, path: str, form: str | None) -> Page:
        headers = {"Cookie": self._cookies.output(attrs=[], header="", sep=";").strip()}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, form, headers)
            response = connection.getresponse()
            self._keep_cookies(response)
            return Page(response.status, response.read().decode(), response.headers.get("Location", ""))
        finally:
            connection.close()

    def _keep_cookies(self, response: HTTPResponse) -> None:
        for cookie in response.headers.get_all("Set-Cookie", []):
            self._cookies.load(cookie)


def _named(namespace: str) -> dict[str, str]:
    return {"INTEROP_NAMESPACE": namespace} if namespace else {}
