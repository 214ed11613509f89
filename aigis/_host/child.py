"""The door for processes: how a child is started, its end noticed, and its whole tree stopped."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aigis._base.errors import PluginError
from aigis._base.records import LOG_FD_VARIABLE
from aigis._host.ledger import ChildRecord, Ledger
from aigis._host.processes import (
    MARK_VARIABLE,
    Identity,
    Process,
    kill_all,
    look_at,
    members,
    open_pidfd,
    send_signal,
    snapshot,
)

REST_INTERVAL = (0.02, 0.2)
"""First and longest pause between two looks at what is left of a tree."""
KILL_LIMIT = 5.0
"""Seconds until a process that does not even obey SIGKILL is named and left."""


@dataclass(frozen=True, kw_only=True)
class LaunchSpec:
    """All the supervisor knows of a child."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    """All of its environment variables, but for those that `start` adds."""
    cwd: Path
    grace: float = 10.0
    """Seconds between the stop signal and SIGKILL."""
    stop_signal: int = signal.SIGTERM
    log_pipe: bool = False
    """Whether it gets a third pipe for structured records; only AIGIS's own code may."""


@dataclass(frozen=True)
class Output:
    """Our end of one of a child's pipes."""

    stream: str
    """'stdout', 'stderr' or 'log'."""
    descriptor: int


class Child:
    """One run of one child; made by `start`.

    The leader is not reaped before its tree is gone: until then nobody else can get its pid, so that signals to its
    session reach nobody else.
    """

    def __init__(
        self, spec: LaunchSpec, record: ChildRecord, process: subprocess.Popen[bytes], outputs: tuple[Output, ...]
    ) -> None:
        self.name = spec.name
        self.generation = record.generation
        self.pid = process.pid
        self.outputs = outputs
        self.ended: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        """Exit code of the leader (minus the signal's number); None when it obeyed not even SIGKILL."""
        self._spec = spec
        self._mark = record.mark
        self._process = process
        self._asked_until: float | None = None
        self._stopping: asyncio.Task[None] | None = None
        _watch(process.pid, self.ended)

    @property
    def alive(self) -> bool:
        """Whether the leader runs."""
        return not self.ended.done()

    def stop(self) -> None:
        """Ask the child's process group to end, and see to it that the leader has ended after the grace."""
        if self._stopping is None:
            until = self._asked_until = time.monotonic() + self._spec.grace
            self._signal_group(self._spec.stop_signal)
            self._stopping = asyncio.get_running_loop().create_task(self._insist(until), name=f"stop {self.name}")

    def kill(self) -> None:
        """End the grace at once."""
        self._asked_until = time.monotonic()
        self._signal_group(signal.SIGKILL)

    def send(self, number: int) -> None:
        """Signal the leader alone."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def gone(self) -> list[Process]:
        """Wait for the leader's end, then stop what is left of its tree; return what survived even SIGKILL."""
        await asyncio.shield(self.ended)
        if self._asked_until is None:
            self._asked_until = time.monotonic() + self._spec.grace
        rest = await self._rest_ends()
        if rest:
            rest = await asyncio.to_thread(kill_all, self._members, limit=KILL_LIMIT)
        if self.ended.result() is not None:
            await asyncio.to_thread(self._process.wait)
        return rest

    async def _insist(self, until: float) -> None:
        await asyncio.wait([self.ended], timeout=max(0.0, until - time.monotonic()))
        if self.alive:
            await asyncio.to_thread(kill_all, self._members, limit=KILL_LIMIT)
        await asyncio.wait([self.ended], timeout=KILL_LIMIT)
        if self.alive:
            self.ended.set_result(None)

    async def _rest_ends(self) -> list[Process]:
        """Ask what the leader left behind to end, and wait; `kill` shortens the wait."""
        asked: set[int] = set()
        pause = REST_INTERVAL[0]
        while rest := await asyncio.to_thread(self._members):
            for process in rest:
                if process.pid not in asked:
                    send_signal(process, self._spec.stop_signal)
                    send_signal(process, signal.SIGCONT)
                    asked.add(process.pid)
            if self._asked_until is None or time.monotonic() >= self._asked_until:
                break
            await asyncio.sleep(pause)
            pause = min(REST_INTERVAL[1], pause * 2)
        return rest

    def _members(self) -> list[Process]:
        return members(snapshot(with_marks=True), leaders={self.pid}, is_ours=self._mark.__eq__)

    def _signal_group(self, number: int) -> None:
        # A stopped process (SIGSTOP) sees the signal only once it goes on.
        for each in (number, signal.SIGCONT):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, each)


def start(spec: LaunchSpec, ledger: Ledger, *, generation: int | None = None) -> Child:
    """Start a child in a session of its own, its record on disk before and after.

    Raises PluginError saying why it could not be started.
    """
    generation = generation if generation is not None else time.time_ns() // 1_000_000
    try:
        record = ledger.intend(spec.name, generation, spec.argv[0], spec.grace)
    except OSError as error:
        raise PluginError(
            f"its record cannot be written: {error}; free some space or correct the permissions"
        ) from error
    pipes = _Pipes(spec.log_pipe)
    try:
        process = _spawn(spec, record.mark, pipes)
    except (OSError, ValueError) as error:
        pipes.close_ours()
        ledger.forget(spec.name)
        raise PluginError(_why_not(spec, error)) from error
    finally:
        pipes.close_theirs()
    row = look_at(process.pid)
    # It runs by now and must be followed. Where the disk is full the first record proves by its mark whose it is.
    with contextlib.suppress(OSError):
        ledger.started(record, Identity(process.pid, row.start_time if row else 0.0, record.boot_id))
    return Child(spec, record, process, pipes.outputs)


