"""The example plugins: their manifests are without fault, and what they decide needs no AIGIS."""

from __future__ import annotations

import importlib.util
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from aigis._plugin.manifest import PluginType, read_manifest

PLUGINS = Path(__file__).parents[2] / "plugins"
TYPES = {
    "feeds": PluginType.CORE,
    "inbox": PluginType.INTERNAL_LOCAL,
    "digest": PluginType.INTERNAL_REMOTE,
    "vitals": PluginType.EXTERNAL,
}
CODE = {".py", ".core", ".config", ".sh"}


def load(path: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import a plugin's module from its file, under a name of its own."""
    file = PLUGINS / path
    spec = importlib.util.spec_from_file_location(f"example_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def feeds(monkeypatch: pytest.MonkeyPatch) -> Any:
    pytest.importorskip("feedparser", reason="a requirement of the plugin, not of AIGIS")
    return load("feeds/src/feeds.py", monkeypatch)


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Any:
    pytest.importorskip("watchfiles", reason="a requirement of the plugin, not of AIGIS")
    return load("inbox/watch.py", monkeypatch)


def test_there_is_one_example_of_each_type() -> None:
    assert {folder.parent.name for folder in PLUGINS.glob("*/AIGIS")} == set(TYPES)
    assert set(TYPES.values()) == set(PluginType)


@pytest.mark.parametrize("name", TYPES)
def test_a_manifest_is_without_fault(name: str) -> None:
    manifest, problems = read_manifest(PLUGINS / name, name)
    assert problems == ()
    assert manifest is not None
    assert manifest.type is TYPES[name]
    assert manifest.version
    assert manifest.description


@pytest.mark.parametrize("name", TYPES)
def test_an_example_stays_small(name: str) -> None:
    files = [file for file in (PLUGINS / name).rglob("*") if file.suffix in CODE and file.parent.name != "AIGIS"]
    assert sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files) < 150


def test_a_digest_has_a_section_per_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = load("digest/digest.py", monkeypatch)
    feed = SimpleNamespace(title="The Log", kind=SimpleNamespace(value="RSS"))
    entries = [
        {"title": "Fog", "link": "https://a.example/fog", "published": "2026-10-09T06:05:00+00:00"},
        {"title": "Undated", "link": "https://a.example/u", "published": ""},
    ]
    assert digest.render([(feed, entries)], datetime(2026, 11, 20, 9, 30, tzinfo=UTC)) == (
        "# Digest of 20 November 2026, 09:30 UTC\n\n## The Log (RSS)\n\n"
        "- [Fog](https://a.example/fog) 2026-10-09\n- [Undated](https://a.example/u)\n"
    )


def test_every_sample_feed_can_be_read(feeds: Any) -> None:
    logger = logging.getLogger("test")
    for source in feeds.SOURCES:
        assert feeds.describe(source).kind in {feeds.Kind.RSS, feeds.Kind.ATOM}
        dates = [entry["published"] for entry in feeds.read(source, logger=logger)]
        assert dates == sorted(dates, reverse=True)
        assert len(feeds.headlines(source, limit=1)) == 1


@pytest.mark.parametrize("source", ["ligthouse", "relative/path.xml", "/dev/null", "/", "http://[bad", "a\0b"])
def test_what_is_no_feed_is_told(feeds: Any, source: str) -> None:
    with pytest.raises(feeds.FeedError) as caught:
        feeds.headlines(source)
    assert caught.value.source == source
    assert repr(source) in str(caught.value)


def test_an_opml_list_names_its_feeds(inbox: Any) -> None:
    assert inbox.sources_in(PLUGINS / "inbox/samples/welcome.opml") == ["lighthouse", "observatory", "kitchen"]


def test_any_other_file_stands_for_itself(inbox: Any) -> None:
    file = PLUGINS / "feeds/samples/kitchen.xml"
    assert inbox.sources_in(file) == [str(file)]


def test_a_second_file_of_the_same_name_lies_beside_the_first(inbox: Any, tmp_path: Path) -> None:
    done = inbox.prepare(tmp_path / "inbox") / "done"
    for _ in range(2):
        (tmp_path / "a.xml").touch()
        inbox.move(tmp_path / "a.xml", done)
    assert {file.name for file in done.iterdir()} == {"a.xml", "a-2.xml"}
