"""The numbers of all workers in one text, each with the label ``worker``.

Nothing is added up: a worker that is started again begins at 0, and of a sum that falls
Prometheus would think that everything was counted anew.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

_SAMPLE: Final = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (.+)")


def join(texts: Mapping[int, bytes]) -> bytes:
    """Return the text of several workers.

    Args:
        texts: Slot to what its worker says, in Prometheus's text format.
    """
    # A family's lines stand together: its head once, then the samples of all.
    families: dict[str, tuple[list[str], list[str]]] = {}
    for slot, text in texts.items():
        for name, head, samples in _families(text.decode()):
            _head, known = families.setdefault(name, (head, []))
            known += [_labelled(sample, slot) for sample in samples]
    lines = (line for head, known in families.values() for line in (*head, *known))
    return "".join(f"{line}\n" for line in lines).encode()


def _families(text: str) -> Iterable[tuple[str, list[str], list[str]]]:
    """Yield name, head and samples of each family; a head begins with its HELP."""
    name, head, samples = "", list[str](), list[str]()
    for line in text.splitlines():
        if line.startswith("# HELP "):
            if name:
                yield name, head, samples
            name, head, samples = line.split(" ", 3)[2], [line], []
        elif line.startswith("#"):
            head.append(line)
        elif line:
            samples.append(line)
    if name:
        yield name, head, samples


def _labelled(sample: str, slot: int) -> str:
    found = _SAMPLE.fullmatch(sample)
    if found is None:
        raise ValueError(f"no sample: {sample!r}")
    name, labels, value = found.groups()
    own = f'worker="{slot}"'
    return f"{name}{{{f'{labels},{own}' if labels else own}}} {value}"


def family(name: str, kind: str, meaning: str, samples: Iterable[str]) -> str:
    """Return the lines of a family of our own."""
    lines = [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
    return "".join(f"{line}\n" for line in (*lines, *samples))
