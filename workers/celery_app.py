"""The Celery app: its settings, each with its reason."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from celery import Celery

from aigis._base.home import find_home
from aigis._wire.bus import BusClock, connect, read_url, redis_now
from aigis._wire.keys import PREFIX
from aigis._wire.signing import Signer, read_key
from workers import serializers
from workers.transport import broker_url, log_in_as

PREFETCH = 4
"""Calls fetched ahead per thread: hides the round trip of a fetch, and bounds what a killed worker takes with it."""


def app_of_this_home() -> Celery:
    """Return the app of the home this process runs in; raises HomeNotFound or NotRunning."""
    home = find_home(os.environ, Path.cwd())
    url = os.environ.get("AIGIS_REDIS") or read_url(home)
    return make_app(url, read_key(home.key_file))


def make_app(url: str, key: bytes, *, worker: str = "") -> Celery:
    """Return the app of one process."""
    clock = BusTime(url)
    serializers.register_serializers(Signer(key, serializers.CONTROL_LABEL), clock.now)
    log_in_as(url)
    app = Celery("aigis", broker=broker_url(url), backend="workers.replies:ReplyBackend", set_as_current=False)
    # Not settings: Celery shows those to whoever inspects a worker.
    app.aigis = Cluster(url, key, worker)
    app.conf.update(
        accept_content=[serializers.CALL, serializers.CONTROL],
        task_serializer=serializers.CONTROL,  # remote control is sent with this one
        result_serializer=serializers.CONTROL,
        broker_transport_options={
            "global_keyprefix": PREFIX,
            "ack_emulation": False,  # no unacked table: a call is run at most once, and each ack costs two round trips
            "priority_steps": [0],  # one list per queue, not four
            "socket_timeout": 15,
            "socket_connect_timeout": 3,
            "health_check_interval": 10,
        },
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # Redis may be away for as long as it likes
        worker_prefetch_multiplier=PREFETCH,
        worker_enable_prefetch_count_reduction=False,
        worker_disable_rate_limits=True,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,  # output becomes records of the plugin that wrote it
        worker_consumer="workers.consumer:Consumer",
        # A worker must consume something before the first plugin is loaded; nobody sends to this queue.
        task_default_queue=f"aigis.idle.{worker or 'none'}",
        task_publish_retry=False,  # a message whose fate is unknown is never sent again
        result_backend_thread_safe=True,
        control_queue_ttl=60,
        control_queue_expires=60,
    )
    app.finalize()
    forget_builtin_tasks(app)
    return app


def forget_builtin_tasks(app: Celery) -> None:
    """Drop Celery's own tasks: a message may name nothing but skills."""
    for name in [name for name in app.tasks if name.startswith("celery.")]:
        app.tasks.pop(name)


@dataclass(frozen=True)
class Cluster:
    """What the app's own parts need to know."""

    url: str = field(repr=False)
    key: bytes = field(repr=False)
    worker: str = ""


class BusTime:
    """Redis' time, asked for at the first use."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._clock: BusClock | None = None

    def now(self) -> float:
        """Return Redis' time in seconds."""
        if self._clock is None:
            self._clock = BusClock(redis_now(connect(self._url)))
        return self._clock.now()
