"""Of a child's record only what we can have written is believed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigis._base.home import Home
from aigis._host.ledger import Ledger

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
SOUND: dict[str, Any] = {
    "name": "zoo", "generation": 1, "boot_id": "b", "argv0": "sh", "mark": "m", "grace": 1.0, "pid": 7,
    "start_time": 2.0,
}  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    found = Ledger(Home(tmp_path))
    found.folder.mkdir(parents=True)
    return found


def test_what_was_written_is_read(ledger: Ledger) -> None:
    record = ledger.intend("zoo", 1, "sh", 1.0)
    assert ledger.read() == [record]


@pytest.mark.parametrize(
    "change",
    [
        {"grace": None}, {"grace": "abc"}, {"grace": float("nan")}, {"grace": -1}, {"name": ["zoo"]},
        {"name": "../../key"}, {"name": "other"}, {"pid": "7"}, {"pid": 1}, {"pid": True}, {"start_time": "2"},
        {"generation": None}, {"mark": 3}, {"surplus": 1},
    ],
)  # fmt: skip
def test_a_record_that_is_not_sound_is_none(ledger: Ledger, change: dict[str, Any]) -> None:
    (ledger.folder / "zoo.json").write_text(json.dumps({**SOUND, **change}))
    assert ledger.read() == []


@given(st.dictionaries(st.sampled_from(sorted(SOUND)), JSON))
def test_no_content_makes_reading_fail(tmp_path_factory: pytest.TempPathFactory, change: dict[str, Any]) -> None:
    ledger = Ledger(Home(tmp_path_factory.mktemp("home")))
    ledger.folder.mkdir(parents=True)
    (ledger.folder / "zoo.json").write_text(json.dumps({**SOUND, **change}))
    assert all(isinstance(record.grace, (int, float)) and record.name == "zoo" for record in ledger.read())


def test_clearing_removes_damaged_records_and_nothing_else(ledger: Ledger) -> None:
    key = ledger.folder.parent.parent / "key"
    key.write_text("kept")
    (ledger.folder / "bad.json").write_text(json.dumps({**SOUND, "name": "../../key"}))
    (ledger.folder / "worse.json").mkdir()
    ledger.clear()
    assert [file.name for file in ledger.folder.iterdir()] == ["worse.json"]
    assert key.read_text() == "kept"
