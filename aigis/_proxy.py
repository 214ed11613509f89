"""The object that stands for a skill's path on the caller's side, and the slot through which its calls leave.

What `aigis.<name>` is depends on the process: a core worker and an internal-local plugin hold the core itself, every
other process gets paths. The process says so once, by `install`; whoever says nothing is a caller from outside.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, Callable, NoReturn, Optional, Sequence, cast

from aigis._base.errors import BusUnavailable, HomeNotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from typing import Protocol

    class Runtime(Protocol):
        """How this process reaches skills."""

        def attribute(self, path: str) -> object:
            """Return what `aigis.<path>` is here; raises SkillNotFound when there is nothing of that name."""

        def invoke(self, path: str, args: tuple[Any, ...], kwargs: dict[str, Any], **options: Any) -> Any:
            """Call the skill at `path`; the options are those of RemoteInvoker.invoke."""

        def names(self, prefix: str) -> Sequence[str]:
            """Return the names directly below `prefix`, for `dir()`."""


def _outside_runtime() -> Runtime:
    try:
        # The one deliberate late import: it brings Redis.
        from aigis._wire.remote import outside_runtime
    except (ImportError, AttributeError) as error:
        import sys

        place = getattr(sys.modules.get("redis"), "__file__", None)
        raise ImportError(
            f"aigis cannot import what it needs to call skills from here ({error}); is the module 'redis' it finds, "
            f"{place!r}, one of your own? Then rename it; else install redis into this environment"
        ) from error
    return outside_runtime(Path)


class _Slot:
    """Holds the process's one Runtime; built at the first use, so that importing aigis costs nothing."""

    def __init__(self) -> None:
        self._runtime: Optional[Runtime] = None

    def get(self) -> Runtime:
        if self._runtime is None:
            self._runtime = _outside_runtime()
        return self._runtime

    def set(self, runtime: Optional[Runtime]) -> None:
        self._runtime = runtime


_SLOT = _Slot()


def install(runtime: Optional[Runtime]) -> None:
    """Say how this process reaches skills; None returns to a caller from outside."""
    _SLOT.set(runtime)


def attribute(path: str) -> object:
    """Return what `aigis.<path>` is in this process."""
    if path.startswith("_"):
        raise AttributeError(f"module 'aigis' has no attribute {path!r}")
    return _SLOT.get().attribute(path)


def names(prefix: str) -> Sequence[str]:
    """Return the names directly below `prefix`; none where AIGIS cannot be reached."""
    try:
        return _SLOT.get().names(prefix)
    except (BusUnavailable, HomeNotFound):
        return ()


def call(path: str, args: Sequence[Any] = (), kwargs: Optional[dict[str, Any]] = None, **options: Any) -> Any:
    """Call the skill at a dotted path and return its value; the options are those of RemoteInvoker.invoke."""
    return _SLOT.get().invoke(path, tuple(args), dict(kwargs or {}), **options)


class Path:
    """A skill's path. Immutable: `m = aigis.a; m.x(); m.y()` calls `a.x`, then `a.y`."""

    __slots__ = ("__path",)
    __path: str

    def __init__(self, path: str) -> None:
        object.__setattr__(self, "_Path__path", path)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # dunder names are Python asking about the object; they never travel
            raise AttributeError(f"{self!r} has no attribute {name!r}; names with '_' in front are private")
        return _SLOT.get().attribute(f"{self.__path}.{name}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _SLOT.get().invoke(self.__path, args, kwargs)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{self!r} is a remote skill; its attributes cannot be set from here")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{self!r} is a remote skill; its attributes cannot be deleted from here")

    def __dir__(self) -> list[str]:
        return list(names(self.__path))

    def __repr__(self) -> str:
        return f"<aigis.{self.__path}>"

    def __reduce__(self) -> Any:
        return Path, (self.__path,)

    def __hash__(self) -> int:
        return hash(self.__path)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Path):
            return self.__path == other.__path
        if not isinstance(other, type):  # Python's own tools ask whether an object is this or that class
            self.__say_call_it("compared")
        return NotImplemented

    def __say_call_it(self, how: str) -> NoReturn:
        raise TypeError(f"aigis.{self.__path} cannot be {how} before it is called: write aigis.{self.__path}()")

    def __bool__(self) -> bool:
        self.__say_call_it("tested")

    def __len__(self) -> int:
        self.__say_call_it("measured")

    def __iter__(self) -> NoReturn:
        self.__say_call_it("iterated over")

    def __getitem__(self, index: object) -> NoReturn:
        self.__say_call_it("indexed")

    def __contains__(self, item: object) -> bool:
        self.__say_call_it("searched")

    def __lt__(self, other: object) -> bool:
        self.__say_call_it("compared")

    __le__ = __gt__ = __ge__ = __lt__

    def __add__(self, other: object) -> NoReturn:
        self.__say_call_it("used as a value")

    __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __mod__ = __rmod__ = __add__

    def __int__(self) -> int:
        self.__say_call_it("used as a value")

    def __float__(self) -> float:
        self.__say_call_it("used as a value")


class SkillFinder:
    """Makes `import aigis.x` work for skills, and gives `from aigis import x` its own words when there is no x."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> Optional[ModuleSpec]:
        """Return a module standing for a skill path; raises ImportError naming the near one when there is none."""
        package, _, skill = name.partition(".")
        if package != "aigis" or not skill or skill.startswith("_"):
            return None
        from importlib.machinery import ModuleSpec

        try:
            _found(skill)
        except AttributeError as error:  # SkillNotFound is one
            # Not a ModuleNotFoundError: `from aigis import x` swallows those and says less than this.
            raise ImportError(str(error), name=name) from None
        return ModuleSpec(name, cast("Any", _SkillLoader()), is_package=True)


class _SkillLoader:
    """Loader of modules that stand for skill paths."""

    @staticmethod
    def create_module(spec: ModuleSpec) -> ModuleType:
        """Return the module."""
        return _SkillModule(spec.name)

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        """Do nothing: the module looks everything up when asked."""


class _SkillModule(ModuleType):
    """What `import aigis.x` binds: it asks the namespace anew each time, so a reloaded plugin is never kept."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(_resolved(self), name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        skill: Callable[..., Any] = _resolved(self)
        return skill(*args, **kwargs)

    def __dir__(self) -> list[str]:
        return list(names(_skill_path(self)))


def _skill_path(module: ModuleType) -> str:
    return module.__name__.partition(".")[2]


def _resolved(module: ModuleType) -> Any:
    return _found(_skill_path(module))


def _found(path: str) -> Any:
    first, *rest = path.split(".")
    found: Any = attribute(first)
    for name in rest:
        found = getattr(found, name)
    return found
