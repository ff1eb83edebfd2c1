"""A conversation with one or several targets, recorded turn by turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from os.path import relpath
from pathlib import Path
from typing import Any

from harness.analysis.endpoint import Endpoint
from harness.cassette.journal import Journal
from harness.cassette.safe_yaml import dump
from harness.cassette.store import Store, write_text
from harness.errors import HarnessError
from harness.intercept.patch import use_tape
from harness.intercept.recorder import Recorder
from harness.providers import Session
from harness.providers.endpoints import recognise
from harness.runner import (
    Source,
    access_to,
    new_journal,
    run_step,
    supported_provider,
    write_recording,
)
from harness.scenario.files import loads
from harness.scenario.references import escaped
from harness.scenario.steps import Past, Scenario, digests
from harness.types import (
    Cassette,
    Exchange,
    Failure,
    Json,
    Outcome,
    Request,
    Response,
    Target,
    Turn,
)
from harness.wire import MISSING, read_events, read_json, resolve

# ----------------------------------------------------------------------------- pieces of an answer


@dataclass
class PieceFinder:
    """Finds the texts of an answer in the chunks of its stream, and passes them on.

    Attributes:
        show: Called with each new piece of text.
    """

    show: Callable[[str], None]
    _request: Request | None = field(init=False, default=None)
    _endpoint: Endpoint | None = field(init=False, default=None)
    _cumulative: bool | None = field(init=False, default=None)
    _rest: bytes = field(init=False, default=b"")
    _text: str = field(init=False, default="")

    def add(self, request: Request, chunk: bytes) -> None:
        """Read a chunk of the response to *request*, and show the texts in its complete events."""
        if request is not self._request:
            self._begin(request)
        if self._endpoint is None:
            return
        complete, separator, rest = (self._rest + chunk).rpartition(b"\n\n")
        self._rest = rest
        for event in read_events(complete + separator).events:
            document = read_json(event.data.encode())
            if not document.problem:
                self._show(document.value)

    def _begin(self, request: Request) -> None:
        self._request, self._rest, self._text = request, b"", ""
        self._endpoint = recognise(Exchange(request, Response(200)))
        if self._endpoint is not None:
            self._cumulative = self._endpoint.cumulative(read_json(request.body).value)

    def _show(self, value: Json) -> None:
        pointers = self._endpoint.fields.content if self._endpoint else ()
        found = (resolve(value, pointer) for pointer in pointers)
        text = next((one for one in found if one is not MISSING and isinstance(one, str)), "")
        repeats = self._cumulative
        if repeats is None:  # it depends on the model
            repeats = bool(self._text) and text.startswith(self._text)
        new = text.removeprefix(self._text) if repeats else text
        self._text = text if repeats else self._text + text
        if new:
            self.show(new)


# --------------------------------------------------------------------------------- the conversation

Show = Callable[[str], None]
"""A function that gets each new piece of an answer's text."""


@dataclass
class Party:
    """One target that takes part in a conversation, with its connection and its recording.

    Attributes:
        target: The target.
        session: The open session of its provider.
        tape: The tape that records the requests.
        journal: The journal that each exchange is written to.
        turns: The turns so far.
    """

    target: Target
    session: Session
    tape: Recorder
    journal: Journal
    turns: list[Turn] = field(default_factory=list)
    _past: list[Past] = field(default_factory=lambda: [Past()])

    def ask(self, scenario: Scenario, pieces: PieceFinder) -> Outcome:
        """Send the last step of *scenario* to the target, and return its reply or failure.

        *pieces* gets each chunk of the response when it arrives. A step that is refused or
        interrupted is neither kept in the conversation nor in the journal.
        """
        step = scenario.steps[-1]
        number = len(self.turns) + 1
        self.tape.on_chunk = pieces.add
        try:
            with use_tape(self.tape):
                turn = run_step(
                    step,
                    self.target,
                    self._past[-1],
                    self.session,
                    self.tape,
                    number,
                    self.journal.head.seed,
                )
        except BaseException:
            self.journal.drop_turn(number, 0)
            raise
        assert turn.outcome is not None  # noqa: S101 - a step that is a call has one
        if isinstance(turn.outcome, Failure):
            self.journal.drop_turn(number, 0)
            return turn.outcome
        self.turns.append(turn)
        self._past.append(step.after(self._past[-1], turn.outcome))
        return turn.outcome

    def instruct(self, scenario: Scenario) -> None:
        """Add the system message, which is the second to last step of *scenario*."""
        self._past.append(scenario.steps[-2].after(self._past[-1]))

    def undo(self) -> None:
        """Remove the last turn from the conversation and from the journal."""
        self.journal.drop_turn(len(self.turns), 0)
        del self.turns[-1], self._past[-1]

    def undo_instruction(self) -> None:
        """Remove the last system message from the conversation; no turn may have followed it."""
        del self._past[-1]


