"""Bytes become the same lines however they are cut."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from aigis._host.lines import Line, LineSplitter

LIMIT = 8
BYTES = st.binary(max_size=80) | st.lists(
    st.sampled_from([b"a", b"\n", b"\r", "ü".encode(), "😀".encode(), b"\xff"])
).map(b"".join)


def split(*pieces: bytes, limit: int = LIMIT) -> list[Line]:
    splitter = LineSplitter(limit)
    return [line for piece in pieces for line in splitter.feed(piece)] + splitter.flush(ended=True)


@given(data=BYTES, cuts=st.lists(st.integers(0, 80), max_size=6))
def test_the_lines_do_not_depend_on_the_chunks(data: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(places)]
    assert split(*pieces) == split(data)


@given(data=BYTES)
def test_no_byte_is_lost(data: bytes) -> None:
    plain = data.replace(b"\r", b"x")
    expected = plain.removesuffix(b"\n").split(b"\n") if plain else []
    lines: list[bytes] = []
    for line in split(plain):
        if line.part > 1:
            lines[-1] += line.data
        else:
            lines.append(line.data)
    assert lines == expected


@given(data=BYTES)
def test_no_part_is_longer_than_the_limit_allows(data: bytes) -> None:
    assert all(len(line.data) <= LIMIT + 1 for line in split(data))


@given(text=st.text(alphabet="aü€😀", max_size=60))
def test_parts_of_a_text_never_cut_a_character(text: str) -> None:
    assert "".join(line.data.decode() for line in split(text.encode())) == text


def test_a_long_line_comes_in_numbered_parts() -> None:
    assert split(b"0123456789abcdefgh\nshort\n") == [
        Line(b"01234567", 1), Line(b"89abcdef", 2), Line(b"gh", 3), Line(b"short"),
    ]  # fmt: skip


def test_a_carriage_return_belongs_to_the_end_of_the_line() -> None:
    assert split(b"one\r\ntw\ro\n") == [Line(b"one"), Line(b"tw\ro")]


def test_empty_lines_and_nul_are_lines() -> None:
    assert split(b"\n\0\n") == [Line(b""), Line(b"\0")]


def test_an_unfinished_line_is_shown_and_goes_on() -> None:
    splitter = LineSplitter()
    assert splitter.feed(b"Password: ") == []
    assert splitter.flush() == [Line(b"Password: ", unfinished=True)]
    assert splitter.feed(b"ok\n") == [Line(b"ok")]


def test_memory_is_bounded_by_the_limit() -> None:
    splitter = LineSplitter(LIMIT)
    for _ in range(1000):
        splitter.feed(b"x" * 10)
        assert len(splitter.flush()[0].data) <= LIMIT + 1
