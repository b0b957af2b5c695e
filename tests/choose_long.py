"""Chooses what a plain `pytest` leaves out: `python tests/choose_long.py LOG` writes the list.

`LOG` is what this printed, on a machine that does nothing else:

    pytest -m "not slow" --durations=0 -vv > LOG

Tests that take longer than `LIMIT` are left to `pytest -m long`, which the gate runs too, and so
are all variants of one that shares what takes longer than `SHARED` to make. Of a test in `KEPT`,
which says something that nothing else would say as soon, the quickest variant stays.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

LIMIT, SHARED = 0.7, 5.0  # seconds
LIST = Path(__file__).parent / "long_tests.txt"
KEPT = {
    # Everything saves, and trains on.
    "test_a_loaded_model_is_the_saved_one",
    "test_what_a_subclass_adds_is_saved_loaded_and_resumed",
    "test_files_of_every_format_keep_loading",
    # A training that was cut off, or goes wrong.
    "test_a_crashed_training_resumes_and_callbacks_leave_it_alone",
    "test_a_damaged_checkpoint_is_named_and_the_one_before_is_used",
    "test_a_training_that_diverges_goes_back_to_the_last_good_epoch",
    "test_a_healthy_training_warns_of_nothing_and_does_not_notice",
    # The step, compiled, is that of the paper.
    "test_the_step_is_algorithm_1",
    "test_the_step_goes_down_the_gradient",
    "test_all_variants_train_and_save",
    "test_the_penalty_is_that_of_the_paper",
    "test_a_penalty_now_and_then_is_as_much_heavier",
    "test_the_average_follows_the_generator",
    "test_the_generator_takes_its_turn_after_critic_steps",
    "test_xla_compiles_a_step",
    "test_steps_per_execution_changes_nothing_but_speed",
    # What users bring.
    "test_streams_need_not_know_their_shape",
    "test_the_result_does_not_depend_on_how_the_network_is_called",
    "test_observed_pictures_may_have_channels_more",
    "test_train_leaves_a_whole_run_and_never_overwrites_it",
    "test_no_setting_of_keras_changes_a_result",
    "test_large_holes_across_tiles_are_filled_as_in_the_whole",
    "test_denoisers_are_as_good_as_measured",
    "test_parts_make_what_the_whole_makes",
    "test_a_stream_makes_what_the_whole_makes",
}


def seconds_of(log: str) -> dict[str, float]:
    """Return how long each test took, by its name; of all that share something, the longest."""
    seconds, shared = defaultdict(float), defaultdict(float)
    for value, phase, name in re.findall(r"^([\d.]+)s (call|setup) +(\S.*?)\s*$", log, re.M):
        seconds[name] += float(value)
        if phase == "setup" and float(value) > SHARED:
            shared[name.partition("[")[0]] = float(value)
    return {name: max(value, shared[name.partition("[")[0]]) for name, value in seconds.items()}


def long_ones(seconds: dict[str, float]) -> list[str]:
    """Return which are left out."""
    variants = defaultdict(dict)
    for name, value in seconds.items():
        if name.startswith("tests/"):
            variants[name.partition("[")[0]][name] = value
    chosen = []
    for function, found in variants.items():
        long = {name for name, value in found.items() if value > LIMIT}
        if function.rpartition("::")[2] in KEPT and len(long) == len(found):
            long.remove(min(found, key=found.get))
        chosen += long
    return sorted(chosen)


if __name__ == "__main__":
    names = long_ones(seconds_of(Path(sys.argv[1]).read_text("utf-8")))
    LIST.write_text("".join(f"{name}\n" for name in names), "utf-8")
    print(f"{len(names)} tests are long")
