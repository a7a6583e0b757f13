from seq2seq_kit.errors import DataError


def detect(path):
    raise DataError("x", code="y")


def spelled(x):
    return str(x)
