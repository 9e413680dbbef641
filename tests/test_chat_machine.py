"""The chat as a state machine: whatever people do in whatever order, every question comes to exactly one end."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, precondition, rule

from core.chat import Options
from core.errors import NotFound, NothingToContinue, QueueFull, ShuttingDown, StillAnswering
from tests.fakes import SteppedEngine
from tests.houses import House, finish, house

PEOPLE = ("web:ann", "web:bob")
CONVERSATIONS = tuple(f"{user}:{i}" for user in PEOPLE for i in range(2))
WORDS = 4
WHOLE = " ".join(f"a{i}" for i in range(1, WORDS + 1))
OPTIONS = Options(persona="assistant", attempts=1000)


class ChatMachine(RuleBasedStateMachine):
    """Two people with two conversations each on a real store, and an engine that speaks when it is told to."""

    slots = 1
    turns = Bundle("turns")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.stack = AsyncExitStack()
        self.accepted: dict[str, int] = {}
        self.order: dict[str, list[int]] = {key: [] for key in CONVERSATIONS}
        self.touched: set[int] = set()
        self.events = 0
        self.home: House
        self.run(self.open())

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    async def open(self) -> None:
        engine = SteppedEngine(slots=self.slots, words=WORDS)
        self.home = await self.stack.enter_async_context(
            house(Path(self.folder.name), slots=self.slots, waiting=6, options=OPTIONS, engine=engine)
        )

    async def settle(self) -> None:
        for _ in range(30):
            await asyncio.sleep(0)
        await self.home.store.stats()
        for _ in range(10):
            await asyncio.sleep(0)

    def event(self) -> str:
        self.events += 1
        return f"web:{self.events}"

    def accept(self, work: Any, event: str) -> Any:
        """What a call made: a new turn to remember, or a refusal that stored nothing."""

        async def call() -> Any:
            before = {key: await self.home.store.find(key) for key in self.accepted}
            try:
                reply = await work
            except (QueueFull, StillAnswering, NothingToContinue, NotFound, ShuttingDown):
                reply = None
            if reply is None:
                assert await self.home.store.find(event) is None
                return multiple()
            assert all(before[key].id == number for key, number in self.accepted.items())
            if reply.turn.id in self.accepted.values():
                return multiple()
            self.accepted[event] = reply.turn.id
            self.order[reply.turn.conversation].append(reply.turn.id)
            return reply.turn.id

        return self.run(call())

    def owner(self, turn: int) -> str:
        return self.run(self.home.store.turn(turn)).user

    @rule(target=turns, key=st.sampled_from(CONVERSATIONS))
    def send(self, key):
        event = self.event()
        return self.accept(self.home.chat.send(key, key.rpartition(":")[0], event, f"question {event}"), event)

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def replay(self, data):
        event = data.draw(st.sampled_from(sorted(self.accepted)))
        turn = self.run(self.home.store.find(event))
        reply = self.run(self.home.chat.send(turn.conversation, turn.user, event, "question again"))
        assert reply.turn.id == self.accepted[event]

    @rule(target=turns, key=st.sampled_from(CONVERSATIONS))
    def send_and_go_away(self, key):
        event = self.event()

        async def call() -> Any:
            task = asyncio.create_task(self.home.chat.send(key, key.rpartition(":")[0], event, f"question {event}"))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task})
            return await self.home.chat.send(key, key.rpartition(":")[0], event, f"question {event}")

        return self.accept(call(), event)

    @rule(target=turns, turn=turns, branch=st.booleans())
    def regenerate(self, turn, branch):
        event = self.event()
        return self.accept(self.home.chat.regenerate(turn, self.owner(turn), event, branch=branch), event)

    @rule(target=turns, turn=turns, branch=st.booleans())
    def edit(self, turn, branch):
        event = self.event()
        self.touched.add(turn)
        return self.accept(self.home.chat.edit(turn, self.owner(turn), event, f"edited {event}", branch=branch), event)

    @rule(target=turns, turn=turns)
    def proceed(self, turn):
        event = self.event()
        return self.accept(self.home.chat.proceed(turn, self.owner(turn), event), event)

    @rule(turn=turns)
    def stop(self, turn):
        self.touched.add(turn)
        self.run(self.home.chat.cancel(turn, self.owner(turn)))
        assert self.home.chat.live(turn) is None

    @rule(turn=turns)
    def delete(self, turn):
        self.run(self.home.chat.delete(turn, self.owner(turn)))
        gone = {number for number in self.accepted.values() if self.run(self.home.store.turn(number)).deleted}
        assert turn in gone
        self.touched |= gone

    @rule(key=st.sampled_from(CONVERSATIONS))
    def undo(self, key):
        undone = self.run(self.home.chat.undo(key, key.rpartition(":")[0]))
        if undone is not None:
            self.touched.add(undone.id)
            self.touched.update(turn for turn in self.order[key] if self.run(self.home.store.turn(turn)).finish_reason)

    @rule(key=st.sampled_from(CONVERSATIONS))
    def new(self, key):
        self.touched.update(self.order[key])
        self.run(self.home.chat.new(key, key.rpartition(":")[0]))
        assert self.run(self.home.chat.history(key, key.rpartition(":")[0])) == [] if self.order[key] else True
        assert not any(self.home.chat.live(turn) for turn in self.order[key])

    @rule(words=st.integers(1, 6))
    def speak(self, words):
        self.home.engine.step(words)
        self.run(self.settle())

    @rule()
    def pass_time(self):
        self.run(self.settle())

    @rule()
    def restart(self):
        self.run(self.stack.aclose())
        self.run(self.open())
        self.run(self.home.chat.resume(["web:"]))

    @invariant()
    def no_more_run_than_there_are_slots(self):
        assert self.home.engine.peak <= self.slots
        assert self.home.gate.running <= self.slots

    @invariant()
    def every_accepted_turn_lives_or_has_ended(self):
        async def check() -> None:
            for turn in self.accepted.values():
                lives = self.home.chat.live(turn) is not None
                kept = await self.home.store.turn(turn)
                assert kept is not None
                assert lives or kept.finish_reason is not None

        self.run(check())

    def teardown(self) -> None:
        async def end() -> None:
            self.home.engine.release()
            for turn in self.accepted.values():
                if live := self.home.chat.live(turn):
                    await finish(live)
            await self.settle()
            assert (self.home.gate.waiting, self.home.gate.running) == (0, 0)
            for turn in self.accepted.values():
                kept = await self.home.store.turn(turn)
                assert kept is not None
                assert kept.finish_reason is not None
                if turn not in self.touched:
                    assert kept.finish_reason == "stop", kept
                if kept.finish_reason == "stop" and not kept.deleted and kept.prompt:
                    assert kept.reply == WHOLE
            await self.stack.aclose()

        try:
            self.run(end())
        finally:
            self.run(self.loop.shutdown_default_executor())
            self.loop.close()
            self.folder.cleanup()


class TwoSlots(ChatMachine):
    """The same with two answers at a time."""

    slots = 2


CALM = settings(
    max_examples=25,
    stateful_step_count=25,
    suppress_health_check=[HealthCheck.too_slow],
)
TestOneSlot = ChatMachine.TestCase
TestOneSlot.settings = CALM
TestTwoSlots = TwoSlots.TestCase
TestTwoSlots.settings = CALM
