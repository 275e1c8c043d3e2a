"""Do something when a transaction of the user's is committed, by the events of the library that runs it.

What was asked for within a savepoint goes with that savepoint. Nothing is done twice, and nothing after a rollback.
"""

from typing import Any

from treadle.errors import ConfigError
from treadle.stores.borrowed import django, sqlalchemy
from treadle.stores.borrowed.link import described
from treadle.stores.borrowed.sqlalchemy_commits import Act, on_connection, on_session


def after_commit(given: Any, act: Act) -> bool:  # noqa: ANN401 - whatever the user gave
    """Have it done at the commit; False where there is no transaction, so that the caller does it at once.

    Raises ConfigError for what tells nobody of its commits.
    """
    given = sqlalchemy.plain(given)
    session = sqlalchemy.sync_twin(given)
    if sqlalchemy.is_one_of(session, "sqlalchemy.orm", ("Session",)):
        on_session(session, act)
        return True
    if sqlalchemy.is_one_of(session, "sqlalchemy.engine", ("Connection",)):
        on_connection(session, act)
        return True
    return _on_django(given, act)


def _on_django(given: Any, act: Act) -> bool:  # noqa: ANN401 - whatever the user gave
    wrapper = django.wrapper_called(given) if isinstance(given, str) else django.wrapper_of(given)
    if wrapper is None:
        raise ConfigError(
            f"expected after_commit= to be a session or connection of SQLAlchemy, or a connection or alias of Django, "
            f"got {described(given)}"
        )
    # Not get_autocommit(), which would connect.
    if not wrapper.in_atomic_block and (wrapper.connection is None or wrapper.autocommit):
        return False
    # What a hook of Django's raises keeps all later ones from being called: those of other jobs, and the user's own.
    wrapper.on_commit(act.now, robust=True)
    return True
