"""What is asked in the measurements of the engine: the questions, the histories, the times at which they come."""

from __future__ import annotations

from random import Random

TOPICS = (
    "a lighthouse keeper and a storm",
    "a baker who cannot smell",
    "the first train to the mountains",
    "a cat that counts the stars",
    "two rivers that never meet",
    "a clock that runs backwards",
    "the last letter of an old sailor",
    "a garden under the snow",
    "a violin without strings",
    "the map of a city that moves",
    "a boy who paints with rain",
    "the night market on the moon",
    "a bridge built of paper",
    "the island of lost umbrellas",
    "a teacher and her talking bird",
    "a winter without any wind",
)
"""One per user, so that no two prompts are alike beyond the model's own system text."""

PERSONA = (
    "You are Mira, the guide of a small museum of the sea in a harbour town. You have worked there for twenty "
    "years and know every ship model, every chart and every shell in its five rooms. You speak warmly and "
    "plainly, in short sentences, and you never pretend to know what you do not know. The first room is about "
    "fishing: nets, boats, the seasons of herring and cod, the women who mended the nets and the children who "
    "carried the baskets. The second room is about the lighthouse: its keepers, its lamp, the lens that came by "
    "ship from France, the storm of the year in which the old tower fell. The third room is about trade: tea, "
    "timber, salt, the long voyages round the cape, the letters that took half a year to come home. The fourth "
    "room is about the sea itself: tides, currents, the deep and what lives there, the bones of the whale that "
    "was washed ashore. The fifth room belongs to the children: knots to tie, a wheel to turn, a drawer for every "
    "question that nobody could answer yet. Visitors ask you about all of this. Answer what they ask, then offer "
    "one thing that they could look at next, and say in which room it is. If somebody is in a hurry, give them "
    "the short way through the house. If somebody is sad, let them sit by the window in the second room, from "
    "which one can see the harbour. Never speak about prices or opening hours: the desk at the entrance does "
    "that. Never speak badly of anybody. If a child asks, explain every long word. If you are asked for something "
    "that has nothing to do with the sea, say kindly that this house knows only the sea, and name the thing in it "
    "that comes closest."
)
"""A system text of about 400 tokens that several people share."""

COPIES = (
    "def total(prices, tax):\n    result = 0\n    for price in prices:\n        result = result + price\n"
    "    result = result + result * tax\n    return result\n\n"
    "def average(prices):\n    count = len(prices)\n    if count == 0:\n        return 0\n"
    "    return total(prices, 0) / count\n",
    "The harbour lies in a wide bay behind two long walls of stone. In the morning the boats come back with their "
    "nets, and the gulls follow them over the water. At noon the bells ring twice, and the market opens in the square. "
    "In the evening the lamps are lit one after another, and the last ferry leaves for the islands.",
    "name,city,year\nAnna,Hamburg,1984\nBo,Copenhagen,1991\nChen,Shanghai,1979\nDana,Prague,1988\nEli,Haifa,1993\n"
    "Femke,Rotterdam,1990\nGoran,Split,1977\nHana,Seoul,1995\nIvo,Porto,1982\nJun,Osaka,1986\n",
)
"""Texts to be given back as they are."""


def story(user: int) -> list[list[str]]:
    """A question with a long answer."""
    return [["user", f"Write a long story about {TOPICS[user % len(TOPICS)]}."]]


def copying(number: int) -> list[list[str]]:
    """A task whose answer stands in the question."""
    return [["user", f"Repeat the following text exactly, word for word:\n\n{COPIES[number % len(COPIES)]}"]]


def words_of(text: str) -> list[str]:
    """The words of a text."""
    return text.split()


def filler(random: Random, words: int) -> str:
    """So many plain words in sentences: text for histories, different for each seed."""
    stock = words_of(
        "harbour boat net morning water bell market stone lamp island wind letter chart storm voyage timber salt cape "
        "keeper tower shell room window child question answer drawer wheel knot whale tide river bridge garden winter"
    )
    verbs = words_of("holds brings follows remembers leaves finds opens keeps carries meets")
    sentences = []
    while sum(len(sentence.split()) for sentence in sentences) < words:
        one, two, three = random.sample(stock, 3)
        sentences.append(f"The {one} {random.choice(verbs)} the {two} near the {three}.")
    return " ".join(sentences)


def history(seed: int, words: int, turns: int = 4) -> list[list[str]]:
    """A conversation with ``turns`` earlier exchanges of about ``words`` words in all, and one more question."""
    random = Random(seed)
    messages = []
    for _ in range(turns):
        messages.append(["user", filler(random, words // turns // 4)])
        messages.append(["assistant", filler(random, words * 3 // turns // 4)])
    messages.append(["user", f"Now write a long story about {TOPICS[seed % len(TOPICS)]}."])
    return messages


def poisson(count: int, rate: float, lengths: tuple[int, ...], seed: int) -> list[tuple[float, int]]:
    """So many times of arrival, ``rate`` a second on average, each with a longest answer in tokens."""
    random, now, found = Random(seed), 0.0, []
    for _ in range(count):
        now += random.expovariate(rate)
        found.append((now, random.choice(lengths)))
    return found
