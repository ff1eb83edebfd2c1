"""The command `adopt`: scenarios and their cassettes from the recordings of any program."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from harness.cassette.store import Store, find
from harness.cli import app
from harness.errors import HarnessError
from harness.locale import mark
from harness.wire.text import count

if TYPE_CHECKING:
    from harness.convert.adopt import Adopted
    from harness.convert.recorded_calls import LeftOut


def adopt(
    recordings: list[Path],
    name: str = "",
    scenarios: Path = app.SCENARIOS,
    cassettes: Path = app.CASSETTES,
    plan: bool = False,
    as_json: bool = False,
) -> None:
    """Turn recordings into scenarios, each with a cassette from which it replays.

    Requests that continue a conversation become turns of one scenario; every other one gets a
    scenario of its own. What is written has been replayed: it asks exactly the recorded requests
    and gets the recorded bytes. What no scenario can express is listed with the reason. Nothing
    that exists is replaced. Exit codes: 0 everything adopted, 1 something was left out, 2 nothing
    could be read.
    """
    from harness.convert import adopt as adoption
    from harness.convert.importing import read_any
    from harness.providers.masking import project_secrets, text_masker

    files = find(recordings)
    if name and len(files) > 1:
        raise HarnessError("--name is for one recording; leave it out, or adopt them one by one")
    secrets, mask = project_secrets(), text_masker()
    store, rows, taken = Store(cassettes), list[dict[str, Any]](), set[str]()
    with app.skipping() as skip, app.progress() as shown:
        for number, file in enumerate(files, start=1):
            shown(f"[{number}/{len(files)}] {file}")
            try:
                cassette = read_any(file, secrets)
                source = mask(str(file))
                own = name or adoption.free_name(Path(source), scenarios, taken)
                made, left = adoption.adopt(cassette, source, own)
                taken |= {one.scenario.name for one in made}
                if not plan:
                    adoption.write_all(made, scenarios, store)
            except HarnessError as error:
                skip(error)
                continue
            rows.append(_row(file, made, left))
        if as_json:
            app.print_json({"adopted": rows})
        else:
            _print(rows, planned=plan)
        raise typer.Exit(1 if any(row["left_out"] for row in rows) else 0)


def _row(file: Path, made: list[Adopted], left: list[LeftOut]) -> dict[str, Any]:
    return {
        "source": str(file),
        "scenarios": [
            {
                "name": one.scenario.name,
                "target": str(one.target),
                "turns": len({exchange.turn for exchange in one.cassette.exchanges}),
                "exchanges": len(one.cassette.exchanges),
            }
            for one in made
        ],
        "left_out": [
            {"exchange": one.number, "endpoint": one.endpoint, "reason": one.reason} for one in left
        ],
    }


def _print(rows: list[dict[str, Any]], *, planned: bool) -> None:
    made = [one for row in rows for one in row["scenarios"]]
    for one in made:
        app.echo(f"{one['name']}: {one['target']}, {count(one['turns'], 'turn')}")
    reasons = Counter((one["endpoint"], one["reason"]) for row in rows for one in row["left_out"])
    if reasons:
        cells = ((number, *what) for what, number in reasons.most_common())
        app.print_table(
            cells, (mark("left out"), mark("endpoint"), mark("reason")), ("left out",), ("reason",)
        )
    adopted = sum(one["exchanges"] for one in made)
    total = adopted + sum(reasons.values())
    word = "can be adopted" if planned else "adopted"
    app.echo(f"{word}: {adopted} of {count(total, 'exchange')}, as {count(len(made), 'scenario')}")
