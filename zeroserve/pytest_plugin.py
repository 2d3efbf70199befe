"""pytest plugin: the cases of a site (`.zeroserve/tests/*.toml`) are tests, one for each case.

The cases of a file run together and in order, when the first of them is wanted: what scripts keep
from one request to the next is part of what is tried.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from zeroserve.trial.run_cases import CaseResult


def _is_case_folder(path: Path) -> bool:
    return path.parts[-1:] == (".zeroserve",) or path.parts[-2:] == (".zeroserve", "tests")


@pytest.hookimpl(tryfirst=True)
def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Folders that begin with a dot are left out by default; this one is looked into."""
    return False if _is_case_folder(collection_path) else None


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a file of cases."""
    if file_path.suffix == ".toml" and _is_case_folder(file_path.parent):
        made: CaseFile = CaseFile.from_parent(parent, path=file_path)
        return made
    return None


class CaseFailed(Exception):  # noqa: N818  # named after what happened
    """An answer that is not as expected."""


class CaseFile(pytest.File):
    """A file of cases, and the results once it was run."""

    _results: list[CaseResult] | None = None

    def collect(self) -> Iterable[CaseItem]:
        """One test for each case."""
        from zeroserve.trial.cases import read_cases

        for number, case in enumerate(read_cases(self.path)):
            yield CaseItem.from_parent(self, name=case.name, number=number)

    def result(self, number: int) -> CaseResult:
        """What came of a case."""
        if self._results is None:
            from zeroserve.trial.run_cases import run_files
            from zeroserve.trial.site import site_file

            site = self.path.parents[2]
            with site_file(site) as (descriptor, _):
                self._results = list(run_files(descriptor, str(site), [self.path]))
        return self._results[number]


class CaseItem(pytest.Item):
    """One case."""

    def __init__(self, *, number: int, **more: object) -> None:
        """Keep the case's place in its file."""
        super().__init__(**more)  # type: ignore[arg-type]  # pytest's own
        self._number = number

    def runtest(self) -> None:
        """Compare the answer with what was expected."""
        assert isinstance(self.parent, CaseFile)
        result = self.parent.result(self._number)
        if result.faults:
            raise CaseFailed("\n".join((*result.faults, *result.answer.log)))

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None
    ) -> str:
        """The differences alone; a traceback would be about us."""
        from zeroserve.errors import ZeroserveError

        if isinstance(excinfo.value, ZeroserveError):
            return excinfo.value.render()
        if isinstance(excinfo.value, CaseFailed):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where it stands."""
        return self.path, None, f"case: {self.name}"
