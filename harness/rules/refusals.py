"""Rules for the fields of a refusal."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import first, seen, status_of
from harness.rules.rule import checked_endpoint, field_place, fields_of, refusals, show, violation
from harness.rules.schemas import violations
from harness.types import Finding


def refusal_fits_schema(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a refusal has the documented form of the service's errors.

    Clients read the code and the message at fixed places.
    """
    endpoint = checked_endpoint(reading)
    schema = endpoint.refusal if endpoint else True
    for part in refusals(reading):
        for pointer, expected, actual in violations(schema, part.value):
            yield violation(expected, actual, reading.place(pointer, part))


def failure_has_code_and_message(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a refusal has a code and a message, neither empty.

    Without a code, refusals cannot be distinguished, or compared across providers.
    """
    endpoint, fields = checked_endpoint(reading), fields_of(reading)
    for part in refusals(reading):
        if endpoint is None or violations(endpoint.refusal, part.value):
            continue
        for name, pointers in (("code", fields.code), ("message", fields.message)):
            if not any(value for _, value in seen(part.value, pointers)):
                yield violation(
                    f"a {name} of the refusal", "none", reading.place(pointers[0], part)
                )


def refusal_status_fits_code(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the HTTP status of a refusal is documented for its code.

    401 for an invalid key, 429 for too many requests, 400 for an invalid request. Clients decide by
    the status whether to retry. Undocumented codes are ignored.
    """
    endpoint = checked_endpoint(reading)
    for part in refusals(reading)[:1] if endpoint else ():
        status = reading.exchange.response.status if not reading.accepted else status_of(part)
        code = first(part.value, fields_of(reading).code)
        statuses = endpoint.statuses.get(code) if endpoint and isinstance(code, str) else None
        if statuses and status >= 400 and status not in statuses:
            expected = f"the status {' or '.join(map(str, sorted(statuses)))} with the code {code}"
            place = field_place(reading, part, fields_of(reading).code)
            yield violation(expected, status, place)


def refusal_is_no_answer(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a refusal has nothing of an answer: no choices, no text, no results.

    A program might treat the refusal as an answer, or the answer as a refusal.
    """
    for part in refusals(reading):
        for pointer, value in seen(part.value, fields_of(reading).apart):
            yield violation("nothing but the refusal", show(value), reading.place(pointer, part))
