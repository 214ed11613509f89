"""The Celery side of AIGIS: `celery -A workers inspect registered` finds its app here.

Importing this package does nothing; `workers.app` is built when it is first asked for, in the home of the process.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from workers.celery_app import app_of_this_home

    app = globals()["app"] = app_of_this_home()
    return app
