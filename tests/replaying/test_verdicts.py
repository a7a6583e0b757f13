"""What two trainings differ in becomes a verdict: by stored numbers, without a training."""

import numpy as np
import pytest

from seq2seq_kit.replaying.differences import (
    ROUNDING,
    Difference,
    compare_curves,
    compare_data,
    compare_figures,
    compare_predictions,
    compare_versions,
)
from seq2seq_kit.replaying.result import VERDICTS, judge
from seq2seq_kit.replaying.spread import Spread

FIGURES = {"val/rmse": 2.0, "test/rmse": 4.0}


def differences(*, data: float = 0.0, versions: float = 0.0, far: float = 0.0) -> list[Difference]:
    """Of all things, in their order; curves, figures and predictions are equally far apart."""
    found = [Difference("data", data, "data"), Difference("versions", versions, "versions")]
    return [*found, *(Difference(what, far, what) for what in ("curves", "figures", "predictions"))]


@pytest.mark.parametrize(("far", "verdict"), [(0.0, "identical"), (ROUNDING, "rounding"), (2 * ROUNDING, "different")])
def test_the_size_of_a_difference_is_the_verdict(far: float, verdict: str) -> None:
    assert judge(differences(far=far), FIGURES, FIGURES).verdict == verdict


@pytest.mark.parametrize(
    ("given", "first"),
    [
        ({"data": np.inf, "versions": np.inf}, "data"),
        ({"versions": np.inf}, "versions"),
        ({}, "curves"),
    ],
)
def test_the_first_thing_that_differs_is_named_in_order(given: dict[str, float], first: str) -> None:
    judged = judge(differences(far=0.1, **given), FIGURES, FIGURES)
    assert judged.verdict == "different"
    assert judged.first == first
    assert first in judged.why


def test_equal_numbers_are_equal_whatever_digest_and_versions_say() -> None:
    judged = judge(differences(data=np.inf, versions=np.inf), FIGURES, FIGURES)
    assert judged.verdict == "identical"
    assert judged.first == "data"
    assert "another digest" in judged.why


def test_other_rows_are_different_even_within_the_spread_and_the_tolerance() -> None:
    spread = Spread([0, 1, 2], {"val/rmse": [2.0, 1.0, 3.0], "test/rmse": [4.0, 2.0, 6.0]})
    judged = judge(differences(data=np.inf, far=0.1), FIGURES, FIGURES, spread=spread, tolerance=0.5)
    assert (judged.verdict, judged.first) == ("different", "data")


def test_a_difference_without_a_measured_spread_says_that_it_is_not_known() -> None:
    judged = judge(differences(far=0.1), FIGURES, {"val/rmse": 2.1, "test/rmse": 4.1})
    assert judged.verdict == "different"
    assert "not known" in judged.why
    assert "--seeds" in judged.why


@pytest.mark.parametrize(("tolerance", "verdict"), [(0.06, "tolerance"), (0.04, "different")])
def test_a_tolerance_is_told_as_one(tolerance: float, verdict: str) -> None:
    now = {"val/rmse": 2.1, "test/rmse": 4.0}  # 4.8 % off
    judged = judge(differences(far=0.1), FIGURES, now, tolerance=tolerance)
    assert judged.verdict == verdict
    assert ("no spread was measured" in judged.why) == (verdict == "tolerance")


@pytest.mark.parametrize(("then", "verdict"), [(4.3, "spread"), (9.0, "different")])
def test_the_original_lies_among_trainings_of_other_seeds_or_does_not(then: float, verdict: str) -> None:
    spread = Spread([0, 1, 2, 3, 4], {"test/rmse": [4.0, 4.1, 4.2, 3.9, 4.05]})
    judged = judge(differences(far=0.1), {"test/rmse": then}, {"test/rmse": 4.0}, spread=spread)
    assert judged.verdict == verdict
    assert "5 trainings" in judged.why


@pytest.mark.parametrize(
    "spread",
    [
        Spread([0, 1, 2], {}),
        Spread([0, 1, 2], {"val/rmse": [2.0, 1.0, 3.0]}),
        Spread([0, 1, 2], {"val/rmse": [2.0, 1.0, 3.0], "test/rmse": [np.nan, 4.0, 4.1]}),
    ],
)
def test_errors_that_are_not_known_now_lie_in_no_spread_and_no_tolerance(spread: Spread) -> None:
    for now in ({"val/rmse": 2.0}, {"val/rmse": 2.0, "test/rmse": np.nan}):
        judged = judge(differences(far=0.1), FIGURES, now, spread=spread, tolerance=0.5)
        assert judged.verdict == "different"
    assert judge(differences(far=0.1), {}, {}, spread=spread, tolerance=0.5).verdict == "different"


