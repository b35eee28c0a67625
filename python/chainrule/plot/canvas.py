"""What the pictures share: axes to draw on, their look, and colours.

The look is set on the axes at hand, never in matplotlib's settings. Text keeps the colours of the
style in force; the others are of middling lightness, so that they show on white and on black.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..libraries import library

BLUE, ORANGE, GREEN, RED = "#2f7fd1", "#e08214", "#2e9e6b", "#d6404e"
PURPLE, GREY = "#9268c9", "#8a8f98"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, RED, "#1ba3b8", "#c2679b", "#a3883a", GREY, "#6b8e23")
DIVERGING = "RdBu_r"


def pyplot(name: str) -> Any:
    """Return matplotlib.pyplot for the picture `name`.

    Raises
    ------
    ImportError
        matplotlib is not installed; names the extra that brings it.
    """
    return library("matplotlib.pyplot", name, "'chainrule[plot]'")


def canvas(axes: Any, name: str, size: tuple[float, float] = (6.4, 4.0)) -> Any:
    """Return the axes given, or those of a new figure, with the pictures' look.

    Raises
    ------
    ImportError
        matplotlib is not installed.
    TypeError
        `axes` are none.
    """
    plt = pyplot(name)
    if axes is None:
        axes = plt.subplots(figsize=size, layout="constrained")[1]
    checked(axes)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return axes


def checked(axes: Any) -> None:
    """Refuse what is no axes of matplotlib."""
    from matplotlib.axes import Axes

    if not isinstance(axes, Axes):
        raise TypeError(f"axes: expected a matplotlib Axes, got {type(axes).__name__}")


def text_colour(axes: Any) -> Any:
    """Return the colour that the axes write their labels in."""
    return axes.xaxis.label.get_color()


def grid(axes: Any, which: str = "both") -> None:
    """Draw a faint grid along the axis `which`."""
    axes.grid(True, axis=which, color=text_colour(axes), alpha=0.13, linewidth=0.8)


def title(axes: Any, text: str) -> None:
    """Write a title at the left."""
    axes.set_title(text, loc="left", fontsize="medium", fontweight="bold")


def legend_above(axes: Any, handles: Sequence[Any] | None = None) -> None:
    """Put a legend in one line above the axes, where no curve is."""
    handles = axes.get_legend_handles_labels()[0] if handles is None else handles
    axes.legend(
        handles=handles, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=max(len(handles), 1),
        frameon=False, fontsize="small", borderaxespad=0.1, handlelength=1.4, columnspacing=1.2,
        markerscale=1.5,
    )  # fmt: skip


def shown_positive(axes: Any, values: Any) -> None:
    """Scale y logarithmically about some values, of which those that are not above 0 are left."""
    import numpy as np

    found = np.asarray(values, dtype=np.float64)
    found = found[np.isfinite(found) & (found > 0)]
    axes.set_yscale("log")
    if found.size:
        axes.set_ylim(found.min() / 2.5, found.max() * 2.5)


def plural(number: int, noun: str) -> str:
    """Return ``3 units``, ``1 unit``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
