"""Bars and curves as small SVG pictures, without a library."""

from collections.abc import Sequence
from html import escape

COLOURS = {
    "raw": "#9aa0a6",
    "bun": "#d9a441",
    "node": "#5b8c5a",
    "stock": "#b65c5c",
    "rust": "#8c5b3f",
    "bun-same": "#b9871e",
    "node-same": "#3d6b3c",
    "chatroom": "#2f6fbb",
}
FONT = "font-family='sans-serif' font-size='12'"
WIDTH = 720
LABEL = 70
BAR = 16
GAP = 18


def bars(
    title: str, cases: Sequence[str], values: dict[str, dict[str, float]], clip: float
) -> str:
    """Return horizontal bars: a block a case, a bar a server.

    Args:
        title: What the bars show, with the unit.
        cases: The blocks, from the top.
        values: server → case → value.
        clip: Longest bar; what is longer is cut and keeps its number.
    """
    parts, top = [], 40
    room = WIDTH - LABEL - 130
    for case in cases:
        shown = [(name, mine[case]) for name, mine in values.items() if case in mine]
        middle = top + len(shown) * BAR / 2 + 4
        parts.append(f"<text x='10' y='{middle:.0f}' {FONT}>{escape(case)}</text>")
        for name, value in shown:
            length = min(value, clip) / clip * room
            cut = " …" if value > clip else ""
            parts.append(
                f"<rect x='{LABEL}' y='{top}' width='{length:.1f}' height='{BAR - 3}'"
                f" fill='{COLOURS[name]}'/><text x='{LABEL + length + 6:.1f}'"
                f" y='{top + 11}' {FONT}>{value:.1f}{cut} {escape(name)}</text>"
            )
            top += BAR
        top += GAP
    return _picture(title, top, parts)


def curves(title: str, lines: dict[str, dict[str, float]]) -> str:
    """Return a small curve for each line: its points at even steps, from zero."""
    parts, top, height = [], 40, 110
    highest = max(value for line in lines.values() for value in line.values())
    for name, line in lines.items():
        parts.append(f"<text x='10' y='{top + 12}' {FONT}>{escape(name)}</text>")
        step = (WIDTH - 200) / max(1, len(line) - 1)
        points = []
        for index, (at, value) in enumerate(line.items()):
            x = 130 + index * step
            y = top + height - 24 - value / highest * (height - 45)
            points.append(f"{x:.1f},{y:.1f}")
            parts.append(
                f"<text x='{x:.1f}' y='{y - 6:.1f}' text-anchor='middle' {FONT}>"
                f"{value:.1f}</text><text x='{x:.1f}' y='{top + height - 6}'"
                f" text-anchor='middle' fill='#777' {FONT}>{escape(at)}</text>"
            )
        parts.append(
            f"<polyline points='{' '.join(points)}' fill='none'"
            f" stroke='{COLOURS['chatroom']}' stroke-width='2'/>"
        )
        top += height
    return _picture(title, top, parts)


def _picture(title: str, height: int, parts: Sequence[str]) -> str:
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height}'"
        f" viewBox='0 0 {WIDTH} {height}' role='img' aria-label='{escape(title)}'>"
        f"<rect width='{WIDTH}' height='{height}' fill='white'/>"
        f"<text x='10' y='22' {FONT} font-weight='bold'>{escape(title)}</text>"
        + "".join(parts)
        + "</svg>\n"
    )
