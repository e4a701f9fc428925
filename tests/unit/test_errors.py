"""The error tree: one root, and the reasons of a refusal travel with it."""

import inspect

import pytest

from bot.domain import errors

CLASSES = [
    member
    for _, member in inspect.getmembers(errors, inspect.isclass)
    if member.__module__ == errors.__name__
]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_descends_from_the_one_root(kind: type[Exception]) -> None:
    assert issubclass(kind, errors.BotError)
    assert kind.__doc__


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_stands_in_the_tree_of_the_docstring(kind: type[Exception]) -> None:
    assert kind.__name__ in (errors.__doc__ or "")


def test_branches_do_not_overlap() -> None:
    branches = [kind for kind in CLASSES if kind.__bases__ == (errors.BotError,)]

    assert {kind.__name__ for kind in branches} == {
        "UserError",
        "TransientError",
        "OutcomeUnknownError",
        "VerificationError",
        "ConfigurationError",
        "InvariantError",
    }
    for kind in CLASSES:
        assert sum(issubclass(kind, branch) for branch in branches) <= 1


def test_transient_error_says_when_to_try_again() -> None:
    assert errors.StoreBusyError("busy", retry_after_s=2.5).retry_after_s == 2.5
    assert errors.StoreBusyError("busy").retry_after_s > 0


def test_verification_error_names_its_step() -> None:
    error = errors.MalformedProofError(8, "no such leaf")

    assert (error.step, error.reason, str(error)) == (8, "no such leaf", "step 8: no such leaf")
