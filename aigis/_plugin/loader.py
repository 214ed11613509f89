"""The core plugins of a process: loaded one after another, found by the names of their skills."""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
from typing import Any, Callable, ContextManager, Iterable, Mapping, NamedTuple, Optional, Sequence

from aigis._base.errors import PluginDisabled, PluginError, SkillNotFound
from aigis._base.messages import LoadReport, PlannedPlugin
from aigis._base.names import did_you_mean
from aigis._plugin.branch import Branch
from aigis._plugin.clashes import find_clash
from aigis._plugin.execution import Execution
from aigis._plugin.exposed import is_below
from aigis._plugin.loaded import LoadedPlugin
from aigis._plugin.namespace import Namespaces, owner
from aigis._plugin.skill_tree import SkillTree, Spot, names_below

_MISSING = object()


class NotLocal(LookupError):
    """Nothing that belongs in this process has this path.

    `reason` says why when a plugin that reserved the path failed to load here, else it is empty.
    """

    def __init__(self, path: str, reason: str = "") -> None:
        super().__init__(path)
        self.path = path
        self.reason = reason


class Found(NamedTuple):
    """A path within a loaded plugin: `leaf` is the listed skill, `rest` the names below it."""

    plugin: PlannedPlugin
    leaf: str
    rest: tuple[str, ...]


class Changes(NamedTuple):
    """What a new plan asks for: first `unload` in that order, then `load` in that order."""

    unload: tuple[str, ...]
    load: tuple[str, ...]


