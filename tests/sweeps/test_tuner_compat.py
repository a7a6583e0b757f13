"""Each private member of KerasTuner may be gone or changed: the tuner does without it and says so, or is refused by name."""

import sys
from collections.abc import Callable
from typing import Any

import keras_tuner
import pytest

from seq2seq_kit.errors import SweepError
from seq2seq_kit.recipe.sweep import knobs
from seq2seq_kit.recipe.sweep_space import default_values
from seq2seq_kit.sweeps import tuner_compat
from seq2seq_kit.sweeps.tuner import Suggestion, Tuner
from seq2seq_kit.sweeps.tuner_process import TunerProcess
from tests.sweeps.test_tuner import FEW, SPACE, opened, swept

UNITS = {"model.encoder_units": SPACE["model.encoder_units"]}
BOTH = pytest.mark.parametrize("change", ["gone", "changed"])
Break = Callable[[str, str], None]


@pytest.fixture
def break_member(monkeypatch: pytest.MonkeyPatch) -> Break:
    """A KerasTuner in which a private member has another name or other arguments: its own code knows, the kit does not."""

    def apply(member: str, change: str) -> None:
        def get(oracle: Any, name: str) -> Any:
            if name == member and sys._getframe(1).f_globals["__name__"] == tuner_compat.__name__:
                if change == "gone":
                    raise AttributeError(f"there is no {name}")
                return lambda: None
            return object.__getattribute__(oracle, name)

        monkeypatch.setattr(keras_tuner.Oracle, "__getattribute__", get, raising=False)

    return apply


def suggestions(tuner: Tuner, most: int = 12) -> list[dict[str, object]]:
    """The values of up to `most` trials."""
    found: list[dict[str, object]] = []
    while len(found) < most and isinstance(one := tuner.ask(), Suggestion):
        found.append(one.values)
        tuner.tell(one.identity, 1 / len(found))
    return found


@BOTH
@pytest.mark.parametrize("tuner", ["random", "bayesian", "hyperband", "grid"])
def test_a_tuner_whose_folder_cannot_be_set_is_refused_with_the_versions(
    tuner: str, change: str, break_member: Break
) -> None:
    break_member("_set_project_dir", change)
    recipe = swept(tuner, FEW)
    with pytest.raises(SweepError) as error, opened(recipe):
        pass
    assert error.value.code == "kerastuner_unsupported"
    assert f"keras-tuner {tuner_compat.installed_version()}" in str(error.value)
    assert all(version in str(error.value) for version in tuner_compat.KNOWN_VERSIONS)


def test_the_versions_known_to_work_hold_the_installed_one_and_need_no_note() -> None:
    assert tuner_compat.installed_version() in tuner_compat.KNOWN_VERSIONS
    recipe = swept("bayesian", UNITS)
    with opened(recipe, known=default_values(recipe, knobs(recipe.sweep))) as tuner:
        assert len(suggestions(tuner)) == 2
        assert tuner.notes == []


@BOTH
@pytest.mark.parametrize("member", ["_tried_so_far", "_compute_values_hash"])
def test_without_the_marks_of_tried_values_the_recipes_own_ones_may_be_drawn(
    member: str, change: str, break_member: Break
) -> None:
    break_member(member, change)
    recipe = swept("random", UNITS)
    own = default_values(recipe, knobs(recipe.sweep))
    with opened(recipe, known=own) as tuner:
        found = suggestions(tuner)
        (note,) = tuner.notes
    assert own in found  # a trial that copies the score, see search.py
    assert len(found) == 3
    assert tuner_compat.installed_version() in note
    assert "own values may be drawn again" in note


@BOTH
def test_without_the_record_of_values_a_sweep_is_replayed_all_the_same(change: str, break_member: Break) -> None:
    recipe = swept("random", FEW)
    with opened(recipe, seed=7) as then:
        before = [then.ask() for _ in range(3)]
    break_member("_record_values", change)
    with opened(recipe, seed=8) as now:
        for one in before:
            assert isinstance(one, Suggestion)
            again = now.replay(one.raw)
            assert again.values == one.values
            now.tell(again.identity, 0.5)
        assert isinstance(now.ask(), Suggestion)
        (note,) = now.notes
    assert "earlier trials may be drawn again" in note


@pytest.mark.slow
@BOTH
@pytest.mark.parametrize("member", ["_duplicate", "_random_populate_space"])
def test_without_the_check_of_duplicates_the_bayesian_tuner_may_repeat_itself(
    member: str, change: str, break_member: Break
) -> None:
    break_member(member, change)
    space = {key: SPACE[key] for key in ("model.bidirectional", "training.batch_size")}
    with opened(swept("bayesian", space)) as tuner:
        found = suggestions(tuner, 11)
        (note,) = tuner.notes
    assert len(found) == 11  # of 8 there are
    assert "may come back to values that it has tried" in note


def test_a_public_part_that_is_gone_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(keras_tuner.oracles, "HyperbandOracle")
    with pytest.raises(SweepError, match="HyperbandOracle") as error, opened(swept("hyperband", FEW)):
        pass
    assert error.value.code == "kerastuner_unsupported"


def test_an_unsupported_version_is_told_from_the_tuners_process() -> None:
    recipe = swept("random", FEW)
    tuner = TunerProcess(recipe.sweep, knobs(recipe.sweep), seed=0, epochs=1, unheard_of=True)
    with pytest.raises(SweepError, match="unheard_of") as error:
        tuner.ask()
    tuner.close()
    assert error.value.code == "tuner_bug"  # of the kit; the tuner's own refusals have the code above
