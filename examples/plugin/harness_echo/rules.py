"""A rule: a function that yields a finding for each violation."""

from harness.rules.rule import WARNING, exchange_rule


def answer_is_not_shouted(reading):
    """Check that an answer is not in capital letters only.

    The docstring is the rule's text: its first line in reports, all of it in `harness rules`.
    """
    for part, pointer, text in reading.values(reading.fields.content):
        if isinstance(text, str) and text.isupper():
            yield reading.violation("an answer that is not shouted", text, part, pointer)


RULE = exchange_rule(answer_is_not_shouted, severity=WARNING)
