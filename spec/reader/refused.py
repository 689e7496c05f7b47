"""One exception for every refusal; its name is what vectors expect."""

from contextlib import contextmanager


class Refused(Exception):
    """Input that must not be taken, under the name that the spec and the vectors give it."""

    def __init__(self, name):
        super().__init__(name)
        self.name = name


def require(holds, name):
    if not holds:
        raise Refused(name)


@contextmanager
def inside(part):
    """Puts the name of the part around that of a refusal: `Leaf(Length)`."""
    try:
        yield
    except Refused as cause:
        raise Refused(f"{part}({cause.name})") from cause
