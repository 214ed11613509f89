"""What real children print arrives as records: everything, in order, whatever the bytes."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import pytest

from aigis._base.errors import BusUnavailable
from aigis._base.home import Home
from aigis._base.messages import Record
from aigis._host.child import LaunchSpec, start
from aigis._host.ledger import Ledger
from aigis._host.pump import Buffer, Pump
from aigis._host.shipper import Shipper


class Store:
    """Where records end up; away until told otherwise, like a Redis that starts late."""

    def __init__(self, *, away: bool = False) -> None:
        self.records: list[Record] = []
        self.away = away

    async def append(self, records: list[Record]) -> None:
        if self.away:
            raise BusUnavailable
        self.records += records


def printed(tmp_path: Path, code: str, *, log_pipe: bool = False, store: Store | None = None) -> list[Record]:
    """Return the records of a Python child that runs `code` to its end."""
    store = store or Store()

    async def story() -> None:
        buffer = Buffer()
        shipper = Shipper(buffer, store, "here")  # type: ignore[arg-type]  # only `append` is used
        pump = Pump(buffer, "here", congested=lambda: shipper.congested)
        env = {**os.environ, "PYTHONIOENCODING": "utf-8"}
        argv = (sys.executable, "-c", code)
        child = start(
            LaunchSpec(name="feeds", argv=argv, env=env, cwd=Path("/"), log_pipe=log_pipe), Ledger(Home(tmp_path))
        )
        sources = pump.attach(child)
        await child.gone()
        await pump.drained(sources)
        store.away = False
        while len(buffer):  # noqa: ASYNC110 - emptied in small steps by another
            await asyncio.sleep(0.01)
        await shipper.close()
        await pump.close()

    async def bounded() -> None:
        async with asyncio.timeout(60):
            await story()

    asyncio.run(bounded())
    return store.records


def test_a_hundred_thousand_lines_arrive_in_order(tmp_path: Path) -> None:
    records = printed(tmp_path, "for i in range(100_000): print('line', i, 'x' * 40)")
    assert len(records) == 100_000
    assert [int(record.message.split()[1]) for record in records] == list(range(100_000))


def test_both_channels_keep_their_names_and_levels(tmp_path: Path) -> None:
    records = printed(tmp_path, "import sys; print('out'); print('err', file=sys.stderr)")
    assert {(r.plugin, r.stream, r.level, r.message) for r in records} == {
        ("feeds", "stdout", "INFO", "out"),
        ("feeds", "stderr", "WARNING", "err"),
    }


def test_the_log_pipe_speaks_for_other_plugins(tmp_path: Path) -> None:
    line = json.dumps({"plugin": "dice", "stream": "log", "level": "ERROR", "message": "m", "call": "7"})
    code = f"import os; os.write(int(os.environ['AIGIS_LOG_FD']), {line + chr(10)!r}.encode())"
    (record,) = printed(tmp_path, code, log_pipe=True)
    assert (record.plugin, record.stream, record.level, record.fields) == ("dice", "log", "ERROR", {"call": "7"})


def test_ten_megabytes_on_one_line_arrive_in_marked_parts(tmp_path: Path) -> None:
    records = printed(tmp_path, "print('x' * 10_000_000); print('after')")
    assert sum(len(record.message) for record in records) == 10_000_005
    assert [record.fields.get("part") for record in records] == [*range(1, len(records)), None]


def test_nul_bad_utf8_and_a_half_line_arrive(tmp_path: Path) -> None:
    records = printed(tmp_path, r"import os; os.write(1, b'a\0b\nbad \xff\nhalf')")
    assert [record.message for record in records] == ["a\0b", "bad \\xff", "half"]
    assert records[1].fields["lossy"]


def test_a_prompt_without_line_end_is_shown_while_the_child_lives(tmp_path: Path) -> None:
    began = time.time()
    records = printed(tmp_path, "import sys, time; sys.stdout.write('Password: '); sys.stdout.flush(); time.sleep(1)")
    assert [(r.message, r.fields) for r in records] == [("Password: ", {"unfinished": True})]
    assert records[0].ts - began < 0.95


def test_pipes_that_a_stranger_holds_open_do_not_keep_us(tmp_path: Path) -> None:
    code = "import os, subprocess; subprocess.Popen(['sleep', '2'], env={}, start_new_session=True); print('bye')"
    began = time.monotonic()
    assert [record.message for record in printed(tmp_path, code)] == ["bye"]
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("count", [1000])
def test_while_redis_is_away_records_wait(tmp_path: Path, count: int) -> None:
    records = printed(tmp_path, f"for i in range({count}): print(i)", store=Store(away=True))
    assert [int(record.message) for record in records] == list(range(count))
