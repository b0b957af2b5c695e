"""Inputs that users get wrong, and for each entry of the package what may become of them.

A property is a function of one drawn input. It hands the input to the package and returns what came
of it: "success", or the name of the exception. It raises AssertionError if that is not documented:
another type of exception, a message that does not teach, a file or a model that was changed.
`PROPERTIES` lists all of them with the strategy that draws their inputs; `tests/test_fuzz.py` runs
a few inputs of each, `tests/benchmarks/fuzz_inputs.py` thousands.

Inputs are described, not held: a `Pictures` says shape, dtype, values and form, so that a failing
example can be read and typed in again.
"""

from collections.abc import Callable
from typing import NamedTuple

from hypothesis import strategies as st

from fuzzing.building import (
    BUILT,
    MOVING,
    compilations,
    constructions,
    formulas,
    fuzz_compile,
    fuzz_construct,
    fuzz_formula,
)
from fuzzing.commands import commands, fuzz_command, fuzz_model_file, model_damages
from fuzzing.disks import WRITERS, full_disks, fuzz_full_disk, fuzz_read_only
from fuzzing.files import (
    channels,
    dataset_options,
    drawings,
    fuzz_draw,
    fuzz_load,
    fuzz_load_arrays,
    fuzz_load_folder,
    labels,
    names,
    odd_paths,
    sizes,
    splits,
)
from fuzzing.inputs import SHAPE, TIME, numbers, options, pictures, small_numbers
from fuzzing.models import (
    evaluations,
    fits,
    fuzz_evaluate,
    fuzz_fit,
    fuzz_reconstruct,
    fuzz_restore,
    fuzz_sample,
    observations,
    samplings,
)


class Property(NamedTuple):
    """What is checked, the strategy of its inputs, and its share of all inputs."""

    check: Callable
    inputs: st.SearchStrategy
    share: int


PROPERTIES = {
    "fit": Property(fuzz_fit, fits(), 6),
    "evaluate": Property(fuzz_evaluate, evaluations(), 3),
    "restore": Property(fuzz_restore, observations(), 4),
    "reconstruct": Property(fuzz_reconstruct, pictures(), 2),
    "sample": Property(fuzz_sample, samplings, 3),
    "construct": Property(fuzz_construct, constructions(BUILT), 4),
    "moving digits": Property(fuzz_construct, constructions(MOVING), 1),
    "compile": Property(fuzz_compile, compilations(), 2),
    "formula": Property(fuzz_formula, formulas, 4),
    "load_arrays": Property(
        fuzz_load_arrays,
        st.tuples(
            st.one_of(pictures(), pictures((TIME, *SHAPE))), labels, options(**dataset_options)
        ),
        4,
    ),
    "load_folder": Property(
        fuzz_load_folder,
        st.tuples(
            odd_paths, options(size=sizes, crops=numbers, channels=channels, **dataset_options)
        ),
        4,
    ),
    "load": Property(
        fuzz_load,
        st.tuples(
            names,
            splits,
            options(size=sizes, crops=small_numbers, channels=channels, **dataset_options),
        ),
        3,
    ),
    "draw": Property(fuzz_draw, drawings(), 4),
    "command": Property(fuzz_command, commands(), 4),
    "model file": Property(fuzz_model_file, model_damages, 2),
    "full disk": Property(fuzz_full_disk, full_disks, 2),
    "read only": Property(fuzz_read_only, st.sampled_from(tuple(WRITERS)), 1),
}
