"""Does a refusal have its service's form, and say why?"""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import first, seen, status_of
from harness.rules.rule import refusals, show, spoken, violation, where
from harness.rules.schemas import violations
from harness.types import Finding


def refusal_fits_schema(reading: AnalyzedExchange) -> Iterator[Finding]:
    """A refusal has the documented form of this service's errors.

    Clients read the code and the message from fixed places.
    """
    endpoint = spoken(reading)
    if endpoint is None:
        return
    for part in refusals(reading):
        for pointer, expected, found in violations(endpoint.refusal, part.value):
            yield violation(expected, found, reading.place(pointer, part))


def failure_has_code_and_message(reading: AnalyzedExchange) -> Iterator[Finding]:
    """A refusal names its reason: a code that is not empty, and a message.

    Without a code refusals cannot be told apart, nor compared across providers.
    """
    endpoint = spoken(reading)
    if endpoint is None:
        return
    for part in refusals(reading):
        if violations(endpoint.refusal, part.value):
            continue
        for name, pointers in (
            ("code", endpoint.fields.code),
            ("message", endpoint.fields.message),
        ):
            if not any(value for _, value in seen(part.value, pointers)):
                place = reading.place(pointers[0], part)
                yield violation(f"a {name} of the refusal", "none", place)


def refusal_status_fits_code(reading: AnalyzedExchange) -> Iterator[Finding]:
    """A refusal's HTTP status is the one its code comes with.

    401 for a key that is none, 429 for too much or too often, 400 for what was asked wrongly. A
    client decides by the status whether to try again. Codes that nobody documented are let be.
    """
    endpoint = spoken(reading)
    if endpoint is None:
        return
    for part in refusals(reading)[:1]:
        status = reading.exchange.response.status if not reading.accepted else status_of(part)
        code = first(part.value, endpoint.fields.code)
        wanted = endpoint.statuses.get(code) if isinstance(code, str) else None
        if wanted and status >= 400 and status not in wanted:
            place = reading.place(where(part, endpoint.fields.code), part)
            expected = " or ".join(map(str, sorted(wanted)))
            yield violation(f"the status {expected} with the code {code}", str(status), place)


def refusal_is_no_answer(reading: AnalyzedExchange) -> Iterator[Finding]:
    """A refusal holds nothing of an answer: no choices, no text, no results.

    A program that looks for one first takes the refusal for it, or the answer for a refusal.
    """
    endpoint = spoken(reading)
    if endpoint is None:
        return
    for part in refusals(reading):
        for pointer, found in seen(part.value, endpoint.fields.apart):
            yield violation("nothing but the refusal", show(found), reading.place(pointer, part))
