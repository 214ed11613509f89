"""The object `aigis.<branch>` is where the core is loaded: an inner node of the tree of skills."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Sequence

from aigis._base.errors import NotPicklable, SkillNotFound

if TYPE_CHECKING:
    from typing import Protocol

    class Tree(Protocol):
        """What a branch asks for the names below it."""

        def member(self, path: str) -> object:
            """Return the object at a path; raises an AttributeError when there is none."""

        def names(self, prefix: str) -> Sequence[str]:
            """Return the names directly below a path."""


class Branch:
    """A dotted name with skills below it. It asks the tree at every use, so it outlives a reload of its plugins.

    The tree keeps in `__dict__` what may be found without asking, and empties it when plugins come or go.
    """

    __slots__ = ("__dict__", "__path", "__tree")
    __path: str
    __tree: Tree

    def __init__(self, path: str, tree: Tree) -> None:
        object.__setattr__(self, "_Branch__path", path)
        object.__setattr__(self, "_Branch__tree", tree)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # Python and its tools asking about the object; no skill is meant
            raise AttributeError(f"{self!r} has no attribute {name!r}")
        return self.__tree.member(f"{self.__path}.{name}")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"'aigis.{self.__path}.{name}' cannot be set from here: skills belong to their plugin")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"'aigis.{self.__path}.{name}' cannot be deleted: skills belong to their plugin")

    def __dir__(self) -> list[str]:
        return list(self.__tree.names(self.__path))

    def __repr__(self) -> str:
        return f"<aigis.{self.__path}>"

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        raise SkillNotFound(f"{self.__path!r} is no skill: below it are {', '.join(dir(self)) or 'none yet'}")

    def __reduce__(self) -> NoReturn:
        raise NotPicklable(f"'aigis.{self.__path}' cannot travel: it is no skill but a branch; send its name as text")
