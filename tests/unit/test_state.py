"""What should run on a host, told from its state alone."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

from aigis._base.home import Home
from aigis._base.settings import Settings
from aigis._host.plugins import Plugin, Wish
from aigis._host.state import HostState
from aigis._plugin.environment import Environment
from aigis._plugin.manifest import Manifest, PluginType
from aigis._plugin.prepare import Prepared
from aigis._plugin.requirements import Needs


@pytest.fixture
def state(tmp_path: Path) -> HostState:
    """Return the state of a host that has begun, with one hybrid."""
    manifest = Manifest(
        name="clerk", root=tmp_path, type=PluginType.INTERNAL_REMOTE, entrypoint=tmp_path, launch="main", has_core=True
    )
    prepared = Prepared(name="clerk", version="v1", manifest=manifest, needs=Needs(plugin="clerk", root=tmp_path))
    return HostState(
        Settings(home=Home(tmp_path), host="nova"),
        {},
        plugins={"clerk": Plugin(name="clerk", type="internal-remote", phase="ready", prepared=prepared)},
        core_environment=Environment(Path(sys.executable), Path(sys.executable).parent),
        wishes_known=True,
        prepared=True,
        names_reserved=True,
    )


def test_a_hybrid_runs_beside_the_workers(state: HostState) -> None:
    assert list(state.desired()) == ["aigis.worker-1", "clerk"]


def test_a_hybrid_that_is_enabled_again_waits_until_its_skills_are_back_in_the_catalog(state: HostState) -> None:
    again = dataclasses.replace(state, wishes={"clerk": Wish()}, withdrawn=frozenset({"clerk"}))
    assert "clerk" not in again.desired()
    again.withdrawn = frozenset()
    assert "clerk" in again.desired()


def test_no_plugin_starts_before_the_names_are_reserved(state: HostState) -> None:
    assert list(dataclasses.replace(state, names_reserved=False).desired()) == ["aigis.worker-1"]
