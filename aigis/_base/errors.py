"""Every error AIGIS raises, in one tree.

    AigisError
    ├── CallError                 a call ended without the skill's value or exception
    │   ├── WorkerLost            the worker vanished; `started` is yes, no or unknown
    │   ├── SkillTimeout          the deadline passed (also a TimeoutError)
    │   ├── ReplyError            the skill ran; its reply could not be read here
    │   └── Refused               the call was not started
    │       ├── SkillNotFound     (also an AttributeError)
    │       ├── PluginDisabled
    │       ├── NoWorker
    │       ├── Overloaded
    │       ├── BusUnavailable    (also a ConnectionError)
    │       │   └── NotRunning    no AIGIS runs in this home
    │       ├── CallTooDeep       (also a RecursionError)
    │       └── Cancelled
    ├── NotPicklable              a value cannot travel; `path` names the culprit (also a TypeError)
    ├── MessageRejected           a message was unsigned, altered, expired or of another protocol
    ├── PermissionDenied          (also a PermissionError)
    ├── RemoteError               a skill's exception whose class does not exist here
    ├── PluginError               a plugin cannot be prepared, loaded or started
    ├── HomeNotFound
    └── SettingsError

A class's docstring is its default text. Facts are attributes, so that no caller parses a message.
"""

from __future__ import annotations

from typing import Any, Optional


class AigisError(Exception):
    """Something in AIGIS went wrong."""

    def __init__(self, message: Optional[str] = None, **facts: Any) -> None:
        super().__init__(message or type(self).__doc__)
        self.__dict__.update(facts)

    def __reduce__(self) -> Any:
        return _rebuild, (type(self), self.args, dict(self.__dict__))


def _rebuild(cls: type[AigisError], args: tuple[Any, ...], facts: dict[str, Any]) -> AigisError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(facts)
    return error


class CallError(AigisError):
    """The call ended without the skill's value or exception."""


class WorkerLost(CallError):
    """The worker that held the call is gone; whether the skill started is in `started`."""

    started: str = "unknown"
    """'yes', 'no' or 'unknown'."""


class SkillTimeout(CallError, TimeoutError):
    """The call's deadline passed before a reply came."""


class ReplyError(CallError):
    """The skill ran, but its reply cannot be read in this process."""


class Refused(CallError):
    """The call was refused and not started."""


class SkillNotFound(Refused, AttributeError):
    """No such skill."""


class PluginDisabled(Refused):
    """The plugin that has this skill is disabled."""


class NoWorker(Refused):
    """No worker serves this skill and none is expected to."""


class Overloaded(Refused):
    """Too many calls wait for this plugin already."""


class BusUnavailable(Refused, ConnectionError):
    """Redis cannot be reached or refuses to store the call."""


class NotRunning(BusUnavailable):
    """AIGIS is not running here."""


class CallTooDeep(Refused, RecursionError):
    """The chain of nested calls is too long."""

    chain: tuple[str, ...] = ()


class Cancelled(Refused):
    """The call was cancelled before it started."""


class NotPicklable(AigisError, TypeError):
    """The value cannot be sent to another process."""

    path: str = ""
    """Where in the value the culprit lies, as an expression such as `['a'][0]`."""


class MessageRejected(AigisError):
    """The message was refused before any of it was unpickled."""


class PermissionDenied(AigisError, PermissionError):
    """This plugin may not do that."""


class RemoteError(AigisError):
    """A skill raised an exception whose class does not exist in this process."""


class PluginError(AigisError):
    """A plugin cannot be prepared, loaded or started."""


class HomeNotFound(AigisError):
    """No AIGIS home was found."""


class SettingsError(AigisError):
    """The settings of this home are wrong."""


PUBLIC = (
    AigisError, CallError, WorkerLost, SkillTimeout, ReplyError, Refused, SkillNotFound, PluginDisabled, NoWorker,
    Overloaded, BusUnavailable, NotRunning, CallTooDeep, Cancelled, NotPicklable, MessageRejected, PermissionDenied,
    RemoteError,
)  # fmt: skip
"""The errors a plugin may meet: each is reachable as `aigis.<Name>`."""
