"""What goes wrong, by who can do something about it (include/slipway/result.h)."""


class Error(Exception):
    """Any of the others: what failed, in which file and node, and what to do."""


class InvalidArgumentError(Error, ValueError):
    """A call that can't be meant: a name that there is not, a shape that does not fit."""


class InvalidFileError(Error, ValueError):
    """A file that is damaged, or is none of those that Slipway reads."""


class NotFoundError(Error, LookupError):
    """A file, a method or an input that is not there."""


class UnsupportedError(Error, NotImplementedError):
    """A sound program with something that Slipway, or the engine, can't do."""


class UnavailableError(Error, RuntimeError):
    """Something that this machine lacks: a library, a device."""


class ResourceExhaustedError(Error, MemoryError):
    """Memory, disk or time that was not enough."""


class FileError(Error, OSError):
    """Reading or writing a file failed."""


class InternalError(Error, AssertionError):
    """A fault of Slipway's own: please report it."""


class CancelledError(Error, RuntimeError):
    """A call that another thread stopped (Method.cancel)."""


BY_CODE = {
    1: InvalidArgumentError,
    2: InvalidFileError,
    3: NotFoundError,
    4: UnsupportedError,
    5: UnavailableError,
    6: ResourceExhaustedError,
    7: FileError,
    8: InternalError,
    9: CancelledError,
}
