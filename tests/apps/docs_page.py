"""Runs the code blocks of one page of the docs; tests/test_docs_blocks.py tells how they are read.

`python docs_page.py PAGE` in the page's own folder. Text in the page that stands in the environment variable REPLACE,
as `what=with` on a line of its own, is replaced first.
"""

import ast
import asyncio
import doctest
import inspect
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from textwrap import dedent
from types import ModuleType

BLOCK = re.compile(r"^( *)```(\w+)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"# ([\w./-]+\.\w+)\n")
COMMAND = re.compile(r"^\$ (.*\n)((?:(?!\$ ).*\n)*)", re.MULTILINE)
ANYTHING_WITHIN = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def main() -> None:
    """Run every block; the first that fails ends the program with its line in the page."""
    page = Path(sys.argv[1])
    text = page.read_text("utf-8")
    for usual, address in (line.split("=") for line in os.environ["REPLACE"].splitlines()):
        text = text.replace(usual, address)
    # What a snippet defines is found where Python looks for it, as in a program of its own.
    module = sys.modules["__main__"] = ModuleType("__main__")
    sys.path.insert(0, str(Path.cwd()))
    with asyncio.Runner() as runner:
        for block in BLOCK.finditer(text):
            language, code = block[2], dedent(block[3])
            line = text.count("\n", 0, block.start(3))
            named = FILE_NAME.match(code)
            if named:
                write(Path(named[1]), code)
            elif language == "python":
                run_snippet(code, f"{page}", line, module, runner)
            elif language == "console":
                for command, expected in COMMAND.findall(code):
                    run_command(command.strip(), expected, f"{page.name}:{line}")


def write(path: Path, code: str) -> None:
    """Write a file; one of tests is run as well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code, "utf-8")
    if path.name.startswith("test_"):
        subprocess.run([sys.executable, "-m", "pytest", "-q", str(path)], check=True)


def run_snippet(code: str, page: str, line: int, module: ModuleType, runner: asyncio.Runner) -> None:
    """Run a snippet with the names of those before it; a traceback shows the page's own lines."""
    tree = compile("\n" * line + code, page, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST)
    # One statement after the other: only those that await something run in a loop.
    for statement in tree.body:
        step = compile(ast.Module([statement], []), page, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(step, module.__dict__)  # noqa: S307 - our own page; `exec` would drop the coroutine
        if inspect.iscoroutine(result):
            runner.run(result)


def run_command(command: str, expected: str, where: str) -> None:
    """Run a command in a shell; what it prints is what the page shows, or else it must succeed."""
    # A file and not a pipe: a command that goes on in the background would hold the pipe open.
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(command, shell=True, check=False, stdout=output, stderr=output)  # noqa: S602 - our page
        output.seek(0)
        printed = output.read()
    if not expected and done.returncode:
        sys.exit(f"{where}: {command!r} ended with {done.returncode}:\n{printed}")
    if expected and not doctest.OutputChecker().check_output(expected, printed, ANYTHING_WITHIN):
        sys.exit(f"{where}: expected {command!r} to print\n{expected}\ngot\n{printed}")


if __name__ == "__main__":
    main()
