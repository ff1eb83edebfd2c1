"""The SDKs alone: each recorded request once, of one client, with a transport that answers.

`python -m benchmarks.sdks FOLDER` makes the requests of the cassettes in a folder, each with the
SDK that recorded it or, with `--every`, with every SDK that can, in two processes. What that takes
is the floor of `harness replay` and `harness parse`, which check and compare the answers, too. That
PyYAML reads the files is in it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import requests
import yaml

from benchmarks.clients import KEY, Memory

PROCESSES = 2
Ask = Callable[[dict[str, Any]], object]
"""Makes the request with a JSON body, and reads the whole answer."""


@dataclass
class Answer:
    """What all transports answer with.

    Attributes:
        body: The bytes of the answer; others for each request.
        kind: Its content type.
    """

    body: bytes = b""
    kind: str = ""

    def over_httpx(self, _: httpx.Request) -> httpx.Response:
        """Return the answer, as a response of httpx."""
        return httpx.Response(200, headers={"content-type": self.kind}, content=self.body)

    def over_requests(self, *_: object) -> bytes:
        """Return the bytes of the answer."""
        return self.body


def ask_all(paths: Iterable[Path], *, by_every_sdk: bool) -> int:
    """Make the requests of cassettes, and return how many there were."""
    answer = Answer()
    sdks = _sdks(answer)
    number = 0
    for path in paths:
        for uri, body, answer.body, answer.kind in _exchanges(path):
            able = next(functions for end, functions in sdks.items() if uri.endswith(end))
            asked = able if by_every_sdk else able[:1]
            for ask in asked:
                ask(body)
            number += len(asked)
    return number


def _exchanges(path: Path) -> Iterator[tuple[str, dict[str, Any], bytes, str]]:
    """Yield the address, the body, the answer and its content type of each exchange of a file."""
    for exchange in yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)["interactions"]:
        request, response = exchange["request"], exchange["response"]
        headers = {name.lower(): values[0] for name, values in response["headers"].items()}
        text = response["body"]["string"]
        body = text.encode() if isinstance(text, str) else text
        yield request["uri"], json.loads(request["body"]), body, headers["content-type"]


def _sdks(answer: Answer) -> dict[str, tuple[Ask, ...]]:
    """Return functions that make a request, by the end of its address; first the recording SDK."""
    from dashscope import Client, Generation, TextEmbedding
    from openai import OpenAI

    zhipu = [
        getattr(import_module(name), client)(
            api_key=KEY, max_retries=0, http_client=_http(answer, _ZHIPU)
        )
        for name, client in (("zhipuai", "ZhipuAI"), ("zai", "ZhipuAiClient"))
        if find_spec(name)  # `parse` asks those that are installed, too
    ]
    openai = OpenAI(api_key=KEY, max_retries=0, base_url=_ZHIPU, http_client=_http(answer, _ZHIPU))
    native = Client(
        api_key=KEY,
        max_retries=0,
        base_url=_DASHSCOPE,
        protocol="native",
        http_client=_http(answer, _DASHSCOPE),
        config_path=os.devnull,
    )
    session = requests.Session()
    session.mount("https://", Memory(answer.over_requests))
    through: dict[str, Any] = {"api_key": KEY, "session": session}
    return {
        "/chat/completions": tuple(
            partial(_with_members, client.chat.completions.create) for client in (*zhipu, openai)
        ),
        "/images/generations": tuple(
            partial(_with_members, create)
            for create in (*(client.images.generations for client in zhipu), openai.images.generate)
        ),
        "/generation": (partial(_with_input, partial(Generation.call, **through), "messages"),),
        "/text-embedding": (
            partial(_with_input, partial(TextEmbedding.call, **through), "texts"),
            partial(_with_input, native.embeddings.create, "texts"),
        ),
    }


_ZHIPU = "https://open.bigmodel.cn/api/paas/v4"
_DASHSCOPE = "https://dashscope.aliyuncs.com/api/v1"


def _http(answer: Answer, base: str) -> Any:
    """Return a client for any SDK; openai's types ask for httpx2, but it takes this one, too."""
    return httpx.Client(transport=httpx.MockTransport(answer.over_httpx), base_url=base)


def _with_members(create: Callable[..., Any], body: dict[str, Any]) -> None:
    """Make a request with the members of a body, and read its stream."""
    answer = create(**body)
    if body.get("stream"):
        for _ in answer:
            pass


def _with_input(call: Callable[..., Any], name: str, body: dict[str, Any]) -> None:
    """Make a request with the model and the input of a body, which has the name *name* there."""
    given = "messages" if name == "messages" else "input"
    call(model=body["model"], **{given: body["input"][name]})


def main() -> None:
    """Make the requests of a folder, half of its files in each process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", action="store_true", help="ask every SDK that can")
    given = parser.parse_args()
    files = sorted(given.folder.rglob("*.yaml"))
    parts = [files[number::PROCESSES] for number in range(PROCESSES)]
    with multiprocessing.Pool(PROCESSES) as pool:
        asked = pool.map(partial(ask_all, by_every_sdk=given.every), parts, chunksize=1)
    print(f"{sum(asked):,} requests")  # noqa: T201 - its output


if __name__ == "__main__":
    main()
