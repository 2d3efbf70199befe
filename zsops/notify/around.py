"""A run with what happens around it: the hook before, its events, the hook after, the notices.

Whoever starts a run, the command line or a program, gets it wrapped like this.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from zsops.apply.outcome import InstanceResult, error_info
from zsops.apply.run import Run
from zsops.apply.target import RunInfo
from zsops.config.around import Happening
from zsops.config.load import Project
from zsops.errors import ExitCode
from zsops.notify.hooks import HookFailed, run_hook
from zsops.notify.notice import Notice, NoticeHost
from zsops.notify.send import send
from zsops.report.events import Event, NoteEvent, SummaryEvent
from zsops.report.run_id import new_run_id, timestamp


class Setting(Protocol):
    """What a run belongs to: an environment of a project."""

    @property
    def project(self) -> Project: ...
    @property
    def env(self) -> str: ...


def told(setting: Setting, command: str, info: RunInfo, **more: str) -> dict[str, str]:
    """What a hook finds in its environment."""
    return {
        "ZSOPS_PROJECT": setting.project.config.project,
        "ZSOPS_ENV": setting.env,
        "ZSOPS_COMMAND": command,
        "ZSOPS_RUN": info.id,
        "ZSOPS_WHO": info.who,
        "ZSOPS_REASON": info.why,
        "ZSOPS_COMMIT": info.commit,
        **more,
    }


class Around:
    """Iterate over it for the events of `run`; the first one starts it. Raises HookFailed when a
    required hook fails before anything is touched. `exit_code` counts after the last event.
    """

    def __init__(self, setting: Setting, command: str, run: Run) -> None:
        """`command`: what was called, as `deploy`."""
        self._setting = setting
        self._command = command
        self._run = run
        self._events = self._all()
        self.exit_code = ExitCode.OK

    @property
    def setting(self) -> Setting:
        """What it belongs to."""
        return self._setting

    @property
    def info(self) -> RunInfo:
        """Who does this, and why."""
        return self._run.info

    @property
    def results(self) -> tuple[InstanceResult, ...]:
        """How each instance ended; after the last event."""
        return self._run.results

    def called(self, command: str) -> Around:
        """The same, by the name that hooks and notices are told; before the first event."""
        self._command = command
        return self

    def abort(self) -> None:
        """As `Run.abort`: from any thread, or a signal handler."""
        self._run.abort()

    def finish(self) -> ExitCode:
        """Run to the end without looking at the events; the exit code."""
        for _ in self:
            pass
        return self.exit_code

    def __iter__(self) -> Around:
        return self

    def __next__(self) -> Event:
        return next(self._events)

    def _all(self) -> Iterator[Event]:
        hooks, directory = self._setting.project.config.hooks, self._setting.project.directory
        hosts = " ".join(dict.fromkeys(each.host for each in self._run.targets))
        before = told(self._setting, self._command, self._run.info, ZSOPS_HOSTS=hosts)
        warning = run_hook("pre_deploy", hooks.pre_deploy, directory, before)
        if warning is not None:
            yield self._note(warning)
        for event in self._run:
            if not isinstance(event, SummaryEvent):
                yield event
                continue
            summary = event
            self.exit_code = self._run.exit_code
            after = {**before, "ZSOPS_EXIT": str(int(self.exit_code))}
            try:
                warning = run_hook("post_deploy", hooks.post_deploy, directory, after)
            except HookFailed as failed:
                warning = failed.message
                if self.exit_code is ExitCode.OK:
                    self.exit_code = failed.exit_code
                    error = error_info(failed)
                    summary = event.model_copy(update={"exit": int(self.exit_code), "error": error})
            if warning is not None:
                yield self._note(warning)
            for problem in self._tell():
                yield self._note(problem)
            yield summary

    def _tell(self) -> Iterator[str]:
        results = self._run.results
        for happening, outcomes in _OUTCOMES.items():
            found = [each for each in results if each.outcome in outcomes]
            if found and not (happening == "deployed" and self._run.exit_code != ExitCode.OK):
                yield from tell(
                    self._setting, happening, self._command, self._run.info, _hosts(found)
                )

    def _note(self, text: str) -> NoteEvent:
        return NoteEvent(t=timestamp(), run=self._run.info.id, level="warning", text=text)


_OUTCOMES: dict[Happening, tuple[str, ...]] = {
    "deployed": ("committed",),
    "reverted": ("reverted", "self_reverted"),
    "unsafe": ("unsafe", "unknown"),
}


def tell(
    setting: Setting, event: Happening, command: str, info: RunInfo, hosts: Sequence[NoticeHost]
) -> Iterator[str]:
    """Send the notice to whoever wants it; warnings."""
    notice = Notice(
        event=event,
        id=new_run_id(),
        t=timestamp(),
        project=setting.project.config.project,
        environment=setting.env,
        command=command,
        who=info.who,
        reason=info.why,
        commit=info.commit,
        hosts=tuple(hosts),
    )
    yield from send(setting.project.config.notify, notice)


def _hosts(results: Sequence[InstanceResult]) -> list[NoticeHost]:
    return [
        NoticeHost(
            host=each.host,
            instance=each.instance,
            outcome=each.outcome,
            release=each.release,
            detail=each.error.message if each.error else None,
        )
        for each in results
    ]
