"""A trained model behind HTTP: FastAPI on loopback, over the exported runtime, which needs no TensorFlow."""
