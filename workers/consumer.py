"""The consumer: refuses what is not ours in one line, and goes on."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

from celery.exceptions import NotRegistered
from celery.worker.consumer import Consumer as CeleryConsumer

_LOGGER = logging.getLogger("aigis.worker")


class Consumer(CeleryConsumer):
    """Celery's consumer, telling of refused messages in one line instead of a traceback and a dump of the body."""

    def create_task_handler(self, *args: Any, **options: Any) -> Any:
        """Return Celery's handler of received messages, which lives through whatever an unsigned header says."""
        handle = super().create_task_handler(*args, **options)

        def on_task_received(message: Any) -> None:
            try:
                handle(message)
            except self.connection_errors:
                raise
            except Exception as error:  # the boundary to what anybody may have written
                self.on_invalid_task(None, message, error)

        return on_task_received

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

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
        """Answer a call of a skill that is not loaded here."""
        name, call_id = message.headers["task"], message.headers.get("id", "")
        self._refuse(message, LookupError(f"no skill {name!r} is loaded here"))
        message.reject_log_error(_LOGGER, self.connection_errors)
        request = SimpleNamespace(reply_to=message.properties.get("reply_to"))
        self.app.backend.store_result(call_id, NotRegistered(name), "FAILURE", request=request)

    @staticmethod
    def _refuse(message: Any, reason: Exception) -> None:
        place = (message.delivery_info or {}).get("routing_key") or "remote control"
        _LOGGER.warning("message refused on %s: %s", place, reason, extra={"action": "refuse"})
