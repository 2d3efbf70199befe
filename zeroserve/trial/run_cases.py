"""Run cases: files of cases on a site, each file on a site of its own, and what came of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from zeroserve.bridge.trial import Trial, TrialAnswer, open_trial
from zeroserve.errors import CaseRefused
from zeroserve.pack.script_files import CASES_FOLDER
from zeroserve.trial.cases import START_MS, Case, read_cases
from zeroserve.trial.judge import differences


@dataclass(frozen=True, slots=True)
class CaseResult:
    """A case that was run. `faults` is empty when the answer is as expected."""

    file: Path
    case: Case
    answer: TrialAnswer
    faults: tuple[str, ...]


def find_case_files(site: Path, given: Sequence[Path] = ()) -> list[Path]:
    """The files of cases: those of a folder's `.zeroserve/tests/`, or those that are `given`.

    Raises `CaseRefused` when there are none.
    """
    places = list(given)
    if not places and site.is_dir():
        places = [folder for folder in sorted(site.rglob(CASES_FOLDER)) if folder.is_dir()]
    files: list[Path] = []
    for place in places:
        files += sorted(place.rglob("*.toml")) if place.is_dir() else [place]
    if not files:
        where = f"`{CASES_FOLDER}*.toml` of a folder, or those of `--cases`"
        raise CaseRefused("case-bad", f"`{site}`: there are no cases; they are {where}")
    return files


def run_files(descriptor: int, shown: str, files: Sequence[Path]) -> Iterator[CaseResult]:
    """Run files of cases on the tarball `descriptor`. Raises `CaseRefused`, `ConfigRefused`."""
    for file in files:
        cases = read_cases(file)
        with open_trial(descriptor, shown) as trial:
            for case, answer in run_cases(trial, cases):
                yield CaseResult(file, case, answer, tuple(differences(case.expected, answer)))


def run_cases(trial: Trial, cases: Sequence[Case]) -> Iterator[tuple[Case, TrialAnswer]]:
    """Ask in order. The clock moves by `wait_ms` before each request."""
    now_ms = START_MS
    for case in cases:
        answer = None
        for _ in range(case.repeat):
            now_ms += case.wait_ms
            answer = trial.ask(replace(case.request, now_ms=now_ms))
        assert answer is not None
        yield case, answer
