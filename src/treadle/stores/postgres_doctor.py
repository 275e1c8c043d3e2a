"""What endangers jobs in a PostgreSQL: lost writes, an old version, open transactions, clocks that disagree."""

from treadle.core.clock import Clock
from treadle.stores.postgres_connection import Session
from treadle.stores.views import Finding

SKEW = 2.0
OLDEST = 120_000
# Seconds of one transaction, after which what it keeps from being cleaned up begins to slow claims down.
LONGEST_TRANSACTION = 300.0
# Transactions that began since, of which the same is true. Slots and standbys keep rows without one of their own.
MOST_HELD_BACK = 1_000_000


def diagnose(session: Session, clock: Clock) -> list[Finding]:
    """Look at everything; one finding for each thing, good or bad."""
    number, version, fsync, pages, commit, encoding, now, held_back, oldest = session.row("diagnose")
    return [
        _version(number, version),
        _durability(fsync, pages, commit),
        _encoding(encoding),
        _old_transactions(oldest, held_back),
        _skew(clock.now() - now),
    ]


def _version(number: int, text: str) -> Finding:
    if number < OLDEST:
        return Finding("error", f"expected PostgreSQL 12 or later, got {text}: upgrade the server")
    return Finding("ok", f"PostgreSQL {text}")


def _durability(fsync: str, pages: str, commit: str) -> Finding:
    off = [f"{name} off" for name, value in (("fsync", fsync), ("full_page_writes", pages)) if value != "on"]
    if off:
        return Finding(
            "warning",
            f"expected fsync and full_page_writes on, got {' and '.join(off)}: a power cut may lose every job",
        )
    if commit == "off":
        return Finding(
            "warning",
            "expected synchronous_commit on, got off: a crash of the server loses jobs that were enqueued just before",
        )
    return Finding("ok", f"fsync is on, synchronous_commit {commit}")


def _encoding(encoding: str) -> Finding:
    if encoding == "UTF8":
        return Finding("ok", "the database is encoded in UTF8")
    return Finding(
        "warning", f"expected a database in UTF8, got {encoding}: arguments with other characters are refused"
    )


def _old_transactions(seconds: float, held_back: int) -> Finding:
    if seconds > LONGEST_TRANSACTION:
        return Finding(
            "warning",
            f"expected transactions of at most {LONGEST_TRANSACTION:.0f} s, got one that is open for {seconds:.0f} s: "
            f"rows of finished jobs cannot be cleaned up meanwhile, and claims slow down; see pg_stat_activity and "
            f"pg_prepared_xacts",
        )
    if held_back > MOST_HELD_BACK:
        return Finding(
            "warning",
            f"expected rows of finished jobs to be cleaned up, got some kept since {held_back:,} transactions: "
            f"see xmin in pg_replication_slots and backend_xmin in pg_stat_replication",
        )
    return Finding("ok", f"the oldest open transaction is {seconds:.0f} s old")


def _skew(seconds: float) -> Finding:
    if abs(seconds) <= SKEW:
        return Finding("ok", f"the clocks of this machine and of PostgreSQL differ by {abs(seconds):.3f} s")
    return Finding(
        "warning",
        f"expected the clocks of this machine and of PostgreSQL to differ by at most {SKEW:g} s, got "
        f"{abs(seconds):.0f} s ({'ahead' if seconds > 0 else 'behind'}): jobs come at the right time, but what people "
        f"read may look wrong",
    )
