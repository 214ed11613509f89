"""One broken plugin after another beside two that work: each fails alone, and says what, where and what to do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.acceptance.driver import System, home

GOOD_CORE = "good = len\nSKILLS = ['good']\n"
WAITING = ["sleep", "1000"]


@dataclass(frozen=True)
class Broken:
    """A broken plugin and what must be told of it."""

    told: tuple[str, ...]
    """Words of the reason."""
    kind: str = "core"
    core: str | None = None
    files: dict[str, str | bytes] = field(default_factory=dict)
    keys: dict[str, Any] = field(default_factory=dict)


def core(text: str, *told: str, **keys: Any) -> Broken:
    """Return a core plugin with this AIGIS.core."""
    return Broken(told, core=text, keys=keys)


def config(text: str | bytes, *told: str) -> Broken:
    """Return a core plugin with this manifest."""
    return Broken(told, core="", files={"AIGIS/AIGIS.config": text})


def launched(kind: str, launch: Any, *told: str, files: dict[str, str | bytes] | None = None, **keys: Any) -> Broken:
    """Return a plugin of its own process with this LAUNCH."""
    return Broken(told, kind=kind, files=files or {}, keys={"LAUNCH": launch, **keys})


PLUGINS = {
    # The manifest.
    "syntax": config('PLUGIN_TYPE = "core\n', "AIGIS.config:1"),
    "latin": config(b'PLUGIN_TYPE = "caf\xe9"\n', "AIGIS.config:1", "utf-8"),
    "code": config('PLUGIN_TYPE = open("CANARY", "w")\nENTRYPOINT = "{root}"\n', "AIGIS.config:1", "open("),
    "imports": config('PLUGIN_TYPE = "core"\nimport os\nENTRYPOINT = "{root}"\n', "AIGIS.config:2", "import os"),
    "type": config('PLUGIN_TYPE = "cor"\nENTRYPOINT = "{root}"\n', "AIGIS.config:1", "'cor'", "did you mean 'core'"),
    "empty": config("", "PLUGIN_TYPE", "ENTRYPOINT"),
    "three": config(
        'PLUGIN_TYPE = "core"\nENTRYPOINT = "{root}/none"\nRESTART = "x"\nARGS = 5\n',
        "AIGIS.config:2", "AIGIS.config:3", "AIGIS.config:4",
    ),
    "nowhere": core(GOOD_CORE, "ENTRYPOINT", "'{root}/none'", "no folder", ENTRYPOINT="{root}/none"),
    "Capital": core(GOOD_CORE, "'Capital'", "lower-case"),
    "old-python": core(GOOD_CORE, "PYTHON", "'<3.0'", "3.", PYTHON="<3.0"),
    "needy": core(GOOD_CORE, "no-such-program", SYSTEM_REQUIREMENTS=["no-such-program", "sh"]),
    "lonely": core("lonely = 1\nSKILLS = ['lonely']", "'nobody'", DEPENDENCIES=["nobody"]),
    "ring-a": core("ringa = 1\nSKILLS = ['ringa']", "ring-a", "ring-b", DEPENDENCIES=["ring-b"]),
    "ring-b": core("ringb = 1\nSKILLS = ['ringb']", "ring-a", "ring-b", DEPENDENCIES=["ring-a"]),
    # AIGIS.core.
    "coreless": Broken(("AIGIS/AIGIS.core", "create it")),
    "core-syntax": core("def f(:\n", "AIGIS.core:1"),
    "raising": core("import sys\n1 / 0\nSKILLS = []\n", "ZeroDivisionError", "AIGIS.core", "line 2"),
    "missing-module": core("import no_such_module\nSKILLS = ['no_such_module']\n", "no_such_module", "AIGIS.core"),
    "exiting": core("raise SystemExit(5)\nSKILLS = []\n", "SystemExit"),
    "no-skills": core("def f(): pass\n", "SKILLS"),
    "skills-word": core("def word(): pass\nSKILLS = 'word'\n", "SKILLS", "list"),
    "skills-number": core("SKILLS = [1 + 1]\n", "SKILLS", "2"),
    "absent": core("def present(): pass\nSKILLS = ['presnt']\n", "'presnt'", "present"),
    "computed": core("SKILLS = ['computed.' + name for name in nothing()]\n", "NameError", "nothing"),
    "reserved": core("def calls(): pass\nSKILLS = ['calls']\n", "'calls'"),
    "private": core("def _own(): pass\nSKILLS = ['_own']\n", "'_own'"),
    "same-name": core("good = sum\nSKILLS = ['good']\n", "'good'", "aaa", "same-name"),
    "below-name": core("class good:\n    more = 1\nSKILLS = ['good.more']\n", "good.more", "aaa"),
    "mutual-a": core("import aigis\nmutuala = aigis.mutualb\nSKILLS = ['mutuala']\n", "mutual-a", "mutual-b"),
    "mutual-b": core("import aigis\nmutualb = aigis.mutuala\nSKILLS = ['mutualb']\n", "mutual-a", "mutual-b"),
    "starter": core(
        "import subprocess, threading, time\n"
        "threading.Thread(target=time.sleep, args=(99,), name='busy-bee', daemon=True).start()\n"
        "child = subprocess.Popen(['sleep', '1234'])\n"
        "starter = 1\nSKILLS = ['starter']\n",
        "thread 'busy-bee'", "child process", "(sleep)", "allow_taint",
    ),
    "endless": core("import time\ntime.sleep(1000)\nSKILLS = []\n", "import", "1 s"),
    # LAUNCH.
    "no-launch": Broken(("LAUNCH",), kind="internal"),
    "no-module": launched("internal", "nothing_here", "'nothing_here'", "LAUNCH"),
    "no-function": launched("internal", "main:begn", "'begn'", "begin", files={"main.py": "def begin(): pass\n"}),
    "no-program": launched("external", ["./none"], "'./none'", "LAUNCH"),
    "not-on-path": launched("external", ["no-such-program"], "'no-such-program'", "PATH"),
    "not-executable": launched("external", ["./run"], "'./run'", "chmod", files={"run": "#!/bin/sh\n"}),
    "shell-line": launched("external", "sleep 10", "list", "['sleep', '10']"),
    "at-once": launched("external", ["sh", "-c", "exit 4"], "ended at once", "code 4"),
    "wheelless": launched(
        "external", ["python3", "-c", ""], "absent-1-py3-none-any.whl",
        files={"requirements.txt": "./absent-1-py3-none-any.whl\n"}, REQUIREMENTS_FILE="{root}/requirements.txt",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def patient() -> Iterator[System]:
    """Return a system in which all of the above are wanted."""
    with home() as system:
        system.plugin("aaa", "core", GOOD_CORE)
        system.plugin("runs", "external", LAUNCH=WAITING)
        for name, broken in PLUGINS.items():
            system.plugin(name, broken.kind, broken.core, broken.files, **broken.keys)
        allowed = PLUGINS["starter"].core
        assert allowed is not None
        system.plugin("allowed", "core", allowed.replace("starter", "allowed").replace("1234", "4321"))
        system.settings(
            "[aigis]\nimport_timeout = 1\n[core]\nfolderless = '/no/such/folder'\n"
            "[plugins.allowed]\nallow_taint = true\n"
        )
        system.up(code=3)
        yield system


@pytest.fixture(scope="module")
def rows(patient: System) -> dict[str, dict[str, Any]]:
    return patient.rows()


@pytest.mark.parametrize("name", PLUGINS)
def test_a_broken_plugin_fails_and_says_why(rows: dict[str, dict[str, Any]], name: str) -> None:
    """A52; A05, A28: the manifest; A04: `old-python`; A07: SKILLS; A02: `starter`; A29: `needy`"""
    row = rows[name]
    assert (row["state"], row["pid"]) == ("failed", None)
    assert [words for words in PLUGINS[name].told if words not in row["reason"]] == []


def test_a_source_that_is_no_folder_fails(rows: dict[str, dict[str, Any]]) -> None:
    assert rows["folderless"]["state"] == "failed"
    assert "'/no/such/folder'" in rows["folderless"]["reason"]
    assert "aigis.toml" in rows["folderless"]["reason"]


def test_the_others_run(rows: dict[str, dict[str, Any]], patient: System) -> None:
    """A52"""
    assert {name for name, row in rows.items() if row["state"] != "failed"} == {"aaa", "runs", "allowed"}
    assert {row["state"] for row in rows.values()} == {"running", "failed"}
    assert patient.call("good", "[1, 2, 3]") == 3


def test_a_manifest_is_never_executed(patient: System) -> None:
    """A05"""
    assert list(patient.root.rglob("CANARY")) == []


def test_what_a_refused_import_has_started_is_gone(patient: System) -> None:
    """A02"""
    assert [process for process in patient.processes() if "1234" in process.cmdline()] == []


def test_a_tainting_plugin_that_is_allowed_runs_with_a_notice(patient: System) -> None:
    """A02"""
    assert "busy-bee" in patient.aigis("status", "allowed").out


def test_calls_of_a_broken_plugin_say_why(patient: System) -> None:
    assert "'nobody'" in patient.call("lonely", code=2)
    assert "busy-bee" in patient.call("starter", code=2)


def test_once_mended_they_all_run(patient: System) -> None:
    """A52: only what is mended and what ran is wanted any more"""
    for name in PLUGINS:
        shutil.rmtree(patient.root / "plugins" / name)
    patient.plugin("absent", "core", "def present(): return 'mended'\nSKILLS = ['present']\n")
    patient.plugin("at-once", "external", LAUNCH=WAITING)
    patient.settings("[plugins.allowed]\nallow_taint = true\n")
    patient.up()
    assert patient.states() == dict.fromkeys(["aaa", "absent", "allowed", "at-once", "runs"], "running")
    assert patient.call("present") == "mended"
