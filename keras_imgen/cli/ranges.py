"""Numbers of frames as somebody types them, such as 3,7-9."""

import argparse
import re

RANGE = re.compile(" *([1-9][0-9]{0,6}) *(?:- *([1-9][0-9]{0,6}))? *")


def read(text: str) -> list[int]:
    """Return the numbers, each once and in order.

    Raises:
        argparse.ArgumentTypeError: for anything else.
    """
    numbers = set()
    for part in text.split(","):
        found = RANGE.fullmatch(part)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if last < first:
            raise argparse.ArgumentTypeError(
                f"must be numbers of frames from 1, such as 3,7-9, not {text!r}"
            )
        numbers |= set(range(first, last + 1))
    return sorted(numbers)


def written(numbers: list[int]) -> str:
    """Return numbers in order as `read` takes them."""
    parts = []
    for number in numbers:
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)
