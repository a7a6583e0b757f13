"""What a request is refused with: the kit's errors with a status of HTTP."""

from seq2seq_kit.errors import KitError

OURS = ("missing_package", "export_not_runnable", "needs_tensorflow")  # not the client's fault
_CLIENT, _SERVER, _ABSENT = 400, 500, 501


class RefusedError(KitError):
    """A request that is not answered.

    Attributes:
        status: Of the answer.
        headers: Of the answer, beside its usual ones.
    """

    def __init__(
        self, message: str, *, code: str, status: int = _CLIENT, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message, code=code)
        self.status, self.headers = status, headers or {}


def status_of(error: KitError) -> int:
    """The status of an answer: 400 where the request has to be changed, 5xx where it has not."""
    if isinstance(error, RefusedError):
        return error.status
    if error.code in OURS:
        return _ABSENT
    return _CLIENT if error.exit_code == 2 else _SERVER
