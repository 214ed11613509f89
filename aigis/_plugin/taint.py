"""Notices what the import of a plugin leaves running: threads, child processes, event loops.

Other threads of the process start threads and children of their own meanwhile, so a comparison of before and after
would blame the wrong one. A thread is blamed when it was started by the loading thread, or by a thread blamed already:
while a watch is open, `threading.Thread.start` notes who calls it. A child is blamed when the kernel lists it as
started by one of these threads (`/proc/self/task/TID/children`). Kernels without that file are asked for all children
of this process, those from before the watch left out; where there is no /proc, children go unnoticed.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from typing import Any, Callable, Iterable, Iterator, Optional

OWN_THREADS = "aigis-"
"""AIGIS's own threads are named like this; a first remote call may start them while a plugin is being imported."""


class TaintWatcher:
    """Opens watches, one per load; a watch opened within another takes over the blame until it is closed."""

    def __init__(self) -> None:
        self._open: list[TaintWatch] = []
        self._start: Optional[Callable[[threading.Thread], None]] = None

    @contextlib.contextmanager
    def watching(self) -> Iterator[TaintWatch]:
        """Watch what this thread starts."""
        if not self._open:
            self._note_starts()
        watch = TaintWatch()
        self._open.append(watch)
        try:
            yield watch
        finally:
            self._open.remove(watch)
            for outer in self._open:
                outer.leave_out(watch.children())
            if not self._open:
                self._forget_starts()

    def _note_starts(self) -> None:
        original = threading.Thread.start

        def start(thread: threading.Thread) -> None:
            watch = next((each for each in reversed(self._open) if each.blames(threading.get_ident())), None)
            if watch is None:
                original(thread)
            else:
                watch.start(thread, original)

        self._start = start
        threading.Thread.start = start  # type: ignore[method-assign, assignment]
        self._original = original

    def _forget_starts(self) -> None:
        # A plugin may have put its own function around ours meanwhile; then ours stays, and only passes on.
        if threading.Thread.start is self._start:
            threading.Thread.start = self._original  # type: ignore[method-assign]
        self._start = None


class TaintWatch:
    """What one load has started."""

    def __init__(self) -> None:
        self._loader = threading.current_thread()
        self._threads: list[threading.Thread] = []
        self._left_out = set(_children(_all_tasks()))
        self._loop = _running_loop()

    def blames(self, ident: int) -> bool:
        """Whether what this thread starts is the load's doing."""
        return ident == self._loader.ident or any(thread.ident == ident for thread in self._threads)

    def start(self, thread: threading.Thread, original: Callable[[threading.Thread], None]) -> None:
        """Start a thread that the load wants; noted first, since it may start others at once."""
        self._threads.append(thread)
        try:
            original(thread)
        except BaseException:
            self._threads.remove(thread)
            raise

    def leave_out(self, children: Iterable[int]) -> None:
        """Blame these processes on somebody else."""
        self._left_out.update(children)

    def children(self) -> set[int]:
        """Return the living child processes the load has started."""
        tasks = [thread.native_id for thread in (self._loader, *self._threads) if thread.native_id is not None]
        return {pid for pid in _children(tasks) - self._left_out if _command(pid) is not None}

    def left_behind(self, patience: float = 0.2) -> tuple[str, ...]:
        """Say what is still running after `patience` seconds at most, which are for what is just ending."""
        deadline = time.monotonic() + patience
        while True:
            found = self._running()
            if not found or time.monotonic() >= deadline:
                return found
            time.sleep(0.01)

    def _running(self) -> tuple[str, ...]:
        threads = [_say_thread(thread) for thread in self._threads if thread.is_alive() and not _is_own(thread)]
        helper = _python_helper()
        children = [f"child process {pid} ({_command(pid)})" for pid in sorted(self.children()) if pid != helper]
        loop = [] if _running_loop() is self._loop else ["a running event loop"]
        return (*threads, *children, *loop)


def _is_own(thread: threading.Thread) -> bool:
    return thread.name.startswith(OWN_THREADS)


def _say_thread(thread: threading.Thread) -> str:
    return f"an event loop in thread {thread.name!r}" if _runs_loop(thread) else f"thread {thread.name!r}"


def _runs_loop(thread: threading.Thread) -> bool:
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - documented in spite of its name
    while frame is not None:
        if frame.f_code.co_name == "run_forever":
            return True
        frame = frame.f_back
    return False


def _running_loop() -> Any:
    # Importing asyncio only to learn that no loop runs would cost every process 30 ms.
    events = sys.modules.get("asyncio.events")
    return events._get_running_loop() if events else None  # noqa: SLF001


def _python_helper() -> Optional[int]:
    """Return the process Python keeps for multiprocessing's locks: one per process, whoever asked for it first."""
    tracker = getattr(sys.modules.get("multiprocessing.resource_tracker"), "_resource_tracker", None)
    pid = getattr(tracker, "_pid", None)
    return pid if isinstance(pid, int) else None


def _all_tasks() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc/self/task")]
    except OSError:
        return []


def _children(tasks: Iterable[int]) -> set[int]:
    if not os.path.exists(f"/proc/self/task/{threading.get_native_id()}/children"):
        return _children_by_scan()
    found: set[int] = set()
    for task in tasks:
        text = _read(f"/proc/self/task/{task}/children")
        found.update(map(int, (text or "").split()))
    return found


def _children_by_scan() -> set[int]:
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return set()
    return {pid for pid in pids if _stat(pid)[1:2] == [str(os.getpid())]}


def _command(pid: int) -> Optional[str]:
    """Return the name of a running process, or None when it has ended (though nobody may have asked how)."""
    state = _stat(pid)[:1]
    return None if state in ([], ["Z"], ["X"]) else (_read(f"/proc/{pid}/comm") or "?").strip()


def _stat(pid: int) -> list[str]:
    """Return a process's state, its parent's pid and the fields after them; none when there is no such process."""
    return (_read(f"/proc/{pid}/stat") or "").rpartition(")")[2].split()


def _read(file: str) -> Optional[str]:
    try:
        with open(file, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return None
