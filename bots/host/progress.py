"""How far the model is loaded, on a terminal as a bar, elsewhere as a few plain lines."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

from bots.talk.wording import Say

STEP = 0.25
"""Plain lines come at each new stage and whenever this much more of it is done."""


class Loading:
    """Called with a stage (``console-loading-<stage>`` are its words) and its done part: 0 to 1, None = unknown.

    A stage can have a size behind it (``download 14.5 GB``); its words are then ``console-loading-<stage>-sized``.
    """

    def __init__(self, say: Say, out: TextIO) -> None:
        self.say, self._out = say, out
        self._stage = ""
        self._told = 0.0
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        if out.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

            columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn()
            self._bar = Progress(*columns, console=Console(file=out), transient=True)

    def __enter__(self) -> Loading:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __call__(self, stage: str, done: float | None = None) -> None:
        if self._bar is not None:
            self._draw(self._bar, stage, done)
        elif stage != self._stage or (done or 0.0) - self._told >= STEP:
            percent = f" {done:.0%}" if done else ""
            print(f"{self._words(stage)}{percent}", file=self._out, flush=True)
            self._told = done or 0.0
        self._stage = stage

    def tell(self, sentence: str) -> None:
        """Says something, above the bar."""
        if self._bar is not None:
            self._bar.console.print(sentence, markup=False, highlight=False)
        else:
            print(sentence, file=self._out, flush=True)

    def close(self) -> None:
        """Takes the bar away. Later calls draw nothing."""
        if self._bar is not None:
            self._bar.stop()

    def _draw(self, bar: Progress, stage: str, done: float | None) -> None:
        if self._task is None:
            self._task = bar.add_task(self._words(stage), total=None)
            bar.start()
        if stage != self._stage:
            bar.reset(self._task, description=self._words(stage), total=None)
        if done is not None:
            bar.update(self._task, completed=done, total=1.0)

    def _words(self, stage: str) -> str:
        name, _, size = stage.partition(" ")
        return self.say(f"console-loading-{name}-sized", size=size) if size else self.say(f"console-loading-{name}")
