from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from aigis._plugin.environment import (
    Environment,
    Recipe,
    core_recipe,
    environment_variables,
    own_environment,
    own_packages,
)
from aigis._plugin.installer import BuildFailed, BuildStopped, run, uv_variables, without_own
from aigis._plugin.requirements import Needs


def shell(
    script: str, lines: list[str], *, timeout: float = 30.0, stop: threading.Event | None = None
) -> tuple[int, str]:
    return run(
        ["/bin/sh", "-c", script],
        cwd=Path("/"),
        environ={"PATH": "/usr/bin:/bin"},
        timeout=timeout,
        stop=stop or threading.Event(),
        on_line=lines.append,
    )


def has_ended(pid: int, patience: float = 10.0) -> bool:
    """Wait for a process that is not ours; one that nobody reaps has ended too."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
    return False


def test_an_installers_lines_are_handed_on_and_its_last_ones_kept() -> None:
    lines: list[str] = []
    code, tail = shell("for i in $(seq 100); do echo line $i; done; printf 'caf\\351' >&2; exit 3", lines)
    assert code == 3
    assert lines[0] == "line 1"
    assert tail.splitlines()[-2:] == ["line 100", "caf\N{REPLACEMENT CHARACTER}"]
    assert len(tail.splitlines()) == 15


def test_an_installer_that_takes_too_long_is_stopped_with_all_it_started(tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/pid; echo waiting; wait"
    with pytest.raises(BuildFailed, match=r"took more than 0\.5 s") as caught:
        shell(script, [], timeout=0.5)
    assert "waiting" in str(caught.value)
    pid = int((tmp_path / "pid").read_text())
    assert has_ended(pid)


def test_stopping_aigis_stops_the_installer() -> None:
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    began = time.monotonic()
    with pytest.raises(BuildStopped):
        shell("sleep 60", [], stop=stop)
    assert time.monotonic() - began < 10


def test_what_an_installer_leaves_behind_does_not_hold_it_up(tmp_path: Path) -> None:
    code, _ = shell(f"sleep 60 & echo $! > {tmp_path}/pid", [])
    assert code == 0
    pid = int((tmp_path / "pid").read_text())
    assert has_ended(pid)


def test_one_endless_line_takes_no_memory() -> None:
    code, tail = shell("head -c 3000000 /dev/zero | tr '\\0' x", [])
    assert code == 0
    assert len(tail) <= 4096


def test_equal_recipes_are_one_environment_and_any_difference_is_another() -> None:
    base = Recipe(lines={"web": ("redis",)})
    others = [
        Recipe(lines={"web": ("redis>=6",)}),
        Recipe(lines={"bot": ("redis",)}),
        Recipe(lines={"web": ("redis",)}, python=">=3.9,<3.10"),
        Recipe(lines={"web": ("redis",)}, packages={"aigis": "/src/aigis"}),
    ]
    keys = {recipe.key(Path("/env")) for recipe in (base, Recipe(lines={"web": ["redis"]}), *others)}
    assert len(keys) == 1 + len(others)
    assert base.key(Path("/env")) != base.key(Path("/moved/env"))


def test_the_order_of_solving_makes_another_core_environment() -> None:
    one, two = (Needs(plugin=name, root=Path("/"), lines=(name,)) for name in ("one", "two"))
    folder = Path("/env")
    assert core_recipe([one, two], (), {}).key(folder) != core_recipe([two, one], (), {}).key(folder)


def test_a_shell_command_makes_a_core_environment_of_its_own() -> None:
    plain = Needs(plugin="web", root=Path("/"), lines=("redis",))
    more = Needs(plugin="web", root=Path("/"), lines=("redis",), command="x\ny")
    assert core_recipe([plain], (), {}) != core_recipe([more], (), {})
    assert all("\n" not in line for line in core_recipe([more], (), {}).lines["web"])


def test_an_environments_programs_come_first_on_path() -> None:
    environment = Environment(python=Path("/env/bin/python"), bin=Path("/env/bin"))
    variables = environment_variables(environment, {"PATH": "/usr/bin", "PYTHONHOME": "/x", "LANG": "C"})
    assert variables == {"PATH": "/env/bin:/usr/bin", "VIRTUAL_ENV": "/env", "LANG": "C"}
    assert environment_variables(None, {"PATH": "/usr/bin"}) == {"PATH": "/usr/bin"}


def test_pips_settings_are_said_in_uvs_words() -> None:
    said = uv_variables({
        "PIP_INDEX_URL": "https://a.example",
        "PIP_EXTRA_INDEX_URL": "https://b.example https://c.example",
        "PIP_FIND_LINKS": "/w /x",
        "VIRTUAL_ENV": "/mine",
    })  # fmt: skip
    assert said["UV_DEFAULT_INDEX"] == "https://a.example"
    assert said["UV_INDEX"] == "https://b.example https://c.example"
    assert said["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert said["UV_FIND_LINKS"] == "/w,/x"
    assert "VIRTUAL_ENV" not in said


def test_what_the_user_says_to_uv_wins() -> None:
    said = uv_variables({"PIP_INDEX_URL": "https://pip.example", "UV_INDEX_URL": "https://uv.example"})
    assert "UV_DEFAULT_INDEX" not in said
    assert uv_variables({"UV_SYSTEM_CERTS": "0"})["UV_SYSTEM_CERTS"] == "0"


def test_installers_do_not_learn_where_redis_and_the_key_are() -> None:
    environ = {
        "AIGIS_REDIS": "redis://:pw@x",
        "AIGIS_KEY": "/k",
        "AIGIS_HOME": "/h",
        "AIGIS_CHILD": "mark",
        "PATH": "/",
    }
    assert without_own(environ) == {"AIGIS_CHILD": "mark", "PATH": "/"}


def test_our_own_packages_are_found_without_importing_them() -> None:
    found = own_packages("aigis", "workers", "no_such_package")
    assert Path(found["aigis"], "_version.py").is_file()
    assert set(found) == {"aigis", "workers"}
    assert own_environment().python == Path(sys.executable)
