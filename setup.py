"""Compile the message catalogues and copy the shipped scenarios whenever the package is built."""

from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithData(build_py):
    """Copy the Python files and the data: catalogues, shipped scenarios, tested versions."""

    def run(self) -> None:
        """Compile each `.po` file to a `.mo` file beside it, build as usual, and add data.

        Scenarios are in the folder `scenarios` of a checkout, and in the package once installed.
        """
        for source in Path("harness/locale").glob("*/LC_MESSAGES/*.po"):
            with source.open("rb") as po, source.with_suffix(".mo").open("wb") as mo:
                write_mo(mo, read_po(po))
        super().run()
        if not self.editable_mode:
            for scenario in sorted(Path("scenarios").glob("*.yaml")):
                target = Path(self.build_lib, "harness", "shipped_scenarios", scenario.name)
                self.mkpath(str(target.parent))
                self.copy_file(str(scenario), str(target))
            self.copy_file("constraints.txt", str(Path(self.build_lib, "harness", "config")))


setup(cmdclass={"build_py": BuildWithData})
