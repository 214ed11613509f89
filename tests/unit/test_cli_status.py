"""The status document for scripts, and the tables for people."""

from __future__ import annotations

import dataclasses
import io
import json

import pytest
from rich.console import Console, RenderableType

from aigis._base.messages import HostStatus, PluginStatus, WorkerStatus
from aigis._cli import units
from aigis._cli.document import Document, changes, failures, told, unsettled
from aigis._cli.exits import UsageError
from aigis._cli.status import select
from aigis._cli.tables import detail_view, status_view

FEEDS = PluginStatus(name="feeds", type="core", state="running", restarts=0)
DIGEST = PluginStatus(
    name="digest", type="internal-remote", state="backoff", host="nova", restarts=2,
    reason="exit code 1; next try in 4 s", notices=("RESTART is high",),
)  # fmt: skip
VITALS = PluginStatus(
    name="vitals", type="external", state="running", host="nova", pid=77, uptime_s=7985.2, cpu_percent=0.43,
    rss_bytes=45_000_000,
)  # fmt: skip
BROKEN = PluginStatus(name="broken", type="core", state="failed", reason="AIGIS/AIGIS.core:3: no module 'nope'")
WORKER = WorkerStatus(
    name="worker-1", host="nova", state="running", pid=50, plugins=("feeds",), concurrency=8, uptime_s=61.0
)
NOVA = HostStatus(
    name="nova", state="up", pid=42, redis="redis 7.2.4", version="0.1.0", workers=(WORKER,),
    plugins=(FEEDS, DIGEST, VITALS, BROKEN),
)  # fmt: skip
ALBA = HostStatus(
    name="alba", state="down", plugins=(PluginStatus(name="far", type="external", state="stopped"), FEEDS)
)


def shown(view: RenderableType, width: int = 100) -> str:
    output = io.StringIO()
    Console(file=output, width=width, color_system=None, highlight=False, markup=False).print(view)
    return output.getvalue()


def test_the_json_has_exactly_the_promised_shape() -> None:
    document = json.loads(json.dumps(Document.of([NOVA], "nova").to_json()))
    assert document["hosts"] == [{"name": "nova", "state": "up", "pid": 42, "redis": "redis 7.2.4", "version": "0.1.0"}]
    assert document["workers"] == [
        {"name": "worker-1", "host": "nova", "state": "running", "pid": 50, "plugins": ["feeds"], "concurrency": 8}
    ]
    assert document["plugins"][0] == {
        "name": "feeds", "type": "core", "state": "running", "host": None, "pid": None, "uptime_s": None, "restarts": 0,
        "cpu_percent": None, "rss_bytes": None, "reason": "",
    }  # fmt: skip
    assert set(document) == {"hosts", "workers", "plugins"}


def test_this_host_comes_first_and_each_plugin_once_in_load_order() -> None:
    document = Document.of([ALBA, NOVA], "nova")
    assert [host.name for host in document.hosts] == ["nova", "alba"]
    assert [plugin.name for plugin in document.plugins] == ["feeds", "digest", "vitals", "broken", "far"]


def test_the_table_fits_a_hundred_columns_and_says_why_something_does_not_run() -> None:
    text = shown(status_view(Document.of([NOVA, ALBA], "nova")))
    assert max(map(len, text.splitlines())) <= 100
    assert "AIGIS on nova is up" in text
    assert "• digest backoff: exit code 1; next try in 4 s" in text
    assert "• broken failed: AIGIS/AIGIS.core:3: no module 'nope'" in text


def test_a_row_tells_state_uptime_cpu_memory_and_restarts() -> None:
    text = shown(status_view(Document.of([NOVA], "nova")))
    row = next(line for line in text.splitlines() if line.startswith("vitals"))
    assert row.split() == ["vitals", "external", "running", "2h", "13m", "0.4%", "43", "MiB", "0"]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    long = dataclasses.replace(BROKEN, name="a" * 63, reason="because " * 40)
    text = shown(status_view(Document.of([dataclasses.replace(NOVA, plugins=(long, VITALS))], "nova")), width)
    assert max(map(len, text.splitlines())) <= width


def test_a_home_without_plugins_says_how_to_get_one() -> None:
    assert "plugins/" in shown(status_view(Document.of([dataclasses.replace(NOVA, plugins=())], "nova")))


def test_a_reason_cannot_speak_to_the_terminal() -> None:
    evil = dataclasses.replace(BROKEN, reason="\x1b[2Jgone [bold]not markup[/bold]")
    text = shown(status_view(Document.of([dataclasses.replace(NOVA, plugins=(evil,))], "nova")))
    assert "gone [bold]not markup[/bold]" in text
    assert "\x1b" not in text


def test_details_hold_notices_and_what_the_catalog_adds() -> None:
    text = shown(detail_view(Document.of([NOVA], "nova").only("digest"), [("version", "0123abcd")]))
    assert "digest is backoff" in text
    assert "• RESTART is high" in text
    assert "0123abcd" in text


def test_one_name_selects_its_row_and_an_unknown_one_is_answered_with_the_nearest() -> None:
    document = Document.of([NOVA], "nova")
    assert [plugin.name for plugin in select(document, "feeds").plugins] == ["feeds"]
    assert select(document, "worker-1").to_json()["plugins"] == []
    with pytest.raises(UsageError, match="did you mean 'feeds'"):
        select(document, "feed")


def test_changes_are_the_whole_state_first_then_only_what_is_another() -> None:
    before = Document.of([NOVA], "nova")
    running = dataclasses.replace(DIGEST, state="running", reason="", uptime_s=1.0)
    after = dataclasses.replace(before, plugins=(FEEDS, running, dataclasses.replace(VITALS, cpu_percent=9.0)))
    assert changes(Document(), before)[:3] == ["host nova: up", "worker-1: running", "feeds: running"]
    assert changes(before, after) == ["digest: running", "broken: gone"]
    assert changes(after, after) == []


def test_failures_and_what_still_waits_are_told_in_sentences() -> None:
    assert failures(NOVA.plugins) == ["broken failed: AIGIS/AIGIS.core:3: no module 'nope'"]
    assert unsettled(NOVA.plugins) == ["digest is in backoff: exit code 1; next try in 4 s"]


@pytest.mark.parametrize(
    ("state", "reason", "sentence"),
    [
        ("failed", "p: no module 'x'", "failed: no module 'x'"),
        ("waiting", "for host 'alba'", "waiting for host 'alba'"),
        ("stopped", "by the operator", "stopped by the operator"),
        ("running", "", "running"),
        ("failed", "two\n  lines", "failed: two lines"),
    ],
)
def test_a_state_and_its_reason_make_one_sentence(state: str, reason: str, sentence: str) -> None:
    assert told("p", state, reason) == sentence


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0, "0s"), (61, "1m 1s"), (3600, "1h"), (7985.2, "2h 13m"), (86400 * 5 + 3 * 3600, "5d 3h")],
)
def test_durations_show_their_two_largest_units(seconds: float | None, text: str) -> None:
    assert units.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, "-"), (0, "0 B"), (1000, "1 KiB"), (45_000_000, "43 MiB"), (1_288_490_189, "1.2 GiB"), (2**50, "1024 TiB")],
)
def test_sizes_stay_short(count: int | None, text: str) -> None:
    assert units.size(count) == text
