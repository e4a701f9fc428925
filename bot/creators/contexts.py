"""How much each model takes that creators have published twins with."""

from collections.abc import Sequence

import structlog

from bot.domain.errors import TransientError
from bot.domain.manifest import Manifest
from bot.domain.terms import ModelTerms
from bot.ports.models import ServedModels

_log = structlog.get_logger()


async def ask_contexts(
    models: ServedModels, manifests: Sequence[Manifest]
) -> dict[ModelTerms, int]:
    """Return the longest context of the service's own model and of those in the manifests.

    Only these are loaded. Twins of a model that is not here, or can't be asked, rest; the others go
    on.

    Raises:
        TransientError: the service's own engine can't be asked.
    """
    own = models.own
    contexts = {own.terms: (await own.engine.info()).context_tokens}
    for model in dict.fromkeys(manifest.model for manifest in manifests):
        served = models.of(model.gguf)
        if served is None:
            _log.warning("model.missing", model=model.name, gguf=model.gguf.hex())
        elif served.terms not in contexts:
            try:
                contexts[served.terms] = (await served.engine.info()).context_tokens
            except TransientError as error:
                _log.warning("model.away", model=model.name, reason=type(error).__name__)
    return contexts
