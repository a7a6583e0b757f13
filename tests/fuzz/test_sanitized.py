"""The sanitizers end a run of the kernel at a fault: what they do not find is told from what they cannot find."""

import pytest

from tests.fuzz import sanitized

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(sanitized.missing()), reason=f"needs {sanitized.missing()}, to compile the kernel with"),
]


@pytest.mark.parametrize(
    ("plant", "told"),
    [
        ("overflow", "AddressSanitizer: heap-buffer-overflow"),
        ("shift", "runtime error: shift exponent 32 is too large for 32-bit type"),
    ],
)
def test_a_planted_fault_ends_the_run(plant: str, told: str) -> None:
    ran = sanitized.run(["0", "4"], plant=plant)
    assert ran.returncode != 0
    assert told in ran.stdout, ran.stdout[-3000:]
    assert sanitized.PLANTS[plant][0] in ran.stdout  # the place, in the kernel
