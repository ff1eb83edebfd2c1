"""The functions of the SDK `dashscope` that request each endpoint, and their arguments."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from harness.analysis.endpoint import Endpoint, Pointers
from harness.analysis.reply import first
from harness.providers.dashscope import endpoints
from harness.providers.provider import only_images, usual_media
from harness.providers.sdk import parameters_of
from harness.types import Call, CallKind, Json, Medium, Mode
from harness.wire import resolve

if TYPE_CHECKING:
    import requests

SERVICES = "/services/"
"""The beginning of the path that an SDK appends to the base URL."""


@dataclass(frozen=True, slots=True)
class SdkFunction:
    """A function of the SDK that requests an endpoint.

    Attributes:
        function: The SDK's function as `module:name`, such as `dashscope:Generation.call`.
        inputs: For each argument of the function, the JSON pointers to its value in a request body.
            Other inputs are not passed on, because the SDK uploads local files that some inputs
            name.
    """

    function: str
    inputs: Mapping[str, Pointers]


_ROWS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_ALL = {
    name: SdkFunction(row["function"], {n: (place,) for n, place in row["inputs"].items()})
    for name, row in _ROWS.items()
}
FUNCTIONS: Mapping[str, SdkFunction] = {
    f"dashscope.{name}": function
    for name, function in _ALL.items()
    if name not in ("one-file", "images", "speech")
}
"""The way in which the SDK requests each endpoint except `TASKS` and `SPEECH`, by endpoint name."""

SPOKEN = _ALL["speech"]
"""The way in which the SDK requests the endpoint `SPEECH`."""

_SYNC_ONLY = (endpoints.EMBEDDINGS, endpoints.TRANSCRIPTION, endpoints.SPEECH)
"""The endpoints that no asynchronous class of the SDK requests."""


def has_async(call: Call) -> bool:
    """Return whether the SDK has an asynchronous class for *call*."""
    return endpoints.endpoint_of(call) not in _SYNC_ONLY


def media_of(call: Call) -> Collection[Medium]:
    """Return the media besides text, such as images, that *call* may send to its endpoint."""
    endpoint = endpoints.endpoint_of(call)
    if endpoint in (endpoints.MIXED_EMBEDDINGS, endpoints.RERANK):
        return (Medium.IMAGE, Medium.VIDEO)
    return only_images(call) if call.kind is CallKind.IMAGE else usual_media(call)


def function_of(call: Call, endpoint: Endpoint) -> SdkFunction:
    """Return the function of the SDK that makes *call*, a request to *endpoint*."""
    if endpoint is endpoints.SPEECH:
        return SPOKEN
    if endpoint is endpoints.TRANSCRIPTION and takes_one_file(call):
        return _ALL["one-file"]
    is_image = call.kind is CallKind.IMAGE and call.mode is Mode.SYNC
    if is_image and find_spec("dashscope.aigc.image_generation"):
        return _ALL["images"]  # an older SDK asks as for a conversation
    return FUNCTIONS[endpoint.name]


def takes_one_file(call: Call) -> bool:
    """Return whether the model of *call* transcribes one file, not a list of files.

    [DOC] qwen3-asr-flash-filetrans.
    """
    return call.model.startswith("qwen")


def ask(called: SdkFunction, body: Json, prefix: str = "", **settings: Any) -> Any:
    """Call a function of the SDK with the members of a JSON body as its arguments.

    Args:
        called: The function.
        body: The JSON body to send.
        prefix: A prefix to the name of the function's class: `Aio` for the asynchronous class.
        settings: Further arguments of the function, such as `api_key` and `stream`.

    Returns:
        The SDK's response object; an iterator of them if `stream=True`.
    """
    function = resolve_name(called.function.replace(":", f":{prefix}"))
    required = {
        name
        for name, parameter in parameters_of(function).items()
        if parameter.default is parameter.empty
    }
    inputs = {
        name: value
        for name, value in inputs_of(body, called.inputs).items()
        if value is not None or name in required
    }
    return function(**inputs, **sdk_parameters(body), **settings)


def inputs_of(body: Json, pointers: Mapping[str, Pointers]) -> dict[str, Json]:
    """Return arguments of an SDK's function: the model, and the inputs in *body*.

    *pointers* has the JSON pointers of each input by the name of its argument. An input that *body*
    does not have is None.
    """
    places = {"model": ("/model",), **pointers}
    return {argument: first(body, pointers) for argument, pointers in places.items()}


def sdk_parameters(body: Json) -> dict[str, Any]:
    """Return the `parameters` of *body* as arguments of an SDK's function (a deep copy).

    `incremental_output: false`, the service's default, is removed: given this argument, the SDK
    would request increments and join them, and no cumulative stream would be recorded.
    """
    parameters = resolve(body, "/parameters")
    sent = copy.deepcopy(dict(parameters)) if isinstance(parameters, Mapping) else {}
    if sent.get("incremental_output") is False:
        del sent["incremental_output"]
    return sent


def session_argument(session: requests.Session) -> dict[str, requests.Session]:
    """Return the argument that makes the SDK's functions use *session*.

    It is empty for an SDK before 1.25.10, which opens a session for each request and never retries.
    """
    from dashscope.api_entities.http_request import HttpRequest

    has_argument = "session" in parameters_of(HttpRequest.__init__)
    return {"session": session} if has_argument else {}


_NOT_ON_THE_WIRE = ("status_code", "headers")


def dumped(response: Any) -> dict[str, Any]:
    """Return an SDK object as JSON, without the HTTP status and headers that the SDK adds."""
    return {name: plain(v) for name, v in response.items() if name not in _NOT_ON_THE_WIRE}


def plain(value: Any) -> Any:
    """Return a copy of *value* with dicts in place of the SDK's own types of mappings."""
    if isinstance(value, Mapping):
        return {name: plain(v) for name, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list) else value
