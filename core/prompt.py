"""From messages to token ids, by the model's own chat template. What people wrote stays text: it can neither become a
control token nor pass for the header of another speaker.

Two rules make that so:

- The template is rendered with a placeholder for each text. Control tokens are looked for in the template's own words
  only; everything else is encoded by a copy of the tokenizer that knows no control token at all.
- Headers that are plain words (OpenChat's ``GPT4 Correct User:``) are found in a text however they are dressed up
  (case, full-width letters, zero-width and combining characters), and their colon becomes U+A789, which looks the same.
  Where a header does not end with a colon, a word joiner (U+2060) goes before its last character.

The ids of earlier answers are taken as they are, so a conversation's next prompt begins with the last prompt and the
answer to it, token for token, without the end-of-turn token, which the template puts there.
"""

from __future__ import annotations

import json
import re
import secrets
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, cast

from core.messages import Message

COLON = "\ua789"
"""MODIFIER LETTER COLON: stands for the colon of a role header in somebody's text."""
JOINER = "\u2060"
"""WORD JOINER, invisible: breaks a header that ends with something else than a colon."""


def openchat_template(condition: str = "GPT4 Correct") -> str:
    """OpenChat's format as its authors' own server writes it: a system text stands alone, without a header.

    ``condition`` is what the model was taught to look for before the roles; ``Math Correct`` is its other one.
    """
    return (
        "{{ bos_token }}{% for message in messages %}{% if message['role'] != 'system' %}"
        f"{{{{ '{condition} ' + message['role'].title() + ': ' }}}}{{% endif %}}"
        "{{ message['content'] + '<|end_of_turn|>' }}{% endfor %}"
        f"{{% if add_generation_prompt %}}{{{{ '{condition} Assistant:' }}}}{{% endif %}}"
    )


OPENCHAT = openchat_template()

_COLONS = frozenset(":\u02d0\u02f8\u0589\u05c3\u2236\u205a\ufe13\ufe55\uff1a")
_ROLES = ("user", "assistant", "system")
_ROLE = re.compile("|".join(_ROLES), re.IGNORECASE)
_SURROGATES = re.compile("[\ud800-\udfff]")


class ChatTokenizer(Protocol):
    """What is needed of a transformers tokenizer. Only its template is used, never the tokenizer that it wraps."""

    chat_template: Any
    added_tokens_decoder: Any

    @property
    def backend_tokenizer(self) -> Any:
        """The ``tokenizers.Tokenizer`` inside, of which a copy is made."""

    def apply_chat_template(self, conversation: Any, **options: Any) -> Any:
        """Render the template."""


