"""How long windows are, how rows are divided, how large the model is and how long it trains: rules with their reasons.

None of the numbers looks at an error of a trained model on test rows.
"""

import math
import re
from dataclasses import dataclass

import numpy as np

from seq2seq_kit.data.tables.time import Every
from seq2seq_kit.drafting.notes import Notes
from seq2seq_kit.drafting.seasons import Season
from seq2seq_kit.errors import ArgumentError, DataError

LEAST_ROWS = 24  # of the longest series, below which nothing is left to learn from
_SHARE, _LARGEST_SHARE = 0.15, 0.25  # of the rows, for val and for test
_WINDOWS = 5  # that val and test must hold
_MANY = 20  # series, each with a window in val and in test
_LONGEST_AHEAD, _PLAIN_AHEAD = 96, 12  # steps to forecast where nobody says, with and without a season
_OUTPUTS = 8  # horizons that a series must hold where nobody says how far to forecast
_LONGEST_INPUT = 336
_LEAST_WINDOWS = 200  # to train on, over all series, where the rows carry them
_SEGMENTED, _SEGMENTS = 30, 30  # steps from which they are joined, and steps of the recurrence after that
_AHEAD = re.compile(r"(\d+)\s*(s|min|h|d|bd|w|mo|y)?")
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_MONTHS = {"mo": 1, "y": 12}


@dataclass(frozen=True)
class Lengths:
    """Steps that are read and written, and the share of the rows in val and in test, or how many of each series (`held`)."""

    input_steps: int
    output_steps: int
    share: float
    segment: int = 1
    held: int = 0

    @property
    def split(self) -> dict[str, float | int]:
        """The recipe's section."""
        if self.held:
            return {"val_steps": self.held, "test_steps": self.held}
        return {"val": self.share, "test": self.share}

    def trained(self, rows: int) -> int:
        """Rows of a series that are trained on."""
        return rows - 2 * self.held if self.held else int(rows * (1 - 2 * self.share))


def steps_ahead(ahead: str | int, every: Every | None) -> int:
    """Steps of `14d` or `24`.

    Raises:
        ArgumentError: It is neither, or no whole number of steps.
    """
    match = _AHEAD.fullmatch(str(ahead).strip())
    if match is None or int(match[1]) < 1:
        said = f"ahead must be a number of rows or a span of time such as 24, 36h, 14d or 3mo. Received: {ahead!r}"
        raise ArgumentError(said, code="invalid_ahead")
    count, unit = int(match[1]), match[2]
    if unit is None:
        return count
    steps = 0.0
    if every is not None and unit in _MONTHS:
        months = count * _MONTHS[unit]
        steps = (
            months / every.months if every.months else months * 365.25 / 12 * 86400 / (every.seconds or 86400 * 7 / 5)
        )
        steps = steps if every.months else float(round(steps))
    elif every is not None and every.seconds:
        steps = count * _SECONDS.get(unit, 0) / every.seconds
    elif every is not None and every.weekdays:
        steps = count * {"bd": 1, "d": 5 / 7, "w": 5}.get(unit, 0) / every.weekdays
        steps = float(round(steps))
    if steps < 1 or steps != int(steps):
        rows = every.text if every else "rows without a step of time"
        said = f"ahead: {ahead} is no whole number of steps of the table ({rows}). Give a number of rows, such as 12"
        raise ArgumentError(said, code="invalid_ahead")
    return int(steps)


