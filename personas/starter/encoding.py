"""Token ids and loss classes of a conversation."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from personas.starter.prompt import ASSISTANT, CONTEXT, SPECIALS, Turn, spans

# How much a token counts: persona, fan, invented reply, reply, reply copied from what was said.
SYSTEM_CLASS, USER_CLASS, WEAK_CLASS, REPLY_CLASS, COPY_CLASS = range(5)
WEIGHTS = (0.0, 0.06, 0.15, 1.0, 3.0)
# The first tokens of a reply choose the fact that it repeats.
CHOOSING = 3
FREQUENT = 300
MOST_INVENTED = 2
SPECIAL_IDS = {token: number for number, token in enumerate(SPECIALS)}
END_ID = 0
INVENTING = (" I", " My", " Yes, I", " No, I", " Yeah, I")
Tokenise = Callable[[str], list[int]]


class Encoder:
    """Tokenises conversations span by span and gives each token its loss class.

    Args:
        tokenise: turns plain text into ids; a control token's text must come out as plain text.
        vocabulary: number of tokens.
    """

    def __init__(self, tokenise: Tokenise, vocabulary: int) -> None:
        self.tokenise = tokenise
        self.vocabulary = vocabulary
        self.frequent: frozenset[int] = frozenset()

    def count(self, conversations: Iterable[list[Turn]]) -> None:
        """Learn which tokens are frequent."""
        counts = np.zeros(self.vocabulary, dtype=np.int64)
        for turns in conversations:
            for _, text in spans(turns):
                np.add.at(counts, self.tokenise(text), 1)
        self.frequent = frozenset(np.argsort(-counts, kind="stable")[:FREQUENT].tolist())

    def encode(self, turns: list[Turn], *, free: bool) -> tuple[list[int], list[int]]:
        """Return ids and loss classes; `free` texts may invent, which is weighed low."""
        ids: list[int] = []
        classes: list[int] = []
        known: set[int] = set()
        said: set[int] = set()
        for special, text in spans(turns):
            tokens = self.tokenise(text)
            ids += [SPECIAL_IDS[special], *tokens, END_ID]
            if special == ASSISTANT:
                classes += [USER_CLASS, *self._reply(text, tokens, known, said, free=free)]
            else:
                known |= set(tokens)
                base = USER_CLASS if classes else SYSTEM_CLASS
                classes += [base] * (len(tokens) + 2)
            said |= set(tokens)
        return ids[:CONTEXT], classes[:CONTEXT]

    def _reply(
        self, text: str, tokens: list[int], known: set[int], said: set[int], *, free: bool
    ) -> list[int]:
        """Return the classes of a reply's tokens and of the token that ends it."""
        rare = [token not in self.frequent for token in tokens]
        invented = sum(
            r and t not in known and t not in said for r, t in zip(rare, tokens, strict=True)
        )
        weak = free and invented > MOST_INVENTED and text.startswith(INVENTING)
        plain = WEAK_CLASS if weak else REPLY_CLASS
        copied = [
            COPY_CLASS if (r or at < CHOOSING) and t in known and not weak else plain
            for at, (r, t) in enumerate(zip(rare, tokens, strict=True))
        ]
        return [*copied, plain]
