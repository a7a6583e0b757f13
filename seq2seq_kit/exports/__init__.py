"""Models in forms that run elsewhere: ONNX written from the weights, units inside, compared before anything is kept."""

import os

# Read by ONNX Runtime when it is imported: 1.32 keeps an id of the machine in ~/.cache and tells its makers of its use.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
