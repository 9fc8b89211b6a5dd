"""pytest tests/unit/test_window.py"""

from hypothesis import given
from hypothesis import strategies as st

from service.documents import clean_document
from service.engines.base import Identity
from service.tokenization import Tokenizer
from service.window import fit

WORDS = st.sampled_from(
    ["the", "penicillin", "青霉素", "🧪", "e\u0301", "Ж", "x" * 40, "\n\n", ". ", "?! ", "1928", "ก"]
)
TEXTS = st.lists(WORDS, min_size=1, max_size=80).map(lambda words: " ".join(words) * 40)


@given(TEXTS, st.text("ab 龘🦓", max_size=512), st.integers(5, 120))
def test_the_prompt_never_exceeds_the_window(
    tokenizer: Tokenizer, identity: Identity, document: str, title: str, max_words: int
) -> None:
    window = fit(
        tokenizer,
        prompt_version=identity.prompt_version,
        prompt_limit=identity.prompt_limit,
        query="who discovered penicillin",
        title=title,
        document=clean_document("text " + document, content_type="text/plain").text,
        max_words=max_words,
    )
    assert 0 < len(window.ids) <= identity.prompt_limit
    prompt = tokenizer.decode(window.ids)
    assert prompt.count("who discovered penicillin") == 2
    assert prompt.index("<document>") < prompt.index("</document>")
