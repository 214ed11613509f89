"""What `invoke check` says of a folder."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from aigis._plugin.check import check_folder
from aigis._plugin.manifest import Problem, read_manifest
from aigis._plugin.state import mutable_state

CORE = "PLUGIN_TYPE = 'core'\nENTRYPOINT = '{root}'\n"
HYBRID = "PLUGIN_TYPE = 'internal-remote'\nENTRYPOINT = '{root}'\nLAUNCH = 'main'\n"
MAIN = {"main.py": "def launch(): pass\n"}

Build = Callable[..., Path]


def test_a_good_folder_has_nothing_to_report(build: Build) -> None:
    assert check_folder(build(CORE, "def roll(): pass\nSKILLS = ['roll']")) == ()


def test_problems_are_those_of_the_reader_sorted_by_file_and_line(build: Build) -> None:
    folder = build("RESTART = -1\nENTRYPOINT = 7\nPLUGIN_TYPE = 'core'\n", "SKILLS = 'x'")
    found = check_folder(folder)
    assert [(problem.file, problem.line) for problem in found] == [
        ("AIGIS/AIGIS.config", 1),
        ("AIGIS/AIGIS.config", 2),
        ("AIGIS/AIGIS.core", 1),
    ]
    assert set(found) == set(read_manifest(folder, "dice")[1])


def test_a_folder_that_does_not_exist_is_a_problem(tmp_path: Path) -> None:
    (problem,) = check_folder(tmp_path / "nowhere")
    assert problem.fatal
    assert "is no folder" in problem.message


def test_a_folders_name_is_only_a_notice_since_aigis_toml_may_name_it(build: Build) -> None:
    (problem,) = check_folder(build(CORE, "roll = 1\nSKILLS = ['roll']", name="AIGIS-Dice"))
    assert not problem.fatal
    assert "'AIGIS-Dice'" in problem.message


def test_a_program_that_is_not_here_is_a_notice(build: Build) -> None:
    folder = build(CORE + "SYSTEM_REQUIREMENTS = ['ffmpeg', 'git']\n", "roll = 1\nSKILLS = ['roll']")
    (problem,) = check_folder(folder, which=lambda name: "/bin/git" if name == "git" else None)
    assert not problem.fatal
    assert "'ffmpeg'" in problem.message


def test_module_state_of_a_hybrid_is_named(build: Build) -> None:
    core = "seen = {}\n\ndef look():\n    return seen\n\nSKILLS = ['look']\n"
    (notice,) = check_folder(build(HYBRID, core, MAIN))
    assert notice == Problem("AIGIS/AIGIS.core", 1, notice.message, fatal=False)
    assert "'seen'" in notice.message


def test_module_state_of_what_a_hybrids_core_imports_is_named_too(build: Build) -> None:
    files = {"main.py": "import os\nclients = []\ndef launch(): pass\n", "other.py": "state = {}\n"}
    core = "import os\nfrom main import clients\nSKILLS = ['clients']\n"
    (notice,) = check_folder(build(HYBRID, core, files))
    assert (notice.file, notice.line) == ("main.py", 2)
    assert "'clients'" in notice.message


def test_module_state_of_a_core_plugin_is_its_own_affair(build: Build) -> None:
    assert check_folder(build(CORE, "seen = {}\nlook = seen.get\nSKILLS = ['look']")) == ()


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("count = 0\ndef up():\n    global count\n    count += 1", ["count"]),
        ("CACHE = {}", ["CACHE"]),
        ("import collections\nlog = collections.deque(maxlen=3)", ["log"]),
        ("pages: list[str] = []", ["pages"]),
        ("RACES = ['elf', 'orc']\nLIMIT = 3\nname = 'x'", []),
        ("RACES = ['elf']\ndef add(): RACES.append('orc')", ["RACES"]),
        ("PRICES = {'a': 1}\ndef set_price(): PRICES['a'] = 2", ["PRICES"]),
        ("SKILLS = ['x']\n__all__ = []", []),
        ("a = []\na = {}\nb = set()", ["a", "b"]),
        ("def f():\n    local = []", []),
    ],
)
def test_state_is_what_functions_may_change(source: str, names: list[str]) -> None:
    assert [name for name, _ in mutable_state(ast.parse(source))] == names