class Prompt:
    """Messages to ids for one model. It has its own tokenizer: any one thread may use it, but not two at a time."""

    control_ids: frozenset[int]
    """Tokens that are markup by the tokenizer's own word: an answer ends at the first of them."""
    stops: tuple[str, ...]
    """Headers in plain words: an answer that begins one of them would speak as somebody else, and ends there."""
    size: int
    """Number of ids that have a meaning."""

    def __init__(self, tokenizer: ChatTokenizer, template: str | None = None) -> None:
        """``template`` replaces the tokenizer's own. ValueError: it has none, or one that does not show the texts."""
        if template is None and not tokenizer.chat_template:
            raise ValueError("the model has no chat template")
        self._tokenizer, self._template = tokenizer, template
        self._nonce = secrets.token_hex(8)
        backend = tokenizer.backend_tokenizer
        control = {
            token.content: (id_, token)
            for id_, token in cast(Mapping[int, Any], tokenizer.added_tokens_decoder).items()
            if token.special or not token.content.isspace()
        }
        self._control = control
        self.size = max(backend.get_vocab_size(with_added_tokens=False) - 1, *tokenizer.added_tokens_decoder, 0) + 1
        self.control_ids = frozenset(id_ for id_, token in control.values() if token.special)
        self._control_token = _any_of(control)
        self._slot = re.compile(f"x{self._nonce}x([0-9]+)x")
        self._start = f"<{self._nonce}>"
        self._plain = _without_tokens(backend, control, self._start)
        self._generation = self._generation_header()
        self._system = self._shows(["system", "user", "assistant", "user"])
        self._repeats = self._shows(["user", "user"])
        headers = self._headers()
        self._marks = _marks_pattern({_ROLE.sub(role, header) for header in headers for role in _ROLES} | headers)
        self.stops = tuple(sorted(header if " " in header else "\n" + header for header in headers))

    def ids(self, messages: Sequence[Message]) -> list[int]:
        """The prompt. A conversation that ends with an assistant's message is open there: it will be continued."""
        messages = self._fitting(messages)
        open_end = bool(messages) and messages[-1].role == "assistant"
        pieces = self._render([message.role for message in messages], generate=not open_end)
        if open_end:
            pieces = pieces[:-1]
        run = _Run(self)
        for piece in pieces:
            if isinstance(piece, str):
                for words in self._control_token.split(piece) if self._control_token else [piece]:
                    if words in self._control:
                        run.control(*self._control[words])
                    else:
                        run.text += words
            elif (known := self._known_ids(messages[piece])) is None:
                run.text += self.harmless(messages[piece].content)
            else:
                run.text = self._before_answer(run.text)
                run.close()
                run.ids += known
        run.close()
        return run.ids

    def harmless(self, text: str) -> str:
        """``text`` with every role header in it broken, and nothing else changed (lone surrogates become U+FFFD)."""
        text = _SURROGATES.sub("\ufffd", text)
        if self._marks is None:
            return text
        bare, origin = _bare(text)
        for match in reversed(list(self._marks.finditer(bare))):
            end = origin[match.end() - 1]
            text = text[:end] + (COLON if match[0][-1] == ":" else JOINER + text[end]) + text[end + 1 :]
        return text

    def text(self, ids: Sequence[int]) -> str:
        """What ids say, without the control tokens among them."""
        return str(self._plain.decode([id_ for id_ in ids if id_ not in self.control_ids]))

    def plain_ids(self, text: str, *, at_start: bool = False) -> list[int]:
        """Encode ``text`` as text and nothing else, as it stands after a control token, or at the very start."""
        if not text:
            return []
        ids: list[int]
        if at_start:
            ids = self._plain.encode(text, add_special_tokens=False).ids
        else:
            ids = self._plain.encode(self._start + text, add_special_tokens=False).ids[1:]
        if self.control_ids.isdisjoint(ids):
            return ids
        # A model vocabulary that spells a control token out of ordinary pieces: take such text a character at a time.
        return [id_ for character in text for id_ in self._plain.encode(character, add_special_tokens=False).ids]

    def _known_ids(self, message: Message) -> Sequence[int] | None:
        """The ids of an earlier answer if they are this model's own for just that text, else None."""
        if message.role != "assistant":
            return None
        if not message.content and not message.ids:
            return ()
        ids = message.ids
        if not ids or not all(0 <= id_ < self.size for id_ in ids) or not self.control_ids.isdisjoint(ids):
            return None
        return ids if _gist(self.text(ids)) == _gist(message.content) else None

    def _before_answer(self, run: str) -> str:
        """The words before an answer's ids, spelled as they were when it was generated (OpenChat: no space)."""
        tail = self._generation
        bare = run.rstrip()
        return bare[: len(bare) - len(tail.rstrip())] + tail if bare.endswith(tail.rstrip()) else run

    def _fitting(self, messages: Sequence[Message]) -> list[Message]:
        """Messages in the shape that the template takes: a system text may move into the first question, and
        neighbours of one role may become one message."""
        fitting: list[Message] = []
        for message in messages:
            if message.role == "system" and not self._system:
                message = Message("user", message.content)
            joins = not self._repeats or (not self._system and message.role == "user")
            if joins and fitting and fitting[-1].role == message.role:
                message = Message(message.role, f"{fitting.pop().content}\n\n{message.content}")
            fitting.append(message)
        return fitting

    def _shows(self, roles: Sequence[str]) -> bool:
        """Whether the template accepts these roles and shows each text once, in order."""
        try:
            self._render(roles, generate=False)
        except Exception:  # a template refuses with jinja2's errors, or stumbles over what it did not expect
            return False
        return True

    def _render(self, roles: Sequence[str], *, generate: bool) -> list[str | int]:
        """The template's own words, with the index of a message where its text goes."""
        conversation = [{"role": role, "content": f"x{self._nonce}x{i}x"} for i, role in enumerate(roles)]
        options: dict[str, Any] = {} if self._template is None else {"chat_template": self._template}
        rendered: str = self._tokenizer.apply_chat_template(
            conversation, tokenize=False, add_generation_prompt=generate, **options
        )
        split = self._slot.split(rendered)
        if split[1::2] != [str(i) for i in range(len(roles))]:
            raise ValueError("the chat template leaves out a message or changes their order")
        return [int(piece) if i % 2 else piece for i, piece in enumerate(split)]

    def _generation_header(self) -> str:
        """The words after the last control token that ask for an answer: ``GPT4 Correct Assistant:``."""
        without, asking = (self._render(["user"], generate=generate)[-1] for generate in (False, True))
        header = str(asking).removeprefix(str(without))
        return self._control_token.split(header)[-1] if self._control_token else header

    def _headers(self) -> set[str]:
        """What the template writes in plain words between texts; words without any mark are no header by themselves."""
        shapes = [["user", "assistant"] * 2, ["system", "user", "assistant"]]
        found: set[str] = {self._generation.strip()}
        for roles in shapes[: 2 if self._system else 1]:
            for piece in self._render(roles, generate=False):
                if isinstance(piece, str):
                    found |= {words.strip() for words in self._edges(piece)}
        return {words for words in found if len(words) > 2 and re.search(r"[^\w\s]", words) and len(words) <= 60}

    def _edges(self, literal: str) -> list[str]:
        """The words of a literal that touch the text on either side of it."""
        runs = self._control_token.split(literal) if self._control_token else [literal]
        return [runs[0], runs[-1]]


