"""Honest words for what is refused, once per cause and person, and codes for strangers."""

from __future__ import annotations

from bots.talk.commands import Outcome
from bots.talk.notices import AGAIN_SECONDS, Notices
from bots.talk.wording import refused
from bots.telegram.speakers import Screen, Speaker
from core.chat.chat import Chat
from core.errors import NotAllowed, Refused, StoreFull

DAY = 86_400.0


class Refusals:
    """What one bot has told whom."""

    def __init__(self, chat: Chat, screen: Screen) -> None:
        self._chat, self._screen = chat, screen
        self._notices = Notices()

    def over(self, speaker: Speaker) -> None:
        """Something of theirs was accepted: the next refusal is news."""
        self._notices.over(speaker.name)

    def notice(self, speaker: Speaker, cause: str, seconds: float = AGAIN_SECONDS, **values: object) -> None:
        """A sentence, if it was not told within so many seconds."""
        if self._notices.due(speaker.name, cause, seconds):
            self._screen.tell(speaker, Outcome(speaker.say(cause, **values), done=False))

    async def refuse(self, speaker: Speaker, refusal: Refused) -> None:
        """Tell why; one who has to wait hears it again when the time has come and they still have to."""
        if isinstance(refusal, NotAllowed):
            await self.refuse_stranger(speaker)
            return
        seconds = refusal.details.get("seconds")
        if self._notices.due(speaker.name, refusal.cause, AGAIN_SECONDS if seconds is None else float(seconds)):
            self._screen.tell(speaker, Outcome(refused(speaker.say, refusal), done=False))

    async def refuse_stranger(self, speaker: Speaker) -> None:
        """Who is blocked hears so; who is unknown gets a code for the owner, in a group one for all of it."""
        if self._chat.shut_out(speaker.name, *speaker.places):
            self.notice(speaker, NotAllowed.cause, DAY)
            return
        who, key = (speaker.places[0], "admit-group") if speaker.places else (speaker.name, "admit-code")
        try:
            code = await self._chat.ask_admission(who)
        except StoreFull as refusal:
            await self.refuse(speaker, refusal)
            return
        if self._notices.due(who, key):
            self._screen.tell(speaker, Outcome(speaker.say(key, code=code), done=False))
