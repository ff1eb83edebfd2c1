"""Recorded requests as scenarios, each with a cassette from which it replays.

A request becomes steps; the requests of one conversation become turns of one scenario. A scenario
is kept if its replay makes exactly the recorded requests; the proof is the replay itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness.analysis.endpoint import Role
from harness.analysis.reply import first
from harness.cassette.artefacts import to_files
from harness.cassette.safe_yaml import dump
from harness.cassette.store import Store, write_cassette, write_text
from harness.cassette.vcrpy_check import check_vcrpy_reads
from harness.convert.recorded_calls import LeftOut, RecordedCall, calls_of, conversations, slug
from harness.errors import BadScenario, CannotWrite, HarnessError, InterceptError
from harness.runner import replay
from harness.scenario.files import loads
from harness.scenario.messages import message_of
from harness.scenario.references import escaped
from harness.scenario.steps import Scenario, digests
from harness.types import SETTINGS, CallKind, Cassette, Failure, Json, Mode, Reply, Target
from harness.wire import as_list, as_object, compact, objects_in, read_json

StepJson = dict[str, Json]
"""A step as in a scenario's file."""


@dataclass(frozen=True)
class Adopted:
    """A scenario that was made from recorded exchanges.

    Attributes:
        scenario: The scenario.
        target: Its only target.
        text: The text of the scenario's file.
        cassette: The cassette from which it replays, with the recorded exchanges.
    """

    scenario: Scenario
    target: Target
    text: str
    cassette: Cassette


def adopt(cassette: Cassette, source: str, name: str) -> tuple[list[Adopted], list[LeftOut]]:
    """Return scenarios that replay the exchanges of *cassette*, and the exchanges without one.

    Args:
        cassette: The cassette, without secrets.
        source: The path of its file, for messages.
        name: The name of the first scenario; `-2`, `-3` ... is added to it for others.
    """
    adopted: list[Adopted] = []
    calls, left = calls_of(cassette, source)
    waiting = conversations(calls)
    while waiting:
        group = waiting.pop(0)
        own = f"{name}-{len(adopted) + 1}" if adopted else name
        made, reason = _made(group, cassette, source, own)
        if made is not None:
            adopted.append(made)
        elif len(group) > 1:
            waiting[:0] = [[recorded] for recorded in group]
        elif len(group[0].exchanges) > 1 and group[0].endpoint.role is Role.ANSWER:
            only, rest = _without_lookups(group[0])
            waiting.insert(0, [only])
            left += rest
        else:
            left += [
                LeftOut(reading.number, group[0].endpoint.name, reason)
                for reading in group[0].turn.readings
            ]
    return adopted, sorted(left, key=lambda one: one.number)


def free_name(file: Path, folder: Path, taken: Collection[str]) -> str:
    """Return an unused name for the scenario that is made from the recording *file*.

    For `chats/weather.yaml` it is `weather`, else `chats-weather`, else `chats-weather-v2` and so
    on. A name is unused if it is not in *taken*, and *folder* has no file `<name>.yaml`.
    """
    own, longer = slug(file.stem), slug(f"{file.parent.name}-{file.stem}")
    numbered = (f"{longer}-v{number}" for number in count(2))
    names = chain([own, longer], numbered)
    return next(n for n in names if n not in taken and not (folder / f"{n}.yaml").exists())


def write_all(adopted: Sequence[Adopted], folder: Path, store: Store) -> None:
    """Write scenarios to *folder* and their cassettes to *store*: all files or, on error, none.

    Raises:
        HarnessError: One of the files exists already.
        CannotWrite: A file cannot be written.
    """
    paths = [
        (folder / f"{one.scenario.name}.yaml", store.path(one.scenario.name, one.target))
        for one in adopted
    ]
    for path in chain.from_iterable(paths):
        if path.exists():
            raise HarnessError(f"{path} exists; choose another name: --name NAME")
    prepared = [to_files(one.cassette) for one in adopted]
    for files, one in zip(prepared, adopted, strict=True):
        check_vcrpy_reads(files, one.cassette)
    try:
        for (path, cassette), files, one in zip(paths, prepared, adopted, strict=True):
            write_cassette(cassette, files)
            write_text(path, one.text)
    except CannotWrite:
        for path in chain.from_iterable(paths):
            path.unlink(missing_ok=True)
        raise


def _without_lookups(recorded: RecordedCall) -> tuple[RecordedCall, list[LeftOut]]:
    """Return *recorded* without the exchanges after its answer, and these as left out."""
    turn, (asked, *later) = recorded.turn.turn, recorded.turn.readings
    alone = replace(
        recorded.turn, turn=replace(turn, exchanges=turn.exchanges[:1]), readings=(asked,)
    )
    reason = "no session makes this request after its answer"
    names = ((r.number, r.endpoint.name if r.endpoint else "unknown") for r in later)
    only = replace(recorded, turn=alone, exchanges=recorded.exchanges[:1])
    return only, [LeftOut(number, name, reason) for number, name in names]


