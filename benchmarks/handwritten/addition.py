"""`recipes/translate_addition.yaml` by hand: the same kind of questions, model, epochs and figures, in plain Keras.

    python benchmarks/handwritten/addition.py --epochs 30

Questions are padded to seven characters and read without a mask, which is the faster way in Keras. It leaves out what the kit
does beyond that: its second baseline, checks of the data, a bundle that translates frames, tables of examples.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import keras
import matplotlib
import mlflow
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

SYMBOLS = " 0123456789+"  # the space pads questions and ends answers
QUESTIONS, DIGITS, INPUT_STEPS, OUTPUT_STEPS = 55_000, 3, 7, 4
UNITS, BATCH, LEARNING_RATE = 128, 64, 2e-3
VAL, TEST = 0.09, 0.09
LARGE_BATCH = 512  # without gradients


def main() -> None:
    """Trains, writes the test answers, evaluates, logs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=30)
    epochs = parser.parse_args().epochs
    keras.utils.set_random_seed(0)
    open_store("translate_addition")

    questions, answers = ask(np.random.default_rng(0))
    # The ones come first, where adding begins.
    sources = numbers([question[::-1] for question in questions], INPUT_STEPS)
    x, y = np.eye(len(SYMBOLS), dtype=np.float32)[sources], numbers(answers, OUTPUT_STEPS)
    test, val = int(QUESTIONS * TEST), int(QUESTIONS * (TEST + VAL))
    parts = {"test": slice(test), "val": slice(test, val), "train": slice(val, None)}
    x_train, y_train = x[parts["train"]], y[parts["train"]]
    x_val, y_val = x[parts["val"]], y[parts["val"]]

    model = build()
    steps = -(-len(y_train) // BATCH)
    schedule = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, decay_steps=steps * epochs)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(schedule), loss=loss, metrics=["accuracy"])
    with mlflow.start_run():
        mlflow.log_params(
            {
                "questions": QUESTIONS,
                "units": UNITS,
                "batch_size": BATCH,
                "learning_rate": LEARNING_RATE,
                "schedule": "cosine",
                "epochs": epochs,
                "seed": 0,
            }
        )
        history = model.fit(
            x_train,
            y_train,
            batch_size=BATCH,
            epochs=epochs,
            validation_data=(x_val, y_val),
            validation_batch_size=LARGE_BATCH,
            callbacks=[
                keras.callbacks.EarlyStopping("val_loss", patience=epochs, restore_best_weights=True),
                keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: mlflow.log_metrics(logs, step=epoch)),
            ],
            verbose=2,
        ).history
        results, written = {}, {}
        for part in ("val", "test"):
            figures = dict(zip(("loss", "accuracy"), evaluate(model, x[parts[part]], y[parts[part]]), strict=True))
            written[part] = texts(model.predict(x[parts[part]], batch_size=LARGE_BATCH, verbose=0).argmax(-1))
            figures |= scores(written[part], answers[parts[part]])
            results |= {f"{part}/{key}": value for key, value in figures.items()}
        commonest = np.array([np.bincount(column).argmax() for column in y_train.T])
        peer = texts(commonest[None]) * len(answers[parts["test"]])
        results |= {
            f"test_baselines/most_frequent_{key}": value for key, value in scores(peer, answers[parts["test"]]).items()
        }
        mlflow.log_metrics(results)
        right = [a == b for a, b in zip(written["test"], answers[parts["test"]], strict=True)]
        mlflow.log_figure(draw(history, questions[parts["test"]], right), "figures/learning.png")
        signature = mlflow.models.infer_signature(x[:1], model(x[:1]).numpy())
        # With the requirements named MLflow need not load the model again to find them.
        pins = [f"{package.__name__}=={package.__version__}" for package in (keras, np)]
        mlflow.tensorflow.log_model(model, name="model", signature=signature, pip_requirements=pins)
    best = int(np.argmin(history["val_loss"])) + 1
    print(f"exact match {results['test/exact_match']:.4f}, best epoch {best} of {epochs}")


