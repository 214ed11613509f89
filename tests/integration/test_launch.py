"""The first code in an internal plugin's process, each form of LAUNCH in a real one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aigis._base.home import write_private
from aigis._base.messages import Plan
from tests.building import Plugins

SERVICE = """
import os, sys
def launch(log, *args, **kwargs):
    given = {"args_given": list(args), "kwargs_given": kwargs}
    log.warning("launched", extra={**given, "cwd": os.getcwd(), "argv": sys.argv})
def other(logger):
    logger.info("other")
class Deep:
    @staticmethod
    async def start(name):
        print(name)
def failing():
    raise ValueError("no luck")
print("imported")
"""
SHADOWING = """
import {name}, aigis
def launch():
    print({name}.MINE)
    try:
        aigis.dice.roll()
    except aigis.NotRunning:
        print("ours")
"""


class Launched:
    """Starts a plugin's process as a supervisor does, and reads what it says."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "plugin"
        self.folder.mkdir(parents=True)
        (self.folder / "service.py").write_text(SERVICE)

    def start(self, launch: str, *args: Any, kind: str = "internal-remote", **kwargs: Any) -> subprocess.Popen[str]:
        order = {
            "plugin": "watch", "type": kind, "root": str(self.folder), "entrypoint": str(self.folder),
            "launch": launch, "args": args, "kwargs": kwargs,
        }  # fmt: skip
        return subprocess.Popen(
            [sys.executable, "-m", "aigis._launch", json.dumps(order)], cwd=self.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "AIGIS_HOME": str(self.home)},
        )  # fmt: skip

    def run(self, launch: str, *args: Any, **kwargs: Any) -> tuple[int, str, list[dict[str, Any]]]:
        process = self.start(launch, *args, **kwargs)
        out, err = process.communicate(timeout=10)
        return process.returncode, out, [json.loads(line) for line in err.splitlines() if line.startswith("{")]


@pytest.fixture
def launched(tmp_path: Path) -> Launched:
    return Launched(tmp_path / "home")


def test_a_module_is_launched_with_logger_args_and_kwargs(launched: Launched) -> None:
    code, out, (record,) = launched.run("service", 1, "two", three=3)
    assert (code, out) == (0, "imported\n")
    assert (record["message"], record["level"], record["plugin"]) == ("launched", "WARNING", "watch")
    assert (record["args_given"], record["kwargs_given"]) == ([1, "two"], {"three": 3})
    assert (record["cwd"], record["argv"]) == (str(launched.folder), ["service", "1", "two"])


def test_a_function_is_launched_by_name(launched: Launched) -> None:
    code, _, (record,) = launched.run("service:other")
    assert (code, record["message"]) == (0, "other")


def test_a_coroutine_function_runs_in_a_loop(launched: Launched) -> None:
    code, out, _ = launched.run("service:Deep.start", "six")
    assert (code, out) == (0, "imported\nsix\n")


def test_a_file_is_run_as_a_script(launched: Launched) -> None:
    (launched.folder / "script.py").write_text("import sys; print(__name__, sys.argv); import service")
    code, out, _ = launched.run("script.py", 1)
    assert (code, out) == (0, "__main__ ['script.py', '1']\nimported\n")


@pytest.mark.parametrize("launch", ["service:none", "service:other.deeper"])
def test_a_launch_that_names_nothing_ends_with_2_and_one_record(launched: Launched, launch: str) -> None:
    code, _, (record,) = launched.run(launch)
    assert code == 2
    assert (record["level"], record["plugin"]) == ("ERROR", "watch")
    assert "define launch(log, *args, **kwargs)" in record["message"]


def test_a_plugin_that_fails_ends_with_1_and_its_traceback(launched: Launched) -> None:
    process = launched.start("service:failing")
    _, err = process.communicate(timeout=10)
    assert process.returncode == 1
    assert err.rstrip().endswith("ValueError: no luck")


@pytest.mark.parametrize("name", ["redis", "cloudpickle", "pythonjsonlogger"])
def test_a_plugin_may_bring_a_module_named_like_a_library_of_ours(launched: Launched, name: str) -> None:
    (launched.folder / f"{name}.py").write_text("MINE = 6")
    (launched.folder / "service.py").write_text(SHADOWING.format(name=name))
    assert launched.run("service")[:2] == (0, "6\nours\n")


def test_an_internal_local_plugin_has_the_core_and_cleans_up_when_it_is_stopped(launched: Launched) -> None:
    core = """
        SKILLS = ["core_dice"]
        def core_dice(): return 4
        def cleanup(): print("cleaned up", flush=True)
    """
    planned = Plugins(launched.home / "run").write("core_dice", core)
    state = launched.home / ".aigis" / "state"
    state.mkdir(parents=True)
    write_private(state / "plan.json", Plan(1, "box", (planned,)).to_json().encode())
    (launched.folder / "service.py").write_text(
        "import aigis, time\ndef launch():\n    print(aigis.core_dice(), flush=True)\n    time.sleep(30)"
    )
    process = launched.start("service", kind="internal-local")
    assert process.stdout is not None
    assert process.stdout.readline() == "4\n"
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=5)
    assert (process.returncode, out) == (128 + signal.SIGTERM, "cleaned up\n")
