"""The check of many cassettes by the rules, in several processes or from earlier results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from harness.cassette import store
from harness.cassette.age import ALWAYS, Period
from harness.cassette.workers import Workers, in_order
from harness.checks.cache import NO_CACHE, CheckCache
from harness.comparison.matrix import Outline, outline
from harness.config.settings import RuleSelection
from harness.providers.rules import project_rules
from harness.rules import Judged
from harness.runner import Progress
from harness.runner.batch import examine
from harness.runner.recordings import try_read
from harness.types import Problem, Transcript


class Checked(NamedTuple):
    """A cassette that was checked.

    Attributes:
        outline: The cassette in figures, without its texts.
        judged: The findings, and the findings that are ignored.
        transcript: The transcript; None if `CheckOptions.keeps_transcripts` is false.
    """

    outline: Outline
    judged: Judged
    transcript: Transcript | None = None


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """The options of a check.

    Attributes:
        period: The dates of recording to check; cassettes recorded at other times are left out.
        workers: The largest number of processes, or the address of a Dask scheduler.
        cache: The results of earlier checks.
        keeps_transcripts: Whether each result contains its transcript; if so, *cache* is not used.
    """

    period: Period = ALWAYS
    workers: Workers = 1
    cache: CheckCache = NO_CACHE
    keeps_transcripts: bool = True


CHECK_ALL = CheckOptions()


def check_cassettes(
    paths: Sequence[Path], progress: Progress, options: CheckOptions
) -> Iterator[Checked | Problem]:
    """Check cassettes by the project's response-format rules, and yield the results in order.

    *paths* are cassettes or folders of them. A cassette that cannot be read yields a problem.
    *progress* is called with a line of text for each cassette.

    Raises:
        BadSettings: The project's settings are invalid.
        HarnessError: A path does not exist or holds no cassettes.
    """
    check = partial(_check, project_rules(Path.cwd()), options)
    files = store.find(list(paths), is_read_here=isinstance(options.workers, int))
    cache = NO_CACHE if options.keeps_transcripts else options.cache
    with cache.opened(files) as known:
        new = in_order(check, [path for path in files if path not in known.of], options.workers)
        for number, path in enumerate(files, start=1):
            progress(f"[{number}/{len(files)}] {path}")
            if path in known.of:
                result: Checked | Problem | None = Checked(*known.of[path])
            else:
                result = next(new)
                if isinstance(result, Checked):
                    known.write(path, (result.outline, result.judged))
            if result is not None and not _is_left_out(result, options.period):
                yield result


def _is_left_out(result: Checked | Problem, period: Period) -> bool:
    return isinstance(result, Checked) and result.outline.provenance not in period


def _check(rules: RuleSelection, options: CheckOptions, path: Path) -> Checked | Problem | None:
    """Return the result for one file; None if it was recorded at another time."""
    transcript = try_read(path)
    if isinstance(transcript, Problem):
        return transcript
    if transcript.provenance not in options.period:
        return None
    read, judged = examine(transcript, rules)
    kept = read.transcript if options.keeps_transcripts else None
    return Checked(outline(read), judged, kept)
