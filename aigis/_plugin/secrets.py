"""Secrets of a plugin: copied from the home's store to where its manifest wants them, all or none.

What was placed is recorded beside the runtime folders as hashes, so that a copy the plugin has rewritten stays until
the store's file changes. No value is ever part of a message.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aigis._base.errors import PluginError
from aigis._base.home import PRIVATE_FILE, PRIVATE_FOLDER, write_private
from aigis._plugin.manifest import Manifest

_RECORD = "secrets.json"


@dataclass(frozen=True)
class _Secret:
    name: str
    stored: Path
    target: Path


def place(manifest: Manifest, store: Path, *, data: Path | None = None) -> None:
    """Copy the plugin's secrets from `store` into its runtime folder `manifest.root`, each with mode 0600.

    Target folders are made. A file placed earlier and not declared any more is removed. `data` is the folder of the
    plugin's DATA folders, to which links in the runtime folder may lead. Raises PluginError (phase 'secrets') naming
    all that is missing; then nothing was changed.
    """
    secrets = [_locate(manifest, name, Path(folder), store, data) for name, folder in manifest.secrets.items()]
    _check_present(manifest.name, secrets, store)
    record = manifest.root.parent / _RECORD
    placed = _read_record(record)
    try:
        wanted = {os.path.relpath(secret.target, manifest.root): secret for secret in secrets}
        placed_now = _copy(wanted, placed)
        for path in placed.keys() - wanted.keys():
            _remove(manifest.root / path)
        if placed_now or placed:
            write_private(record, json.dumps(placed_now).encode())
    except OSError as error:
        raise PluginError(
            f"secrets of plugin {manifest.name!r} cannot be copied from {str(store)!r}: "
            f"{error.strerror} ({error.filename!r})",
            phase="secrets",
        ) from error


def withdraw(shelf: Path) -> None:
    """Remove every secret placed for the plugin whose runtime folders lie in `shelf`."""
    record = shelf / _RECORD
    for path in _read_record(record):
        for root in shelf.iterdir():
            _remove(root / path)
    record.unlink(missing_ok=True)


def _locate(manifest: Manifest, name: str, folder: Path, store: Path, data: Path | None) -> _Secret:
    named = Path(os.path.normpath(manifest.root / folder))
    real = Path(os.path.realpath(named))
    allowed = [Path(os.path.realpath(place)) for place in (manifest.root, data) if place is not None]
    if not named.is_relative_to(manifest.root) or not any(real.is_relative_to(place) for place in allowed):
        raise PluginError(
            f"SECRETS of plugin {manifest.name!r}: target {str(folder)!r} of {name!r} lies outside the plugin: "
            "give a folder below {root}",
            phase="secrets",
        )
    return _Secret(name, store / name, named / name)


def _check_present(plugin: str, secrets: list[_Secret], store: Path) -> None:
    missing = [secret.name for secret in secrets if not secret.stored.exists()]
    if missing:
        names = ", ".join(repr(name) for name in missing)
        raise PluginError(
            f"plugin {plugin!r} needs {'the secret' if len(missing) == 1 else 'the secrets'} {names}: "
            f"put {'it' if len(missing) == 1 else 'them'} into '{store}/'",
            phase="secrets",
        )
    for secret in secrets:
        for place_, path in (("store", secret.stored), ("plugin", secret.target)):
            if path.exists() and not path.is_file():
                raise PluginError(
                    f"secret {secret.name!r} of plugin {plugin!r}: {str(path)!r} in the {place_} is not a file; "
                    "a secret is one file, list each of a folder by itself",
                    phase="secrets",
                )


def _copy(wanted: Mapping[str, _Secret], placed: Mapping[str, str]) -> dict[str, str]:
    """Place what is new or changed in the store; return path → hash of all that are placed now.

    Every copy is written before the first takes its place: a full disk changes nothing.
    """
    hashes: dict[str, str] = {}
    written: list[tuple[Path, Path]] = []
    try:
        for path, secret in wanted.items():
            content = secret.stored.read_bytes()
            hashes[path] = hashlib.sha256(content).hexdigest()
            if placed.get(path) != hashes[path] or not secret.target.exists():
                secret.target.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
                scratch = secret.target.with_name(f".{secret.target.name}.placing")
                written.append((scratch, secret.target))
                _write(scratch, content)
        for scratch, target in written:
            os.replace(scratch, target)
    except BaseException:
        for scratch, _ in written:
            scratch.unlink(missing_ok=True)
        raise
    return hashes


def _write(file: Path, content: bytes) -> None:
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)


def _remove(file: Path) -> None:
    if file.is_file():
        file.unlink()


def _read_record(record: Path) -> dict[str, str]:
    try:
        placed: dict[str, str] = json.loads(record.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return placed
