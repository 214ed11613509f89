"""The verb `check`: what is wrong with a plugin's folder, by reading it and, when asked, by loading it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aigis._base.messages import LoadReport
from aigis._cli import session, terminal
from aigis._cli.exits import DONE, FAILED, UsageError
from aigis._cli.units import several

if TYPE_CHECKING:
    from aigis._plugin.problem import Problem


def run(words: Sequence[str], *, load: bool) -> int:
    """Print every problem and notice; then, if there is no problem, try to load it."""
    from aigis._plugin.check import check_folder

    given = session.one_word(words, "check", "FOLDER")
    folder = Path(given)
    if not folder.is_dir():
        raise UsageError(f"{given!r} is no folder: give the folder of a plugin, in which AIGIS/AIGIS.config lies")
    problems = check_folder(folder)
    for problem in problems:
        terminal.say(line(given, problem))
    fatal = sum(problem.fatal for problem in problems)
    if load and not fatal:
        fatal += not _loads(folder)
    terminal.say(verdict(given, fatal, len(problems) - sum(problem.fatal for problem in problems)))
    return FAILED if fatal else DONE


def line(given: str, problem: Problem) -> str:
    """Return one problem with a place that editors understand."""
    place = os.path.join(given, problem.file) + ("" if problem.line is None else f":{problem.line}")
    return f"{place}: {'' if problem.fatal else 'notice: '}{problem.message}"


def verdict(given: str, fatal: int, notices: int) -> str:
    """Return the last line: how many there were."""
    told = [several(fatal, "problem") if fatal else "no problem", several(notices, "notice") if notices else ""]
    return f"{given}: {', '.join(filter(None, told))}"


def _loads(folder: Path) -> bool:
    from aigis._cli.trial import try_loading

    report = try_loading(folder)
    if report is None:
        terminal.say("there is no AIGIS/AIGIS.core, so core workers have nothing to load")
        return True
    for text in told(report):
        terminal.say(text)
    return report.status == "ready"


def told(report: LoadReport) -> list[str]:
    """Return how loading ended, in lines."""
    notices = [f"notice: {notice}" for notice in report.notices]
    if report.status != "ready":
        where = f" ({report.phase})" if report.phase else ""
        return [f"loading {report.status}{where}: {report.reason}", *notices]
    from aigis._cli.signatures import render_skill

    skills = [f"  aigis.{render_skill(skill)}" for skill in report.skills]
    return [f"it loads, with {several(len(skills), 'skill')}:", *skills, *notices]
