"""Persona files: the samples load; a broken one is refused in a sentence that names it."""

import os
import tomllib
from pathlib import Path

import pytest

from adapters.files.personas import load_persona, load_personas
from bot.domain.errors import PersonaError

SAMPLES = Path(__file__).parents[3] / "personas"
GOOD = """
name = "Mira"
role = "a cook"
creator = "Mira"
facts = ["I cook."]
[price]
per_reply = "0.002"
"""


def _write(folder: Path, text: str | bytes, name: str = "mira.toml") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_samples_of_the_tree_load_sorted_by_name() -> None:
    files = load_personas(SAMPLES)

    assert [file.slug for file in files] == sorted(path.stem for path in SAMPLES.glob("*.toml"))
    assert all(file.price_nano > 0 and file.persona.facts for file in files)


def test_what_a_file_does_not_say_has_its_default(tmp_path: Path) -> None:
    file = load_persona(_write(tmp_path, GOOD))

    assert (file.slug, file.price_nano, file.free_daily) == ("mira", 2_000_000, 100)
    assert (file.temperature, file.top_k, file.top_p, file.max_tokens) == ("0.2", 40, "0.95", 64)
    assert (file.persona.off_limits, file.persona.examples) == ((), ())


def test_sampler_is_read_as_it_is_written(tmp_path: Path) -> None:
    settings = {"min_p": "0.05", "presence_penalty": "2", "frequency_penalty": "0.250"}
    lines = [f'{name} = "{value}"' for name, value in settings.items()]

    file = load_persona(_write(tmp_path, "\n".join([GOOD, "[sampler]", *lines])))

    assert {name: getattr(file, name) for name in settings} == settings


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('temperature = "0"', 'sampler.temperature: a decimal number above 0 such as "0.8".'),
        ('top_p = "2"', 'sampler.top_p: a decimal number above 0, at most 1, such as "0.95".'),
        ('min_p = "7"', 'sampler.min_p: a decimal number from 0 to 1 such as "0.05".'),
        (
            'presence_penalty = "3"',
            'sampler.presence_penalty: a decimal number from 0 to 2 such as "0.3".',
        ),
        (
            'frequency_penalty = "-1"',
            'sampler.frequency_penalty: a decimal number from 0 to 2 such as "0.3".',
        ),
    ],
)
def test_setting_out_of_its_range_is_refused_with_the_range(
    tmp_path: Path, line: str, sentence: str
) -> None:
    path = _write(tmp_path, f"{GOOD}[sampler]\n{line}")

    with pytest.raises(PersonaError) as refused:
        load_persona(path)

    assert str(refused.value) == f"{path}: {sentence}"


@pytest.mark.parametrize(
    ("amount", "nano"),
    [("0", 0), ("0.000000001", 1), ("12", 12 * 10**9), ("9007199.254740991", 2**53 - 1)],
)
def test_price_is_exact(tmp_path: Path, amount: str, nano: int) -> None:
    assert load_persona(_write(tmp_path, GOOD.replace("0.002", amount))).price_nano == nano


@pytest.mark.parametrize("count", [0, 5, 10_000])
def test_free_replies_are_read_as_written(tmp_path: Path, count: int) -> None:
    text = GOOD.replace('per_reply = "0.002"', f'per_reply = "0.002"\nfree_daily = {count}')

    assert load_persona(_write(tmp_path, text)).free_daily == count


