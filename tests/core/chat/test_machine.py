"""The chat as a state machine: whatever people do in whatever order, every question comes to exactly one end, is shown
in messages of its own, and says nothing private to others."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, precondition, rule

from core.chat.chat import Options
from core.errors import NotFound, NothingToContinue, NotYours, QueueFull, ShuttingDown, StillAnswering
from core.messages import Question, Revision, Turn
from tests.support.examples import examples
from tests.support.stepped_engine import SteppedEngine
from tests.support.whole_core import House, finish, house

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
        self.events = self.messages = 0
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
            except (QueueFull, StillAnswering, NothingToContinue, NotFound, NotYours, ShuttingDown):
                reply = None
            if reply is None:
                assert await self.home.store.find(event) is None
                return multiple()
            assert all(before[key].id == number for key, number in self.accepted.items())
            if reply.turn.id in self.accepted.values():
                return multiple()
            self.accepted[event] = reply.turn.id
            self.order[reply.turn.conversation].append(reply.turn.id)
            if not reply.turn.refs:
                self.messages += 1
                await reply.placed(0, f"message {self.messages}")
            return reply.turn.id

        return self.run(call())

    def owner(self, turn: int) -> str:
        return self.run(self.home.store.turn(turn)).user

    def question(self, key: str, event: str, *, public: bool = False, parent: int | None = None) -> Any:
        """A question in words that say whose it is, and whether others may read it."""
        text = f"{key} {'public' if public else 'private'} {event}"
        scope = "room" if public else ""
        return self.home.chat.send(
            Question(
                key, key.rpartition(":")[0], event, text, place="screen", scope=scope, parent=parent, language="en"
            )
        )

    @rule(target=turns, key=st.sampled_from(CONVERSATIONS), public=st.booleans())
    def send(self, key, public):
        event = self.event()
        return self.accept(self.question(key, event, public=public), event)

    @rule(target=turns, key=st.sampled_from(CONVERSATIONS), parent=turns, public=st.booleans())
    def answer_to(self, key, parent, public):
        event = self.event()
        return self.accept(self.question(key, event, public=public, parent=parent), event)

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def replay(self, data):
        event = data.draw(st.sampled_from(sorted(self.accepted)))
        turn = self.run(self.home.store.find(event))
        reply = self.run(
            self.home.chat.send(Question(turn.conversation or "web:x", turn.user or "web:x", event, "again"))
        )
        assert reply.turn.id == self.accepted[event]

    @rule(target=turns, key=st.sampled_from(CONVERSATIONS))
    def send_and_go_away(self, key):
        event = self.event()

        async def call() -> Any:
            task = asyncio.create_task(self.question(key, event))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task})
            return await self.question(key, event)

        return self.accept(call(), event)

    @rule(target=turns, turn=turns, branch=st.booleans(), take_over=st.booleans())
    def regenerate(self, turn, branch, take_over):
        event = self.event()
        pressed = self.home.chat.regenerate(Revision(turn, self.owner(turn), event, branch=branch, take_over=take_over))
        return self.accept(pressed, event)

    def edited(self, turn: int, target: Any, branch: bool) -> Any:
        """Edit ``turn``, which ``target`` names; what was answered in its messages before ends."""
        old, event = self.run(self.home.store.turn(turn)), self.event()
        self.touched.add(turn)
        public = "public" if old.scope else "private"
        work = self.home.chat.edit(
            Revision(target, old.user, event, f"{old.conversation} {public} {event}", branch=branch)
        )
        return self.accept(work, event)

    @rule(target=turns, turn=turns, branch=st.booleans())
    def edit(self, turn, branch):
        return self.edited(turn, turn, branch)

    @precondition(lambda self: self.accepted)
    @rule(target=turns, data=st.data())
    def edit_by_its_event(self, data):
        event = data.draw(st.sampled_from(sorted(self.accepted)))
        named = self.run(self.home.chat.turn(event))
        return self.edited(named.id, event, False)

    @rule(target=turns, turn=turns)
    def proceed(self, turn):
        event = self.event()
        return self.accept(self.home.chat.proceed(Revision(turn, self.owner(turn), event)), event)

    @rule(turn=turns)
    def stop(self, turn):
        self.touched.add(turn)
        self.run(self.home.chat.cancel(turn, self.owner(turn)))
        assert self.home.chat.live(turn) is None

    @rule(turn=turns)
    def delete(self, turn):
        self.run(self.home.chat.delete(turn, self.owner(turn)))
        assert turn in self.gone()

    def gone(self) -> set[int]:
        """The turns that were deleted: their ends are nobody's business any more."""
        gone = {number for number in self.accepted.values() if self.run(self.home.store.turn(number)).deleted}
        self.touched |= gone
        return gone

    @rule(user=st.sampled_from(PEOPLE))
    def forget(self, user):
        mine = {number for number in self.accepted.values() if self.owner(number) == user}
        self.run(self.home.chat.forget(user))
        assert mine <= self.gone()
        assert not any(self.home.chat.live(turn) for turn in mine)
        assert user not in str(self.run(self.home.store.export(""))["conversations"])

    @rule(key=st.sampled_from(CONVERSATIONS))
    def remove(self, key):
        try:
            self.run(self.home.chat.remove(key, key.rpartition(":")[0]))
        except NotFound:
            return
        self.gone()
        assert not any(self.home.chat.live(turn) for turn in self.order[key])

    @rule(key=st.sampled_from(CONVERSATIONS))
    def stop_all(self, key):
        self.touched.update(self.order[key])
        self.run(self.home.chat.cancel(key, key.rpartition(":")[0]))
        assert not any(self.home.chat.live(turn) for turn in self.order[key])

    @rule(key=st.sampled_from(CONVERSATIONS))
    def undo(self, key):
        undone = self.run(self.home.chat.undo(key, key.rpartition(":")[0]))
        if undone is not None:
            assert undone.conversation == key
            assert undone.asks or undone.parent is None
            self.touched.add(undone.id)

    @rule(key=st.sampled_from(CONVERSATIONS))
    def new(self, key):
        self.touched.update(self.order[key])
        self.run(self.home.chat.new(key, key.rpartition(":")[0]))
        assert self.history(key) == []
        assert not any(self.home.chat.live(turn) for turn in self.order[key])

    def history(self, key: str) -> list[Turn]:
        try:
            return self.run(self.home.chat.history(key, key.rpartition(":")[0]))
        except NotFound:
            return []

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
    def one_conversation_runs_one_turn(self):
        keys = [self.questions(number)[-1][0] for number in self.home.engine.running]
        assert len(keys) == len(set(keys))

    def questions(self, number: int) -> list[list[str]]:
        """The words of the questions that the engine saw in one request: whose, public or private, by which event."""
        return [message.content.split() for message in self.home.engine.asked[number] if message.role == "user"]

    @invariant()
    def nothing_private_is_said_to_others(self):
        for number in range(len(self.home.engine.asked)):
            questions = self.questions(number)
            assert all(whose == questions[-1][0] or how == "public" for whose, how, _ in questions)
        for key in CONVERSATIONS:
            for turn in self.history(key):
                assert turn.conversation == key or turn.scope or turn.deleted, turn

    @invariant()
    def a_message_is_one_answers(self):
        async def refs() -> list[str]:
            kept = [await self.home.store.turn(turn) for turn in self.accepted.values()]
            return [ref for turn in kept if turn is not None for ref in turn.refs]

        if self.accepted:
            found = self.run(refs())
            assert len(found) == len(set(found))

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


CALM = settings(max_examples=examples(25), stateful_step_count=25)
TestOneSlot = ChatMachine.TestCase
TestOneSlot.settings = CALM
TestTwoSlots = TwoSlots.TestCase
TestTwoSlots.settings = CALM
