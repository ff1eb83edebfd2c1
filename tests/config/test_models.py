"""The table of models, read and asked."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from harness.config.models import SHIPPED, Model, Models, load
from harness.config.settings import load_models
from harness.errors import BadSettings
from harness.providers import PROVIDERS

GOOD = """\
[[model]]
provider = "ours"
models = ["one", "one-*"]
kinds = ["chat"]
endpoint = "chat"
thinking = "on"
successor = "two"
retired = 2026-07-01
source = "a page"
"""


def written(folder: Path, text: str) -> Path:
    """A table on the disk."""
    path = folder / "models.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_of_models(tmp_path: Path) -> None:
    """Each key is an attribute of the row."""
    day = date(2026, 7, 1)
    row = Model("ours", ("one", "one-*"), "a page", ("chat",), "chat", "on", "two", day)
    assert load(written(tmp_path, GOOD)) == Models((row,))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('models = ["one", "one-*"]', 'models = "one"', "model 1: models: expected a list of"),
        ('models = ["one", "one-*"]\n', "", "model 1: models: expected a list of texts"),
        ('source = "a page"\n', "", "model 1: source: expected a text"),
        ("2026-07-01", '"2026-07-01"', "model 1: retired: expected a day such as 2026-07-01"),
        ('"on"', '"sometimes"', "model 1: thinking: expected one of never, off, on, always, "),
        ("successor", "sucessor", "model 1: unknown key 'sucessor'; expected one of provider, "),
        ("[[model]]", "[[modell]]", "expected [[model]] for each model, and nothing else"),
    ],
)
def test_a_table_that_is_wrong(tmp_path: Path, old: str, new: str, message: str) -> None:
    """The error names the file, the row and the key."""
    path = written(tmp_path, GOOD.replace(old, new))
    with pytest.raises(BadSettings) as raised:
        load(path)
    assert str(raised.value).startswith(f"{path}: {message}")


TABLE = Models(
    (
        Model("ours", ("one-old",), "a page", ("chat",), successor="one", retired=date(2026, 1, 2)),
        Model("ours", ("one*",), "a page", ("chat", "prompt"), endpoint="here"),
        Model("ours", ("one*",), "a page", ("image async",), endpoint="there"),
    )
)


@pytest.mark.parametrize(
    ("model", "kind", "endpoint"),
    [
        ("one", "chat", "here"),
        ("one-x", "prompt", "here"),
        ("one-x", "image async", "there"),
        ("one-old", "prompt", "here"),
        ("one", "image", None),
        ("two", "chat", None),
    ],
)
def test_the_first_row_for_the_kind_counts(model: str, kind: str, endpoint: str | None) -> None:
    """A model that is in no row is unknown."""
    row = TABLE.find("ours", model, kind)
    assert (row.endpoint if row else None) == endpoint


def test_a_row_is_of_one_provider() -> None:
    """Another provider may have a model of the same name."""
    assert TABLE.find("theirs", "one") is None


def test_the_rows_of_a_service_count_for_its_other_formats() -> None:
    """Those of `ours` for `ours-compatible`, and not the other way round."""
    assert TABLE.find("ours-compatible", "one") == TABLE.find("ours", "one")
    assert Models((Model("ours-compatible", ("one",), "a page"),)).find("ours", "one") is None


@pytest.mark.parametrize(("day", "said"), [((2026, 1, 2), "was"), ((2026, 1, 1), "will be")])
def test_a_retired_model_is_warned_of(day: tuple[int, int, int], said: str) -> None:
    """From its last day on, and before it; once, with its successor; an unknown model is not."""
    used = [("ours", "one-old"), ("ours", "one"), ("ours", "new"), ("ours", "one-old")]
    (warning,) = TABLE.warnings(used, date(*day))
    assert warning == (f"ours/one-old {said} retired on 2026-01-02; use one (source: a page)")


def test_a_users_own_table_lies_over_the_shipped_one(tmp_path: Path) -> None:
    """Its rows come first; models that it does not name are those of the shipped table."""
    own = GOOD.replace('"ours"', '"dashscope"').replace("one", "qwen-plus")
    (tmp_path / "pyproject.toml").write_text('[tool.harness]\nmodels = "models.toml"\n')
    written(tmp_path, own)
    used = [("dashscope", "qwen-plus"), ("dashscope", "qwen-turbo"), ("dashscope", "qwen-flash")]
    warned = load_models(tmp_path).warnings(used, date(2026, 11, 28))
    assert [warning.split()[0] for warning in warned] == [
        "dashscope/qwen-plus",
        "dashscope/qwen-turbo",
    ]


def test_a_users_row_has_the_rest_from_the_shipped_one(tmp_path: Path) -> None:
    """A row with a successor only leaves the endpoint, the thinking and the kinds as they are."""
    row = '[[model]]\nprovider = "dashscope"\nmodels = ["qwen3.7-plus"]\nsource = "x"\n'
    (tmp_path / "pyproject.toml").write_text('[tool.harness]\nmodels = "models.toml"\n')
    written(tmp_path, row + 'successor = "qwen9"\n')
    models = load_models(tmp_path)
    found = models.find("dashscope", "qwen3.7-plus", "chat")
    assert found is not None
    assert (found.successor, found.endpoint, found.thinking) == ("qwen9", "multimodal", "on")
    assert models.supports("dashscope", "qwen3.7-plus", "chat")
    assert models.find("dashscope", "qwen3.7-plus", "image") is None
    assert not models.supports("dashscope", "qwen3.7-plus", "transcription")
    assert "transcription" not in models.kinds("dashscope", "qwen3.7-plus")


def test_the_shipped_table() -> None:
    """It names known providers and endpoints; no successor of a model is itself retired."""
    models = load(SHIPPED)
    for row in models.table:
        names = {e.name.partition(".")[2] for e in PROVIDERS[row.provider].endpoints}
        assert row.endpoint in {"", *names}
        if row.successor:
            successor = models.find(row.provider, row.successor)
            assert successor is None or successor.retired is None


def test_no_row_hides_a_retirement() -> None:
    """Rows of retired models stand before those with patterns that match them too."""
    models = load(SHIPPED)
    for row in models.table:
        for name in row.models if row.retired else ():
            found = models.find(row.provider, name.replace("*", "x"))
            assert found is not None
            assert found.retired is not None, name