def choose_lengths(
    rows: list[int],
    seasons: list[Season],
    every: Every | None,
    ahead: int | None,
    notes: Notes,
    origin: str,
    *,
    series: int = 1,
) -> Lengths:
    """Steps in and out, and the split.

    Args:
        rows: Of each stretch that windows are cut from.
        seasons: Of the target, shortest first.
        every: Step between rows.
        ahead: Steps to forecast that were asked for.
        notes: Takes the reasons.
        origin: Name of the table for messages.
        series: How many there are.

    Raises:
        DataError: Too few rows for any model, or for as many steps ahead.
    """
    longest = max(rows)
    if longest < LEAST_ROWS:
        raise DataError(
            f"{origin}: the longest series without a gap has {longest} rows. Expected at least {LEAST_ROWS}, to train, choose an "
            "epoch and to test; a few rows are no sequence to learn from. Give more rows, or a coarser step",
            code="too_few_rows",
        )
    # The rows of a usual series: half of all rows lie in one that is at least as long.
    ordered = np.sort(rows)
    usual = int(ordered[np.searchsorted(np.cumsum(ordered), sum(rows) / 2)])
    usual = max(usual, LEAST_ROWS)
    most = max(1, int(usual * _LARGEST_SHARE) - _WINDOWS)
    output = _output_steps(seasons, every, ahead, most, usual, notes, origin)
    share = min(_LARGEST_SHARE, max(_SHARE, math.ceil((output + _WINDOWS) / usual * 100) / 100))
    # Of many short series each gives a window to val and to test, whatever its length, and keeps the rest to learn from.
    held = output if share > _SHARE and series >= _MANY else 0
    if held:
        notes.say(
            "split",
            f"the newest {held} rows of each series for test, as many before them for val: {series} series, all of them short",
        )
    elif share > _SHARE:
        notes.say(
            "split",
            f"{share:.0%} each for val and test instead of 15 %: the rows are few, and each must hold {_WINDOWS} windows",
        )
    train = Lengths(0, output, share, held=held).trained(usual)
    stretches = sum(1 for count in rows if count >= usual // 2)
    spare = min(int(0.5 * train), max(2, math.ceil(_LEAST_WINDOWS / stretches)))
    room = max(2, train - output - spare)
    wanted, why = _wanted_input(seasons, output)
    steps = min(wanted, room, _LONGEST_INPUT)
    steps, segment = _segmented(steps, output)
    if steps < wanted:
        why += (
            f", as far as the rows carry ({train:,} training rows in a usual series)"
            if room < wanted
            else ", at most 336 steps"
        )
    notes.say("input_steps", why)
    return Lengths(steps, output, share, segment, held)


def _output_steps(
    seasons: list[Season], every: Every | None, ahead: int | None, most: int, usual: int, notes: Notes, origin: str
) -> int:
    if ahead is not None:
        if ahead > max(most, int(usual * 0.3)):
            raise DataError(
                f"{origin}: {ahead} steps ahead are too many for {usual} rows, of which val and test must hold a window "
                f"each. Expected at most {most}. Ask for fewer steps (--ahead {most}), or give more rows",
                code="ahead_too_long",
            )
        notes.say("output_steps", "as asked for")
        return min(ahead, max(1, int(usual * _LARGEST_SHARE)))
    spans = {season.steps: f"one season, {season.told}" for season in seasons}
    spans |= {steps: f"one {name}" for name, steps in (every.seasons() if every else {}).items() if steps not in spans}
    found = [season.steps for season in seasons if season.steps <= _LONGEST_AHEAD]
    steps = min(found) if found else max((each for each in spans if each <= _LONGEST_AHEAD), default=_PLAIN_AHEAD)
    why = spans.get(steps, "a dozen rows, because no season is seen")
    most = max(1, min(most, usual // _OUTPUTS))
    if steps > most:
        steps, why = most, f"what val and test carry of {usual} rows"
    notes.say("output_steps", f"{why}; another length: --ahead")
    return steps


def _wanted_input(seasons: list[Season], output: int) -> tuple[int, str]:
    short = [season for season in seasons if season.steps <= _LONGEST_INPUT]
    if not short:
        return max(24, 3 * output), "three times what is forecast, because no season is short enough"
    longest, first = short[-1].steps, short[0].steps
    steps = max(longest, 2 * first, 2 * output)
    count = round(steps / longest)
    return steps, f"{short[-1].told}{f', {count} times' if count > 1 else ''}: the window shows how it went before"


def _segmented(steps: int, output: int) -> tuple[int, int]:
    """Steps in as a multiple of a segment, and the segment: the shortest that leaves a recurrence of thirty steps."""
    if steps <= _SEGMENTED:
        return steps, 1
    for segment in range(2, output + 1):
        if output % segment == 0 and steps // segment + output // segment <= _SEGMENTS and steps // segment >= 2:
            return steps // segment * segment, segment
    return steps, 1


@dataclass(frozen=True)
class Effort:
    """Units of each layer, how the fit goes, and rows from one window to the next."""

    units: int
    dropout: float
    batch_size: int
    epochs: int
    learning_rate: float
    stride: int = 1


_SECONDS_OF_TRAINING = 120.0
_FLOPS, _STEP_SECONDS, _RECURRENT_SECONDS = (
    1.2e10,
    2.5e-3,
    3e-5,
)  # of two cores: work, a step's own cost, that of a step of the recurrence
_LEAST_EPOCHS = 5
_STEPS_OF_TRAINING = 2_500  # gradient steps after which a model beside a linear map has learnt what it can


def choose_effort(
    windows: int, channels: int, recurrence: int, features: int, notes: Notes, *, most_stride: int = 1
) -> Effort:
    """The model's size from the number of windows, and as many epochs as two minutes hold.

    Args:
        windows: To train on.
        channels: Sequences of a window: 1, or as many as there are independent targets.
        recurrence: Steps of encoder and decoder together.
        features: Columns of a step.
        notes: Takes the reasons.
        most_stride: Rows that may lie between two windows.
    """
    seen = windows * channels
    units = next((units for most, units in ((500, 16), (3_000, 32), (20_000, 64)) if seen <= most), 96)
    dropout = 0.3 if seen <= 3_000 else 0.2
    batch = next((batch for most, batch in ((2_000, 32), (30_000, 64), (100_000, 128)) if windows <= most), 256)
    a_step = _STEP_SECONDS + recurrence * _RECURRENT_SECONDS
    a_step += batch * channels * recurrence * 3 * 8 * units * (units + features) / _FLOPS
    batches = max(1, math.ceil(windows / batch))
    wanted = max(4, min(40, math.ceil(_STEPS_OF_TRAINING / batches)))
    affordable = max(1, int(_SECONDS_OF_TRAINING / (a_step * batches)))
    stride = 1
    if affordable < min(wanted, _LEAST_EPOCHS):
        # Neighbouring windows share nearly all rows: fewer of them are learnt in as many more passes.
        stride = min(most_stride, math.ceil(min(wanted, _LEAST_EPOCHS) * a_step * batches / _SECONDS_OF_TRAINING))
        batches = max(1, batches // stride)
        affordable = max(1, int(_SECONDS_OF_TRAINING / (a_step * batches)))
        notes.say("window_stride", "windows overlap, and more of them would take longer than two minutes to learn")
    epochs = min(wanted, affordable)
    notes.say("encoder_units", f"{units} units for about {seen:,} training windows; more would learn them by heart")
    seconds = a_step * batches * epochs
    notes.say(
        "epochs",
        f"{batches:,} batches each, about {max(1, round(seconds)):,} s on two cores; the epoch of the best validation is kept",
    )
    return Effort(units, dropout, batch, epochs, 1e-3 if seen > 3_000 else 2e-3, stride)
