"""Detection of English."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.text.language import is_english
from tests.conftest import REPOSITORY

ENGLISH = {
    "paragraph": "The battery lasts about ten hours when the screen is dim, and it charges in less than two.",
    "list": "Ingredients\n- 200 g flour\n- 2 eggs\n- 1 pinch salt\n- 50 ml milk\n- butter for frying",
    "table": "Model | Weight | Battery\nX100 | 1.2 kg | 5,000 mAh\n"
    "X200 | 1.4 kg | 6,200 mAh\nX300 | 1.9 kg | 7,000 mAh",
    "product": "Acme Pro 14 laptop\nPrice: $1,299.00\nIn stock\nRAM 16 GB DDR5, SSD 512 GB NVMe, Wi-Fi 6E, USB-C",
    "code": "def mean(values):\n    total = 0\n"
    "    for value in values:\n        total += value\n    return total / len(values)",
    "c": '#include <stdio.h>\nint main(void) { for (int i = 0; i < 10; i++) printf("%d\\n", i); return 0; }',
    "names": "Simone de Beauvoir, Charles de Gaulle, Ludwig van Beethoven, Oscar de la Renta, Otto von Bismarck, "
    "Vincent van Gogh, Robert De Niro, Leonardo da Vinci, Juan de la Cruz, Walther von der Vogelweide",
    "accented names": "José Martí, Gabriel García Márquez, Émile Zola, Søren Kierkegaard, Antonín Dvořák, Ángel Núñez, "
    "Björk Guðmundsdóttir, François Mitterrand, Kurt Gödel, Erwin Schrödinger, Łukasz Żółć, Rubén Darío",
    "films": "La Dolce Vita (1960)\nLas Meninas\nDie Hard (1988)\nLos Angeles\nPulp Fiction (1994)\nDas Boot (1981)",
    "about Japanese": "The word 日本 is read Nihon or Nippon, and 東京 is the name of its capital city, Tokyo.",
    "dishes": "The menu has crème brûlée, jalapeño poppers, pâté and a soufflé, which are made to order.",
    "numbers": "1,024 2,048 4,096",
    "nothing": "",
}
OTHERS = {
    "German": "Der Akku hält etwa zehn Stunden, wenn der Bildschirm dunkel ist, und er lädt in weniger als zwei. "
    "Man kann ihn nicht selbst tauschen.",
    "French": "La batterie dure environ dix heures quand l'écran est sombre, et elle se recharge en moins de deux "
    "heures. Il ne faut pas la changer soi-même.",
    "Spanish": "La batería dura unas diez horas cuando la pantalla está oscura, y se carga en menos de dos. Es mejor "
    "no cambiarla en casa, como dice el manual.",
    "Italian": "La batteria dura circa dieci ore quando lo schermo è scuro, e si ricarica in meno di due ore. Non è "
    "possibile cambiarla a casa.",
    "Portuguese": "A bateria dura cerca de dez horas quando o ecrã está escuro, e carrega em menos de duas. Não é "
    "possível trocá-la em casa.",
    "Dutch": "De batterij gaat ongeveer tien uur mee als het scherm donker is, en laadt in minder dan twee uur op. Het "
    "is niet mogelijk om die zelf te vervangen.",
    "Swedish": "Batteriet räcker i ungefär tio timmar när skärmen är mörk, och det laddas på mindre än två timmar.",
    "Polish": "Bateria wystarcza na około dziesięć godzin, gdy ekran jest ciemny, i ładuje się w mniej niż dwie.",
    "Turkish": "Ekran karanlıkken pil yaklaşık on saat dayanır ve iki saatten daha kısa bir sürede şarj olur.",
    "Czech": "Baterie vydrží přibližně deset hodin, když je obrazovka tmavá, a nabije se za méně než dvě hodiny.",
    "Vietnamese": "Pin dùng được khoảng mười giờ khi màn hình tối và sạc đầy trong chưa đến hai giờ đồng hồ.",
    "Chinese": "屏幕较暗时,电池可使用约十个小时,充电时间不到两个小时。用户不能自行更换电池。",
    "Japanese": "画面が暗いときはバッテリーが約十時間もち、充電は二時間かかりません。",
    "Korean": "화면이 어두우면 배터리가 약 열 시간 지속되며 두 시간 안에 충전됩니다.",
    "Russian": "Батарея держит заряд около десяти часов при тёмном экране и заряжается менее чем за два часа.",
    "Arabic": "تدوم البطارية حوالي عشر ساعات عندما تكون الشاشة معتمة، وتشحن في أقل من ساعتين.",
    "Hindi": "स्क्रीन मंद होने पर बैटरी लगभग दस घंटे चलती है और दो घंटे से कम में चार्ज हो जाती है।",
    "Greek": "Η μπαταρία διαρκεί περίπου δέκα ώρες όταν η οθόνη είναι σκοτεινή.",
}


@pytest.mark.parametrize("kind", ENGLISH)
def test_english_pages_of_every_kind_are_known(kind: str) -> None:
    assert is_english(ENGLISH[kind])


@pytest.mark.parametrize("language", OTHERS)
def test_paragraphs_of_other_languages_are_not(language: str) -> None:
    assert not is_english(OTHERS[language])


def test_english_navigation_around_foreign_text_is_outvoted() -> None:
    assert not is_english("Home\nAbout us\nContact\nLog in\n" + OTHERS["German"] + "\nTerms of use\nPrivacy")


def test_foreign_quotation_in_english_is_english() -> None:
    assert is_english(f"{ENGLISH['paragraph']} He said: « Il ne faut pas la changer. » {ENGLISH['dishes']}")


def test_every_english_row_of_people_is_english() -> None:
    rows = [json.loads(line) for line in (REPOSITORY / "tests/data/rows.jsonl").read_text().splitlines()]
    assert all(is_english(row["document"]) for row in rows)


@given(st.text(max_size=500))
def test_any_text_gets_an_answer(text: str) -> None:
    assert is_english(text) in (True, False)
