"""The terminal as a front: lines become questions or commands, answers grow on the screen, Ctrl-C stops an answer."""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bots.control import NotRunning
from bots.terminal import Interrupted, Screen
from bots.wording import Say, Wording, queued, refused
from core.errors import ConchError, NotFound, Refused
from core.events import Delta, Finished, Queued
from core.messages import Persona, Turn

PREFIX = "console:"


class Answer(Protocol):
    """What a Reply shows of itself, here or at the other end of a socket."""

    @property
    def turn(self) -> Turn: ...

    def __aiter__(self) -> AsyncIterator[Queued | Delta | Finished]: ...

    async def cancel(self) -> None: ...


class Figures(Protocol):
    """What a Status tells."""

    @property
    def ready(self) -> bool: ...
    @property
    def paused(self) -> bool: ...
    @property
    def waiting(self) -> int: ...
    @property
    def running(self) -> int: ...
    @property
    def messages_left(self) -> int | None: ...
    @property
    def tokens_left(self) -> int | None: ...
    @property
    def persona(self) -> str: ...


class Talk(Protocol):
    """What of a Chat the terminal needs; a Chat has it, and so has the client of a running one."""

    async def send(self, conversation: str, user: str, event: str, text: str, *, language: str) -> Answer: ...
    async def regenerate(self, target: int, user: str, event: str, *, branch: bool) -> Answer: ...
    async def proceed(self, target: int, user: str, event: str) -> Answer: ...
    async def reply(self, target: int, user: str) -> Answer: ...
    async def undo(self, conversation: str, user: str) -> Turn | None: ...
    async def cancel(self, target: str, user: str) -> Turn | None: ...
    async def new(self, conversation: str, user: str) -> None: ...
    async def history(self, conversation: str, user: str) -> list[Turn]: ...
    async def persona(self, conversation: str, user: str, name: str | None = None) -> str: ...
    async def language(self, user: str, code: str | None = None) -> str | None: ...
    async def status(self, user: str, conversation: str | None = None) -> Figures: ...
    async def export(self, user: str) -> dict[str, Any]: ...
    async def forget(self, user: str) -> int: ...


@dataclass(frozen=True, slots=True)
class Options:
    """``user`` is the system user's name, ``conversation`` the name of the line of talk, ``language`` what is spoken
    until the person chooses; ``interactive``: a person sits there, who wants a prompt and a greeting."""

    user: str
    conversation: str
    language: str
    interactive: bool


