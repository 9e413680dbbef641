"""The step: which requests are in which rows, what each computes next, and what becomes of it.

Requests that run are in the rows from 0 on, without gaps, in the order in which they got them. Everything here runs in
the model's thread.
"""

from __future__ import annotations

import gc
import logging
from collections import deque
from collections.abc import Sequence

import torch

from core.events import Delta, Finished, Started
from core.local.failure import first_line, out_of_memory
from core.local.loading import Loaded
from core.local.lookup import LONGEST
from core.local.request import News, Request
from core.local.running import Running
from core.local.sampling import choose
from core.local.schedule import Segment, common, shares

log = logging.getLogger(__name__)

CHUNK = {"cpu": 256, "cuda": 512}
"""Prompt tokens computed in one step: as long as that takes, no stream gets its next word."""
SMALLEST_CHUNK = 32
SHARED = 16
"""Tokens that another request is about to compute, from which it is worth waiting for them."""
DRAFTING_ROWS = 4
"""Rows up to which answers are guessed ahead: more keep the processor busy without."""
FAILED = Finished("error", "engine_failed")


class Stepping:
    """The requests that wait for a row and those that run, each in a row of its own."""

    def __init__(self, model: Loaded) -> None:
        self.waiting: deque[Running] = deque()
        self.running: list[Running] = []
        self._model, self._runner = model, model.runner
        self._chunk = CHUNK[model.device.type]
        self._news: dict[Request, list[Started | Delta | Finished]] = {}

    @property
    def slots(self) -> int:
        """How many requests can run at once."""
        return self._runner.rows

    @property
    def busy(self) -> bool:
        """Is there anything to do, or to tell?"""
        return bool(self.waiting or self.running or self._news)

    def add(self, request: Request) -> None:
        """A request more."""
        if all(0 <= token < self._model.vocabulary for token in request.ids):
            self.waiting.append(Running(request, self._model.decode, self._model.vocabulary, self._model.device))
        else:
            log.error("a request failed: its prompt has ids that are not in the vocabulary")
            self._tell(request, FAILED)

    def step(self) -> News:
        """Let everybody go on by one step; what came of it."""
        self._drop_cancelled()
        self._begin()
        if segments := self._segments():
            self._compute(segments)
        news, self._news = list(self._news.items()), {}
        return news

    def warm_up(self) -> None:
        """Compute a few tokens for nobody: the first ones take longer. Raises if the model cannot compute."""
        tokens = [0] * min(16, self._model.context_window)
        self._runner.begin(0, tokens, None, 0)
        self._runner.forward([Segment(0, 0, tokens[:-1], 0)])
        self._runner.forward([Segment(0, len(tokens) - 1, tokens[-1:], 1)])
        self._runner.clear(0, len(tokens))

    # Rows.

    def _drop_cancelled(self) -> None:
        self.waiting = deque(one for one in self.waiting if not one.request.cancelled)
        for row in reversed(range(len(self.running))):
            if self.running[row].request.cancelled:
                self._leave(row)

    def _begin(self) -> None:
        """Give free rows to those who wait, in order; who would compute what another is computing just now waits for
        that instead."""
        later: deque[Running] = deque()
        while self.waiting and len(self.running) < self.slots:
            one = self.waiting.popleft()
            ids = one.ids[:-1]  # the last one's scores are wanted, so it is computed in any case
            count, source = self._runner.kept(ids), None
            awaited = 0
            for row, other in enumerate(self.running):
                alike = common(other.ids, ids)
                if min(alike, other.done) > count:
                    count, source = min(alike, other.done), row
                awaited = max(awaited, alike if other.reading else 0)
            if awaited >= count + SHARED:
                later.append(one)
                continue
            one.done = self._runner.begin(len(self.running), one.ids, source, count)
            self.running.append(one)
            if not one.started:
                one.started = True
                self._tell(one.request, Started(len(one.ids), one.unread))
        self.waiting.extendleft(reversed(later))

    def _leave(self, row: int, *, keep: bool = True) -> None:
        """The row is free: what it holds is kept for later, and the last row takes its place."""
        one = self.running[row]
        if keep:
            self._runner.keep(row, one.ids[: one.done])
        else:
            self._runner.clear(row, len(one.ids) + LONGEST)
        last = len(self.running) - 1
        if row != last:
            self.running[row] = self.running[last]
            self._runner.move(last, row, self.running[row].done)
        self.running.pop()

    # What is computed.

    def _segments(self) -> list[Segment]:
        reading = [one.unread if one.reading else 0 for one in self.running]
        given = shares(reading, self._chunk)
        drafting = self._runner.drafts and len(self.running) <= DRAFTING_ROWS and not any(reading)
        segments = []
        for row, (one, count) in enumerate(zip(self.running, given, strict=True)):
            if not one.reading:
                if drafting:
                    one.foresee(self._model.context_window - len(one.ids))
                segments.append(Segment(row, one.done, [one.ids[-1], *one.draft], 1 + len(one.draft)))
            elif count:
                ids = one.ids[one.done : one.done + count]
                segments.append(Segment(row, one.done, ids, int(count == one.unread)))
        return segments

    def _compute(self, segments: Sequence[Segment]) -> None:
        short = False
        try:
            chosen = self._chosen(segments)
        except Exception as error:
            short, line = out_of_memory(error), first_line(error)
        else:
            self._take(segments, chosen)
            return
        # Only here, where the error and with it the frames that hold the step's memory are gone, can that be freed.
        if short:
            self._make_room(line)
        else:
            self._isolate(segments, line)

    def _chosen(self, segments: Sequence[Segment]) -> list[int | None]:
        """Compute the segments; the tokens chosen by the scores that are wanted of them."""
        scores = self._runner.forward(segments)
        wanted = [(self.running[s.row], place) for s in segments for place in range(s.wanted)]
        samplers, numbers = [one.sampler for one, _ in wanted], [one.said + place for one, place in wanted]
        return choose(scores, samplers, numbers, self._model.vocabulary) if wanted else []

    def _take(self, segments: Sequence[Segment], chosen: Sequence[int | None], failed: Sequence[int] = ()) -> None:
        """What the step gave, to each row that has all of its tokens; the ``failed`` rows end."""
        over = {row: False for row in failed}
        at = 0
        for segment in segments:
            one = self.running[segment.row]
            one.done += len(segment.ids) - len(one.draft)
            if not segment.wanted:
                continue
            end = self._hear(one, chosen[at : at + segment.wanted])
            at += segment.wanted
            if end is not None:
                over[segment.row] = end is not FAILED
        for row in sorted(over, reverse=True):
            self._leave(row, keep=over[row])

    def _hear(self, one: Running, chosen: Sequence[int | None]) -> Finished | None:
        try:
            deltas, end = one.hear(chosen, self._model.end_ids.union(one.request.sampling.stop_ids))
        except ArithmeticError as error:
            log.error("a request failed: %s", error)
            deltas, end = [], FAILED
        self._tell(one.request, *deltas, *([end] if end is not None else []))
        return end

    def _tell(self, request: Request, *events: Started | Delta | Finished) -> None:
        if events:
            self._news.setdefault(request, []).extend(events)

    # What goes wrong.

    def _make_room(self, line: str) -> None:
        """The memory ran out. Nothing of the step has been taken in, so it is made again, with more room."""
        reading = any(one.reading for one in self.running)
        for one in self.running:
            one.draft = []
        if self._runner.shed():
            log.warning("out of memory (%s): what was kept of earlier requests is dropped", line)
        elif self._chunk > SMALLEST_CHUNK and reading:
            self._chunk = max(self._chunk // 2, SMALLEST_CHUNK)
            log.warning("out of memory (%s): prompts are read %d tokens at a time", line, self._chunk)
        elif self.slots > 1:
            self._shrink(self.slots // 2)
            log.warning("out of memory (%s): %d requests at once from now on", line, self.slots)
        else:
            log.error("out of memory, with nothing left to give up: %s", line)
            self._end_all()
        _release()

    def _shrink(self, slots: int) -> None:
        """Who is in a row that goes begins again, with what it has said so far, as soon as one is free."""
        for one in reversed(self.running[slots:]):
            one.done = 0
            self.waiting.appendleft(one)
        del self.running[slots:]
        _release()
        self._runner.shrink(slots)

    def _isolate(self, segments: Sequence[Segment], line: str) -> None:
        """A step failed: it is made row by row, and those end that fail alone. Raises if the model cannot compute."""
        log.error("a step failed: %s", line)
        good: list[Segment] = []
        chosen: list[int | None] = []
        failed: list[int] = []
        for segment in segments:
            try:
                chosen += self._chosen([segment])
                good.append(segment)
            except Exception as error:
                log.error("a request failed: %s", first_line(error))
                self._tell(self.running[segment.row].request, FAILED)
                failed.append(segment.row)
        if good:
            self._take(good, chosen, failed)
            return
        for row in sorted(failed, reverse=True):
            self._leave(row, keep=False)
        _release()
        if not self.running:
            self.warm_up()

    def _end_all(self) -> None:
        for row in reversed(range(len(self.running))):
            self._tell(self.running[row].request, FAILED)
            self._leave(row, keep=False)


def _release() -> None:
    """Give the memory of what nobody holds any more back to the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
