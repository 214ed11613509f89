"""What the operator decides, read once."""

from __future__ import annotations

import socket
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aigis._base.errors import HomeNotFound, SettingsError
from aigis._base.home import Home
from aigis._base.settings import Settings, read_settings

NO_VARIABLES: dict[str, str] = {}


def settings_of(folder: Path, document: str | bytes, **variables: str) -> Settings:
    text = document if isinstance(document, bytes) else textwrap.dedent(document).encode()
    (folder / "aigis.toml").write_bytes(text)
    return read_settings(variables, folder)


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    found = settings_of(tmp_path, "")
    host = socket.gethostname().split(".")[0] or "localhost"
    assert found == Settings(home=Home(tmp_path), host=host)
    assert (found.workers, found.threads, found.deadline, found.import_timeout) == (1, 8, 300.0, 60.0)


def test_every_key_is_read(tmp_path: Path) -> None:
    found = settings_of(
        tmp_path,
        """
        [aigis]
        host = "box"
        redis = "redis://box:6379/0"
        workers = 0
        threads = 2
        deadline = 1.5
        import_timeout = 3
        [internal]
        watch = "../watch"
        [core]
        dice = "https://example.org/dice.git"
        feeds = "bundled:feeds"
        [plugins.feeds]
        RESTART = 3
        """,
    )
    assert (found.host, found.redis_url, found.workers, found.threads) == ("box", "redis://box:6379/0", 0, 2)
    assert (found.deadline, found.import_timeout) == (1.5, 3)
    assert found.sources == (
        ("dice", "https://example.org/dice.git"),
        ("feeds", "bundled:feeds"),
        ("watch", "../watch"),
    )
    assert found.overrides == {"feeds": {"RESTART": 3}}


def test_variables_win_over_the_file(tmp_path: Path) -> None:
    document = '[aigis]\nhost = "file"\nredis = "redis://file"'
    found = settings_of(tmp_path, document, AIGIS_HOST="variable", AIGIS_REDIS="unix:///variable")
    assert (found.host, found.redis_url) == ("variable", "unix:///variable")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("aigis = 3", "'aigis' is 3; write it as a table"),
        ("[aigis]\nworker = 2", r"has no key 'worker'; did you mean 'workers'\?"),
        ("[aigis]\nzzz = 2", "has no key 'zzz'; known keys: host, redis"),
        ('[aigis]\nworkers = "2"', "workers = '2' is not of type int"),
        ("[aigis]\nworkers = true", "workers = True is not of type int"),
        ("[aigis]\nworkers = -1", "workers = -1 is too small"),
        ("[aigis]\nthreads = 0", "threads = 0 is too small"),
        ("[aigis]\ndeadline = nan", "deadline = nan is too small"),
        ("[aigis]\nhost = 3", "host = 3 is not of type str"),
        ("core = 3", "'core' is 3; write it as a table"),
        ("[core]\ndice = 3", r"\[core\] dice = 3: give a path or a git URL"),
        ('[core]\ndice = ""', r"\[core\] dice = ''"),
        ('[core]\ndice = "a"\n[external]\ndice = "b"', "plugin 'dice' is listed twice"),
        ("plugins = 3", "must hold one table per plugin"),
        ("[plugins]\nfeeds = 3", "must hold one table per plugin"),
        ("[aigis", "not readable as TOML: Expected"),
        (b"\xff", "not readable as TOML"),
    ],
)
def test_a_wrong_file_is_told_with_its_name_the_key_and_the_value(tmp_path: Path, document: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        settings_of(tmp_path, document)
    assert str(caught.value).startswith(str(tmp_path / "aigis.toml"))


@given(
    value=st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()), data=st.data()
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_value_of_any_kind_is_taken_or_told(tmp_path: Path, value: Any, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(["host", "redis", "workers", "threads", "deadline", "import_timeout"]))
    shown = str(value).lower() if isinstance(value, bool) else _toml(value)
    try:
        found = settings_of(tmp_path, f"[aigis]\n{key} = {shown}".encode("utf-8", "replace"))
    except SettingsError:
        return
    assert getattr(found, "redis_url" if key == "redis" else key) is not None


def _toml(value: object) -> str:
    return '"' + "".join(f"\\U{ord(c):08x}" for c in value) + '"' if isinstance(value, str) else str(value)


def test_settings_never_change(tmp_path: Path) -> None:
    with pytest.raises(AttributeError):
        settings_of(tmp_path, "").workers = 3  # type: ignore[misc]


def test_without_a_home_there_are_no_settings(tmp_path: Path) -> None:
    with pytest.raises(HomeNotFound):
        read_settings({"AIGIS_HOME": str(tmp_path / "none")}, tmp_path)