def _spawn(spec: LaunchSpec, mark: str, pipes: _Pipes) -> subprocess.Popen[bytes]:
    # Output into a pipe would be held back by Python for minutes without PYTHONUNBUFFERED.
    env = {"PYTHONUNBUFFERED": "1", **spec.env, MARK_VARIABLE: mark}
    if spec.log_pipe:
        env[LOG_FD_VARIABLE] = str(pipes.theirs["log"])
    return subprocess.Popen(
        spec.argv,
        env=env,
        cwd=spec.cwd,
        stdin=subprocess.DEVNULL,
        stdout=pipes.theirs["stdout"],
        stderr=pipes.theirs["stderr"],
        pass_fds=[pipes.theirs["log"]] if spec.log_pipe else [],
        start_new_session=True,
    )


class _Pipes:
    """The pipes of one child: the ends that are ours and the ends that are its own."""

    def __init__(self, with_log: bool) -> None:
        self.theirs: dict[str, int] = {}
        outputs = []
        for stream in ("stdout", "stderr", "log") if with_log else ("stdout", "stderr"):
            ours, self.theirs[stream] = os.pipe()
            os.set_blocking(ours, False)
            outputs.append(Output(stream, ours))
        self.outputs = tuple(outputs)

    def close_theirs(self) -> None:
        _close(self.theirs.values())

    def close_ours(self) -> None:
        _close(output.descriptor for output in self.outputs)


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _why_not(spec: LaunchSpec, error: Exception) -> str:
    program = spec.argv[0]
    if not spec.cwd.is_dir():
        # It was there when the plugin was prepared: ENTRYPOINT is right, somebody removed the folder since.
        again = (
            "`invoke down` and `invoke up` make"
            if spec.name.startswith("aigis.")
            else f"`invoke reload {spec.name}` makes"
        )
        return f"its working directory {str(spec.cwd)!r} is no longer a directory; {again} it anew"
    if isinstance(error, FileNotFoundError):
        return f"there is no program {program!r}, neither as a path nor on PATH; correct LAUNCH or install it"
    if isinstance(error, PermissionError):
        return f"{program!r} may not be executed; `chmod +x` it, or name its interpreter first in LAUNCH"
    return f"{program!r}: {error}; correct LAUNCH"


def _watch(pid: int, ended: asyncio.Future[int | None]) -> None:
    """Have `ended` resolved with the exit code of our child `pid`, which stays unreaped where the system can."""
    descriptor = open_pidfd(pid)
    if descriptor is None:
        _watch_by_thread(pid, ended)
        return
    loop = ended.get_loop()

    def on_end(pidfd: int = descriptor) -> None:
        loop.remove_reader(pidfd)
        os.close(pidfd)
        _resolve(ended, _exit_code(pid))

    loop.add_reader(descriptor, on_end)


def _watch_by_thread(pid: int, ended: asyncio.Future[int | None]) -> None:
    def wait() -> None:
        code = _exit_code(pid)
        with contextlib.suppress(RuntimeError):  # the loop may have closed first
            ended.get_loop().call_soon_threadsafe(_resolve, ended, code)

    threading.Thread(target=wait, name=f"wait-{pid}", daemon=True).start()


def _resolve(ended: asyncio.Future[int | None], code: int | None) -> None:
    if not ended.done():
        ended.set_result(code)


def _exit_code(pid: int) -> int | None:
    if not hasattr(os, "waitid"):
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    try:
        status = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    except ChildProcessError:
        return None
    if status is None:
        return None
    return status.si_status if status.si_code == os.CLD_EXITED else -status.si_status


def become_subreaper() -> bool:
    """Have orphans below us become our children, so that they can be seen and reaped; False where impossible."""
    if not sys.platform.startswith("linux"):
        return False
    set_child_subreaper = 36
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(set_child_subreaper, 1, 0, 0, 0) == 0)


class StrangerReaper:
    """Reaps dead orphans that were handed to us.

    Only what was a zombie at two looks in a row, in another session than ours and not one of the known children:
    programs that a thread of ours started and waits for must keep their exit codes.
    """

    def __init__(self) -> None:
        self._seen: set[Identity] = set()

    def look(self, table: Mapping[int, Process], known: set[int]) -> None:
        """Look once; to be called every few seconds with the table of that moment."""
        me, session = os.getpid(), os.getsid(0)
        dead = {
            Identity(p.pid, p.start_time, "")
            for p in table.values()
            if p.parent == me and p.zombie and p.session != session and p.pid not in known
        }
        for identity in dead & self._seen:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(identity.pid, os.WNOHANG)
        self._seen = dead


def run(argv: tuple[str, ...], *, timeout: float) -> subprocess.CompletedProcess[str]:
    """Run a short program to its end and return its output; for helpers, never for what is to keep running.

    Raises OSError or subprocess.TimeoutExpired.
    """
    return subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=timeout, check=False
    )
