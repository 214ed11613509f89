from __future__ import annotations

import json
import os
import socket
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigis._base.errors import PluginError
from aigis._base.home import Home
from aigis._plugin.discover import Declared
from aigis._plugin.sources import RuntimeFolder, current_version, decide, fetch, link_data, settle
from aigis._plugin.tree import Files, copy_tree, scan_source, version_of


class Desk:
    """A home and one plugin's source to edit."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder / "home")
        self.source = folder / "source"
        self.write("main.py", "one")
        self.write("AIGIS/AIGIS.config", "PLUGIN_TYPE = 'core'")

    def write(self, path: str, text: str) -> Path:
        return write(self.source / path, text)

    def fetch(self) -> RuntimeFolder:
        return fetch(Declared(name="web", source=self.source, declared_by="aigis.toml"), self.home)

    def use(self) -> RuntimeFolder:
        folder = self.fetch()
        settle(folder)
        return folder

    @property
    def shelf(self) -> Path:
        return self.home.run / "web"


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_the_runtime_folder_is_a_copy_under_its_version(desk: Desk) -> None:
    folder = desk.fetch()
    assert folder.path == desk.shelf / folder.version
    assert (folder.path / "main.py").read_text() == "one"
    desk.write("main.py", "two")
    assert (folder.path / "main.py").read_text() == "one"


def test_the_same_source_is_the_same_version_in_any_place(tmp_path: Path) -> None:
    one, other = Desk(tmp_path / "a"), Desk(tmp_path / "b c")
    assert one.fetch().version == other.fetch().version


def test_content_path_and_executable_bit_make_the_version(desk: Desk) -> None:
    versions = {desk.fetch().version}
    desk.write("main.py", "two")
    versions.add(desk.fetch().version)
    (desk.source / "main.py").chmod(0o755)
    versions.add(desk.fetch().version)
    (desk.source / "main.py").rename(desk.source / "other.py")
    versions.add(desk.fetch().version)
    assert len(versions) == 4


def test_history_caches_and_environments_are_not_copied(desk: Desk) -> None:
    version = desk.fetch().version
    for path in (".git/HEAD", "__pycache__/main.pyc", "pkg.pyc", ".venv/pyvenv.cfg", ".aigis/key"):
        desk.write(path, "x")
    assert desk.fetch().version == version
    desk.write("node_modules/left-pad/index.js", "x")
    assert (desk.fetch().path / "node_modules/left-pad/index.js").exists()


def test_permissions_come_along_and_the_owner_may_always_write(desk: Desk) -> None:
    (desk.source / "main.py").chmod(0o500)
    desk.write("token", "x").chmod(0o400)
    folder = desk.fetch().path
    assert stat.S_IMODE((folder / "main.py").stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "token").stat().st_mode) == 0o600


def test_links_within_the_source_stay_links(desk: Desk) -> None:
    (desk.source / "alias.py").symlink_to("main.py")
    (desk.source / "whole.py").symlink_to(desk.source / "main.py")
    folder = desk.fetch().path
    assert os.readlink(folder / "alias.py") == os.readlink(folder / "whole.py") == "main.py"


@pytest.mark.parametrize("target", ["/etc/hostname", "../outside", "AIGIS/up/../../x"])
def test_a_link_out_of_the_source_is_refused_by_name(desk: Desk, target: str) -> None:
    (desk.source / "AIGIS" / "up").symlink_to("..")
    (desk.source / "leak").symlink_to(target)
    with pytest.raises(PluginError, match="'leak'") as caught:
        desk.fetch()
    assert caught.value.phase == "source"  # type: ignore[attr-defined]


def test_fifos_and_sockets_are_refused_by_name(desk: Desk) -> None:
    os.mkfifo(desk.source / "pipe")
    with pytest.raises(PluginError, match="'pipe', a FIFO"):
        desk.fetch()
    (desk.source / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(desk.source / "sock"))
        with pytest.raises(PluginError, match="'sock', a socket"):
            desk.fetch()


def test_names_that_are_no_unicode_are_copied(desk: Desk) -> None:
    name = os.fsdecode(b"caf\xe9 #1%")
    desk.write(name, "x")
    assert (desk.use().path / name).exists()


def test_the_current_version_is_used_as_the_plugin_left_it(desk: Desk) -> None:
    folder = desk.use()
    write(folder.path / "state.json", "written by the plugin")
    assert desk.use() == folder
    assert (folder.path / "state.json").exists()


def test_a_folder_without_its_marker_is_half_made_and_made_again(desk: Desk) -> None:
    version = version_of(scan_source(desk.source))
    write(desk.shelf / version / "half", "")
    write(desk.shelf / ".making.tmp" / "half", "")
    folder = desk.fetch()
    assert not (folder.path / "half").exists()
    assert sorted(entry.name for entry in desk.shelf.iterdir()) == [version, f"{version}.json"]


def test_a_version_that_never_became_current_is_copied_anew(desk: Desk) -> None:
    write(desk.fetch().path / "leftover", "")
    assert not (desk.fetch().path / "leftover").exists()


def test_files_the_plugin_made_or_changed_move_to_the_new_version(desk: Desk) -> None:
    desk.write("config/state.json", "initial")
    old = desk.use().path
    write(old / "config/state.json", "used")
    write(old / "tmp/made.png", "made").chmod(0o600)
    desk.write("main.py", "two")
    new = desk.use()
    assert (new.path / "main.py").read_text() == "two"
    assert (new.path / "config/state.json").read_text() == "used"
    assert (new.path / "tmp/made.png").read_text() == "made"
    assert stat.S_IMODE((new.path / "tmp/made.png").stat().st_mode) == 0o600
    assert new.notices == ()


def test_changed_by_both_keeps_the_plugins_copy_and_lays_the_sources_beside_it(desk: Desk) -> None:
    desk.write("config.ini", "initial")
    write(desk.use().path / "config.ini", "edited by the plugin")
    desk.write("config.ini", "edited by the author")
    new = desk.use()
    assert (new.path / "config.ini").read_text() == "edited by the plugin"
    assert (new.path / "config.ini.new").read_text() == "edited by the author"
    assert len(new.notices) == 1
    assert "'config.ini.new'" in new.notices[0]


def test_what_lies_beside_does_not_pile_up(desk: Desk) -> None:
    desk.write("config.ini", "initial")
    write(desk.use().path / "config.ini", "edited by the plugin")
    desk.write("config.ini", "edited by the author")
    desk.use()
    desk.write("main.py", "two")
    last = desk.use()
    assert (last.path / "config.ini").read_text() == "edited by the plugin"
    assert not (last.path / "config.ini.new").exists()
    assert last.notices == ()


def test_what_the_source_dropped_goes_unless_the_plugin_changed_it(desk: Desk) -> None:
    desk.write("old.py", "old")
    desk.write("kept.txt", "kept")
    write(desk.use().path / "kept.txt", "changed")
    (desk.source / "old.py").unlink()
    (desk.source / "kept.txt").unlink()
    new = desk.use().path
    assert not (new / "old.py").exists()
    assert (new / "kept.txt").read_text() == "changed"


def test_a_file_whose_place_is_taken_stays_behind_with_a_notice(desk: Desk) -> None:
    write(desk.use().path / "cache/entry", "x")
    desk.write("cache", "now a file")
    new = desk.use()
    assert (new.path / "cache").read_text() == "now a file"
    assert any("'cache/entry'" in notice for notice in new.notices)


def test_an_update_that_never_became_current_takes_nothing_away(desk: Desk) -> None:
    old = desk.use()
    write(old.path / "state", "1")
    desk.write("main.py", "broken")
    desk.fetch()
    write(old.path / "state", "2")
    desk.write("main.py", "two")
    assert (desk.use().path / "state").read_text() == "2"


def test_going_back_to_an_old_source_keeps_the_newest_state(desk: Desk) -> None:
    first = desk.use()
    write(first.path / "state", "1")
    desk.write("main.py", "two")
    write(desk.use().path / "state", "2")
    desk.write("main.py", "one")
    again = desk.use()
    assert again.version == first.version
    assert (again.path / "state").read_text() == "2"


def test_the_last_but_one_version_is_kept_and_older_ones_go(desk: Desk) -> None:
    versions = []
    for text in ("one", "two", "three"):
        desk.write("main.py", text)
        versions.append(desk.use().version)
    kept = {entry.name for entry in desk.shelf.iterdir() if entry.is_dir()}
    assert kept == set(versions[1:])
    assert (desk.shelf / "current").read_text().split() == [versions[2], versions[1]]


def test_without_a_record_of_the_old_source_the_new_source_is_right(desk: Desk) -> None:
    old = desk.use()
    write(old.path / "made", "made")
    (desk.shelf / f"{old.version}.json").write_text("{torn")
    desk.write("main.py", "two")
    new = desk.use().path
    assert (new / "main.py").read_text() == "two"
    assert (new / "made").read_text() == "made"


def test_data_folders_are_shared_by_all_versions(desk: Desk) -> None:
    desk.write("db/seed.sql", "seed")
    first = desk.use()
    link_data(first.path, "web", ["db", "new/deep"], desk.home)
    write(first.path / "db/rows", "1")
    write(first.path / "new/deep/file", "2")
    desk.write("db/seed.sql", "other seed")
    second = desk.use()
    link_data(second.path, "web", ["db", "new/deep"], desk.home)
    assert (second.path / "db/rows").read_text() == "1"
    assert (second.path / "db/seed.sql").read_text() == "seed"
    assert (desk.home.data / "web/new/deep/file").read_text() == "2"
    assert second.notices == ()


def test_linking_data_again_changes_nothing(desk: Desk) -> None:
    folder = desk.use().path
    for _ in range(2):
        link_data(folder, "web", ["db", "db/inner"], desk.home)
        write(folder / "db/inner/file", "x")
    assert (desk.home.data / "web/db/inner/file").read_text() == "x"


def test_a_file_in_the_place_of_a_data_folder_is_told(desk: Desk) -> None:
    desk.write("db", "a file")
    with pytest.raises(PluginError, match="DATA folder 'db'"):
        link_data(desk.use().path, "web", ["db"], desk.home)


def test_a_git_address_says_what_to_do(desk: Desk) -> None:
    with pytest.raises(PluginError, match="git sources come with the next release"):
        fetch(Declared(name="web", source="https://git.example/a.git", declared_by="aigis.toml"), desk.home)


def test_a_source_that_is_no_folder_is_named_with_where_it_was_declared(desk: Desk) -> None:
    with pytest.raises(PluginError, match=r"'/no/such'.*correct it in aigis\.toml"):
        fetch(Declared(name="web", source=Path("/no/such"), declared_by="aigis.toml"), desk.home)


def test_a_source_that_is_the_home_itself_is_copied_without_its_state_and_secrets(tmp_path: Path) -> None:
    write(tmp_path / "main.py", "one")
    write(tmp_path / "secrets/other/token", "hidden")
    write(tmp_path / "src/secrets/notes", "ours")
    for _ in range(2):
        folder = fetch(Declared(name="web", source=tmp_path, declared_by="aigis.toml"), Home(tmp_path))
        settle(folder)
    assert sorted(os.listdir(folder.path)) == ["main.py", "src"]
    assert (folder.path / "src/secrets/notes").exists()


def test_the_record_of_the_source_says_what_was_copied(desk: Desk) -> None:
    folder = desk.use()
    record = json.loads((desk.shelf / f"{folder.version}.json").read_text())
    assert version_of(record) == folder.version


PRINTS = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["file:1", "file:2", "file:3"]))


@given(base=PRINTS, mine=PRINTS, theirs=PRINTS)
def test_nothing_the_plugin_wrote_is_lost_and_nothing_it_left_alone_is_carried(
    base: dict[str, str], mine: dict[str, str], theirs: dict[str, str]
) -> None:
    carried = decide(base, mine, theirs)
    after = {**theirs, **{path: mine[path] for path in (*carried.kept, *carried.beside)}}
    for path, own in mine.items():
        assert after.get(path) == (theirs.get(path) if own == base.get(path) else own)
    for path in carried.beside:
        assert theirs[path] not in (base.get(path), mine[path])


@pytest.mark.parametrize("damage", [b"\xff\xfe", b"", b"../../etc\n", b"latest\n"])
def test_a_damaged_note_of_the_current_version_loses_nothing_the_plugin_wrote(desk: Desk, damage: bytes) -> None:
    folder = desk.use()
    write(folder.path / "state.json", "written by the plugin")
    (desk.shelf / "current").write_bytes(damage)
    assert desk.use() == folder
    assert (folder.path / "state.json").exists()
    assert current_version(desk.shelf) == folder.version


def test_a_folder_in_the_place_of_the_note_is_replaced(desk: Desk) -> None:
    folder = desk.use()
    (desk.shelf / "current").unlink()
    (desk.shelf / "current").mkdir()
    assert desk.use() == folder


@pytest.mark.parametrize("damage", [b"\xff", b"7", b"[]", b'{"main.py": 3}', b"[" * 100_000])
def test_with_a_damaged_marker_the_source_is_right(desk: Desk, damage: bytes) -> None:
    folder = desk.use()
    write(folder.path / "own", "x")
    (desk.shelf / f"{folder.version}.json").write_bytes(damage)
    desk.write("main.py", "two")
    path = desk.use().path
    assert ((path / "main.py").read_text(), (path / "own").read_text()) == ("two", "x")


def test_a_source_that_changes_while_it_is_copied_is_copied_once_more(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.write("passing", "x")

    def copy_later(source: Path, target: Path, files: Files) -> Files:
        (source / "passing").unlink(missing_ok=True)
        return copy_tree(source, target, files)

    monkeypatch.setattr("aigis._plugin.sources.copy_tree", copy_later)
    assert not (desk.fetch().path / "passing").exists()
