"""Circuits as pictures: plain text for terminals, SVG for pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from quantum.circuit import Angle, Circuit, Instruction, Parameter

# Gates drawn as dots joined to a symbol: how many of the leading qubits are controls.
_CONTROLS = {
    "cx": 1, "cy": 1, "cz": 1, "ch": 1, "crx": 1, "cry": 1, "crz": 1, "cp": 1, "cswap": 1,
    "ccx": 2, "ccz": 2,
}  # fmt: skip
_SYMBOLS = {"cx": "X", "ccx": "X", "swap": "x", "cswap": "x", "cz": "●", "ccz": "●"}
_CELL, _ROW, _LEFT = 9.0, 48.0, 44.0  # SVG: width per character, height per qubit, room for labels


@dataclass(frozen=True, slots=True)
class Mark:
    """What stands on each touched qubit's line, and which step of the circuit it is in."""

    column: int
    labels: dict[int, str]

    @property
    def span(self) -> tuple[int, int]:
        return min(self.labels), max(self.labels)


def draw_text(circuit: Circuit) -> str:
    """The circuit as lines of text, one per qubit, gates in the order of time."""
    columns = _columns(layout(circuit))
    names = [f"q{q}: " for q in range(circuit.n_qubits)]
    width = max(map(len, names))
    lines = [name.rjust(width) + "─" for name in names]
    gaps = [" " * (width + 1)] * (circuit.n_qubits - 1)
    for marks in columns:
        size = 2 + max(len(label) for mark in marks for label in mark.labels.values())
        cells, links = _text_cells(marks, circuit.n_qubits)
        lines = [line + cell.center(size, "─") for line, cell in zip(lines, cells, strict=True)]
        gaps = [gap + link.center(size) for gap, link in zip(gaps, links, strict=True)]
    rows = [row for pair in zip(lines, [*gaps, ""], strict=True) for row in pair]
    return "\n".join(row.rstrip() for row in rows[:-1]) + "\n"


def _text_cells(marks: Sequence[Mark], n_qubits: int) -> tuple[list[str], list[str]]:
    """What one column puts on each qubit's line, and between the lines."""
    cells, links = ["─"] * n_qubits, [" "] * (n_qubits - 1)
    for mark in marks:
        top, bottom = mark.span
        cells[top : bottom + 1] = ["┼"] * (bottom - top + 1)
        links[top:bottom] = ["│"] * (bottom - top)
        for qubit, label in mark.labels.items():
            cells[qubit] = label
    return cells, links


def draw_svg(circuit: Circuit) -> str:
    """The circuit as an SVG picture. Colours come from the page: `currentColor` and, for the boxes,
    the custom property `--surface` (white where it is not set)."""
    parts, x = [], _LEFT
    for marks in _columns(layout(circuit)):
        longest = max(len(label) for mark in marks for label in mark.labels.values())
        width = _CELL * max(longest, 2) + 16
        parts += [_svg_mark(mark, x + width / 2, width - 12) for mark in marks]
        x += width
    height = _ROW * circuit.n_qubits
    wires = [_svg_wire(q, x) for q in range(circuit.n_qubits)]
    size = f"0 0 {x + 12:g} {height:g}"
    title = f"Quantum circuit: {circuit.n_qubits} qubits, {len(circuit.instructions)} gates"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}" role="img" fill="none"'
    style = 'font-family="monospace" font-size="14" stroke="currentColor"'
    return f"{head} {style}><title>{title}</title>{''.join(wires + parts)}</svg>"


def layout(circuit: Circuit) -> list[Mark]:
    """Every gate with the earliest column where nothing lies in its way."""
    free = [0] * circuit.n_qubits
    marks = []
    for instruction in circuit.instructions:
        labels = _labels(instruction)
        top, bottom = min(labels), max(labels)
        column = max(free[top : bottom + 1])
        free[top : bottom + 1] = [column + 1] * (bottom - top + 1)
        marks.append(Mark(column, labels))
    return marks


def _columns(marks: Sequence[Mark]) -> list[list[Mark]]:
    columns: list[list[Mark]] = [[] for _ in range(1 + max((m.column for m in marks), default=-1))]
    for mark in marks:
        columns[mark.column].append(mark)
    return columns


def _labels(instruction: Instruction) -> dict[int, str]:
    name, qubits = instruction.gate, instruction.qubits
    angles = ", ".join(_short(angle) for angle in instruction.angles)
    if name == "mcp":
        labels = ["●"] * (len(qubits) - 1) + [f"P({angles})"]
    elif name == "pauli":
        labels = [f"R{letter}({angles})" if i == 0 else f"R{letter}"
                  for i, letter in enumerate(instruction.word)]  # fmt: skip
    elif name in _CONTROLS:
        target = _SYMBOLS.get(name) or name.removeprefix("c").upper()
        text = f"{target}({angles})" if angles else target
        rest = len(qubits) - _CONTROLS[name]
        labels = ["●"] * _CONTROLS[name] + [text] * rest
    else:
        text = _SYMBOLS.get(name) or name.upper()
        labels = [f"{text}({angles})" if angles else text] * len(qubits)
    return dict(zip(qubits, labels, strict=True))


def _short(angle: Angle) -> str:
    if not isinstance(angle, Parameter):
        return f"{angle:.3g}"
    scale = {1.0: "", -1.0: "-"}.get(angle.scale, f"{angle.scale:.3g}·")
    offset = f"{angle.offset:+.3g}" if angle.offset else ""
    return f"{scale}{angle.name}{offset}"


def _y(qubit: int) -> float:
    return _ROW * (qubit + 0.5)


def _svg_wire(qubit: int, right: float) -> str:
    y = _y(qubit)
    label = f'<text x="8" y="{y + 5:g}" fill="currentColor" stroke="none">q{qubit}</text>'
    return f'{label}<path d="M{_LEFT - 8} {y:g}H{right:g}"/>'


def _svg_mark(mark: Mark, x: float, width: float) -> str:
    top, bottom = mark.span
    link = f'<path d="M{x:g} {_y(top):g}V{_y(bottom):g}"/>' if top < bottom else ""
    shapes = (_svg_shape(label, x, _y(q), width) for q, label in sorted(mark.labels.items()))
    return link + "".join(shapes)


def _svg_shape(label: str, x: float, y: float, width: float) -> str:
    if label == "●":
        return f'<circle cx="{x:g}" cy="{y:g}" r="5" fill="currentColor"/>'
    if label == "x":
        return f'<path d="M{x - 6:g} {y - 6:g}l12 12m0-12l-12 12"/>'
    box = (
        f'<rect x="{x - width / 2:g}" y="{y - 15:g}" width="{width:g}" height="30" rx="4" '
        'fill="var(--surface, white)"/>'
    )
    text = f'<text x="{x:g}" y="{y + 5:g}" text-anchor="middle" fill="currentColor" stroke="none">'
    return f"{box}{text}{escape(label)}</text>"
