"""A manifest is read as data; everything wrong with it is said at once."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigis._plugin.manifest import (
    Manifest,
    PluginType,
    missing_system_requirements,
    parse_config,
    read_manifest,
    read_type,
)

CORE = "PLUGIN_TYPE = 'core'\nENTRYPOINT = '{root}'\n"
REMOTE = "PLUGIN_TYPE = 'internal-remote'\nENTRYPOINT = '{root}'\n"
EXTERNAL = "PLUGIN_TYPE = 'external'\nENTRYPOINT = '{root}'\n"
SKILLS = "def roll(): pass\nSKILLS = ['roll']\n"
MAIN = {"main.py": "def launch(): pass\ndef other(): pass\n"}

Build = Callable[..., Path]


def accepted(folder: Path, overrides: dict[str, Any] | None = None, **options: Any) -> Manifest:
    manifest, problems = read_manifest(folder, "dice", overrides or {}, **options)
    assert manifest is not None, [str(problem) for problem in problems]
    return manifest


def faults(folder: Path, overrides: dict[str, Any] | None = None, name: str = "dice", **options: Any) -> list[str]:
    manifest, problems = read_manifest(folder, name, overrides or {}, **options)
    found = [str(problem) for problem in problems if problem.fatal]
    assert (manifest is None) is bool(found)
    return found


def notices(folder: Path, overrides: dict[str, Any] | None = None, **options: Any) -> list[str]:
    return [
        str(problem) for problem in read_manifest(folder, "dice", overrides or {}, **options)[1] if not problem.fatal
    ]


# The syntax.


def test_a_docstring_and_assignments_are_read_with_their_lines() -> None:
    given_keys, problems = parse_config(b'"""Feeds."""\n\nA = 1\nB = ["x" "y", {"k": (-1, 2.5, None)}]; C = True\n')
    assert problems == ()
    assert [(name, item.value, item.line) for name, item in given_keys.items()] == [
        ("A", 1, 3),
        ("B", ["xy", {"k": (-1, 2.5, None)}], 4),
        ("C", True, 4),
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "import os",
        "A: int = 1",
        "A += 1",
        "A = B = 1",
        "A, B = (1, 2)",
        "print('x')",
        "'a second text'",
        "def f(): pass",
        "if True: A = 1",
        "A.b = 1",
        "pass",
    ],
)
def test_another_statement_is_refused_with_line_and_text(statement: str) -> None:
    _, (problem,) = parse_config(f"OK = 1\n{statement}\n".encode())
    assert problem.line == 2
    assert problem.message.startswith(f"`{statement.partition(':')[0]}")
    assert "never executed" in problem.message


@pytest.mark.parametrize(
    ("value", "culprit"),
    [
        ("open('canary', 'w')", "open('canary', 'w')"),
        ("'a' + 'b'", "'a' + 'b'"),
        ("f'{root}/x'", "f'{root}/x'"),
        ("[1, *rest]", "*rest"),
        ("{'a': 1,\n 'b': {'c': os.environ['X']}}", "os.environ['X']"),
        ("{**other}", "other"),
        ("{**{}}", "{**{}}"),
        ("{[]: 1}", "{[]: 1}"),
    ],
)
def test_a_value_that_is_no_literal_is_refused_naming_the_expression(value: str, culprit: str) -> None:
    _, (problem,) = parse_config(f"KEY = {value}\n".encode())
    assert f"'KEY': `{culprit}` is not a literal" in problem.message
    assert problem.line == 1 + value.count("\n")


def test_a_call_in_a_config_never_runs(build: Build, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    (fault,) = faults(build(CORE + f"ENV = open({str(canary)!r}, 'w')\n", SKILLS))
    assert fault.startswith("AIGIS/AIGIS.config:3: 'ENV': `open(")
    assert not canary.exists()


def test_a_key_given_twice_names_both_lines() -> None:
    _, (problem,) = parse_config(b"A = 1\nB = 2\nA = 3\n")
    assert (problem.line, "line 1" in problem.message) == (3, True)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"A = 1\nB = [\n", 2),
        (b"A = 1\nB = '\0'\n", 2),
        (b"A = 1\nB = '\xff'\n", None),
        (b"A = " + b"[" * 100_000, None),
        (b"A = " + b"-" * 100_000 + b"1", None),
        (b"# coding: klingon\nA = 1\n", None),
        ("A = 1".encode("utf-16"), 1),
        (b"A = 'x\\ud800'\n", 1),
        (b"A = 'x\\x00'\n", 1),
        (b"A = " + b"9" * 5000, None),
    ],
)
def test_text_that_cannot_be_read_is_one_problem(text: bytes, line: int | None) -> None:
    _, (problem,) = parse_config(text)
    assert line in {None, problem.line}


def test_a_byte_order_mark_does_no_harm() -> None:
    assert parse_config(b"\xef\xbb\xbfA = 1\n")[0]["A"].value == 1


@given(st.one_of(st.binary(), st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_no_bytes_make_the_parser_raise(text: bytes) -> None:
    parse_config(text)
    parse_config(b"KEY = " + text)


literals = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner) | st.tuples(inner, inner),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["A", "ENTRYPOINT", "x", "_y"]), literals))
def test_what_is_written_as_literals_is_read_back(values: dict[str, object]) -> None:
    text = "".join(f"{name} = {value!r}\n" for name, value in values.items())
    found, problems = parse_config(text.encode())
    assert problems == ()
    assert {name: item.value for name, item in found.items()} == values


# The folder.


def test_a_folder_without_config_is_no_plugin(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path)
    assert "is no plugin: it has no AIGIS/AIGIS.config; create it" in fault


def test_a_config_that_is_a_folder_or_a_fifo_is_refused(tmp_path: Path) -> None:
    (tmp_path / "AIGIS").mkdir()
    os.mkfifo(tmp_path / "AIGIS" / "AIGIS.config")
    (fault,) = faults(tmp_path)
    assert "no regular file" in fault


def test_a_config_of_megabytes_is_refused(build: Build) -> None:
    (fault,) = faults(build(CORE + "#" * 300_000, SKILLS))
    assert "longer than 262144 bytes" in fault


def test_a_syntax_error_is_not_followed_by_missing_keys(build: Build) -> None:
    (fault,) = faults(build("PLUGIN_TYPE = = 'core'\n", SKILLS))
    assert fault.startswith("AIGIS/AIGIS.config:1: not valid Python")


def test_an_empty_config_lacks_the_required_keys(build: Build) -> None:
    assert [fault.split(": ")[1] for fault in faults(build(""))] == [
        "'PLUGIN_TYPE' is missing",
        "'ENTRYPOINT' is missing",
    ]


def test_three_faults_are_one_report_each_with_its_line(build: Build) -> None:
    folder = build("PLUGIN_TYPE = 'kore'\nRESTART = -1\nENTRYPOINT = '{root}/nowhere'\n", SKILLS)
    found = faults(folder)
    assert sorted(fault.split(": ")[0] for fault in found) == [f"AIGIS/AIGIS.config:{line}" for line in (1, 2, 3)]


def test_a_plugins_name_must_fit(build: Build) -> None:
    (fault,) = faults(build(CORE, SKILLS), name="My Dice")
    assert "'My Dice'" in fault
    assert "rename" in fault


# Types and values.


def test_a_core_plugin_with_every_key_is_read(build: Build) -> None:
    folder = build(
        CORE
        + """
