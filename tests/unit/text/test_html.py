"""Run with."""

import contextlib
import time

import pytest

from querygist.errors import UnprocessableText
from querygist.text.cleaning import clean_document
from querygist.text.html.page import page_drafts


def lines(html: str) -> list[str]:
    try:
        return clean_document(html, content_type="text/html").text.replace("\n\n", "\n").split("\n")
    except UnprocessableText:
        return []


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>One<p>two &amp; <b>th</b>ree&nbsp;&#x1F600;", ["One", "two & three 😀"]),
        ("plain &lt;text&gt;", ["plain <text>"]),
        ("a<br>b<div>c</div>d<span> e</span>", ["a", "b", "c", "d e"]),
        ("<ul><li>x<li>y</ul><dl><dt>t<dd>d</dl>", ["x", "y", "t d"]),
        ("<table><tr><th>a<th>b<tr><td>1<td>2</table>", ["a b", "1 2"]),
        ("<p>wrapped\n   source\tlines</p><pre>kept\n  lines</pre>", ["wrapped source lines", "kept", "lines"]),
        ("<p>it's <a href=x onclick=it's>a link</a>, isn't it</p>", ["it's a link, isn't it"]),
        ("<form><p>inside of a form</p><button>no</button><textarea>no</textarea></form>", ["inside of a form"]),
        ("<label>Cup <select><option value=''>Choose<option>small<option>big</select>", ["Cup", "small", "big"]),
        ("<select>" + "<option>country" * 13 + "</select>x", ["x"]),
        ("<noscript><p>no</p></noscript><p>a</p><noscript>no</noscript>", ["a"]),
        ("<p>Type:</p><xmp><b>x</b> & y</xmp>z", ["Type:", "<b>x</b> & y", "z"]),
        ("a<noframes><b>no</b></noframes><noembed><i>no</i></noembed>", ["a"]),
        ("<article>Text.<footer>By Ann</footer></article><menu><li>m</menu>", ["Text.", "By Ann", "m"]),
        ("<p>See <q>it</q> in <ruby>字<rp>(</rp><rt>ji</rt></ruby>", ["See “it” in 字(ji)"]),
    ],
)
def test_text_stands_in_document_order_with_blocks_apart(html: str, expected: list[str]) -> None:
    assert lines(html) == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("about 10<sup>12</sup> grains", "about 10¹² grains"),
        ("7 m<sup>2</sup>, H<sub>2</sub>O, log<sub>2</sub> n", "7 m², H2O, log₂ n"),
        ("x<sup>n+1</sup> and e<sup>-x</sup>", "xⁿ⁺¹ and e^-x"),
        ("for $31<sup>50</sup> now", "for $31.50 now"),
        ("for £8 <small>75</small> now", "for £8.75 now"),
        ("for 31<sup>50</sup> € now", "for 31,50 € now"),
        ("in 1877<sup><a href='#n2'>2</a></sup> or so.<sup>[4]</sup>", "in 1877 or so."),
        ("1<sup>3</sup>&frasl;<sub>4</sub> cups, the 2<sup>nd</sup> M<sup>me</sup>", "1 3⁄4 cups, the 2nd Mme"),
        ("from <del>May</del> <ins>June</ins>, <s>9</s> 8 euros", "from June, 8 euros"),
        ("is <math><mi>k</mi><msup><mi>q</mi><mn>2</mn></msup></math>.", "is k q²."),
        ("is <math><mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mn>2</mn></mfrac></math>", "is (a + b)/2"),
        ("<math><msqrt><mi>x</mi></msqrt><mo>=</mo><msub><mi>y</mi><mn>1</mn></msub></math>", "√x = y₁"),
        ("<span>Height</span><span>9.5 cm</span>", "Height 9.5 cm"),
        ("<a>Tea</a><a>Coffee</a><span>$</span><span>4</span><b>.50</b>", "Tea Coffee $4.50"),
        ("<b>Height</b>9 cm", "Height 9 cm"),
        ("<span>h</span><span>i</span> un<b>do</b>ing a<wbr>b<wbr>c", "hi undoing abc"),
    ],
)
def test_numbers_and_words_are_as_a_reader_sees_them(html: str, expected: str) -> None:
    assert lines(f"<p>{html}</p>") == [expected]


