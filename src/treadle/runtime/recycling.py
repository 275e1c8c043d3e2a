"""Worker processes that have run enough jobs, or grown too large, give way to new ones: one at a time in a node.

Life: 1. A worn process is chosen; it works on while its successor starts in the same place. 2. When the successor is
ready the worn one is told to drain, without a limit. 3. When it has ended, the next may be chosen. So a node has at the
most one process more than it was told, and an app that cannot be imported any more costs none.
"""

from collections.abc import Collection

from treadle.runtime.child import Child
from treadle.runtime.plan import Plan

KIB_PER_MIB = 1024


class Recycling:
    """Chooses by the limits of the plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._worn: Child | None = None
        self._succeeded = True

    def choose(self, children: Collection[Child]) -> tuple[Child, str] | None:
        """Who is to be replaced now, marked `outgoing`, and why; None while another is, and where nobody is worn."""
        if self._worn in children or not self._succeeded:
            return None
        for child in children:
            reason = "" if child.alone or child.leaving or child.owner is None else self._wear(child)
            if reason:
                self._worn, self._succeeded = child, False
                child.outgoing = True
                return child, reason
        return None

    def relieve(self, children: Collection[Child]) -> Child | None:
        """Who may drain now, for its successor works; told once."""
        worn = self._worn
        if worn is None or self._succeeded:
            return None
        places = (child.index for child in children if child is not worn and child.page.turned)
        self._succeeded = worn.index in places
        return worn if self._succeeded and worn in children else None

    def _wear(self, child: Child) -> str:
        attempts, most = sum(child.page.tally), self._plan.recycle_after
        if most and attempts >= most:
            return f"it has run {attempts} jobs"
        mib, limit = child.page.rss // KIB_PER_MIB, self._plan.recycle_rss
        # An app that is too large from the start would be replaced for ever, though nobody had work for it.
        return f"it occupies {mib} MiB" if limit and mib > limit and attempts else ""
