"""How much memory this process occupies."""

import resource
import sys
from pathlib import Path

_STATM = Path("/proc/self/statm")
_PAGE_KIB = resource.getpagesize() // 1024


def resident() -> int:
    """KiB of this process in memory now; where the system has no /proc, the most that it ever had."""
    try:
        return int(_STATM.read_bytes().split()[1]) * _PAGE_KIB
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        # macOS counts bytes.
        return most // 1024 if sys.platform == "darwin" else most