@dataclass
class Conversation:
    """A conversation with one or more targets, whose answers are recorded as they arrive.

    Attributes:
        name: The name under which it is saved as a scenario.
        parties: The targets, with their connections and recordings.
        store: The folder of the cassettes.
        folder: The folder of the scenarios.
        steps: The steps so far, as in a scenario's file.
        settings: Further members of the scenario's file, such as `mode`.
        images: The images that are sent with the next question, as in a scenario's file.
        final_name: The name under which the scenario is saved by `finish`; "" to keep `name`.
    """

    name: str
    parties: Sequence[Party]
    store: Store
    folder: Path
    settings: Mapping[str, Json]
    steps: list[dict[str, Json]] = field(default_factory=list)
    images: list[Json] = field(default_factory=list)
    final_name: str = ""

    @property
    def path(self) -> Path:
        """The path of the scenario's file, which is written after each answer."""
        return self.folder / f"{self.name}.yaml"

    def scenario(self, steps: Sequence[dict[str, Json]] | None = None) -> Scenario:
        """Return the conversation as a scenario, with the steps so far or with *steps*.

        Raises:
            BadScenario: The name or a step is not valid.
        """
        return loads(self.text(steps), self.path)

    def text(self, steps: Sequence[dict[str, Json]] | None = None) -> str:
        """Return the text of the scenario's file, with the steps so far or with *steps*."""
        document: dict[str, Any] = {
            "name": self.name,
            "about": "A conversation that was held with harness chat.",
            **self.settings,
            "targets": [str(party.target) for party in self.parties],
            "steps": [*(self.steps if steps is None else steps)],
        }
        return dump(document)

    def ask(self, text: str, show: Callable[[Target, str], None]) -> list[tuple[Target, Outcome]]:
        """Ask every target, one after the other, and return the outcomes.

        If a target refuses or the call is interrupted, the step is taken back for all, and the
        targets after it are not asked.

        Args:
            text: What the user says.
            show: Called with the target and each new piece of its answer.
        """
        outcomes: list[tuple[Target, Outcome]] = []
        said = escaped(text)
        step: dict[str, Json] = {"user": [*self.images, {"text": said}] if self.images else said}
        scenario = self.scenario([*self.steps, step])
        with ExitStack() as taken_back:
            for party in self.parties:
                pieces = PieceFinder(lambda piece, target=party.target: show(target, piece))  # type: ignore[misc]
                outcome = party.ask(scenario, pieces)
                outcomes.append((party.target, outcome))
                if isinstance(outcome, Failure):
                    return outcomes
                taken_back.callback(party.undo)
            taken_back.pop_all()
        self.steps.append(step)
        self.images.clear()
        write_text(self.path, self.text())
        return outcomes

    def attach(self, image: str) -> None:
        """Send an image, a URL or the path of a file, with the next question.

        Raises:
            BadScenario: There is no such file.
        """
        file = Path(image).expanduser()
        own = relpath(file, self.folder) if file.is_file() else image
        self.scenario([*self.steps, {"user": [{"image": own}]}])
        self.images.append({"image": own})

    def instruct(self, text: str) -> None:
        """Add a system message, which is sent with everything that follows."""
        self.steps.append({"system": escaped(text)})
        scenario = self.scenario([*self.steps, {"user": "-"}])
        for party in self.parties:
            party.instruct(scenario)

    def undo(self) -> bool:
        """Take back the last question and its answers, or the last system message.

        Return whether there was one.
        """
        if not self.steps:
            return False
        is_question = "user" in self.steps.pop()
        for party in self.parties:
            if is_question:
                party.undo()
            else:
                party.undo_instruction()
        if any("user" in step for step in self.steps):
            write_text(self.path, self.text())
        else:
            self.path.unlink(missing_ok=True)
        return True

    def rename(self, name: str) -> None:
        """Give the scenario and its cassettes another name at the end.

        Until then, `record --resume` finds the journals by the first name.

        Raises:
            HarnessError: The name is not valid, or there is a scenario of this name.
        """
        path = self.folder / f"{name}.yaml"
        if path.exists() and path != self.path:
            raise HarnessError(f"{path} exists")
        document = {"name": name, "targets": [str(self.parties[0].target)]}
        loads(dump({**document, "steps": [{"user": "-"}]}), path)
        self.final_name = name

    def finish(self) -> list[Path]:
        """Write the scenario and a cassette for each target, and return their paths.

        Nothing is written if nothing was answered.

        Raises:
            CannotWrite: A file cannot be written; the journals stay.
        """
        if not any("user" in step for step in self.steps):
            return []
        while "user" not in self.steps[-1]:  # a system message that nothing was asked after
            self.steps.pop()
        before, self.name = self.path, self.final_name or self.name
        scenario = self.scenario()
        write_text(self.path, self.text())
        written = [self.path]
        for party in self.parties:
            exchanges = tuple(e for turn in party.turns for e in turn.exchanges)
            provenance = replace(
                party.journal.head.provenance,
                scenario=self.name,
                script=digests(scenario, party.target),
                recorded_at=datetime.now(UTC).isoformat(timespec="seconds"),
            )
            path = self.store.path(self.name, party.target)
            write_recording(Cassette(exchanges, provenance), path, party.journal)
            written.append(path)
        if before != self.path:
            before.unlink(missing_ok=True)
        return written


