"""A Parquet file of more rows than are held at a time: its series one by one, and each that is too long in pieces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from seq2seq_kit.bundles.watching import Watched
from seq2seq_kit.bundles.windows import WindowBundle
from seq2seq_kit.data.on_disk.row_groups import GroupedFile
from seq2seq_kit.data.sources.files import Place, joined
from seq2seq_kit.data.tables.columns import window_shape
from seq2seq_kit.errors import DataError
from seq2seq_kit.recipe.fields import Data, HorizonData
from seq2seq_kit.recipe.source_rules import PARQUET
from seq2seq_kit.scoring.cutting import Series, cut_newest, cut_windows
from seq2seq_kit.scoring.cutting_events import cut_detection
from seq2seq_kit.scoring.messages import Told
from seq2seq_kit.scoring.scorer import Scorer
from seq2seq_kit.scoring.sharing import SHARED_SECONDS, Pace, open_sharing
from seq2seq_kit.scoring.stretches import Stretch, frame_of_rows, stretches_of

if TYPE_CHECKING:
    import pyarrow as pa

MOST_NOTES = 20
_MOST_ANSWERS = 2**22  # rows of the answer to a piece, about
_SEASONS = 4  # that a baseline tries where there are gaps, see `History.one_season_before`
_ROW = re.compile(r"\brow (\d+)\b")
# Of stretches of a file of several series: what is no error of the file where other series have answers. Of series that the model
# does not know, or that end without a value, only a forecast leaves out of a table.
_OTHERS_MAY = ("series_too_short",)
_OTHERS_FORECAST = (*_OTHERS_MAY, "unknown_series", "missing_inputs")


@dataclass
class LargeFile:
    """A Parquet file of more rows than are held at a time.

    Attributes:
        scorer: Model, verb and options.
        place: The file.
        file: Its row groups.
        columns: That the model uses.
        most: Rows that are held at a time, where the answer is no larger.
        folder: For rows that have to be sorted by series.
        told: See `answer_file`.
        notes: What was done to the rows; grows while they are read.
        processes: That may share its series, and once they are read, that have; 1: this one alone.
    """

    scorer: Scorer
    place: Place
    file: GroupedFile
    columns: list[str]
    most: int
    folder: Path
    told: Told
    notes: list[str]
    processes: int = 1

    @classmethod
    def of(
        cls, scorer: Scorer, place: Place, told: Told, notes: list[str], *, most: int, folder: Path, processes: int = 1
    ) -> LargeFile | None:
        """The file, if it is one of more than `most` rows that need not be read as a whole; `folder`: see `stretches_of`."""
        bundle = scorer.bundle
        if Path(place.path).suffix.lower() not in PARQUET:
            return None
        file = GroupedFile.open(Path(place.path))
        if file.rows <= most:
            return None
        empty = file.metadata.schema.to_arrow_schema().empty_table().to_pandas(ignore_metadata=True)
        ignored = bundle.ignored_columns(empty)
        columns = [name for name in file.columns if name not in ignored]
        made = cls(scorer, place, file, columns, most, folder, told, notes, processes)
        if made.why_whole(series=bool(made.series)):
            notes.append(f"{place.shown} was read as a whole, in memory: {made.why_whole(series=False)}")
            return None
        return made

    @property
    def series(self) -> list[str]:
        """The columns of the file that tell series apart; those that its folders are named for are the same in all rows."""
        return [name for name in self.scorer.bundle.series_names if name in self.columns]

    def why_whole(self, *, series: bool) -> str:
        """Why a series cannot be cut; empty if it can, or if there are `series` that may each be short."""
        bundle, options = self.scorer.bundle, self.scorer.options
        if options.get("samples"):
            return "the paths of a file are drawn together"
        if series:
            return ""
        if not isinstance(bundle, WindowBundle):
            return f"of {bundle.what}, only whole series can be read one by one"
        data = bundle.window_data
        if data.resample is not None or data.gaps == "fill" or data.duplicates != "refuse":
            return "the recipe puts rows onto another grid (resample, gaps, duplicates)"
        asked = options.get("baseline") or getattr(bundle, "chosen", None)
        if options.get("all_windows") and (asked or getattr(data, "known_future", [])):
            return "windows of a baseline, or with values known ahead, are computed together"
        return ""

    def answers(self) -> Iterator[pd.DataFrame]:
        """Frames of the answer, in order."""
        if self.scorer.verb == "detect":
            yield self._ordered(list(self._pieces()))
        else:
            yield from self._pieces()

    def _pieces(self) -> Iterator[pd.DataFrame]:
        why: DataError | None = None
        found = False
        with stretches_of(self.file, self.columns, self.series, most=self._held, folder=self.folder) as stretches:
            for answers, notes in self._answered(stretches):
                try:
                    for answer in answers:
                        found = True
                        yield answer
                except DataError as error:
                    if len(stretches) == 1 or not self._others_may(error):
                        raise
                    self._note([*notes, f"left out: {error}"])
                    why = why or error
                else:
                    self._note(notes)
        if not found and why is not None:
            raise why

    def _answered(self, stretches: Sequence[Stretch]) -> Iterator[tuple[Iterator[pd.DataFrame], list[str]]]:
        """The answers to each stretch, which may end with an error, and the notes, which are there when they have ended."""
        most, self.processes, pace, done = self.processes, 1, Pace(), 0
        for number, stretch in enumerate(stretches):
            told = partial(self._told_from, done)
            if most > 1 and len(stretches) - number > 1 and pace.expected(self.file.rows - done) > SHARED_SECONDS:
                self.processes = min(most, len(stretches) - number)
                sent = replace(self, told=_unheard, notes=[])
                left = self.file.rows - done
                with open_sharing(sent, self.processes, folder=self.folder, told=told, rows=left) as shared:
                    yield from shared.each(stretches[number:])
                return
            notes = list[str]()
            yield self.answers_to(stretch, told, notes), notes
            pace.add(stretch.rows)
            done += stretch.rows

    def _told_from(self, done: int, read: int, share: float) -> None:
        """Tells of rows that are read behind others."""
        self.told(done + read, (done + read) / self.file.rows)

    def answers_to(self, stretch: Stretch, told: Told, notes: list[str]) -> Iterator[pd.DataFrame]:
        """The answers to a stretch; what was done to its rows is added to the notes."""
        one = replace(self, told=told, notes=notes)
        return one._of_stretch(one._counted(stretch))

    def _others_may(self, error: DataError) -> bool:
        """Whether a table of several series would have answers in spite of an error of some of them."""
        if self.scorer.verb != "predict":
            return error.code in _OTHERS_MAY
        refused = getattr(self.scorer.bundle.recipe.data, "short_series", "leave_out") == "refuse"
        return not refused and error.code in _OTHERS_FORECAST

    def _of_stretch(self, stretch: Stretch) -> Iterator[pd.DataFrame]:
        long = stretch.single and stretch.rows > self._held
        if long and (said := self.why_whole(series=False)):
            self.notes.append(f"a series of {stretch.rows:,} rows was read as a whole, in memory: {said}")
        elif long:
            yield from self._cut(stretch)
            return
        import pyarrow as pa

        yield self._ask(*self._rows_of(pa.concat_tables(stretch.tables())))

    def _cut(self, stretch: Stretch) -> Iterator[pd.DataFrame]:
        bundle, verb, options = self.scorer.bundle, self.scorer.verb, self.scorer.options
        assert isinstance(bundle, WindowBundle)
        data = bundle.window_data
        shape = window_shape(data)
        if verb == "detect":
            tuned = {name: options.get(name) for name in ("alarms_per_week", "threshold")}
            detector = bundle.require_detector().tuned(**tuned)  # type: ignore[arg-type]  # refused there
            yield from cut_detection(self._series(bundle, bundle.detect_data), stretch, self._watch, detector)
            return
        if verb == "predict" and not options.get("all_windows"):
            asked = options.get("baseline") or getattr(bundle, "chosen", None)
            season = max((getattr(each, "season", 0) for each in bundle.baselines), default=0) if asked else 0
            yield from cut_newest(self._series(bundle, data), stretch, self._ask, back=_SEASONS * season)
            return
        each, offset = 1, 0
        if verb == "predict":
            steps = options.get("steps") or shape.output_steps
            assert isinstance(steps, int)
            assert isinstance(data, HorizonData)
            longest = -(-steps // shape.output_steps) * shape.output_steps
            data = data.model_copy(update={"window_stride": 1, "output_steps": longest})
            each, offset = steps, shape.target_offset
        elif stride := options.get("stride"):
            data = data.model_copy(update={"window_stride": stride})
        if verb == "reconstruct":
            each, offset = shape.output_steps, shape.target_offset
        elif options.get("by") == "step":
            each = shape.output_steps
        yield from cut_windows(
            self._series(bundle, data), stretch, self._ask, each=each, offset=offset, ahead=verb == "predict"
        )

    @property
    def _held(self) -> int:
        """Rows of a piece: fewer where each of them has many rows of answers."""
        wide = self.scorer.verb == "reconstruct" or self.scorer.options.get("all_windows")
        bundle = self.scorer.bundle
        if not wide or not isinstance(bundle, WindowBundle):
            return self.most
        return max(min(self.most, _MOST_ANSWERS // window_shape(bundle.window_data).output_steps), 1)

    def _series(self, bundle: WindowBundle, data: Data) -> Series:
        return Series(bundle, data, self._held, self.place.shown, self._rows_of)

    def _rows_of(self, table: pa.Table) -> tuple[pd.DataFrame, np.ndarray]:
        """Rows of a stretch with the columns that the file's folders are named for, and their numbers in the file."""
        frame, numbers = frame_of_rows(table)
        frame = joined([self.place], lambda _: frame, texts=self.scorer.bundle.as_written)
        frame.attrs.clear()
        return frame, numbers

    def _ask(self, frame: pd.DataFrame, numbers: np.ndarray) -> pd.DataFrame:
        with _counted_in_file(numbers):
            answer, notes = self.scorer.answer(frame, self.place.shown)
        self._note(notes)
        answer.attrs.clear()
        return answer

    def _watch(self, frame: pd.DataFrame, numbers: np.ndarray) -> Watched:
        bundle = self.scorer.bundle
        assert isinstance(bundle, WindowBundle)
        with _counted_in_file(numbers):
            found = bundle.errors_of(frame, self.place.shown)
        self._note([*found.notes, *(f"{each.code}: {each}" for each in found.findings)])
        return found

    def _note(self, notes: Sequence[str]) -> None:
        if len(self.notes) < MOST_NOTES:
            self.notes.extend(note for note in notes if note not in self.notes)

    def _counted(self, stretch: Stretch) -> Stretch:
        """The same, of whose rows the progress is told."""

        def tables() -> Iterator[pa.Table]:
            read = 0
            for table in stretch.tables():
                yield table
                read += len(table)
                self.told(read, read / stretch.rows)

        return Stretch(stretch.rows, stretch.single, tables)

    def _ordered(self, events: list[pd.DataFrame]) -> pd.DataFrame:
        """Events of all stretches as one detection tells them: numbered, the worst first."""
        found = pd.concat([each for each in events if len(each)] or events[:1], ignore_index=True)
        score = found.iloc[:, 1 + len(self.scorer.bundle.series_names) + 5]
        found = found.iloc[np.argsort(-score.to_numpy(dtype=np.float64), kind="stable")].reset_index(drop=True)
        found[found.columns[0]] = np.arange(1, len(found) + 1)
        return found


def _unheard(rows: int, share: float) -> None:
    """Of a process that tells what it reads itself."""


@contextmanager
def _counted_in_file(numbers: np.ndarray) -> Iterator[None]:
    """Errors on rows of a piece name them as they are counted in the file."""

    def counted(found: re.Match[str]) -> str:
        row = int(found[1])
        return f"row {int(numbers[row - 1]) + 1}" if 0 < row <= len(numbers) else found[0]

    try:
        yield
    except DataError as error:
        raise type(error)(_ROW.sub(counted, str(error)), code=error.code) from None
