"""Speakers that a good grader must not be impressed by."""

from bench.starter_questions.grading import Asked
from bench.starter_questions.material import Conversation
from bench.starter_questions.speaking import Speaker, seed_of


def random_tokens(speaker: Speaker, talk: Conversation, asked: Asked, turn: int) -> str:
    """Answer with random tokens of the model's vocabulary."""
    del asked
    return speaker.random_reply(talk, turn)


def random_fact(speaker: Speaker, talk: Conversation, asked: Asked, turn: int) -> str:
    """Answer with one of the persona's facts, whatever was asked."""
    del speaker
    facts = asked.persona.facts
    return facts[int.from_bytes(seed_of(talk, turn), "big") % len(facts)]


def silence(speaker: Speaker, talk: Conversation, asked: Asked, turn: int) -> str:
    """Always say the same: that it does not know."""
    del speaker, talk, asked, turn
    return "I don't know."


BASELINES = {"random": random_tokens, "fact": random_fact, "silence": silence}
