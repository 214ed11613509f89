"""What a supervisor that died left running: found by records and marks, and stopped when proven ours."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Collection
from dataclasses import dataclass

from aigis._base.home import Home
from aigis._host.journal import OWN_NAME as SUPERVISOR
from aigis._host.ledger import ChildRecord, Ledger
from aigis._host.processes import (
    Process,
    has_open,
    is_alive,
    kill_all,
    lacks_mark,
    members,
    send_signal,
    snapshot,
)
from aigis._host.redis_server import OWN_NAME as REDIS
from aigis._host.redis_server import remove_runtime_folder

MARGIN = 15.0
"""Seconds a supervisor may take beyond the graces of its children."""


@dataclass(frozen=True)
class Cleared:
    """What `stop_leftovers` found and did."""

    stopped: tuple[str, ...] = ()
    """Names of children of which something still ran."""
    survivors: tuple[str, ...] = ()
    """What did not even obey SIGKILL, as 'name (pid N)'."""


def patience(home: Home) -> float:
    """Return how long an orderly stop may take: children are stopped in stages, each as long as its longest grace."""
    return sum(record.grace for record in Ledger(home).read()) + MARGIN


def unnoted_supervisor(home: Home) -> Process | None:
    """Return the supervisor that has the home's lock file open, found by its mark: its note there may be damaged."""
    found = _supervisors(Ledger(home))
    return next((process for process in found if has_open(process.pid, home.lock_file) is not False), None)


def stop_leftovers(home: Home, *, grace: float | None = None) -> Cleared:
    """Stop what an earlier supervisor of this home left over and remove its records and sockets.

    Blocks until all is gone. `grace` overrides that of each child. Call it only while no supervisor holds the lock.
    A process is stopped only when it carries a mark of this home, when its pid, start time and boot are those of a
    record and nothing shows that it was started without the record's mark, or when it runs below such a one. A
    supervisor whose lock file was taken from it goes first, since it would start the others again; Redis goes last,
    since the others write to it.
    """
    ledger = Ledger(home)
    records = {record.name: record for record in ledger.read()}
    everything = _find(ledger, records.values())
    names = sorted({_name_of(process, ledger, records) for process in everything})
    _end_supervisors(ledger, patience(home))
    survivors = _stop(ledger, [r for r in records.values() if r.name != REDIS], grace, spare={REDIS})
    survivors += _stop(ledger, list(records.values()), grace, spare=set())
    left = tuple(f"{_name_of(process, ledger, records)} (pid {process.pid})" for process in survivors)
    if not left:
        _tidy(home, ledger)
    return Cleared(tuple(names), left)


def _end_supervisors(ledger: Ledger, limit: float) -> None:
    """Have supervisors end in their own order; what has not ended after `limit` seconds is left to the others' end."""
    deadline, asked = time.monotonic() + limit, set[int]()
    while (found := _supervisors(ledger)) and time.monotonic() < deadline:
        for process in found:
            if process.pid not in asked:
                send_signal(process, signal.SIGTERM)
                send_signal(process, signal.SIGCONT)
                asked.add(process.pid)
        time.sleep(0.05)


def _supervisors(ledger: Ledger) -> list[Process]:
    def is_supervisor(mark: str) -> bool:
        return ledger.is_ours(mark) and _name_in(mark) == SUPERVISOR

    # Their children are found with them, since they run below, but are theirs to stop.
    found = members(snapshot(with_marks=True), is_ours=is_supervisor)
    return [process for process in found if is_supervisor(process.mark)]


def _stop(ledger: Ledger, records: list[ChildRecord], grace: float | None, *, spare: Collection[str]) -> list[Process]:
    def find() -> list[Process]:
        return _find(ledger, records, spare=spare)

    graces = {record.name: record.grace if grace is None else grace for record in records}
    longest = max(graces.values(), default=10.0 if grace is None else grace)
    by_name = {record.name: record for record in records}
    began, asked = time.monotonic(), set[int]()
    while (found := find()) and (waited := time.monotonic() - began) < longest:
        for process in found:
            if waited >= graces.get(_name_of(process, ledger, by_name), longest):
                send_signal(process, signal.SIGKILL)
            elif process.pid not in asked:
                send_signal(process, signal.SIGTERM)
                send_signal(process, signal.SIGCONT)
                asked.add(process.pid)
        time.sleep(0.05)
    return kill_all(find) if found else []


def _find(ledger: Ledger, records: Collection[ChildRecord], *, spare: Collection[str] = ()) -> list[Process]:
    alive = (r for r in records if r.identity is not None and is_alive(r.identity))
    leaders = {r.pid for r in alive if r.pid is not None and not lacks_mark(r.pid, r.mark)}

    def is_ours(mark: str) -> bool:
        return ledger.is_ours(mark) and _name_in(mark) not in spare

    return members(snapshot(with_marks=True), leaders=leaders, is_ours=is_ours)


def _name_in(mark: str) -> str:
    return mark.split(":")[1] if mark.count(":") == 2 else mark


def _name_of(process: Process, ledger: Ledger, records: dict[str, ChildRecord]) -> str:
    if ledger.is_ours(process.mark):
        return _name_in(process.mark)
    leaders = (process.pid, process.session)
    return next((record.name for record in records.values() if record.pid in leaders), f"process {process.pid}")


def _tidy(home: Home, ledger: Ledger) -> None:
    ledger.clear()
    remove_runtime_folder(home)
    with contextlib.suppress(OSError):  # a disk that is read-only keeps what no longer means anything
        home.bus_file.unlink(missing_ok=True)
