"""Reads the values of options, and refuses in one sentence those that are none."""

import argparse
import math
import os
import sys

MAX_MINUTES = 10_000  # a week
MAX_SEED = 2**31 - 1  # which every generator takes


def path(text):
    """Return a path, "~" at its beginning replaced by the home folder."""
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"must be a path, not {text!r}")
    return os.path.expanduser(text)


def grey_levels(text):
    """Return a standard deviation of noise in grey levels."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 255.0:
        raise argparse.ArgumentTypeError(f"must be grey levels from 0 to 255, not {text!r}")
    if 0.0 < value < 0.5:  # less than 8 bits can show
        share = f"for {value:g} of the whole range pass {255 * value:.4g}"
        raise argparse.ArgumentTypeError(
            f"must be grey levels from 0 to 255, not {text!r}: {share}"
        )
    return value


def minutes(text):
    """Return a time in minutes."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 < value <= MAX_MINUTES:
        raise argparse.ArgumentTypeError(f"must be above 0 and at most {MAX_MINUTES}, not {text!r}")
    return value


def sigma(text):
    """Return grey levels, or "auto"."""
    return text if text == "auto" else grey_levels(text)


def range_of_grey_levels(text):
    """Return one number of grey levels, or two as a list."""
    values = list(map(grey_levels, text.split("-")))
    if len(values) == 1 and values[0] > 0.0:
        return values[0]
    if len(values) != 2 or not values[0] < values[1]:
        raise argparse.ArgumentTypeError(
            f"must be grey levels above 0, or a range such as 0-50, not {text!r}"
        )
    return values


def tile(text):
    """Return the side of a tile, or None for none."""
    return None if text.lower() == "none" else count(64)(text)


def hosts(text):
    """Return the addresses of two hosts or more, that of the first with its port."""
    found = [part.strip() for part in text.split(",")]
    example = "such as 10.0.0.1:1234,10.0.0.2"
    if len(found) < 2 or not all(found):
        raise argparse.ArgumentTypeError(f"must be two hosts or more, {example}, not {text!r}")
    name, _, port = found[0].rpartition(":")
    if not name or not port.isdecimal() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(
            f"must say by which port the first host is reached, {example}, not {text!r}"
        )
    return found


def count(least: int, most: int = sys.maxsize):
    """Return a converter to whole numbers from `least` to `most`."""

    def convert(text):
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, not {value}")
        if value > most:
            raise argparse.ArgumentTypeError(f"must be at most {most}, not {value}")
        return value

    convert.__name__ = "whole number"
    return convert
