"""How a received call gets to the pool: at once, or when it is its plugin's turn."""

from __future__ import annotations

import logging
from typing import Any

from celery.worker.strategy import default

_LOGGER = logging.getLogger("aigis.worker")


def in_turn(task: Any, app: Any, consumer: Any, **options: Any) -> Any:
    """Return Celery's own handler for a skill, handing requests of a SINGLE plugin over one at a time."""
    if not task.single:
        return default(task, app, consumer, **options)
    return default(task, app, _InTurn(consumer, task), **options)


class _InTurn:
    """The consumer as the handler sees it, with one door replaced."""

    def __init__(self, consumer: Any, task: Any) -> None:
        self._consumer = consumer
        self._task = task

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)

    def on_task_request(self, request: Any) -> None:
        self._task.turns.submit(self._task.plugin, lambda: self._start(request))

    def _start(self, request: Any) -> None:
        """Hand a request to the pool; one that does not get there must not keep the turn, nor end who started it."""
        try:
            if not request.revoked():
                self._consumer.on_task_request(request)
                return
        except Exception as error:
            _LOGGER.warning("call of %s refused: %s", request.name, error, extra={"action": "refuse"})
            request.reject()
        self._task.turns.done(self._task.plugin)
