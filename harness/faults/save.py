"""The smallest failures as cassettes, for replay while a client is being fixed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from harness.cassette.artefacts import to_files
from harness.cassette.store import write_cassette
from harness.faults.cases import CaseResult, ClientResults
from harness.faults.delivery import Delivery, Ending
from harness.secrets.redactor import Redactor
from harness.types import Cassette, Provenance


@dataclass(frozen=True, slots=True)
class Saved:
    """A failure, and the cassette to which it was saved.

    Attributes:
        fault: The name of the fault.
        path: The cassette; None if a cassette cannot hold the failure.
        reason: Why a cassette cannot hold the failure; empty if it was saved.
    """

    fault: str
    path: Path | None
    reason: str = ""


def save_failures(folder: Path, client: ClientResults, redactor: Redactor) -> Iterator[Saved]:
    """Write the smallest failure of each fault to `<folder>/<client>/<fault>.yaml`.

    Yields a `Saved` for each fault with a failure. Raises CannotWrite if a file cannot be written,
    SecretNotRedacted if a secret cannot be removed.
    """
    name = re.sub(r"[^\w.-]", "-", client.name)
    for fault, results in client.by_fault.items():
        failure = results.smallest_failure
        if failure is None:
            continue
        reason = _not_storable(failure.delivery)
        path = None if reason else folder / name / f"{fault}.yaml"
        if path:
            write_cassette(path, to_files(failure_cassette(failure, client.name, redactor)))
        yield Saved(fault, path, reason)


def failure_cassette(failure: CaseResult, client: str, redactor: Redactor) -> Cassette:
    """Return a cassette with the failed exchange, and a note that it was made and not recorded."""
    source, delivery = failure.case.source, failure.delivery
    exchange = replace(
        source.answer.exchange,
        response=delivery.response,
        chunks=delivery.packets,
        timing=None,
        turn=1,
    )
    ending = "; in this cassette the answer just ends" if delivery.ending is Ending.CLOSED else ""
    note = (
        f"made by harness faults, not recorded: {delivery.description}{ending}. "
        f"{client}: {failure.reaction}. "
        f"The original is exchange {source.number} of {source.path.name}."
    )
    provenance = Provenance(scenario=f"faults {failure.case.fault.name}", note=note)
    return Cassette((redactor.exchange(exchange),), provenance)


def _not_storable(delivery: Delivery) -> str:
    """Return the reason why a cassette cannot hold the delivery; empty if it can."""
    if delivery.ending is Ending.RESET:
        return "a cassette cannot reset a connection"
    if delivery.ending is Ending.SILENT or delivery.delay or delivery.without_head:
        return "a cassette cannot keep a client waiting"
    if delivery.declared_length is not None:
        return "a cassette cannot declare a wrong length"
    return "a cassette holds bodies as clients read them, not compressed" if delivery.gzip else ""
