"""What stands out in a result, whatever was predicted: loses to a baseline, could go on learning, ...

Each task puts its own list together from these and from what only it can find, in `diagnose` of its `task.py`.
"""

from collections.abc import Mapping, Sequence

from seq2seq_kit.evaluation.base import Board, ErrorBoard
from seq2seq_kit.evaluation.baselines import LastValue
from seq2seq_kit.evaluation.windows import Evaluation
from seq2seq_kit.findings import Finding

# RMSE of two forecasters this near to each other is called a tie: seeds alone move a small network by about as much.
TIE = 0.02
_MEAN_R2 = 0.05
_SPLIT_FACTOR = 1.5
_STILL_GAINING = 0.01

# What to do about a finding, by its code, where the class of the evaluation has no other advice.
ADVICE = {
    "ties_with_baseline": "The simpler one does as well; use it, or train longer",
    "loses_to_baseline": "Use the baseline, or try more epochs, more units or another learning_rate",
    "val_and_test_differ": "The two parts differ by chance; give more sequences, or larger shares in data.split",
    "returns_the_mean": "Train longer, raise learning_rate, encoder_units or latent_dim, or cut the sequences shorter",
    "repeats_last_value": "Add inputs that tell the future (calendar, known_future), lengthen input_steps to a whole season, or "
    "accept that the series is a random walk",
    "wild_row": "If it cannot be real (a total at the end, a typing error), remove it or set data.limits; figures with it say "
    "little about the other rows",
    "penalty_at_edge": "Skill against it may flatter; bring columns to a similar size with data.scaling, or give more rows",
}


def examine_errors(
    val: ErrorBoard, test: ErrorBoard, val_losses: Sequence[float], *, all_epochs: bool
) -> list[Finding]:
    """The findings on predicted values that no task keeps to itself.

    Args:
        val: Evaluation on the validation part.
        test: Evaluation on the test part, or `val` where there is none.
        val_losses: Validation loss of each epoch.
        all_epochs: Whether the fit ran to its last epoch instead of stopping early.
    """
    return [
        *against_baseline(test),
        *still_improving(val_losses, all_epochs=all_epochs),
        *val_and_test_differ(val, test),
    ]


def no_test_part(part: str) -> list[Finding]:
    """The finding on a run whose recipe leaves no rows for a test, by the part that it is judged by."""
    said = "there are no test rows: all figures are of the validation part, which has chosen what is kept, and flatter the model"
    advice = "Judge it on rows that it has not seen: evaluate --data FILE"
    return [Finding("no_test_part", "note", said, advice)] if part != "test" else []


def verdict(skill: float) -> str:
    """What a model does to its best baseline, in words, by its skill against it."""
    return "ties with" if abs(skill) <= TIE else "beats" if skill > 0 else "does not beat"


def against_baseline(test: Board) -> list[Finding]:
    """The finding on a model that does not beat its best baseline."""
    peer, skill = test.best_baseline, test.skill
    said = f"the baseline {peer} on the {test.part} {test.unit}{test.excluded} ({test.compared(peer)})"
    if abs(skill) <= TIE:
        return [_warning(test, "ties_with_baseline", f"ties with {said}")]
    if skill < 0 or (test.exact(peer) and not test.exact()):  # an exact baseline leaves no skill to speak of
        return [_warning(test, "loses_to_baseline", f"loses to {said}")]
    return []


def still_improving(losses: Sequence[float], *, all_epochs: bool) -> list[Finding]:
    """The finding on a fit that was stopped while validation was still gaining; arguments as in `examine_errors`."""
    if not all_epochs or len(losses) < 2:
        return []
    best = min(losses[:-1])
    gain = 1 - losses[-1] / best if best > 0 else 0.0
    if gain <= _STILL_GAINING:
        return []
    said = f"still improving at the last epoch: the validation loss fell by another {gain:.1%}"
    return [Finding("still_improving", "note", said, f"Raise training.epochs (now {len(losses)})")]


def val_and_test_differ(val: Board, test: Board) -> list[Finding]:
    """The finding on two parts with errors of another size, and on rows that alone make an error so large."""
    found = [
        _warning(
            board,
            "wild_row",
            f"{'; '.join(board.wild)}: with the {board.unit} that touch it {board.compares} on {board.part} is "
            f"{board.error_of():.4g}, without them {board.calm_error():.4g}",
        )
        for board in ((val, test) if test is not val else (val,))
        if board.wild and not _alike(board.error_of(), board.calm_error())
    ]
    errors = test.calm_error(), val.calm_error()
    if _alike(*errors):
        return found
    factor = errors[0] / errors[1]
    said = f"a factor of {max(factor, 1 / factor):.1f} ({test.compares} {errors[1]:.4g} and {errors[0]:.4g})"
    return [*found, _warning(test, "val_and_test_differ", f"validation and test{test.excluded} differ by {said}")]


def _alike(one: float, other: float) -> bool:
    """Whether two errors are of the same size; an error of 0 or of no window says nothing."""
    return not min(one, other) > 0 or 1 / _SPLIT_FACTOR < one / other < _SPLIT_FACTOR


def chosen_at_the_edge(test: Board, edges: Mapping[str, str]) -> list[Finding]:
    """The finding on a baseline whose setting was the last of those tried, so that another might have done better.

    Args:
        test: Evaluation on the test part.
        edges: By baseline, that setting in words.
    """
    return [
        _warning(test, "penalty_at_edge", f"{name} chose the {edge}, and its validation error was still falling there")
        for name, edge in edges.items()
    ]


def returns_the_mean(test: ErrorBoard) -> list[Finding]:
    """The finding on an autoencoder that explains next to nothing of the variance."""
    r2 = test.overall().r2
    said = f"the autoencoder returns the mean: R2 {r2:.3f} on the {test.part} {test.unit}{test.excluded}"
    return [_warning(test, "returns_the_mean", said)] if r2 < _MEAN_R2 else []


def repeats_last_value(test: Evaluation) -> list[Finding]:
    """The finding on forecasts that lie nearer to the newest input than to the truth, and are no better than it."""
    distance, error = test.from_last_value, test.error_of()
    if distance is None or not distance < error:
        return []
    # Where the truth is noisy, the best forecast there is lies nearer to anything smooth than to the truth.
    if LastValue.name in test.names and test.skill_against(LastValue.name) > TIE:
        return []
    said = (
        f"repeats the last value: the forecasts lie nearer to the newest input ({test.compares} {distance:.4g}) "
        f"than to the ground truth ({test.compares} {error:.4g})"
    )
    return [_warning(test, "repeats_last_value", said)]


def _warning(test: Board, code: str, text: str) -> Finding:
    return Finding(code, "warning", text, test.advice.get(code) or ADVICE[code])
