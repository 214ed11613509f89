"""Which directory is the home, and where its files lie."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from aigis._base.errors import HomeNotFound
from aigis._base.home import Home, find_home, write_private

MARKS: dict[str, Callable[[Path], object]] = {
    "aigis.toml": lambda folder: (folder / "aigis.toml").touch(),
    ".aigis": lambda folder: (folder / ".aigis").mkdir(),
    "a plugin": lambda folder: _plugin(folder / "plugins" / "dice"),
}


def _plugin(folder: Path) -> None:
    (folder / "AIGIS").mkdir(parents=True)
    (folder / "AIGIS" / "AIGIS.config").touch()


@pytest.mark.parametrize("mark", MARKS)
def test_the_nearest_marked_directory_upward_is_the_home(tmp_path: Path, mark: str) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "aigis.toml").touch()
    MARKS[mark](tmp_path / "a")
    assert find_home({}, below) == Home(tmp_path / "a")
    assert find_home({}, tmp_path) == Home(tmp_path)


def test_a_directory_of_plugins_that_holds_none_is_no_mark(tmp_path: Path) -> None:
    (tmp_path / "inner" / "plugins" / "empty").mkdir(parents=True)
    (tmp_path / "aigis.toml").touch()
    assert find_home({}, tmp_path / "inner") == Home(tmp_path)


def test_the_variable_wins_and_must_name_a_directory(tmp_path: Path) -> None:
    (tmp_path / "aigis.toml").touch()
    named = tmp_path / "named %#é"
    with pytest.raises(HomeNotFound, match="is not a directory: create it, or unset AIGIS_HOME"):
        find_home({"AIGIS_HOME": str(named)}, tmp_path)
    named.mkdir()
    assert find_home({"AIGIS_HOME": str(named)}, tmp_path) == Home(named)
    assert find_home({"AIGIS_HOME": ""}, tmp_path) == Home(tmp_path)


def test_no_home_says_how_to_make_one() -> None:
    with pytest.raises(HomeNotFound, match=r"no AIGIS home at '/' or above it: make one with `touch aigis.toml`"):
        find_home({}, Path("/"))


def test_the_key_may_lie_elsewhere(tmp_path: Path) -> None:
    variables = {"AIGIS_HOME": str(tmp_path), "AIGIS_KEY": "/etc/aigis.key"}
    assert find_home(variables, tmp_path).key_file == Path("/etc/aigis.key")
    assert Home(tmp_path).key_file == tmp_path / ".aigis" / "key"


def test_a_home_is_absolute_and_touches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Home(Path("here")) == Home(tmp_path / "here")
    assert hash(Home(Path("here"))) == hash(Home(tmp_path / "here"))
    assert list(tmp_path.iterdir()) == []


def test_a_private_file_is_replaced_as_a_whole_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"older and longer")
    file.chmod(0o644)
    with file.open("rb") as before:
        write_private(file, b"new")
        assert before.read() == b"older and longer"
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["key"]


def test_a_private_file_that_cannot_be_written_leaves_no_scratch(tmp_path: Path) -> None:
    (tmp_path / "key").mkdir()
    with pytest.raises(IsADirectoryError):
        write_private(tmp_path / "key", b"new")
    assert os.listdir(tmp_path) == ["key"]
