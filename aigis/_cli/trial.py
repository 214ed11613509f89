"""Loading a plugin once, in a process and a home that are thrown away afterwards."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from aigis._base.errors import AigisError, PluginError
from aigis._base.home import Home
from aigis._base.messages import LoadReport, Plan
from aigis._base.names import plugin_name_problem
from aigis._base.settings import Settings
from aigis._cli import session
from aigis._cli.progress import Progress
from aigis._plugin.discover import Declared
from aigis._plugin.environment import Builder
from aigis._plugin.plan import make_plan
from aigis._plugin.prepare import prepare, prepare_core_environment

FIRST_CODE = Path(__file__).with_name("trial_process.py")
NAMELESS = "plugin"
STDERR = 2


def try_loading(folder: Path, *, environ: Mapping[str, str] = os.environ) -> LoadReport | None:
    """Prepare and load the plugin in `folder`; return how that ended, None when it has nothing to load.

    Its files are copied, its requirements installed into an environment of its own; secrets come from the home this
    process stands in, if there is one.
    """
    name = folder.resolve().name if plugin_name_problem(folder.resolve().name) is None else NAMELESS
    with tempfile.TemporaryDirectory(prefix="aigis-check-") as place:
        settings = _settings(Path(place))
        try:
            plan, python = _prepare(name, folder, settings, environ)
        except PluginError as error:
            return LoadReport(name, "", "failed", str(error), getattr(error, "phase", ""))
        if not plan.plugins:
            return None
        return _load(name, plan, python, settings, environ)


def _settings(place: Path) -> Settings:
    """Return settings of a home that is empty but for the secrets of the one we stand in."""
    home = Home(place)
    real = _real()
    if real is None:
        return Settings(home=home, host="localhost")
    if real.home.secrets.is_dir():
        home.secrets.symlink_to(real.home.secrets, target_is_directory=True)
    return Settings(home=home, host=real.host, import_timeout=real.import_timeout)


def _real() -> Settings | None:
    try:
        return session.settings_here()
    except AigisError:
        return None


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables of the trial: skills of an AIGIS that runs here can be called."""
    real = _real()
    return {**environ, **({"AIGIS_HOME": str(real.home.root)} if real is not None else {})}


def _prepare(name: str, folder: Path, settings: Settings, environ: Mapping[str, str]) -> tuple[Plan, Path]:
    declared = Declared(name=name, source=folder.resolve(), declared_by=str(folder))
    prepared = prepare(declared, settings, path=environ.get("PATH", os.defpath))
    builder = Builder(folder=settings.home.environments, environ=environ, on_progress=Progress().tell)
    environment, left_out = prepare_core_environment([prepared], builder)
    if name in left_out:
        raise PluginError(left_out[name], phase="environment")
    return make_plan([prepared], generation=1, host=settings.host), environment.python


def _load(name: str, plan: Plan, python: Path, settings: Settings, environ: Mapping[str, str]) -> LoadReport:
    plan_file, report_file = settings.home.root / "plan.json", settings.home.root / "report.json"
    plan_file.write_text(plan.to_json(), encoding="utf-8")
    process = subprocess.Popen(
        [str(python), "-P", str(FIRST_CODE), str(plan_file), str(report_file)],
        stdin=subprocess.DEVNULL,
        stdout=STDERR,  # what the plugin prints must not look like our answer
        cwd=settings.home.root,
        env=_variables(environ),
        start_new_session=True,
    )
    try:
        ended = f"the process ended with {_how(process.wait(settings.import_timeout))} while it was loading"
    except subprocess.TimeoutExpired:
        ended = f"it had not finished after {settings.import_timeout:g} s"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    try:
        return LoadReport.from_json(report_file.read_bytes())
    except FileNotFoundError:
        return LoadReport(name, "", "failed", ended, "import")


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"
