"""What is known of a model file since it was added: the record that lies beside it.

Format: docs/spec/formats.md section 15. The record is a convenience of this machine; what a
manifest binds is the file's SHA-256 alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.crypto.canonical import JsonValue, encode_canonical, parse_canonical
from bot.crypto.errors import FormatError
from bot.domain.reading import ObjectReader
from bot.domain.terms import HASH_BYTES, MAX_NAME, ModelTerms

VERSION = "twinproof-model/1"
EXACT_QUANTISATION = "Q8_0"
ALL_LAYERS, MAX_LAYERS = -1, 10_000
MAX_WORD = 64
MAX_LICENCE = 200
MAX_ADDRESS = 2000


@dataclass(frozen=True, slots=True)
class TemplateIds:
    """A chat template as fixed token ids around typed spans; `span_prefix` begins every span."""

    span_prefix: str
    before_persona: tuple[int, ...]
    persona_to_fan: tuple[int, ...]
    fan_to_twin: tuple[int, ...]
    twin_to_fan: tuple[int, ...]


def template_of(members: Mapping[str, Any]) -> TemplateIds:
    """Return template ids from what `dataclasses.asdict` and JSON have made of them.

    Raises:
        KeyError, TypeError: they are not.
    """
    segments = ("before_persona", "persona_to_fan", "fan_to_twin", "twin_to_fan")
    ids = {name: tuple(int(token) for token in members[name]) for name in segments}
    return TemplateIds(span_prefix=str(members["span_prefix"]), **ids)


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A model of the store.

    Attributes:
        name: under which personas name it; a title.
        file: its name in the store's folder.
        sha256: of the file, 32 bytes.
        tensors: how many there are.
        tensors_root: RFC 6962 root over them, 32 bytes (formats.md section 15.1).
        quantisation: of the matrices, such as `Q8_0`; `mixed` where they differ.
        parameters: how many numbers the tensors hold.
        context_tokens: the longest context that it was trained for.
        kv_bytes: keys and values of one token in the engine's q8_0 cache.
        template: compiled when it was added.
        licence: as the file itself says; empty where it says nothing.
        gpu_layers: how many layers a GPU takes, -1 for all; None: as the configuration says.
    """

    name: str
    file: str
    sha256: bytes
    size_bytes: int
    tensors: int
    tensors_root: bytes
    architecture: str
    quantisation: str
    parameters: int
    context_tokens: int
    vocabulary: int
    kv_bytes: int
    template: TemplateIds
    licence: str
    licence_link: str
    source: str
    gpu_layers: int | None = None

    @property
    def terms(self) -> ModelTerms:
        """What a manifest says of it."""
        return ModelTerms(name=self.name, gguf=self.sha256, size_bytes=self.size_bytes)

    @property
    def is_exact(self) -> bool:
        """Whether its weights are of the kind that the exact profile was measured for."""
        return self.quantisation == EXACT_QUANTISATION


def encode_record(record: ModelRecord) -> bytes:
    """Write a record as canonical JSON."""
    template = record.template
    value: JsonValue = {
        "v": VERSION,
        "name": record.name,
        "file": record.file,
        "sha256": record.sha256.hex(),
        "size_bytes": record.size_bytes,
        "tensors": {"count": record.tensors, "root": record.tensors_root.hex()},
        "architecture": record.architecture,
        "quantisation": record.quantisation,
        "parameters": record.parameters,
        "context_tokens": record.context_tokens,
        "vocabulary": record.vocabulary,
        "kv_bytes": record.kv_bytes,
        "template": {
            "span_prefix": template.span_prefix,
            "before_persona": template.before_persona,
            "persona_to_fan": template.persona_to_fan,
            "fan_to_twin": template.fan_to_twin,
            "twin_to_fan": template.twin_to_fan,
        },
        "licence": {"name": record.licence, "link": record.licence_link},
        "source": record.source,
        "gpu_layers": record.gpu_layers,
    }
    return encode_canonical(value)


def parse_record(data: bytes) -> ModelRecord:
    """Read a record.

    Raises:
        FormatError: it is not exactly one.
    """
    reader = ObjectReader(
        parse_canonical(data),
        "model",
        "v name file sha256 size_bytes tensors architecture quantisation parameters "
        "context_tokens vocabulary kv_bytes template licence source gpu_layers",
    )
    reader.constant("v", VERSION)
    tensors = reader.object("tensors", "count root")
    licence = reader.object("licence", "name link")
    layers = reader.value("gpu_layers")
    file = reader.title("file", maximum=MAX_LICENCE)
    if "/" in file or file.startswith("."):
        raise FormatError("model.file: not a file's name")
    return ModelRecord(
        name=reader.title("name", maximum=MAX_NAME),
        file=file,
        sha256=reader.hex("sha256", HASH_BYTES),
        size_bytes=reader.integer("size_bytes", minimum=1),
        tensors=tensors.integer("count", minimum=1),
        tensors_root=tensors.hex("root", HASH_BYTES),
        architecture=reader.title("architecture", maximum=MAX_WORD),
        quantisation=reader.title("quantisation", maximum=MAX_WORD),
        parameters=reader.integer("parameters", minimum=1),
        context_tokens=reader.integer("context_tokens", minimum=1),
        vocabulary=reader.integer("vocabulary", minimum=1),
        kv_bytes=reader.integer("kv_bytes", minimum=1),
        template=_read_template(reader),
        licence=licence.text("name", maximum=MAX_LICENCE),
        licence_link=licence.text("link", maximum=MAX_ADDRESS),
        source=reader.text("source", maximum=MAX_ADDRESS),
        gpu_layers=None if layers is None else _read_layers(reader),
    )


def _read_layers(record: ObjectReader) -> int:
    return record.integer("gpu_layers", minimum=ALL_LAYERS, maximum=MAX_LAYERS)


def _read_template(record: ObjectReader) -> TemplateIds:
    reader = record.object(
        "template", "span_prefix before_persona persona_to_fan fan_to_twin twin_to_fan"
    )
    return TemplateIds(
        span_prefix=reader.text("span_prefix", maximum=MAX_NAME),
        before_persona=reader.tokens("before_persona"),
        persona_to_fan=reader.tokens("persona_to_fan"),
        fan_to_twin=reader.tokens("fan_to_twin"),
        twin_to_fan=reader.tokens("twin_to_fan"),
    )
