"""How records are packed, and which are wanted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigis._base.messages import Record
from aigis._wire.stream import CHUNK_BYTES, CHUNK_RECORDS, Filter, chunks


def record(message: str = "rolled", **changes: Any) -> Record:
    fields = {"ts": 1.5, "host": "box", "plugin": "dice", "stream": "log", "level": "INFO", **changes}
    return Record(message=message, **fields)


def unpacked(packed: list[bytes]) -> list[Record]:
    return [Record.from_json(line) for chunk in packed for line in chunk.splitlines()]


@given(messages=st.lists(st.text(), max_size=20))
def test_chunks_hold_every_record_in_order(messages: list[str]) -> None:
    records = [record(message) for message in messages]
    assert unpacked(list(chunks(records))) == records


def test_a_chunk_is_bounded_in_records_and_bytes() -> None:
    many = list(chunks([record()] * (2 * CHUNK_RECORDS + 1)))
    assert [len(chunk.splitlines()) for chunk in many] == [CHUNK_RECORDS, CHUNK_RECORDS, 1]
    large = list(chunks([record("x" * 10_000)] * 30))
    assert all(len(chunk) < CHUNK_BYTES + 100 for chunk in large)
    assert len(unpacked(large)) == 30


def test_a_record_larger_than_a_chunk_has_one_of_its_own() -> None:
    huge = record("x" * (2 * CHUNK_BYTES))
    packed = list(chunks([record(), huge, record()]))
    assert [len(chunk.splitlines()) for chunk in packed] == [1, 1, 1]


def test_fields_json_does_not_know_are_written_as_text() -> None:
    (chunk,) = chunks([record(fields={"where": {1}})])
    assert json.loads(chunk)["fields"] == {"where": "{1}"}


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        (Filter(), True),
        (Filter(plugin="dice"), True),
        (Filter(plugin="dic"), False),
        (Filter(host="box"), True),
        (Filter(host="other"), False),
        (Filter(call="c1"), True),
        (Filter(call="c2"), False),
        (Filter(plugin="dice", host="box", call="c1", level="INFO"), True),
        (Filter(plugin="dice", host="box", call="c1", level="ERROR"), False),
    ],
)
def test_every_condition_of_a_filter_must_hold(wanted: Filter, matches: bool) -> None:
    assert wanted.matches(record(level="WARNING", fields={"call": "c1"})) is matches


def test_a_call_is_not_found_in_records_of_none() -> None:
    assert not Filter(call="c1").matches(record())


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        ("DEBUG", ["DEBUG", "TRACE", "INFO", "NOTICE", "strange", "WARN", "WARNING", "ERROR", "FATAL", "CRITICAL"]),
        ("INFO", ["INFO", "NOTICE", "strange", "WARN", "WARNING", "ERROR", "FATAL", "CRITICAL"]),
        ("WARNING", ["WARN", "WARNING", "ERROR", "FATAL", "CRITICAL"]),
        ("CRITICAL", ["FATAL", "CRITICAL"]),
    ],
)
def test_a_level_means_this_one_and_worse(wanted: str, shown: list[str]) -> None:
    levels = ["DEBUG", "TRACE", "INFO", "NOTICE", "strange", "WARN", "WARNING", "ERROR", "FATAL", "CRITICAL"]
    assert [level for level in levels if Filter(level=wanted).matches(record(level=level))] == shown
