"""Recordings of any program as scenarios, each with a cassette from which it replays.

A request becomes steps by the data of its endpoint: where the messages, the prompt and the
parameters are. Requests that continue a recorded conversation become turns of one scenario. A
scenario is kept if its replay asks exactly the recorded requests; the proof is the replay itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from harness.analysis.endpoint import Endpoint, Role, find
from harness.analysis.reply import first
from harness.analysis.transcript import AnalyzedTurn, analyze, transcript_of
from harness.cassette.artefacts import to_files, with_artefacts
from harness.cassette.reader import loads as read_cassette
from harness.cassette.safe_yaml import dump
from harness.cassette.store import Store, file_bytes, write_cassette, write_text
from harness.cassette.vcrpy_check import check_vcrpy_reads
from harness.convert.loading import form_of, load
from harness.errors import BadCassette, BadScenario, CannotWrite, HarnessError, InterceptError
from harness.providers import PROVIDERS, Provider, endpoints
from harness.providers.clients import CLIENTS
from harness.providers.sdk import recorded_request
from harness.runner import replay
from harness.runner.recordings import read_masked
from harness.scenario.files import loads
from harness.scenario.messages import message_of
from harness.scenario.references import escaped
from harness.scenario.steps import Scenario, digests
from harness.types import SETTINGS, CallKind, Cassette, Exchange, Failure, Json, Mode, Reply, Target
from harness.wire import compact, read_json, resolve

Step = dict[str, Json]
"""A step as in a scenario's file."""


@dataclass(frozen=True)
class Question:
    """A recorded request that a session can make again.

    Attributes:
        turn: The turn with the request and its answer.
        exchanges: The exchanges of the turn, as they were recorded.
        provider: The provider whose session makes the request.
        endpoint: The provider's endpoint.
        body: The JSON body of the request.
        kind: The kind of the call.
        mode: The delivery of the answer.
    """

    turn: AnalyzedTurn
    exchanges: tuple[Exchange, ...]
    provider: Provider
    endpoint: Endpoint
    body: dict[str, Json]
    kind: CallKind
    mode: Mode

    @property
    def model(self) -> str:
        """The name of the model."""
        return str(self.body.get("model", ""))

    @property
    def base_url(self) -> str:
        """The base URL that the request was sent to."""
        url = urlsplit(self.exchanges[0].request.uri)
        own = urlsplit(self.provider.address).path.rstrip("/")
        if not url.path.startswith(f"{own}/"):
            matches = (client.paths.fullmatch(url.path) for client in CLIENTS)
            own = next((match["base"] for match in matches if match), own)
        return f"{url.scheme}://{url.netloc}{own}"

    @property
    def pointer(self) -> str:
        """The JSON pointer to what the request says: its messages, its prompt or its text."""
        fields = self.endpoint.fields
        places = (*fields.own_messages, *fields.messages, *fields.prompt, *fields.texts)
        return next((place for place in places if _has(self.body, place)), "")

    @property
    def said(self) -> Json:
        """The value at `pointer`: the messages in the provider's own format, or a text."""
        value = resolve(self.body, self.pointer)
        return value if isinstance(value, list | str) else None

    @property
    def beside(self) -> dict[str, Json]:
        """The members beside the messages or the prompt; empty if those are the body's own."""
        parent = self.pointer.rpartition("/")[0]
        beside = resolve(self.body, parent) if parent else {}
        return beside if isinstance(beside, dict) else {}

    @property
    def parameters(self) -> dict[str, Json]:
        """The parameters of the call, as a session takes them."""
        place = self.endpoint.fields.parameters
        given = resolve(self.body, place) if place else self.body
        members = dict(given) if isinstance(given, dict) else {}
        drop = {"model", "stream" if members.get("stream") is True else ""}
        said = self.pointer.rpartition("/")[2]
        members |= self.beside
        drop |= {place.rpartition("/")[2] for place in self.endpoint.fields.texts}
        members = {name: value for name, value in members.items() if name not in {said, *drop}}
        query = urlsplit(self.exchanges[0].request.uri).query
        if query:
            members["extra_query"] = dict(pair.partition("=")[::2] for pair in query.split("&"))
        return members

    def openai_messages(self, own: Json) -> list[Json]:
        """Return messages in the provider's format as messages in OpenAI's format."""
        if self.endpoint.conversation is None:
            return own if isinstance(own, list) else []
        located = self.endpoint.conversation({self.pointer.removeprefix("/"): own})
        return [message for _, message in located]


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


