"""The program `aigis`: the verbs outside a checkout, with a help page grouped by purpose."""

from __future__ import annotations

from invoke.program import Program
from invoke.util import helpline

from aigis._cli.verbs import GROUPS, namespace
from aigis._version import __version__


class AigisProgram(Program):
    """pyinvoke's program around our verbs; it parses exactly as `invoke` does."""

    def print_help(self) -> None:
        """Print how to use the program and what each verb is for."""
        print(f"Usage: {self.binary} VERB [words and options]")  # noqa: T201
        print()  # noqa: T201
        self.list_tasks()
        print(f"`{self.binary} VERB --help` tells more; `{self.binary} --version` the version.")  # noqa: T201
        print("The home is AIGIS_HOME, else the nearest directory upward that looks like one.")  # noqa: T201

    def list_flat(self) -> None:
        """Print the verbs, grouped."""
        for title, names in GROUPS.items():
            print(f"{title}:")  # noqa: T201
            self.print_columns([(name, helpline(self.collection[name])) for name in names])


def main() -> None:
    """Run the program `aigis` with this process' arguments."""
    AigisProgram(version=__version__, namespace=namespace, name="aigis", binary="aigis").run()
