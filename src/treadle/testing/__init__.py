"""What users test their jobs with, and what authors of stores test their stores with."""

from treadle.app.enqueued import Enqueued, EnqueuedJob
from treadle.app.testing import JobKit

__all__ = ["Enqueued", "EnqueuedJob", "JobKit"]
