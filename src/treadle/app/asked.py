"""What somebody asks for by a text, in the terms of an app's store."""

from treadle.app.surface import App
from treadle.core.arguments import Shape
from treadle.core.query import And, Where
from treadle.core.query_arguments import by_position
from treadle.core.query_parser import parse


def asked(app: App, *texts: str) -> Where:
    """The query that all these texts mean together. Raises QueryError."""
    wheres = [parse(text) for text in texts]
    where = wheres[0] if len(wheres) == 1 else And(tuple(wheres))
    return by_position(where, app.parameters) if app.store.shape is Shape.LIST else where
