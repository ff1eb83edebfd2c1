"""The table of secret shapes: texts that are secrets by their own look.

The search that the redactor and the scanner share uses this table (`search.py`) beside that of
secret names (`names.py`). Texts are searched with each byte as one character (latin-1), so that no
letter of another alphabet counts as part of a word. The time of a search grows only linearly with
the text: each pattern begins with a literal, and what follows is bounded or stops at that literal.

Entries marked DS are the patterns of detect-secrets 1.5 (Apache License 2.0), with bounds added.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_letters, digits

from harness.secrets.runs import Run, long_runs, near_runs, offsets_near_runs
from harness.wire.patterns import lazy_pattern

PLACEHOLDER = "REDACTED"
"""The text that is written in place of a secret."""

MIN_LENGTH = 8
"""Smallest length of a secret in characters; shorter texts occur in ordinary words."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A secret in a text.

    Attributes:
        start: The offset of its first character.
        end: The offset after its last character.
        kind: The kind of secret, for messages.
        secret: The secret.
        name: The name beside it, e.g. of a parameter; empty if there is none.
    """

    start: int
    end: int
    kind: str
    secret: str
    name: str = ""


# ------------------------------------------------------------------------------- confirmations

_MAX_KEY_LENGTH = 300
_BASE64_RUN = lazy_pattern(r"[A-Za-z0-9+/]*")


def _is_apart(match: re.Match[str]) -> bool:
    """Return whether a match is outside of long base64 data, where any letters may occur."""
    text, start = match.string, match.start()
    before = _BASE64_RUN.match(text[max(0, start - _MAX_KEY_LENGTH) : start][::-1])
    after = _BASE64_RUN.match(text, match.end(), match.end() + _MAX_KEY_LENGTH)
    return len(before[0] if before else "") + len(after[0] if after else "") < _MAX_KEY_LENGTH


def _has_digits(match: re.Match[str]) -> bool:
    """Return whether a match has several digits; names of packages have at most a version."""
    key: str = match[match.lastindex or 0]
    return sum(letter.isdigit() for letter in key) > 1


def _is_one_long_word(match: re.Match[str]) -> bool:
    """Return whether a match ends with 40 letters or more, as no word does (SiliconFlow)."""
    return re.search("[A-Za-z]{40}$", match[0]) is not None


_CAMEL = lazy_pattern(r"[A-Za-z]?[a-z]+(?:[A-Z][a-z]{2,})+")


def is_mixed(text: str, least: int = 3) -> bool:
    """Return whether *text* mixes lower and upper case as a random key does, and no name does.

    An uppercase letter follows a lowercase one at least *least* times; it counts three times if two
    further uppercase letters follow. The result is False for names in camel case.
    """
    changes = len(re.findall("[a-z][A-Z]", text)) + 2 * len(re.findall("[a-z][A-Z]{3}", text))
    return changes >= least and not _CAMEL.fullmatch(text)


def _is_no_word(match: re.Match[str]) -> bool:
    """Return whether a match has several digits, or capitals as no word has them."""
    return _has_digits(match) or is_mixed(match[match.lastindex or 0])


def _is_random_key(match: re.Match[str]) -> bool:
    return _is_no_word(match) and _is_apart(match)


def token_part(token: str, index: int) -> Mapping[str, object]:
    """Return the part *index* of a JSON Web Token, decoded: 0 is the header, 1 the claims.

    Return an empty mapping if the part is not a JSON object.
    """
    part = token.split(".")[index]
    try:
        value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _names_an_algorithm(match: re.Match[str]) -> bool:
    """Return whether the first part of a JSON Web Token names its algorithm, as all must."""
    return bool(token_part(match[0], 0).get("alg"))


_PRINTABLE = re.compile(rb"[\x20-\x7e]*:[\x20-\x7e]*|[^\x00-\x1f:]*:[^\x00-\x1f]*")


def _is_user_and_password(match: re.Match[str]) -> bool:
    """Return whether the credentials of the scheme Basic are base64 of `user:password`."""
    digits = match[1].rstrip("=")
    try:
        plain = base64.b64decode(digits + "=" * (-len(digits) % 4))
    except (ValueError, binascii.Error):
        return False
    password = plain.partition(b":")[2].decode("latin-1")
    return bool(_PRINTABLE.fullmatch(plain)) and not is_example_password(password)


def _is_password(match: re.Match[str]) -> bool:
    return not is_example_password(match[1])


def _has_key_data(match: re.Match[str]) -> bool:
    return re.search("[A-Za-z0-9+/]{40}", match[0]) is not None


# --------------------------------------------------------------------------------- the table


@dataclass(frozen=True, slots=True, eq=False)
class KeyShape:
    """The look of one kind of key: a pattern, and a further check.

    Attributes:
        kind: The kind of key, for messages.
        pattern: Matches the key in a text; the key is its first group, if it has one.
        anchor: A text that is in every match, and is quicker to search for than the pattern.
        confirms: Returns whether a match is a key, for what the pattern alone cannot check; by
            default every match is one.
        before: The number of characters before the match that belong to the key.
        lead: The number of characters before the anchor that belong to the match.
        has_run: Whether every match has a long run (see `runs`) at its anchor or behind it.
        sign: A character such as `-` that is in every match outside of its anchor; empty if none.
    """

    kind: str
    pattern: re.Pattern[str]
    anchor: str
    confirms: Callable[[re.Match[str]], bool] = bool
    before: int = 0
    lead: int = 0
    has_run: bool = True
    sign: str = ""


def _prefixed(
    kind: str,
    prefix: str,
    rest: str,
    confirms: Callable[[re.Match[str]], bool] = _is_no_word,
    before: str = "[A-Za-z0-9]",
) -> KeyShape:
    """Return the shape of keys that begin with *prefix*, after no character of *before*."""
    literal = re.escape(prefix)
    pattern = rf"{literal}(?<!{before}{literal}){rest}(?![A-Za-z0-9])"
    sign = re.search("[-_.]", re.sub(r"\[[^]]*\]", "", rest))
    return KeyShape(
        kind, lazy_pattern(pattern, re.ASCII), prefix, confirms, sign=sign[0] if sign else ""
    )


_WORD = "[A-Za-z0-9_-]"
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
KEY_SHAPES: tuple[KeyShape, ...] = (
    _prefixed(
        "an sk- key",
        "sk-",
        r"(?:[A-Za-z0-9]{1,15}+[_-])*+[A-Za-z0-9]{16}[\w-]*",
        lambda match: _has_digits(match) or _is_one_long_word(match),
        before="[A-Za-z0-9_-]",
    ),
    KeyShape(
        "an id.secret key",
        lazy_pattern(r"\.(?<=(?<![A-Za-z0-9])[0-9a-f]{32}\.)[A-Za-z0-9]{16}(?![A-Za-z0-9])"),
        ".",
        before=32,
    ),
    # Clouds: Alibaba, Tencent, Volcengine, Baidu, AWS (DS), Azure (DS).
    _prefixed("an access key id", "LTAI", "[A-Za-z0-9]{12,26}", _is_apart),
    _prefixed("a temporary access key id", "STS.", "[A-Za-z0-9]{16,64}", _is_random_key),
    _prefixed("an access key id", "AKID", "[A-Za-z0-9]{32}", _is_random_key),
    _prefixed("an access key id", "AKLT", "[A-Za-z0-9]{32,64}", _is_random_key),
    _prefixed("an access key", "bce-v3/ALTAK-", "[A-Za-z0-9]{16,40}/[0-9a-f]{40}"),
    _prefixed("an access key id", "AKIA", "[A-Z0-9]{16}", _is_apart),
    _prefixed("an access key id", "ASIA", "[A-Z0-9]{16}", _is_apart),
    _prefixed("an account key", "AccountKey=", "([A-Za-z0-9+/=]{88})"),
    # Google.
    _prefixed("a Google API key", "AIza", f"{_WORD}{{35}}", _is_random_key),
    _prefixed("a Google API key", "AQ.", f"{_WORD}{{40,100}}", _is_random_key),
    _prefixed("a Google token", "ya29.", f"{_WORD}{{40,2000}}"),
    _prefixed("a Google client secret", "GOCSPX-", f"{_WORD}{{28}}"),
    # Code hosts and package registries (DS, but for github_pat_).
    _prefixed("a GitHub token", "gh", "[pousr]_[A-Za-z0-9_]{36,255}"),
    _prefixed("a GitHub token", "github_pat_", "[A-Za-z0-9_]{36,255}"),
    _prefixed("a GitLab token", "gl", f"(?:pat|dt|ft|soat|rt|cbt|imt|ptt)-{_WORD}{{20,50}}"),
    _prefixed("a PyPI token", "pypi-AgEIcHlwaS5vcmc", f"{_WORD}{{70,300}}"),
    _prefixed("an npm token", "npm_", "[A-Za-z0-9]{36}"),
    # Model services.
    _prefixed("a Hugging Face token", "hf_", "[A-Za-z0-9]{30,64}"),
    _prefixed("a Coze token", "pat_", "[A-Za-z0-9]{32,128}"),
    _prefixed("a Coze token", "sat_", "[A-Za-z0-9]{32,128}"),
    _prefixed("a Groq key", "gsk_", "[A-Za-z0-9]{40,64}"),
    _prefixed("a Replicate token", "r8_", "[A-Za-z0-9]{37}"),
    _prefixed("a Perplexity key", "pplx-", "[A-Za-z0-9]{40,64}"),
    _prefixed("an xAI key", "xai-", "[A-Za-z0-9]{60,128}"),
    _prefixed("an NVIDIA key", "nvapi-", f"{_WORD}{{60,80}}"),
    _prefixed("a Tavily key", "tvly-", f"{_WORD}{{30,64}}"),
    _prefixed("a Databricks token", "dapi", "[0-9a-f]{32}"),
    _prefixed("an Ark key", "ark-", f"{_UUID}-[0-9a-z]{{5}}"),
    _prefixed("a ModelScope token", "ms-", _UUID),
    _prefixed("a Langfuse key", "sk-lf-", _UUID),
    _prefixed("a LangSmith key", "lsv2_", "(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}"),
    _prefixed("a Dify key", "app-", "[A-Za-z0-9]{24}", _is_random_key),
    _prefixed("a FastGPT key", "fastgpt-", "[A-Za-z0-9]{40,80}"),
    _prefixed("a Jina key", "jina_", f"{_WORD}{{50,80}}"),
    _prefixed("a Pinecone key", "pcsk_", "[A-Za-z0-9_]{50,100}"),
    _prefixed("a Fireworks key", "fw_", "[A-Za-z0-9]{22,40}", _is_random_key),
    _prefixed("a Firecrawl key", "fc-", "[0-9a-f]{32}"),
    _prefixed("an ElevenLabs key", "sk_", "[0-9a-f]{48}"),
    _prefixed("an E2B key", "e2b_", "[0-9a-f]{40}"),
    _prefixed("a Cerebras key", "csk-", "[A-Za-z0-9]{48}"),
    _prefixed("an Anyscale key", "esecret_", "[A-Za-z0-9]{24,40}", _is_random_key),
    # Tools for programs and their operation (Artifactory: DS).
    _prefixed("a DigitalOcean token", "do", "[opr]_v1_[0-9a-f]{64}"),
    _prefixed("a Vault token", "hvs.", f"{_WORD}{{80,200}}"),
    _prefixed("a Doppler token", "dp.", r"(?:pt|st|ct|sa)\.[A-Za-z0-9]{40,44}"),
    _prefixed("an age key", "AGE-SECRET-KEY-1", "[A-Z0-9]{58}"),
    _prefixed("a Linear key", "lin_api_", "[A-Za-z0-9]{40}"),
    _prefixed("a Notion token", "ntn_", "[A-Za-z0-9]{40,50}"),
    _prefixed("a Figma token", "figd_", f"{_WORD}{{40}}"),
    _prefixed("a Notion token", "secret_", "[A-Za-z0-9]{43}", _is_random_key),
    _prefixed("a Supabase token", "sbp_", "[0-9a-f]{40}"),
    _prefixed("a PlanetScale token", "pscale_", f"(?:tkn|pw|oauth)_{_WORD}{{32,64}}"),
    _prefixed("a Postman key", "PMAK-", "[0-9a-f]{24}-[0-9a-f]{34}"),
    _prefixed("a Grafana token", "glsa_", "[A-Za-z0-9]{32}_[0-9A-Fa-f]{8}"),
    _prefixed("a New Relic key", "NRAK-", "[A-Z0-9]{27}"),
    _prefixed("an Artifactory token", "AKCp", "[0-9][A-Za-z0-9]{60,70}"),
    _prefixed("a Sentry token", "sntry", f"[su]_{_WORD}{{60,300}}"),
    # Chat and mail (DS).
    _prefixed("a Slack token", "xox", "[abporsce]-(?:[0-9]{1,20}-){0,4}[A-Za-z0-9-]{10,120}"),
    _prefixed("a Slack token", "xapp-", "[0-9]-[A-Z0-9]{5,20}-[0-9]{5,20}-[a-z0-9]{20,100}"),
    _prefixed("a Slack webhook", "hooks.slack.com/services/", "(T[A-Za-z0-9_/]{20,100})"),
    _prefixed("a SendGrid key", "SG.", rf"{_WORD}{{22}}\.{_WORD}{{43}}"),
    KeyShape(
        "a Telegram token",
        lazy_pattern(rf":AA(?<=[0-9]{{8}}:AA){_WORD}{{33}}(?!{_WORD})"),
        ":AA",
    ),
    _prefixed(
        "a Discord webhook", "discord.com/api/webhooks/", f"[0-9]{{17,20}}/({_WORD}{{60,80}})"
    ),
    _prefixed("a Twilio key", "SK", "[0-9a-f]{32}", _is_random_key),
    KeyShape(
        "a Mailchimp key",
        lazy_pattern(r"-us(?<=(?<![A-Za-z0-9])[0-9a-f]{32}-us)[0-9]{1,2}(?![A-Za-z0-9])"),
        "-us",
        before=32,
    ),
    # Payment (DS).
    _prefixed("a Stripe key", "sk_", "(?:live|test)_[A-Za-z0-9]{16,128}"),
    _prefixed("a Stripe key", "rk_live_", "[A-Za-z0-9]{16,128}"),
    _prefixed("a webhook secret", "whsec_", "[A-Za-z0-9+/=]{24,100}"),
    _prefixed("a Square token", "sq0csp-", f"{_WORD}{{43}}"),
    _prefixed("a Shopify token", "shpat_", "[0-9a-fA-F]{32}"),
    # In any text.
    KeyShape(
        "a token",
        # Only at the start of a run of letters, so that the run is read once.
        lazy_pattern(rf"eyJ(?<!{_WORD}eyJ){_WORD}{{4,}}+\.{_WORD}{{4,}}+\.{_WORD}{{4,}}+"),
        "eyJ",
        _names_an_algorithm,
        sign=".",
    ),
    KeyShape(
        "credentials",
        lazy_pattern(
            r"[Bb]earer(?:[ \t]|%20){1,4}+([A-Za-z0-9._~+/=-]{16,8192})"
            r"(?![A-Za-z0-9._~+/=-])"
        ),
        "earer",
        _is_no_word,
        lead=1,
    ),
    KeyShape(
        "credentials",
        lazy_pattern(r"[Bb]asic(?:[ \t]|%20){1,4}+([A-Za-z0-9+/]{8,512}={0,2})(?![A-Za-z0-9+/=])"),
        "asic",
        _is_user_and_password,
        lead=1,
        has_run=False,
    ),
    KeyShape(
        "a password in a URL",
        lazy_pattern(
            r"://[^/\s:@\"'<>\\?#{}()\[\]]{0,100}:([^/\s@\"'<>\\?#(){}\[\],]{3,200})@(?=[\w\[])"
        ),
        "://",
        _is_password,
        has_run=False,
        sign="@",
    ),
    KeyShape(
        "a private key",
        lazy_pattern(
            r"-----BEGIN (?:(?!PRIVATE KEY(?: BLOCK)?-)[A-Z0-9]{1,20}+ ){0,4}+PRIVATE KEY"
            r"(?: BLOCK)?-----((?:[^-\"<>{}]|-(?!-)){40,20000}+)"
        ),
        "-----BEGIN ",
        _has_key_data,
        has_run=False,
    ),
)
"""The kinds of keys that are recognised by their shape; a new kind is one entry."""

_SIGNS = "-_."
"""The signs in most anchors: without them, none of those anchors is in a text."""
_MANY = 64
_EDGE = 1024
"""More characters than `_is_apart` looks at, and than a key without signs has."""


def _of_sign(sign: str) -> tuple[KeyShape, ...]:
    """Return the shapes with a long run whose matches have *sign* as their first sign, or none."""
    signs = ((shape, [c for c in shape.anchor + shape.sign if c in _SIGNS]) for shape in KEY_SHAPES)
    return tuple(shape for shape, of in signs if shape.has_run and (of[:1] or [""])[0] == sign)


_SHAPES_BY_SIGN = {sign: _of_sign(sign) for sign in ("", *_SIGNS)}
_BASE64 = frozenset(f"{ascii_letters}{digits}+/")
_IN_BASE64 = tuple(
    shape
    for shape in _SHAPES_BY_SIGN[""]
    if _BASE64.issuperset(shape.anchor)
    and shape.confirms not in (_is_apart, _is_random_key)
    and not shape.lead  # credentials stand behind a space
)
"""The shapes of keys that may be in the middle of long base64."""
_OF_ANY_TEXT = tuple(shape for shape in KEY_SHAPES if not shape.has_run)


def _possible(text: str, runs: Sequence[Run], outer: Sequence[Run]) -> Iterator[KeyShape]:
    """Yield the shapes that may be in *text*, some of them twice.

    *outer* are the *runs* without the middle of long base64.
    """
    near = near_runs(text, outer)
    for sign, shapes in _SHAPES_BY_SIGN.items() if near else ():
        if sign in near:
            yield from (shape for shape in shapes if shape.anchor in near)
    if len(outer) > len(runs):
        yield from _IN_BASE64
    yield from (shape for shape in _OF_ANY_TEXT if shape.sign in text and _may_have(text, shape))


def _may_have(text: str, shape: KeyShape) -> bool:
    """Return whether *text* may have the anchor of a shape.

    In a long text only the letters of the anchor are looked for, each in a tenth of the time that
    the anchor takes.
    """
    letters = shape.anchor if len(text) > _EDGE else (shape.anchor,)
    return all(letter in text for letter in letters)


def _middles(text: str, runs: Sequence[Run]) -> Iterator[Run]:
    """Yield the middle of each of the *runs* in *text* that is long base64."""
    for start, end in runs:
        first, last = start + _EDGE, end - _EDGE
        if last - first > _EDGE and all(text.find(sign, first, last) < 0 for sign in "-_.=~"):
            # Behind its last sign there may be a token, whose first point is far behind the anchor.
            token = max(text.rfind(sign, first, last) for sign in "+/") + 1
            yield first, token if token > first and text.startswith("eyJ", token) else last


def _without(middles: Iterable[Run], parts: Sequence[Run]) -> Iterator[Run]:
    """Yield the *parts* of a text, in order, without the *middles* of some of them."""
    cuts = iter(middles)
    cut = next(cuts, None)
    for start, end in parts:
        while cut and cut[0] < end:
            yield start, cut[0]
            start = cut[1]
            cut = next(cuts, None)
        yield start, end


def keys(text: str, runs: Sequence[Run]) -> Iterator[Hit]:
    """Yield each part of *text* with the shape of a key, except placeholders and examples.

    *runs* is the result of `runs.long_runs` for *text*.
    """
    middles = [*_middles(text, runs)]
    outer = [*_without(middles, runs)] if middles else runs
    rest = [*_without(middles, [(0, len(text))])]
    for shape in sorted(set(_possible(text, runs, outer)), key=KEY_SHAPES.index):
        parts = runs if shape in _IN_BASE64 else outer if shape.has_run else rest
        for match in _matches(shape, text, parts):
            start, end = match.span(match.lastindex or 0)
            start -= shape.before
            if shape.confirms(match) and not is_made_up(text[start:end]):
                yield Hit(start, end, shape.kind, text[start:end])


def _matches(shape: KeyShape, text: str, parts: Sequence[Run]) -> Iterator[re.Match[str]]:
    """Yield the matches of the pattern of *shape* near *parts* of *text*.

    They are found by the anchor, while few of these are in the text.
    """
    end = 0
    for count, at in enumerate(offsets_near_runs(text, shape.anchor, parts)):
        start = max(end, at - shape.lead)
        if count > _MANY and count * _MANY > at and not shape.has_run:
            yield from shape.pattern.finditer(text, start)
            return
        match = shape.pattern.match(text, start)
        if match:
            yield match
            end = match.end()


# -------------------------------------------------------------------------------- placeholders

_STANDS_IN = lazy_pattern(
    r"redacted|masked|dummy|^deleted$|sandbox|placeholder|x{6}|\*{3}|\.\.\.|^(?:sk-)?(?:test|your|my)[_-]"
    r"|^[<\[{].*|^\$[A-Za-z_{(]|^$|^(?:none|null|undefined|true|false|string)$|example|changeme|^(?:some|any|the)[_-]|^x{3,}$|your[_-]?(?:api|access|secret|key|token)",
    re.IGNORECASE,
)
_PUBLISHED = (
    "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",  # the token that jwt.io shows
    "QWxhZGRpbjpvcGVuIHNlc2FtZQ",  # Aladdin:open sesame, of RFC 7617
    "mF_9.B5f-4.1JqM",  # of RFC 6750
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq",  # Azure's storage emulator
)
"""Parts of examples in the documentation of services, which do not say that they are examples."""
_EXAMPLE_PASSWORD = lazy_pattern(
    r"(?:user|my|the|db)?[_-]?(?:pass(?:word|wd|phrase)?|pwd|secret|token|key|credentials?)[0-9]{0,3}"
    r"|x-oauth-basic|postgres|root|admin|guest|[%$]\w+|\W+",
    re.IGNORECASE,
)
_MIN_DISTINCT = 8
"""Smallest number of different characters in a real key."""


def is_placeholder(value: str) -> bool:
    """Return whether *value* only stands for a secret (`<your key>`), or is a published example."""
    return bool(_STANDS_IN.search(value)) or any(part in value for part in _PUBLISHED)


def is_made_up(value: str) -> bool:
    """Return whether *value* is no real key: a placeholder, or of few different characters."""
    few = len(value) < 400 and len(set(value.removeprefix("sk-"))) < min(_MIN_DISTINCT, len(value))
    return few or is_placeholder(value)


def is_example_password(value: str) -> bool:
    """Return whether a password is an example, such as `password`, or too short for a real one."""
    return bool(_EXAMPLE_PASSWORD.fullmatch(value)) or is_placeholder(value) or len(value) < 3


def without_keys(text: str) -> str:
    """Return *text* for display, with a placeholder for each part that has the shape of a key."""
    end = len(text)
    for key in sorted(keys(text, long_runs(text)), key=lambda key: key.start, reverse=True):
        text = text[: key.start] + PLACEHOLDER + text[min(key.end, end) :]
        end = key.start
    return text
