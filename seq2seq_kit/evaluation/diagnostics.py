"""What a colleague would say of the result: copies the last value, loses to a baseline, could go on learning, ..."""

from collections.abc import Sequence

from seq2seq_kit.evaluation.base import MODEL, Board
from seq2seq_kit.evaluation.baselines import LastValue
from seq2seq_kit.evaluation.windows import Evaluation
from seq2seq_kit.findings import Finding
from seq2seq_kit.tasks.whole.evaluation import SequenceEvaluation

# RMSE of two forecasters this near to each other is called a tie: seeds alone move a small network by about as much.
TIE = 0.02
_MEAN_R2 = 0.05
_SPLIT_FACTOR = 1.5
_STILL_GAINING = 0.01


def examine_forecast(
    val: Evaluation, test: Evaluation, val_losses: Sequence[float], *, all_epochs: bool
) -> list[Finding]:
    """Findings on a forecast.

    Args:
        val: Evaluation on the validation windows.
        test: Evaluation on the test windows.
        val_losses: Validation loss of each epoch.
        all_epochs: Whether the fit ran to its last epoch instead of stopping early.
    """
    findings = []
    score = test.overall()
    if test.from_last_value is not None and test.from_last_value < score.rmse:
        findings.append(
            Finding(
                "repeats_last_value",
                "warning",
                f"repeats the last value: the forecasts lie nearer to the newest input (RMSE {test.from_last_value:.4g}) "
                f"than to what came (RMSE {score.rmse:.4g})",
                "Add inputs that tell the future (calendar, known_future), lengthen input_steps to a whole season, or "
                "accept that the series is a random walk",
            )
        )
    return [*findings, *_against_baseline(test), *_common(val, test, val_losses, all_epochs=all_epochs)]


def examine_next_step(
    val: Evaluation, test: Evaluation, val_losses: Sequence[float], *, all_epochs: bool
) -> list[Finding]:
    """Findings on a next-step forecast; arguments as in `examine_forecast`."""
    findings = examine_forecast(val, test, val_losses, all_epochs=all_epochs)
    own, peer = val.by_step(MODEL)[0], val.by_step(LastValue.name)[0]
    # A one-step loss of a slow series is small for a model that hands its input through; its forecasts then stand still.
    if abs(own - peer) <= TIE * peer:
        said = (
            f"copies the last step: one step ahead it is no better than repeating the newest row (RMSE {own:.4g} against "
            f"{peer:.4g} on the validation windows)"
        )
        advice = "Train with framing: horizon, which no copy can satisfy, or give the inputs as differences of neighbouring rows"
        findings.insert(0, Finding("copies_last_step", "warning", said, advice))
    return findings


def examine_autoencoder(
    val: Evaluation, test: Evaluation, val_losses: Sequence[float], *, all_epochs: bool
) -> list[Finding]:
    """Findings on an autoencoder; arguments as in `examine_forecast`."""
    findings = []
    if test.overall().r2 < _MEAN_R2:
        findings.append(
            Finding(
                "returns_the_mean",
                "warning",
                f"the autoencoder returns the mean: R2 {test.overall().r2:.3f} on the test windows",
                "Train longer, raise learning_rate, encoder_units or latent_dim, or shorten input_steps",
            )
        )
    return [*findings, *_against_baseline(test), *_common(val, test, val_losses, all_epochs=all_epochs)]


def examine_whole(
    val: SequenceEvaluation, test: SequenceEvaluation, val_losses: Sequence[float], *, all_epochs: bool
) -> list[Finding]:
    """Findings on an autoencoder of whole sequences; arguments as in `examine_forecast`."""
    findings = []
    if test.overall().r2 < _MEAN_R2:
        said = f"the autoencoder returns the mean: R2 {test.overall().r2:.3f} on the test sequences"
        advice = "Train longer, raise learning_rate, encoder_units or latent_dim, or cut the sequences shorter"
        findings.append(Finding("returns_the_mean", "warning", said, advice))
    return [*findings, *_against_baseline(test), *_common(val, test, val_losses, all_epochs=all_epochs)]


def against_baseline(board: Board, figures: str, *, perfect: bool) -> list[Finding]:
    """The finding on a model that does not beat its best baseline.

    Args:
        board: The test part.
        figures: Both errors in words.
        perfect: Whether the baseline has no error at all, so that there is no skill to speak of.
    """
    peer, skill = board.best_baseline, board.skill
    if abs(skill) <= TIE:
        text = f"ties with the baseline {peer} on the test part ({figures})"
        return [Finding("ties_with_baseline", "warning", text, "The simpler one does as well; use it, or train longer")]
    if skill < 0 or perfect:
        text = f"loses to the baseline {peer} on the test part ({figures})"
        advice = "Use the baseline, or try more epochs, more units or another learning_rate"
        return [Finding("loses_to_baseline", "warning", text, advice)]
    return []


def _against_baseline(test: Evaluation | SequenceEvaluation) -> list[Finding]:
    peer, skill = test.best_baseline, test.skill
    own, other = test.overall().rmse, test.overall(peer).rmse
    figures = f"RMSE {own:.4g} against {other:.4g}" + (f", skill {skill:+.3f}" if other else "")
    if abs(skill) <= TIE:
        text = f"ties with the baseline {peer} on the test {test.unit} ({figures})"
        return [Finding("ties_with_baseline", "warning", text, "The simpler one does as well; use it, or add inputs")]
    if skill < 0 or own > other == 0:  # a baseline without error leaves no skill to speak of
        text = f"loses to the baseline {peer} on the test {test.unit} ({figures})"
        advice = "Use the baseline, or try more epochs, other inputs, fewer units or dropout"
        return [Finding("loses_to_baseline", "warning", text, advice)]
    return []


def still_improving(losses: Sequence[float], *, all_epochs: bool) -> list[Finding]:
    """The finding on a fit that was stopped while validation was still gaining; arguments as in `examine_forecast`."""
    if not all_epochs or len(losses) < 2:
        return []
    best = min(losses[:-1])
    gain = 1 - losses[-1] / best if best > 0 else 0.0
    if gain <= _STILL_GAINING:
        return []
    said = f"still improving at the last epoch: the validation loss fell by another {gain:.1%}"
    return [Finding("still_improving", "note", said, f"Raise training.epochs (now {len(losses)})")]


def _common(
    val: Evaluation | SequenceEvaluation,
    test: Evaluation | SequenceEvaluation,
    losses: Sequence[float],
    *,
    all_epochs: bool,
) -> list[Finding]:
    findings = still_improving(losses, all_epochs=all_epochs)
    errors = test.overall().rmse, val.overall().rmse
    factor = errors[0] / errors[1] if min(errors) > 0 else 1.0
    if not 1 / _SPLIT_FACTOR < factor < _SPLIT_FACTOR:
        findings.append(
            Finding(
                "val_and_test_differ",
                "warning",
                f"validation and test differ by a factor of {max(factor, 1 / factor):.1f} (RMSE {val.overall().rmse:.4g} "
                f"and {test.overall().rmse:.4g})",
                "The two stretches of time differ; look at the forecasts of both, or choose another data.split"
                if isinstance(test, Evaluation)
                else "The two parts differ by chance; give more sequences, or larger shares in data.split",
            )
        )
    return findings
