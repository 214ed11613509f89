"""Processor and memory are summed over the whole tree of a child."""

from __future__ import annotations

from aigis._host.processes import Process
from aigis._host.usage import Usage, UsageMeter


def process(pid: int, parent: int, session: int, cpu: float = 1.0, *, zombie: bool = False) -> Process:
    return Process(pid, parent, session, 0.0, zombie=zombie, cpu_seconds=cpu, rss_bytes=100)


def table(*processes: Process) -> dict[int, Process]:
    return {each.pid: each for each in processes}


def test_a_tree_is_its_session_and_all_below() -> None:
    found = table(
        process(1, 0, 1),
        process(10, 1, 10),
        process(11, 10, 10),
        process(12, 11, 12),
        process(13, 1, 10),
        process(14, 10, 10, zombie=True),
        process(20, 1, 20),
    )
    usage = UsageMeter().measure(found, {10, 20, 30})
    assert {pid: each.rss_bytes for pid, each in usage.items()} == {10: 400, 20: 100, 30: 0}


def test_the_share_is_that_since_the_last_look() -> None:
    now = [0.0]
    meter = UsageMeter(clock=lambda: now[0])
    assert meter.measure(table(process(10, 1, 10, 5.0)), {10}) == {10: Usage(0.0, 100)}
    now[0] = 2.0
    assert meter.measure(table(process(10, 1, 10, 6.0)), {10}) == {10: Usage(50.0, 100)}
    now[0] = 4.0
    assert meter.measure(table(process(10, 1, 10, 1.0)), {10}) == {10: Usage(0.0, 100)}


def test_a_circle_of_parents_ends() -> None:
    assert UsageMeter().measure(table(process(5, 6, 5), process(6, 5, 6)), {10}) == {10: Usage(0.0, 0)}
