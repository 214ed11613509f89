"""The consumer: refuses what is not ours in one line, and goes on."""

from __future__ import annotations

import logging
from typing import Any

from celery.worker.consumer import Consumer as CeleryConsumer

_LOGGER = logging.getLogger("aigis.worker")


class Consumer(CeleryConsumer):
    """Celery's consumer, telling of refused messages in one line instead of a traceback and a dump of the body."""

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Drop a message that is unsigned, altered, late, or of a foreign kind."""
        self._refuse(message, exc)
        message.ack()

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        """Drop a message of a content type no worker accepts."""
        self._refuse(message, exc)
        message.reject_log_error(_LOGGER, self.connection_errors)

    def on_unknown_message(self, body: Any, message: Any) -> None:
        """Drop a message that is no call at all."""
        self._refuse(message, ValueError("it is neither a call nor remote control"))
        message.reject_log_error(_LOGGER, self.connection_errors)

    @staticmethod
    def _refuse(message: Any, reason: Exception) -> None:
        place = (message.delivery_info or {}).get("routing_key") or "remote control"
        _LOGGER.warning("message refused on %s: %s", place, reason, extra={"action": "refuse"})
