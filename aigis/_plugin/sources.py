"""The writable runtime folder of a plugin's version, and how what the plugin wrote moves to the next version.

`.aigis/run/NAME/` holds a folder per version, beside it `VERSION.json` (what the source put there; written last, so
a folder without it is half made), and `current` (the version in use and the one before it, a line each).
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aigis._base.errors import PluginError
from aigis._base.home import PRIVATE_FOLDER, Home, write_private
from aigis._plugin.discover import Declared
from aigis._plugin.tree import (
    FOLDER,
    Files,
    copy_entry,
    copy_tree,
    remove_tree,
    scan_source,
    scan_used,
    version_of,
)

_LOGGER = logging.getLogger("aigis.supervisor")
_VERSION = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, kw_only=True)
class RuntimeFolder:
    """Where one version of a plugin runs."""

    path: Path
    version: str
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Carried:
    """What of the old version's folder moves into the new one."""

    kept: tuple[str, ...] = ()
    """The plugin's own file stays."""
    beside: tuple[str, ...] = ()
    """The plugin's own file stays, and the source's lies beside it as `.new`."""


def locate(declared: Declared) -> Path:
    """Return the folder the plugin's files come from.

    Raises PluginError (phase 'source') when there is none.
    """
    if declared.problem is not None:
        raise PluginError(declared.problem, phase="source")
    if isinstance(declared.source, str):
        raise PluginError(
            f"source {declared.source!r} of plugin {declared.name!r}: git sources come with the next release; "
            f"clone it and give the folder in {declared.declared_by}",
            phase="source",
        )
    if not declared.source.is_dir():
        raise PluginError(
            f"source {str(declared.source)!r} of plugin {declared.name!r} is no folder: "
            f"correct it in {declared.declared_by}",
            phase="source",
        )
    return declared.source


def fetch(declared: Declared, home: Home) -> RuntimeFolder:
    """Copy the plugin's source to the runtime folder of its version; the current version's is used as it is.

    A new version gets what the plugin wrote under the current one. It becomes current by `settle`, once it is known
    to be good. A source that changes while it is copied is copied once more. Raises PluginError (phase 'source');
    nothing half made is ever used.
    """
    source = locate(declared)
    shelf = home.run / declared.name
    try:
        shelf.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
        _mend_current(shelf)
        try:
            return _fetch(source, shelf, home)
        except FileNotFoundError:
            return _fetch(source, shelf, home)
    except OSError as error:
        raise PluginError(
            f"source {str(source)!r} of plugin {declared.name!r} cannot be copied to {str(shelf)!r}: {error}",
            phase="source",
        ) from error


def _fetch(source: Path, shelf: Path, home: Home) -> RuntimeFolder:
    _remove_scraps(shelf)
    # A source may hold the home itself; other plugins' secrets are none of its files.
    files = scan_source(source, without=home.secrets)
    version = version_of(files)
    if version == current_version(shelf) and (shelf / version).is_dir():
        return RuntimeFolder(path=shelf / version, version=version)
    return _make(source, shelf, files, home.data)


def settle(folder: RuntimeFolder) -> None:
    """Make the version the current one; the one before is kept for going back, older ones are removed."""
    shelf = folder.path.parent
    before = current_version(shelf)
    if before != folder.version:
        write_private(shelf / "current", f"{folder.version}\n{before}\n".encode())
        _drop_older(shelf, {folder.version, before})


def current_version(shelf: Path) -> str:
    """Return the version in use of the plugin whose runtime folders lie in `shelf`; '' when that is not known."""
    try:
        version = (shelf / "current").read_text(encoding="ascii").partition("\n")[0]
    except (OSError, ValueError):
        return ""
    return version if _VERSION.fullmatch(version) else ""


def _mend_current(shelf: Path) -> None:
    """Write a damaged `current` anew: without it, what the plugin wrote under its version would be lost."""
    file = shelf / "current"
    if current_version(shelf) or not os.path.lexists(file):
        return
    version = _newest(shelf)
    _LOGGER.warning("%r was damaged; version %s of the plugin is taken for the current one", str(file), version or "no")
    _remove(file)
    if version:
        write_private(file, f"{version}\n\n".encode())


def _newest(shelf: Path) -> str:
    """Return the version that was made last, '' when there is none."""
    whole = [
        entry for entry in shelf.iterdir() if _VERSION.fullmatch(entry.name) and _marker(shelf, entry.name).is_file()
    ]
    return max(whole, key=lambda entry: _marker(shelf, entry.name).stat().st_mtime, default=Path("")).name


