"""The embedded Redis: its version, its configuration, its private places."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigis._base.errors import SettingsError
from aigis._base.home import Home
from aigis._host.redis_binary import Server, find_server, parse_version, refusal
from aigis._host.redis_server import check_url, make_runtime_folder, quoted, remove_runtime_folder


def server(product: str, *version: int) -> Server:
    return Server(Path("/bin/server"), product, (version[0], version[1], 0))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Redis server v=6.2.14 sha=40305114:0 malloc=libc bits=64 build=0", ("redis", (6, 2, 14))),
        ("Valkey server v=8.0.1 sha=00000000:0 malloc=jemalloc-5.3.0", ("valkey", (8, 0, 1))),
        ("bash: redis-server: not found", None),
    ],
)
def test_versions_are_read_as_the_programs_print_them(text: str, expected: object) -> None:
    assert parse_version(text) == expected


@pytest.mark.parametrize(
    ("written_by", "now", "refused"),
    [
        ("redis 6.2.14", server("redis", 6, 2), False),
        ("redis 6.2.14", server("redis", 7, 4), False),
        ("redis 7.4.0", server("redis", 6, 2), True),
        ("redis 7.2.4", server("valkey", 8, 0), False),
        ("redis 7.4.0", server("valkey", 8, 0), True),
        ("valkey 7.2.5", server("redis", 8, 0), True),
        ("something else", server("redis", 6, 2), False),
    ],
)
def test_data_of_a_newer_server_is_refused(written_by: str, now: Server, refused: bool) -> None:
    assert bool(refusal(written_by, now)) == refused


def test_the_refusal_names_both_versions_and_the_remedy() -> None:
    text = refusal("redis 7.4.0", server("redis", 6, 2))
    assert text is not None
    assert "redis 7.4.0" in text
    assert "redis 6.2.0" in text
    assert "7.4 or newer" in text


def test_without_any_server_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(SettingsError, match=r"install one .* or name a running Redis"):
        find_server(Home(tmp_path), search_path="", may_fetch=False)


@given(st.text(st.characters(exclude_characters="\r\n\0", codec="ascii")))
def test_quoting_survives_every_path(text: str) -> None:
    """Redis reads double quotes and backslashes as a shell does, where no control character is concerned."""
    if text.isprintable() and not set("`$!") & set(text):
        assert shlex.split(quoted(text)) == [text]
    assert min(quoted(text)) >= " "


@pytest.mark.parametrize("url", ["localhost:6379", "http://x", "redis://", ""])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="AIGIS_REDIS"):
        check_url(url)


def test_the_runtime_folder_is_short_private_and_removed_again(tmp_path: Path) -> None:
    home = Home(tmp_path / ("a long home " * 9))
    folder = make_runtime_folder(home, {})
    assert len(str(folder)) < 60
    assert folder.stat().st_mode & 0o777 == 0o700
    remove_runtime_folder(home)
    assert not folder.exists()


def test_a_link_in_place_of_the_runtime_folder_is_refused(tmp_path: Path) -> None:
    home = Home(tmp_path)
    folder = make_runtime_folder(home, {})
    folder.rmdir()
    folder.symlink_to(tmp_path)
    try:
        with pytest.raises(SettingsError, match="in the way"):
            make_runtime_folder(home, {})
    finally:
        folder.unlink()


def test_a_session_directory_is_used_only_when_it_is_private(tmp_path: Path) -> None:
    session = tmp_path / "s"
    session.mkdir(mode=0o755)
    assert make_runtime_folder(Home(tmp_path), {"XDG_RUNTIME_DIR": str(session)}).parent == Path("/tmp")
    remove_runtime_folder(Home(tmp_path))
    session.chmod(0o700)
    if len(str(session)) < 60:
        assert make_runtime_folder(Home(tmp_path), {"XDG_RUNTIME_DIR": str(session)}).parent == session
