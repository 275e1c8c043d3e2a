"""An app that cannot be imported while a file `broken` lies beside the ledger."""

import os
import sys
from pathlib import Path

from tests.apps.faulty_jobs import app

__all__ = ["app"]

if (Path(os.environ["LEDGER"]).parent / "broken").exists():
    sys.exit("the app is broken")
