"""A wish for a picture, as it is asked for, and where the picture hangs."""

from __future__ import annotations

import re
import uuid

from starlette.requests import Request

from harness.sandbox.house import House, now
from harness.sandbox.listening import check_content, read_model, read_size, read_text
from harness.sandbox.pictures import Wish
from harness.sandbox.refusal import Reason, Refused
from harness.types import LooseJson

_MODEL = re.compile(r"cogview-(?:3|3-plus|3-flash|4|4-\d{6})|glm-image")


def hear_wish(body: dict[str, LooseJson]) -> Wish:
    """A request's body as a wish for a picture."""
    model = read_model(body.get("model"), _MODEL)
    prompt = read_text(body.get("prompt"))
    # [DOC] cogview page: 512 to 2048 pixels, in steps of 16, not more than 2^21 of them together
    width, height = read_size(body.get("size") or "1024x1024", "x") or (0, 0)
    fits = all(512 <= side <= 2048 and side % 16 == 0 for side in (width, height))
    if not fits or width * height > 2**21:
        raise Refused(Reason.BAD_PARAMETER, "size")
    check_content([prompt])
    return Wish(prompt, width, height, model)


def hang(house: House, request: Request, wish: Wish) -> str:
    """[FIELD] the shape of links to drawn pictures."""
    name = f"zhipuai/api/cogview/{now():%Y%m%d%H%M%S}{uuid.uuid4().hex[:14]}_0.png"
    return house.hang(request, name, wish)
