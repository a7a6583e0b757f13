"""What a program brings into a training of its own: model, loss, metrics, callbacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.recipe.fields import Recipe

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from seq2seq_kit.models.own import OwnModel

_Function: TypeAlias = "Callable[[tf.Tensor, tf.Tensor], tf.Tensor]"
OwnLoss: TypeAlias = "str | keras.Loss | _Function"
OwnMetric: TypeAlias = "str | keras.Metric | _Function"
OWN = "own"  # the word in a recipe


@dataclass(frozen=True)
class Own:
    """See `runs.train`; what is None or empty is the recipe's."""

    model: OwnModel | None = None
    loss: OwnLoss | None = None
    metrics: Sequence[OwnMetric] = ()
    callbacks: Sequence[keras.callbacks.Callback] = ()

    def __post_init__(self) -> None:
        for name in ("metrics", "callbacks"):
            value = getattr(self, name)
            if isinstance(value, str) or not isinstance(value, Sequence):
                said = f"{name} must be a list. Received: {type(value).__name__}"
                raise ArgumentError(said, code="invalid_argument")
        if self.callbacks:
            import keras

            if wrong := [each for each in self.callbacks if not isinstance(each, keras.callbacks.Callback)]:
                said = f"callbacks must be objects of keras.callbacks.Callback. Received: {type(wrong[0]).__name__}"
                raise ArgumentError(said, code="invalid_argument")
        if self.loss is not None:
            _function_of(self.loss)
        for metric in self.metrics:
            _metric_of(metric)

    @property
    def given(self) -> list[str]:
        """Names of what was handed over."""
        names = {"model": self.model is not None, "loss": self.loss is not None}
        names |= {"metrics": bool(self.metrics), "callbacks": bool(self.callbacks)}
        return [name for name, there in names.items() if there]

    def noted_in(self, recipe: Recipe) -> Recipe:
        """The recipe that says what is not its own: `model: {own: true}`, `training.loss: own`, where it has these keys."""
        changed: dict[str, object] = {}
        if self.model is not None and OWN in type(recipe.model).model_fields:
            changed["model"] = type(recipe.model).model_validate({OWN: True})
        if self.loss is not None and "loss" in type(recipe.training).model_fields:
            changed["training"] = recipe.training.model_copy(update={"loss": OWN})
        return recipe.model_copy(update=changed)


def own_in(recipe: Recipe) -> list[str]:
    """The arguments that a recipe says a program hands over."""
    says = {"model": getattr(recipe.model, OWN, False), "loss": getattr(recipe.training, "loss", None) == OWN}
    return [name for name, there in says.items() if there]


def own_loss(loss: OwnLoss, *, masked: bool, weighted: bool, shape: tuple[int, ...]) -> OwnLoss:
    """A program's loss over the observed cells only (a missing target is NaN), by step where steps have weights.

    The cells that were not observed are 0 in both arguments, so they give no gradient; the mean is over the others.

    Args:
        loss: Any that Keras takes.
        masked: Whether targets may be missing.
        weighted: Whether rows have weights: the loss then has to give one value for each step.
        shape: Of a target, `(steps, targets)`.

    Raises:
        ArgumentError: The loss does not give a number, or with weights not one for each step.
    """
    from keras import ops

    function = _function_of(loss)
    try:
        found = tuple(function(ops.ones((2, *shape)), ops.zeros((2, *shape))).shape)
    except Exception as error:  # whatever the program's own code says
        raise ArgumentError(
            f"the loss cannot be computed of the actual and the predicted values, both (batch, {shape[0]}, {shape[1]}): {error}",
            code="own_loss",
        ) from error
    expected = (2, shape[0])
    if weighted and found != expected:
        raise ArgumentError(
            "with data.weight the loss must give one value for each step, which the weights multiply. Expected the shape "
            f"(batch, {shape[0]}). Received: {found} for a batch of 2. Take the mean over the last axis only",
            code="own_loss",
        )
    if not masked:
        return function if weighted else loss

    def over_observed(truth: tf.Tensor, prediction: tf.Tensor) -> tf.Tensor:
        there, known, said = _observed(truth, prediction)
        losses = function(known, said)
        if weighted:
            return losses
        return ops.mean(losses) / ops.maximum(ops.mean(there), 1.0 / ops.cast(ops.size(there), there.dtype))

    return over_observed


def own_metrics(metrics: Sequence[OwnMetric], *, masked: bool) -> list[keras.Metric]:
    """A program's metrics; with masked data over the observed cells only, which they get as `(cells, 1)`."""
    import keras

    made = [_metric_of(metric) for metric in metrics]
    if not masked:
        return made

    class OverObserved(keras.Metric):
        def __init__(self, inner: keras.Metric) -> None:
            super().__init__(name=inner.name)
            self.inner = inner

        def update_state(self, truth: tf.Tensor, prediction: tf.Tensor, sample_weight: object = None) -> None:
            import tensorflow as tf

            there = tf.logical_not(tf.math.is_nan(truth))
            cells = (tf.boolean_mask(each, there)[:, None] for each in (truth, tf.cast(prediction, truth.dtype)))
            self.inner.update_state(*cells)

        def result(self) -> tf.Tensor:
            return self.inner.result()

        def reset_state(self) -> None:
            self.inner.reset_state()

    return [OverObserved(metric) for metric in made]


def _observed(truth: tf.Tensor, prediction: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    from keras import ops

    there = ops.logical_not(ops.isnan(truth))
    return ops.cast(there, prediction.dtype), ops.where(there, truth, 0.0), ops.where(there, prediction, 0.0)


def _function_of(loss: OwnLoss) -> _Function:
    import keras

    if isinstance(loss, keras.Loss):
        call: _Function = loss.call
        return call
    if isinstance(loss, str):
        try:
            found = keras.losses.get(loss)
        except (ValueError, TypeError):
            raise ArgumentError(
                f"Keras has no loss {loss}. Expected a name such as log_cosh", code="own_loss"
            ) from None
        return found.call if isinstance(found, keras.Loss) else found
    if not callable(loss):
        said = f"loss must be a keras.Loss, its name or a function. Received: {type(loss).__name__}"
        raise ArgumentError(said, code="invalid_argument")
    return loss


def _metric_of(metric: OwnMetric) -> keras.Metric:
    import keras

    if isinstance(metric, keras.Metric):
        return metric
    name = metric if isinstance(metric, str) else getattr(metric, "__name__", "metric")
    try:
        found = keras.metrics.get(metric)
    except (ValueError, TypeError):
        said = f"metrics must be keras.Metric objects, their names or functions. Received: {metric!r}"
        raise ArgumentError(said, code="invalid_argument") from None
    if not isinstance(found, keras.Metric):
        return keras.metrics.MeanMetricWrapper(found, name=name)
    # `mae` stays `mae` in history and run, as in Keras' own.
    return type(found).from_config(found.get_config() | {"name": name})