class Console:
    """One person's talk at one terminal."""

    def __init__(
        self,
        talk: Talk,
        wording: Wording,
        personas: Mapping[str, Persona],
        screen: Screen,
        options: Options,
        *,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._talk, self._wording, self._personas, self._screen = talk, wording, personas, screen
        self._user = f"{PREFIX}{options.user}"
        self._key = f"{self._user}:{options.conversation}"
        self._name, self._interactive = options.conversation, options.interactive
        self._new_id = new_id
        self._language = options.language
        self._answer: Answer | None = None
        self._left_out = 0
        self._cut: int | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._commands: dict[str, Callable[[str], Awaitable[bool]]] = {
            "/new": self._new,
            "/reset": self._new,
            "/stop": self._stop,
            "/retry": self._retry,
            "/undo": self._undo,
            "/continue": self._continue,
            "/persona": self._persona,
            "/language": self._choose_language,
            "/status": self._status,
            "/export": self._export,
            "/forget": self._forget,
            "/help": self._help,
        }

    async def run(self, read: Callable[[str], Awaitable[str | None]]) -> int:
        """Takes lines from ``read(prompt)`` until it gives None. Returns the exit code: 0, or 1 where something that
        nobody sat there to see went wrong."""
        self._language = await self._talk.language(self._user) or self._language
        if self._interactive:
            self._screen.note(self._say("console-welcome"))
        good = await self._take_up()
        while True:
            try:
                line = await read(self._say("console-prompt") if self._interactive else "")
            except Interrupted:
                self._screen.note(self._say("console-how-to-leave"))
                continue
            if line is None:
                if self._interactive:
                    self._screen.note("")  # the terminal is left on a line of its own
                break
            if line.strip() == "/quit":
                break
            if line.strip() or self._cut is not None:
                good &= await self._obey(line.strip())
        return 0 if good or self._interactive else 1

    def interrupt(self) -> None:
        """Ctrl-C: the answer that is being shown stops. Returns at once."""
        if self._answer is not None and (self._stopping is None or self._stopping.done()):
            self._stopping = asyncio.ensure_future(self._answer.cancel())

    @property
    def _say(self) -> Say:
        return self._wording.bind(self._language)

    async def _obey(self, line: str) -> bool:
        """Carries out one line. False where it could not be done; where nobody sits there, what ended the running Conch
        is raised."""
        word, _, rest = line.partition(" ")
        command = self._commands.get(word.lower())
        try:
            if not await self._catch_up() or not line:
                return self._cut is None
            if command is not None:
                return await command(rest.strip())
            if line.startswith("/") and word[1:].isalpha():
                return self._fail("console-unknown-command", command=word)
            return await self._show(
                await self._talk.send(self._key, self._user, self._event(), line, language=self._language)
            )
        except Refused as refusal:
            self._screen.note(refused(self._say, refusal))
        except ConchError as error:
            if not self._interactive:
                raise
            self._screen.note(self._say("console-not-running") if isinstance(error, NotRunning) else str(error))
        return False

    async def _catch_up(self) -> bool:
        """Shows the answer that the end of a running Conch cut, and that its next start makes again. False where it was
        cut once more."""
        if self._cut is not None:
            answer, self._cut = await self._talk.reply(self._cut, self._user), None
            await self._show(answer)
        return self._cut is None

    async def _take_up(self) -> bool:
        """What this conversation was about, and the answer that is still to come in it; for a person its last answer,
        which may have come while nobody looked."""
        path = await self._path()
        if not path:
            return True
        if self._interactive:
            self._screen.note(self._say("console-going-on", name=self._name, count=sum(not t.deleted for t in path)))
        last = path[-1]
        if last.finish_reason is not None and (last.deleted or not self._interactive):
            return True
        self._screen.note(f"> {last.prompt}")
        return await self._show(await self._talk.reply(last.id, self._user))

    async def _show(self, answer: Answer) -> bool:
        """Shows an answer to its end. False unless the model had its say."""
        say, screen, self._answer = self._say, self._screen, answer
        end: Finished | None = None
        words = False
        try:
            screen.begin(say("thinking"))
            async for event in answer:
                match event:
                    case Queued():
                        screen.waiting(queued(say, event))
                    case Delta():
                        words = words or bool(event.text.strip())
                        screen.more(event.text)
                    case Finished():
                        end = event
        finally:
            self._answer = None
            screen.end()
        if self._stopping is not None:
            stopping, self._stopping = self._stopping, None
            await stopping
        if end is None and self._interactive:
            self._cut = answer.turn.id
            return self._fail("console-interrupted")
        if end is None:
            raise ConchError(say("interrupted"))
        return self._tell_end(end, answer.turn, words)

    def _tell_end(self, end: Finished, turn: Turn, words: bool) -> bool:
        say, screen = self._say, self._screen
        if turn.left_out > self._left_out:
            screen.note(say("left-out"))
        self._left_out = turn.left_out
        if end.reason == "length":
            screen.note(say("console-cut"))
        elif end.reason == "stop" and not words:
            screen.note(say("no-answer"))
        elif end.reason in ("abort", "error"):
            screen.note(say(end.cause or ("stopped" if end.reason == "abort" else "engine-failed")))
        return end.reason in ("stop", "length")

    def _fail(self, key: str, **values: object) -> bool:
        self._screen.note(self._say(key, **values))
        return False

    def _done(self, key: str, **values: object) -> bool:
        self._screen.note(self._say(key, **values))
        return True

    def _event(self) -> str:
        return f"{PREFIX}{self._new_id()}"

    async def _path(self) -> Sequence[Turn]:
        """The turns of this conversation, which may not exist yet."""
        try:
            return await self._talk.history(self._key, self._user)
        except Refused as refusal:
            if refusal.cause != NotFound.cause:
                raise
            return []

    async def _newest(self) -> Turn | None:
        return next((turn for turn in reversed(await self._path()) if not turn.deleted), None)

    # Commands. Each gets what follows its word and returns whether it could be done.

    async def _new(self, rest: str) -> bool:
        await self._talk.new(self._key, self._user)
        self._left_out = 0
        return self._done("new-done")

    async def _stop(self, rest: str) -> bool:
        stopped = await self._talk.cancel(self._key, self._user)
        return self._done("stopped" if stopped else "nothing-to-stop")

    async def _retry(self, rest: str) -> bool:
        turn = await self._newest()
        if turn is None:
            return self._fail("nothing-to-retry")
        return await self._show(await self._talk.regenerate(turn.id, self._user, self._event(), branch=True))

    async def _continue(self, rest: str) -> bool:
        turn = await self._newest()
        if turn is None:
            return self._fail("nothing-to-continue")
        return await self._show(await self._talk.proceed(turn.id, self._user, self._event()))

    async def _undo(self, rest: str) -> bool:
        turn = await self._talk.undo(self._key, self._user)
        if turn is None:
            return self._fail("nothing-to-undo")
        return self._done("undo-done", text=turn.prompt)

    async def _persona(self, rest: str) -> bool:
        if not rest:
            now = await self._talk.persona(self._key, self._user)
            self._screen.note(self._say("persona-now", name=self._title(now)))
            for name in self._personas:
                self._screen.note(f"  /persona {name} – {self._title(name)}")
            return True
        if rest not in self._personas:
            return self._fail("persona-unknown", names=", ".join(self._personas))
        await self._talk.persona(self._key, self._user, rest)
        return self._done("persona-set", name=self._title(rest))

    async def _choose_language(self, rest: str) -> bool:
        names = {code: self._wording(code, "language-name") for code in self._wording.languages}
        if not rest:
            self._screen.note(self._say("language-now"))
            for code, name in names.items():
                self._screen.note(f"  /language {code} – {name}")
            return True
        chosen = next((code for code, name in names.items() if rest.casefold() in (code, name.casefold())), None)
        if chosen is None:
            return self._fail("language-unknown", names=", ".join(names))
        await self._talk.language(self._user, chosen)
        self._language = chosen
        return self._done("language-set")

    async def _status(self, rest: str) -> bool:
        now, say = await self._talk.status(self._user, self._key), self._say
        lines = [
            say("console-ready") if now.ready and not now.paused else say("paused" if now.ready else "loading"),
            say("status-line", running=now.running, waiting=now.waiting),
            say("status-persona", name=self._title(now.persona)),
        ]
        if now.messages_left is not None:
            lines.append(say("status-messages", left=now.messages_left))
        if now.tokens_left is not None:
            lines.append(say("status-tokens", left=now.tokens_left))
        self._screen.note("\n".join(lines))
        return True

    async def _export(self, rest: str) -> bool:
        """Writes to a file of its own; one that is there already is not touched."""
        file = rest or "conch-export.json"
        text = json.dumps(await self._talk.export(self._user), ensure_ascii=False, indent=2)
        try:
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
                out.write(text + "\n")
        except OSError as error:
            return self._fail("console-export-failed", file=file, why=error.strerror or str(error))
        return self._done("console-exported", file=file)

    async def _forget(self, rest: str) -> bool:
        if rest.casefold() not in ("yes", self._say("button-yes").casefold()):
            return self._fail("console-forget-sure", word=self._say("button-yes").casefold())
        return self._done("forget-done", count=await self._talk.forget(self._user))

    async def _help(self, rest: str) -> bool:
        return self._done("console-help")

    def _title(self, name: str) -> str:
        persona = self._personas.get(name)
        return persona.title.get(self._language) or persona.title.get("en") or name if persona else name
