"""The tree is what docs/layout.md says, and words that would break a promise stand nowhere in it.

Each rule is a function from source text to findings, so that it is shown to find something as well.
"""

import ast
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "treadle"
TESTS = ROOT / "tests"
LONGEST_MODULE = 400  # lines

# What can make objects or run code from bytes that lay in a store.
UNSAFE_MODULES = {"cloudpickle", "dill", "jsonpickle", "marshal", "pickle", "shelve", "yaml"}
UNSAFE_CALLS = {"__import__", "eval", "exec"}

# A transaction that begins deferred fails at its first write when another wrote meanwhile, and no time-out helps.
BARE_BEGIN = re.compile(
    r"(?:^|;)\s*begin(?:\s+(?:deferred|exclusive|concurrent|transaction|work))*\s*(?:;|$)", re.IGNORECASE
)
DOLLAR_QUOTED = re.compile(r"(\$\w*\$).*?\1", re.DOTALL)
SQL_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
LUA_COMMENT = re.compile(r"--\[\[.*?\]\]|--[^\n]*", re.DOTALL)
LUA_FORBIDDEN = re.compile(r"cjson|\.p?call\s*\(\s*['\"]KEYS['\"]", re.IGNORECASE)


# The rules


def overlong(source: str) -> list[str]:
    """A module is one concern on a few screens."""
    lines = len(source.splitlines())
    return [f"{lines} lines, at most {LONGEST_MODULE}"] if lines > LONGEST_MODULE else []


def unsafe(source: str) -> list[str]:
    """Nothing from a store is unpickled, evaluated or imported by name."""
    return [finding for node in ast.walk(ast.parse(source)) for finding in _unsafe_in(node)]


def _unsafe_in(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            modules = [alias.name for alias in names]
        case ast.ImportFrom(module=str(module)):
            modules = [module]
        case ast.Call(func=ast.Name(id=name)) if name in UNSAFE_CALLS:
            yield f"line {node.lineno}: {name}()"
            return
        case _:
            return
    yield from (f"line {node.lineno}: imports {name}" for name in modules if name.split(".")[0] in UNSAFE_MODULES)


def imports_of_the_face(source: str) -> list[str]:
    """`treadle` itself is for users; inside, everything is imported from where it stands, or layers mean nothing."""
    return [
        f"line {node.lineno}: imports from treadle itself"
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.ImportFrom) and node.module == "treadle")
        or (isinstance(node, ast.Import) and any(alias.name == "treadle" for alias in node.names))
    ]


def transactions_in_redis(source: str) -> list[str]:
    """EVALSHA never stands inside MULTI: there NOSCRIPT fails one command and the others still apply.

    redis-py wraps a pipeline in MULTI unless `transaction=False` is said. A module that imports psycopg, or is handed
    it, is about others.
    """
    nodes = list(ast.walk(ast.parse(source)))
    if any(_brings_psycopg(node) for node in nodes):
        return []
    return [finding for node in nodes for finding in _transactions_in(node)]


def _brings_psycopg(node: ast.AST) -> bool:
    match node:
        case ast.Import(names=names):
            return any(alias.name == "psycopg" for alias in names)
        case ast.arg(arg=name):
            return name == "psycopg"
        case _:
            return False


def _transactions_in(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Call(func=ast.Attribute(attr="pipeline"), keywords=keywords):
            if not any(word.arg == "transaction" and _is(word.value, False) for word in keywords):
                yield f"line {node.lineno}: a pipeline without transaction=False"
        case ast.Call(func=ast.Attribute(attr="transaction" | "multi")):
            yield f"line {node.lineno}: a transaction"
        case ast.Constant(value=str() | bytes() as value) if value in {"MULTI", b"MULTI"}:
            yield f"line {node.lineno}: MULTI"


def bare_begins(source: str) -> list[str]:
    """Every transaction of SQLite begins IMMEDIATE, the ones too that the driver would open by itself."""
    tree = ast.parse(source)
    prose = {
        node.value for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return [finding for node in ast.walk(tree) if node not in prose for finding in _bare_begins_in(node)]


def _bare_begins_in(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)) if bare_begins_in_sql(text):
            yield f"line {node.lineno}: a bare BEGIN"
        case ast.Call(func=ast.Attribute(value=ast.Name(id="sqlite3"), attr="connect"), keywords=keywords):
            if not any(word.arg == "isolation_level" and _is(word.value, None) for word in keywords):
                yield f"line {node.lineno}: sqlite3.connect without isolation_level=None begins deferred transactions"


def bare_begins_in_sql(source: str) -> list[str]:
    """The same for statements in SQL; the BEGIN of a function's or a trigger's body is none."""
    statements = SQL_COMMENT.sub("", DOLLAR_QUOTED.sub("", source))
    return ["a bare BEGIN"] if BARE_BEGIN.search(statements) else []


def forbidden_lua(source: str) -> list[str]:
    """Scripts take bytes and give bytes (cjson turns [] into {}), and never look at every key of a server."""
    return LUA_FORBIDDEN.findall(LUA_COMMENT.sub("", source))


def _is(node: ast.expr, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def sleeps(source: str) -> list[str]:
    """A test waits for what it expects; `asyncio.sleep(0)` lets others have a turn. Ruff bans `time.sleep`."""
    return [finding for node in ast.walk(ast.parse(source)) for finding in _sleeps_in(node)]


def _sleeps_in(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="asyncio"), attr="sleep"), args=[ast.Constant(value=0)]):
            return
        case ast.Call(func=ast.Attribute(value=ast.Name(id="asyncio"), attr="sleep")):
            yield f"line {node.lineno}: asyncio.sleep()"
        case ast.ImportFrom(module="asyncio", names=names) if any(alias.name == "sleep" for alias in names):
            yield f"line {node.lineno}: imports asyncio.sleep"


