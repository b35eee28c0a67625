"""A picture of the ratios: how many times faster than each peer, a panel for each dtype,
thread count and path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..libraries import library
from .report import plural
from .results import OURS, Block, Run


def write_plot(path: Path, run: Run) -> None:
    """Draw the ratios; the file's ending decides about the format.

    Raises
    ------
    ImportError
        If matplotlib is not installed; the text names the extra.
    """
    pyplot = _pyplot()
    panels = [
        (ours, dtype, threads, measured)
        for ours in OURS
        for dtype, threads, blocks in run.groups()
        if (measured := [block for block in blocks if block.ratios(ours)])
    ]
    if not panels:
        raise ValueError("plot: expected at least one ratio, got none")
    widest = max(len(measured) for *_, measured in panels)
    size = (2.0 + 0.95 * max(widest, 5), 1.0 + 2.6 * len(panels))
    figure, axes = pyplot.subplots(len(panels), 1, figsize=size, squeeze=False)
    colours = _colours(pyplot, panels)
    for axis, (ours, dtype, threads, measured) in zip(axes[:, 0], panels, strict=True):
        _panel(axis, ours, measured, colours)
        axis.set_title(f"{ours}, {dtype}, {plural(threads, 'thread')}", loc="left", fontsize=10)
    figure.suptitle(f"Times faster than each peer\n{run.machine['cpu']}", fontsize=10)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    columns = int(size[0])  # an inch for a name
    figure.tight_layout(rect=(0, (0.4 + 0.2 * -(-len(labels) // columns)) / size[1], 1, 1))
    figure.legend(handles, labels, loc="lower center", ncols=columns, fontsize=8,
                  title="median of the rounds, bars from the lowest to the highest",
                  title_fontsize=8)  # fmt: skip
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def _pyplot() -> Any:
    library("matplotlib", "--plot", "'chainrule[plot]'").use("Agg")
    return library("matplotlib.pyplot", "--plot", "'chainrule[plot]'")


def _colours(pyplot: Any, panels: list[Any]) -> dict[str, Any]:
    """One colour for each peer, the same in all panels."""
    names = dict.fromkeys(r.peer for ours, *_, bs in panels for b in bs for r in b.ratios(ours))
    palette = pyplot.get_cmap("tab20")
    return {name: palette(k % 20) for k, name in enumerate(names)}


def _panel(axis: Any, ours: str, blocks: list[Block], colours: dict[str, Any]) -> None:
    """Points with their spread, peers side by side above each workload, ratio on a log scale."""
    from matplotlib import ticker

    count = len(colours)
    for k, (peer, colour) in enumerate(colours.items()):
        found = [(x, r) for x, b in enumerate(blocks) if (r := b.ratio(ours, peer)) is not None]
        middles = [r.median for _, r in found]
        below = [r.median - r.lowest for _, r in found]
        above = [r.highest - r.median for _, r in found]
        places = [x + 0.7 * ((k + 0.5) / count - 0.5) for x, _ in found]
        axis.errorbar(
            places, middles, yerr=[below, above], fmt="o", markersize=4, capsize=2,
            color=colour, label=peer,
        )  # fmt: skip
    axis.axhline(1.0, color="black", linewidth=1)
    axis.axhspan(1e-9, 1.0, color="black", alpha=0.05)
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_formatter(ticker.NullFormatter())
    axis.set_ylim(*_limits(blocks, ours))
    names = [block.workload.name for block in blocks]
    axis.set_xticks(range(len(blocks)), names, rotation=15, fontsize=8)
    axis.set_ylabel("times faster")
    axis.grid(axis="y", alpha=0.3)


def _limits(blocks: list[Block], ours: str) -> tuple[float, float]:
    """From a little below the lowest to a little above the highest, 1 always between."""
    ratios = [ratio for block in blocks for ratio in block.ratios(ours)]
    lowest, highest = min(r.lowest for r in ratios), max(r.highest for r in ratios)
    return min(lowest, 1.0) / 1.3, max(highest, 1.0) * 1.3
