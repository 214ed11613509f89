"""What can happen to a supervisor: everything that its loop hears of, and nothing else changes its state."""

from __future__ import annotations

from dataclasses import dataclass

from aigis._base.messages import Command, WorkerNews
from aigis._host.plugins import Plugin
from aigis._plugin.environment import Environment


@dataclass(frozen=True)
class ChildEnded:
    """A child's leader has ended, its tree is gone and its output was read."""

    name: str
    generation: int
    code: int | None
    up_for: float
    survivors: tuple[int, ...] = ()
    """Processes of its tree that did not even obey SIGKILL."""


@dataclass(frozen=True)
class ChildUp:
    """A child has stayed up for a moment."""

    name: str
    generation: int


@dataclass(frozen=True)
class RetryDue:
    """The delay before a child's next start is over."""

    name: str
    attempt: int


@dataclass(frozen=True)
class BusAnswered:
    """Redis answers, for the first time or again."""

    server: str
    """What it says it is."""


@dataclass(frozen=True)
class BusLost:
    """Redis does not answer any more."""

    reason: str


@dataclass(frozen=True)
class PluginsPrepared:
    """The home's plugins have been prepared, each well or not; they come in load order."""

    plugins: tuple[Plugin, ...]
    core_environment: Environment
    """Of the core workers."""
    only: str = ""
    """Name of the one plugin that was meant; '' for all."""


@dataclass(frozen=True)
class PreparationFailed:
    """No plugin could be prepared, for a reason that lies with none of them."""

    reason: str


@dataclass(frozen=True)
class CatalogPublished:
    """The catalog in Redis is as the supervisor wants it: names are reserved."""

    off: frozenset[str] = frozenset()
    """Plugins whose skills it shows as withdrawn."""


@dataclass(frozen=True)
class CommandCame:
    """The operator asks for something."""

    command: Command


@dataclass(frozen=True)
class NewsCame:
    """A worker tells something."""

    news: WorkerNews


@dataclass(frozen=True)
class StopAsked:
    """A signal asks for the orderly end."""

    reason: str


@dataclass(frozen=True)
class Tick:
    """Two seconds have passed."""


Event = (
    ChildEnded
    | ChildUp
    | RetryDue
    | BusAnswered
    | BusLost
    | PluginsPrepared
    | PreparationFailed
    | CatalogPublished
    | CommandCame
    | NewsCame
    | StopAsked
    | Tick
)
