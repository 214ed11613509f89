"""Records on their way: bounded memory, the oldest go first, and what is being sent stays."""

from __future__ import annotations

from aigis._base.messages import Record
from aigis._host.pump import Buffer


def record(number: int, size: int = 0) -> Record:
    return Record(0.0, "here", "feeds", "stdout", "INFO", f"{number}".ljust(size))


def numbers(records: list[Record]) -> list[int]:
    return [int(each.message) for each in records]


def test_batches_come_in_order_and_end_with_done() -> None:
    buffer = Buffer()
    for number in range(5):
        buffer.add(record(number))
    assert numbers(buffer.take(2, 10**6)) == [0, 1]
    assert numbers(buffer.take(3, 10**6)) == [0, 1, 2], "what was not done is given again"
    buffer.done()
    assert numbers(buffer.take(9, 10**6)) == [3, 4]
    buffer.done()
    assert (len(buffer), buffer.bytes, buffer.filled.is_set()) == (0, 0, False)


def test_a_batch_is_bounded_in_bytes_but_never_empty() -> None:
    buffer = Buffer()
    for number in range(3):
        buffer.add(record(number, 5000))
    assert numbers(buffer.take(9, 100)) == [0]
    assert numbers(buffer.take(9, 11000)) == [0, 1]


def test_without_room_the_oldest_are_dropped_and_counted() -> None:
    buffer = Buffer(most_bytes=50_000)
    for number in range(100):
        buffer.add(record(number, 5000))
    assert buffer.bytes <= 50_000
    kept = numbers(buffer.take(100, 10**6))
    assert kept == list(range(100 - len(kept), 100))
    assert (buffer.count_dropped(), buffer.count_dropped()) == (100 - len(kept), 0)


def test_what_is_being_sent_is_not_dropped() -> None:
    buffer = Buffer(most_bytes=50_000)
    for number in range(5):
        buffer.add(record(number, 5000))
    sent = numbers(buffer.take(2, 10**6))
    for number in range(5, 50):
        buffer.add(record(number, 5000))
    buffer.done()
    assert sent == [0, 1]
    assert numbers(buffer.take(1, 10**6))[0] > 2
