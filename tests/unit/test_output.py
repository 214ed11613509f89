"""What a worker's threads print becomes records of the plugin whose call they run."""

from __future__ import annotations

import io
import threading
from typing import Any

import pytest

from aigis._base.context import CURRENT_CALL, CallContext
from aigis._base.records import RecordWriter
from workers.output import AttributedStream


class Kept(RecordWriter):
    """Keeps the records."""

    def __init__(self) -> None:
        super().__init__(-1)
        self.records: list[dict[str, Any]] = []

    def write(self, **fields: Any) -> None:
        self.records.append(fields)


class Output:
    """A stream, what became of what was written, and what went through."""

    def __init__(self) -> None:
        self.through = io.StringIO()
        self.kept = Kept()
        self.stream = AttributedStream("stdout", self.through, self.kept)

    def during_call(self, *texts: str, plugin: str = "dice") -> None:
        token = CURRENT_CALL.set(CallContext(plugin=plugin, id="c1"))
        try:
            for text in texts:
                assert self.stream.write(text) == len(text)
            self.stream.finish_line()
        finally:
            CURRENT_CALL.reset(token)

    def lines(self) -> list[tuple[str, str]]:
        return [(record["plugin"], record["message"]) for record in self.kept.records]


@pytest.fixture
def output() -> Output:
    return Output()


@pytest.mark.parametrize("texts", [("one\ntwo\n",), ("o", "ne", "\n", "two", "\n"), ("one\ntw", "o")])
def test_lines_are_lines_however_they_are_written(output: Output, texts: tuple[str, ...]) -> None:
    output.during_call(*texts)
    assert output.lines() == [("dice", "one"), ("dice", "two")]
    assert output.kept.records[0] == {
        "plugin": "dice", "stream": "stdout", "level": "INFO", "message": "one", "call": "c1",
    }  # fmt: skip


def test_a_begun_line_never_becomes_part_of_anothers(output: Output) -> None:
    output.during_call("half", plugin="dice")
    output.during_call("whole\n", plugin="feeds")
    assert output.lines() == [("dice", "half"), ("feeds", "whole")]


def test_threads_do_not_mix_their_lines(output: Output) -> None:
    def print_slowly(word: str) -> None:
        output.during_call(*f"{word}\n" * 50, plugin=word)

    threads = [threading.Thread(target=print_slowly, args=(word,)) for word in ("dice", "feeds")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(output.lines()) == [("dice", "dice")] * 50 + [("feeds", "feeds")] * 50


def test_what_belongs_to_no_plugin_goes_where_it_was_meant_to(output: Output) -> None:
    output.stream.write("own\n")
    output.stream.finish_line()
    assert (output.through.getvalue(), output.lines()) == ("own\n", [])
