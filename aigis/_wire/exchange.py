"""Sending calls and receiving their replies, for all threads of one process over one reply list.

No thread of our own waits for replies: of the threads that wait, one leads. It reads the list, hands the others
theirs, and passes the lead on when its own reply has come. With a single caller, request and wait are one round trip
and no thread switch.
"""

from __future__ import annotations

import threading
import time
import uuid
from typing import Any, Callable, Optional, Sequence

import redis

from aigis._base.errors import BusUnavailable
from aigis._wire import keys
from aigis._wire.bus import CONNECT_TIMEOUT, connect, response, translated, unavailable

BLOCK = 1.0
"""Seconds one wait in Redis lasts; after each the caller looks whether its call still makes sense."""
ID_BYTES = 32
"""A reply begins with its call's id in hexadecimal, so that a leader can hand it over unread."""
ANSWER_MARGIN = 2.0
"""Seconds Redis may be late with the answer to a wait; a deadline is overrun by no more than this."""
RECONNECT_PAUSE = 0.2

RedisCommand = tuple[Any, ...]


class Slot:
    """Where one waiting caller finds its reply."""

    def __init__(self, admit: Callable[[bytes], Any]) -> None:
        self.admit = admit
        self.reply: Any = None
        self.wake = threading.Event()


class Exchange:
    """The reply list of this process and the connections around it; not to be used after a fork."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._sender = connect(url)
        self._reader = connect(url, timeout=BLOCK + ANSWER_MARGIN)
        self._connection: Any = None
        self._slots: dict[str, Slot] = {}
        self._leading = threading.Lock()
        self.reply_to = keys.reply_list(uuid.uuid4().hex)
        self.generation = -1
        """Of the catalog, as last seen beside a call."""
        self.run_id = ""
        """Of the Redis the reader is connected to."""
        self.reachable = True
        """Whether Redis answered when last asked."""

    def exchange(
        self,
        call_id: str,
        commands: Sequence[RedisCommand],
        until: float,
        look: Callable[[], None],
        admit: Callable[[bytes], Any] = lambda blob: blob,
    ) -> Any:
        """Send `commands` once and return the reply of `call_id`, or None when `until` (monotonic) has passed.

        `look` is called after each second without a reply and may raise to give the call up. `admit` is given what
        came for the call and returns the reply, or None for what is none: then the wait goes on. It may be called in
        another thread. Raises BusUnavailable when the commands were refused or could not be sent; once they may have
        been sent, only the reply counts.
        """
        slot = self._slots[call_id] = Slot(admit)
        try:
            if self._leading.acquire(blocking=False):
                try:
                    self._lead(slot, commands, until, look)
                finally:
                    self._pass_on(slot)
            else:
                self._send(commands)
            while slot.reply is None and time.monotonic() < until:
                self._follow(slot, until, look)
            return slot.reply
        finally:
            del self._slots[call_id]

    def remove(self, queue: str, message: bytes) -> bool:
        """Take a message back; True means that no worker has it or will ever have it."""
        with translated(self._url):
            return bool(self._sender.lrem(queue, 1, message))  # type: ignore[arg-type]

    def client(self) -> redis.Redis:
        """Return the connection pool for short commands."""
        return self._sender

    def _follow(self, slot: Slot, until: float, look: Callable[[], None]) -> None:
        """Wait for the leader to bring the reply, or to hand over the lead."""
        slot.wake.wait(max(0.0, min(BLOCK, until - time.monotonic())))
        slot.wake.clear()
        if slot.reply is not None:
            return
        look()
        if self._leading.acquire(blocking=False):
            try:
                self._lead(slot, (), until, look)
            finally:
                self._pass_on(slot)

    def _lead(self, slot: Slot, commands: Sequence[RedisCommand], until: float, look: Callable[[], None]) -> None:
        if commands:
            self._round(commands, until)
        while slot.reply is None and time.monotonic() < until:
            look()
            try:
                self._round((), until)
            except BusUnavailable:
                # The call is on its way; only its deadline or `look` ends the wait for it.
                time.sleep(min(RECONNECT_PAUSE, max(0.0, until - time.monotonic())))

    def _pass_on(self, own: Optional[Slot]) -> None:
        self._leading.release()
        for slot in list(self._slots.values()):
            if slot is not own and slot.reply is None:
                slot.wake.set()
                return

    def _round(self, commands: Sequence[RedisCommand], until: float) -> None:
        """Send commands, ask for the catalog's generation, wait for one reply: all in one write."""
        block = max(0.01, min(BLOCK, until - time.monotonic()))
        wait = [("GET", keys.CATALOG_GENERATION), ("BRPOP", self.reply_to, f"{block:.3f}")]
        connection = self._connected()
        try:
            connection.send_packed_command(connection.pack_commands([*commands, *wait]), check_health=False)
            refused = [error for error in (response(connection) for _ in commands) if isinstance(error, Exception)]
            generation, popped = response(connection), response(connection)
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError) as error:
            self._disconnect()
            if commands:
                # They may have been stored: from here on only the reply, or its absence, tells.
                return
            raise unavailable(self._url, error) from error
        except BaseException:
            self._disconnect()
            raise
        self.reachable = True
        self._saw(generation)
        self._deliver(popped)
        if refused:
            raise unavailable(self._url, refused[0])
        if isinstance(popped, Exception) and not commands:
            raise unavailable(self._url, popped)  # Redis refuses to wait; asking again at once would never pause

    def _send(self, commands: Sequence[RedisCommand]) -> None:
        with translated(self._url):
            connection: Any = self._sender.connection_pool.get_connection()
        # Connected by now: an error from here on may come after the commands were stored.
        try:
            packed = connection.pack_commands([*commands, ("GET", keys.CATALOG_GENERATION)])
            connection.send_packed_command(packed, check_health=False)
            *responses, generation = [response(connection) for _ in (*commands, None)]
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError):
            connection.disconnect()
            return
        except BaseException:
            connection.disconnect()
            raise
        finally:
            self._sender.connection_pool.release(connection)
        for answer in responses:
            if isinstance(answer, Exception):
                raise unavailable(self._url, answer)
        self._saw(generation)

    def _saw(self, generation: Any) -> None:
        if not isinstance(generation, Exception):
            self.generation = int(generation or 0)

    def _deliver(self, popped: Any) -> None:
        if popped is None or isinstance(popped, Exception):
            return
        blob: bytes = popped[1]
        slot = self._slots.get(blob[:ID_BYTES].decode("ascii", "replace"))
        if slot is not None:  # else its caller has given up
            slot.reply = slot.admit(blob[ID_BYTES:])
            slot.wake.set()

    def _connected(self) -> Any:
        if self._connection is None:
            with translated(self._url):
                connection: Any = self._reader.connection_pool.get_connection()
                connection.send_command("INFO", "server")
                run_id = _run_id(connection.read_response())
            self._connection = connection
            self.run_id = run_id
        return self._connection

    def connect(self) -> None:
        """Connect where no connection stands, so that `run_id` is that of now; raises BusUnavailable."""
        if not self._lead_or_connection():
            return
        try:
            if self._connection is not None and self._has_ended(self._connection):
                self._disconnect()
            self._connected()
        finally:
            self._pass_on(None)

    def _lead_or_connection(self) -> bool:
        """Take the lead and return True, or return False as soon as whoever leads has a connection.

        Raises BusUnavailable when the leader tries in vain: its call is on its way and may wait, a new one need not.
        """
        until = time.monotonic() + CONNECT_TIMEOUT
        while not self._leading.acquire(timeout=RECONNECT_PAUSE if self._connection is None else 0):
            if self._connection is not None:
                return False
            if time.monotonic() > until:
                raise unavailable(self._url, TimeoutError("calls on their way wait for it as well"))
        return True

    @staticmethod
    def _has_ended(connection: Any) -> bool:
        """Tell whether the other side has closed an idle connection: only then is there something to read."""
        try:
            return bool(connection.can_read(timeout=0))
        except (redis.exceptions.RedisError, OSError):
            return True

    def _disconnect(self) -> None:
        self.reachable = False
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()
            self._reader.connection_pool.release(connection)


def _run_id(info: Any) -> str:
    text = info.decode() if isinstance(info, bytes) else str(info)
    return next(line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("run_id:"))