def test_what_is_no_number_in_one_of_two_trainings_differs() -> None:
    then = {"val/rmse": 1.0, "test/rmse": 2.0}
    assert compare_figures(then, then | {"test/rmse": np.nan}).largest == np.inf
    assert compare_figures(then | {"test/rmse": np.nan}, then | {"test/rmse": np.nan}).largest == 0.0
    assert compare_curves({"loss": {1: 1.0}}, {"loss": {1: np.nan}}).largest == np.inf


def test_the_error_of_an_exact_baseline_is_rounding() -> None:
    then = {"test/rmse": 3.0, "test_baselines/ridge_rmse": 1e-13}
    assert compare_figures(then, then | {"test_baselines/ridge_rmse": 3e-13}).rounding
    assert not compare_figures(then, then | {"test_baselines/ridge_rmse": 3e-6}).rounding


def test_a_spread_lets_a_further_training_out_as_rarely_as_it_says() -> None:
    rng = np.random.default_rng(0)
    tries = 1_000
    drawn = rng.normal(3, 0.2, size=(tries, 2, 6))
    out = sum(
        not Spread(range(5), {"a": own[0, 1:], "b": own[1, 1:]}).holds({"a": own[0, 0], "b": own[1, 0]})
        for own in drawn
    )
    assert out / tries == pytest.approx(0.01, abs=0.009)


def test_seeds_that_change_nothing_leave_no_room() -> None:
    spread = Spread([0, 1, 2], {"test/rmse": [4.0, 4.0, 4.0]})
    assert spread.holds({"test/rmse": 4.0})
    assert not spread.holds({"test/rmse": 4.001})


def test_verdicts_are_ordered_from_the_best_to_none() -> None:
    assert VERDICTS[0] == "identical"
    assert VERDICTS[-2:] == ("different", "interrupted")


def test_curves_tell_the_epoch_from_which_on_they_differ() -> None:
    then = {"epoch/loss": {1: 1.0, 2: 0.5}, "epoch/val_loss": {1: 2.0, 2: 1.0}}
    now = {"epoch/loss": {1: 1.0, 2: 0.4}, "epoch/val_loss": {1: 2.0, 2: 1.0}}
    found = compare_curves(then, now)
    assert found.largest == pytest.approx(0.2)
    assert "from epoch 2 on: epoch/loss 0.5, now 0.4" in found.said
    assert compare_curves(then, then).largest == 0.0


def test_curves_of_other_lengths_are_different() -> None:
    then, now = {"epoch/loss": {1: 1.0, 2: 0.5}}, {"epoch/loss": {1: 1.0}}
    assert compare_curves(then, now).largest == float("inf")
    assert "2 epochs, now 1" in compare_curves(then, now).said
    assert compare_curves({"epoch/loss": {1: 1.0}}, {}).largest == float("inf")
    assert compare_curves({}, {}).largest is None


def test_figures_that_came_later_are_not_compared_and_lost_ones_differ() -> None:
    assert compare_figures({"a": 1.0}, {"a": 1.0, "b": 2.0}).largest == 0.0
    assert compare_figures({"a": 1.0, "b": 2.0}, {"a": 1.0}).largest == float("inf")
    assert compare_figures({}, {"a": 1.0}).largest is None


def test_a_share_about_nothing_is_compared_with_one() -> None:
    assert compare_figures({"test/skill": 1e-9}, {"test/skill": -1e-9}).largest == pytest.approx(2e-9)
    assert compare_figures({"test/rmse": 1e-9}, {"test/rmse": 2e-9}).largest == pytest.approx(0.5)


def test_predictions_are_compared_on_the_scale_of_the_largest() -> None:
    then = np.array([[0.0, 2.0]])
    assert compare_predictions(then, then).largest == 0.0
    assert compare_predictions(then, then + 1e-6).largest == pytest.approx(5e-7)
    assert compare_predictions(then, np.full((1, 2), np.nan)).largest == float("inf")
    assert compare_predictions(then, np.zeros((2, 2))).largest == float("inf")
    assert compare_predictions(then, None).largest == float("inf")


def test_versions_name_what_changed() -> None:
    found = compare_versions({"keras": "3.14", "numpy": "2"}, {"keras": "3.15", "numpy": "2", "kernels": "compiled"})
    assert found.said == "keras 3.14, now 3.15"
    assert not found.rounding


def test_a_digest_that_was_not_stored_is_not_compared() -> None:
    assert compare_data((None, "a"), []).largest is None
    assert compare_data(("a", "a"), []).largest == 0.0
    assert compare_data(("a", "b"), ["5 rows then, 6 now"]).said.startswith("other rows: 5 rows then, 6 now")
