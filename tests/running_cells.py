"""The code of a tutorial's cells, run one after the other, in a process that has no other use.

It stands alone because that process would otherwise import all that `test_tutorials.py` does.
"""

import os

STEPS = 4  # of an epoch at most: a tutorial that has no smaller setting may load 4,000 digits


def run_cells(cells: list[tuple[str, str]], file: str) -> None:
    """Run a tutorial once, with solutions; try each exercise with its stub first.

    A stub must fail its check by the check's own message; the solution must pass it.

    Args:
        cells: what each is for, as `build.role` has it, and its code.
        file: name of the source, for messages.
    """
    if os.environ.get("KERAS_IMGEN_TUTORIAL") == "small":
        _shorten_epochs()
    names, pupil = {"__name__": "__main__"}, {}
    for role, text in cells:
        code = compile(text, f"{file}: {text.splitlines()[0]}", "exec")
        match role:
            case "exercise":
                pupil = dict(names)  # what a student has who has not answered yet
                exec(code, pupil)
            case "check":
                try:
                    exec(code, pupil)
                except AssertionError as error:
                    if not str(error):
                        raise SystemExit(f"This check says nothing:\n{text}") from error
                else:
                    raise SystemExit(f"An unanswered exercise passes its check:\n{text}")
                exec(code, names)
            case _:
                exec(code, names)


def _shorten_epochs():
    """Let epochs on data sets of this package end after a few steps, in this process for good."""
    from keras_imgen.data import PictureDataset
    from keras_imgen.training import PictureModel

    fit = PictureModel.fit

    def fit_a_little(self, x=None, y=None, **options):
        if isinstance(x, PictureDataset):
            options.setdefault("steps_per_epoch", min(STEPS, len(x)))
        return fit(self, x, y, **options)

    PictureModel.fit = fit_a_little
