"""Names of jobs as other systems spell them."""


def peerless(name: str) -> str:
    """The name that a peer's spelling means: `A::B`, `Elixir.A.B` and `A.B/1` are `A.B`."""
    return name.replace("::", ".").removeprefix("Elixir.").partition("/")[0]
