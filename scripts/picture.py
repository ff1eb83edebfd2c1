"""Make the picture of README, `docs/images/front.png`: `make picture`; needs chromium.

On the left a terminal in which `harness drift` finds a changed field, on the right the report page.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "docs" / "images" / "front.png"
COMMAND = ("drift", "last-week", "cassettes", "--report", "report")

PAGE = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; width: 1500px; height: 800px; background: #e7ebf0; font-family: sans-serif; }}
figure {{ position: absolute; margin: 0; overflow: hidden; border-radius: 8px;
  box-shadow: 0 6px 24px #0005; }}
#report {{ left: 500px; top: 24px; width: 976px; height: 752px; }}
#report img {{ width: 100%; }}
#terminal {{ left: 20px; top: 70px; width: 676px; }}
#terminal img {{ display: block; width: 100%; }}
</style>
<figure id="report"><img src="report.png"></figure>
<figure id="terminal"><img src="terminal.svg"></figure>"""


def main() -> None:
    """Change a recorded answer, let `harness drift` find it, and photograph both."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _change(folder)
        (folder / "terminal.svg").write_text(_terminal(_ran(folder)), encoding="utf-8")
        (folder / "page.html").write_text(PAGE.format(), encoding="utf-8")
        PICTURE.parent.mkdir(exist_ok=True)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
            page = browser.new_page(viewport={"width": 1180, "height": 910}, color_scheme="light")
            page.goto((folder / "report" / "index.html").as_uri())
            page.screenshot(path=folder / "report.png")
            page = browser.new_page(viewport={"width": 1500, "height": 800})
            page.goto((folder / "page.html").as_uri())
            picture = Image.open(io.BytesIO(page.screenshot()))
            browser.close()
        picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(
            PICTURE, optimize=True
        )


def _change(folder: Path) -> None:
    """Write the recordings of last week, and those of today, in which a field has another type."""
    for name in ("weather-tool", "slogan"):
        for side in ("last-week", "cassettes"):
            shutil.copytree(ROOT / "cassettes" / name, folder / side / name)
    for path in (folder / "cassettes" / "weather-tool").glob("zhipuai-*.yaml"):
        text = path.read_text(encoding="utf-8")
        changed = text.replace('"finish_reason":"tool_calls"', '"finish_reason":null')
        path.write_text(changed, encoding="utf-8")


def _ran(folder: Path) -> str:
    """Return what the command prints."""
    harness = Path(sys.executable).with_name("harness")
    done = subprocess.run(  # noqa: S603 - our own command
        [harness, *COMMAND],
        cwd=folder,
        env={**os.environ, "COLUMNS": "88", "FORCE_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 1:
        raise SystemExit(f"the change was not found: {done.stdout}{done.stderr}")
    return done.stdout


def _terminal(output: str) -> str:
    """Return a terminal with the command and its output, as SVG."""
    console = Console(record=True, width=88, file=io.StringIO(), force_terminal=True)
    console.print(f"[bold green]$[/] harness {' '.join(COMMAND)}", highlight=False)
    console.print(Text.from_ansi(output))
    return console.export_svg(title="harness drift")


if __name__ == "__main__":
    main()
