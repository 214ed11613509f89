"""Which call the running code belongs to: set where a skill runs, read where it calls on or logs."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class CallContext:
    """The call that is being run here."""

    plugin: str
    id: str = ""
    path: str = ""
    deadline: float = float("inf")
    """Redis' time by which the call must have ended."""
    chain: tuple[str, ...] = ()
    """Paths of the calls it is nested in, itself last."""
    single: frozenset[str] = frozenset()
    """SINGLE plugins whose turn this thread has."""


CURRENT_CALL: ContextVar[Optional[CallContext]] = ContextVar("aigis_current_call", default=None)
"""A context variable, so that coroutines and threads each see their own call."""
