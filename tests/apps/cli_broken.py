"""A module that cannot be imported."""

from treadle import Treadle

app = Treadle()

raise RuntimeError("the shop is closed")
