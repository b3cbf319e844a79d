"""ThumbHash: a picture in 25 bytes, blurred (https://evanw.github.io/thumbhash/).

Clients paint it where the picture will be: its colours and its shape.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from PIL import Image

# Longest side of what is hashed. The waves that are kept are wider than four pixels of
# it; a hundred, the most that there may be, would take ten times as long.
SIDE: Final = 32


class _Channel(NamedTuple):
    """The mean of a channel, its waves as shares of the largest, and that one."""

    mean: float
    waves: list[float]
    scale: float


def thumbhash_of(picture: Image.Image) -> bytes:
    """Return the hash of a picture that is the right way up."""
    small = picture.convert("RGBA")
    small.thumbnail((SIDE, SIDE))
    width, height = small.size
    pixels = [tuple(each / 255 for each in pixel) for pixel in _pixels(small)]
    alphas = [pixel[3] for pixel in pixels]
    opaque = sum(alphas)
    mean = [
        sum(pixel[n] * pixel[3] for pixel in pixels) / opaque if opaque else 0.0
        for n in range(3)
    ]
    # What cannot be seen has the mean colour.
    shown = [
        [pixel[n] * pixel[3] + mean[n] * (1 - pixel[3]) for n in range(3)]
        for pixel in pixels
    ]
    see_through = opaque < len(pixels)
    limit = 5 if see_through else 7
    across = max(1, _round(limit * width / max(width, height)))
    down = max(1, _round(limit * height / max(width, height)))
    waves = _Waves(width, height)
    light = waves.of([sum(rgb) / 3 for rgb in shown], max(3, across), max(3, down))
    yellow = waves.of([(r + g) / 2 - b for r, g, b in shown], 3, 3)
    red = waves.of([r - g for r, g, _b in shown], 3, 3)
    channels = [light, yellow, red]
    is_wide = width > height
    head = (
        _round(63 * light.mean)
        | _round(31.5 + 31.5 * yellow.mean) << 6
        | _round(31.5 + 31.5 * red.mean) << 12
        | _round(31 * light.scale) << 18
        | see_through << 23
    )
    more = (
        (down if is_wide else across)
        | _round(63 * yellow.scale) << 3
        | _round(63 * red.scale) << 9
        | is_wide << 15
    )
    out = bytearray(head.to_bytes(3, "little") + more.to_bytes(2, "little"))
    if see_through:
        alpha = waves.of(alphas, 5, 5)
        out.append(_round(15 * alpha.mean) | _round(15 * alpha.scale) << 4)
        channels.append(alpha)
    halves = [_round(15 * wave) for channel in channels for wave in channel.waves]
    halves += [0] * (len(halves) % 2)
    out += bytes(
        low | high << 4 for low, high in zip(halves[::2], halves[1::2], strict=True)
    )
    return bytes(out)


class _Waves:
    """The cosine transform of a channel, its long waves only."""

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._across = [_cosines(width, n) for n in range(8)]
        self._down = [_cosines(height, n) for n in range(8)]

    def of(self, channel: Sequence[float], across: int, down: int) -> _Channel:
        """Return the waves of a channel whose numbers fit into a triangle."""
        rows = range(0, len(channel), self._width)
        lines = [channel[start : start + self._width] for start in rows]
        # One direction after the other.
        sums = [
            [sum(map(_times, line, self._across[cx])) for line in lines]
            for cx in range(across)
        ]
        mean, waves = 0.0, []
        for cy in range(down):
            for cx in range(across):
                if cx * down >= across * (down - cy):
                    break
                wave = sum(map(_times, sums[cx], self._down[cy])) / len(channel)
                if cx or cy:
                    waves.append(wave)
                else:
                    mean = wave
        scale = max(map(abs, waves), default=0.0)
        if scale:
            waves = [0.5 + 0.5 / scale * wave for wave in waves]
        return _Channel(mean, waves, scale)


def _cosines(length: int, number: int) -> list[float]:
    return [math.cos(math.pi / length * number * (at + 0.5)) for at in range(length)]


def _times(left: float, right: float) -> float:
    return left * right


def _pixels(picture: Image.Image) -> list[tuple[int, ...]]:
    data = picture.tobytes()
    return [tuple(data[at : at + 4]) for at in range(0, len(data), 4)]


def _round(number: float) -> int:
    """Round as JavaScript does, in which the hash was defined."""
    return math.floor(number + 0.5)