def open_store(experiment: str) -> None:
    """A SQLite store in the folder `mlruns`, as the kit's."""
    folder = Path("mlruns").resolve()
    folder.mkdir(exist_ok=True)
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    if mlflow.get_experiment_by_name(experiment) is None:
        mlflow.create_experiment(experiment, artifact_location=(folder / "artifacts").as_uri())
    mlflow.set_experiment(experiment)


def ask(rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """Different sums of two numbers of one to three digits, and what they come to; none with its numbers the other way round."""
    limits = 10 ** rng.integers(1, DIGITS + 1, size=(10 * QUESTIONS, 2))
    pairs = (rng.random(limits.shape) * limits).astype(int)
    _, first = np.unique(np.sort(pairs, axis=1), axis=0, return_index=True)
    kept = pairs[np.sort(first)[:QUESTIONS]]
    assert len(kept) == QUESTIONS
    return [f"{a}+{b}" for a, b in kept], [str(total) for total in kept.sum(axis=1)]


def numbers(lines: list[str], steps: int) -> np.ndarray:
    """Symbols as numbers, padded on the right; shape `(lines, steps)`."""
    place = {symbol: number for number, symbol in enumerate(SYMBOLS)}
    return np.array([[place[symbol] for symbol in line.ljust(steps)] for line in lines])


def texts(rows: np.ndarray) -> list[str]:
    """The reverse of `numbers`, up to the first padding."""
    return ["".join(SYMBOLS[number] for number in row).partition(" ")[0] for row in rows]


def build() -> keras.Model:
    """LSTM, RepeatVector, LSTM, Dense at each step; logits."""
    inputs = keras.Input((INPUT_STEPS, len(SYMBOLS)))
    repeated = keras.layers.RepeatVector(OUTPUT_STEPS)(keras.layers.LSTM(UNITS)(inputs))
    decoded = keras.layers.LSTM(UNITS, return_sequences=True)(repeated)
    outputs = keras.layers.TimeDistributed(keras.layers.Dense(len(SYMBOLS)))(decoded)
    return keras.Model(inputs, outputs)


def evaluate(model: keras.Model, x: np.ndarray, y: np.ndarray) -> list[float]:
    """Loss and accuracy by symbol."""
    figures: list[float] = model.evaluate(x, y, batch_size=LARGE_BATCH, verbose=0)
    return figures


def scores(written: list[str], answers: list[str]) -> dict[str, float]:
    """Exact match, and edits by symbol of the answers."""
    pairs = list(zip(written, answers, strict=True))
    edits = sum(edit_distance(a, b) for a, b in pairs if a != b)
    exact = sum(a == b for a, b in pairs) / len(pairs)
    return {"exact_match": exact, "token_error_rate": edits / sum(map(len, answers))}


def edit_distance(left: str, right: str) -> int:
    """Levenshtein distance."""
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, start=1):
        before, row = row, [i]
        for j, b in enumerate(right, start=1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (a != b)))
    return row[-1]


def draw(history: dict[str, list[float]], questions: list[str], right: list[bool]) -> plt.Figure:
    """Losses and accuracies by epoch, exact match by the length of the question."""
    figure, axes = plt.subplots(1, 3, figsize=(15, 4), layout="constrained")
    for axis, key in zip(axes, ("loss", "accuracy"), strict=False):
        for name in (key, f"val_{key}"):
            axis.plot(np.arange(1, len(history[name]) + 1), history[name], label=name)
        axis.set(xlabel="epoch")
        axis.legend()
    lengths, hits = np.array([len(question) for question in questions]), np.array(right)
    shown = np.unique(lengths)
    axes[2].bar(shown, [hits[lengths == length].mean() for length in shown])
    axes[2].set(xlabel="symbols of the question", title="exact match")
    return figure


if __name__ == "__main__":
    main()