@pytest.mark.parametrize(
    "panel",
    [
        "<h3><button aria-expanded=false>Asked?</button></h3><div aria-hidden=true>Told.</div>",
        "<h3>Asked?</h3><div hidden=until-found>Told.</div>",
        "<div><h3><button>Asked?</button></h3></div><div style='display:none'>Told.</div>",
        "<button aria-controls=p1>Asked?</button><p hidden id=p1>Told.</p>",
        "<p>Asked?</p><div class=tab-pane style='display:none'>Told.</div>",
        "<p>Asked?</p><div role=tabpanel hidden>Told.</div>",
        "<style>.c{display:none}</style><h2>Asked?</h2><div class=c>Told.</div>",
        "<details><summary>Asked?</summary>Told.</details>",
        "<dl><dt>Asked?<dd style='max-height:0;overflow:hidden'>Told.</dl>",
    ],
)
def test_what_a_control_opens_is_read(panel: str) -> None:
    assert lines(panel) == ["Asked?", "Told."]


@pytest.mark.parametrize(
    "unseen",
    [
        "<script>if (a < b) no()</script>",
        "<style>no {}</style>",
        "<noscript>no</noscript>",
        "<template><p>no</p></template>",
        "<svg><title>no</title><text>no</text></svg>",
        "<iframe>no</iframe>",
        "<nav><ul><li>no</ul></nav>",
        "<div role=navigation>no</div>",
        "<p style='opacity:0'>no</p>",
        "<p style='font-size:0'>no</p>",
        "<p style='color:#fff;font-size:1px'>no</p>",
        "<p style='color:white'>no</p>",
        "<p style='color:#fefefe'>no</p>",
        "<div style='font-size:0'>no<b>no</b><b style='font-size:2em'>no</b></div>",
        "<p style='font:0/0 a'>no</p>",
        "<p style='opacity/**/:0'>no</p>",
        "<p style='filter:opacity(0)'>no</p>",
        "<p style='position:relative;left:-9999px'>no</p>",
        "<p style='position:fixed;inset:-9999px auto auto'>no</p>",
        "<p style='position:absolute!important;clip:rect(1px, 1px, 1px, 1px)'>no</p>",
        "<p style='text-indent:100%;white-space:nowrap;overflow:hidden'>no</p>",
        "<p style='transform:scaleX(0)'>no</p>",
        "<p style='content-visibility:hidden'>no</p>",
        "<p class='screen-reader-text'>no</p>",
        "<a class='sr-only focus:not-sr-only'>no</a>",
        "<a class='visually-hidden-focusable'>no</a>",
        "<p class='d-none'>no</p>",
        "<p class='mt-4 hidden'>no</p>",
        "<p class='invisible'>no</p>",
        "<p class='opacity-0'>no</p>",
        "<div style='background:#000'><b style='color:rgb(0,0,0)'>no</b></div>",
        "<p style='position:absolute;left:-9999px'>no</p>",
        "<p style='text-indent:-9999px'>no</p>",
        "<p style='position:absolute;clip:rect(0,0,0,0)'>no</p>",
        "<p style='clip-path:inset(50%)'>no</p>",
        "<p style='height:0;overflow:hidden'>no</p>",
        "<p class='sr-only'>no</p>",
        "<style>.z,#y{opacity:0}</style><p class='x z'>no</p><p id=y>no</p>",
        "<div style='display:none'>no</div>",
        "<p hidden role=dialog id=m></p><a aria-controls=m></a>",
        "<textarea>no</textarea>",
        "<div hidden>no<p>no</div>",
        "<p hidden>no",
        "<b hidden>no</b>",
        '<div aria-hidden="true">no</div>',
        '<div style="color: red; DISPLAY : none">no</div>',
        "<p style='visibility:hidden'>no</p>",
        "<!-- no --><!no><?no?>",
    ],
)
def test_what_a_reader_does_not_see_is_left_out(unseen: str) -> None:
    page = f"<!doctype html><html><head><title>no</title></head><body><p>before</p>{unseen}<p>after</p></body></html>"
    assert lines(page) == ["before", "after"]


