"""The parts of a manifest that fix how a reply is made (docs/spec/formats.md section 3)."""

import re
from dataclasses import dataclass

from bot.crypto.canonical import JsonValue
from bot.crypto.errors import FormatError
from bot.domain.reading import ObjectReader, read_text
from bot.domain.rules import check_rules

RENDERING_PROGRAM = "typed-spans/1"
SAMPLER_ALGORITHM = "gumbel-max/1"
FILTER_POLICY = "stop-repeat/1"
MAX_REDRAWS = 4
MAX_RULES = 16
HASH_BYTES = 32
MAX_NAME = 64
MAX_TOP_K = 256
MAX_TOKENS = 65_536
MAX_PENALTY = 2
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,9})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class ModelTerms:
    """The weights: a display name, the GGUF file's SHA-256 and its size in bytes."""

    name: str
    gguf: bytes
    size_bytes: int

    def to_json(self) -> JsonValue:
        """Turn into the manifest's `model`."""
        return {
            "name": self.name,
            "gguf": self.gguf.hex(),
            "size_bytes": self.size_bytes,
            "lora": None,
        }


@dataclass(frozen=True, slots=True)
class RenderingProgram:
    """The fixed token segments around typed spans, and the longest context in tokens."""

    span_prefix: str
    before_persona: tuple[int, ...]
    persona_to_fan: tuple[int, ...]
    fan_to_twin: tuple[int, ...]
    twin_to_fan: tuple[int, ...]
    window_tokens: int

    def to_json(self) -> JsonValue:
        """Turn into the manifest's `rendering`."""
        return {
            "program": RENDERING_PROGRAM,
            "span_prefix": self.span_prefix,
            "before_persona": self.before_persona,
            "persona_to_fan": self.persona_to_fan,
            "fan_to_twin": self.fan_to_twin,
            "twin_to_fan": self.twin_to_fan,
            "window_tokens": self.window_tokens,
        }


@dataclass(frozen=True, slots=True)
class SamplerTerms:
    """The sampler's parameters; all but `top_k` and `max_tokens` are decimal strings."""

    temperature: str
    top_k: int
    top_p: str
    max_tokens: int
    min_p: str = "0"
    presence_penalty: str = "0"
    frequency_penalty: str = "0"

    def to_json(self) -> JsonValue:
        """Turn into the manifest's `sampler`."""
        return {
            "algorithm": SAMPLER_ALGORITHM,
            "temperature": self.temperature,
            "top_k": self.top_k,
            "top_p": self.top_p,
            "min_p": self.min_p,
            "presence_penalty": self.presence_penalty,
            "frequency_penalty": self.frequency_penalty,
            "max_tokens": self.max_tokens,
        }


@dataclass(frozen=True, slots=True)
class FilterTerms:
    """What ends a reply, and which replies are drawn again.

    Attributes:
        stop_tokens: token ids that end it.
        stop_strings: texts before which it is cut.
        redraws: how often in a row a reply that repeats another one is drawn again; 0: never.
    """

    stop_tokens: tuple[int, ...]
    stop_strings: tuple[str, ...]
    redraws: int = 0

    def to_json(self) -> JsonValue:
        """Turn into the manifest's `filter`."""
        return {
            "policy": FILTER_POLICY,
            "stop_tokens": self.stop_tokens,
            "stop_strings": self.stop_strings,
            "redraws": self.redraws,
        }


def read_model(manifest: ObjectReader) -> ModelTerms:
    """Read the manifest's `model`."""
    reader = manifest.object("model", "name gguf size_bytes lora")
    reader.constant("lora", None)
    return ModelTerms(
        name=reader.title("name", maximum=MAX_NAME),
        gguf=reader.hex("gguf", HASH_BYTES),
        size_bytes=reader.integer("size_bytes", minimum=1),
    )


def read_rendering(manifest: ObjectReader) -> RenderingProgram:
    """Read the manifest's `rendering`."""
    reader = manifest.object(
        "rendering",
        "program span_prefix before_persona persona_to_fan fan_to_twin twin_to_fan window_tokens",
    )
    reader.constant("program", RENDERING_PROGRAM)
    return RenderingProgram(
        span_prefix=reader.text("span_prefix", maximum=MAX_NAME),
        before_persona=reader.tokens("before_persona"),
        persona_to_fan=reader.tokens("persona_to_fan"),
        fan_to_twin=reader.tokens("fan_to_twin"),
        twin_to_fan=reader.tokens("twin_to_fan"),
        window_tokens=reader.integer("window_tokens", minimum=1, maximum=MAX_TOKENS),
    )


def read_sampler(manifest: ObjectReader) -> SamplerTerms:
    """Read the manifest's `sampler`."""
    reader = manifest.object(
        "sampler",
        "algorithm temperature top_k top_p min_p presence_penalty frequency_penalty max_tokens",
    )
    reader.constant("algorithm", SAMPLER_ALGORITHM)
    sampler = SamplerTerms(
        temperature=reader.convert("temperature", parse_positive),
        top_k=reader.integer("top_k", minimum=1, maximum=MAX_TOP_K),
        top_p=reader.convert("top_p", parse_positive),
        max_tokens=reader.integer("max_tokens", minimum=1, maximum=MAX_TOKENS),
        min_p=reader.convert("min_p", parse_decimal),
        presence_penalty=reader.convert("presence_penalty", parse_decimal),
        frequency_penalty=reader.convert("frequency_penalty", parse_decimal),
    )
    for name, value, most in (
        ("top_p", sampler.top_p, 1),
        ("min_p", sampler.min_p, 1),
        ("presence_penalty", sampler.presence_penalty, MAX_PENALTY),
        ("frequency_penalty", sampler.frequency_penalty, MAX_PENALTY),
    ):
        if float(value) > most:
            raise FormatError(f"manifest.sampler.{name}: greater than {most}")
    return sampler


def read_filter(manifest: ObjectReader) -> FilterTerms:
    """Read the manifest's `filter`."""
    reader = manifest.object("filter", "policy stop_tokens stop_strings redraws")
    reader.constant("policy", FILTER_POLICY)
    return FilterTerms(
        stop_tokens=reader.tokens("stop_tokens"),
        stop_strings=reader.items(
            "stop_strings", lambda v, path: read_text(v, path, minimum=1, maximum=MAX_NAME)
        ),
        redraws=reader.integer("redraws", maximum=MAX_REDRAWS),
    )


def read_rules(manifest: ObjectReader) -> tuple[str, ...]:
    """Read the manifest's `rules`: known ones, ascending, each once."""
    rules = manifest.items("rules", read_text)
    if len(rules) > MAX_RULES:
        raise FormatError(f"manifest.rules: more than {MAX_RULES}")
    return check_rules(rules)


def parse_decimal(text: str) -> str:
    """Return a decimal number as it is written (`dec0` of formats.md section 1).

    Raises:
        FormatError: another spelling.
    """
    if not _DECIMAL.fullmatch(text):
        raise FormatError("not a decimal number")
    return text


def parse_positive(text: str) -> str:
    """Return a decimal number above zero as it is written (`dec` of formats.md section 1).

    Raises:
        FormatError: another spelling, or zero.
    """
    if float(parse_decimal(text)) == 0:
        raise FormatError("not greater than 0")
    return text
