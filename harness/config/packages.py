"""The packages that the harness uses: their extras, the tested versions, and what clashes."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from harness.config.extras import DISTRIBUTION

CORE = "core"
"""The name of the packages that are installed without any extra."""

FOR_USERS = (
    *(CORE, "zhipu", "zai", "dashscope", "openai", "anthropic"),
    *("sandbox", "serve", "chat", "images", "report", "strategies"),
    *("remote", "s3", "oss", "dask"),
)
"""The extras, in the order of tables; others are for development, or are sums of these."""

InstalledVersion = Callable[[str], str]
"""A function that returns the installed version of a distribution; empty if there is none."""


@dataclass(frozen=True, slots=True)
class Package:
    """A distribution that the harness uses.

    Attributes:
        name: The name of the distribution.
        extras: The extras that need it, or `core`.
        allowed: The versions that are allowed.
        newest: The newest version that is tested; empty if it is not known.
        installed: The installed version; empty if it is not installed.
    """

    name: str
    extras: tuple[str, ...]
    allowed: SpecifierSet
    newest: str
    installed: str

    @property
    def lowest(self) -> str:
        """The lowest version that is tested; empty if every version is allowed."""
        bounds = [one.version for one in self.allowed if one.operator in (">=", "==", "~=")]
        return max(bounds, key=Version, default="")

    @property
    def state(self) -> str:
        """`ok`, `not installed`, `not supported` or `newer than tested`."""
        if not self.installed:
            return "not installed"
        if not self.allowed.contains(self.installed, prereleases=True):
            return "not supported"
        is_newer = self.newest and Version(self.installed) > Version(self.newest)
        return "newer than tested" if is_newer else "ok"


@dataclass(frozen=True, slots=True)
class Clash:
    """Installed packages that disturb each other or the harness.

    Attributes:
        packages: The names of the packages.
        text: What goes wrong if all are installed, and what to do about it.
    """

    packages: tuple[str, ...]
    text: str


_CLASHES = Path(__file__).with_name("clashes.toml")

KNOWN_CLASHES = tuple(
    Clash(tuple(row["packages"]), row["text"])
    for row in tomllib.loads(_CLASHES.read_text(encoding="utf-8"))["clash"]
)
"""The clashes that are known, each of packages that are all installed."""


def installed_version(name: str) -> str:
    """Return the installed version of the distribution *name*; empty if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


@dataclass(frozen=True)
class Installed:
    """The requirements of the harness, and what is installed here.

    Attributes:
        requirements: The requirements in the metadata of the harness.
        tested: The newest tested versions by normalized names.
        version_of: Returns the installed version of a distribution.
        requirements_of: Returns the requirements of an installed distribution.
    """

    requirements: tuple[str, ...]
    tested: Mapping[str, str]
    version_of: InstalledVersion = installed_version
    requirements_of: Callable[[str], Iterable[str] | None] = requires

    @cached_property
    def packages(self) -> tuple[Package, ...]:
        """The packages of the core and of the extras for users, each once."""
        extras: dict[str, list[str]] = {}
        allowed: dict[str, SpecifierSet] = {}
        for extra in FOR_USERS:
            for one in _requirements_of(self.requirements, extra):
                extras.setdefault(one.name, []).append(extra)
                allowed[one.name] = allowed.get(one.name, SpecifierSet()) & one.specifier
        return tuple(
            Package(
                name,
                tuple(extras[name]),
                allowed[name],
                self.tested.get(canonicalize_name(name), ""),
                self.version_of(name),
            )
            for name in extras
        )

    def extras(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the missing packages by extra; empty for an extra that is complete.

        Only the extras for users are included, not those for developers.
        """
        return {
            extra: tuple(
                one.name for one in self.packages if extra in one.extras and not one.installed
            )
            for extra in FOR_USERS
            if extra != CORE and any(extra in one.extras for one in self.packages)
        }

    def excluded(self, missing: Iterable[str]) -> str:
        """Return why the packages named in *missing* cannot be installed beside the installed ones.

        Return "" if no clash is known.
        """
        for clash in KNOWN_CLASHES:
            others = [name for name in clash.packages if name not in missing]
            if 0 < len(others) < len(clash.packages) and all(map(self.version_of, others)):
                return f"{' and '.join(clash.packages)}: {clash.text}"
        return ""

    def clashes(self) -> Iterator[Clash]:
        """Yield each known clash between installed packages.

        Then yield one for each installed package that needs another version of an installed one.
        """
        known = [one for one in KNOWN_CLASHES if all(map(self.version_of, one.packages))]
        yield from known
        explained = {name for clash in known for name in clash.packages}
        for package in self.packages:
            if package.installed and package.name not in explained:
                yield from self._unmet(package)

    def _unmet(self, package: Package) -> Iterator[Clash]:
        for one in _requirements_of(self.requirements_of(package.name) or (), CORE):
            there = self.version_of(one.name)
            if there and not one.specifier.contains(there, prereleases=True):
                text = f"{package.name} {package.installed} needs {one}, and {there} is installed"
                yield Clash((package.name, one.name), text)


def _requirements_of(texts: Iterable[str], extra: str) -> Iterator[Requirement]:
    """Yield the requirements that *extra* adds, or of the core, that apply to this platform."""
    for one in map(Requirement, texts):
        if one.name == DISTRIBUTION:
            continue
        for_core, for_extra = (
            one.marker is None or one.marker.evaluate({"extra": name}) for name in ("", extra)
        )
        if for_core if extra == CORE else for_extra and not for_core:
            yield one


def this_environment() -> Installed:
    """Return the environment of this process; it has no packages if the harness is not installed.

    The versions that the harness was tested with are read from constraints.txt. An installed
    harness has the file in its package, a checkout in its top folder.
    """
    package = Path(__file__).parent
    installed = package / "constraints.txt"
    source = installed if installed.is_file() else package.parent.parent / "constraints.txt"
    lines = source.read_text(encoding="utf-8").splitlines() if source.is_file() else []
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    tested: dict[str, str] = {canonicalize_name(name): text for name, text in pairs}
    try:
        needed = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        needed = []
    return Installed(tuple(needed), tested)
