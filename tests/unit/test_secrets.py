from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from aigis._base.errors import PluginError
from aigis._plugin.manifest import Manifest, PluginType
from aigis._plugin.secrets import place, withdraw


class Desk:
    """A store and a plugin's runtime folder."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "secrets" / "web"
        self.shelf = folder / "run" / "web"
        self.root = self.shelf / ("0" * 16)
        self.store.mkdir(parents=True)
        self.root.mkdir(parents=True)

    def keep(self, name: str, value: str) -> None:
        (self.store / name).write_text(value)

    def place(self, **targets: str) -> None:
        secrets = {name: f"{self.root}/{folder}" for name, folder in targets.items()}
        manifest = Manifest(name="web", root=self.root, type=PluginType.CORE, entrypoint=self.root, secrets=secrets)
        place(manifest, self.store, data=self.shelf.parent.parent / "data" / "web")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_secret_is_copied_for_its_owner_alone_into_a_folder_that_is_made(desk: Desk) -> None:
    desk.keep("token", "s3cret")
    desk.place(token="config/deep/")
    placed = desk.root / "config/deep/token"
    assert placed.read_text() == "s3cret"
    assert stat.S_IMODE(placed.stat().st_mode) == 0o600


def test_one_missing_means_none_copied_and_all_missing_named(desk: Desk) -> None:
    desk.keep("token", "s3cret")
    with pytest.raises(PluginError) as caught:
        desk.place(token="", password="", cookie="")
    assert list(desk.root.iterdir()) == []
    assert caught.value.phase == "secrets"  # type: ignore[attr-defined]
    for part in ("'web'", "'password'", "'cookie'", f"'{desk.store}/'"):
        assert part in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_copy_the_plugin_has_rewritten_stays(desk: Desk) -> None:
    desk.keep("feeds.json", "[]")
    desk.place(**{"feeds.json": ""})
    (desk.root / "feeds.json").write_text("[1]")
    desk.place(**{"feeds.json": ""})
    assert (desk.root / "feeds.json").read_text() == "[1]"


def test_a_change_in_the_store_replaces_even_a_rewritten_copy(desk: Desk) -> None:
    desk.keep("feeds.json", "[]")
    desk.place(**{"feeds.json": ""})
    (desk.root / "feeds.json").write_text("[1]")
    desk.keep("feeds.json", "[2]")
    desk.place(**{"feeds.json": ""})
    assert (desk.root / "feeds.json").read_text() == "[2]"


def test_a_copy_that_is_gone_comes_back(desk: Desk) -> None:
    desk.keep("token", "x")
    desk.place(token="")
    (desk.root / "token").unlink()
    desk.place(token="")
    assert (desk.root / "token").exists()


def test_a_placeholder_in_the_source_is_replaced(desk: Desk) -> None:
    (desk.root / "ip.config").write_text("put the address here")
    desk.keep("ip.config", "::1")
    desk.place(**{"ip.config": ""})
    assert (desk.root / "ip.config").read_text() == "::1"
    assert stat.S_IMODE((desk.root / "ip.config").stat().st_mode) == 0o600


def test_a_secret_that_is_not_declared_any_more_is_removed(desk: Desk) -> None:
    desk.keep("old", "x")
    desk.keep("new", "y")
    desk.place(old="config")
    desk.place(new="config")
    assert sorted(os.listdir(desk.root / "config")) == ["new"]


def test_withdrawing_removes_them_from_every_version(desk: Desk) -> None:
    desk.keep("token", "x")
    desk.place(token="")
    desk.root = desk.shelf / ("1" * 16)
    desk.root.mkdir()
    desk.place(token="")
    withdraw(desk.shelf)
    assert list(desk.shelf.rglob("token")) == []


def test_a_folder_in_the_store_is_no_secret(desk: Desk) -> None:
    (desk.store / "certs").mkdir()
    with pytest.raises(PluginError, match=r"'certs'.*is not a file"):
        desk.place(certs="")


def test_a_target_outside_the_plugin_is_refused(desk: Desk) -> None:
    desk.keep("token", "x")
    (desk.root / "away").symlink_to("/tmp")
    for target in ("../elsewhere", "away/"):
        with pytest.raises(PluginError, match=r"'token' lies outside the plugin"):
            desk.place(token=target)


def test_a_target_in_a_data_folder_is_inside(desk: Desk) -> None:
    desk.keep("token", "x")
    shared = desk.shelf.parent.parent / "data" / "web" / "db"
    shared.mkdir(parents=True)
    (desk.root / "db").symlink_to(shared)
    desk.place(token="db")
    assert (shared / "token").read_text() == "x"


def test_no_scratch_file_is_left(desk: Desk) -> None:
    desk.keep("token", "x")
    (desk.root / "taken").mkdir()
    (desk.root / "taken" / "other").mkdir()
    desk.keep("other", "y")
    with pytest.raises(PluginError):
        desk.place(token="", other="taken")
    assert [path.name for path in desk.root.rglob("*") if path.is_file()] == []


def test_without_secrets_nothing_is_written(desk: Desk) -> None:
    desk.place()
    assert [path for path in desk.shelf.rglob("*") if path.is_file()] == []
