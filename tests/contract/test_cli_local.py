"""Without Redis `status` and `down` go by the home's lock, its records of children and the plugins on disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aigis._base.errors import BusUnavailable
from aigis._base.home import Home
from aigis._base.settings import Settings
from aigis._cli import down, session, status
from aigis._cli.launch import launch
from aigis._cli.local import local_status
from aigis._cli.status import read_document
from aigis._host.ledger import Ledger
from aigis._host.lock import SupervisorLock
from aigis._host.processes import identify


def one_line(text: str) -> str:
    """Return text as it was before it was wrapped for people."""
    return " ".join(text.split())


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, kind in (("dice", "core"), ("watch", "external")):
        folder = tmp_path / "plugins" / name / "AIGIS"
        folder.mkdir(parents=True)
        (folder / "AIGIS.config").write_text(f'PLUGIN_TYPE = "{kind}"\nENTRYPOINT = "{{root}}"\nLAUNCH = ["true"]\n')
    for variable in ("AIGIS_HOME", "AIGIS_REDIS", "AIGIS_KEY", "AIGIS_HOST"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    return Settings(home=Home(tmp_path), host="nova")


@pytest.fixture
def child(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """A process that some supervisor has started as plugin `watch` before it was gone."""
    ledger = Ledger(settings.home)
    record = ledger.intend("watch", 1, "sleep", 1.0)
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"],
        env={**os.environ, "AIGIS_CHILD": record.mark},
        start_new_session=True,
    )
    identity = identify(process.pid)
    assert identity is not None
    ledger.started(record, identity)
    yield process
    process.kill()
    process.wait()


def test_a_home_that_never_ran_is_down_and_its_plugins_are_stopped(settings: Settings) -> None:
    told = local_status(settings)
    assert (told.name, told.state, told.pid) == ("nova", "down", None)
    assert [(row.name, row.type, row.state) for row in told.plugins] == [
        ("dice", "core", "stopped"),
        ("watch", "external", "stopped"),
    ]


def test_under_a_living_supervisor_a_core_plugin_waits_for_redis(settings: Settings) -> None:
    with SupervisorLock(settings.home):
        told = local_status(settings, "away")
    assert (told.state, told.pid, told.redis) == ("up", os.getpid(), "away")
    assert (told.plugins[0].state, told.plugins[0].reason) == ("waiting", "for Redis")


def test_a_child_on_record_is_running_as_long_as_it_lives(settings: Settings, child: subprocess.Popen[bytes]) -> None:
    watch = local_status(settings).plugins[1]
    assert (watch.state, watch.pid, watch.host) == ("running", child.pid, "nova")
    child.kill()
    child.wait()
    assert local_status(settings).plugins[1].state == "stopped"


@pytest.mark.usefixtures("child")
def test_leftovers_of_a_dead_supervisor_are_pointed_out(settings: Settings) -> None:
    assert "still runs" in read_document(settings).notice


@pytest.mark.usefixtures("settings")
def test_status_has_its_whole_shape_although_nothing_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert status.run([], as_json=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert [host["state"] for host in document["hosts"]] == ["down"]
    assert document["workers"] == []
    assert {plugin["state"] for plugin in document["plugins"]} == {"stopped"}


def test_a_typing_error_in_the_settings_is_told_but_hides_nothing(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.home.settings_file.write_text("[aigis\n")
    assert status.run([], as_json=False) == 0
    shown = capsys.readouterr().out
    assert "not readable as TOML" in one_line(shown)
    assert "dice" in shown


@pytest.mark.parametrize("content", [b"gopher://x\n", b"\xff\xfe", b"redis://h:port", b""])
def test_status_is_told_although_nobody_can_read_where_redis_is(
    settings: Settings, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    with SupervisorLock(settings.home):
        settings.home.bus_file.write_bytes(content)
        assert status.run([], as_json=False) == 0
    assert "holds no Redis URL" in one_line(capsys.readouterr().out)


def test_a_folder_in_the_place_of_the_bus_file_is_one_sentence(settings: Settings) -> None:
    settings.home.bus_file.mkdir(parents=True)
    with pytest.raises(BusUnavailable, match="holds no Redis URL"):
        session.bus(settings)


@pytest.mark.usefixtures("settings")
def test_down_says_that_nothing_was_running(capsys: pytest.CaptureFixture[str]) -> None:
    assert down.run() == 0
    assert capsys.readouterr().out.startswith("nothing was running")
    assert not Path(".aigis").exists()


@pytest.mark.usefixtures("settings")
def test_down_stops_what_a_dead_supervisor_has_left(
    child: subprocess.Popen[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    assert down.run() == 0
    assert child.wait(5) != 0
    assert "1 process stopped" in capsys.readouterr().out
    assert down.run() == 0
    assert "nothing was running" in capsys.readouterr().out


def test_why_a_supervisor_ended_is_told_by_the_end_of_its_log(settings: Settings) -> None:
    settings.home.hidden.mkdir()
    settings.home.log_file.write_text("of an earlier run\n")
    started = launch(
        settings.home,
        popen=lambda _arguments, **options: subprocess.Popen(["sh", "-c", "echo why not >&2; exit 7"], **options),
    )
    assert started.process.wait(5) == started.code == 7
    assert started.last_words() == "why not"


def test_down_succeeds_where_nothing_can_be_written(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    settings.home.hidden.mkdir()
    settings.home.lock_file.symlink_to("/dev/full")
    assert down.run() == 0
    assert capsys.readouterr().out.startswith("nothing was running")
