"""The running system that the tests of calls share, and the places in it from which they call."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.acceptance.console import Console, at_socket, in_worker
from tests.acceptance.driver import FIXTURES, System, home
from tests.stage import eventually

AGENTS = ("near", "far", "odd")
"""Internal plugins that run code for a test: the same folder as two types, and one that has a redis.py of its own."""


@pytest.fixture(scope="session")
def calls() -> Iterator[System]:
    """Return a system with three workers and plugins that call each other; what a test withdraws it brings back."""
    with home() as system:
        system.copy(FIXTURES / "calls")
        agent = FIXTURES / "agent"
        shutil.copy(agent / "console.py", system.root / "plugins" / "probe")
        shutil.copytree(agent, system.root / "plugins" / "odd")
        system.root.joinpath("plugins", "odd", "redis.py").write_text("def ping():\n    return 'mine'\n")
        system.settings(
            "[aigis]\nworkers = 3\n"
            f"[internal]\nnear = '{agent}'\nfar = '{agent}'\n"
            "[plugins.near]\nPLUGIN_TYPE = 'internal-local'\n"
            + "".join(f"[plugins.{name}.KWARGS]\nplace = '{system.root / name}.sock'\n" for name in AGENTS)
        )
        system.up()
        yield system


@pytest.fixture(scope="session")
def consoles(calls: System) -> Iterator[dict[str, Console]]:
    """Return the places to call from: the agents by name, `stranger`, a Python started in the home, and `worker`."""
    places = {name: calls.root / f"{name}.sock" for name in AGENTS}
    eventually(lambda: all(place.exists() for place in places.values()))
    stranger = calls.console()
    agents = {name: at_socket(place) for name, place in places.items()}
    found = {"stranger": stranger, "worker": in_worker(stranger), **agents}
    yield found
    for console in found.values():
        console.close()


@pytest.fixture
def stranger(consoles: dict[str, Console]) -> Console:
    """Return a Python process started in the home: it holds a proxy."""
    return consoles["stranger"]


@pytest.fixture
def near(consoles: dict[str, Console]) -> Console:
    """Return the internal-local plugin: it holds the core itself."""
    return consoles["near"]
