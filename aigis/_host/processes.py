"""What the process table says: who runs, under whom, since when, carrying which mark."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

MARK_VARIABLE = "AIGIS_CHILD"
"""Environment variable that every child and its descendants carry."""

_LINUX = sys.platform.startswith("linux")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Identity:
    """One process for all time: pids are used again, the triple is not."""

    pid: int
    start_time: float
    """Clock ticks since boot on Linux, seconds since the epoch elsewhere: only good for comparing."""
    boot_id: str


@dataclass(frozen=True)
class Process:
    """One row of the process table."""

    pid: int
    parent: int
    session: int
    start_time: float
    zombie: bool
    cpu_seconds: float
    rss_bytes: int
    mark: str = ""
    """Value of AIGIS_CHILD it was started with; '' when it has none, may not be read or was not asked for."""


@cache
def boot_id() -> str:
    """Return what tells this boot of the machine from any other."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return str(int(psutil.boot_time()))


def identify(pid: int) -> Identity | None:
    """Return who runs as `pid`, or None when nobody does (a zombie is nobody)."""
    process = look_at(pid)
    if process is None or process.zombie:
        return None
    return Identity(pid, process.start_time, boot_id())


def is_alive(identity: Identity) -> bool:
    """Tell whether exactly this process still runs."""
    return identify(identity.pid) == identity


def look_at(pid: int, *, with_mark: bool = False) -> Process | None:
    """Return the row of one process, or None."""
    return _look_linux(pid, with_mark) if _LINUX else _look_psutil(pid, with_mark)


def snapshot(*, with_marks: bool = False) -> dict[int, Process]:
    """Return the whole table by pid."""
    pids = (int(entry) for entry in os.listdir("/proc") if entry.isdigit()) if _LINUX else iter(psutil.pids())
    rows = (look_at(pid, with_mark=with_marks) for pid in pids)
    return {row.pid: row for row in rows if row is not None}


def _look_linux(pid: int, with_mark: bool) -> Process | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            content = file.read()
    except OSError:
        return None
    # The command's name may hold spaces and brackets: the fields begin after the last one.
    fields = content[content.rindex(b")") + 2 :].split()
    return Process(
        pid=pid,
        parent=int(fields[1]),
        session=int(fields[3]),
        start_time=float(fields[19]),
        zombie=fields[0] in (b"Z", b"X"),
        cpu_seconds=(int(fields[11]) + int(fields[12])) / _TICKS,
        rss_bytes=int(fields[21]) * _PAGE,
        mark=_mark_linux(pid) if with_mark else "",
    )


def _mark_linux(pid: int) -> str:
    wanted = MARK_VARIABLE.encode() + b"="
    found = (v for v in _variables_linux(pid) if v.startswith(wanted))
    return next((v[len(wanted) :].decode(errors="replace") for v in found), "")


def _variables_linux(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return [variable for variable in file.read().split(b"\0") if b"=" in variable]
    except OSError:
        return []


def lacks_mark(pid: int, mark: str) -> bool:
    """Tell whether a process was plainly started without this mark: it shows variables, and the mark is none of them.

    Where none are to be seen nothing is known: they may be another user's, or overwritten (Redis keeps its title
    there).
    """
    if _LINUX:
        variables = _variables_linux(pid)
        return bool(variables) and os.fsencode(f"{MARK_VARIABLE}={mark}") not in variables
    try:
        found = psutil.Process(pid).environ()
    except (psutil.Error, OSError):
        return False
    return bool(found) and found.get(MARK_VARIABLE) != mark


def has_open(pid: int, file: Path) -> bool | None:
    """Tell whether a process has a file open; None where that cannot be known."""
    folder = f"/proc/{pid}/fd"
    try:
        wanted, descriptors = os.stat(file), os.listdir(folder)
    except OSError:
        return None
    return any(_leads_to(f"{folder}/{descriptor}", wanted) for descriptor in descriptors)


def _leads_to(path: str, wanted: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(path), wanted)
    except OSError:
        return False


def _look_psutil(pid: int, with_mark: bool) -> Process | None:
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            zombie = process.status() == psutil.STATUS_ZOMBIE
            times = None if zombie else process.cpu_times()
            return Process(
                pid=pid,
                parent=process.ppid(),
                session=os.getsid(pid),
                start_time=process.create_time(),
                zombie=zombie,
                cpu_seconds=times.user + times.system if times else 0.0,
                rss_bytes=0 if zombie else process.memory_info().rss,
                mark=_mark_psutil(process) if with_mark and not zombie else "",
            )
    except (psutil.Error, OSError):
        return None


def _mark_psutil(process: psutil.Process) -> str:
    try:
        return process.environ().get(MARK_VARIABLE, "")
    except (psutil.Error, OSError):
        return ""


def members(
    table: Mapping[int, Process], *, leaders: Collection[int] = (), is_ours: Callable[[str], bool] = lambda _: False
) -> list[Process]:
    """Return the living processes of a tree: sessions of `leaders`, what carries our mark, and all below them.

    The caller vouches for `leaders`. This process and those above it are never members.
    """
    chosen = {p.pid for p in table.values() if p.pid in leaders or p.session in leaders or (p.mark and is_ours(p.mark))}
    grown = True
    while grown:
        below = {p.pid for p in table.values() if p.parent in chosen} - chosen
        chosen |= below
        grown = bool(below)
    chosen -= set(_self_and_ancestors(table))
    return [table[pid] for pid in sorted(chosen) if not table[pid].zombie]


def _self_and_ancestors(table: Mapping[int, Process]) -> Iterator[int]:
    pid, seen = os.getpid(), set[int]()
    while pid and pid not in seen:
        seen.add(pid)
        yield pid
        pid = table[pid].parent if pid in table else 0


def send_signal(process: Process | Identity, number: int) -> bool:
    """Signal exactly this process; False when it is gone or may not be signalled."""
    try:
        return _send_by_descriptor(process, number)
    except OSError:
        return False


def _send_by_descriptor(process: Process | Identity, number: int) -> bool:
    descriptor = open_pidfd(process.pid)
    try:
        row = look_at(process.pid)
        if row is None or row.start_time != process.start_time:
            return False
        if descriptor is None:
            os.kill(process.pid, number)
        else:
            signal.pidfd_send_signal(descriptor, number)
        return True
    finally:
        if descriptor is not None:
            os.close(descriptor)


def open_pidfd(pid: int) -> int | None:
    """Return a descriptor that becomes readable when the process ends, or None where the system has none."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def kill_all(
    find: Callable[[], Iterable[Process]],
    *,
    limit: float = 5.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Process]:
    """SIGKILL what `find` returns until it returns nothing; give those still there after `limit` seconds.

    It looks again after each round, since what is killed may have started more.
    """
    deadline = clock() + limit
    while found := list(find()):
        for process in found:
            send_signal(process, signal.SIGKILL)
        if clock() > deadline:
            return found
        sleep(0.02)
    return []