def _made(
    group: Sequence[RecordedCall], cassette: Cassette, source: str, name: str
) -> tuple[Adopted | None, str]:
    """Return the first scenario of *group* that replays; else None and why the last does not."""
    reasons: list[str] = []
    ways = (_as_given, _without_input if group[0].endpoint.fields.parameters else _verbatim)
    for steps, way in product(_candidates(group), ways):
        try:
            adopted = _adopted(group, steps, cassette, source, name, way)
            reasons.append(_problem(adopted))
        except BadScenario as error:
            reasons.append(str(error))
        else:
            if not reasons[-1]:
                return adopted, ""
    own = (reason for reason in reversed(reasons) if ": path:" not in reason)  # not another kind's
    return None, next(own, reasons[-1])


def _candidates(group: Sequence[RecordedCall]) -> Iterator[list[list[StepJson]]]:
    """Yield the ways to write each recorded call as steps, the most readable one first."""
    if group[0].kind is not CallKind.CHAT:
        yield from ([[step]] for step in _inputs(group[0]))
        return
    readable = [_readable(recorded, before) for recorded, before in _pairs(group)]
    if all(readable):
        yield readable
    yield [_exact(recorded, before) for recorded, before in _pairs(group)]


def _inputs(recorded: RecordedCall) -> Iterator[StepJson]:
    """Yield the steps that may make a request that is no chat; of images and videos one is right.

    Both are tasks with a prompt.
    """
    said = recorded.said
    texts: list[Json] = [said] if isinstance(said, str) else as_list(said)
    if recorded.kind is CallKind.RERANK:
        items = as_list(first(recorded.body, recorded.endpoint.fields.texts))
        yield {"rerank": {"query": said, "documents": [{"text": item} for item in items]}}
        return
    several: list[Json] = [{"text": text} for text in texts]
    yield {recorded.kind.value: texts[0] if len(texts) == 1 else several}
    if recorded.mode is Mode.ASYNC:
        yield {"video": said}


def _pairs(group: Sequence[RecordedCall]) -> Iterator[tuple[RecordedCall, RecordedCall | None]]:
    return zip(group, (None, *group[:-1]), strict=True)


def _new(recorded: RecordedCall, before: RecordedCall | None) -> Json:
    """Return what *recorded* says after *before* and its answer."""
    said, earlier = recorded.said, before.said if before else None
    is_list = isinstance(said, list) and isinstance(earlier, list)
    return said[len(earlier) + 1 :] if is_list else said  # type: ignore[index, arg-type]


def _exact(recorded: RecordedCall, before: RecordedCall | None) -> list[StepJson]:
    """Return one step that sends the messages as they were sent."""
    new = _new(recorded, before)
    if isinstance(new, list) and all(isinstance(item, dict) for item in new):
        return [{"messages": new}]
    member = recorded.pointer.removeprefix("/")
    return [{"user": new if isinstance(new, str) else "-", "parameters": {member: recorded.said}}]


def _readable(recorded: RecordedCall, before: RecordedCall | None) -> list[StepJson]:
    """Return a step for each message; empty if steps cannot express one of the messages."""
    messages = recorded.openai_messages(_new(recorded, before))
    sent = objects_in(messages)
    roles = [message.get("role") for message in sent]
    if before is not None and roles and set(roles) == {"tool"}:
        return _results(sent, before)
    steps = [_step(message) for message in sent]
    is_talk = bool(steps) and len(sent) == len(messages) and roles[-1] == "user"
    pairs = zip(["", *roles], roles, strict=False)
    in_order = all(a == "user" for a, b in pairs if b == "assistant")
    return steps if is_talk and in_order and all(steps) else []


def _step(message: dict[str, Json]) -> StepJson:
    """Return a message as a step; empty if it is no plain text of a known role."""
    role, content = message.get("role"), message.get("content")
    is_plain = message.keys() == {"role", "content"} and isinstance(content, str)
    if (
        not is_plain
        or role not in ("system", "user", "assistant")
        or not (content or role == "user")
    ):
        return {}
    return {str(role): content}


def _results(messages: Sequence[dict[str, Json]], before: RecordedCall) -> list[StepJson]:
    """Return the results of the function calls in the answer to *before* as one step."""
    outcome = before.turn.outcome
    calls = {c.id: c for c in outcome.tool_calls} if isinstance(outcome, Reply) else {}
    results: list[Json] = []
    for message in map(message_of, messages):
        call = calls.get(message.tool_call_id)
        if call is None:
            return []
        arguments = read_json(call.arguments.encode()).value
        entry: StepJson = {"function": call.name}
        if isinstance(arguments, dict) and arguments:
            entry["arguments"] = arguments
        results.append({**entry, "result": message.content})
    return [{"tool_results": results}]


