"""What a forecast reads beside its targets: columns that help, words as categories, what is known ahead, what series share."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from seq2seq_kit.drafting.covariates import helps, is_help
from seq2seq_kit.drafting.notes import Notes, listed
from seq2seq_kit.drafting.seasons import Season
from seq2seq_kit.drafting.signal import training_rows
from seq2seq_kit.drafting.sizes import Lengths
from seq2seq_kit.drafting.table import Inspected
from seq2seq_kit.drafting.targets import Targets
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.messages import did_you_mean

_OTHERS = 12  # columns beside the target that are tried
_MOST_VALUES = 50  # of a static column of words
_KNOWN = 0.6  # share of the rows that another column must have


@dataclass
class Read:
    """The columns of a recipe.

    Attributes:
        inputs: Targets first.
        known: Known ahead.
        words: Those of the other two, and of `static`, that are categories.
        static: The same in all rows of a series.
        values: How many values the categories have together.
    """

    inputs: list[str]
    known: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    static: list[str] = field(default_factory=list)
    values: int = 0

    @property
    def keys(self) -> dict[str, object]:
        """Keys of the recipe beside `inputs`, those that say something."""
        return {
            key: names
            for key, names in (("known_future", self.known), ("categories", self.words), ("static", self.static))
            if names
        }

    @property
    def numbers(self) -> list[str]:
        """Columns of numbers that are read and change."""
        return [name for name in dict.fromkeys([*self.inputs, *self.known]) if name not in self.words]

    @property
    def features(self) -> int:
        """Columns that the encoder reads, about; of a category those of its vector."""
        return len(self.numbers) + len(self.static) + self.values // 2


def choose_inputs(
    table: Inspected,
    targets: Targets,
    known: Sequence[str],
    seasons: list[Season],
    lengths: Lengths,
    notes: Notes,
) -> Read:
    """The columns that a forecast reads, and why.

    Raises:
        DataError: A column of `known` is not there, holds nothing that can be read, or is a target.
    """
    read, roles = Read(list(targets.names)), table.roles
    # Truth values that pandas has read as such are numbers to the kit; those that are written out are words.
    truths = [name for name in roles.truths if table.source.frame[name].dtype == bool]
    words = [*(name for name in roles.truths if name not in truths), *roles.categories]
    _refuse_unknown(table, known, [*roles.numbers, *truths, *words], targets)
    others = [] if targets.wide else [name for name in (*roles.numbers, *truths, *words) if name not in targets.names]
    scarce = [name for name in others if table.source.frame[name].notna().mean() < _KNOWN]
    if scarce:
        notes.say("inputs", f"left out: {listed(scarce)}, known in less than {_KNOWN:.0%} of the rows")
        others = [name for name in others if name not in scarce]
    trial = _Trial(table, targets.names[0], seasons[0].steps if seasons else 1, lengths.output_steps)
    kept: list[str] = []
    dropped: list[str] = []
    for name in [name for name in others if name not in known][:_OTHERS]:
        gain, told = trial.gains(name, words=name in words)
        (kept if is_help(gain) else dropped).append(f"{name} ({gain:+.1%})" if gain else name)
        read.inputs += [name] if is_help(gain) else []
        if is_help(told - max(gain, 0.0)):
            key = "data.known_future and data.categories" if name in words else "data.known_future"
            said = f"{name} known ahead, as a plan is, lowers the error by {told:.1%}"
            notes.say("inputs", f"{said}: if it is, draft with --known {shlex.quote(name)}, or name it in {key}")
    if known:
        notes.say("known_future", f"as told; `predict` needs {listed(list(known))} for the steps ahead")
        read.known = list(known)
    _tell(kept, dropped, len(others) - len(known) - _OTHERS, notes)
    if roles.texts:
        notes.say("inputs", f"left out: {listed(roles.texts)}, which hold{'s' if len(roles.texts) == 1 else ''} texts")
    read.words = [name for name in words if name in read.inputs or name in known]
    if read.words:
        notes.say("categories", f"{listed(read.words)}: few different words, so each gets a learned vector")
    if not targets.wide:
        _static(table, read, notes)
    read.values = sum(int(table.source.frame[name].nunique()) for name in read.words)
    return read


def _refuse_unknown(table: Inspected, known: Sequence[str], usable: list[str], targets: Targets) -> None:
    for name in known:
        if name in targets.names:
            said = f"{name} is forecast, so it is not known ahead. Leave it out of --known, or choose another --target"
            raise DataError(f"{table.source.origin}: {said}", code="target_leak")
        if name not in usable:
            near = did_you_mean(name, usable, otherwise=f"; columns that can be: {listed(usable) or 'none'}")
            said = f"--known names {name}, which is no column that a forecast can read{near}"
            raise DataError(f"{table.source.origin}: {said}", code="missing_column")


@dataclass
class _Trial:
    """Columns beside the target, tried on the training rows of the longest series."""

    table: Inspected
    target: str
    season: int
    ahead: int

    def gains(self, name: str, *, words: bool) -> tuple[float, float]:
        """By what share the error of a linear forecast falls with a column, and with one that is also known ahead."""
        own = self.table.on_grid(self.target)
        longest = max(range(len(own)), key=lambda number: int(np.isfinite(own[number]).sum()))
        target = training_rows(own)
        offset = int(np.flatnonzero(np.isfinite(own[longest]))[0])
        beside = (self.table.words_on_grid(name) if words else self.table.on_grid(name))[longest]
        beside = beside[offset : offset + len(target)]
        beside = _by_mean(beside, target) if words else beside
        gain, told = (
            helps(target, beside, season=self.season, ahead=self.ahead, known=known) for known in (False, True)
        )
        return gain, told


def _by_mean(codes: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Words as numbers: the mean of the target beside each."""
    frame = pd.DataFrame({"code": codes, "target": target[: len(codes)]})
    return frame.groupby("code")["target"].transform("mean").to_numpy(dtype=np.float64)


def _tell(kept: list[str], dropped: list[str], more: int, notes: Notes) -> None:
    if kept:
        notes.say(
            "inputs",
            f"besides the target {listed(kept)}: a linear forecast of training rows has a smaller error with it",
        )
    if dropped:
        notes.say(
            "inputs",
            f"left out: {listed(dropped)}; the error of a linear forecast of training rows falls by less than 2 % with it",
        )
    if more > 0:
        notes.say("inputs", f"not tried: {more} further columns")


def _static(table: Inspected, read: Read, notes: Notes) -> None:
    """Columns that series share; what names each series anew tells nothing of others."""
    several = len(table.names)
    alone: list[str] = []
    for name in table.roles.static:
        column = table.source.frame[name]
        numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
        if not numeric and not 1 < column.nunique() < min(several, _MOST_VALUES + 1):
            alone.append(name)
            continue
        read.static.append(name)
        read.words += [] if numeric else [name]
    if read.static:
        notes.say("static", f"{listed(read.static)}: the same in all rows of a series, and known of new series, too")
        if words := [name for name in read.static if name in read.words]:
            notes.say("categories", f"{listed(words)}: words that series share")
    if alone:
        notes.say("inputs", f"left out: {listed(alone)}, another name of each series")
