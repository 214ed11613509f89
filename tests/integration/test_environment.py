from __future__ import annotations

import os
import subprocess
import threading
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from aigis._base.errors import PluginError
from aigis._base.home import Home
from aigis._base.settings import Settings
from aigis._plugin.discover import discover
from aigis._plugin.environment import Builder, Environment, Recipe, is_ready, own_environment, own_packages
from aigis._plugin.installer import BuildFailed, BuildStopped
from aigis._plugin.plan import make_plan
from aigis._plugin.prepare import Prepared, prepare, prepare_core_environment, prepare_environment
from aigis._plugin.requirements import Needs

# No index is asked: what is needed comes from wheels the test makes.
OFFLINE = "--no-index"


class Desk:
    """A home with plugins and wheels, in a path that is hard to write down."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a home #1 100%"
        self.wheels = self.root / "wheels"
        self.wheels.mkdir(parents=True)
        self.home = Home(self.root)
        self.progress: list[str] = []

    @property
    def links(self) -> str:
        return f"--find-links {self.wheels.as_uri()}"

    def builder(self, *, timeout: float = 60.0, stop: threading.Event | None = None) -> Builder:
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
        return Builder(
            folder=self.home.environments,
            environ={**environ, "AIGIS_REDIS": "redis://:hidden@nowhere"},
            on_progress=self.progress.append,
            timeout=timeout,
            stop=stop or threading.Event(),
        )

    def wheel(self, name: str, version: str, *requires: str) -> None:
        info = f"{name}-{version}.dist-info"
        meta = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        with zipfile.ZipFile(self.wheels / f"{name}-{version}-py3-none-any.whl", "w") as archive:
            archive.writestr(f"{name}.py", f"VERSION = {version!r}\n")
            archive.writestr(f"{info}/METADATA", meta + "".join(f"Requires-Dist: {text}\n" for text in requires))
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", "")

    def needs(self, plugin: str, *lines: str, command: str | None = None) -> Needs:
        root = self.home.run / plugin / ("0" * 16)
        root.mkdir(parents=True, exist_ok=True)
        return Needs(plugin=plugin, root=root, lines=(OFFLINE, self.links, *lines) if lines else (), command=command)

    def plugin(self, name: str, config: Mapping[str, object], files: Mapping[str, str] = {}) -> Prepared:
        folder = self.root / "plugins" / name
        text = "".join(f"{key} = {value!r}\n" for key, value in {"ENTRYPOINT": "{root}", **config}.items())
        for path, content in {"AIGIS/AIGIS.config": text, **files}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(content)
        return self.prepared(name)

    def prepared(self, name: str) -> Prepared:
        settings = Settings(home=self.home, host="here")
        declared = next(declared for declared in discover(settings) if declared.name == name)
        return prepare(declared, settings, path=os.environ["PATH"])


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def ask(environment: Environment, code: str) -> str:
    done = subprocess.run([environment.python, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    return done.stdout.strip()


def recipe(desk: Desk, *lines: str, packages: Sequence[str] = ()) -> Recipe:
    return Recipe(lines={"web": (OFFLINE, desk.links, *lines)} if lines else {}, packages=own_packages(*packages))


def test_an_environment_has_what_was_asked_for_and_our_packages(desk: Desk) -> None:
    desk.wheel("tinylib", "2")
    built = desk.builder().ensure(recipe(desk, "tinylib", packages=["aigis", "workers"]))
    assert ask(built, "import tinylib, aigis, workers; print(tinylib.VERSION)") == "2"
    assert any("tinylib" in line for line in desk.progress)


def test_an_equal_recipe_is_built_once(desk: Desk) -> None:
    desk.wheel("tinylib", "2")
    first = desk.builder().ensure(recipe(desk, "tinylib"))
    desk.progress.clear()
    assert desk.builder().ensure(recipe(desk, "tinylib")) == first
    assert desk.progress == []


def test_two_builders_of_one_environment_build_it_once(desk: Desk) -> None:
    desk.wheel("tinylib", "2")
    threads = [threading.Thread(target=desk.builder().ensure, args=(recipe(desk, "tinylib"),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum("+ tinylib" in line for line in desk.progress) == 1


def test_a_half_made_environment_is_built_again(desk: Desk) -> None:
    wanted = recipe(desk)
    target = desk.home.environments / wanted.key(desk.home.environments)
    (target / "bin").mkdir(parents=True)
    (target / "half").write_text("")
    assert not is_ready(target)
    built = desk.builder().ensure(wanted)
    assert is_ready(target)
    assert built.bin == target / "bin"
    assert not (target / "half").exists()


def test_an_environment_whose_python_is_gone_is_built_again(desk: Desk) -> None:
    built = desk.builder().ensure(recipe(desk))
    built.python.unlink()
    desk.builder().ensure(recipe(desk))
    assert ask(built, "print(1)") == "1"


def test_a_failed_build_tells_the_installers_words_and_leaves_nothing(desk: Desk) -> None:
    wanted = recipe(desk, "no-such-package")
    with pytest.raises(BuildFailed, match="no-such-package"):
        desk.builder().ensure(wanted)
    assert not (desk.home.environments / wanted.key(desk.home.environments)).exists()


def test_waiting_for_another_builder_ends_with_aigis(desk: Desk) -> None:
    stop = threading.Event()
    builder = desk.builder(stop=stop)
    builder.folder.mkdir(parents=True)
    with desk.builder()._locked(recipe(desk).key(builder.folder)):
        stop.set()
        with pytest.raises(BuildStopped):
            builder.ensure(recipe(desk))


def test_without_requirements_core_plugins_share_aigis_own_python(desk: Desk) -> None:
    assert desk.builder().ensure_core([desk.needs("web")], ["celery==0"], {}) == (own_environment(), {})


def test_core_plugins_share_one_environment_with_aigis_versions(desk: Desk) -> None:
    for name, version in (("base", "1"), ("base", "2"), ("one", "1"), ("two", "1")):
        desk.wheel(name, version)
    needs = [desk.needs("a", "one", "base"), desk.needs("b", "two")]
    built, left_out = desk.builder().ensure_core(needs, ["base==1"], own_packages("aigis"))
    assert left_out == {}
    assert ask(built, "import base, one, two, aigis; print(base.VERSION)") == "1"


def test_the_plugin_that_cannot_be_solved_with_those_before_it_is_left_out_by_name(desk: Desk) -> None:
    for version in ("1", "2"):
        desk.wheel("base", version)
    needs = [desk.needs("old", "base<2"), desk.needs("new", "base>=2"), desk.needs("any", "base")]
    built, left_out = desk.builder().ensure_core(needs, (), {})
    assert list(left_out) == ["new"]
    assert "base" in left_out["new"]
    assert ask(built, "import base; print(base.VERSION)") == "1"
    assert [folder.name for folder in desk.home.environments.glob("trial-*") if folder.is_dir()] == []


def test_a_plugin_against_aigis_own_versions_is_left_out(desk: Desk) -> None:
    desk.wheel("base", "1")
    desk.wheel("base", "2")
    needs = [desk.needs("bad", "base>=2"), desk.needs("good", "base")]
    built, left_out = desk.builder().ensure_core(needs, [OFFLINE, desk.links, "base==1"], {})
    assert list(left_out) == ["bad"]
    assert ask(built, "import base; print(base.VERSION)") == "1"


def test_where_no_core_environment_can_be_built_the_others_still_run(desk: Desk) -> None:
    needs = [desk.needs("web", "no-such-package")]
    built, left_out = desk.builder().ensure_core(needs, (), {})
    assert built == own_environment()
    assert list(left_out) == ["web"]


def test_where_nothing_can_be_written_each_plugin_gets_the_reason(desk: Desk) -> None:
    desk.home.hidden.mkdir()
    desk.home.environments.write_text("a file in the way")
    built, left_out = desk.builder().ensure_core([desk.needs("web", "tinylib")], (), {})
    assert built == own_environment()
    assert "cannot be built" in left_out["web"]


def test_another_installer_runs_once_per_version_in_the_plugins_folder(desk: Desk) -> None:
    needs = desk.needs("web", command='echo $PIP_REQUIRE_VIRTUALENV-$AIGIS_REDIS-$(basename "$PWD") >> ran')
    for _ in range(2):
        desk.builder().run_command(needs, None)
    assert (needs.root / "ran").read_text() == f"1--{'0' * 16}\n"


def test_another_installer_finds_the_environments_programs_first(desk: Desk) -> None:
    built = desk.builder().ensure(recipe(desk))
    needs = desk.needs("web", command="command -v python > found")
    desk.builder().run_command(needs, built)
    assert (needs.root / "found").read_text().strip() == str(built.python)


def test_a_failing_installer_shows_its_last_lines_and_runs_again(desk: Desk) -> None:
    needs = desk.needs("web", command="echo no compiler; test -e fixed")
    with pytest.raises(PluginError, match=r"(?s)'web'.*no compiler") as caught:
        desk.builder().run_command(needs, None)
    assert caught.value.phase == "requirements"  # type: ignore[attr-defined]
    (needs.root / "fixed").write_text("")
    desk.builder().run_command(needs, None)


def test_an_external_plugin_with_requirements_gets_its_own_environment(desk: Desk) -> None:
    desk.wheel("tinylib", "2")
    plugin = desk.plugin(
        "bot",
        {
            "PLUGIN_TYPE": "external",
            "LAUNCH": ["python3", "bot.py"],
            "REQUIREMENTS_COMMAND": "python3.7 -m pip install --user -r",
            "REQUIREMENTS_FILE": "{root}/requirements.txt",
        },
        {"bot.py": "", "requirements.txt": f"{OFFLINE}\n{desk.links}\n-r more.txt\n", "more.txt": "tinylib\n"},
    )
    built = prepare_environment(plugin, own_environment(), desk.builder())
    assert built is not None
    assert ask(built, "import tinylib; print(tinylib.VERSION)") == "2"
    assert ask(built, "import importlib.util as u; print(u.find_spec('aigis'))") == "None"
    assert any("--user" in notice for notice in plugin.notices)


def test_a_wheel_the_plugin_ships_is_found_by_its_path(desk: Desk) -> None:
    desk.wheel("tinylib", "2")
    config = {"PLUGIN_TYPE": "external", "LAUNCH": ["python"], "REQUIREMENTS_FILE": "{root}/requirements.txt"}
    folder = desk.root / "plugins" / "bot" / "wheels"
    folder.mkdir(parents=True)
    (desk.wheels / "tinylib-2-py3-none-any.whl").rename(folder / "tinylib-2-py3-none-any.whl")
    listed = f"{OFFLINE}\n./wheels/tinylib-2-py3-none-any.whl ; python_version > '3'\n"
    plugin = desk.plugin("bot", config, {"requirements.txt": listed})
    built = prepare_environment(plugin, own_environment(), desk.builder())
    assert built is not None
    assert ask(built, "import tinylib; print(tinylib.VERSION)") == "2"


def test_a_program_without_requirements_needs_no_environment(desk: Desk) -> None:
    plugin = desk.plugin("bot", {"PLUGIN_TYPE": "external", "LAUNCH": ["sh", "-c", "true"]})
    assert prepare_environment(plugin, own_environment(), desk.builder()) is None
    assert not desk.home.environments.exists()


def test_an_internal_plugin_without_requirements_runs_on_aigis_own_python(desk: Desk) -> None:
    files = {"main.py": "def launch(): ..."}
    plugin = desk.plugin("digest", {"PLUGIN_TYPE": "internal-remote", "LAUNCH": "main"}, files)
    assert prepare_environment(plugin, own_environment(), desk.builder()) == own_environment()


def test_a_failing_environment_names_plugin_and_package(desk: Desk) -> None:
    config = {"PLUGIN_TYPE": "external", "LAUNCH": ["python"], "REQUIREMENTS_FILE": "{root}/requirements.txt"}
    plugin = desk.plugin("bot", config, {"requirements.txt": f"{OFFLINE}\nno-such-package\n"})
    with pytest.raises(PluginError, match=r"(?s)'bot'.*no-such-package") as caught:
        prepare_environment(plugin, own_environment(), desk.builder())
    assert caught.value.phase == "environment"  # type: ignore[attr-defined]


def test_core_plugins_of_a_home_are_planned_in_their_environment(desk: Desk) -> None:
    desk.wheel("tinylib", "2")
    core = {"PLUGIN_TYPE": "core", "REQUIREMENTS_FILE": "{root}/requirements.txt"}
    skills = {"AIGIS/AIGIS.core": "SKILLS = ['web.get']\nclass web: get = 1"}
    web = desk.plugin("web", core, {**skills, "requirements.txt": f"{OFFLINE}\n{desk.links}\ntinylib\n"})
    bot = desk.plugin("bot", {"PLUGIN_TYPE": "external", "LAUNCH": ["sh"]})
    built, left_out = prepare_core_environment([web, bot], desk.builder(), pins=())
    assert left_out == {}
    assert ask(built, "import tinylib, aigis, workers; print(1)") == "1"
    plan = make_plan([web, bot], generation=3, host="here", disabled={"web"})
    (planned,) = plan.plugins
    assert (planned.name, planned.version, planned.enabled, planned.branches) == (
        "web",
        web.version,
        False,
        ("web.get",),
    )
    assert planned.root == str(desk.home.run / "web" / web.version)


def test_each_step_of_preparing_says_where_it_failed(desk: Desk) -> None:
    external = {"PLUGIN_TYPE": "external", "LAUNCH": ["sh"]}
    for config, phase, said in (
        ({"PLUGIN_TYPE": "exotic"}, "manifest", "'exotic'"),
        ({**external, "SYSTEM_REQUIREMENTS": ["sh", "no-such-program", "pip3.7"]}, "system", "no-such-program"),
        ({**external, "SECRETS": {"token": "{root}/"}}, "secrets", "'token'"),
        ({**external, "REQUIREMENTS_COMMAND": "pip install -r"}, "requirements", "REQUIREMENTS_FILE"),
    ):
        with pytest.raises(PluginError, match=said) as caught:
            desk.plugin("web", config)
        assert caught.value.phase == phase  # type: ignore[attr-defined]


def test_a_plugin_that_fails_a_step_keeps_its_current_version(desk: Desk) -> None:
    good = desk.plugin("web", {"PLUGIN_TYPE": "external", "LAUNCH": ["sh"]})
    (good.manifest.root / "state").write_text("1")
    with pytest.raises(PluginError):
        desk.plugin("web", {"PLUGIN_TYPE": "external", "LAUNCH": ["sh"], "SECRETS": {"token": "{root}"}})
    again = desk.plugin("web", {"PLUGIN_TYPE": "external", "LAUNCH": ["sh"]})
    assert again.manifest.root == good.manifest.root
    assert (again.manifest.root / "state").read_text() == "1"


def test_a_secret_the_plugin_has_rewritten_survives_an_update(desk: Desk) -> None:
    store = desk.home.secrets / "web"
    store.mkdir(parents=True)
    (store / "feeds.json").write_text("[]")
    config = {"PLUGIN_TYPE": "external", "LAUNCH": ["sh"], "SECRETS": {"feeds.json": "{root}/db"}}
    first = desk.plugin("web", config)
    (first.manifest.root / "db/feeds.json").write_text("[1]")
    second = desk.plugin("web", config, {"new.txt": "an update"})
    assert second.manifest.root != first.manifest.root
    assert (second.manifest.root / "db/feeds.json").read_text() == "[1]"
    assert (second.manifest.root / "db/feeds.json").stat().st_mode & 0o777 == 0o600


def test_a_missing_secret_appears_and_the_plugin_is_prepared(desk: Desk) -> None:
    config = {"PLUGIN_TYPE": "external", "LAUNCH": ["sh"], "SECRETS": {"token": "{root}/db"}}
    with pytest.raises(PluginError, match="token"):
        desk.plugin("web", config)
    (desk.home.secrets / "web").mkdir(parents=True)
    (desk.home.secrets / "web/token").write_text("x")
    assert (desk.prepared("web").manifest.root / "db/token").read_text() == "x"
