"""What docs/production.md hands to process managers is what they take, and its commands are what treadle takes."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pages import DOCS, block, files
from treadle.app.settings import SETTINGS
from treadle.cli.work import work
from treadle.runtime.plan import GRACE

PAGE = DOCS / "production.md"
TEXT = PAGE.read_text("utf-8")
UNIT = files(PAGE)["treadle.service"]
MANIFEST = yaml.safe_load(files(PAGE)["treadle.yaml"])
POD: dict[str, Any] = MANIFEST["spec"]["template"]["spec"]
CONTAINER: dict[str, Any] = POD["containers"][0]
LEFT_FOR_THE_KILL = 10  # seconds between the end of the grace time and the process manager's SIGKILL


def unit_value(key: str) -> str:
    (value,) = re.findall(rf"^{key}=(.*)$", UNIT, re.MULTILINE)
    return str(value)


def docker_command() -> list[str]:
    (command,) = re.findall(r"^CMD (\[.*\])$", block(PAGE, "dockerfile"), re.MULTILINE)
    words: list[str] = json.loads(command)
    return words


COMMANDS = {
    "shell": shlex.split(block(PAGE, "sh")),
    "systemd": shlex.split(unit_value("ExecStart")),
    "docker": docker_command(),
    "kubernetes": CONTAINER["args"],
}


@pytest.mark.parametrize("place", COMMANDS)
def test_a_command_of_the_page_is_one_that_treadle_takes(place: str) -> None:
    program, name, *arguments = COMMANDS[place]
    assert (Path(program).name, name) == ("treadle", "work")
    assert work.make_context(name, arguments).params["app"] == "shop.jobs"


def test_every_option_that_the_text_names_is_one_of_treadle_work() -> None:
    flags = {flag for setting in SETTINGS.values() for flag in setting.flags}
    assert set(re.findall(r"`(--?[a-z-]+)", TEXT)) <= flags


def test_the_unit_says_when_it_is_ready_and_lets_the_parent_tell_its_processes() -> None:
    assert (unit_value("Type"), unit_value("KillMode"), unit_value("Restart")) == ("notify", "mixed", "always")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="the machine has no systemd")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    place = tmp_path / "treadle.service"
    here = UNIT.replace(COMMANDS["systemd"][0], str(Path(sys.executable).with_name("treadle")))
    place.write_text(here.replace("User=shop", "User=root"), "utf-8")
    verified = subprocess.run(["systemd-analyze", "verify", str(place)], capture_output=True, text=True, check=False)
    about = [line for line in (verified.stdout + verified.stderr).splitlines() if place.name in line]
    assert (verified.returncode, about) == (0, [])


def test_process_managers_wait_longer_than_the_grace_time() -> None:
    patience = GRACE + LEFT_FOR_THE_KILL
    assert float(unit_value("TimeoutStopSec")) == patience
    assert float(POD["terminationGracePeriodSeconds"]) == patience
    assert f"docker stop -t {patience:g}" in TEXT


def test_the_manifest_probes_the_port_on_which_the_node_listens() -> None:
    listening = CONTAINER["args"][CONTAINER["args"].index("--listen") + 1]
    (port,) = CONTAINER["ports"]
    assert listening == f"0.0.0.0:{port['containerPort']}"
    assert MANIFEST["spec"]["template"]["metadata"]["annotations"]["prometheus.io/port"] == str(port["containerPort"])
    probes = {kind: CONTAINER[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
    assert {kind: (get["path"], get["port"]) for kind, get in probes.items()} == {
        "startup": ("/readyz", port["name"]),
        "liveness": ("/livez", port["name"]),
        "readiness": ("/readyz", port["name"]),
    }


def test_the_manifest_selects_its_own_pods() -> None:
    assert MANIFEST["spec"]["selector"]["matchLabels"] == MANIFEST["spec"]["template"]["metadata"]["labels"]


def test_every_metric_that_the_page_names_has_its_row() -> None:
    told = (DOCS / "reference" / "metrics.md").read_text("utf-8")
    named = set(re.findall(r"treadle_[a-z_]+", TEXT))
    assert named
    assert named <= set(re.findall(r"treadle_[a-z_]+", told))
