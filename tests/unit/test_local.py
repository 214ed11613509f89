"""What `aigis` is in an internal-local process: its own copy of the core, and the way out for the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import aigis
from aigis import _proxy
from aigis._base.home import write_private
from aigis._base.messages import Plan, PlannedPlugin
from aigis._local import LOOK_EVERY, CopiedCore
from aigis._plugin.loader import LocalPlugins
from tests.building import Plugins

skills: Any = aigis
"""What a plugin writes as `aigis`; the type checker knows no skills."""


class Remote:
    """Stands for calls to workers."""

    def attribute(self, path: str) -> object:
        return _proxy.Path(path)

    def invoke(self, path: str, args: tuple[Any, ...], kwargs: dict[str, Any], **options: Any) -> Any:
        return "remote", path, args, kwargs, options

    def names(self, prefix: str) -> Sequence[str]:
        return ()


class Process:
    """The process of an internal-local plugin, with a clock the test moves."""

    def __init__(self, folder: Path) -> None:
        self.plugins = Plugins(folder)
        self.plan_file = folder / "plan.json"
        self.now = 0.0
        self.asked_for_remote = 0
        self.local = LocalPlugins(
            plugins=(), hybrids_local=False, remote=lambda path: self.remote().attribute(path), patience=0
        )
        _proxy.install(CopiedCore(self.local, self.plan_file, self.remote, monotonic=lambda: self.now))

    def remote(self) -> Remote:
        self.asked_for_remote += 1
        return Remote()

    def plan(self, *plugins: PlannedPlugin) -> None:
        write_private(self.plan_file, Plan(1, "box", plugins).to_json().encode())

    def copied(self) -> PlannedPlugin:
        return self.plugins.write(
            "copied", "SKILLS = ['copied']\nclass copied:\n    SIDES = 6\n    def roll(): return 4"
        )


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path)
    yield process
    process.local.unload_all()
    _proxy.install(None)


def test_a_core_plugin_is_loaded_at_its_first_use_and_called_in_place(process: Process) -> None:
    process.plan(process.copied())
    assert list(process.local.loaded) == []
    assert (skills.copied.roll(), skills.copied.SIDES + 1) == (4, 7)
    assert skills.calls.value("copied.SIDES") == 6
    assert list(process.local.loaded) == ["copied"]
    assert process.asked_for_remote == 0


@pytest.mark.parametrize("changes", [{"single": True}, {"type": "internal-remote"}], ids=["single", "hybrid"])
def test_what_must_not_be_copied_is_called_where_it_runs(process: Process, changes: dict[str, Any]) -> None:
    process.plan(dataclasses.replace(process.copied(), **changes))
    assert skills.copied.roll(6) == ("remote", "copied.roll", (6,), {}, {})
    assert skills.calls.value("copied.SIDES") == ("remote", "copied.SIDES", (), {}, {"value_only": True})
    assert list(process.local.loaded) == []


def test_a_plugin_that_was_disabled_answers_no_longer(process: Process) -> None:
    process.plan(process.copied())
    assert skills.copied.roll() == 4
    process.plan(dataclasses.replace(process.copied(), enabled=False))
    process.now += LOOK_EVERY
    with pytest.raises(aigis.PluginDisabled):
        skills.copied.roll()
    process.plan(process.copied())
    process.now += LOOK_EVERY
    assert skills.copied.roll() == 4


def test_reading_values_alone_notices_a_new_plan_too(process: Process) -> None:
    process.plan(process.copied())
    assert skills.calls.value("copied.SIDES") == 6
    process.plan(dataclasses.replace(process.copied(), enabled=False))
    process.now += LOOK_EVERY
    with pytest.raises(aigis.PluginDisabled):
        skills.calls.value("copied.SIDES")


def test_the_plan_is_not_looked_at_for_every_call(process: Process) -> None:
    process.plan(process.copied())
    assert skills.copied.roll() == 4
    process.plan_file.write_text("not read")
    assert skills.copied.roll() == 4


def test_without_a_plan_everything_is_remote(process: Process) -> None:
    assert skills.copied.roll() == ("remote", "copied.roll", (), {}, {})
