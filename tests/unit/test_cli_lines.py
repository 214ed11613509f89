"""Records become lines: for people aligned and harmless, for scripts complete."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigis._base.messages import Record
from aigis._cli.exits import UsageError
from aigis._cli.lines import LineWriter, clean, json_line, parse_count, parse_level, timestamp

MOMENT = datetime(2031, 5, 6, 12, 0, 1, 234567, UTC).timestamp()
RECORD = Record(ts=MOMENT, host="nova", plugin="feeds", stream="log", level="INFO", message="read 3 entries")


def record(**changes: Any) -> Record:
    return dataclasses.replace(RECORD, **changes)


def lines(*records: Record, colour: bool = False) -> list[str]:
    writer = LineWriter(colour=colour, zone=UTC, today="2031-05-06")
    return [line for record in records for line in writer.lines(record)]


def test_a_line_has_clock_level_plugin_and_message_in_columns() -> None:
    assert lines(RECORD, record(level="CRITICAL", plugin="aigis.worker-1", message="x")) == [
        "12:00:01.234 INFO     feeds          read 3 entries",
        "12:00:01.234 CRITICAL aigis.worker-1 x",
    ]


def test_the_plugin_column_grows_with_a_longer_name_and_stays_wide() -> None:
    first, second = lines(record(plugin="a-rather-long-plugin"), RECORD)
    assert first.index("read 3") == second.index("read 3")


def test_further_lines_and_frames_hang_below_the_message() -> None:
    text = "Traceback:\n  frame\nValueError: no"
    shown = lines(record(message="failed\n  twice", fields={"exc_info": text}))
    column = shown[0].index("failed")
    assert [line[column:] for line in shown] == ["failed", "  twice", "Traceback:", "  frame", "ValueError: no"]
    assert all(line[:column].isspace() for line in shown[1:])


def test_fields_are_shown_behind_the_message_but_not_the_technical_ones() -> None:
    (line,) = lines(
        record(fields={"action": "read", "count": 3, "note": "a b", "call": "0123", "raw": "AA==", "part": 1})
    )
    assert line.endswith('read 3 entries  action=read count=3 note="a b"')


def test_on_a_terminal_long_messages_and_fields_wrap_under_their_own_column() -> None:
    writer = LineWriter(width=60, zone=UTC, today="2031-05-06")
    shown = writer.lines(record(message="word " * 20, fields={"count": 3, "place": "x" * 30}))
    assert max(map(len, shown)) <= 60
    assert len(shown) > 3
    assert all(line.startswith(" " * writer.indent) for line in shown[1:])
    assert clean("".join(line[writer.indent :] + " " for line in shown)).split().count("word") == 20


def test_fields_of_aigis_own_records_are_for_machines_only() -> None:
    (line,) = lines(record(plugin="aigis.supervisor", message="feeds started", fields={"action": "start"}))
    assert line.endswith("feeds started")


def test_a_heading_tells_another_day() -> None:
    shown = lines(RECORD, record(ts=MOMENT + 86400), record(ts=MOMENT + 86401))
    assert [line for line in shown if "──" in line] == ["── 2031-05-07 ──"]


def test_colours_appear_only_when_asked_for() -> None:
    assert "\x1b[" in lines(RECORD, colour=True)[0]
    assert clean(lines(RECORD, colour=True)[0]) == lines(RECORD)[0]


@pytest.mark.parametrize(
    "text", ["\x1b[31mred\x1b[0m", "\x1b]0;title\x07red", "re\x00d", "\x1b[2Jred\x1b[1;1H", "\x1b(Bred\x9b"]
)
def test_a_plugin_cannot_speak_to_the_terminal(text: str) -> None:
    assert clean(text) == "red"


@given(st.text())
def test_whatever_a_plugin_prints_reaches_people_without_controls(text: str) -> None:
    shown = "\n".join(lines(record(message=text, fields={text: text})))
    assert not any(char < " " and char not in "\t\n" for char in shown)
    assert not any("\x7f" <= char <= "\x9f" for char in shown)


def test_json_has_the_promised_keys_first_and_the_fields_of_the_line() -> None:
    shown = json.loads(json_line(record(fields={"count": 3, "call": "0123"})))
    assert shown == {
        "ts": "2031-05-06T12:00:01.234567Z",
        "host": "nova",
        "plugin": "feeds",
        "stream": "log",
        "level": "INFO",
        "message": "read 3 entries",
        "count": 3,
        "call": "0123",
    }


@given(st.dictionaries(st.sampled_from(["ts", "host", "plugin", "stream", "level", "message", "x"]), st.integers()))
def test_no_field_of_a_line_hides_the_records_own(fields: dict[str, int]) -> None:
    shown = json.loads(json_line(record(fields=fields)))
    assert (shown["ts"], shown["plugin"], shown["message"]) == (timestamp(MOMENT), "feeds", "read 3 entries")


@given(st.floats(min_value=0, max_value=4e9))
def test_a_timestamp_is_iso_8601_in_utc_with_microseconds(seconds: float) -> None:
    text = timestamp(seconds)
    assert len(text) == len("2031-05-06T12:00:01.234567Z")
    assert abs(datetime.fromisoformat(text).timestamp() - seconds) < 1e-5


def test_levels_are_read_in_any_case_and_the_near_one_is_named() -> None:
    assert [parse_level(text) for text in ("warning", "WARN", "fatal", None)] == [
        "WARNING",
        "WARNING",
        "CRITICAL",
        None,
    ]
    with pytest.raises(UsageError, match="did you mean ERROR"):
        parse_level("eror")


def test_a_count_is_a_number_and_nothing_else() -> None:
    assert (parse_count(None, 100), parse_count("0", 100)) == (100, 0)
    for text in ("-1", "x", "1.5", "", "٣"):
        with pytest.raises(UsageError, match="-n is"):
            parse_count(text, 100)