@pytest.mark.parametrize(
    "seen",
    [
        "<div style='background:#000'><p style='color:#fff'>yes</p></div>",
        "<div class=hero><p style='color:#fff'>yes</p></div>",
        "<p style='color:#eee'>yes</p>",
        "<ul style='font-size:0'><li style='font-size:16px'>yes</li></ul>",
        "<div style='font:0/0 a'><p style='font:16px/1.5 serif'>yes</p></div>",
        "<p style='font:italic 1.5em serif'>yes</p>",
        "<p style='opacity:.5;filter:opacity(.5)'>yes</p>",
        "<p style='position:relative;left:-9px;text-indent:2em'>yes</p>",
        "<p class='d-none d-md-block'>yes</p>",
        "<p class='hidden md:block'>yes</p>",
        "<p class='sr-only md:not-sr-only'>yes</p>",
        "<p class='overflow-hidden hidden-caption'>yes</p>",
        "<h2 class='sr-only'>yes</h2>",
        "<div style='visibility:hidden'>no<p style='visibility:visible'>yes</p></div>",
        "<style>@media print{.y{display:none}} .y .z{display:none}</style><p class=y>yes</p>",
        "<p><span class=visually-hidden>no</span><span aria-hidden=true>yes</span></p>",
    ],
)
def test_what_a_reader_does_see_is_kept(seen: str) -> None:
    assert lines(seen) == ["yes"]


HIDERS = [
    "style='opacity:0;transition:opacity 1s'",
    "class=opacity-0",
    "class=hidden",
    "class=sr-only",
    "style='position:absolute;left:-9999px'",
    "style='color:#fff'",
    "style='font-size:0'",
    "style='clip-path:inset(50%)'",
]


@pytest.mark.parametrize("hider", HIDERS)
def test_no_style_hides_a_whole_page(hider: str) -> None:
    """Scripts show what was hidden until they ran."""
    page = "<p>one</p><p>two</p>"
    assert lines(f"<body><div {hider}>{page}</div></body>") == ["one", "two"]
    assert lines(f"<div {hider}><div {hider}>{page}</div></div>") == ["one", "two"]


@pytest.mark.parametrize("hider", HIDERS[:3])
def test_a_page_that_fades_in_is_read_beside_its_banner(hider: str) -> None:
    page = "<p>Owls hunt at night, and eat mice and voles.</p>"
    hidden = f"<p {hider}>no</p>"
    assert lines(f"<div>Loading</div><div {hider}>{page}</div>") == ["Loading", page[3:-4]]
    assert lines(f"<div>{page}</div>{hidden}") == [page[3:-4]], "the smaller part stays hidden"


def test_deep_nesting_is_read_without_recursion() -> None:
    assert lines("<div>" * 3_000 + "deep" + "</div>" * 3_000) == ["deep"]
    assert lines("<b>" * 500 + "bold") == ["bold"]


def test_sloppy_markup_is_not_taken_for_an_attack() -> None:
    page = "<div><p>one<p>two<li>three<a name=x><font>four</div></span></b>" * 500
    assert lines(page)[:3] == ["one", "two", "threefour"]
    assert len(page_drafts("<tr><td>cell" * 15_000)) == 1  # cells outside of a table are no cells


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 40_000,
        "<div>" * 18_000 + "</div>" * 18_000,
        "<ul =</ul>" * 20_000,
        "<ul><!--</ul>-->" * 12_500,
        "<ul><xmp></ul></xmp>" * 10_000,
        "<noscript>" + "<ul>" * 45_000,
        "<svg><title>" + "<ul>" * 45_000,
        "<svg><title>" + "<ul <>" * 30_000,
        "<p>" + "".join(f"<b a={i}>" for i in range(8_000)) + "<p>x" * 10_000,
        "<p " + " ".join(f"a{i}" for i in range(30_000)) + ">",
        "".join(f"<body a{i}>" for i in range(15_000)),
        "<a " * 60_000,
        "<x>" * 20_000 + "</y>" * 25_000,
        "<optgroup><option>" * 11_000,
    ],
)
def test_markup_that_keeps_the_parser_busy_is_refused(html: str) -> None:
    """Most of these take lexbor between one second and the memory of the machine."""
    start = time.process_time()
    with pytest.raises(UnprocessableText, match="text/plain"):
        page_drafts(html)
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize("piece", ["<", "<!--", "<!", "</", "<a b='", "<script>", "</script", "&", "&#", "]]>", "<p>x"])
def test_broken_markup_is_read_or_refused_in_linear_time(piece: str) -> None:
    start = time.process_time()
    with contextlib.suppress(UnprocessableText):
        page_drafts(piece * (200_000 // len(piece)))
    assert time.process_time() - start < 2.0
