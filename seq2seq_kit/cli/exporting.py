"""The verb `export`."""

import argparse


def arguments(verb: argparse.ArgumentParser) -> None:
    """What the verb takes."""
    verb.add_argument("run", metavar="RUN", help="id of a run, or path of a bundle")
    verb.add_argument(
        "--format", choices=["onnx", "saved_model", "litert", "keras"], default="onnx", help="default: onnx"
    )
    verb.add_argument(
        "--out", metavar="FOLDER|FILE", help="new folder, or a file that ends in .onnx; default: the recipe's name_onnx"
    )
    verb.add_argument("--data", metavar="FILE", help="rows to compare on; default: the recipe's source, if it is there")
    verb.add_argument("--tracking-uri", help="folder or server; default: MLFLOW_TRACKING_URI, else mlruns/")


def export(options: argparse.Namespace) -> None:
    """A model for other runtimes."""
    from seq2seq_kit.opening import load_quietly

    bundle = load_quietly(options.run, options.tracking_uri)
    rows = None if options.data is None else bundle.read(options.data)
    out = options.out or f"{bundle.recipe.name or bundle.recipe.task}_{options.format}"
    done = bundle.export(out, format=options.format, frame=rows)
    for note in done.notes:
        print(f"note: {note}")
    for name, parity in done.parity.items():
        print(f"{name}: {done.bytes[name]:,} bytes; {parity}")
    print(f"wrote {done.path}")


def page_arguments(verb: argparse.ArgumentParser) -> None:
    """What `page` takes."""
    verb.add_argument("run", metavar="RUN", help="id of a run, or path of a bundle or of an exported folder")
    verb.add_argument("--out", metavar="FILE", default="forecast.html", help="new file; default: forecast.html")
    verb.add_argument("--runtime", metavar="FOLDER", required=True, help="node_modules/onnxruntime-web/dist")
    verb.add_argument("--tracking-uri", help="folder or server; default: MLFLOW_TRACKING_URI, else mlruns/")


def page(options: argparse.Namespace) -> None:
    """A forecast as a page."""
    from seq2seq_kit.serving.browser import write_browser_page

    how = {"runtime": options.runtime, "tracking_uri": options.tracking_uri}
    path = write_browser_page(options.run, options.out, **how, say=print)
    print(f"wrote {path}, {path.stat().st_size / 1e6:.1f} MB: open it in a browser and drop a CSV on it")