def _adopted(
    group: Sequence[RecordedCall],
    steps: Sequence[Sequence[StepJson]],
    cassette: Cassette,
    source: str,
    name: str,
    way: Callable[[RecordedCall], dict[str, Json]],
) -> Adopted:
    """Return the scenario of these steps with its cassette. Raises BadScenario.

    *way* returns the parameters of a recorded call as the scenario gives them.
    """
    head = group[0]
    target: dict[str, Json] = {"model": f"{head.provider.name}/{head.model}"}
    if head.base_url != head.provider.address:
        target["base_url"] = head.base_url
    parameters = [way(recorded) for recorded in group]
    common = {
        member: value
        for member, value in parameters[0].items()
        if all(member in each and _is_same(each[member], value) for each in parameters)
    }
    document: dict[str, Any] = {
        "name": name,
        "about": f"Adopted from {Path(source).name}.",
        "targets": [target if len(target) > 1 else target["model"]],
        **({"parameters": escaped(common)} if common else {}),
        **({"mode": head.mode.value} if head.mode is not Mode.SYNC else {}),
        **({"volatile": [*cassette.provenance.volatile]} if cassette.provenance.volatile else {}),
        "steps": [
            step
            for recorded, own, given in zip(group, steps, parameters, strict=True)
            for step in _completed(recorded, own, head, given, common)
        ],
    }
    text = dump(document)
    scenario = loads(text)
    provenance = replace(
        cassette.provenance,
        scenario=name,
        target=str(scenario.targets[0]),
        address=head.base_url,
        script=digests(scenario, scenario.targets[0]),
        test="",
        note=f"adopted from {Path(source).name}",
    )
    exchanges = tuple(
        replace(exchange, turn=number)
        for number, recorded in enumerate(group, start=1)
        for exchange in recorded.exchanges
    )
    return Adopted(scenario, scenario.targets[0], text, Cassette(exchanges, provenance))


def _as_given(recorded: RecordedCall) -> dict[str, Json]:
    return recorded.parameters


def _verbatim(recorded: RecordedCall) -> dict[str, Json]:
    """Return the parameters as members of the body that an SDK does not interpret."""
    given = recorded.parameters
    body = {name: value for name, value in given.items() if name not in SETTINGS}
    rest = {name: value for name, value in given.items() if name in SETTINGS}
    return {**rest, "extra_body": body}


def _without_input(recorded: RecordedCall) -> dict[str, Json]:
    """Return the parameters without what an SDK adds to the input by itself."""
    return {n: v for n, v in recorded.parameters.items() if n not in recorded.beside}


def _is_same(value: Json, other: Json) -> bool:
    """Return whether two values are the same JSON; 1 and 1.0 are not, neither are 1 and true."""
    return compact(value, sort_keys=True) == compact(other, sort_keys=True)


def _completed(
    recorded: RecordedCall,
    steps: Sequence[StepJson],
    head: RecordedCall,
    given: Mapping[str, Json],
    common: Mapping[str, Json],
) -> list[StepJson]:
    """Return the steps of a recorded call, the last of which makes it and has its options.

    Args:
        recorded: The recorded call.
        steps: Its steps.
        head: The first recorded call of the scenario.
        given: The parameters of the recorded call.
        common: Those that the scenario gives to all of its calls.
    """
    *earlier, call = (_escaped(step) for step in steps)
    own = {n: v for n, v in given.items() if n not in common}
    parameters = {**_escaped(own), **as_object(call.pop("parameters", {}))}
    if parameters:
        call["parameters"] = parameters
    if recorded.mode is not head.mode:
        call["mode"] = recorded.mode.value
    roles = {reading.endpoint.role for reading in recorded.turn.readings if reading.endpoint}
    if recorded.kind is CallKind.IMAGE and Role.FILE not in roles:
        call["download"] = False
    outcome = recorded.turn.outcome
    if isinstance(outcome, Failure):
        call |= {"expect": {"failure": outcome.code}} if outcome.code else {}
        call |= {"credentials": "wrong"} if outcome.status == 401 else {}
    return [*earlier, call]


def _escaped(step: StepJson) -> StepJson:
    return {name: escaped(value) for name, value in step.items()}


def _problem(adopted: Adopted) -> str:
    """Return why *adopted* does not replay; empty if it asks exactly the recorded requests."""
    with TemporaryDirectory(prefix="harness-adopt-") as folder:
        store = Store(Path(folder))
        path = store.path(adopted.scenario.name, adopted.target)
        try:
            write_cassette(path, to_files(adopted.cassette))
            transcript = replay(adopted.scenario, adopted.target, store)
        except (HarnessError, InterceptError) as error:
            return _shortened(str(error))
    unused = len(transcript.unused)
    return f"{unused} of the recorded requests are not made by the replay" if unused else ""


def _shortened(miss: str) -> str:
    """Return the first difference in the text of a miss, or the first line of another error."""
    _, found, differences = miss.partition("which differs in\n")
    text = differences.partition("\n")[0].strip() if found else miss.partition("\n")[0]
    return f"the SDK sends another request: {text}" if found else text
