"""The project's secrets, and their masking in what is shown: cassettes, texts, reports.

The known secrets are those of the environment and of `.env`. A cassette of another tool may hold
these and other secrets. Commands read it with placeholders in place of secrets, so that they
neither print nor write one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from harness.config.environment import Environment, load_environment
from harness.errors import BadSettings, HarnessError
from harness.providers import PROVIDERS, SHIPPED, Provider
from harness.secrets.redactor import Redactor
from harness.secrets.shapes import is_made_up
from harness.types import Cassette


def project_secrets() -> tuple[str, ...]:
    """Return the secrets of the environment and of `.env` in the working folder.

    Raises:
        BadSettings: A file of settings is not valid.
    """
    return _secrets(load_environment(os.getcwd()), tuple(PROVIDERS.values()))


_secrets = lru_cache(maxsize=4)(Environment.secrets)
"""The secrets in an environment, kept: `load_environment` returns the same one while it is."""


def recording_redactor(secrets: Iterable[str] = ()) -> Redactor:
    """Return a redactor for recordings that removes *secrets* and the project's secrets.

    It keeps the providers' own headers. Raises BadSettings if a file of settings is not valid.
    """
    return _recording_redactor((*project_secrets(), *secrets))


@lru_cache(maxsize=4)
def _recording_redactor(secrets: tuple[str, ...]) -> Redactor:
    from harness.providers.endpoints import HEADERS

    return Redactor(secrets, HEADERS)


def environment_secrets() -> tuple[str, ...]:
    """Return the secrets of the environment and `.env`, except values that are placeholders."""
    try:
        environment = load_environment(Path.cwd())
    except BadSettings:  # the message about it is masked too
        environment = Environment(os.environ)
    try:
        providers = tuple(PROVIDERS.values())
    except HarnessError:  # a plug-in or a declaration is wrong; the message about it is masked too
        providers = tuple(SHIPPED.values())
    return _real_secrets(environment, providers)


@lru_cache(maxsize=4)
def _real_secrets(environment: Environment, providers: tuple[Provider, ...]) -> tuple[str, ...]:
    """Return the secrets in an environment that are no placeholders; kept as `_secrets` is."""
    return tuple(one for one in environment.secrets(providers) if not is_made_up(one))


@lru_cache(maxsize=8)
def _redactor(secrets: tuple[str, ...]) -> Redactor:
    return Redactor(secrets)


def masked(cassette: Cassette) -> Cassette:
    """Return *cassette* with known secrets, and values that look like one, masked for display."""
    redactor = _redactor(environment_secrets())
    return replace(cassette, exchanges=tuple(map(redactor.shown, cassette.exchanges)))


def text_masker() -> Callable[[str], str]:
    """Return a function that masks the secrets in a text for display.

    It does not search encoded data, such as base64: in cassettes, `masked` has done so already.
    """
    return _redactor(environment_secrets()).shown_text
