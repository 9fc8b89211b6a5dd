"""Elements that a reader of the page does not see, told by attributes, inline styles and simple rules of its <style>.

Not looked at: linked stylesheets, rules with combinators or inside of @media, what scripts do, and what lies behind or
in front of what. Scripts show what is hidden at first, often a whole page that fades in: so what hides can be doubted.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from querygist.text.html.css import (
    Style,
    alike,
    colour_of,
    declarations,
    folds,
    hides,
    is_tiny,
    is_transparent,
    rules_of,
)

Attributes = dict[str, str | None]

VISUALLY_HIDDEN = re.compile(
    r"(?:^|\s)(?:sr-only|visually-hidden|visuallyhidden|screen-reader-text|screenreader|a-offscreen|offscreen|"
    r"sr-text|u-hidden-visually|govuk-visually-hidden|element-invisible|assistive-text|hidden-visually|"
    r"visually-hidden-focusable|sr-only-focusable|text-hide)(?:\s|$)",
    re.IGNORECASE,
)
_SHOWN_SOMEWHERE = re.compile(r"(?:^|\s)(?!(?:focus|active)\b)[\w-]+:not-sr-only(?:\s|$)")
_UTILITIES = re.compile(r"(?:^|\s)(?:d-none|hidden|invisible|opacity-0)(?:\s|$)")  # Bootstrap's, Tailwind's
_SHOWN_AT_SOME_WIDTH = re.compile(r"(?:^|\s)(?:[\w-]+:|d-(?:sm|md|lg|xl|xxl)-)(?!hidden|none|invisible|opacity-0)")
_LABELS = frozenset(["label", "legend", "caption", "th", "dt", "h1", "h2", "h3", "h4", "h5", "h6"])
_ALWAYS_SEEN = frozenset(["html", "body", "main", "article"])


class Hiding(IntEnum):
    """A way of being hidden, by how easily it is doubted: what scripts often undo, and what stays."""

    FADED = 1
    GONE = 2


class Looks(NamedTuple):
    """The part of an element's style that its descendants inherit."""

    background: str | None = "#ffffff"
    """None for one that is not known."""
    invisible: bool = False
    tiny: bool = False

    @property
    def unread(self) -> bool:
        """True for text that nobody can read."""
        return self.invisible or self.tiny


PLAIN = Looks()


@dataclass(slots=True)
class Verdict:
    """An element as it is seen: `unseen` for good, `collapsed` until a control opens it."""

    looks: Looks
    unseen: bool = False
    collapsed: bool = False


def _for_ears(classes: str) -> bool:
    """True for classes of what only screen readers read."""
    return VISUALLY_HIDDEN.search(classes) is not None and not _SHOWN_SOMEWHERE.search(classes)


def _fades(style: Style, classes: str) -> bool:
    """True for what is transparent, or has one of the classes that scripts take away; not where any width shows it."""
    if is_transparent(style):
        return True
    return _UTILITIES.search(classes) is not None and not _SHOWN_AT_SOME_WIDTH.search(classes)


class Visibility:
    """Judges the elements of one page. `doubts`: no element is hidden in that way, or a lesser one; `hid`: the ways in
    which some were.
    """

    def __init__(self, style_sheets: Sequence[str], doubts: int = 0) -> None:
        self.hid: set[Hiding] = set()
        self._doubts = doubts
        self._rules = rules_of("\n".join(style_sheets))

    def of(self, tag: str, attributes: Attributes, outer: Looks) -> Verdict:
        """Return how an element is seen inside of what looks like `outer`."""
        if not attributes:
            return Verdict(outer)
        classes, name = attributes.get("class") or "", attributes.get("id")
        style: Style = {}
        if self._rules and (classes or name):
            for selector in [*(f".{one}" for one in classes.split()), f"#{name}"]:
                style |= self._rules.get(selector, {})
        style |= declarations(attributes.get("style") or "")
        looks = self._looks(style, attributes, outer, styled=bool(classes or name))
        if looks.tiny:
            self.hid.add(Hiding.GONE)
        if tag in _ALWAYS_SEEN:
            return Verdict(Looks(looks.background))
        collapsed = "hidden" in attributes or attributes.get("aria-hidden") == "true" or folds(style)
        hiding = None
        if hides(style) or self._blends(style, attributes, looks) or (tag not in _LABELS and _for_ears(classes)):
            hiding = Hiding.GONE
        elif _fades(style, classes):
            hiding = Hiding.FADED
        unseen = hiding is not None and hiding > self._doubts
        if hiding is not None and unseen:
            self.hid.add(hiding)
        return Verdict(looks, unseen, collapsed)

    def _looks(self, style: Style, attributes: Attributes, outer: Looks, *, styled: bool) -> Looks:
        invisible = outer.invisible
        if "visibility" in style:
            invisible = style["visibility"].startswith(("hidden", "collapse"))
        background = outer.background
        given = style.get("background-color") or style.get("background") or attributes.get("bgcolor")
        if given:
            colour = colour_of(given.lower())
            background = background if colour == "transparent" else colour
        elif styled:
            background = None
        own_size = is_tiny(style)
        tiny = self._doubts < Hiding.GONE and (outer.tiny if own_size is None else own_size)
        return Looks(background, invisible, tiny)

    @staticmethod
    def _blends(style: Style, attributes: Attributes, looks: Looks) -> bool:
        given = style.get("color") or attributes.get("color")
        if not given:
            return False
        colour = colour_of(given.lower())
        return colour == "transparent" or (colour is not None and alike(colour, looks.background))
