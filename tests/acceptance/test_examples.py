"""The example plugins, as the README's first command brings them up."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.driver import PROGRAMS, System, home, settled

CHECKOUT = Path(__file__).parents[2]
CELERY = str(PROGRAMS / "celery")
TYPES = {"feeds": "core", "inbox": "internal-local", "digest": "internal-remote", "vitals": "external"}


@pytest.fixture(scope="module")
def examples() -> Iterator[System]:
    """Return a system with the four examples; their requirements may come from an index."""
    with home() as system:
        system.copy(CHECKOUT / "plugins")
        system.up()
        yield system


def invoke(system: System, *words: str, code: int = 0) -> str:
    """Run a verb as in the checkout, and return what it printed."""
    done = system.run(str(PROGRAMS / "invoke"), "--search-root", str(CHECKOUT), *words, code=code)
    return done.out if code == 0 else done.err


def test_all_four_types_run(examples: System) -> None:
    """A03"""
    rows = json.loads(invoke(examples, "status", "--json"))["plugins"]
    assert {row["name"]: (row["type"], row["state"]) for row in rows} == {
        name: (kind, "running") for name, kind in TYPES.items()
    }


SKILLS = {
    ("feeds.SOURCES",): '["kitchen", "lighthouse", "observatory"]',
    ("feeds.headlines", "lighthouse", "1"): '["The lamp has a new lens"]',
    ("feeds.describe", "lighthouse"): "Feed(source='lighthouse', title=",
    ("feeds.read", "kitchen", "--kwargs", '{"limit": 1}'): '[{"title": "',
    ("feeds.Feed", "a", "b", "c", "d", "5"): "Feed(source='a', title='b', kind='c', link='d', entries=5)",
    ("feeds.Kind", "RSS"): "<Kind.RSS: 'RSS'>",
    ("feeds.FeedError", "told", "where"): "FeedError('told')",
}


@pytest.mark.parametrize("words", SKILLS, ids=lambda words: words[0])
def test_every_skill_can_be_called(examples: System, words: tuple[str, ...]) -> None:
    assert invoke(examples, "call", *words).startswith(SKILLS[words])


def test_every_skill_is_tried_above(examples: System) -> None:
    listed = {row["path"] for row in json.loads(invoke(examples, "skills", "--json"))}
    assert listed == {words[0] for words in SKILLS}


def test_the_error_of_a_skill_is_told_with_its_frames(examples: System) -> None:
    said = invoke(examples, "call", "feeds.headlines", "lighthuose", code=1)
    assert "FeedError" in said
    assert "did you mean 'lighthouse'?" in said
    assert "feeds.py" in said


def test_a_line_of_python_in_the_home_calls_a_skill(examples: System) -> None:
    code = "import aigis; print(sorted({aigis.feeds.describe(s).kind.name for s in aigis.feeds.SOURCES()}))"
    assert examples.python(code) == "['ATOM', 'RSS']"


def test_celery_knows_the_worker_and_its_skills(examples: System) -> None:
    """A01"""
    (worker,) = examples.status()["workers"]
    name = f"{worker['name']}@{worker['host']}"
    ask = [CELERY, "-A", "workers", "inspect", "--json", "-d", name]
    assert json.loads(examples.run(*ask, "ping").out) == {name: {"ok": "pong"}}
    assert json.loads(examples.run(*ask, "registered").out) == {name: sorted(f"aigis.{words[0]}" for words in SKILLS)}


def told(records: list[dict[str, Any]], plugin: str) -> set[tuple[str, str, str]]:
    """Return (stream, level, first word) of what one plugin told."""
    return {(r["stream"], r["level"], r["message"].split()[0]) for r in records if r["plugin"] == plugin}


def test_the_log_holds_what_each_plugin_told(examples: System) -> None:
    """A15, A45"""
    settled(lambda: any(text == "digest written" for text in examples.messages("digest")), wanted=True)
    settled(lambda: "arrived" in examples.messages("inbox"), wanted=True)
    records = examples.records()
    assert told(records, "feeds") == {("log", "INFO", "feed")}
    assert told(records, "digest") == {("log", "INFO", "digest")}
    assert told(records, "inbox") >= {("log", "INFO", "watching"), ("log", "INFO", "arrived")}
    assert told(records, "vitals") <= {("stdout", "INFO", "disk"), ("stdout", "WARNING", "disk")} != set()
    assert {"aigis.redis", "aigis.supervisor"} <= {record["plugin"] for record in records}
    assert [record["ts"] for record in records] == sorted(record["ts"] for record in records)


def test_an_up_of_what_runs_is_quick(examples: System) -> None:
    began = time.monotonic()
    examples.up()
    print(f"\nup --detach of what runs already: {time.monotonic() - began:.2f} s")
    assert time.monotonic() - began < 10


def test_an_up_of_what_is_prepared_is_quick(examples: System) -> None:
    """The environments are built, the requirements installed: only processes start."""
    examples.down()
    began = time.monotonic()
    examples.up()
    print(f"\nup --detach with environments that are ready: {time.monotonic() - began:.2f} s")
    assert time.monotonic() - began < 15
    assert examples.call("feeds.headlines", "lighthouse")
