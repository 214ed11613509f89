"""A core worker's process: `python -m workers`, started by a supervisor as one more of its children."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from celery import signals
from celery.apps.worker import Worker
from celery.exceptions import DuplicateTaskNameWarning, SecurityWarning

from aigis import _proxy
from aigis._base.context import CURRENT_CALL, CallContext
from aigis._base.errors import AigisError
from aigis._base.records import RecordHandler, plugin_logger, record_writer
from aigis._base.settings import Settings, read_settings
from aigis._plugin.loader import LocalPlugins
from aigis._wire import control, serializer
from aigis._wire.bus import connect, read_url
from aigis._wire.invoker import RemoteInvoker, Sender
from aigis._wire.remote import RemoteRuntime
from aigis._wire.signing import Signer, read_key
from workers.celery_app import BusTime, make_app
from workers.leases import Leases
from workers.output import attribute_output
from workers.roster import Doors, Roster
from workers.runner import Runner
from workers.runtime import WorkerRuntime
from workers.skill_task import make_task
from workers.transport import give_back_on_close, hear_of_connections
from workers.turns import Turns

_LOGGER = logging.getLogger("aigis.worker")


class RunId:
    """The run_id of the Redis this worker's consumer is connected to."""

    def __init__(self) -> None:
        self.current = ""
        self.changed: Any = lambda: None

    def note(self, client: Any) -> None:
        """Ask a new connection; called before it fetches its first message."""
        found = str(client.info("server")["run_id"])
        if found != self.current:
            self.current = found
            self.changed()


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Run a core worker until it is told to stop; return the exit code."""
    # Until the worker is up, a changed plan is read anyway; the default action would end the process.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        settings = read_settings(environ, Path.cwd())
        return CoreWorker(settings, environ).run()
    except AigisError as error:
        print(f"worker: {error}", file=sys.stderr)  # noqa: T201 - the supervisor makes a record of it
        return 2


class CoreWorker:
    """Everything one worker process is made of, wired together."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        home = settings.home
        self._settings = settings
        self._name = environ.get("AIGIS_WORKER", "worker")
        url, key = environ.get("AIGIS_REDIS") or read_url(home), read_key(home.key_file)
        self._run_id = RunId()
        self._turns = Turns()
        time = BusTime(url)
        self._app = make_app(url, key, worker=self._name)
        hear_of_connections(self._run_id.note)
        invoker = RemoteInvoker.for_home(home, Sender(settings.host, role="worker"))
        remote = RemoteRuntime(invoker, _proxy.Path)
        self._local = LocalPlugins(plugins=(), remote=remote.attribute, logger_for=plugin_logger, within=self._within)
        serializer.TRAVELLERS.version_of = self._local.version_of
        self._outputs = self._take_output(environ)
        client = connect(url)
        leases = Leases(client, f"{self._name}@{settings.host}:{os.getpid()}:{os.urandom(4).hex()}")
        self._roster = Roster(
            Doors(
                app=self._app,
                local=self._local,
                leases=leases,
                make_task=self._make_task,
                tell=lambda news: control.tell(client, key, settings.host, news),
                end_worker=self._end,
            ),
            home.plan_file,
            self._name,
            settings.import_timeout,
        )
        self._runner = Runner(
            skills=self._local,
            client=client,
            url=url,
            calls=Signer(key, "call"),
            replies=Signer(key, "reply"),
            now=time.now,
            run_id=lambda: self._run_id.current,
            worker=self._name,
            host=settings.host,
            single=self._roster.is_single,
            lease_holds=leases.holds,
            on_end=self._finish_lines,
        )
        self._run_id.changed = self._roster.tell_again
        _proxy.install(WorkerRuntime(self._local, remote, self._turns, self._roster.holds, time.now))

    def run(self) -> int:
        """Serve until told to stop; return the exit code."""
        signals.setup_logging.connect(_keep_own_logging, weak=False)
        signals.worker_ready.connect(self._on_ready, weak=False)
        signals.worker_shutting_down.connect(self._on_stopping, weak=False)
        worker = Worker(
            app=self._app,
            hostname=f"{self._name}@{self._settings.host}",
            pool="threads",
            concurrency=self._settings.threads,
            loglevel="WARNING",
            quiet=True,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )
        worker.start()
        self._roster.close()
        return int(worker.exitcode or 0)

    def _on_ready(self, sender: Any, **_: Any) -> None:
        # Celery has put its own handlers in place by now.
        signal.signal(signal.SIGUSR1, lambda *_: self._roster.look_again())
        self._roster.start(sender)

    def _on_stopping(self, **_: Any) -> None:
        self._roster.stop()
        self._turns.close()
        give_back_on_close()

    def _make_task(self, path: str, plugin: Any) -> Any:
        return make_task(
            self._app, path, plugin=plugin.name, single=plugin.single, runner=self._runner, turns=self._turns
        )

    def _end(self, reason: str) -> None:
        _LOGGER.error("this worker ends itself: %s", reason)
        os.kill(os.getpid(), signal.SIGTERM)

    def _take_output(self, environ: Mapping[str, str]) -> Any:
        writer = record_writer(environ)
        handler = RecordHandler(writer, plugin_of_file=self._local.plugin_of_file)
        logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
        logging.captureWarnings(capture=True)
        # Said by Celery of every worker of root; what it warns of, unsigned pickle, is refused here.
        warnings.filterwarnings("ignore", category=SecurityWarning)
        # A new version's tasks take the place of those whose last calls outlive the old one.
        warnings.filterwarnings("ignore", category=DuplicateTaskNameWarning)
        return attribute_output(writer)

    @contextmanager
    def _within(self, plugin: str) -> Iterator[None]:
        """Attribute what is printed and logged while a plugin is loaded or cleaned up."""
        token = CURRENT_CALL.set(CallContext(plugin=plugin))
        try:
            yield
        finally:
            self._finish_lines()
            CURRENT_CALL.reset(token)

    def _finish_lines(self) -> None:
        for stream in self._outputs:
            stream.finish_line()


def _keep_own_logging(**_: Any) -> None:
    """Do nothing: a receiver of this signal keeps Celery from configuring logging."""


if __name__ == "__main__":
    threading.current_thread().name = "aigis-main"
    sys.exit(main())
