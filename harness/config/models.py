"""The table of models: at which endpoint each is called, whether it thinks, when it is retired.

A table is a TOML file with a `[[model]]` section for each group of models. A model that no section
names is not judged: it may be new.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

from harness.config.files import load_rows

SHIPPED = Path(__file__).with_name("models.toml")
"""The table of models that comes with the harness."""

THINKING = ("never", "off", "on", "always", "streamed")
"""The values of `Model.thinking`."""


@dataclass(frozen=True, slots=True)
class Model:
    """A group of models of one provider with the same properties.

    Attributes:
        provider: The provider's name.
        models: Their names; `*` matches any text.
        kinds: The kinds of call that the group is for, such as `chat`, and `image async` for an
            image by a task; empty for every kind.
        source: Where this was published.
        endpoint: The end of the name of the endpoint (`Endpoint.name`), such as `generation`; empty
            if it is the provider's own choice.
        thinking: Whether the models reason: `never`; `off` or `on` by default; `always`; `streamed`
            if it is on by default and refused without a stream; empty if unknown.
        successor: The model to use instead of a retired one.
        retired: The day of retirement; None if none was announced.
    """

    provider: str
    models: tuple[str, ...]
    source: str
    kinds: tuple[str, ...] = ()
    endpoint: str = ""
    thinking: str = ""
    successor: str = ""
    retired: date | None = None

    def names(self, model: str) -> bool:
        """Return whether *model* is one of these models."""
        return _is_named(model, self.models)


@lru_cache(maxsize=4096)
def _is_named(model: str, patterns: tuple[str, ...]) -> bool:
    """Return whether *model* matches a pattern. Each call of a replay asks for the same models."""
    return any(fnmatchcase(model, pattern) for pattern in patterns)


@dataclass(frozen=True, slots=True)
class Models:
    """A table of models; if several rows name a model, the first one counts.

    Attributes:
        table: The rows.
        under: A second table; None for no table. It supplies the rows of models that the first one
            lacks, and `kinds`, `endpoint` and `thinking` where a row of the first one has none.
    """

    table: tuple[Model, ...] = ()
    under: Models | None = None

    def find(self, provider: str, model: str, kind: str = "") -> Model | None:
        """Return the row of a model; None if the table does not have it.

        Args:
            provider: The provider's name. For `dashscope-compatible`, and other names of the same
                service in another format, the rows of `dashscope` count too.
            model: The model's name.
            kind: The kind of call, as in `Model.kinds`; empty for any.
        """
        names = (provider, provider.partition("-")[0])
        rows = (row for row in self.table if row.provider in names and row.names(model))
        own = next((row for row in rows if not kind or not row.kinds or kind in row.kinds), None)
        base = self.under.find(provider, model, kind) if self.under else None
        if own is None or base is None:
            is_other = own and self.under and not own.kinds and self.under.kinds(provider, model)
            return base if is_other else own or base
        return replace(
            own,
            kinds=own.kinds or base.kinds,
            endpoint=own.endpoint or base.endpoint,
            thinking=own.thinking or base.thinking,
        )

    def kinds(self, provider: str, model: str) -> list[str]:
        """Return the kinds of call of a provider's model, such as `chat`; empty if unknown."""
        names = (provider, provider.partition("-")[0])
        rows = [row for row in self.table if row.provider in names and row.names(model)]
        own = [kind for row in rows for kind in row.kinds] if all(row.kinds for row in rows) else []
        return [*dict.fromkeys((*own, *(self.under.kinds(provider, model) if self.under else ())))]

    def supports(self, provider: str, model: str, kind: str) -> bool:
        """Return whether the table lists *kind*, such as `chat`, for a provider's model."""
        row = self.find(provider, model, kind)
        return row is not None and kind in row.kinds

    def before(self, other: Models) -> Models:
        """Return a table with the rows of both tables; this one takes precedence over *other*."""
        return Models(self.table, other)

    def warnings(self, models: Iterable[tuple[str, str]], day: date) -> Iterator[str]:
        """Yield a sentence for each retired model, and for each whose retirement is announced.

        Args:
            models: Pairs of provider and model, such as `("zhipuai", "glm-5")`.
            day: The day that counts as today.
        """
        for provider, model in dict.fromkeys(models):
            row = self.find(provider, model)
            if row is not None and row.retired is not None:
                was = "was" if row.retired <= day else "will be"
                instead = f"; use {row.successor}" if row.successor else ""
                source = f" (source: {row.source})"
                yield f"{provider}/{model} {was} retired on {row.retired}{instead}{source}"


def load(path: Path) -> Models:
    """Read a table of models from a TOML file.

    Raises:
        BadSettings: The table is invalid; the message names the file and the row.
    """
    return Models(load_rows(path, "model", Model, _problem))


def _problem(row: Model) -> str:
    if row.thinking and row.thinking not in THINKING:
        return f"thinking: expected one of {', '.join(THINKING)}"
    return ""