class LocalPlugins:
    """The plugins of a plan in this process.

    `hybrids_local`: whether `aigis.` gives skills of plugins that also run as a process of their own as objects, as in
    a core worker of their host. SINGLE plugins are never given so, though `load` loads one and `call_skill` calls it.
    `remote`: gives what stands for a dotted path that is not local, for names below a branch of local ones.
    `logger_for`: gives a plugin's logger. `within`: a context entered while code of a plugin runs at loading and
    unloading, given the plugin's name. `patience`: seconds a thread or child may take to end after an import.
    """

    def __init__(
        self,
        *,
        plugins: Sequence[PlannedPlugin],
        hybrids_local: bool = True,
        remote: Optional[Callable[[str], object]] = None,
        logger_for: Callable[[str], logging.Logger] = lambda name: logging.getLogger(f"aigis.plugin.{name}"),
        within: Callable[[str], ContextManager[object]] = contextlib.nullcontext,
        patience: float = 0.2,
    ) -> None:
        self._plan = {plugin.name: plugin for plugin in plugins}
        self._hybrids_local = hybrids_local
        self._remote = remote
        self._namespaces = Namespaces()
        self._execution = Execution(
            namespaces=self._namespaces, logger_for=logger_for, within=within, patience=patience
        )
        self._reports: dict[str, tuple[PlannedPlugin, LoadReport]] = {}
        self._loaded: dict[str, LoadedPlugin] = {}
        self._lock = threading.RLock()
        self._loading: list[str] = []
        self._loading_thread: Optional[int] = None
        self._memory = _Memory()
        self._grow_trees()

    # What is loaded.

    @property
    def loaded(self) -> tuple[str, ...]:
        """The names of the plugins loaded here, in the order they were."""
        return tuple(self._loaded)

    def reports(self) -> tuple[LoadReport, ...]:
        """Return how loading ended for every plugin tried so far, in load order."""
        return tuple(self._reports[name][1] for name in list(self._plan) if name in self._reports)

    def version_of(self, module_name: str) -> Optional[str]:
        """Return the version of the loaded plugin a module belongs to, by the module's true name, or None."""
        loaded = self._loaded.get(owner(module_name) or "")
        return loaded.plugin.version if loaded else None

    def plugin_of_file(self, path: str) -> Optional[str]:
        """Return the plugin whose runtime folder holds this file, or None."""
        return self._namespaces.plugin_of_file(path)

    # Loading and unloading.

    def load(self, name: str) -> LoadReport:
        """Load a plugin, or tell how that ended before; waits for a load in another thread.

        Whatever the plugin's code does, this returns a report; only a real SIGINT passes through. A plugin whose
        version has changed is unloaded first. Raises PluginError for a name that is not in the plan, and when this
        plugin is just being imported by this thread.
        """
        with self._lock:
            plugin = self._planned(name)
            if not plugin.enabled:
                return LoadReport(name, plugin.version, "failed", f"{name}: {_disabled(name)}")
            if name in self._loaded and _content(self._loaded[name].plugin) != _content(plugin):
                self.unload(name)
            if name not in self._reports:
                report = self._load(plugin)
                self._reports[name] = plugin, report
            return self._reports[name][1]

    def unload(self, name: str) -> None:
        """Call the plugin's `cleanup` hook and drop its modules, so that `load` runs new code; never raises."""
        with self._lock:
            self._reports.pop(name, None)
            loaded = self._loaded.pop(name, None)
            if loaded is not None:
                self._grow_trees()
                self._execution.stop(loaded.plugin)

    def unload_all(self) -> None:
        """Unload every plugin, the last loaded first."""
        for name in reversed(self.loaded):
            self.unload(name)

    def update(self, plugins: Sequence[PlannedPlugin]) -> Changes:
        """Take over a new plan and return what the caller has to unload and load for it.

        What is loaded stays as it is until then. A plugin that failed is tried again when its entry has changed.
        """
        with self._lock:
            self._plan = {plugin.name: plugin for plugin in plugins}
            failed = {name: plugin for name, (plugin, _) in self._reports.items() if name not in self._loaded}
            for name, plugin in failed.items():
                if self._plan.get(name) != plugin:
                    del self._reports[name]
            self._grow_trees()
            return changes_for([each.plugin for each in self._loaded.values()], self._reports, plugins)

    def _planned(self, name: str) -> PlannedPlugin:
        if name not in self._plan:
            raise PluginError(f"plugin {name!r} is not in the plan{did_you_mean(name, self._plan)}", plugin=name)
        return self._plan[name]

    def _load(self, plugin: PlannedPlugin) -> LoadReport:
        if plugin.name in self._loading:
            raise PluginError(_circle(self._loading[-1], plugin.name), plugin=plugin.name)
        self._loading.append(plugin.name)
        self._loading_thread = threading.get_ident()
        try:
            outcome = self._execution.start(plugin, self._name_problem)
        finally:
            self._loading.pop()
            self._loading_thread = threading.get_ident() if self._loading else None
        if isinstance(outcome, LoadReport):
            return outcome
        self._loaded[plugin.name] = outcome
        self._fail_later_ones()
        self._grow_trees()
        skills = tuple(leaf.describe() for leaf in outcome.leaves.values())
        return LoadReport(plugin.name, plugin.version, "ready", skills=skills, notices=outcome.notices)

    def _name_problem(self, plugin: PlannedPlugin, names: Iterable[str]) -> Optional[str]:
        before = list(itertools.takewhile(lambda other: other.name != plugin.name, self._plan.values()))
        return find_clash(plugin, names, before, {name: loaded.leaves for name, loaded in self._loaded.items()})

    def _fail_later_ones(self) -> None:
        """Fail plugins that were needed early and hold a name of one just loaded that comes before them in order."""
        for name, loaded in list(self._loaded.items()):
            problem = self._name_problem(loaded.plugin, loaded.leaves) if name in self._plan else None
            if problem:
                self.unload(name)
                report = LoadReport(name, loaded.plugin.version, "failed", f"{name}: {problem}", "names")
                self._reports[name] = loaded.plugin, report

    # The namespace `aigis`.

    def attribute(self, path: str) -> object:
        """Return what `aigis.<path>` is in this process: a skill's object, or a branch.

        A plugin that belongs here and reserved the path is loaded first. Callables that take the plugin's logger come
        with it filled in. Raises NotLocal for a path that must be called elsewhere or does not exist, PluginDisabled,
        and SkillNotFound for a name below a local skill that its object has not, or, while a plugin is being imported,
        for a path whose plugin cannot be loaded.
        """
        try:
            return self._memory.kept[path]
        except KeyError:
            pass
        found = self._local(path)
        if found is _MISSING and self._load_those_reserving(path):
            found = self._local(path)
        if found is _MISSING:
            raise self._not_local(path)
        return found

    def member(self, path: str) -> object:
        """Return what stands at a path below a branch: the local object, else what `remote` gives."""
        try:
            return self.attribute(path)
        except NotLocal as error:
            if self._remote is None:
                raise self._unknown(path, error.reason) from None
        return self._remote(path)

    def names(self, prefix: str = "") -> tuple[str, ...]:
        """Return the names directly below a path of `aigis.`, sorted; '' gives those at its top."""
        waiting = [each for each in self._plan.values() if each.enabled and each.name not in self._loaded]
        return names_below(prefix, [*self._all.leaves, *(branch for plugin in waiting for branch in plugin.branches)])

    def _local(self, path: str) -> Any:
        tree = self._given
        spot = tree.find(path)
        if spot is None:
            return self._memory.branch(tree, path, self) if path in tree.branches else _MISSING
        if spot.rest:
            return spot.loaded.get(spot.leaf, spot.rest)
        found = spot.loaded.get_local(spot.leaf)
        return self._memory.keep(tree, path, found) if spot.loaded.leaves[path].lasting else found

    def _grow_trees(self) -> None:
        """Build the trees anew from what is loaded and planned, and forget what was found in the old ones."""
        reserved = [branch for plugin in self._plan.values() for branch in plugin.branches]
        loaded = list(self._loaded.values())
        self._all = SkillTree.of(loaded, reserved)
        self._given = SkillTree.of([each for each in loaded if self._belongs_here(each.plugin)], reserved)
        self._memory.start_over(self._given)

    def _belongs_here(self, plugin: PlannedPlugin) -> bool:
        return not plugin.single and (self._hybrids_local or not plugin.hybrid)

    def _reserving(self, path: str) -> list[PlannedPlugin]:
        plan = list(self._plan.values())
        return [
            plugin for plugin in plan if any(path == branch or is_below(path, branch) for branch in plugin.branches)
        ]

    def _load_those_reserving(self, path: str) -> bool:
        """Load the plugins that belong here and may have this path; say whether to look again."""
        wanted = [plugin for plugin in self._reserving(path) if plugin.enabled and self._belongs_here(plugin)]
        if not all(plugin.name in self._reports for plugin in wanted):
            with self._lock:
                self._load_until_found(path, [plugin.name for plugin in wanted])
        # Another thread may have loaded them since the caller looked.
        return bool(wanted)

    def _load_until_found(self, path: str, names: list[str]) -> None:
        # One that is being imported comes last: it makes a circle only when no other plugin has the path.
        for name in sorted(names, key=self._loading.__contains__):
            if self._given.find(path):
                return
            if name in self._plan:
                self.load(name)

    def _not_local(self, path: str) -> Exception:
        reserving = self._reserving(path)
        if reserving and not any(plugin.enabled for plugin in reserving):
            name = reserving[0].name
            return PluginDisabled(f"{path!r} cannot be called: {_disabled(name)}", plugin=name)
        reports = [self._reports[plugin.name][1] for plugin in reserving if plugin.name in self._reports]
        reason = next((report.reason for report in reports if report.status != "ready"), "")
        if reason and self._loading_thread == threading.get_ident():
            return self._unknown(path, reason)
        return NotLocal(path, reason)

    # Calls from elsewhere of skills that are loaded here.

    def find(self, path: str) -> Optional[Found]:
        """Return the loaded plugin, the listed skill and the names below it that a path means, or None."""
        spot = self._all.find(path)
        return Found(spot.loaded.plugin, spot.leaf, spot.rest) if spot else None

    def resolve(self, path: str) -> object:
        """Return the object a path means, for a call from elsewhere; no logger is filled in.

        A plugin that belongs here and reserved the path is loaded first. Raises SkillNotFound naming the near one,
        also for names below a skill that start with '_', and PluginDisabled.
        """
        spot = self._spot(path)
        return spot.loaded.get(spot.leaf, spot.rest)

    def call_skill(self, path: str, args: Sequence[Any] = (), kwargs: Optional[Mapping[str, Any]] = None) -> Any:
        """Call the object a path means and return its value; a value that cannot be called is returned itself.

        A listed callable gets the plugin's logger. Raises as `resolve` does, TypeError for arguments to a value, and
        whatever the skill raises.
        """
        spot = self._spot(path)
        return spot.loaded.call(spot.leaf, spot.rest, args, kwargs or {})

    def _spot(self, path: str) -> Spot:
        spot = self._all.find(path)
        if spot is None and self._load_those_reserving(path):
            spot = self._all.find(path)
        if spot is not None:
            return spot
        error = self._not_local(path)
        raise self._unknown(path, error.reason) if isinstance(error, NotLocal) else error

    def _unknown(self, path: str, reason: str = "") -> SkillNotFound:
        if reason:
            return SkillNotFound(f"skill {path!r} is not there, since its plugin cannot be loaded: {reason}")
        if path in self._all.branches:
            return SkillNotFound(f"{path!r} is no skill: below it are {', '.join(self.names(path)) or 'none'}")
        return SkillNotFound(f"no plugin here has a skill {path!r}{did_you_mean(path, self._all.leaves)}")


