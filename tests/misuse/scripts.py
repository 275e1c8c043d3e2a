"""Scripts that tell their mistake when they run as programs of their own."""

from tests.misuse.case import Script

SCRIPTS: tuple[Script, ...] = (
    Script(
        "work without the guard",
        """
from treadle import Treadle

app = Treadle()

@app.job
def welcome() -> None: ...

app.work(drain=True)
""",
        "script.py",
        "treadle: expected app.work() to be called by the program that you start, got a call while treadle imports "
        'script.py for a worker process or a command; put it under if __name__ == "__main__":',
    ),
    Script(
        "an enqueue while a worker imports the script",
        """
from treadle import Treadle

app = Treadle()

@app.job
def welcome() -> None: ...

welcome.enqueue()
""",
        "-m treadle.cli work script",
        "treadle: expected enqueue to be called by the program that you start, got a call while treadle imports "
        'script for a worker process or a command; put it under if __name__ == "__main__":',
    ),
    Script(
        "work of an app that is in no file",
        "",
        "-c 'from treadle import Treadle; app = Treadle(); app.work(drain=True)'",
        "treadle.errors.ConfigError: expected an app that worker processes can import, got one that is no variable "
        "of any file's module (an interactive session, a notebook, python -c, a function); put it into a file, and "
        "import it from there",
    ),
    Script(
        "a script that its own jobs import a second time",
        """
from pathlib import Path
from treadle import Treadle

Path("jobs.py").write_text("from script import app\\napp.job(name='late')(lambda: 5)\\n")
app = Treadle()

if __name__ == "__main__":
    import jobs
    app.load()
""",
        "script.py",
        "treadle.errors.ConfigError: expected one app in FOLDER/script.py, got two: it runs as a script and was "
        'imported again as script, which has the job "late"; move the app into a module that both import',
    ),
    Script(
        "a project's folder that nobody can write to",
        """
import os
from treadle import Treadle

os.chdir("/proc/self")
Treadle().store
""",
        "script.py",
        "treadle.errors.ConfigError: expected the URL of a store, got none, and /proc/PID cannot be written to; "
        "name the store by TREADLE_URL, by Treadle(url), or as url in treadle.toml",
    ),
)