@dataclass(frozen=True)
class LeftOut:
    """An exchange that no scenario can express.

    Attributes:
        number: The number of the exchange in its file, from 1.
        endpoint: The name of its endpoint; `unknown` if it is not known.
        reason: The reason.
    """

    number: int
    endpoint: str
    reason: str


class NotExpressible(HarnessError):
    """Raised for a recorded request that no scenario can express; its text is the reason."""


def read_any(path: Path, secrets: Iterable[str] = ()) -> Cassette:
    """Return the cassette in a file of ours or of another tool, without secrets.

    Raises BadCassette.
    """
    try:
        content = file_bytes(path)
    except OSError as error:
        raise BadCassette(f"cannot be read: {error.strerror}", path) from None
    if form_of(content) == "cassette":
        return read_masked(path)
    files, _ = load(path, "", secrets)
    cassette = read_cassette(files.text, str(path))
    return with_artefacts(cassette, lambda index, artefact: files.artefacts[artefact.name])


def adopt(cassette: Cassette, source: str, name: str) -> tuple[list[Adopted], list[LeftOut]]:
    """Return the scenarios that replay the exchanges of *cassette*, and the exchanges left out.

    Args:
        cassette: The cassette, without secrets.
        source: Its file, for texts.
        name: The name of the first scenario; others have `-2`, `-3` ... behind it.
    """
    adopted: list[Adopted] = []
    questions, left = questions_of(cassette, source)
    waiting = conversations(questions)
    while waiting:
        group = waiting.pop(0)
        own = f"{name}-{len(adopted) + 1}" if adopted else name
        made, reason = _made(group, cassette, source, own)
        if made is not None:
            adopted.append(made)
        elif len(group) > 1:
            waiting[:0] = [[question] for question in group]
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
    """Return a name for the scenario of a recording: that of the file, if it is free.

    Else that of its folder is in front of it. Free is what neither *folder* nor *taken* has.
    """
    own, longer = slug(file.stem), slug(f"{file.parent.name}-{file.stem}")
    numbered = (f"{longer}-v{number}" for number in count(2))
    names = chain([own, longer], numbered)
    return next(n for n in names if n not in taken and not (folder / f"{n}.yaml").exists())


