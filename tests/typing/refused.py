"""What both type checkers refuse, line by line: the mark at its end has mypy's code and pyright's rule."""

from treadle import Handle, Inject, Job, Jobs, ResultHandle, Treadle, Unique
from treadle.hooks.events import JobCompleted, JobRetried

app = Treadle("sqlite://")
jobs = Jobs()


@app.job
def plain(user_id: int, lang: str = "en") -> str:
    return f"{user_id} {lang}"


@app.job(record=True)
async def kept(user_id: int, *, job: Job = Inject()) -> list[int]:
    return [user_id]


@app.external("MyApp.Mailer")
def mailer(user_id: int) -> None: ...


# Arguments of calls

plain()  # E: call-arg | reportCallIssue
plain("1")  # E: arg-type | reportArgumentType
plain.enqueue()  # E: call-arg | reportCallIssue
plain.enqueue("1")  # E: arg-type | reportArgumentType
plain.enqueue(1, 2)  # E: arg-type | reportArgumentType
plain.enqueue(1, "de", 3)  # E: call-arg | reportCallIssue
plain.enqueue(1, language="de")  # E: call-arg | reportCallIssue
plain.enqueue(user=1)  # E: call-arg | reportCallIssue
kept.enqueue([1])  # E: arg-type | reportArgumentType
kept.enqueue(1, Job)  # E: arg-type call-arg | reportCallIssue
mailer.enqueue("1")  # E: arg-type | reportArgumentType
mailer.enqueue()  # E: call-arg | reportCallIssue
plain.new("1")  # E: arg-type | reportArgumentType
plain.options(delay=5).enqueue("1")  # E: arg-type | reportArgumentType
kept.options(queue="slow").new()  # E: call-arg | reportCallIssue
app.enqueue_all([plain.new(None)])  # E: arg-type | reportArgumentType
app.enqueue_all([plain(1)])  # E: arg-type | reportArgumentType
app.enqueue(plain, {"user_id": 1})  # E: arg-type | reportArgumentType

# Rules of uniqueness

Unique(fields=["arg"])  # E: list-item | reportArgumentType
Unique(states="running")  # E: arg-type | reportArgumentType
Unique(until="end")  # E: arg-type | reportArgumentType
Unique(replace={"executing": ["args"]})  # E: dict-item | reportArgumentType
Unique(perod=60)  # E: call-arg | reportCallIssue
plain.options(unique=True)  # E: arg-type | reportArgumentType

# Options of calls

plain.options(timeout=5)  # E: call-arg | reportCallIssue
plain.options(txn=object())  # E: call-arg | reportCallIssue
plain.options(delay="5")  # E: arg-type | reportArgumentType
plain.options(at="noon")  # E: arg-type | reportArgumentType
plain.options(delay=5, priority="high")  # E: arg-type | reportArgumentType

# Values

wrong: int = plain(1)  # E: assignment | reportAssignmentType
text: str = kept.enqueue(1).result()  # E: assignment | reportAssignmentType
handle: ResultHandle[str] = plain.enqueue(1)  # E: assignment | reportAssignmentType
strings: ResultHandle[str] = kept.enqueue(1)  # E: assignment | reportAssignmentType
plain.enqueue(1).result()  # E: attr-defined | reportAttributeAccessIssue
app.jobs.find("", 5)  # E: call-arg | reportCallIssue
app.jobs.cancel()  # E: call-arg | reportCallIssue
app.jobs.get("7").result()  # E: attr-defined | reportAttributeAccessIssue
mailer.enqueue(1).result()  # E: attr-defined | reportAttributeAccessIssue
kept.enqueue(1).result(timeout="10")  # E: arg-type | reportArgumentType
handles: list[ResultHandle[str]] = app.enqueue_all([plain.new(1)])  # E: list-item | reportAssignmentType


async def wait(handle: Handle) -> None:
    plain.aenqueue(1)  # E: unused-coroutine | reportUnusedCoroutine
    await handle  # E: misc | reportGeneralTypeIssues
    await plain.enqueue(1)  # E: misc | reportGeneralTypeIssues
    await (await plain.aenqueue(1))  # E: misc | reportGeneralTypeIssues
    await plain.aenqueue("1")  # E: arg-type | reportArgumentType
    number: int = await (await kept.aenqueue(1))  # E: assignment | reportAssignmentType


# Tests

with app.testing() as kit:
    wrong_value: int = kit.run(plain, 1)  # E: assignment | reportAssignmentType
    wrong_list: str = kit.run(kept, 1)  # E: assignment | reportAssignmentType
    kit.run("plain", 1)  # E: call-overload | reportArgumentType reportCallIssue
    kit.advance("60")  # E: arg-type | reportArgumentType

# Options of jobs

app.job(retries=3)  # E: call-overload | reportCallIssue
app.job(queue=5)  # E: call-overload | reportArgumentType
app.job("mail")  # E: call-overload | reportArgumentType reportCallIssue
app.job(executor="gevent")  # E: call-overload | reportArgumentType
app.job(timeout="30 s")  # E: call-overload | reportArgumentType
app.job(backoff=5)  # E: call-overload | reportArgumentType
app.job(retry_on=ValueError("no"))  # E: call-overload | reportArgumentType
app.job(tags=[1])  # E: list-item | reportArgumentType
app.job(record=1)  # E: call-overload | reportArgumentType reportCallIssue
app.external("Mailer", timeout=5)  # E: call-arg | reportCallIssue
app.external("Mailer", record=True)  # E: call-arg | reportCallIssue
app.external()  # E: call-arg | reportCallIssue
app.external(wait)  # E: arg-type | reportArgumentType
app.include("shop.jobs")  # E: arg-type | reportArgumentType
jobs.enqueue("x")  # E: attr-defined | reportAttributeAccessIssue
Treadle(defaults={"record": True})  # E: arg-type | reportArgumentType
Treadle(defaults={"timeout": "30 s"})  # E: arg-type | reportArgumentType
app.work(workers=4)  # E: call-arg | reportCallIssue
app.work(drain="yes")  # E: arg-type | reportArgumentType
app.work(log_level="loud")  # E: arg-type | reportArgumentType
app.worker(processes=4)  # E: call-arg | reportCallIssue
app.worker(queues=5)  # E: arg-type | reportArgumentType
app.cron(5)  # E: arg-type | reportArgumentType
app.cron("@daily", catch_up="none")  # E: arg-type | reportArgumentType
app.crons.add("@daily", "plain")  # E: arg-type | reportArgumentType
app.lifespan(plain(1))  # E: type-var | reportArgumentType
Treadle(unknown="ignore")  # E: arg-type | reportArgumentType
Treadle(sync_in_loop="maybe")  # E: arg-type | reportArgumentType


@app.on(JobCompleted)  # E: arg-type | reportArgumentType
def listen(event: JobRetried) -> None: ...


@plain.on_discard  # E: type-var | reportArgumentType
def give_up(error: BaseException) -> None: ...
