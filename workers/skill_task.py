"""A skill as Celery knows it."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from celery import Celery, Task

from workers.replies import Answer
from workers.runner import Runner
from workers.serializers import SealedCall
from workers.turns import Turns

TASK_PREFIX = "aigis."


class SkillTask(Task):
    """Runs calls of one skill; `aigis.<path>` is its name in `celery inspect registered`."""

    Strategy = "workers.strategy:in_turn"
    serializer = None
    ignore_result = False
    acks_late = False
    max_retries = 0
    plugin = ""
    single = False
    runner: Runner
    turns: Turns

    def run(self, call: Any) -> Answer:
        """Run a sealed call and return its answer."""
        try:
            if not isinstance(call, SealedCall):
                raise TypeError("skills take calls of aigis only: write `aigis.x.y(…)` instead of `.delay(…)`")
            request = self.request
            with self.turns.held(self.plugin) if self.single else nullcontext():
                return self.runner.run(str(request.id), str(request.reply_to), call.data)
        finally:
            if self.single:
                self.turns.done(self.plugin)


def make_task(app: Celery, path: str, *, plugin: str, single: bool, runner: Runner, turns: Turns) -> SkillTask:
    """Return the registered task of one skill."""
    members = {"name": TASK_PREFIX + path, "plugin": plugin, "single": single, "runner": runner, "turns": turns}
    cls = type("SkillTask", (SkillTask,), {**members, "__module__": __name__})
    task: SkillTask = app.register_task(cls())
    return task