VERSION = "1.0"; DESCRIPTION = "Dice"; AUTHOR = "me"; LICENSE = "MIT"
REQUIREMENT_COMMAND = "pip3.7 install --user -r"
REQUIREMENT_FILE = "{root}/requirements.txt"
SYSTEM_REQUIREMENTS = ["ffmpeg"]
SECRETS = {"token.json": "{root}/secret/"}
AIGIS_VERSION = ">=0.1"; PYTHON = ">=3.9"; DEPENDENCIES = ["feeds"]
TIMEOUT = 5; SINGLE = True; DATA = ["state/"]; RETRIES = 2
""",
        SKILLS,
        {"requirements.txt": ""},
    )
    manifest = accepted(folder)
    assert notices(folder) == []
    assert manifest.requirements_file == folder / "requirements.txt"
    assert manifest.requirements_command == "pip3.7 install --user -r"
    assert manifest.secrets == {"token.json": str(folder / "secret")}
    assert (manifest.timeout, manifest.grace, manifest.single, manifest.retries) == (5.0, 10.0, True, 2)
    assert (manifest.data, manifest.dependencies, manifest.version) == (("state",), ("feeds",), "1.0")
    assert (manifest.skills, manifest.branches, manifest.has_core, manifest.hybrid) == (
        ("roll",),
        ("roll",),
        True,
        False,
    )


@pytest.mark.parametrize(
    ("written", "host", "expected", "lives_on"),
    [
        ("internal", None, PluginType.INTERNAL_REMOTE, "localhost"),
        ("internal", "b", PluginType.INTERNAL_REMOTE, "b"),
        ("internal-remote", "b", PluginType.INTERNAL_REMOTE, "b"),
        ("internal-local", None, PluginType.INTERNAL_LOCAL, "localhost"),
    ],
)
def test_internal_is_the_older_word_for_internal_remote(
    build: Build, written: str, host: str | None, expected: PluginType, lives_on: str
) -> None:
    config = f"PLUGIN_TYPE = {written!r}\nENTRYPOINT = '{{root}}'\nLAUNCH = 'main'\nHOST = {host!r}\n"
    manifest = accepted(build(config, files=MAIN))
    assert (manifest.type, manifest.host) == (expected, lives_on)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("RESTART = True", "RESTART = True is a truth value; give a whole number"),
        ("RESTART = -1", "RESTART = -1 is too small"),
        ("RESTART = 2.0", "is a number"),
        ("SECRETS = {'a.txt'}", "SECRETS = {'a.txt'} is a set; give a dict"),
        ("SECRETS = {'../a': '{root}'}", "is a path and no file name"),
        ("SECRETS = {'a': '{root}/../..'}", "outside the plugin"),
        ("SECRETS = {'a': '/etc'}", "outside the plugin"),
        ("SECRETS = {'a': '{root}/AIGIS/AIGIS.core'}", "which is a file"),
        ("SECRETS = {'a': 3}", "which is a whole number"),
        ("ENV = ['A=1']", "ENV = ['A=1'] is a list"),
        ("ENV = {'A': 1}", "has the entry 1, which is a whole number"),
        ("ENV = {'A=B': 'x'}", "no name of a variable"),
        ("TIMEOUT = 0", "out of range"),
        ("TIMEOUT = 1e999", "out of range"),
        ("GRACE = '10'", "is text"),
        ("SINGLE = 1", "SINGLE = 1 is a whole number; give True or False"),
        ("DEPENDENCIES = 'feeds'", "give a list of plugin names"),
        ("DEPENDENCIES = ['No Name']", "no plugin name"),
        ("DEPENDENCIES = ['dice']", "names the plugin 'dice' itself"),
        ("SYSTEM_REQUIREMENTS = ['']", "is empty"),
        ("PYTHON = '3.10'", "PYTHON = '3.10' is no range of versions"),
        ("AIGIS_VERSION = '>=99'", "but this is AIGIS"),
        ("VERSION = 1.0", "VERSION = 1.0 is a number; give a text in quotes"),
        ("DATA = ['../x']", "no folder below"),
        ("DATA = ['{root}/x']", "no folder below"),
        ("HOST = 'http://x'", "is no host name"),
        ("ARGS = [{1}]", "holds {1}, which is a set"),
        ("ARGS = [b'x']", "which is bytes"),
        ("KWARGS = {1: 2}", "has the key 1"),
        ("REQUIREMENTS_FILE = '{root}/none.txt'", "is no file"),
        ("REQUIREMENTS_FILE = '../none.txt'", "outside the plugin"),
        ("RESTART = 0x" + "f" * 5000, "LARGE"),
        ("ARGS = [0x" + "f" * 5000 + "]", "too large"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_remedy(build: Build, line: str, said: str) -> None:
    if said == "LARGE":  # a number is a number, however long
        assert faults(build(f"{CORE}{line}\n", SKILLS)) == []
        return
    (fault,) = faults(build(f"{CORE}{line}\n", SKILLS))
    assert fault.startswith("AIGIS/AIGIS.config:3: ")
    assert said in fault


@pytest.mark.parametrize(
    ("entrypoint", "said"),
    [
        ("'{root}/nowhere'", "is no folder"),
        ("'{root}/AIGIS/AIGIS.config'", "is no folder"),
        ("'{root}/..'", "lies outside"),
        ("'/'", "lies outside"),
        ("'{root.__class__}'", "is no folder"),
        ("''", "is empty"),
        ("None", "'ENTRYPOINT' is missing"),
        ("{'root'}", "is a set"),
    ],
)
def test_entrypoint_is_a_folder_of_the_plugin(build: Build, entrypoint: str, said: str) -> None:
    (fault,) = faults(build(f"PLUGIN_TYPE = 'core'\nENTRYPOINT = {entrypoint}\n", SKILLS))
    assert said in fault


def test_entrypoint_may_not_leave_the_plugin_by_a_link(build: Build) -> None:
    folder = build("PLUGIN_TYPE = 'core'\nENTRYPOINT = '{root}/src'\n", SKILLS)
    (folder / "src").symlink_to("/")
    (fault,) = faults(folder)
    assert "lies outside" in fault


@pytest.mark.parametrize("entrypoint", ["{root}/email-tools", "{root}/email-tools/", "email-tools", "./email-tools"])
def test_entrypoint_lies_below_the_root_however_written(build: Build, entrypoint: str) -> None:
    folder = build(f"PLUGIN_TYPE = 'core'\nENTRYPOINT = {entrypoint!r}\n", SKILLS, {"email-tools/x.py": ""})
    assert accepted(folder).entrypoint == folder / "email-tools"


def test_braces_in_the_folders_name_are_ordinary_characters(build: Build) -> None:
    folder = build(CORE, SKILLS, name="odd {0} {root} %s #1")
    assert accepted(folder).entrypoint == folder


def test_both_spellings_in_one_config_are_one_key(build: Build) -> None:
    folder = build(CORE + "REQUIREMENT_FILE = 'r.txt'\nREQUIREMENTS_FILE = 'r.txt'\n", SKILLS, {"r.txt": ""})
    (fault,) = faults(folder)
    assert "another spelling, which line 3 gives already" in fault


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("RESTRAT = 3", "unknown key 'RESTRAT': did you mean 'RESTART'?"),
        ("restart = 3", "did you mean 'RESTART'?"),
        ("COLOUR = 'red'", "unknown key 'COLOUR': it has no effect"),
        ("RESTART = 3", "RESTART has no effect on this core plugin"),
        ("LAUNCH = 'main'", "LAUNCH has no effect"),
        ("HOST = 'b'", "HOST has no effect"),
        ("PERMISSIONS = ['network']", "PERMISSIONS has no effect in this version"),
        ("SYSTEM_REQUIREMENTS = ['pip3.7']", "'pip3.7', which is not looked for"),
    ],
)
def test_what_has_no_effect_is_one_notice(build: Build, line: str, said: str) -> None:
    folder = build(f"{CORE}{line}\n", SKILLS)
    assert faults(folder) == []
    (notice,) = notices(folder)
    assert notice.startswith("AIGIS/AIGIS.config:3: ")
    assert said in notice


def test_a_key_of_a_later_version_is_kept(build: Build) -> None:
    assert accepted(build(CORE + "RESOURCES = {'cpu': 50}\n", SKILLS)).future == {"RESOURCES": {"cpu": 50}}


# LAUNCH.


@pytest.mark.parametrize(
    "launch",
    [
        "'main'",
        "'main:other'",
        "'main.py'",
        "'{root}/main.py'",
        "'pkg'",
        "'pkg.inner:Service.run'",
        "['{root}/run.sh', '{root}/x', '$HOME', '']",
        "('./run.sh',)",
        "['python3', 'main.py']",
        "['/bin/sh', '-c', 'true']",
        "'json.tool:main'",
    ],
)
def test_every_form_of_launch_fits_an_internal_plugin(build: Build, launch: str) -> None:
    files = {**MAIN, "pkg/__init__.py": "launch = print", "pkg/inner.py": "class Service: ...", "run.sh": "#!/bin/sh\n"}
    folder = build(f"{REMOTE}LAUNCH = {launch}\n", files=files)
    (folder / "run.sh").chmod(0o755)
    assert faults(folder) == []


@pytest.mark.parametrize(
    ("launch", "said"),
    [
        ("'mian'", "there is no module 'mian' in ENTRYPOINT; did you mean 'main'?"),
        ("'main:othr'", "has no 'othr'; did you mean 'main:other'?"),
        ("'quiet'", "the module 'quiet' has no 'launch'"),
        ("'pkg.nope'", "no module 'pkg.nope'"),
        ("'nope.py'", "is no file"),
        ("'../main.py'", "lies outside the plugin"),
        ("'main --fast'", "is neither 'module'"),
        ("'main:'", "is neither 'module'"),
        ("['./nope']", "is no file"),
        ("['./quiet.py']", "is not executable"),
        ("['../x']", "lies outside the plugin"),
        ("['main.py']", "write './main.py'"),
        ("[]", "is empty"),
        ("['']", "is empty"),
        ("['x', 3]", "has the entry 3"),
        ("{'main'}", "is a set"),
        ("None", "'LAUNCH' is missing"),
    ],
)
def test_a_launch_that_cannot_start_is_refused(build: Build, launch: str, said: str) -> None:
    folder = build(f"{REMOTE}LAUNCH = {launch}\n", files={**MAIN, "quiet.py": "", "pkg/__init__.py": ""})
    (fault,) = faults(folder)
    assert said in fault


@pytest.mark.parametrize("launch", ["'mian'", "['./nope']"])
def test_what_requirements_may_bring_is_left_to_the_start(build: Build, launch: str) -> None:
    config = f"{REMOTE}LAUNCH = {launch}\nREQUIREMENTS_COMMAND = 'npm install'\n"
    assert faults(build(config, files=MAIN)) == []


def test_the_plugins_python_may_be_newer_than_ours(build: Build) -> None:
    assert faults(build(f"{REMOTE}LAUNCH = 'main'\n", files={"main.py": "launch = lazy = from the future"})) == []


def test_an_external_plugin_takes_an_argument_list_and_no_shell_line(build: Build) -> None:
    (fault,) = faults(build(EXTERNAL + "LAUNCH = 'sh run.sh'\n"))
    assert "no shell line: write ['sh', 'run.sh']" in fault


# AIGIS.core.


def test_a_core_plugin_needs_its_core_file(build: Build) -> None:
    (fault,) = faults(build(CORE))
    assert fault.startswith("AIGIS/AIGIS.core: a core plugin needs AIGIS/AIGIS.core: create it")


def test_a_syntax_error_in_the_core_file_has_its_line(build: Build) -> None:
    (fault,) = faults(build(CORE, "x = 1\ndef :\n"))
    assert fault.startswith("AIGIS/AIGIS.core:2: not valid Python")


def test_an_internal_plugin_with_a_core_file_is_a_hybrid(build: Build) -> None:
    manifest = accepted(build(REMOTE + "LAUNCH = 'main'\n", SKILLS, MAIN))
    assert (manifest.hybrid, manifest.branches) == (True, ("roll",))


def test_an_external_plugins_core_file_is_ignored_with_a_notice(build: Build) -> None:
    folder = build(EXTERNAL + "LAUNCH = ['true']\n", "this is no Python")
    assert accepted(folder).has_core is False
    assert notices(folder)[0].startswith("AIGIS/AIGIS.core: an external plugin has no skills")


# Versions.


def test_a_core_plugin_for_another_python_is_refused_naming_both(build: Build) -> None:
    (fault,) = faults(build(CORE + "PYTHON = '<3.9'\n", SKILLS), python="3.11.4")
    assert "'<3.9'" in fault
    assert "Python 3.11.4" in fault


def test_another_python_is_no_matter_for_external_plugins(build: Build) -> None:
    assert faults(build(EXTERNAL + "LAUNCH = ['true']\nPYTHON = '<3.9'\n"), python="3.11.4") == []


def test_a_python_before_its_release_counts_as_the_release(build: Build) -> None:
    assert faults(build(CORE + "PYTHON = '>=3.15'\n", SKILLS), python="3.15.0rc1") == []


# What the operator says.


def test_the_operators_table_replaces_keys_whatever_their_spelling(build: Build) -> None:
    folder = build(CORE + "REQUIREMENT_COMMAND = 'pip'\nTIMEOUT = 'bad'\n", SKILLS)
    overrides = {"REQUIREMENTS_COMMAND": "uv", "TIMEOUT": 9, "allow_taint": True, "index": "plugin"}
    manifest = accepted(folder, overrides)
    assert (manifest.requirements_command, manifest.timeout) == ("uv", 9.0)
    assert (manifest.allow_taint, manifest.index) == (True, "plugin")


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"TIMEOUT": "9"}, "aigis.toml: [plugins.dice] TIMEOUT = '9' is text"),
        ({"allow_taint": "yes"}, "[plugins.dice] allow_taint = 'yes' is text; give true or false"),
        ({"index": "mine"}, "[plugins.dice] index = 'mine' is unknown"),
        ({"ENTRYPOINT": "nowhere"}, "aigis.toml: [plugins.dice] ENTRYPOINT = 'nowhere' is no folder"),
    ],
)
def test_a_fault_in_the_operators_table_names_that_file(build: Build, overrides: dict[str, Any], said: str) -> None:
    (fault,) = faults(build(CORE, SKILLS), overrides)
    assert said in fault


@pytest.mark.parametrize(("key", "near"), [("timeout", "TIMEOUT"), ("allow-taint", "allow_taint")])
def test_an_unknown_key_of_the_operator_is_a_notice(build: Build, key: str, near: str) -> None:
    (notice,) = notices(build(CORE, SKILLS), {key: 1})
    assert f"[plugins.dice] has the unknown key {key!r}: did you mean {near!r}?" in notice


# The manifest.


def test_a_manifest_moves_with_its_files(build: Build, tmp_path: Path) -> None:
    config = (
        "PLUGIN_TYPE = 'external'\nENTRYPOINT = '{root}/src'\nLAUNCH = ['sh', '--at={root}/x']\n"
        "REQUIREMENTS_FILE = 'r.txt'\nSECRETS = {'a': '{root}/s/'}\n"
    )
    moved = accepted(build(config, files={"src/x": "", "r.txt": ""})).at(tmp_path / "run")
    root = tmp_path / "run"
    assert (moved.root, moved.entrypoint, moved.requirements_file) == (root, root / "src", root / "r.txt")
    assert moved.launch == ("sh", f"--at={root}/x")
    assert moved.secrets == {"a": str(root / "s")}
    assert moved.at(tmp_path / "dice") == accepted(tmp_path / "dice")


def test_a_manifest_is_plain_data(build: Build) -> None:
    manifest = accepted(build(REMOTE + "LAUNCH = 'main'\nKWARGS = {'a': [1]}\n", files=MAIN))
    assert pickle.loads(pickle.dumps(manifest)) == manifest


def test_missing_programs_are_all_named_but_python_and_pip_never(build: Build) -> None:
    folder = build(CORE + "SYSTEM_REQUIREMENTS = ['ffmpeg', 'pip3.7', 'python3', 'git', 'node']\n", SKILLS)
    assert missing_system_requirements(accepted(folder), {"git": "/bin/git"}.get) == ("ffmpeg", "node")


@pytest.mark.parametrize(("config", "expected"), [(CORE + "RESTART = -1\n", PluginType.CORE), ("x", None), ("", None)])
def test_the_type_of_a_broken_plugin_can_still_be_told(build: Build, config: str, expected: PluginType | None) -> None:
    assert read_type(build(config)) is expected


@given(values=st.dictionaries(st.sampled_from(["PLUGIN_TYPE", "ENTRYPOINT", "LAUNCH", "SECRETS", "ENV"]), literals))
def test_no_values_of_the_operator_make_the_reader_raise(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzzed"
    (folder / "AIGIS").mkdir(parents=True, exist_ok=True)
    (folder / "AIGIS" / "AIGIS.config").write_text(REMOTE + "LAUNCH = ['true']\n")
    read_manifest(folder, "dice", values)
