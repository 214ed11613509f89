"""One life of a supervisor: what starts in which order, and how it all stops in the opposite one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from aigis._base.errors import AigisError, BusUnavailable, SettingsError
from aigis._base.home import PRIVATE_FOLDER
from aigis._base.settings import Settings, read_settings
from aigis._host import events
from aigis._host.child import StrangerReaper, become_subreaper
from aigis._host.children import Children
from aigis._host.journal import JournalHandler
from aigis._host.ledger import Ledger
from aigis._host.leftovers import stop_leftovers
from aigis._host.link import BusLink
from aigis._host.lock import SupervisorLock
from aigis._host.preparation import Preparer, announce
from aigis._host.processes import Process, kill_all, members, snapshot
from aigis._host.pump import Buffer, Pump
from aigis._host.reconcile import Wanted
from aigis._host.redis_binary import find_server
from aigis._host.redis_server import (
    OWN_NAME,
    check_url,
    prepare_embedded,
    remove_runtime_folder,
    wait_until_answers,
    write_bus,
)
from aigis._host.report import Reporter
from aigis._host.restart import RestartPolicy
from aigis._host.state import HostState
from aigis._host.supervisor import Supervisor
from aigis._host.usage import UsageMeter
from aigis._wire.bus import without_password
from aigis._wire.signing import ensure_key

TICK = 2.0
"""Seconds between two looks at the process table."""
EMBEDDED_LIMIT = 60.0
"""Seconds the embedded server may take to read its data."""
GIVEN_LIMIT = 10.0
"""Seconds a given server may take to answer."""
EMBEDDED_TRIES = 3

_LOGGER = logging.getLogger("aigis.supervisor")


async def run(settings: Settings, environ: Mapping[str, str], *, workers: int | None = None) -> None:
    """Be this home's supervisor until a signal asks for the end.

    `workers` is the count of `up --workers N`. Raises AigisError when it cannot start; nothing is left running then.
    """
    with SupervisorLock(settings.home) as lock:
        settings.home.state.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        cleared = await asyncio.to_thread(stop_leftovers, settings.home)
        if cleared.survivors:
            raise AigisError(f"of an earlier run there still is {', '.join(cleared.survivors)}; stop it by hand")
        if cleared.stopped:
            _LOGGER.warning("stopped what an earlier run had left: %s", ", ".join(cleared.stopped))
        become_subreaper()
        await _Life(settings, environ, workers, lock).live()


class _Life:
    """The pieces of one supervisor, put together."""

    def __init__(
        self, settings: Settings, environ: Mapping[str, str], workers: int | None, lock: SupervisorLock
    ) -> None:
        self._home = settings.home
        self._lock = lock
        self._key = _key(settings.home.key_file)
        self._inbox: asyncio.Queue[events.Event] = asyncio.Queue()
        self._buffer = Buffer()
        self._link: BusLink | None = None
        self._handler = JournalHandler(self._buffer.add, settings.host)
        self._pump = Pump(self._buffer, settings.host, congested=self._congested)
        self._children = Children(Ledger(settings.home), self._pump, self._post)
        self._state = HostState(settings, environ, asked_workers=workers)
        self._state.plugins = {plugin.name: plugin for plugin in announce(settings)}
        self._reporter = Reporter(self._state, self._children)
        self._preparer = Preparer(environ, self._post)
        self._supervisor = Supervisor(
            self._state,
            self._children,
            self._reporter,
            self._preparer,
            self._inbox,
            lambda: read_settings(environ, settings.home.root),
        )
        self._stop_asked = asyncio.Event()

    async def live(self) -> None:
        """Start everything in order, wait for the end, stop everything in order."""
        logging.getLogger("aigis").addHandler(self._handler)
        tasks = [asyncio.create_task(self._supervisor.consume(), name="supervisor")]
        with _signals(self._on_signal):
            try:
                self._supervisor.prepare()
                if await self._start_bus():
                    tasks.append(asyncio.create_task(self._tick(), name="tick"))
                    await self._supervisor.quiet.wait()
            finally:
                await self._end()
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                logging.getLogger("aigis").removeHandler(self._handler)

    async def _start_bus(self) -> bool:
        """Bring Redis up and link to it; False when the end is asked for before it answers."""
        starting = asyncio.create_task(self._reach_redis(), name="start of Redis")
        asked = asyncio.create_task(self._stop_asked.wait())
        await asyncio.wait([starting, asked], return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if not starting.done():
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            return False
        await starting
        return True

    async def _reach_redis(self) -> None:
        given = self._state.settings.redis_url
        url = await self._reach_given(given) if given else await self._reach_embedded()
        write_bus(self._home, url)
        self._link = BusLink(
            url, self._key, self._state.settings.host, self._buffer, self._reporter.publication, self._post
        )
        self._supervisor.begin(self._link, await self._link.read_wishes())
        self._link.start()

    async def _reach_given(self, url: str) -> str:
        check_url(url)
        try:
            server = await wait_until_answers(url, limit=GIVEN_LIMIT)
        except BusUnavailable as error:
            raise AigisError(
                f"the Redis given by AIGIS_REDIS or aigis.toml, {without_password(url)!r}, does not answer: "
                f"{error.__cause__ or error}; start it, or correct the URL"
            ) from error
        self._post(events.BusAnswered(server))
        return url

    async def _reach_embedded(self) -> str:
        server = await asyncio.to_thread(find_server, self._home, search_path=self._state.environ.get("PATH"))
        embedded = prepare_embedded(self._home, server, self._state.environ)
        self._state.redis = Wanted(embedded.spec, RestartPolicy(always=True))
        self._post(events.Tick())

        def alive() -> bool:
            kept = self._children.kept.get(OWN_NAME)
            return kept is None or kept.restarts + 1 < EMBEDDED_TRIES or kept.child is not None

        try:
            answer = await wait_until_answers(embedded.url, limit=EMBEDDED_LIMIT, alive=alive)
        except BusUnavailable as error:
            raise AigisError(self._why_no_redis(server.program)) from error
        self._post(events.BusAnswered(answer))
        return embedded.url

    def _why_no_redis(self, program: Path) -> str:
        kept = self._children.kept.get(OWN_NAME)
        why = kept.reason if kept is not None and kept.reason else "it does not answer"
        said = self._buffer.last_words(OWN_NAME)
        return f"the embedded Redis ({program}) does not come up: {why}{'; it said: ' if said else ''}{said}"

    async def _end(self) -> None:
        self._preparer.stop()
        try:
            await self._close_link()
        finally:
            self._supervisor.end_everything()
            await self._supervisor.ended.wait()
            await asyncio.to_thread(kill_all, _adopted)
            await self._pump.close()
            # Where the lock is lost, these files are another supervisor's by now.
            if not self._lock.lost():
                self._withdraw_bus()
        _LOGGER.info("stopped", extra={"action": "down"})

    def _withdraw_bus(self) -> None:
        with contextlib.suppress(OSError):  # on a read-only disk it stays, and leads nowhere
            self._home.bus_file.unlink(missing_ok=True)
        if self._state.redis is not None:
            remove_runtime_folder(self._home)

    async def _close_link(self) -> None:
        if self._link is not None:
            self._reporter.down = True
            await self._link.close()

    async def _tick(self) -> None:
        meter, reaper = UsageMeter(), StrangerReaper()
        while True:
            await asyncio.sleep(TICK)
            table = await asyncio.to_thread(snapshot)
            self._reporter.usage = meter.measure(table, self._children.pids())
            reaper.look(table, self._children.pids())
            self._look_at_lock()
            self._post(events.Tick())

    def _look_at_lock(self) -> None:
        """End in order when `.aigis` was deleted: the next `up` would start a second supervisor beside this one."""
        if not self._stop_asked.is_set() and self._lock.lost():
            reason = f"its lock {str(self._home.lock_file)!r} was deleted or replaced"
            _LOGGER.error("this supervisor no longer owns its home: %s", reason)
            self._on_signal(reason)

    def _post(self, event: events.Event) -> None:
        self._inbox.put_nowait(event)

    def _congested(self) -> bool:
        return self._link is not None and self._link.shipper.congested

    def _on_signal(self, reason: str) -> None:
        self._stop_asked.set()
        self._post(events.StopAsked(reason))


def _key(file: Path) -> bytes:
    try:
        return ensure_key(file)
    except IsADirectoryError as error:
        raise SettingsError(
            f"the key file {str(file)!r} is a directory: remove it, or name the key's file in AIGIS_KEY"
        ) from error


def _adopted() -> list[Process]:
    """Return what still runs below us: the system made us the parent of what had left its own tree."""
    table = snapshot()
    me = os.getpid()
    return members(table, leaders={p.pid for p in table.values() if p.parent == me and p.pid != me})


@contextlib.contextmanager
def _signals(on_signal: Callable[[str], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, on_signal, number.name)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
