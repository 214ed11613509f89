from __future__ import annotations

from pathlib import Path

import pytest

from aigis._base.home import Home
from aigis._base.settings import Settings
from aigis._plugin.discover import bundled_folder, discover


def make_plugin(folder: Path) -> Path:
    (folder / "AIGIS").mkdir(parents=True)
    return folder


def settings(root: Path, *sources: tuple[str, str], **overrides: dict[str, object]) -> Settings:
    return Settings(home=Home(root), host="here", sources=sources, overrides=overrides)


def test_listed_plugins_come_first_in_their_order_then_folders_by_name(tmp_path: Path) -> None:
    for name in ("zebra", "ant"):
        make_plugin(tmp_path / "plugins" / name)
    found = discover(settings(tmp_path, ("web", "/src/web"), ("bot", "/src/bot")))
    assert [declared.name for declared in found] == ["web", "bot", "ant", "zebra"]


def test_what_has_no_aigis_folder_is_no_plugin(tmp_path: Path) -> None:
    (tmp_path / "plugins" / "love-letter-server").mkdir(parents=True)
    (tmp_path / "plugins" / "notes.txt").write_text("")
    make_plugin(tmp_path / "plugins" / ".git")
    assert discover(settings(tmp_path)) == ()


def test_a_home_without_plugins_declares_none(tmp_path: Path) -> None:
    assert discover(settings(tmp_path)) == ()


def test_relative_sources_count_from_the_home(tmp_path: Path) -> None:
    (found,) = discover(settings(tmp_path, ("web", "../src/web")))
    assert found.source == tmp_path.parent / "src" / "web"
    assert found.declared_by == str(tmp_path / "aigis.toml")


def test_each_plugin_gets_its_own_overrides(tmp_path: Path) -> None:
    make_plugin(tmp_path / "plugins" / "feeds")
    (found,) = discover(settings(tmp_path, feeds={"TIMEOUT": 5}, other={"TIMEOUT": 6}))
    assert found.overrides == {"TIMEOUT": 5}


def test_of_two_with_one_name_the_first_wins_and_says_so(tmp_path: Path) -> None:
    make_plugin(tmp_path / "plugins" / "feeds")
    (found,) = discover(settings(tmp_path, ("feeds", "/src/feeds")))
    assert found.source == Path("/src/feeds")
    assert len(found.notices) == 1
    for part in ("'feeds'", "'/src/feeds'", str(tmp_path / "plugins" / "feeds")):
        assert part in found.notices[0]


def test_a_listed_folder_of_plugins_is_no_duplicate(tmp_path: Path) -> None:
    make_plugin(tmp_path / "plugins" / "feeds")
    (found,) = discover(settings(tmp_path, ("feeds", "plugins/feeds")))
    assert found.notices == ()
    assert found.problem is None


def test_a_bad_name_is_a_problem_of_that_plugin_alone(tmp_path: Path) -> None:
    make_plugin(tmp_path / "plugins" / "BetterYoutube")
    make_plugin(tmp_path / "plugins" / "feeds")
    bad, good = discover(settings(tmp_path))
    assert bad.problem is not None
    assert "'BetterYoutube'" in bad.problem
    assert good.problem is None


@pytest.mark.parametrize(
    "address",
    [
        "https://git.example/a.git",
        "git@git.example:a/b.git",
        "ssh://git@git.example/a",
        "git+https://x.example/a",
        "a.git",
    ],
)
def test_addresses_of_git_stay_text(tmp_path: Path, address: str) -> None:
    (found,) = discover(settings(tmp_path, ("web", address)))
    assert found.source == address


def test_a_folder_that_ends_in_git_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "web.git").mkdir()
    (found,) = discover(settings(tmp_path, ("web", "web.git")))
    assert found.source == tmp_path / "web.git"


def test_a_bundled_plugin_that_does_not_exist_is_named_with_what_there_is(tmp_path: Path) -> None:
    (found,) = discover(settings(tmp_path, ("web", "bundled:no-such-thing")))
    assert found.problem is not None
    assert "'no-such-thing'" in found.problem
    assert bundled_folder("no-such-thing") is None
