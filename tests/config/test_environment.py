"""Keys and addresses, from variables or a `.env` file; and proxies, put out of the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.config.environment import Environment, load_environment, without_proxies
from harness.errors import MissingKey
from harness.providers import PROVIDERS

ZHIPU, DASH = PROVIDERS["zhipuai"], PROVIDERS["dashscope"]


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in PROVIDERS.values():
        monkeypatch.delenv(provider.key_variable, raising=False)
        monkeypatch.delenv(provider.address_variable, raising=False)


def test_a_file_says_what_no_variable_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process's own variables win, those set to nothing too."""
    (tmp_path / ".env").write_text(
        "ZHIPUAI_API_KEY=from.file\nDASHSCOPE_API_KEY='sk-file'\nZHIPUAI_BASE_URL=http://file/\n"
    )
    monkeypatch.setenv("ZHIPUAI_API_KEY", "from.process")
    known = load_environment(tmp_path)
    assert known.key(ZHIPU) == "from.process"
    assert known.key(DASH) == "sk-file"
    assert known.address(ZHIPU) == "http://file/"
    assert known.address(DASH) == ""
    assert os.environ.get("DASHSCOPE_API_KEY") is None
    monkeypatch.setenv("DASHSCOPE_API_KEY", "")
    assert not load_environment(tmp_path).has_key(DASH)


def test_an_unchanged_environment_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new value of any variable is seen, but for the one that pytest changes all the time."""
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "one")
    before = load_environment(tmp_path)
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "another")
    assert load_environment(tmp_path) is before
    monkeypatch.setenv("ZHIPUAI_API_KEY", "new.key")
    assert load_environment(tmp_path).key(ZHIPU) == "new.key"
    (tmp_path / ".env").write_text("DASHSCOPE_API_KEY=sk-file\n")
    assert load_environment(tmp_path).key(DASH) == "sk-file"


def test_a_folder_without_a_file(tmp_path: Path) -> None:
    """Nothing is known."""
    assert not any(load_environment(tmp_path).has_key(provider) for provider in PROVIDERS.values())


@pytest.mark.parametrize("value", [None, "", "  \n"])
def test_a_key_that_is_missing_is_named(value: str | None) -> None:
    """Its variable, where to set it, and what can be done without."""
    known = Environment({} if value is None else {"DASHSCOPE_API_KEY": value})
    with pytest.raises(MissingKey) as raised:
        known.key(DASH)
    assert str(raised.value) == (
        "recording live from dashscope needs a key: set DASHSCOPE_API_KEY "
        "(in the environment or in .env), or record from the sandbox with --sandbox"
    )
    assert not known.has_key(DASH)
    assert known.secrets(PROVIDERS.values()) == ()


def test_blanks_around_a_key_are_no_part_of_it() -> None:
    """They come with copying."""
    known = Environment({"DASHSCOPE_API_KEY": " sk-1\n", "DASHSCOPE_HTTP_BASE_URL": " http://x "})
    assert (known.key(DASH), known.address(DASH)) == ("sk-1", "http://x")


def test_every_part_of_every_key_is_secret() -> None:
    """Also of the provider that is not asked; and none of it is in a traceback."""
    known = Environment({"ZHIPUAI_API_KEY": "id.secret", "DASHSCOPE_API_KEY": "sk-1"})
    assert known.secrets(PROVIDERS.values()) == ("id.secret", "id", "secret", "sk-1")
    assert "sk-1" not in repr(known)


@pytest.mark.parametrize(
    ("name", "value", "is_secret"),
    [
        ("AZURE_OPENAI_API_KEY", "0123456789abcdef0123456789abcdef", True),
        ("DB_PASSWORD", "hunter2hunter2", True),
        ("github_token", "ghp_1234567890ab", True),
        ("APP_SECRET", " a+1/b=2,c:3;d4 ", True),
        ("DB_PASSWORD", "postgres", False),
        ("DB_PASSWORD", "correct horse battery 1", False),
        ("MY_LLM_CRED", "zz-9f8e7d6c5b4a3f2e", True),
        ("OPENAI_API_KEY_TEAM_2", "zz-9f8e7d6c5b4a3f2e", True),
        ("GATEWAY_KEY1", "zz-9f8e7d6c5b4a3f2e", True),
        ("TOKEN_URL", "https://login.example.com/v2/token", False),
        ("KEYBOARD", "pc105-2024-layout", False),
        ("COMPASS", "north-2024-layout", False),
        ("SSH_KEY", "/etc/keys/id_ed25519", False),
        ("SSH_KEY", "~/.ssh/id_ed25519", False),
        ("SSH_KEY", "C:\\keys\\id_ed25519", False),
        ("SORT_KEY", "created_at_descending", False),
        ("MAX_TOKENS", "100000000000a", False),
        ("KEYBOARD", "hunter2hunter2", False),
    ],
)
def test_keys_of_other_services_are_secret_too(name: str, value: str, is_secret: bool) -> None:
    """By the name of their variable; but no word and no path, which stand in ordinary texts."""
    assert Environment({name: value}).secrets(PROVIDERS.values()) == (
        (value.strip(),) if is_secret else ()
    )


def test_proxies_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the last one who wanted none is done; as they were before."""
    with without_proxies():  # whatever held so far
        monkeypatch.setenv("no_proxy", "")
        with without_proxies():
            assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == "*"
        assert os.environ["no_proxy"] == "*"


def test_who_had_no_exception_has_none_afterwards(python: object) -> None:
    """In a process of its own: the tests themselves run without proxies."""
    code = (
        "import os\nfrom harness.config.environment import without_proxies\n"
        "with without_proxies(): print(os.environ['no_proxy'], os.environ['NO_PROXY'])\n"
        "print(os.environ.get('no_proxy'), os.environ['NO_PROXY'])"
    )
    assert callable(python)
    done = python(
        "-c", f"import os; os.environ.pop('no_proxy', None)\n{code}", env={"NO_PROXY": "a"}
    )
    assert done.stdout == "* *\nNone a\n"


def test_each_key_of_a_list_is_secret() -> None:
    """Code that spreads its requests over several keys has them in one variable."""
    one, two = "zz-9f8e7d6c5b4a3f2e", "yy-9f8e7d6c5b4a3f2e"
    known = Environment({"OPENAI_API_KEYS": f"{one},{two}"})
    assert {one, two} <= {*known.secrets(PROVIDERS.values())}
