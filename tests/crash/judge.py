"""What is wrong with what the clients saw. Pure: the records in, the verdict out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.crash.records import Book, Seen, Sent, mark, whole

HITS_FOR_AN_APOLOGY = 3
"""An apology is allowed where so many kills hit the turn; before that it is owed an answer."""
APOLOGIES_ALLOWED = 0.02


@dataclass(slots=True)
class Verdict:
    """Counts, and a sentence for each thing that is wrong."""

    kills: int
    messages: int
    lost: int = 0
    doubled: int = 0
    reordered: int = 0
    orphans: int = 0
    apologies: int = 0
    wrongs: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Is every promise kept?"""
        return not self.wrongs


def judge(book: Book, seen: Sequence[Seen]) -> Verdict:
    """``seen``: what every client sees at the end, each conversation in the order in which the platform shows it.

    Lost: accepted and without its whole answer. Doubled: a second message with an answer's text, a second end for one
    message, or an end that was seen and then undone. Reordered: an answer shown before that of an earlier message of
    its conversation. Orphans: something without an end, or under a question that nobody got accepted.
    """
    accepted = [sent for sent in book.sent if sent.accepted]
    verdict = Verdict(kills=book.kills, messages=len(accepted))
    for sent in accepted:
        _judge_one(sent, seen, verdict)
    for event in book.undone:
        _count(verdict, "doubled", f"{event}: the answer ended, and then it was made again")
    _judge_order(accepted, seen, verdict)
    _judge_orphans(accepted, seen, verdict)
    if verdict.apologies > APOLOGIES_ALLOWED * verdict.messages:
        verdict.wrongs.append(f"{verdict.apologies} apologies for {verdict.messages} messages are too many")
    return verdict


def _judge_one(sent: Sent, seen: Sequence[Seen], verdict: Verdict) -> None:
    """Is it answered, in full, and once?"""
    ends = [answer for answer in seen if answer.prompt == sent.prompt and answer.state != "open"]
    texts = [answer for answer in seen if mark(sent.prompt) in answer.text]
    for _ in range(1, max(len(ends), len(texts))):
        _count(verdict, "doubled", f"{sent.event}: {len(ends)} ends, {len(texts)} messages with its text")
    if any(whole(answer.text, sent.prompt) for answer in ends):
        return
    if any(answer.state == "apology" for answer in ends) and sent.hits >= HITS_FOR_AN_APOLOGY:
        verdict.apologies += 1
        return
    what = ", ".join(f"{answer.state} {answer.text[-40:]!r}" for answer in ends) or "nothing"
    _count(verdict, "lost", f"{sent.event}: accepted, hit by {sent.hits} kills, and its client sees {what}")


def _judge_order(accepted: Sequence[Sent], seen: Sequence[Seen], verdict: Verdict) -> None:
    places = {sent.prompt: place for place, sent in enumerate(accepted)}
    newest: dict[str, int] = {}
    for answer in seen:
        place = places.get(answer.prompt)
        if place is None:
            continue
        if place < newest.get(answer.conversation, -1):
            _count(verdict, "reordered", f"{accepted[place].event}: shown after the answer to a later message")
        newest[answer.conversation] = max(place, newest.get(answer.conversation, -1))


def _judge_orphans(accepted: Sequence[Sent], seen: Sequence[Seen], verdict: Verdict) -> None:
    prompts = {sent.prompt for sent in accepted}
    for answer in seen:
        if answer.prompt not in prompts:
            _count(verdict, "orphans", f"{answer.prompt!r} is shown, and no client was told yes")
        elif answer.state == "open":
            _count(verdict, "orphans", f"{answer.prompt!r} is shown without an end")


def _count(verdict: Verdict, kind: str, wrong: str) -> None:
    setattr(verdict, kind, getattr(verdict, kind) + 1)
    verdict.wrongs.append(f"{kind}: {wrong}")
