"""The verb `up`: this host's supervisor runs and knows what is wanted; then its state is shown or awaited."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aigis._base.errors import AigisError, BusUnavailable
from aigis._base.home import Home
from aigis._base.messages import Command, HostStatus
from aigis._base.settings import Settings
from aigis._cli import session, terminal
from aigis._cli.commands import worker_count
from aigis._cli.document import AT_REST, failures, unsettled
from aigis._cli.ending import end_supervisor
from aigis._cli.exits import DONE, PLUGIN_FAILED
from aigis._cli.launch import Launch, launch
from aigis._cli.progress import Progress
from aigis._cli.space import FullDisk, shortage
from aigis._cli.units import listed, several
from aigis._host.__main__ import CANNOT_START, STARTUP_ERROR
from aigis._host.lock import Holder, holder

PAUSE = 0.05


@dataclass
class Upkeep:
    """What this `up` has to do with the supervisor of its home."""

    settings: Settings
    workers: int = -1
    launched: Launch | None = None
    """The supervisor it has started itself."""
    running: Holder | None = None
    """The supervisor it looks at."""

    @property
    def own(self) -> bool:
        """Whether the supervisor looked at was started by this `up`."""
        return self.launched is not None and (self.running is None or self.running.pid == self.launched.pid)

    def ended(self) -> bool:
        """Tell whether the supervisor looked at is gone."""
        if self.launched is not None and self.own and self.launched.code is not None:
            return True
        return self.running is not None and holder(self.settings.home) != self.running

    def status(self) -> HostStatus | None:
        """Return what the supervisor looked at has published, or None while there is nothing.

        Raises BusUnavailable when Redis cannot be reached.
        """
        from aigis._wire.directory import read_statuses

        pid = self.running.pid if self.running is not None else None
        return next((status for status in read_statuses(session.bus(self.settings)) if status.pid == pid), None)

    def failure(self) -> AigisError | None:
        """Return why the supervisor that this `up` has started ended, None when it ended well."""
        if self.launched is None or not self.own or not self.launched.code:
            return None
        code = self.launched.code
        if code == CANNOT_START:
            return AigisError(f"AIGIS cannot start: {_startup_error(self.settings.home)}")
        how = f"exit code {code}" if code > 0 else f"signal {-code}"
        said_nothing = f"it said nothing; its log is {str(self.launched.log)!r}"
        words = self.launched.last_words() or shortage(self.settings.home) or said_nothing
        return AigisError(f"the supervisor ended with {how}:\n{words}")


def _startup_error(home: Home) -> str:
    """Return the sentence in which the supervisor said why; on a full disk it could not write one."""
    try:
        return (home.state / STARTUP_ERROR).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return shortage(home) or f"its log, {str(home.log_file)!r}, tells why"


def run(*, detach: bool, workers: str | None) -> int:
    """Bring this host up, then wait for its plugins or show them."""
    count = worker_count(workers, "--workers") if workers is not None else -1
    upkeep = Upkeep(session.settings_here(), count)
    with signals_as_interrupts():
        try:
            bring_up(upkeep)
            if detach:
                return report(await_rest(upkeep))
            from aigis._cli.view import watch

            watch(upkeep)
        except (KeyboardInterrupt, BrokenPipeError):
            return _leave(upkeep)
    failure = upkeep.failure()
    if failure is not None:
        raise failure
    terminal.say(f"AIGIS on {upkeep.settings.host} has ended")
    return DONE


@contextlib.contextmanager
def signals_as_interrupts() -> Iterator[None]:
    """Have SIGTERM and SIGHUP end this command as Ctrl-C does."""

    def interrupt(_number: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def bring_up(upkeep: Upkeep) -> None:
    """Start a supervisor, or tell the running one to apply what changed; returns when it has published its status.

    Of two that start at the same moment one gets the home's lock; the other `up` attaches to it. Raises AigisError with
    the supervisor's last words when it ends instead, and when the disk is full: what was started is stopped then.
    """
    progress, disk = Progress(), FullDisk(upkeep.settings.home)
    while True:
        progress.tell(_step(upkeep) or "")
        if upkeep.running is not None:
            return
        if reason := disk.reason():
            if upkeep.launched is not None and upkeep.launched.code is None:
                _end(upkeep, upkeep.launched)
            raise AigisError(f"AIGIS cannot start: {reason}")
        time.sleep(PAUSE)


def _step(upkeep: Upkeep) -> str | None:
    """Go one step towards `upkeep.running`; return what is being waited for."""
    home = upkeep.settings.home
    running, launched = holder(home), upkeep.launched
    if launched is not None and launched.code is None:
        if running is None or running.pid != launched.pid:
            return f"starting AIGIS in {str(home.root)!r}"
        return _look(upkeep, running, f"starting AIGIS in {str(home.root)!r}")
    if running is not None:
        return _attach(upkeep, running)
    if launched is not None:
        raise upkeep.failure() or AigisError("the supervisor was stopped while it started; `invoke up` starts it again")
    upkeep.launched = launch(home, upkeep.workers)
    return None


def _look(upkeep: Upkeep, running: Holder, waiting: str) -> str | None:
    upkeep.running = running
    try:
        if upkeep.status() is not None:
            return None
    except BusUnavailable:
        pass
    upkeep.running = None
    return waiting


def _attach(upkeep: Upkeep, running: Holder) -> str | None:
    """Ask the supervisor of another `up` to apply what changed, once it can be asked."""
    upkeep.running, upkeep.launched = running, None
    try:
        status = upkeep.status()
        if status is not None and status.state == "up":
            _apply(upkeep, status.name)
            return None
        waiting = f"waiting until the supervisor (pid {running.pid}) has {'stopped' if status else 'started'}"
    except BusUnavailable as error:
        waiting = f"waiting for the supervisor (pid {running.pid}): {error}"
    upkeep.running = None
    return waiting


def _apply(upkeep: Upkeep, host: str) -> None:
    """Have the running supervisor look again at what it should run; its status knows of that when this returns."""
    from aigis._wire.control import ask
    from aigis._wire.signing import read_key

    key = read_key(upkeep.settings.home.key_file)
    reply = ask(session.bus(upkeep.settings), key, host, Command("apply", number=upkeep.workers))
    if not reply.ok:
        raise AigisError(reply.message or "the running supervisor refused to apply what changed")
    if reply.message:
        terminal.warn(f"aigis: {reply.message}")


def await_rest(upkeep: Upkeep) -> HostStatus:
    """Wait until every plugin has come to rest and return that status.

    Raises AigisError when the supervisor ends, or cannot tell anything since the disk is full.
    """
    progress, disk = Progress(), FullDisk(upkeep.settings.home)
    while True:
        status = _status_or_none(upkeep)
        if status is not None and status.settled:
            return status
        if upkeep.ended():
            raise upkeep.failure() or AigisError("the supervisor was stopped before every plugin had come to rest")
        if reason := disk.reason():
            raise AigisError(reason)
        progress.tell(_waiting_for(status))
        time.sleep(PAUSE)


def _status_or_none(upkeep: Upkeep) -> HostStatus | None:
    try:
        return upkeep.status()
    except BusUnavailable:
        return None


def _waiting_for(status: HostStatus | None) -> str:
    if status is None:
        return "waiting for Redis"
    rows = [row for row in status.plugins if row.state not in AT_REST]
    told = [f"{row.name} ({row.reason or row.state})" for row in rows]
    return f"waiting for {listed(told)}" if told else ""


def report(status: HostStatus) -> int:
    """Print how the host came to rest and return the exit code."""
    failed = failures(status.plugins)
    for sentence in unsettled(status.plugins):
        terminal.say(sentence)
    for sentence in failed:
        terminal.warn(sentence)
    running = sum(row.state == "running" for row in status.plugins)
    whole = several(len(status.plugins), "plugin")
    terminal.say(f"AIGIS on {status.name} is up: {running} of {whole} running; `status` and `logs` tell more")
    return PLUGIN_FAILED if failed else DONE


def _leave(upkeep: Upkeep) -> int:
    """End this command: with the supervisor when this `up` has started it, else without."""
    launched = upkeep.launched
    if launched is None or not upkeep.own:
        terminal.warn("AIGIS goes on; `invoke down` stops it")
        return DONE
    if launched.code is None:
        terminal.warn("stopping what this `up` has started (Ctrl-C again kills it)")
        _end(upkeep, launched)
        terminal.warn(f"AIGIS in {str(upkeep.settings.home.root)!r} is down")
    return DONE


def _end(upkeep: Upkeep, launched: Launch) -> None:
    running = holder(upkeep.settings.home)
    if running is not None and running.pid == launched.pid:
        end_supervisor(upkeep.settings.home, running.identity, Progress().tell)
    else:
        launched.process.terminate()
    launched.process.wait()
