"""MathML as one line of text: π r², m v²/2."""

import re

from selectolax.lexbor import LexborNode

from querygist.text.html.scripts import subscript, superscript

_DEEPEST = 40
_SILENT = frozenset(["annotation", "annotation-xml", "mphantom", "none", "mprescripts", "maligngroup", "malignmark"])
_INVISIBLE = str.maketrans("", "", "\u2061\u2062\u2063\u2064")
_TIGHT = frozenset("/()[]{}|‖!′'⌊⌋⌈⌉.")
_COMPOSITE = re.compile(r"[\s/+=−-]")


def _children(node: LexborNode) -> list[LexborNode]:
    return [child for child in node.iter() if (child.tag or "") not in _SILENT]


def _row(children: list[LexborNode], depth: int) -> str:
    """Operands and operators side by side, a blank where a reader sees a gap."""
    line, operand = "", False  # `operand`: the line ends in one
    for child in children:
        text = _linear(child, depth)
        if not text:
            continue
        if child.tag == "mo":
            signed = not operand and text in "+-−±"
            line += text if text in _TIGHT or signed else f"{text} " if text in ",;" else f" {text} "
            operand = text in ")]}!′'|"
        else:
            line += f" {text}" if operand and not line.endswith((" ", "/", "(")) else text
            operand = True
    return " ".join(line.split())


def _grouped(text: str) -> str:
    return f"({text})" if _COMPOSITE.search(text) and not (text[0] == "(" and text[-1] == ")") else text


def _pair(children: list[LexborNode], depth: int) -> list[str]:
    return [_linear(child, depth) for child in children] + [""] * 3


def _linear(node: LexborNode, depth: int) -> str:  # noqa: PLR0911
    tag, children = node.tag or "", _children(node)
    if depth > _DEEPEST or not children:
        return " ".join((node.text(deep=True) or "").translate(_INVISIBLE).split())
    depth += 1
    if tag in ("msup", "mover"):
        base, over, *_ = _pair(children, depth)
        return base if tag == "mover" and not any(map(str.isalnum, over)) else base + (over and superscript(over))
    if tag in ("msub", "munder"):
        base, under, *_ = _pair(children, depth)
        return base if tag == "munder" and not any(map(str.isalnum, under)) else base + (under and subscript(under))
    if tag in ("msubsup", "munderover"):
        base, under, over, *_ = _pair(children, depth)
        return base + (under and subscript(under)) + (over and superscript(over))
    if tag == "mfrac":
        above, below, *_ = _pair(children, depth)
        return f"{_grouped(above or '?')}/{_grouped(below or '?')}"
    if tag == "msqrt":
        return f"√{_grouped(_row(children, depth) or '?')}"
    if tag == "mroot":
        base, index, *_ = _pair(children, depth)
        return f"{superscript(index) if index else ''}√{_grouped(base or '?')}"
    if tag == "mfenced":
        return "(" + ", ".join(_linear(child, depth) for child in children) + ")"
    if tag == "mtable":
        return "; ".join(_linear(child, depth) for child in children)
    return _row(children[:1] if tag == "semantics" else children, depth)


def math_text(node: LexborNode) -> str:
    """The text of a <math> element, its fractions, roots, powers and indices written on the line."""
    return _linear(node, 0)
