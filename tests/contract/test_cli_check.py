"""`check --load` loads a plugin in a real process of its own, and nothing of it stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from aigis._cli import check
from aigis._cli.trial import try_loading

CONFIG = 'PLUGIN_TYPE = "core"\nENTRYPOINT = "{root}"\n'


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "aigis.toml").write_text("[aigis]\nimport_timeout = 2\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AIGIS_HOME", raising=False)
    return tmp_path


def plugin(home: Path, core: str | None, config: str = CONFIG) -> Path:
    folder = home / "plugins" / "dice"
    (folder / "AIGIS").mkdir(parents=True)
    (folder / "AIGIS" / "AIGIS.config").write_text(config)
    if core is not None:
        (folder / "AIGIS" / "AIGIS.core").write_text(core)
    return folder


def test_a_sound_plugin_is_shown_with_its_skills(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plugin(
        home,
        "SKILLS = ['dice.roll']\nclass dice:\n    def roll(sides, *, log): 'Roll.'\n    roll = staticmethod(roll)\n",
    )
    assert check.run(["plugins/dice"], load=True) == 0
    shown = capsys.readouterr().out
    assert "it loads, with 1 skill:\n  aigis.dice.roll(sides)\n" in shown
    assert shown.endswith("plugins/dice: no problem\n")


def test_its_own_folder_stays_as_it_was(home: Path) -> None:
    folder = plugin(home, "open('trace', 'w').close()\nimport helper\nSKILLS = ['helper']\n")
    (folder / "helper.py").write_text("")
    report = try_loading(folder)
    assert report is not None
    assert report.status == "ready"
    assert sorted(file.name for file in folder.rglob("*")) == ["AIGIS", "AIGIS.config", "AIGIS.core", "helper.py"]
    assert not (home / ".aigis").exists()


@pytest.mark.parametrize(
    ("core", "reason"),
    [
        ("x = 1 / 0\nSKILLS = ['x']\n", "division by zero"),
        ("import os\nx = os._exit(3)\nSKILLS = ['x']\n", "exit code 3"),
        ("import time\nx = time.sleep(60)\nSKILLS = ['x']\n", "not finished after 2 s"),
        (
            "import threading\nx = threading.Event()\nthreading.Thread(target=x.wait).start()\nSKILLS = ['x']\n",
            "thread",
        ),
    ],
    ids=["raises", "exits", "hangs", "leaves a thread"],
)
def test_a_plugin_that_does_not_load_is_a_problem_with_its_reason(
    core: str, reason: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin(home, core)
    assert check.run(["plugins/dice"], load=True) == 1
    shown = capsys.readouterr().out
    assert reason in shown
    assert shown.endswith("plugins/dice: 1 problem\n")


def test_a_missing_secret_is_named_and_one_of_the_home_is_found(home: Path) -> None:
    folder = plugin(
        home,
        "SKILLS = ['x']\nx = open(__file__.rpartition('/AIGIS/')[0] + '/token').read()\n",
        CONFIG + 'SECRETS = {"token": "{root}"}\n',
    )
    report = try_loading(folder)
    assert report is not None
    assert report.phase == "secrets"
    (home / "secrets" / "dice").mkdir(parents=True)
    (home / "secrets" / "dice" / "token").write_text("s3cret")
    report = try_loading(folder)
    assert report is not None
    assert report.status == "ready"


def test_problems_found_by_reading_are_told_with_place_and_remedy(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin(home, "SKILLS = []\n", 'PLUGIN_TYPE = "cor"\nENTRYPOINT = "{root}"\nGRACE = "x"\nODD = 1\n')
    assert check.run(["plugins/dice"], load=True) == 1
    shown = capsys.readouterr().out
    assert "plugins/dice/AIGIS/AIGIS.config:1: " in shown
    assert "plugins/dice/AIGIS/AIGIS.config:4: notice: " in shown
    assert "it loads" not in shown
