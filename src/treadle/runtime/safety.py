"""Looks at a store before jobs are trusted to it, and at who else takes jobs from it."""

from collections.abc import Collection

from treadle.core.printable import one_line
from treadle.errors import ConfigError
from treadle.hooks.events import Events, StoreWarning
from treadle.stores.contract import Inspects


async def check_store(store: Inspects, events: Events, *, unsafe: bool) -> None:
    """Tell every warning, and refuse a store that may throw jobs away. Raises ConfigError unless `unsafe`."""
    findings = await store.diagnose(quick=True)
    for finding in findings:
        if finding.level == "warning" or (finding.level == "error" and unsafe):
            events.emit(StoreWarning(text=finding.text))
    errors = [finding.text for finding in findings if finding.level == "error"]
    if errors and not unsafe:
        raise ConfigError(f"{errors[0]}; or start the worker with the option unsafe")


async def check_company(store: Inspects, queues: Collection[str], share: Collection[str]) -> None:
    """Refuse a queue that a live foreign program takes jobs from too: a job that one side does not know fails there.

    Raises ConfigError but for the queues of `share`, which both sides know.
    """
    for worker in await store.workers():
        for queue in worker.queues:
            if worker.foreign and queue in queues and queue not in share:
                raise ConfigError(
                    f'expected queue "{one_line(queue)}" to be served by treadle alone, got the live {worker.program} '
                    f"process {one_line(worker.name)} on it, where jobs that only this app knows would fail: name "
                    f"another queue, or share this one with --share NAME (in code: share=[...]) if both know its jobs"
                )
