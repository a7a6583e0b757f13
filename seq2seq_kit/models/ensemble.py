"""Several models that answer as one: a model that holds each of them whole and combines what they give.

Saving, loading, kernels, forecasts and export know nothing of it: an ensemble is a model like any other, whose layers are
`member_1`, `member_2`, ..., and `ensemble`, which combines them (Hansen and Salamon 1990, "Neural network ensembles";
Lakshminarayanan et al. 2017, "Simple and scalable predictive uncertainty estimation using deep ensembles"). Members may read
windows of several lengths (as those of N-BEATS do; Oreshkin et al. 2020): before a member that reads fewer steps than the others
stands `member_1_steps`, which keeps the newest.
"""

import math
from collections.abc import Sequence

import keras
from keras import ops

from seq2seq_kit.errors import ArgumentError
from seq2seq_kit.models.arguments import boolean, one_of, positive_int, refuse_shape
from seq2seq_kit.models.keras_compat import Tensor
from seq2seq_kit.models.layers import PACKAGE, Shape

COMBINATIONS = ("mean", "median")
_ENSEMBLE, _MEMBER, _STEPS = "ensemble", "member_", "_steps"
LEAST = 1e-30  # a probability that no member gives would be the logarithm of 0


@keras.saving.register_keras_serializable(package=PACKAGE)
class CombineMembers(keras.layers.Layer):
    """The mean or the median of what the members of an ensemble give, cell by cell.

    Quantiles that do not cross in any member do not cross in their mean or median either.

    Args:
        combine: `mean` or `median`; of an even number of members the median is the mean of the two in the middle.
        logits: Whether members give logits: their probabilities are combined then, and given as logits again.

    Input shape:
        A list of tensors of one shape, `(batch, ...)`, one for each member.

    Output shape:
        The same.
    """

    def __init__(self, combine: str = "mean", *, logits: bool = False, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.combine = one_of("combine", combine, COMBINATIONS)
        self.logits = boolean("logits", logits)
        self.supports_masking = True

    def build(self, input_shape: Sequence[Shape]) -> None:
        self.built = True

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        given, count = ops.stack(list(inputs)), len(inputs)
        if self.combine == "mean":
            if not self.logits:
                return ops.mean(given, axis=0)
            return ops.logsumexp(ops.log_softmax(given, axis=-1), axis=0) - math.log(count)
        ordered = ops.sort(ops.softmax(given, axis=-1) if self.logits else given, axis=0)
        middle = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
        return ops.log(ops.maximum(middle, LEAST)) if self.logits else middle

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        return tuple(input_shape[0])

    def compute_mask(self, inputs: object, previous_mask: object) -> None:
        return None

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"combine": self.combine, "logits": self.logits}


@keras.saving.register_keras_serializable(package=PACKAGE)
class NewestSteps(keras.layers.Layer):
    """The newest steps of a window, for a member that reads fewer than the others.

    Args:
        steps: How many, at least 1 and at most as many as the window has.

    Input shape:
        `(batch, time, features)`.

    Output shape:
        `(batch, steps, features)`, with the mask of these steps.
    """

    def __init__(self, steps: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.steps = positive_int("steps", steps)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        if input_shape[1] is None or input_shape[1] < self.steps:
            refuse_shape(f"NewestSteps needs at least steps={self.steps} steps", input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        return inputs[:, -self.steps :]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.steps, *input_shape[2:])

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None) -> Tensor | None:
        return None if previous_mask is None else previous_mask[:, -self.steps :]

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"steps": self.steps}


def join_members(
    models: Sequence[keras.Model], combine: str = "mean", *, logits: bool = False, steps: int | None = None
) -> keras.Model:
    """A model that answers with the mean or the median of what several give.

    Args:
        models: Of equal inputs and outputs, one output each, but for the steps of the first input; they become its layers
            `member_1`, `member_2`, ...
        combine: As of `CombineMembers`, likewise `logits`.
        logits: See `combine`.
        steps: Of the first input; None: of the model that reads most.

    Returns:
        A model on the same weights, with the inputs and the output of each.
    """
    longest = max(models, key=lambda model: _steps_of(model) or 0)
    inputs = _inputs_like(longest, steps)
    for number, model in enumerate(models, start=1):
        model.name = f"{_MEMBER}{number}"
    answers = [_answer(model, inputs) for model in models]
    outputs = CombineMembers(combine, logits=logits, name=_ENSEMBLE)(answers)
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], outputs, name=_ENSEMBLE)


def members_of(model: keras.Model) -> list[keras.Model]:
    """The members of an ensemble, the first one first; of any other model itself."""
    if combining(model) is None:
        return [model]
    return [layer for layer in model.layers if isinstance(layer, keras.Model) and layer.name.startswith(_MEMBER)]


def reading_as(member: keras.Model, model: keras.Model) -> keras.Model:
    """A member by itself that takes what another model takes, such as its ensemble: of the first input the newest steps."""
    if _steps_of(member) == _steps_of(model):
        return member
    inputs = _inputs_like(model, None)
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], _answer(member, inputs), name=member.name)


def _steps_of(model: keras.Model) -> int | None:
    """Steps of the first input; None for any number."""
    shape = model.inputs[0].shape
    return shape[1] if len(shape) > 1 else None


def _inputs_like(model: keras.Model, steps: int | None) -> list[Tensor]:
    shapes = [tensor.shape[1:] for tensor in model.inputs]
    if steps is not None:
        shapes[0] = (steps, *shapes[0][1:])
    return [
        keras.Input(shape, dtype=tensor.dtype, name=tensor.name)
        for shape, tensor in zip(shapes, model.inputs, strict=True)
    ]


def _answer(member: keras.Model, inputs: Sequence[Tensor]) -> Tensor:
    """What a member gives to the inputs of its ensemble."""
    read, steps = list(inputs), _steps_of(member)
    if steps is not None and steps != read[0].shape[1]:
        read[0] = NewestSteps(steps, name=f"{member.name}{_STEPS}")(read[0])
    return member(read if len(read) > 1 else read[0])


def combining(model: keras.Model) -> CombineMembers | None:
    """The layer that combines the members of an ensemble; None of any other model."""
    return next((layer for layer in model.layers if isinstance(layer, CombineMembers)), None)


def first_members(model: keras.Model, count: int) -> keras.Model:
    """An ensemble of its first members, or the first one itself, made anew on the same layers; any other model as it is.

    The first one itself, unless it reads fewer steps than the ensemble: then it is an ensemble of one.

    Made anew, because scheduled sampling calls the layers of a model again, and a model within a model would not be saved then.
    """
    layer = combining(model)
    if layer is None:
        return model
    members = [keras.Model(each.input, each.output, name=each.name) for each in members_of(model)[:count]]
    if count == 1 and _steps_of(members[0]) == _steps_of(model):
        return members[0]
    return join_members(members, layer.combine, logits=layer.logits, steps=_steps_of(model))


def require_one_latent_space(model: keras.Model) -> keras.Model:
    """A model, unless it is an ensemble.

    Raises:
        ArgumentError: It is: each member has a latent space of its own, and vectors of two spaces have no mean.
    """
    if combining(model) is not None:
        raise ArgumentError(
            f"an ensemble has no latent vectors: each of its {len(members_of(model))} members has a latent space of its own, and "
            "a mean over several says nothing. Train a single model (leave `ensemble` out) to encode",
            code="ensemble_has_no_latent_space",
        )
    return model
