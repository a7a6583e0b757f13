"""Baselines of forecasts, and how the baselines of any task are stored.

Each baseline is fitted on the training windows, its settings are chosen on the validation windows, and it predicts the
same windows as the model. A fitted baseline is plain numbers, so a bundle keeps it beside the model and can repeat the
comparison on other data.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from seq2seq_kit.data.windows.prepare import Prepared
from seq2seq_kit.evaluation.metrics import ErrorSums
from seq2seq_kit.evaluation.naive import held_seasons, naive_error
from seq2seq_kit.evaluation.presentation import Presentation
from seq2seq_kit.evaluation.ridge import CHOOSE_WINDOWS, Ridge, fit_ridge, forms_of
from seq2seq_kit.recipe.section import MOST

B = TypeVar("B")


class Predictor(Protocol):
    """Anything that predicts windows: the model, or a baseline."""

    def __call__(self, prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        """Predictions in original units, shape `(windows, output_steps, targets)`."""


class Baseline(Predictor, Protocol):
    """A predictor with a name, and words for what it does and what was chosen."""

    @property
    def name(self) -> str: ...

    @property
    def about(self) -> str: ...


@dataclass(frozen=True)
class LastValue:
    """Repeats the newest known value of each target."""

    name: str = "last value"
    about: str = "repeats the newest value of the inputs"

    def __call__(self, prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        these = prepared.windows[part]
        newest = these.starts(windows) + these.shape.input_steps - 1
        return np.repeat(prepared.history.last(newest)[:, None, :], these.shape.output_steps, axis=1)


@dataclass(frozen=True)
class SeasonalNaive:
    """Repeats the value of one season before; `season` is in steps."""

    name: str
    about: str
    season: int

    def __post_init__(self) -> None:
        if not 1 <= self.season <= MOST:  # with fewer steps it would look ahead
            raise ValueError(f"a season has 1 to {MOST:,} steps. Received: {self.season}")

    def __call__(self, prepared: Prepared, part: str, windows: np.ndarray) -> np.ndarray:
        these = prepared.windows[part]
        newest = these.starts(windows) + these.shape.input_steps - 1
        ahead = these.shape.target_offset - these.shape.input_steps + 1 + np.arange(these.shape.output_steps)
        return prepared.history.one_season_before(newest, ahead, self.season)


def fit_forecast_baselines(
    prepared: Prepared,
    *,
    chosen_on: Prepared | None = None,
    view: Presentation | None = None,
    ridge: Ridge | None = None,
) -> list[Baseline]:
    """Last value, the natural season that does best on validation, ridge.

    Args:
        prepared: What they are fitted on.
        chosen_on: What season and penalty are chosen on, if not `prepared`: where train holds the val rows, too, these would
            choose the penalty that bends furthest to them, and a weak ridge flatters the model.
        view: How the model sees a window: ridge sees it likewise, or less its newest value, whichever does better.
        ridge: Fitted before; None: it is fitted here.
    """
    chooser = prepared if chosen_on is None else chosen_on
    baselines: list[Baseline] = [LastValue()]
    seasons = held_seasons(chooser)
    if seasons:
        among = f", chosen on validation among {', '.join(seasons)}" if len(seasons) > 1 else ""
        about = {
            name: f"repeats the value of one {name} ({length} steps) before{among}" for name, length in seasons.items()
        }
        peers = [SeasonalNaive(f"seasonal naive ({name})", about[name], length) for name, length in seasons.items()]
        baselines.append(min(peers, key=lambda peer: _val_error(chooser, peer)))
    forms = forms_of(chooser, view or Presentation())
    return [*baselines, ridge or fit_ridge(prepared, forms, chosen_on=chosen_on)]


def best_on_validation(prepared: Prepared, baselines: Sequence[Baseline]) -> Baseline:
    """The baseline with the smallest error over validation windows, on the scale of skill."""
    return min(baselines, key=lambda peer: _val_error(prepared, peer))


def _val_error(prepared: Prepared, predict: Predictor) -> float:
    """Error over validation windows, on the scale of skill."""
    windows = prepared.windows["val"].evenly(CHOOSE_WINDOWS)
    truth, series = prepared.truth("val", windows), prepared.series_of("val", windows)
    sums = ErrorSums((len(prepared.table.series), *truth.shape[1:]), prepared.target_center)
    return sums.add(truth, predict(prepared, "val", windows), series).scaled_rmse(naive_error(prepared))


# By the name that a bundle stores.
FORECAST_BASELINES: dict[str, Callable[..., Baseline]] = {
    "LastValue": LastValue,
    "SeasonalNaive": SeasonalNaive,
    "Ridge": Ridge,
}
