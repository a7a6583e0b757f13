"""The kernel computes what Keras' own loop does, whatever it is given.

By hand, more of it: `python -m tests.fuzz.test_kernels 0 2000`. It prints what became of the cases and each that failed.
"""

import sys
from collections import Counter

import pytest
import tensorflow as tf

from tests.fuzz.campaign import campaign
from tests.fuzz.kernels import compare

CASES = 40


@pytest.mark.slow
def test_odd_numbers_masks_and_shapes_come_out_as_from_keras() -> None:
    found = Counter(compare(number, quick=True) for number in range(CASES))
    assert found["equal"] > CASES / 2
    assert found["refused"] > 0


if __name__ == "__main__":
    tf.get_logger().setLevel("CRITICAL")  # what Keras leaves behind where it refuses a mask
    sys.exit(campaign(compare, on_warning="ignore"))
