"""The part of CSS that tells whether text is seen: declarations, simple rules, colours, lengths."""

import re

Style = dict[str, str]

# Each pattern takes linear time wherever it is tried: styles come from anyone, and `re` holds the GIL.
_MOST_CSS = 200_000
_SIZE = r"(-?\d*\.?\d+)(px|pt|em|rem|%|vw|vh|ch|in|cm)?"
_DECLARATION = re.compile(r"(?<![a-z-])([a-z-]+)\s*:\s*([^;]+)")
_LOOKED_AT_NAMES = (
    "background background-color clip clip-path color content-visibility display filter font font-size height inset "
    "left margin-left margin-top max-height max-width opacity overflow position right bottom text-indent top transform "
    "visibility white-space width"
)
_LOOKED_AT = frozenset(_LOOKED_AT_NAMES.split())
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_TOKEN = re.compile(r"/\*.*?(?:\*/|\Z)|[{}]", re.DOTALL)
_SIMPLE = re.compile(r"[a-z]*([.#][\w-]+)", re.IGNORECASE)
_LENGTH = re.compile(_SIZE)
_FAR = 500  # px; nothing of a page stands so far to the left of it
_LEAST_FONT = 2  # px
_CLIPPED = re.compile(
    r"inset\(\s*(?:50|100)%|circle\(\s*0|polygon\(\s*0(?:px)?\s+0(?:px)?\s*,\s*0(?:px)?\s+0(?:px)?\s*,"
)
_RECT = re.compile(r"rect\(\s*[01](?:px)?[\s,]+[01](?:px)?[\s,]+[01](?:px)?[\s,]+[01](?:px)?\s*\)")
_MOVED_AWAY = re.compile(r"translate(?:x|y|3d)?\((?:calc\()?[^()]*-\d{3,}|scale[xy]?\(0[,)]")
_TINY_FONT = re.compile(r"(?:^|\s)0*(?:\.0+|[01](?:\.\d*)?)(?:px)?\s*(?:/|\s)")
_CLEAR = re.compile(r"opacity\(0*(?:\.0*)?%?\)")
_NAMES = {"white": "#ffffff", "black": "#000000", "transparent": "transparent", "red": "#ff0000"}
_RGB = re.compile(r"rgba?\(\s*(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})(?:\s*[,/]\s*([\d.]+%?))?\s*\)")
_COLOUR = re.compile(r"#[0-9a-f]{3,8}\b|rgba?\([^()]*\)|[a-z]+")
_ALIKE = 8  # of 255, in each of red, green and blue


def colour_of(value: str) -> str | None:
    """Return a colour as #rrggbb, or "transparent"; None for one that is not known."""
    found = _COLOUR.match(value)
    if not found:
        return None
    name = found[0]
    if rgb := _RGB.match(value):
        if rgb[4] and float(rgb[4].rstrip("%") if rgb[4].count(".") <= 1 and rgb[4] != "." else 1) == 0:
            return "transparent"
        return "#" + "".join(f"{min(int(part), 255):02x}" for part in rgb.groups()[:3])
    if name[0] == "#" and len(name) in (4, 5):
        return "#" + "".join(2 * digit for digit in name[1:4])
    return name[:7] if name[0] == "#" else _NAMES.get(name)


def alike(one: str, other: str | None) -> bool:
    """True for two colours, as #rrggbb, that the eye does not tell apart."""
    if other is None or len(one) != 7 or len(other) != 7:
        return False
    pairs = ((int(colour[place : place + 2], 16) for colour in (one, other)) for place in (1, 3, 5))
    return all(abs(first - second) <= _ALIKE for first, second in pairs)


def _pixels(value: str) -> float | None:
    found = _LENGTH.match(value)
    if not found:
        return None
    return float(found[1]) * {"em": 16, "rem": 16, "%": 10, "vw": 10, "vh": 10, "in": 96}.get(found[2] or "px", 1)


def is_transparent(style: Style) -> bool:
    """True for no opacity."""
    opacity = _LENGTH.match(style.get("opacity", "1"))
    return (opacity is not None and float(opacity[1]) <= 0.01) or _CLEAR.match(style.get("filter", "")) is not None


def hides(style: Style) -> bool:  # noqa: PLR0911
    """True for what no control opens: off the page, clipped, without size."""
    if style.get("content-visibility", "").startswith("hidden"):
        return True
    if (indent := _pixels(style.get("text-indent", ""))) is not None and indent <= -_FAR:
        return True
    if style.get("white-space") == "nowrap" and style.get("text-indent", "").startswith("100%"):
        return style.get("overflow", "").startswith("hidden")
    if style.get("position", "").startswith(("absolute", "fixed", "relative")):
        for side in ("left", "top", "right", "bottom", "inset"):
            if (place := _pixels(style.get(side, ""))) is not None and place <= -_FAR:
                return True
        if _RECT.search(style.get("clip", "")):
            return True
    for side in ("margin-left", "margin-top"):
        if (place := _pixels(style.get(side, ""))) is not None and place <= -_FAR:
            return True
    return bool(_CLIPPED.search(style.get("clip-path", "")) or _MOVED_AWAY.search(style.get("transform", "")))


def is_tiny(style: Style) -> bool | None:
    """True for text of no size, False for a size of its own; None for the size around it, or a share of that."""
    if size := style.get("font-size"):
        pixels = _pixels(size)
        if pixels is not None and pixels < _LEAST_FONT:
            return True
        return None if re.match(r"[\d.]+(?:em|%)|inherit|unset|smaller|larger", size) else False
    if font := style.get("font"):
        return _TINY_FONT.search(font) is not None
    return None


def folds(style: Style) -> bool:
    """True for what hides as a closed panel does."""
    if style.get("display", "").startswith("none"):
        return True
    if not style.get("overflow", "").startswith(("hidden", "clip")):
        return False
    sizes = [_pixels(style.get(side, "")) for side in ("height", "max-height", "width", "max-width")]
    return any(size is not None and size <= 1 for size in sizes)


def declarations(css: str) -> Style:
    """Return the declarations that are looked at."""
    if ":" not in css:
        return {}
    found = _DECLARATION.findall(_COMMENT.sub("", css).lower())
    return {key: value.strip() for key, value in found if key in _LOOKED_AT}


def rules_of(css: str) -> dict[str, Style]:
    """Declarations by the simple class and id selectors of a style sheet."""
    rules: dict[str, Style] = {}
    depth = start = 0
    selectors = ""
    css = css[:_MOST_CSS]
    for token in _TOKEN.finditer(css):
        if token[0] == "{":
            depth += 1
            if depth == 1:
                selectors, start = css[start : token.start()], token.end()
        elif token[0] == "}":
            depth = max(depth - 1, 0)
            if not depth:
                if "@" not in selectors:
                    style = declarations(css[start : token.start()])
                    for selector in selectors.split(",") if style else ():
                        if simple := _SIMPLE.fullmatch(selector.strip()):
                            rules[simple[1]] = {**rules.get(simple[1], {}), **style}
                start = token.end()
        elif not depth:
            start = token.end()
    return rules