class _Memory:
    """What was found in the present tree: `aigis.dnd.roll` asks thousands of times for the same object."""

    def __init__(self) -> None:
        self.kept: dict[str, object] = {}
        self._lock = threading.Lock()
        self._tree: Optional[SkillTree] = None
        self._branches: dict[str, Branch] = {}

    def start_over(self, tree: SkillTree) -> None:
        """Forget everything: the tree is another one now. Branches that callers hold go on working."""
        with self._lock:
            self._tree = tree
            self.kept.clear()
            for branch in self._branches.values():
                _members(branch).clear()

    def keep(self, tree: SkillTree, path: str, found: object) -> object:
        """Keep what was found in a tree, unless another took its place meanwhile; returns it."""
        with self._lock:
            if tree is self._tree:
                self.kept[path] = found
                above, _, name = path.rpartition(".")
                if above in self._branches:
                    _members(self._branches[above])[name] = found
        return found

    def branch(self, tree: SkillTree, path: str, plugins: LocalPlugins) -> object:
        """Return the one object for a branch."""
        return self.keep(tree, path, self._branches.setdefault(path, Branch(path, plugins)))


def changes_for(loaded: Sequence[PlannedPlugin], tried: Iterable[str], wanted: Sequence[PlannedPlugin]) -> Changes:
    """Return what turns the plugins `loaded` (in the order they were) into those enabled in `wanted`.

    Plugins in `tried` that are not loaded have failed, and are left so.
    """
    enabled = {plugin.name: plugin for plugin in wanted if plugin.enabled}
    stale = [each.name for each in loaded if each.name not in enabled or _content(enabled[each.name]) != _content(each)]
    settled = set(tried) - set(stale)
    return Changes(tuple(reversed(stale)), tuple(name for name in enabled if name not in settled))


def _content(plugin: PlannedPlugin) -> tuple[str, str, str]:
    return plugin.version, plugin.root, plugin.entrypoint


def _members(branch: Branch) -> dict[str, object]:
    members: dict[str, object] = object.__getattribute__(branch, "__dict__")
    return members


def _disabled(name: str) -> str:
    return (
        f"plugin {name!r} is disabled; enable it with `invoke enable {name}`, or with `invoke start {name}` if it was "
        "only stopped"
    )


def _circle(inner: str, outer: str) -> str:
    if inner == outer:
        return f"plugin {inner!r} uses its own skills through `aigis` while it is being imported: use them directly"
    return (
        f"plugins {outer!r} and {inner!r} need each other while they are being imported: use `aigis` inside a function "
        "in one of them"
    )
