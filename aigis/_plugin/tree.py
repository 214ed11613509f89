"""A folder's files by content: what is in it, and copying it."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from aigis._base.errors import PluginError

SKIPPED = frozenset({".git", "__pycache__", ".venv", ".aigis"})
"""Never part of a plugin: history, caches, environments bound to their place, and the state of a home in it."""

FOLDER = "folder"
_KINDS = {stat.S_IFSOCK: "socket", stat.S_IFIFO: "FIFO", stat.S_IFBLK: "device", stat.S_IFCHR: "device"}
_CHUNK = 1 << 20

Files = Mapping[str, str]
"""Relative path → fingerprint: `file:HASH`, `exec:HASH`, `link:TARGET` or `folder`."""


def scan_source(root: Path, *, without: Path | None = None) -> dict[str, str]:
    """Return what a plugin's source consists of; the folder `without` in it is passed over.

    Raises PluginError (phase 'source') for what cannot be copied to another place: links that leave the source,
    sockets, FIFOs and devices. OSError when something cannot be read.
    """
    files: dict[str, str] = {}
    for entry in _walk(root, None if without is None else os.path.realpath(without)):
        path = os.path.relpath(entry.path, root)
        kind = stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode)
        if kind in _KINDS:
            raise PluginError(
                f"source {str(root)!r} holds {path!r}, a {_KINDS[kind]}, which cannot be copied: remove it",
                phase="source",
            )
        files[path] = f"link:{_inner_link(root, entry.path)}" if entry.is_symlink() else fingerprint(Path(entry.path))
    return files


def scan_used(root: Path) -> dict[str, str]:
    """Return what is in a folder a plugin works in: what vanishes meanwhile or cannot be copied is left out."""
    files: dict[str, str] = {}
    for entry in _walk(root):
        try:
            if stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode) not in _KINDS:
                files[os.path.relpath(entry.path, root)] = fingerprint(Path(entry.path))
        except FileNotFoundError:
            continue
    return files


def version_of(files: Files) -> str:
    """Return the version of a tree: 16 hexadecimal digits that depend on paths, contents and nothing else."""
    total = hashlib.sha256()
    for path, print_ in sorted(files.items()):
        total.update(os.fsencode(f"{path}\0{print_}\n"))
    return total.hexdigest()[:16]


def fingerprint(path: Path) -> str:
    """Return the fingerprint of one file, link or folder."""
    if path.is_symlink():
        return f"link:{os.readlink(path)}"
    if path.is_dir():
        return FOLDER
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return f"{'exec' if os.fstat(stream.fileno()).st_mode & stat.S_IXUSR else 'file'}:{digest}"


def copy_tree(source: Path, target: Path, files: Files) -> dict[str, str]:
    """Copy `files` of `source` into the new folder `target`; return the fingerprints of what was really copied."""
    target.mkdir(parents=True)
    return {path: copy_entry(source / path, target / path, files[path]) for path in sorted(files)}


def copy_entry(source: Path, target: Path, print_: str) -> str:
    """Make `target` what `source` is, replacing a file or link there; return its fingerprint as copied.

    Permissions and time come along; the owner may always write, since plugins write beside their code.
    """
    if print_ == FOLDER:
        target.mkdir(parents=True, exist_ok=True)
        return FOLDER
    target.parent.mkdir(parents=True, exist_ok=True)
    if print_.startswith("link:"):
        target.unlink(missing_ok=True)
        target.symlink_to(print_.removeprefix("link:"))
        return print_
    return _copy_file(source, target)


def remove_tree(folder: Path) -> None:
    """Remove a folder with all in it, also what its owner has no permission to write; nothing there is fine."""
    if not folder.is_dir() or folder.is_symlink():
        return
    os.chmod(folder, stat.S_IRWXU)
    for inner, folders, _ in os.walk(folder):
        for name in folders:
            if not os.path.islink(path := os.path.join(inner, name)):
                os.chmod(path, stat.S_IRWXU)
    shutil.rmtree(folder)


def _copy_file(source: Path, target: Path) -> str:
    digest = hashlib.sha256()
    scratch = target.with_name(f".{target.name[:200]}.copy")
    scratch.unlink(missing_ok=True)
    with source.open("rb") as reader, open(scratch, "xb", opener=_private) as writer:
        while chunk := reader.read(_CHUNK):
            digest.update(chunk)
            writer.write(chunk)
        status = os.fstat(reader.fileno())
        os.fchmod(writer.fileno(), stat.S_IMODE(status.st_mode) & 0o777 | stat.S_IRUSR | stat.S_IWUSR)
    os.utime(scratch, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(scratch, target)
    return f"{'exec' if status.st_mode & stat.S_IXUSR else 'file'}:{digest.hexdigest()}"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _walk(root: Path, without: str | None = None) -> Iterator[os.DirEntry[str]]:
    with os.scandir(root) as entries:
        for entry in entries:
            if entry.name in SKIPPED or entry.name.endswith(".pyc"):
                continue
            if without and entry.name == os.path.basename(without) and os.path.realpath(entry.path) == without:
                continue
            yield entry
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path), without)


def _inner_link(root: Path, link: str) -> str:
    """Return where the link points, relative to itself; a link that needs anything outside `root` is refused."""
    target = os.readlink(link)
    parent = os.path.dirname(link)
    by_name = os.path.normpath(os.path.join(parent, target))
    # By name and by resolving: a chain of links can leave although no single name does.
    if _inside(root, by_name) and _inside(Path(os.path.realpath(root)), os.path.realpath(link)):
        return os.path.relpath(by_name, parent) if os.path.isabs(target) else target
    raise PluginError(
        f"source {str(root)!r} holds the link {os.path.relpath(link, root)!r} to {target!r}, which lies outside it: "
        "copy what it points to, or remove it",
        phase="source",
    )


def _inside(root: Path, path: str) -> bool:
    return Path(path).is_relative_to(root)
