"""What a line of output says becomes a record, and never more than it may say."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigis._base.messages import Record
from aigis._host.lines import Line
from aigis._host.records import Origin, read_line

OUT, ERR, LOG = (Origin("here", "feeds", stream) for stream in ("stdout", "stderr", "log"))


def read(data: bytes | str, origin: Origin = OUT) -> Record:
    return read_line(Line(data.encode() if isinstance(data, str) else data), origin, 12.5)


def test_plain_output_is_information_and_plain_errors_are_warnings() -> None:
    assert read("hello") == Record(12.5, "here", "feeds", "stdout", "INFO", "hello")
    assert read("oh", ERR).level == "WARNING"


def test_a_json_line_sets_level_and_message_and_keeps_its_other_fields() -> None:
    record = read('{"level": "error", "message": "lost", "url": "x", "tries": 3}', ERR)
    assert (record.level, record.message, record.fields) == ("ERROR", "lost", {"url": "x", "tries": 3})


def test_a_plugin_cannot_speak_as_another() -> None:
    record = read('{"message": "m", "plugin": "bank", "host": "h", "stream": "log", "ts": 1}')
    assert (record.plugin, record.host, record.stream, record.ts) == ("feeds", "here", "stdout", 12.5)
    assert record.fields == {"own_plugin": "bank", "own_host": "h", "own_stream": "log", "own_ts": 1}


def test_only_the_log_pipe_names_plugin_and_stream() -> None:
    record = read('{"message": "m", "plugin": "dice", "stream": "stdout", "host": "h", "call": "7"}', LOG)
    assert (record.plugin, record.stream, record.host) == ("dice", "stdout", "here")
    assert record.fields == {"own_host": "h", "call": "7"}


@pytest.mark.parametrize(
    ("level", "expected"),
    [('"warn"', "WARNING"), ('"Fatal"', "CRITICAL"), ("30", "WARNING"), ("1", "DEBUG"), ("99", "CRITICAL")],
)
def test_levels_are_known_by_several_names(level: str, expected: str) -> None:
    assert read(f'{{"level": {level}}}').level == expected


def test_an_unknown_level_is_kept_aside() -> None:
    record = read('{"level": "loud", "message": "m"}')
    assert (record.level, record.fields) == ("INFO", {"own_level": "loud"})


def test_json_without_a_message_shows_the_line_itself() -> None:
    assert read('{"a": 1}').message == '{"a": 1}'


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[1]",
        "{}x",
        '{"a": NaN}',
        '{"a": 1e999}',
        '{"a": "\\ud800"}',
        "{" * 5000 + "}",
        '{"a": ' + "9" * 5000 + "}",
    ],
)
def test_what_is_no_sound_object_is_plain_text(text: str) -> None:
    assert read(text) == Record(12.5, "here", "feeds", "stdout", "INFO", text)


def test_bytes_that_are_no_utf8_are_shown_and_kept() -> None:
    record = read(b"caf\xe9\0")
    assert record.message == "caf\\xe9\0"
    assert record.fields["lossy"] is True
    assert base64.b64decode(record.fields["raw"]) == b"caf\xe9\0"


def test_parts_and_unfinished_lines_are_marked() -> None:
    assert read_line(Line(b'{"a": 1}', part=2), OUT, 0.0).fields == {"part": 2}
    assert read_line(Line(b"Password: ", unfinished=True), OUT, 0.0).fields == {"unfinished": True}


@given(data=st.binary() | st.text().map(lambda text: json.dumps({"message": text, "level": text}).encode()))
def test_every_line_has_a_json_form(data: bytes) -> None:
    for origin in (OUT, ERR, LOG):
        record = read(data, origin)
        assert Record.from_json(record.to_json().encode()) == record