def write_all(adopted: Sequence[Adopted], folder: Path, store: Store) -> None:
    """Write scenarios and their cassettes: all files or, if one cannot be written, none.

    Raises:
        HarnessError: A file exists.
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


# ------------------------------------------------------------------------------- the requests


def questions_of(cassette: Cassette, source: str) -> tuple[list[Question], list[LeftOut]]:
    """Return the requests of *cassette* that a session can make again, and the others."""
    transcript = analyze(
        transcript_of(cassette, endpoints.recognise, source=source), endpoints.recognise
    )
    provider = cassette.provenance.target.partition("/")[0]
    questions: list[Question] = []
    left: list[LeftOut] = []
    start = 0
    for turn in transcript.turns:
        exchanges = cassette.exchanges[start : start + len(turn.readings)]
        start += len(turn.readings)
        try:
            questions.append(_question(turn, exchanges, provider))
        except NotExpressible as error:
            names = (
                (r.number, r.endpoint.name if r.endpoint else "unknown") for r in turn.readings
            )
            left += [LeftOut(number, endpoint, str(error)) for number, endpoint in names]
    return questions, left


def _without_lookups(question: Question) -> tuple[Question, list[LeftOut]]:
    """Return *question* without the exchanges after its answer, and these as left out."""
    turn, (asked, *later) = question.turn.turn, question.turn.readings
    alone = replace(
        question.turn, turn=replace(turn, exchanges=turn.exchanges[:1]), readings=(asked,)
    )
    reason = "no session makes this request after its answer"
    names = ((r.number, r.endpoint.name if r.endpoint else "unknown") for r in later)
    only = replace(question, turn=alone, exchanges=question.exchanges[:1])
    return only, [LeftOut(number, name, reason) for number, name in names]


def _question(turn: AnalyzedTurn, exchanges: tuple[Exchange, ...], provider: str) -> Question:
    """Return the request of a turn. Raises NotExpressible."""
    reading = turn.readings[0]
    if reading.endpoint is None:
        host = urlsplit(reading.exchange.request.uri).netloc
        raise NotExpressible(f"no endpoint of {host} with this path is known")
    name, body = reading.endpoint.name, reading.request_json.value
    if reading.endpoint.role not in (Role.ANSWER, Role.SUBMIT):
        raise NotExpressible(f"{name} is no call of a model (it is: {reading.endpoint.role})")
    if not isinstance(body, dict):
        raise NotExpressible("the request has no JSON object as its body")
    owner = endpoints.asker(reading.exchange, provider)
    if owner is None:
        raise NotExpressible(f"no session here can ask {name}")
    if owner.name not in PROVIDERS:
        raise NotExpressible(
            f"{owner.name} is not declared; add to pyproject.toml: "
            f"[tool.harness.providers.{owner.name}]"
        )
    endpoint = find(owner.endpoints, reading.exchange)
    assert endpoint is not None  # noqa: S101 - the owner has it
    kind = _kind(endpoint, body)
    is_task = endpoint.role is Role.SUBMIT
    streamed = Mode.STREAM if recorded_request(reading, "", 0).streamed else Mode.SYNC
    question = Question(
        turn, exchanges, owner, endpoint, body, kind, Mode.ASYNC if is_task else streamed
    )
    if (kind, question.mode) not in owner.can or question.said is None:
        raise NotExpressible(f"no step of a scenario asks {name}")
    return question


def _kind(endpoint: Endpoint, body: dict[str, Json]) -> CallKind:
    """Return the kind of call that a request to *endpoint* is."""
    fields = endpoint.fields
    if fields.vectors:
        return CallKind.EMBEDDING
    if any(_has(body, place) for place in (*fields.own_messages, *fields.messages)):
        return CallKind.CHAT
    if fields.scores:
        return CallKind.RERANK
    is_answer = endpoint.role is Role.ANSWER and fields.choices
    return CallKind.PROMPT if is_answer else CallKind.IMAGE


def _has(body: dict[str, Json], pointer: str) -> bool:
    return isinstance(resolve(body, pointer), list | str)


def conversations(questions: Sequence[Question]) -> list[list[Question]]:
    """Return the questions in groups: each but the first of a group continues the one before."""
    groups: list[list[Question]] = []
    for question in questions:
        before = next((g for g in reversed(groups) if _continues(g[-1], question)), None)
        if before is None:
            groups.append([question])
        else:
            before.append(question)
    return groups


def _continues(before: Question, after: Question) -> bool:
    """Return whether *after* has the messages of *before*, then an answer, then others."""
    old, new = before.said, after.said
    if before.kind is not CallKind.CHAT or not isinstance(old, list) or not isinstance(new, list):
        return False
    same = (before.provider.name, before.model, before.base_url)
    answer = resolve(new[len(old)], "/role") if len(new) > len(old) + 1 else None
    is_same = same == (after.provider.name, after.model, after.base_url)
    return is_same and answer == "assistant" and new[: len(old)] == old


# ------------------------------------------------------------------------------- the scenarios


def _made(
    group: Sequence[Question], cassette: Cassette, source: str, name: str
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


def _candidates(group: Sequence[Question]) -> Iterator[list[list[Step]]]:
    """Yield the steps of each question in the ways to write them, the most readable one first."""
    if group[0].kind is not CallKind.CHAT:
        yield from ([[step]] for step in _inputs(group[0]))
        return
    readable = [_readable(question, before) for question, before in _pairs(group)]
    if all(readable):
        yield readable
    yield [_exact(question, before) for question, before in _pairs(group)]


def _inputs(question: Question) -> Iterator[Step]:
    """Yield the steps that may make a request that is no chat; of images and videos one is right.

    Both are tasks with a prompt.
    """
    said = question.said
    texts: list[Json] = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    if question.kind is CallKind.RERANK:
        documents = first(question.body, question.endpoint.fields.texts)
        items = documents if isinstance(documents, list) else []
        yield {"rerank": {"query": said, "documents": [{"text": item} for item in items]}}
        return
    several: list[Json] = [{"text": text} for text in texts]
    yield {question.kind.value: texts[0] if len(texts) == 1 else several}
    if question.mode is Mode.ASYNC:
        yield {"video": said}


def _pairs(group: Sequence[Question]) -> Iterator[tuple[Question, Question | None]]:
    return zip(group, (None, *group[:-1]), strict=True)


def _new(question: Question, before: Question | None) -> Json:
    """Return what *question* says after *before* and its answer."""
    said, earlier = question.said, before.said if before else None
    is_list = isinstance(said, list) and isinstance(earlier, list)
    return said[len(earlier) + 1 :] if is_list else said  # type: ignore[index, arg-type]


def _exact(question: Question, before: Question | None) -> list[Step]:
    """Return one step that sends the messages as they were sent."""
    new = _new(question, before)
    if isinstance(new, list) and all(isinstance(item, dict) for item in new):
        return [{"messages": new}]
    member = question.pointer.removeprefix("/")
    return [{"user": new if isinstance(new, str) else "-", "parameters": {member: question.said}}]


def _readable(question: Question, before: Question | None) -> list[Step]:
    """Return a step for each message; empty if a message has more than steps can say."""
    messages = question.openai_messages(_new(question, before))
    sent = [message for message in messages if isinstance(message, dict)]
    roles = [message.get("role") for message in sent]
    if before is not None and roles and set(roles) == {"tool"}:
        return _results(sent, before)
    steps = [_step(message) for message in sent]
    is_talk = bool(steps) and len(sent) == len(messages) and roles[-1] == "user"
    pairs = zip(["", *roles], roles, strict=False)
    in_order = all(a == "user" for a, b in pairs if b == "assistant")
    return steps if is_talk and in_order and all(steps) else []


def _step(message: dict[str, Json]) -> Step:
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


def _results(messages: Sequence[dict[str, Json]], before: Question) -> list[Step]:
    """Return the results of the function calls in the answer to *before* as one step."""
    outcome = before.turn.outcome
    calls = {c.id: c for c in outcome.tool_calls} if isinstance(outcome, Reply) else {}
    results: list[Json] = []
    for message in map(message_of, messages):
        call = calls.get(message.tool_call_id)
        if call is None:
            return []
        arguments = read_json(call.arguments.encode()).value
        entry: Step = {"function": call.name}
        if isinstance(arguments, dict) and arguments:
            entry["arguments"] = arguments
        results.append({**entry, "result": message.content})
    return [{"tool_results": results}]


def _adopted(
    group: Sequence[Question],
    steps: Sequence[Sequence[Step]],
    cassette: Cassette,
    source: str,
    name: str,
    way: Callable[[Question], dict[str, Json]],
) -> Adopted:
    """Return the scenario of these steps with its cassette. Raises BadScenario.

    *way* returns the parameters of a question as the scenario gives them.
    """
    head = group[0]
    target: dict[str, Json] = {"model": f"{head.provider.name}/{head.model}"}
    if head.base_url != head.provider.address:
        target["base_url"] = head.base_url
    parameters = [way(question) for question in group]
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
            for question, own, given in zip(group, steps, parameters, strict=True)
            for step in _completed(question, own, head, given, common)
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
        for number, question in enumerate(group, start=1)
        for exchange in question.exchanges
    )
    return Adopted(scenario, scenario.targets[0], text, Cassette(exchanges, provenance))


def _as_given(question: Question) -> dict[str, Json]:
    return question.parameters


def _verbatim(question: Question) -> dict[str, Json]:
    """Return the parameters as members of the body that an SDK does not interpret."""
    given = question.parameters
    body = {name: value for name, value in given.items() if name not in SETTINGS}
    rest = {name: value for name, value in given.items() if name in SETTINGS}
    return {**rest, "extra_body": body}


def _without_input(question: Question) -> dict[str, Json]:
    """Return the parameters without what an SDK adds to the input by itself."""
    return {n: v for n, v in question.parameters.items() if n not in question.beside}


def _is_same(value: Json, other: Json) -> bool:
    """Return whether two values are the same JSON; 1 and 1.0 are not, neither are 1 and true."""
    return compact(value, sort_keys=True) == compact(other, sort_keys=True)


def _completed(
    question: Question,
    steps: Sequence[Step],
    head: Question,
    given: Mapping[str, Json],
    common: Mapping[str, Json],
) -> list[Step]:
    """Return the steps of a question, the last of which, the call, has its options.

    Args:
        question: The question.
        steps: Its steps.
        head: The first question of the scenario.
        given: The parameters of the question.
        common: Those that the scenario gives to all of its calls.
    """
    *earlier, call = (_escaped(step) for step in steps)
    own = {n: v for n, v in given.items() if n not in common}
    added = call.pop("parameters", {})
    parameters = {**_escaped(own), **(added if isinstance(added, dict) else {})}
    if parameters:
        call["parameters"] = parameters
    if question.mode is not head.mode:
        call["mode"] = question.mode.value
    roles = {reading.endpoint.role for reading in question.turn.readings if reading.endpoint}
    if question.kind is CallKind.IMAGE and Role.FILE not in roles:
        call["download"] = False
    outcome = question.turn.outcome
    if isinstance(outcome, Failure):
        call |= {"expect": {"failure": outcome.code}} if outcome.code else {}
        call |= {"credentials": "wrong"} if outcome.status == 401 else {}
    return [*earlier, call]


def _escaped(step: Step) -> Step:
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


def slug(name: str) -> str:
    """Return *name* as the name of a scenario."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "adopted"
