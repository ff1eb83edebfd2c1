"""The smallest failures as cassettes, so that they can be replayed while one mends a client."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from harness.cassette import to_files
from harness.cassette.store import write_cassette
from harness.faults.run.results import Result, Suffered
from harness.faults.transport import Ending
from harness.secrets.redactor import Redactor
from harness.types import Cassette, Provenance


@dataclass(frozen=True, slots=True)
class Kept:
    """A failure that was to be kept: where it is, or why it cannot be."""

    kind: str
    path: Path | None
    why: str = ""


def keep(folder: Path, suffered: Suffered, redactor: Redactor) -> Iterator[Kept]:
    """Write the smallest failure of each kind, `<folder>/<client>/<kind>.yaml`.

    Raises CannotWrite where the disk refuses, SecretNotRedacted where a secret cannot be taken out.
    """
    client = re.sub(r"[^\w.-]", "-", suffered.client)
    for kind in suffered.kinds.values():
        result = kind.smallest
        if result is None:
            continue
        why = _unkept(result)
        if why:
            yield Kept(kind.name, None, why)
            continue
        path = folder / client / f"{kind.name}.yaml"
        write_cassette(path, to_files(cassette(result, suffered.client, redactor)))
        yield Kept(kind.name, path)


def cassette(result: Result, client: str, redactor: Redactor) -> Cassette:
    """A failure as a cassette of one exchange, which says that it was made and not recorded."""
    source, sent = result.case.source, result.sent
    recorded = source.recorded.exchange
    made = replace(recorded, response=sent.response, chunks=sent.pieces, timing=None, turn=1)
    ending = "; here it ends as HTTP says" if sent.ending is Ending.CLOSED else ""
    note = (
        f"made by harness torture, not recorded: {sent.what}{ending}. {client}: {result.verdict}. "
        f"From {source.path.name}, exchange {source.number}, which has nothing of this."
    )
    told = Provenance(scenario=f"torture {result.case.torture.name}", note=note)
    return Cassette((redactor.exchange(made),), told)


def _unkept(result: Result) -> str:
    """Why a cassette cannot hold this; empty where it can."""
    sent = result.sent
    if sent.ending is Ending.RESET:
        return "a tape resets no connection"
    if sent.ending is Ending.SILENT or sent.wait or sent.headless:
        return "a tape keeps nobody waiting"
    if sent.declared is not None:
        return "a tape declares no length but the body's"
    return "a tape holds bodies as clients see them, not compressed" if sent.packed else ""