def link_data(root: Path, plugin: str, data: Sequence[str], home: Home) -> None:
    """Let the DATA folders of the version at `root` be the ones all versions of the plugin share.

    What the source ships in them is the first content; it never replaces a file that is there already.
    Raises PluginError (phase 'source').
    """
    for name in data:
        shared = home.data / plugin / name
        place = root / name
        try:
            shared.mkdir(parents=True, exist_ok=True)
            if os.path.realpath(place) != os.path.realpath(shared):
                _share(place, shared)
        except OSError as error:
            raise PluginError(
                f"DATA folder {name!r} of plugin {plugin!r} cannot be kept in {str(shared)!r}: {error}",
                phase="source",
            ) from error


def decide(base: Files, mine: Files, theirs: Files) -> Carried:
    """Decide what moves from a version the plugin has used (`mine`, made from `base`) to a new source (`theirs`)."""
    own = [path for path in sorted(mine) if mine[path] not in (base.get(path), theirs.get(path))]
    beside = [path for path in own if path in theirs and theirs[path] != base.get(path) and theirs[path] != FOLDER]
    return Carried(kept=tuple(path for path in own if path not in beside), beside=tuple(beside))


def _make(source: Path, shelf: Path, files: Files, data: Path) -> RuntimeFolder:
    scratch = shelf / ".making.tmp"
    copied = copy_tree(source, scratch, files)
    # The source may have changed under the copy: what was copied names the version.
    version = version_of(copied)
    before = current_version(shelf)
    beside, notices = _carry_over(shelf, before, scratch, copied, data) if before not in ("", version) else ({}, ())
    target = shelf / version
    for mark in shelf.glob(f"{version}.*"):
        mark.unlink()
    if target.is_dir():
        os.rename(target, shelf / ".replaced.tmp")
    os.rename(scratch, target)
    write_private(_marker(shelf, version), json.dumps({**copied, **beside}).encode())
    _remove_scraps(shelf)
    return RuntimeFolder(path=target, version=version, notices=notices)


def _carry_over(
    shelf: Path, before: str, target: Path, theirs: Files, data: Path
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Carry the plugin's own files from the version `before` into `target`; return what now lies there as `.new`."""
    old = shelf / before
    if not old.is_dir():
        return {}, ()
    mine = {path: print_ for path, print_ in scan_used(old).items() if not print_.startswith(f"link:{data}{os.sep}")}
    carried = decide(_source_files(shelf, before, mine, theirs), mine, theirs)
    beside = {f"{path}.new": copy_entry(target / path, target / f"{path}.new", theirs[path]) for path in carried.beside}
    notices = [
        f"{path!r} was changed by the plugin and by its source: the plugin's stays, the source's is '{path}.new'"
        for path in carried.beside
    ]
    for path in (*carried.kept, *carried.beside):
        try:
            copy_entry(old / path, target / path, mine[path])
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            notices.append(
                f"{path!r}, written by the plugin, has no place in the new version; it stays in {str(old)!r}"
            )
        except FileNotFoundError:
            continue
    return beside, tuple(notices)


def _source_files(shelf: Path, version: str, mine: Files, theirs: Files) -> Mapping[str, str]:
    try:
        files = json.loads(_marker(shelf, version).read_bytes())
    except (OSError, ValueError, RecursionError):
        files = None
    if isinstance(files, dict) and all(isinstance(print_, str) for print_ in files.values()):
        return files
    # Nobody knows what the plugin changed: where the new source has a file, that one is right.
    _LOGGER.warning("%r is damaged; files of the new source replace the plugin's own", str(_marker(shelf, version)))
    return {path: print_ for path, print_ in mine.items() if path in theirs}


def _share(place: Path, shared: Path) -> None:
    if place.is_symlink():
        place.unlink()
    elif place.is_dir():
        for path, print_ in scan_used(place).items():
            if not os.path.lexists(shared / path):
                copy_entry(place / path, shared / path, print_)
        remove_tree(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(shared)


def _remove_scraps(shelf: Path) -> None:
    """Remove what a crash left half made."""
    current = current_version(shelf)
    for entry in list(shelf.iterdir()):
        half_made = _VERSION.fullmatch(entry.name) and entry.name != current and not _marker(shelf, entry.name).exists()
        if half_made or entry.name.endswith(".tmp"):
            _remove(entry)


def _drop_older(shelf: Path, kept: set[str]) -> None:
    for entry in list(shelf.iterdir()):
        version = entry.name.partition(".")[0]
        if _VERSION.fullmatch(version) and version not in kept:
            _remove(entry)


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        remove_tree(entry)
    else:
        entry.unlink(missing_ok=True)


def _marker(shelf: Path, version: str) -> Path:
    return shelf / f"{version}.json"
