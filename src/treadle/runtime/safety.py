"""Looks at a store before jobs are trusted to it."""

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
