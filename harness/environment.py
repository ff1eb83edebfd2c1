"""What the environment says: keys and addresses, from variables or a `.env` file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values

from harness.errors import MissingKey
from harness.providers import PROVIDERS, Provider


@dataclass(frozen=True, slots=True)
class Environment:
    """The variables that matter here. The process's own win over those of the `.env` file."""

    variables: Mapping[str, str] = field(repr=False)

    def key(self, provider: Provider) -> str:
        """The provider's key. Raises MissingKey, naming the variable."""
        key = self.variables.get(provider.key_variable, "").strip()
        if not key:
            raise MissingKey(
                f"recording live from {provider.name} needs a key: set {provider.key_variable} "
                "(in the environment or in .env), or record from the sandbox with --sandbox"
            )
        return key

    def has_key(self, provider: Provider) -> bool:
        """Whether the provider's key is set."""
        return bool(self.variables.get(provider.key_variable, "").strip())

    def address(self, provider: Provider) -> str:
        """Where the provider is, if the user says so; empty leaves it to the SDK."""
        return self.variables.get(provider.address_variable, "").strip()

    def secrets(self) -> tuple[str, ...]:
        """Every part of every key that is set: none of them may be written."""
        keys = [
            (provider, self.variables.get(provider.key_variable, "").strip())
            for provider in PROVIDERS.values()
        ]
        return tuple(part for provider, key in keys if key for part in provider.secrets(key))


def environment(folder: Path) -> Environment:
    """The environment of a process working in `folder`."""
    from_file = {n: v for n, v in dotenv_values(folder / ".env").items() if v is not None}
    return Environment({**from_file, **os.environ})
