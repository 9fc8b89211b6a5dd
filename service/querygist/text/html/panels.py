"""Collapsed elements that a reader of the page opens: panels of an accordion, tabs, answers below their questions."""

import re

from selectolax.lexbor import LexborNode

from querygist.text.html.visibility import VISUALLY_HIDDEN, Attributes

_PANEL = re.compile(r"\b(?:tab|pane|panel|accordion|collaps|answer|faq|toggle|expand)", re.IGNORECASE)
_NO_PANEL = frozenset(["dialog", "alertdialog", "menu", "menubar", "navigation", "listbox", "tooltip", "alert"])
_OPENERS = frozenset(["h2", "h3", "h4", "h5", "h6", "button", "summary", "dt", "legend"])
_OPENER_DEPTH = 3
CONTROLLED = re.compile(r"""\b(?:aria-controls|data-(?:bs-)?target)\s*=\s*["']?#?([\w-]+)""", re.IGNORECASE)


def _beside(node: LexborNode, *, forward: bool) -> LexborNode | None:
    """The element next to a node, only blanks and comments between them."""
    other = node.next if forward else node.prev
    while other is not None and (other.tag or "").startswith(("-", "!", "_")):
        if other.tag == "-text" and (other.text_content or "").strip():
            return None
        other = other.next if forward else other.prev
    return other


def _opens(node: LexborNode | None) -> bool:
    """True for a heading or control that opens what follows it, or an element that ends in one."""
    for _ in range(_OPENER_DEPTH):
        if node is None:
            return False
        attributes = node.attributes
        if node.tag in _OPENERS or "aria-expanded" in attributes or attributes.get("role") in ("button", "tab"):
            return True
        node = node.last_child
        while node is not None and (node.tag or "").startswith("-"):
            node = node.prev
    return False


def opens_by_control(node: LexborNode, attributes: Attributes, controlled: frozenset[str]) -> bool:
    """True for a collapsed element that a reader opens: a panel of an accordion, a tab, the answer below a question."""
    if (attributes.get("role") or "") in _NO_PANEL or attributes.get("aria-modal") == "true":
        return False
    if attributes.get("hidden") == "until-found" or attributes.get("role") == "tabpanel":
        return True
    if (attributes.get("id") or "") in controlled or _PANEL.search(attributes.get("class") or ""):
        return True
    if _opens(_beside(node, forward=False)):
        return True
    child = node.first_child
    return child is not None and child.tag == "math"  # an encyclopedia shows a picture of it


def reads_twin(node: LexborNode) -> bool:
    """True for an element hidden from screen readers only, because a visually hidden one beside it says the same."""
    for forward in (False, True):
        twin = _beside(node, forward=forward)
        if twin is not None and VISUALLY_HIDDEN.search(twin.attributes.get("class") or ""):
            return True
    return False
