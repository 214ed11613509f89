"""The namespace of all skills: `import aigis; aigis.backloggery.getFortuneCookie("zaltu")`.

Every name below `aigis.` that is not one of the errors listed here, or `calls`, is looked up among the skills of the
plugins that run. The line means the same in a core plugin, in an internal plugin on any host, and in a Python shell
started in a home.
"""
# No `from __future__` here: it would bind a public name, and public names of this module belong to skills.

import sys as _sys
import typing as _typing

from aigis import _proxy as _proxy
from aigis import calls as calls
from aigis._base.errors import AigisError as AigisError
from aigis._base.errors import BusUnavailable as BusUnavailable
from aigis._base.errors import CallError as CallError
from aigis._base.errors import CallTooDeep as CallTooDeep
from aigis._base.errors import Cancelled as Cancelled
from aigis._base.errors import MessageRejected as MessageRejected
from aigis._base.errors import NotPicklable as NotPicklable
from aigis._base.errors import NotRunning as NotRunning
from aigis._base.errors import NoWorker as NoWorker
from aigis._base.errors import Overloaded as Overloaded
from aigis._base.errors import PermissionDenied as PermissionDenied
from aigis._base.errors import PluginDisabled as PluginDisabled
from aigis._base.errors import Refused as Refused
from aigis._base.errors import RemoteError as RemoteError
from aigis._base.errors import ReplyError as ReplyError
from aigis._base.errors import SkillNotFound as SkillNotFound
from aigis._base.errors import SkillTimeout as SkillTimeout
from aigis._base.errors import WorkerLost as WorkerLost

_sys.meta_path.append(_proxy.SkillFinder())


def __getattr__(name: str) -> _typing.Any:
    return _proxy.attribute(name)


def __dir__() -> "list[str]":
    return sorted({name for name in globals() if not name.startswith("_")} | set(_proxy.names("")))