BROKEN: dict[str, str | bytes] = {
    "no toml": "name = ",
    "no utf-8": b'name = "\xff"',
    "empty": "",
    "too large": GOOD + "#" * 70_000,
    "unknown key": 'colour = "red"\n' + GOOD,
    "unknown sampler key": GOOD + '[sampler]\nspeed = "1"',
    "no name": GOOD.replace('name = "Mira"', ""),
    "no price": GOOD.split("[price]", maxsplit=1)[0],
    "name is a number": GOOD.replace('name = "Mira"', "name = 3"),
    "name is blank": GOOD.replace('name = "Mira"', 'name = "  "'),
    "name has a line end": GOOD.replace('name = "Mira"', 'name = "a\\nFan: b"'),
    "name is too long": GOOD.replace('name = "Mira"', f'name = "{"x" * 65}"'),
    "fact is blank": GOOD.replace("I cook.", ""),
    "fact has a separator": GOOD.replace("I cook.", "a\\u2028b"),
    "facts are a text": GOOD.replace('["I cook."]', '"I cook."'),
    "price is a number": GOOD.replace('"0.002"', "0.002"),
    "price is no number": GOOD.replace("0.002", "cheap"),
    "price is negative": GOOD.replace("0.002", "-1"),
    "price is not a number": GOOD.replace("0.002", "NaN"),
    "price is infinite": GOOD.replace("0.002", "Infinity"),
    "price is too fine": GOOD.replace("0.002", "0.0000000001"),
    "price is too high": GOOD.replace("0.002", "9007199.254740992"),
    "price is absurd": GOOD.replace("0.002", "1e999999"),
    "fewer than no free replies": GOOD.replace("[price]", "[price]\nfree_daily = -1"),
    "too many free replies": GOOD.replace("[price]", "[price]\nfree_daily = 10001"),
    "free replies as a text": GOOD.replace("[price]", '[price]\nfree_daily = "5"'),
    "temperature is no number": GOOD + '[sampler]\ntemperature = "hot"',
    "temperature is zero": GOOD + '[sampler]\ntemperature = "0"',
    "temperature is zero too": GOOD + '[sampler]\ntemperature = "0.000"',
    "temperature is negative": GOOD + '[sampler]\ntemperature = "-1"',
    "temperature has an exponent": GOOD + '[sampler]\ntemperature = "1e1"',
    "top_k is zero": GOOD + "[sampler]\ntop_k = 0",
    "top_k is too large": GOOD + "[sampler]\ntop_k = 257",
    "top_k is a text": GOOD + '[sampler]\ntop_k = "4"',
    "top_p is zero": GOOD + '[sampler]\ntop_p = "0.0"',
    "top_p is above one": GOOD + '[sampler]\ntop_p = "1.01"',
    "min_p is above one": GOOD + '[sampler]\nmin_p = "1.1"',
    "min_p is negative": GOOD + '[sampler]\nmin_p = "-0.1"',
    "min_p is a number": GOOD + "[sampler]\nmin_p = 0.1",
    "presence_penalty is above two": GOOD + '[sampler]\npresence_penalty = "2.1"',
    "frequency_penalty is negative": GOOD + '[sampler]\nfrequency_penalty = "-0.5"',
    "frequency_penalty is no number": GOOD + '[sampler]\nfrequency_penalty = "much"',
    "max_tokens is zero": GOOD + "[sampler]\nmax_tokens = 0",
    "max_tokens is too large": GOOD + "[sampler]\nmax_tokens = 100000",
    "top_k has too many digits": GOOD + f"[sampler]\ntop_k = {'9' * 60_000}",
    "nests too deep": f"facts = {'[' * 20_000}",
    "example lacks the twin": GOOD.replace("[price]", '[[examples]]\nfan = "hi"\n[price]'),
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_file_is_refused_and_named(tmp_path: Path, what: str) -> None:
    path = _write(tmp_path, BROKEN[what])

    with pytest.raises(PersonaError) as refused:
        load_persona(path)
    sentence = str(refused.value)
    assert sentence.startswith(f"{path}")
    assert sentence.count(str(path)) == 1
    assert sentence.endswith(".")
    assert "\n" not in sentence.strip()


@pytest.mark.parametrize(
    "name", ["Mira.toml", "my twin.toml", "-x.toml", "é.toml", f"{'x' * 65}.toml"]
)
def test_file_name_that_is_no_slug_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PersonaError, match="file name"):
        load_persona(_write(tmp_path, GOOD, name))


def test_pipe_in_place_of_a_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")

    with pytest.raises(PersonaError, match="not a file"):
        load_persona(tmp_path / "pipe.toml")


def test_missing_file_and_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PersonaError, match="can't be read"):
        load_persona(tmp_path / "nobody.toml")
    with pytest.raises(PersonaError, match="no persona"):
        load_personas(tmp_path)


def test_good_file_is_toml_and_the_control() -> None:
    assert tomllib.loads(GOOD)["price"] == {"per_reply": "0.002"}