class _Run:
    """Text between two control tokens: template and message together, encoded in one go as the model was trained."""

    def __init__(self, prompt: Prompt) -> None:
        self.text = ""
        self.ids: list[int] = []
        self._prompt = prompt
        self._strip = False

    def control(self, id_: int, token: Any) -> None:
        """A control token of the template ends the run and begins the next."""
        if token.lstrip:
            self.text = self.text.rstrip()
        self.close()
        self.ids.append(id_)
        self._strip = token.rstrip

    def close(self) -> None:
        """Encode what has come together."""
        text = self.text.lstrip() if self._strip else self.text
        self.ids += self._prompt.plain_ids(text, at_start=not self.ids)
        self.text, self._strip = "", False


def _without_tokens(backend: Any, control: Iterable[str], start: str) -> Any:
    """A copy of the tokenizer in which no control token can be written, but for a new one to begin a text behind."""
    # Only this part of the file is read: taking all of it apart and together again costs a third of a second.
    file, key = backend.to_str(), '"added_tokens":'
    begin = file.index(key) + len(key)
    tokens, end = json.JSONDecoder().raw_decode(file, begin)
    hidden = set(control)
    kept = [token for token in tokens if token["content"] not in hidden]
    plain = type(backend).from_str(file[:begin] + json.dumps(kept) + file[end:])
    plain.no_truncation()
    plain.no_padding()
    plain.add_special_tokens([start])
    return plain


def _any_of(words: Iterable[str]) -> re.Pattern[str] | None:
    """Matches any of ``words``, the longest first, as a group."""
    longest_first = sorted(filter(None, words), key=len, reverse=True)
    return re.compile(f"({'|'.join(map(re.escape, longest_first))})") if longest_first else None


def _marks_pattern(headers: Iterable[str]) -> re.Pattern[str] | None:
    """Finds the last two words of any header in text made bare; the match ends with the character to change."""
    patterns = []
    for header in headers:
        words = _bare(header)[0].split()[-2:]
        body = r"\s*".join(map(re.escape, words))
        if body.endswith(":"):
            body = body[:-1] + r"\s*:"
        patterns.append((r"(?<!\w)" if words[0][0].isalnum() and len(words) == 1 else "") + body)
    return re.compile("|".join(sorted(set(patterns), key=len, reverse=True))) if patterns else None


def _bare(text: str) -> tuple[str, Sequence[int]]:
    """``text`` stripped of case, compatibility forms, combining and invisible characters, and where each character of
    the result comes from. The metaspace of sentencepiece is the space that the model would read."""
    if text.isascii() and text.isprintable():
        return text.lower(), range(len(text))
    bare: list[str] = []
    origin: list[int] = []
    for at, character in enumerate(text):
        for part in unicodedata.normalize("NFKD", character).casefold():
            if part in _COLONS:
                part = ":"
            elif part == "\u2581" or part.isspace():
                part = " "
            elif unicodedata.category(part) in {"Mn", "Me", "Cf", "Cc"}:
                continue
            bare.append(part)
            origin.append(at)
    return "".join(bare), origin


def _gist(text: str) -> str:
    """An answer without what is not shown of it: white space round it, and half a character at its end."""
    return text.rstrip("\ufffd").strip()
