"""What a figure says to those who cannot see it: its titles, axes and legends, in words.

`build.py` calls `install` in a notebook's kernel before the first cell. Every figure that is shown
then carries a text for screen readers, made from the figure itself, so that it changes with it.
"""

import re

LONGEST = 600  # characters


def describe(figure) -> str:
    """Return a figure's titles, axis labels, ranges and legends as text.

    Args:
        figure: `matplotlib.figure.Figure`.

    Returns:
        At most `LONGEST` characters, such as "Noise and its end. 2 pictures: noisy, 14.8 dB;
        restored, 28.3 dB."
    """
    pictures, charts = [], []
    for axes in figure.axes:
        if hasattr(axes, "_colorbar"):
            continue
        title = plain(axes.get_title() or axes.get_title("left"))
        if axes.images and not axes.lines:
            pictures.append(title or plain(axes.get_ylabel() or axes.get_xlabel()))
        elif axes.has_data():
            charts.append(describe_chart(axes, title))
    sentences = [plain(figure.get_suptitle())]
    if pictures:
        named = "; ".join(dict.fromkeys(filter(None, pictures)))
        count = f"{len(pictures)} pictures" if len(pictures) > 1 else "Picture"
        sentences.append(f"{count}: {named}" if named else count)
    text = " ".join(f"{s.rstrip('.')}." for s in sentences + charts if s)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4].rsplit(' ', 1)[0]} ..."


def describe_chart(axes, title: str) -> str:
    """Return what a chart plots against what, between which values, and the names in its legend."""
    kind = "Bars" if axes.containers else "Points" if not axes.lines else "Curves"
    text = f"{kind}, {title}" if title else kind
    for direction, label, ends in (
        ("upwards", axes.get_ylabel(), axes.get_ylim()),
        ("to the right", axes.get_xlabel(), axes.get_xlim()),
    ):
        if label:
            low, high = sorted(ends)
            text += f"; {direction} {plain(label)}, {low:.3g} to {high:.3g}"
    if names := [plain(name) for name in axes.get_legend_handles_labels()[1]]:
        text += f"; shown: {', '.join(dict.fromkeys(names))}"
    return text


def plain(text: str) -> str:
    """Return a label in one line, without the marks of a formula."""
    return " ".join(re.sub(r"[$\\{}]", "", text).split())


def install() -> None:
    """Give every figure that Jupyter shows its text."""
    from IPython.core.formatters import DisplayFormatter
    from matplotlib.figure import Figure

    show = DisplayFormatter.format

    def with_alt(self, shown, include=None, exclude=None):
        data, metadata = show(self, shown, include, exclude)
        figure = shown if isinstance(shown, Figure) else getattr(shown, "figure", None)
        if "image/png" in data and isinstance(figure, Figure):
            metadata.setdefault("image/png", {})["alt"] = describe(figure)
        return data, metadata

    DisplayFormatter.format = with_alt
