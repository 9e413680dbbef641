"""The terminal as a front: lines become questions or commands, answers grow on the screen, Ctrl-C stops an answer."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from bots.talk import commands
from bots.talk.commands import Answer, NotRunning, Talk
from bots.talk.wording import Say, Wording, ended, queued, refused
from bots.terminal.keyboard import Interrupted, Screen
from core.errors import ConchError, NotFound, Refused
from core.events import Delta, Finished, Queued
from core.messages import Persona, Question, Turn

PREFIX = "console:"


@dataclass(frozen=True, slots=True)
class Options:
    """``user`` is the system user's name, ``conversation`` the name of the line of talk, ``language`` what is spoken
    until the person chooses; ``interactive``: a person sits there, who wants a prompt and a greeting;
    ``retention_days`` as in the store."""

    user: str
    conversation: str
    language: str
    interactive: bool
    retention_days: int = 0


class Console:
    """One person's talk at one terminal."""

    def __init__(
        self,
        talk: Talk[Answer],
        wording: Wording,
        personas: Mapping[str, Persona],
        screen: Screen,
        options: Options,
        *,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._talk, self._wording, self._screen = talk, wording, screen
        self._user = f"{PREFIX}{options.user}"
        self._key = f"{self._user}:{options.conversation}"
        self._name, self._interactive = options.conversation, options.interactive
        self._new_id = new_id
        self._language = options.language
        self._answer: Answer | None = None
        self._left_out = 0
        self._cut: int | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._commands = commands.Commands[Answer](
            talk,
            wording,
            personas,
            commands.CommandOptions("console", help=("console-help",), retention_days=options.retention_days),
        )

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
        name = word[1:].lower()
        try:
            if not await self._catch_up() or not line:
                return self._cut is None
            if line.startswith("/") and name in self._commands:
                return await self._command(name, rest.strip())
            if line.startswith("/") and name.isalpha():
                return self._fail("unknown-command", command=word)
            question = Question(self._key, self._user, self._event(), line, language=self._language)
            return await self._show(await self._talk.send(question))
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

    async def _command(self, name: str, rest: str) -> bool:
        """Gives a command and shows what comes of it. An export goes to the file that is named behind the command."""
        asker = commands.Asker(self._user, self._key, self._language, self._event())
        outcome = await self._commands.obey(name, "" if name == "export" else rest, asker)
        if outcome.reply is not None:
            return await self._show(outcome.reply)
        if outcome.text:
            self._screen.note(outcome.text)
        for choice in outcome.choices:
            self._screen.note(f"  /{choice.command} {choice.argument} – {choice.label}")
        if outcome.file is not None:
            return self._write(rest or outcome.file.name, outcome.file.data)
        if name in ("new", "reset"):
            self._left_out = 0
        if name == "language":
            self._language = await self._talk.language(self._user) or self._language
        return outcome.done

    def _write(self, file: str, data: bytes) -> bool:
        """To a file of its own; one that is there already is not touched."""
        try:
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                out.write(data)
        except OSError as error:
            why = error.strerror or str(error)
            self._screen.note(self._say("console-export-failed", file=file, why=why))
            return False
        self._screen.note(self._say("console-exported", file=file))
        return True

    async def _take_up(self) -> bool:
        """What this conversation was about, and the answer that is still to come in it; for a person its last answer,
        which may have come while nobody looked."""
        path = await self._path()
        if not path:
            return True
        if self._interactive:
            self._screen.note(self._say("console-going-on", name=self._name, count=sum(t.asks for t in path)))
        last = path[-1]
        if last.finish_reason is not None and (last.deleted or not self._interactive):
            return True
        asked = max((place for place, turn in enumerate(path) if turn.asks), default=0)
        self._screen.note(f"> {path[asked].prompt}")
        good = True
        for turn in filter(lambda turn: not turn.deleted, path[asked:]):  # what lengthens the answer is part of it
            good = await self._show(await self._talk.reply(turn.id, self._user))
        return good

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
            screen.note(ended(say, end, turn))
        return end.reason in ("stop", "length")

    def _fail(self, key: str, **values: object) -> bool:
        self._screen.note(self._say(key, **values))
        return False

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
