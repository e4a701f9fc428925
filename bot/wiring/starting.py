"""What a start is refused for before anything is written: twins and their personas."""

from bot.domain.errors import ConfigurationError, UnknownTwinError
from bot.ports.models import ServedModels
from bot.ports.personas import PersonaFile
from bot.twins.publish import check_persona, missing_model


def check_wanted(wanted: str | None, personas: list[PersonaFile]) -> None:
    """Refuse to start for a twin that nobody serves.

    Raises:
        UnknownTwinError: there is no persona of that slug.
    """
    slugs = [persona.slug for persona in personas]
    if wanted is not None and wanted not in slugs:
        raise UnknownTwinError(f"There is no twin {wanted!r} here. Twins: {', '.join(slugs)}.")


async def check_personas(
    models: ServedModels, personas: list[PersonaFile], wanted: str | None
) -> None:
    """Refuse to start with a persona that is too long for its model.

    One whose model is not here is no reason: its twin rests. Only where it is the wanted one there
    is nothing to start for.

    Raises:
        ConfigurationError: one sentence.
    """
    for persona in sorted(personas, key=lambda one: one.model):
        served = models.named(persona.model)
        if served is None and persona.slug == wanted:
            raise ConfigurationError(missing_model(persona))
        if served is models.own:
            await check_persona(served.engine, persona)
