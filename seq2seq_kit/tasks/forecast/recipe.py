"""What a recipe for a forecast over a horizon may say."""

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from seq2seq_kit.recipe.fields import (
    BRIDGE,
    TEACHER_FORCING,
    HorizonData,
    Model,
    Recipe,
    Rule,
    TeacherForcing,
    Training,
    Written,
)
from seq2seq_kit.recipe.messages import Problem
from seq2seq_kit.recipe.model_rules import (
    a_decoder_with_states_has_the_encoders_units,
    a_pyramid_has_layers_to_join,
    names_of,
    segments_and_pyramid_divide_the_steps,
    true_outputs_are_for_decoders_that_read_them,
)
from seq2seq_kit.recipe.rules import (
    a_column_is_named_once,
    a_split_in_time_leaves_training_rows,
    limits_are_in_order,
    row_groups_are_read_as_they_stand,
    settings_are_of_known_columns,
    texts_of,
    time_and_every_go_together,
)


class ForecastData(HorizonData):
    """The table of a forecast: inputs of the past, targets of the steps after it."""

    framing: Literal["horizon"] = Field(
        "horizon",
        description="horizon: windows, all steps ahead at once; next_step: whole sequences, one step at a time.",
    )


class ForecastModel(Model):
    """The layers of a forecast."""

    bridge: Literal["repeat", "state", "attention"] = Field("repeat", description=BRIDGE)

    channels: Literal["joint", "independent"] = Field(
        "joint", description="independent: each target is a series of its own, all with the same weights."
    )
    normalise: Literal["none", "last", "mean_std"] = Field(
        "none", description="What is taken out of each window's measured columns and put back into the forecast."
    )
    decoder_state: Literal["zeros", "encoder"] = Field(
        "zeros", description="encoder: decoder layer i starts from the final states of encoder layer i."
    )


class ForecastTraining(Training):
    """The fit of a forecast."""

    teacher_forcing: TeacherForcing = Field(default_factory=lambda: [1.0, 1.0], description=TEACHER_FORCING)


# Layers that only a repeating decoder has: the builder of one that feeds back takes no such arguments.
REPEAT_ONLY = ("segment_steps", "channels", "normalise", "position_embedding", "decoder_state", "output_dropout")


def a_target_is_not_known(recipe: Written) -> Iterator[Problem]:
    data = recipe.data
    known = texts_of(data.get("known_future"))
    leaked = [name for name in dict.fromkeys(texts_of(data.get("targets"))) if name in known]
    if leaked:
        said = f"{', '.join(leaked)} stands in `targets` and in `known_future`; a target is not known"
        yield Problem("data.known_future", said)


def independent_channels_are_the_first_inputs(recipe: Written) -> Iterator[Problem]:
    data, model = recipe.data, recipe.model
    inputs, targets = names_of(data, "inputs"), names_of(data, "targets")
    if model.get("channels") == "independent" and inputs and targets and inputs[: len(targets)] != targets:
        rest = [name for name in inputs if name not in targets]
        said = (
            f"`model.channels: independent` needs the targets first, in their order: [{', '.join([*targets, *rest])}]"
        )
        yield Problem("data.inputs", f"{said}. Received: [{', '.join(inputs)}]")


def what_is_normalised_is_read(recipe: Written) -> Iterator[Problem]:
    data, model = recipe.data, recipe.model
    inputs, method = names_of(data, "inputs"), model.get("normalise")
    absent = [name for name in names_of(data, "targets") if name not in inputs]
    if method in ("last", "mean_std") and inputs and absent:
        said = f"`normalise: {method}` needs every target among `data.inputs`; add {', '.join(absent)} there"
        yield Problem("model.normalise", said)


def a_masked_cell_is_no_value_of_a_window(recipe: Written) -> Iterator[Problem]:
    data, model = recipe.data, recipe.model
    if data.get("missing") != "mask":
        return
    instead = "Choose `data.missing: interpolate` or `ffill`, or leave this key out"
    if model.get("normalise") in ("last", "mean_std"):
        said = "does not go with `data.missing: mask`, whose cells hold a stand-in and no value of the window"
        yield Problem("model.normalise", f"{said}. {instead}")
    if model.get("channels") == "independent":
        said = "does not go with `data.missing: mask`, whose flags belong to single columns"
        yield Problem("model.channels", f"{said}. {instead}")


def feeding_back_stands_alone(recipe: Written) -> Iterator[Problem]:
    data, model = recipe.data, recipe.model
    bridge = model.get("bridge")
    if bridge not in ("state", "attention"):
        return
    for key in REPEAT_ONLY:
        if key in model and model[key] != ForecastModel.model_fields[key].default:
            said = f"does not go with `bridge: {bridge}`, whose decoder starts from the encoder's states and writes step by step"
            yield Problem(f"model.{key}", f"{said}. Leave it out, or choose `bridge: repeat`")
    inputs = names_of(data, "inputs")
    absent = [name for name in names_of(data, "targets") if inputs and name not in inputs]
    if absent:
        said = (
            f"`bridge: {bridge}` begins with the newest value of each target; add {', '.join(absent)} to `data.inputs`"
        )
        yield Problem("model.bridge", said)
    if data.get("gap_steps"):
        yield Problem("data.gap_steps", f"must be 0 for `bridge: {bridge}`, which goes on right after the inputs")


class ForecastRecipe(Recipe):
    """(input_steps, inputs) -> (output_steps, targets)."""

    rules: ClassVar[tuple[Rule, ...]] = (
        time_and_every_go_together,
        a_column_is_named_once,
        limits_are_in_order,
        settings_are_of_known_columns,
        a_target_is_not_known,
        row_groups_are_read_as_they_stand,
        a_split_in_time_leaves_training_rows,
        segments_and_pyramid_divide_the_steps,
        a_decoder_with_states_has_the_encoders_units,
        independent_channels_are_the_first_inputs,
        what_is_normalised_is_read,
        a_masked_cell_is_no_value_of_a_window,
        feeding_back_stands_alone,
        a_pyramid_has_layers_to_join,
        true_outputs_are_for_decoders_that_read_them,
    )
    searched_data: ClassVar[tuple[str, ...]] = ("input_steps", "inputs", "calendar", "known_future")

    task: Literal["forecast"]
    data: ForecastData
    model: ForecastModel = Field(default_factory=ForecastModel)
    training: ForecastTraining = Field(default_factory=ForecastTraining)