@contextmanager
def converse(
    name: str,
    targets: Sequence[Target],
    source: Source,
    store: Store,
    folder: Path,
    settings: Mapping[str, Json],
) -> Iterator[Conversation]:
    """Open a conversation that is recorded; its journals are beside its future cassettes.

    Args:
        name: The name under which it is saved as a scenario.
        targets: The targets.
        source: The servers that answer.
        store: The folder of the cassettes.
        folder: The folder of the scenarios.
        settings: Further members of the scenario's file, such as `mode`.

    Raises:
        HarnessError: There is a scenario of this name, or a target cannot be called.
    """
    path = folder / f"{name}.yaml"
    if path.exists():
        raise HarnessError(f"{path} exists; choose another name: --name NAME")
    parties: list[Party] = []
    conversation = Conversation(name, parties, store, folder, settings)
    # The targets are checked by a scenario with one question.
    document = {"name": name, **settings, "targets": [str(target) for target in targets]}
    scenario = loads(dump({**document, "about": "-", "steps": [{"user": "-"}]}))
    with ExitStack() as stack:
        for target in scenario.targets:
            provider = supported_provider(scenario, target)
            access = access_to(provider, target, source)
            journal, redactor = new_journal(scenario, target, source, store, access)
            head = replace(journal.head.provenance, script=())  # its steps are not known yet
            journal.head = replace(journal.head, provenance=head)
            stack.enter_context(closing(journal))
            tape = Recorder(redactor, journal)
            with use_tape(tape):
                session = stack.enter_context(provider.open(*access, tape.sleep))
            parties.append(Party(target, session, tape, journal))
        yield conversation