# The tree keeps them

RULES: dict[str, list[Callable[[str], list[str]]]] = {
    "py": [overlong, unsafe, imports_of_the_face, transactions_in_redis, bare_begins],
    "sql": [bare_begins_in_sql],
    "lua": [forbidden_lua],
}


@pytest.mark.parametrize("rule", [rule for rules in RULES.values() for rule in rules], ids=lambda rule: rule.__name__)
def test_the_package_keeps(rule: Callable[[str], list[str]]) -> None:
    [suffix] = [suffix for suffix, rules in RULES.items() if rule in rules]
    assert findings(rule, PACKAGE.rglob(f"*.{suffix}")) == {}


def test_the_tests_wait_for_what_they_expect() -> None:
    tests = {path for path in TESTS.rglob("*.py") if not path.is_relative_to(TESTS / "apps")}
    assert findings(sleeps, tests - {TESTS / "servers.py"}) == {}


def findings(rule: Callable[[str], list[str]], paths: Iterable[Path]) -> dict[str, list[str]]:
    """What the rule found, by the path from the root."""
    return {str(path.relative_to(ROOT)): found for path in sorted(paths) if (found := rule(path.read_text()))}


def layers() -> list[list[str]]:
    """The contract's layers, from the top, without the marks for what may be missing."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [lines] = [contract["layers"] for contract in contracts if contract["id"] == "layers"]
    return [[name.strip(" ()") for name in line.split("|")] for line in lines]


def places(package: Path) -> set[str]:
    """The names of the top folders and modules that hold Python."""
    folders = {path.relative_to(package).parts[0] for path in package.rglob("*.py")}
    return {name.removesuffix(".py") for name in folders} - {"__init__", "__main__"}


def test_every_top_folder_is_in_the_layers() -> None:
    known = {name for line in layers() for name in line}
    assert places(PACKAGE) - known == set(), "enter it as docs/layout.md says"


def test_the_picture_in_the_docs_is_the_contract() -> None:
    shown = "\n".join(" | ".join(line) for line in layers())
    assert f"```\n{shown}\n```" in (ROOT / "docs" / "layout.md").read_text()


def test_every_layer_is_in_the_table_of_the_docs() -> None:
    text = (ROOT / "docs" / "layout.md").read_text()
    names = [name for line in layers() for name in line]
    assert [name for name in names if not re.search(rf"`src/treadle/{name}(/|\.py)`", text)] == []


# The rules find what they are for


def test_a_new_place_is_found(tmp_path: Path) -> None:
    for name in ("__init__.py", "errors.py", "utils/deep/module.py", "sql/a.sql"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert places(tmp_path) == {"errors", "utils"}


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (overlong, "x = 1\n" * (LONGEST_MODULE + 1)),
        (unsafe, "import pickle"),
        (unsafe, "def f():\n    import json, yaml.loader"),
        (unsafe, "from marshal import loads"),
        (unsafe, "x = eval('1')"),
        (unsafe, "exec('1')"),
        (imports_of_the_face, "from treadle import Job"),
        (imports_of_the_face, "import treadle"),
        (transactions_in_redis, "p = client.pipeline()"),
        (transactions_in_redis, "p = client.pipeline(transaction=True)"),
        (transactions_in_redis, "await self.client.transaction(f, 'k')"),
        (transactions_in_redis, "send(b'MULTI')"),
        (bare_begins, "db.execute('BEGIN')"),
        (bare_begins, "db.execute('begin transaction;')"),
        (bare_begins, "db.executescript('DELETE FROM a; BEGIN DEFERRED; DELETE FROM b')"),
        (bare_begins, "sqlite3.connect(path)"),
        (bare_begins, "sqlite3.connect(path, isolation_level='DEFERRED')"),
        (bare_begins_in_sql, "BEGIN;\nSELECT 1;"),
        (sleeps, "await asyncio.sleep(0.1)"),
        (sleeps, "from asyncio import sleep"),
        (bare_begins_in_sql, "-- a comment\nBEGIN EXCLUSIVE;"),
        (forbidden_lua, "local job = cjson.decode(ARGV[1])"),
        (forbidden_lua, "redis.call('KEYS', '*')"),
        (forbidden_lua, 'redis.pcall( "keys", pattern)'),
    ],
)
def test_a_breach_is_found(rule: Callable[[str], list[str]], source: str) -> None:
    assert rule(source) != []


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (overlong, "x = 1\n" * LONGEST_MODULE),
        (unsafe, "import json\nmodel.eval()\nliteral_eval('1')"),
        (imports_of_the_face, "from treadle.core.job import Job\nimport treadle.errors"),
        (transactions_in_redis, "p = client.pipeline(transaction=False)"),
        (transactions_in_redis, "import psycopg\nwith connection.transaction(): pass"),
        (bare_begins, "db.execute('BEGIN IMMEDIATE')\nsay('begin the work')"),
        (bare_begins, "def f():\n    'Start; begin'"),
        (bare_begins, "sqlite3.connect(path, isolation_level=None)"),
        (sleeps, "await asyncio.sleep(0)\nclock.sleep(5)"),
        (bare_begins_in_sql, "BEGIN IMMEDIATE;\nCREATE FUNCTION f() AS $$\nBEGIN\n;\nEND $$ LANGUAGE plpgsql;"),
        (bare_begins_in_sql, "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END;"),
        (forbidden_lua, "-- no cjson, no redis.call('KEYS')\nredis.call('LLEN', KEYS[1])"),
    ],
)
def test_what_is_allowed_is_not_found(rule: Callable[[str], list[str]], source: str) -> None:
    assert rule(source) == []
