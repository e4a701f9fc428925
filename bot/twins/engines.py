"""Which engine a twin speaks with: its manifest decides, by the SHA-256 of the weights."""

from bot.domain.errors import AdmissionError
from bot.domain.manifest import Manifest
from bot.ports.inference import InferenceEngine
from bot.ports.models import ServedModels

AWAY = "{name} is resting: the model that it speaks with is not on this machine."


def engine_of(models: ServedModels, manifest: Manifest) -> InferenceEngine:
    """Return the engine of a manifest's model.

    Raises:
        AdmissionError: the model is not here; the sentence is for fans.
    """
    served = models.of(manifest.model.gguf)
    if served is None:
        raise AdmissionError(AWAY.format(name=manifest.name))
    return served.engine
