"""Records from inside a process: whose they are, and in what form they leave it."""

from __future__ import annotations

import io
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigis._base.context import CURRENT_CALL, CallContext
from aigis._base.records import LOG_FD_VARIABLE, RecordHandler, RecordWriter, plugin_logger, record_writer


class Pipe:
    """The log pipe, seen from the supervisor."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        self.writer = RecordWriter(self.writing)

    def read(self) -> list[dict[str, Any]]:
        os.close(self.writing)
        with os.fdopen(self.reading, "rb") as stream:
            return [json.loads(line) for line in stream]


@pytest.fixture
def pipe() -> Pipe:
    return Pipe()


@pytest.fixture
def logged(pipe: Pipe) -> Iterator[Callable[..., dict[str, Any]]]:
    """Return a function that logs one line through a handler and returns its record."""

    def log(
        name: str, message: str = "rolled", *args: object, level: int = logging.INFO, **options: Any
    ) -> dict[str, Any]:
        handler = RecordHandler(pipe.writer, **options.pop("handler", {}))
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        try:
            logger.log(level, message, *args, **options)
        finally:
            logger.removeHandler(handler)
        (record,) = pipe.read()
        return record

    yield log
    logging.raiseExceptions = True


@contextmanager
def during(call: CallContext) -> Iterator[None]:
    token = CURRENT_CALL.set(call)
    try:
        yield
    finally:
        CURRENT_CALL.reset(token)


Logged = Callable[..., dict[str, Any]]


def test_a_record_tells_level_text_and_logger(logged: Logged) -> None:
    assert logged("shop", "%d of %s", 6, "six", level=logging.WARNING) == {
        "level": "WARNING",
        "message": "6 of six",
        "logger": "shop",
    }


def test_a_plugins_own_logger_says_whose_record_it_is(logged: Logged) -> None:
    with during(CallContext(plugin="other", id="c1")):
        record = logged(plugin_logger("dice").name)
    assert (record["plugin"], record["logger"], record["call"]) == ("dice", "dice", "c1")


def test_what_is_logged_during_a_call_is_its_plugins(logged: Logged) -> None:
    with during(CallContext(plugin="dice", id="c1")):
        record = logged("urllib3")
    assert (record["plugin"], record["call"]) == ("dice", "c1")


def test_the_file_that_logs_says_more_than_the_call(logged: Logged) -> None:
    with during(CallContext(plugin="dice")):
        record = logged("x", handler={"plugin_of_file": lambda file: "feeds" if file == __file__ else None})
    assert record["plugin"] == "feeds"
    assert "call" not in record


def test_outside_of_calls_a_record_is_the_processs(logged: Logged) -> None:
    assert logged("x", handler={"plugin": "watch"})["plugin"] == "watch"


def test_private_module_names_are_shown_as_the_author_knows_them(logged: Logged) -> None:
    assert logged("aigis_plugins.dice.src.util")["logger"] == "dice.src.util"


def test_extra_fields_are_kept_but_never_those_that_say_who_speaks(logged: Logged) -> None:
    extra = {"action": "roll", "when": {1}, "plugin": "bank", "stream": "stdout", "ts": 1, "host": "h", "level": "x"}
    record = logged("dice", extra=extra)
    assert record["action"] == "roll"
    assert set(record) == {"action", "when", "level", "message", "logger"}
    assert record["level"] == "INFO"


def test_an_exception_is_part_of_the_text_once(logged: Logged) -> None:
    try:
        raise ValueError("six")
    except ValueError:
        record = logged("dice", exc_info=True)
    assert record["message"].startswith("rolled\nTraceback (most recent call last):")
    assert record["message"].count("ValueError: six") == 1
    assert "exc_info" not in record


@given(message=st.text())
def test_any_text_is_one_line(message: str) -> None:
    pipe = Pipe()
    pipe.writer.write(level="INFO", message=message)
    assert pipe.read() == [{"level": "INFO", "message": message}]


def test_half_a_character_is_shown_escaped(pipe: Pipe) -> None:
    pipe.writer.write(message="half: \ud83d")
    assert pipe.read() == [{"message": r"half: \ud83d"}]


def test_records_of_many_threads_never_mix(pipe: Pipe) -> None:
    def write(number: int) -> None:
        for _ in range(20):
            pipe.writer.write(message=str(number) * 9000)  # twice what a pipe takes in one piece

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in writers:
        thread.start()
    with os.fdopen(os.dup(pipe.reading), "rb", buffering=0) as stream:
        lines = io.BufferedReader(stream)
        messages = [json.loads(lines.readline())["message"] for _ in range(80)]
    for thread in writers:
        thread.join()
    assert sorted(messages) == sorted(str(number) * 9000 for number in range(4) for _ in range(20))
    assert pipe.read() == []


def test_a_pipe_nobody_reads_does_not_disturb_the_plugin(pipe: Pipe) -> None:
    os.close(pipe.reading)
    pipe.writer.write(message="lost")
    os.close(pipe.writing)


def test_the_log_pipe_is_not_passed_on_to_children(pipe: Pipe) -> None:
    os.set_inheritable(pipe.writing, True)
    record_writer({LOG_FD_VARIABLE: str(pipe.writing)}).write(message="here")
    assert not os.get_inheritable(pipe.writing)
    assert pipe.read() == [{"message": "here"}]


@pytest.mark.parametrize("environ", [{}, {LOG_FD_VARIABLE: ""}, {LOG_FD_VARIABLE: "x"}])
def test_without_a_log_pipe_records_go_to_stderr(environ: dict[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    record_writer(environ).write(message="here")
    assert capfd.readouterr().err == '{"message":"here"}\n'
