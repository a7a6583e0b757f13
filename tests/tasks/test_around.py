"""The combined form: one encoder, from whose latent vector a window is rebuilt and the rows around it are told."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from seq2seq_kit import explain, load
from seq2seq_kit.anomalies.row_errors import row_errors
from seq2seq_kit.bundles.serving import served_examples
from seq2seq_kit.data.windows.kept import loss_flags
from seq2seq_kit.data.windows.ranges import WindowShape, make_windows
from seq2seq_kit.errors import ArgumentError, RecipeError, SeriesTooShortError
from seq2seq_kit.models import build_autoencoder, split_autoencoder
from seq2seq_kit.tasks import open_job
from seq2seq_kit.training.beyond import shared_loss, step_weights
from seq2seq_kit.training.fit import seed_everything
from seq2seq_kit.training.own_scale import own_ratio
from tests.conftest import autoencode_recipe, hourly_frame
from tests.untyped import parse_recipe

SHAPE = WindowShape.autoencode(input_steps=4, before=2, after=3)


def around(recipe: dict[str, Any] | None = None, *, training: dict[str, Any] | None = None, **data: Any) -> Any:
    recipe = recipe or autoencode_recipe()
    section = recipe["data"] | {"forecast_steps": 3, "backcast_steps": 2} | data
    return recipe | {"data": section, "training": recipe["training"] | (training or {})}


def opened(recipe: dict[str, Any], frame: pd.DataFrame) -> Any:
    seed_everything(0, deterministic=False)
    return open_job(parse_recipe(recipe), frame)


def trained(recipe: dict[str, Any], frame: pd.DataFrame) -> tuple[Any, Any, Any]:
    job = opened(recipe, frame)
    model = job.build()
    fitted = job.fit(model, [])
    return job, fitted, job.bundle(model, {})


@pytest.fixture(scope="module")
def run() -> tuple[Any, Any, Any]:
    return trained(around(training={"epochs": 2, "forecast_weight": 0.3}), hourly_frame(500))


def test_a_window_s_shape_tells_its_rows_and_those_around_it() -> None:
    assert (SHAPE.output_steps, SHAPE.target_offset, SHAPE.span) == (9, -2, 9)
    assert (SHAPE.inside, SHAPE.beyond) == (slice(2, 6), [0, 1, 6, 7, 8])
    assert WindowShape.autoencode(input_steps=4).beyond == []
    assert WindowShape.forecast(input_steps=4, output_steps=3).beyond == []
    windows = make_windows(np.array([[10, 25, 0]]), np.array([[12, 25]]), SHAPE)
    rows = windows.target_rows()
    assert (rows[0].tolist(), rows[-1, -1]) == (list(range(12, 21)), 24)
    np.testing.assert_array_equal(rows[:, SHAPE.inside], windows.input_rows())
    # A gap is never crossed, in front neither.
    assert make_windows(np.array([[10, 18, 0], [18, 26, 0]]), np.array([[0, 26]]), SHAPE).count == 0


def built(units: int) -> keras.Model:
    """Windows of four steps, two before them and three after."""
    return build_autoencoder(
        input_steps=4,
        input_features=2,
        latent_dim=3,
        encoder_units=[units],
        decoder_units=[units],
        forecast_steps=3,
        backcast_steps=2,
    )


def test_a_model_writes_the_steps_around_and_its_halves_are_its_halves() -> None:
    model = built(units=5)
    assert (model.input_shape, model.output_shape) == ((None, 4, 2), (None, 9, 2))
    plain = build_autoencoder(input_steps=4, input_features=2, latent_dim=3, encoder_units=[5], decoder_units=[5])
    assert [layer.name for layer in model.layers] == [layer.name for layer in plain.layers]
    assert model.count_params() == plain.count_params()
    given = np.random.default_rng(0).normal(size=(3, 4, 2)).astype("float32")
    encoder, decoder = split_autoencoder(model)
    np.testing.assert_allclose(decoder(encoder(given)), model(given), atol=1e-6)
    with pytest.raises(ArgumentError, match="forecast_steps=-1"):
        build_autoencoder(input_steps=4, input_features=2, forecast_steps=-1)
    with pytest.raises(ArgumentError, match="backcast_steps=True"):
        build_autoencoder(input_steps=4, input_features=2, backcast_steps=True)
    with pytest.raises(ArgumentError, match="multiple of 2"):
        build_autoencoder(input_steps=4, input_features=2, segment_steps=2, forecast_steps=1)


@pytest.mark.slow
def test_it_learns_a_toy_problem() -> None:
    keras.utils.set_random_seed(0)
    phase = np.random.default_rng(1).uniform(0, 6, (256, 1, 1))
    waves = np.sin(phase + np.arange(9)[None, :, None] * 0.5 + np.array([0.0, 1.5])).astype("float32")
    model = built(units=8)
    loss = shared_loss("mse", SHAPE, 0.5, {"masked": False, "weighted": False})
    model.compile(optimizer=keras.optimizers.Adam(0.02), loss=loss)
    model.fit(waves[:, SHAPE.inside], waves, epochs=40, batch_size=32, verbose=0)
    error = (np.asarray(model(waves[:, SHAPE.inside])) - waves) ** 2
    assert error[:, SHAPE.inside].mean() < 0.05 * waves.var()
    assert error[:, SHAPE.beyond].mean() < 0.1 * waves.var()


@pytest.mark.parametrize("name", ["mse", "mae", "huber"])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_is_weighed_between_its_two_parts(name: str, masked: bool, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    truth, said = (rng.normal(scale=1.5, size=(6, 9, 2)).astype("float32") for _ in range(2))
    error = np.abs(truth - said).astype("float64")
    cell = {"mse": error**2, "mae": error, "huber": np.where(error <= 1, error**2 / 2, error - 0.5)}[name]
    loss = shared_loss(name, SHAPE, 0.3, {"masked": masked, "weighted": weighted})
    found = float(np.asarray(keras.ops.mean(loss(truth, said))))
    expected = 0.7 * cell[:, SHAPE.inside].mean() + 0.3 * cell[:, SHAPE.beyond].mean()
    assert found == pytest.approx(expected, rel=1e-5)
    assert step_weights(SHAPE, 0.3).mean() == pytest.approx(1.0)


def test_missing_cells_count_in_neither_part() -> None:
    rng = np.random.default_rng(0)
    truth, said = (rng.normal(size=(6, 9, 2)).astype("float32") for _ in range(2))
    truth[:, 1], truth[2:, 4, 0] = np.nan, np.nan
    loss = shared_loss("mse", SHAPE, 0.3, {"masked": True, "weighted": False})
    error = (truth - said).astype("float64") ** 2
    expected = 0.7 * np.nanmean(error[:, SHAPE.inside]) + 0.3 * np.nanmean(error[:, SHAPE.beyond])
    assert float(loss(truth, said)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_an_epoch_shows_both_parts(run: tuple[Any, Any, Any]) -> None:
    for epoch in run[1].history:
        parts = {key: epoch.metrics[key] for key in ("window_loss", "forecast_loss")}
        assert 0.7 * parts["window_loss"] + 0.3 * parts["forecast_loss"] == pytest.approx(epoch.loss, rel=1e-4)
        own, other = (epoch.metrics[f"val_{key}"] for key in parts)
        assert 0.7 * own + 0.3 * other == pytest.approx(epoch.val_loss, rel=1e-4)


@pytest.mark.slow
def test_with_series_on_one_scale_validation_is_weighed_alike() -> None:
    recipe = around(autoencode_recipe(series="site"), training={"epochs": 1, "forecast_weight": 0.9})
    job = opened(recipe, hourly_frame(300, series=("a", "b")))
    model = job.build()
    validate = job.validation(model)
    assert validate is not None
    prepared, windows = job.prepared, np.arange(job.prepared.count("val"))
    error = (np.asarray(model(prepared.arrays("val", windows)[0])) - prepared.scaled_targets("val", windows)).astype(
        "float64"
    )
    ratio = own_ratio(prepared)
    assert ratio is not None
    error = (error * ratio[prepared.series_of("val", windows)][:, None]) ** 2
    shape, series = prepared.windows["val"].shape, prepared.series_of("val", windows)
    found = [
        0.1 * error[series == each][:, shape.inside, k].mean() + 0.9 * error[series == each][:, shape.beyond, k].mean()
        for each in (0, 1)
        for k in (0, 1)
    ]
    assert validate() == pytest.approx(np.mean(found), rel=1e-4)


@pytest.mark.slow
def test_the_linear_baseline_tells_the_rows_around_from_its_codes(run: tuple[Any, Any, Any]) -> None:
    job, _, bundle = run
    prepared, windows = job.prepared, np.arange(job.prepared.count("test"))
    mean, pca = bundle.baselines
    assert pca.around.shape == (5, 5 * 2)
    told, truth = pca(prepared, "test", windows), prepared.truth("test", windows)
    beyond = prepared.windows["test"].shape.beyond
    error, plain = (
        np.abs(each[:, beyond] - truth[:, beyond]).mean() for each in (told, mean(prepared, "test", windows))
    )
    assert error < 0.8 * plain


@pytest.mark.slow
def test_a_bundle_answers_as_before_and_names_steps_by_the_window(run: tuple[Any, Any, Any], tmp_path: Path) -> None:
    job, _, bundle = run
    bundle.save(tmp_path / "bundle")
    loaded: Any = load(tmp_path / "bundle")
    frame = hourly_frame(200)
    rebuilt = loaded.reconstruct(frame)
    pd.testing.assert_frame_equal(rebuilt, bundle.reconstruct(frame), rtol=1e-4, atol=1e-4)
    first = rebuilt.iloc[:29]
    assert first["step"].tolist() == list(range(-1, 28))
    assert (first["time"].iloc[0], first["time"].iloc[2]) == (frame["time"].iloc[0], frame["time"].iloc[2])
    codes = loaded.encode(frame)
    assert (codes["first_time"].iloc[0], codes["last_time"].iloc[0]) == (frame["time"].iloc[2], frame["time"].iloc[25])
    assert len(loaded.score(frame, by="step")) == len(rebuilt)
    served = served_examples(bundle, job.prepared, hourly_frame(500))
    example, answer = served["frames"]
    assert (len(example), len(answer)) == (29, 1)  # one window with what is around it
    table = bundle.evaluate(frame).table()
    assert table["step"].max() == 29
    assert job.report(bundle, "test").baselines == ["training mean", "PCA (4)"]


@pytest.mark.slow
def test_a_row_s_error_is_weighed_between_what_windows_say_of_their_rows_and_of_others(
    run: tuple[Any, Any, Any],
) -> None:
    job, _, bundle = run
    prepared = job.prepared
    found = bundle.row_errors(prepared, "test")
    windows = prepared.windows["test"]
    rows, said = windows.target_rows(), bundle.forecast(prepared, "test", np.arange(windows.count))
    place = pd.Index(prepared.table.times).get_indexer(found.labels["time"])
    assert found.unreached == 0
    for position in (0, 1, 5, 40, len(place) - 1):
        hits = rows == place[position]
        steps = np.nonzero(hits)[1]
        inside = np.isin(steps, np.arange(29)[windows.shape.inside])
        parts = [np.median(said[hits][chosen], axis=0) for chosen in (inside, ~inside) if chosen.any()]
        expected = 0.7 * parts[0] + 0.3 * parts[1] if len(parts) == 2 else parts[0]
        np.testing.assert_allclose(found.expected[position], expected, rtol=1e-5)
    for combine in ("mean", "max", "min"):
        other = row_errors(bundle.forecast, prepared, "test", combine=combine, beyond=0.3)
        assert np.isfinite(other.expected).all()
        assert not np.allclose(other.expected, found.expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        {"missing": "mask"},
        {"missing": "interpolate"},
        {"window_scaling": "standard"},
        {"transform": {"load": "diff"}},
        {"backcast_steps": 0},
        {"forecast_steps": 0},
        {"window_stride": 3},
    ],
    ids=str,
)
def test_it_goes_with_what_autoencoders_go_with(data: dict[str, Any]) -> None:
    frame = hourly_frame(400)
    if "missing" in data:
        frame.loc[frame.index % 11 == 3, "load"] = np.nan
    job, fitted, bundle = trained(around(training={"epochs": 1}, **data), frame)
    assert fitted.history[0].finite
    assert np.isfinite(bundle.reconstruct(frame.tail(60))["load"]).all()
    assert loss_flags(job.prepared)["masked"] == (data.get("missing") == "mask")


@pytest.mark.slow
def test_with_noise_a_drawn_latent_and_left_out_windows() -> None:
    recipe = around(training={"epochs": 2, "leave_out": 0.1})
    recipe["model"] |= {"latent": "variational", "noise": 0.1, "segment_steps": 1}
    job, fitted, _ = trained(recipe, hourly_frame(400))
    assert len(fitted.left_out) == round(0.1 * job.examples.count("train"))
    last = fitted.history[-1]
    assert last.metrics["reconstruction"] == pytest.approx(
        0.5 * (last.metrics["window_loss"] + last.metrics["forecast_loss"]), rel=1e-3
    )


@pytest.mark.slow
def test_explain_counts_the_decoder_s_steps() -> None:
    explained = explain(around(), data=hourly_frame())
    steps = {run.layer: run.steps for run in explained.recurrences}
    assert steps == {"encoder_0": 24, "decoder_0": 29}


def test_no_row_after_an_interpolated_one_is_forecast_from_it() -> None:
    frame = hourly_frame(400)
    frame.loc[100, "load"] = np.nan
    with_forecast, without = (
        opened(around(missing="interpolate", backcast_steps=0, forecast_steps=steps), frame).prepared
        for steps in (3, 0)
    )
    newest = with_forecast.windows["train"].input_rows()[:, -1]
    assert 100 not in newest
    assert 100 in without.windows["train"].input_rows()[:, -1]


def test_too_few_rows_are_told_with_the_rows_that_a_window_spans() -> None:
    with pytest.raises(SeriesTooShortError, match="One window spans 74 rows"):
        open_job(parse_recipe(around(forecast_steps=30, backcast_steps=20)), hourly_frame(80))


@pytest.mark.parametrize(
    ("recipe", "key", "code"),
    [
        (around(forecast_steps=-1), "data.forecast_steps", "invalid_value"),
        (around(backcast_steps=1.5), "data.backcast_steps", "invalid_value"),
        (around(training={"forecast_weight": 1.0}), "training.forecast_weight", "invalid_value"),
        (
            around(training={"forecast_weight": 0.2}, forecast_steps=0, backcast_steps=0),
            "training.forecast_weight",
            "unused_key",
        ),
        (around(training={"forecast_weight": 0.2, "loss": "own"}), "training.forecast_weight", "unused_key"),
        (around() | {"model": {"segment_steps": 2}}, "data.forecast_steps", "not_divisible"),
        (around(source="rows.parquet", read="row_groups"), "data.backcast_steps", "conflicting_keys"),
        (
            around() | {"sweep": {"space": {"training.forecast_weight": {"choice": {"values": [0.2, 0.5]}}}}},
            "sweep.space.training.forecast_weight",
            "not_searchable",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_at_its_key(recipe: dict[str, Any], key: str, code: str) -> None:
    with pytest.raises(RecipeError) as refused:
        parse_recipe(recipe)
    assert (key, code) in [(problem.key, problem.code) for problem in refused.value.problems]
