"""Private import namespaces: a plugin's own modules live under `aigis_plugins.<plugin>`, so equal names never meet.

The mangled name is the true one (`__name__`, sys.modules), hence dataclasses, pickling by reference, logging and
inspect work. Each module of a plugin runs with a private `__builtins__` whose `__import__` maps the top-level names
found in the plugin's ENTRYPOINT to their mangled names; everything else is imported as usual. sys.path stays as it is.

Names imported *by string* from library code (`mock.patch("src.x")`, old pickles naming `src.x`) are not mapped;
`importlib.import_module` called by the plugin itself is.
"""

from __future__ import annotations

import builtins
import importlib
import linecache
import os
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import (
    ModuleSpec,
    PathFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from importlib.util import resolve_name, source_hash, spec_from_file_location
from types import ModuleType
from typing import Any, Callable, Mapping, Optional, Sequence

from aigis._base.names import PRIVATE_MODULES

PREFIX = PRIVATE_MODULES.rstrip(".")
CORE = "AIGIS_core"
"""The module name of AIGIS.core within its plugin's namespace."""

_DASH = "DASH"
# Plugin names are lower case, so a capital spelling cannot be part of one and the mapping can be reversed.


def mangle(plugin: str, module: str = "") -> str:
    """Return the name in sys.modules of a plugin's module, or of the plugin's package when no module is given."""
    segment = plugin.replace("-", _DASH)
    if segment[0].isdigit():
        segment = "_" + segment
    return f"{PREFIX}.{segment}.{module}" if module else f"{PREFIX}.{segment}"


def owner(module_name: str) -> Optional[str]:
    """Return the plugin a mangled module name belongs to, or None when it is no plugin's."""
    prefix, _, rest = module_name.partition(".")
    if prefix != PREFIX or not rest:
        return None
    segment = rest.partition(".")[0]
    return segment.removeprefix("_").replace(_DASH, "-")


def display_name(module_name: str) -> str:
    """Return a module's name as its author knows it: `aigis_plugins.feeds.src.util` is `src.util`."""
    plugin = owner(module_name)
    if plugin is None:
        return module_name
    inner = module_name[len(mangle(plugin)) + 1 :]
    return "AIGIS.core" if inner == CORE else inner or plugin


def unmangled(text: str, plugin: str) -> str:
    """Return a message with the plugin's mangled names as its author knows them."""
    package = mangle(plugin)
    return text.replace(f"{package}.{CORE}", "AIGIS.core").replace(f"{package}.", "").replace(package, plugin)


class Namespaces(MetaPathFinder):
    """The private import namespaces of a process: the one finder for all names below `aigis_plugins`."""

    def __init__(self) -> None:
        self._by_package: dict[str, _Namespace] = {}

    def add(self, plugin: str, root: str, entrypoint: str) -> None:
        """Open a namespace for a plugin; `entrypoint` is the folder its own modules are found in.

        Adding the same plugin again replaces its namespace: modules of the former folder are dropped.
        """
        self.remove(plugin)
        namespace = _Namespace(plugin, os.path.abspath(root), os.path.abspath(entrypoint))
        self._by_package[namespace.package] = namespace
        if self not in sys.meta_path:
            # The first place: the standard path finder would serve submodules without the private builtins.
            sys.meta_path.insert(0, self)

    def load_core(self, plugin: str) -> ModuleType:
        """Execute a plugin's AIGIS.core, or return it when that was done before; raises whatever the plugin raises."""
        return importlib.import_module(mangle(plugin, CORE))

    def core(self, plugin: str) -> Optional[ModuleType]:
        """Return a plugin's AIGIS.core when it has been executed to its end, else None."""
        return sys.modules.get(mangle(plugin, CORE))

    def remove(self, plugin: str) -> None:
        """Close a plugin's namespace and drop its modules, so that a later `add` runs new code."""
        package = mangle(plugin)
        namespace = self._by_package.pop(package, None)
        if namespace is None:
            return
        for name in [name for name in list(sys.modules) if name == package or name.startswith(package + ".")]:
            sys.modules.pop(name, None)
        # A package holds its modules as attributes as well.
        vars(sys.modules.get(PREFIX, namespace)).pop(package.rpartition(".")[2], None)
        _forget_folder(namespace.root)
        _forget_folder(namespace.entrypoint)
        if not self._by_package and self in sys.meta_path:
            sys.meta_path.remove(self)

    def plugin_of_file(self, path: str) -> Optional[str]:
        """Return the plugin whose runtime folder holds this file, or None."""
        file = os.path.abspath(path)
        owners = [each for each in list(self._by_package.values()) if _lies_in(file, each.root)]
        return max(owners, key=lambda each: len(each.root)).plugin if owners else None

    def find_spec(
        self, fullname: str, path: Optional[Sequence[str]] = None, target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        """Find a module below `aigis_plugins`; called by Python's import system."""
        prefix, _, rest = fullname.partition(".")
        if prefix != PREFIX:
            return None
        if not rest:
            return _package_spec(fullname, [])
        segment, _, inner = rest.partition(".")
        namespace = self._by_package.get(f"{PREFIX}.{segment}")
        return namespace.find(fullname, inner, path, target) if namespace else None


class _Namespace:
    """One plugin's names: which are its own, and how its modules are found and executed."""

    def __init__(self, plugin: str, root: str, entrypoint: str) -> None:
        self.plugin = plugin
        self.root = root
        self.entrypoint = entrypoint
        self.package = mangle(plugin)
        # A real dict: the interpreter looks builtins up faster in one than in a subclass of it.
        self.builtins: dict[str, Any] = {**vars(builtins), "__import__": self.import_}
        self._ways: dict[str, Callable[..., Any]] = {"aigis": builtins.__import__}
        self._importlib = _PrivateImportlib(self)
        _forget_folder(entrypoint)

    def find(
        self, fullname: str, inner: str, path: Optional[Sequence[str]], target: Optional[ModuleType]
    ) -> Optional[ModuleSpec]:
        if not inner:
            return _package_spec(fullname, [self.entrypoint])
        if inner == CORE:
            file = os.path.join(self.root, "AIGIS", "AIGIS.core")
            return spec_from_file_location(fullname, file, loader=_CoreLoader(self.builtins, fullname, file))
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and type(spec.loader) in (SourceFileLoader, SourcelessFileLoader):
            wanted = _SourceLoader if type(spec.loader) is SourceFileLoader else _SourcelessLoader
            spec.loader = wanted(self.builtins, fullname, str(spec.origin))
        return spec

    def import_(
        self,
        name: str,
        globals: Optional[Mapping[str, object]] = None,  # noqa: A002 - the names of the builtin it stands for
        locals: Optional[Mapping[str, object]] = None,  # noqa: A002
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> Any:
        """Stand for the builtin `__import__` in the plugin's own modules."""
        head = name.partition(".")[0]
        way = self._import_relative if level else self._ways.get(head) or self._choose_way(head)
        return way(name, globals, locals, fromlist, level)

    def import_module(self, name: str, package: Optional[str] = None) -> ModuleType:
        """Stand for importlib.import_module where the plugin calls it."""
        absolute = resolve_name(name, package) if name.startswith(".") else name
        self.import_(absolute)
        own = self._ways.get(absolute.partition(".")[0]) == self._import_own
        return sys.modules[f"{self.package}.{absolute}" if own else absolute]

    def _choose_way(self, head: str) -> Callable[..., Any]:
        if self._owns(head):
            way: Callable[..., Any] = self._import_own
        elif head == "importlib":
            way = self._import_importlib
        else:
            return self._import_foreign
        self._ways[head] = way
        return way

    def _owns(self, head: str) -> bool:
        # As where the author tried it: nothing replaces the modules built into the interpreter, and an installed
        # package wins over a mere folder (alembic/, docker/), while a module of the plugin's own wins over all else.
        if head == "aigis" or head in sys.builtin_module_names:
            return False
        spec = PathFinder.find_spec(f"{self.package}.{head}", [self.entrypoint])
        return spec is not None and (spec.origin is not None or not _is_installed(head))

    def _import_own(self, name: str, globals: Any, locals: Any, fromlist: Any, level: int) -> Any:  # noqa: A002
        try:
            leaf = builtins.__import__(f"{self.package}.{name}", globals, locals, fromlist, level)
        except ModuleNotFoundError as error:
            self._unmangle(error)
            raise
        return leaf if fromlist else sys.modules[f"{self.package}.{name.partition('.')[0]}"]

    def _import_relative(self, name: str, globals: Any, locals: Any, fromlist: Any, level: int) -> Any:  # noqa: A002
        try:
            return builtins.__import__(name, globals, locals, fromlist, level)
        except ModuleNotFoundError as error:
            self._unmangle(error)
            raise

    def _import_importlib(self, name: str, globals: Any, locals: Any, fromlist: Any, level: int) -> Any:  # noqa: A002
        module = builtins.__import__(name, globals, locals, fromlist, level)
        return self._importlib if module is importlib else module

    def _import_foreign(self, name: str, globals: Any, locals: Any, fromlist: Any, level: int) -> Any:  # noqa: A002
        head = name.partition(".")[0]
        try:
            module = builtins.__import__(name, globals, locals, fromlist, level)
        except ModuleNotFoundError as error:
            # A module the plugin has just written (a generated parser) is its own from now on.
            _forget_folder(self.entrypoint)
            if error.name != head or not self._owns(head):
                raise
        else:
            self._ways[head] = builtins.__import__
            return module
        self._ways[head] = self._import_own
        return self._import_own(name, globals, locals, fromlist, level)

    def _unmangle(self, error: ModuleNotFoundError) -> None:
        if error.name and owner(error.name) == self.plugin:
            error.name = display_name(error.name)
            error.msg = unmangled(error.msg, self.plugin)
            error.args = (error.msg,)


class _PrivateImportlib(ModuleType):
    """What a plugin gets for `import importlib`: the real one, except that names of its own modules are mapped."""

    def __init__(self, namespace: _Namespace) -> None:
        super().__init__("importlib", importlib.__doc__)
        self.import_module = namespace.import_module
        self.__import__ = namespace.import_

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib, name)

    def __dir__(self) -> list[str]:
        return dir(importlib)


class _PrivateBuiltins:
    """Mixed into a loader: its modules run with their plugin's builtins."""

    def __init__(self, private: dict[str, Any], fullname: str, path: str) -> None:
        super().__init__(fullname, path)  # type: ignore[call-arg]
        self._private = private

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__builtins__"] = self._private
        super().exec_module(module)  # type: ignore[misc]


class _SourceLoader(_PrivateBuiltins, SourceFileLoader):  # type: ignore[misc]
    """Runs a .py file; its cached bytecode is valid for its content, not for its time and size.

    A new version of a plugin is often written within the second, and copying it may keep the old times.
    """

    def path_stats(self, path: Any) -> Mapping[str, Any]:
        source = self.get_data(path)
        return {"mtime": int.from_bytes(source_hash(source)[:4], "little"), "size": len(source)}


class _SourcelessLoader(_PrivateBuiltins, SourcelessFileLoader):
    """Runs a .pyc file that came without its source."""


class _CoreLoader(_PrivateBuiltins, SourceFileLoader):  # type: ignore[misc]
    """Runs AIGIS.core, always from its source: AIGIS.config would share its bytecode cache."""

    def get_code(self, fullname: str) -> Any:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def _package_spec(name: str, path: list[str]) -> ModuleSpec:
    # Without a loader: a package that runs no code.
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = path
    return spec


def _is_installed(head: str) -> bool:
    spec = PathFinder.find_spec(head, [entry for entry in sys.path if _holds_installed(entry)])
    return spec is not None and spec.origin is not None


def _holds_installed(entry: str) -> bool:
    # Not the working directory: in an internal plugin's process that is another plugin's ENTRYPOINT.
    names = ("site-packages", "dist-packages")
    return os.path.basename(entry) in names or _lies_in(entry, os.path.dirname(os.__file__))


def _lies_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _forget_folder(folder: str) -> None:
    """Make Python read the folder's listing and its sources again."""
    for entry in list(sys.path_importer_cache):
        if _lies_in(entry, folder):
            sys.path_importer_cache.pop(entry, None)
    for file in list(linecache.cache):
        if _lies_in(file, folder):
            linecache.cache.pop(file, None)
