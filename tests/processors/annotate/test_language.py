"""The language is told from the text itself; a headline, a neighbour or a contradiction gives `und`."""

import subprocess
import sys

import pytest

from processors.annotate.language import language

TEXTS = {
    "en": (
        "Fighters from the two groups have clashed again near the border town, residents said on Tuesday. A local "
        "council that had tried to mediate said it was no longer in touch with either of them, and that the road to "
        "the north was closed to traffic."
    ),
    "fr": (
        "Des combats ont repris mardi entre les deux groupes près de la ville frontalière, selon des habitants. Le "
        "conseil local, qui avait tenté une médiation, dit n'avoir plus de contact avec aucun des deux camps, et la "
        "route du nord est fermée."
    ),
    "tr": (
        "Sınır kasabası yakınlarında iki örgüt arasında çatışmalar salı günü yeniden başladı. Arabuluculuk yapmaya "
        "çalışan yerel meclis, iki tarafla da artık görüşemediğini ve kuzeye giden yolun trafiğe kapatıldığını "
        "bildirdi."
    ),
    "ru": (
        "Во вторник возле приграничного города вновь начались бои между двумя группировками, рассказали жители. "
        "Местный совет, который пытался быть посредником, потерял связь с обеими сторонами, дорога на север закрыта."
    ),
    "ar": (
        "تجددت الاشتباكات يوم الثلاثاء بين الفصيلين قرب البلدة الحدودية بحسب سكان من المنطقة. وقال المجلس المحلي الذي "
        "حاول التوسط إنه لم يعد على اتصال مع أي من الطرفين وإن الطريق إلى الشمال مغلق أمام حركة السير."
    ),
}

NEIGHBOURS = {
    "Persian": (
        "درگیری‌ها روز سه‌شنبه میان دو گروه در نزدیکی شهر مرزی از سر گرفته شد. شورای محلی که برای میانجی‌گری تلاش کرده "
        "بود گفت که دیگر با هیچ یک از دو طرف تماس ندارد و راه شمال بسته شده است."
    ),
    "Urdu": "سرحدی قصبے کے قریب دونوں گروہوں کے درمیان منگل کو لڑائی دوبارہ شروع ہو گئی، سڑک بند ہے۔",
    "Sorani": "شەڕ لە نێوان هەردوو گرووپەکە لە نزیک شارۆچکە سنوورییەکە دەستی پێکردەوە، ڕێگای باکوور داخراوە.",
    "Ukrainian": (
        "У вівторок поблизу прикордонного міста знову почалися бої між двома угрупованнями, кажуть люди. Місцева "
        "рада, яка намагалася бути посередником, втратила зв'язок з обома сторонами."
    ),
    "Bulgarian": (
        "Във вторник край граничния град отново започнаха боеве между двете групировки, разказаха жители. Местният "
        "съвет, който се опита да посредничи, няма вече връзка с двете страни, а пътят на север е затворен."
    ),
    "Azerbaijani": (
        "Çərşənbə axşamı sərhəd şəhəri yaxınlığında iki qruplaşma arasında döyüşlər yenidən başladı. Vasitəçilik etmək "
        "istəyən yerli şura artıq heç bir tərəflə əlaqə saxlamadığını bildirdi."
    ),
    "German": (
        "Die Kämpfe zwischen den beiden Gruppen haben am Dienstag nahe der Grenzstadt wieder begonnen. "
        "Der örtliche Rat, der vermitteln wollte, hat zu keiner der beiden Seiten mehr Kontakt."
    ),
    "Spanish": (
        "Los combates entre los dos grupos se reanudaron el martes cerca de la ciudad fronteriza. El "
        "consejo local, que había intentado mediar, dice que ya no tiene contacto con ninguna de las partes."
    ),
}


@pytest.mark.parametrize("code", TEXTS)
def test_each_of_the_five_is_told_also_under_a_wrong_declaration(code: str) -> None:
    assert language(TEXTS[code]) == code
    assert language(TEXTS[code], declared="en-US" if code != "en" else "ar") == code
    assert language(TEXTS[code] * 8, title="Live") == code


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_a_neighbour_is_not_taken_for_one_of_the_five(name: str) -> None:
    assert language(NEIGHBOURS[name]) == "und"


@pytest.mark.parametrize(
    "text", ["", " \n", "12:30 – 45 %", "IŞİD", "Hayat Tahrir al-Sham", "NUSRA FRONT", "Нусра", "…"]
)
def test_names_are_too_little(text: str) -> None:
    assert language(text) == "und"
    assert language("", title=text) == "und"


def test_a_truce_of_one_sentence_is_enough_where_its_small_words_are_clear() -> None:
    assert language("The two groups agreed to stop fighting in the camp for a week, said one of the elders.") == "en"
    assert language("Les deux groupes se sont mis d'accord pour cesser les combats, dit un ancien du camp.") == "fr"
    assert language("İki örgüt kampta bir hafta boyunca çatışmamak için anlaştı, dedi yaşlılardan biri.") == "tr"
    assert language("اتفق الفصيلان على وقف القتال في المخيم لمدة أسبوع، كما قال أحد الوجهاء.") == "ar"
    assert language("Обе группировки договорились прекратить бои в лагере на неделю, сказал один из старейшин.") == "ru"


HEADLINES = {
    "en": [
        "Truce holds between Nusra and ISIS in Qalamoun",
        "BOKO HARAM FACTION PLEDGES ALLEGIANCE TO BAGHDADI",
        "Boko Haram faction rebuffs olive branch",
        "Islamic State, al-Qaeda ink non-aggression deal in Sahel: UN report",
    ],
    "fr": [
        "Sahel : trêve fragile entre jihadistes rivaux",
        "Nosra dément tout accord avec Daech",
        "Hourras al-Din rompt les rangs",
    ],
    "tr": ["Nusra ile IŞİD Yermuk'ta anlaştı", "Cihatçı örgütler silah bıraktı"],
    "ar": ["هدنة بين النصرة وداعش في القلمون", "اتفاق الفصيلين: وقف القتال، تبادل الأسرى"],
    "ru": [
        "«Нусра» и ИГИЛ заключили перемирие",
        "Боевики обменялись пленными под Дейр-эз-Зором",
        "Три бойца Имарата ушли в ИГ",
    ],
}
FOREIGN_HEADLINES = [
    "Dschihadisten vereinbaren Waffenruhe bei Aleppo",
    "Yihadistas rivales acuerdan una tregua en Alepo",
    "Jihadisti rivali firmano una tregua vicino ad Aleppo",
    "Jihadisten sluiten bestand bij Aleppo",
    "Jihadistas rivais acertam trégua em Alepo",
    "Kelompok jihad sepakat gencatan senjata di Aleppo",
    "Cihadçı qruplar Hələb yaxınlığında atəşkəs elan edib",
    "گروه‌های جهادی در حلب آتش‌بس اعلام کردند",
    "جہادی گروہوں نے حلب میں جنگ بندی کر لی",
    "Бойовики домовилися про перемир'я під Алеппо",
    "Джихадистите договориха примирие край Алепо",
    "Џихадисти су склопили примирје код Алепа",
]


@pytest.mark.parametrize("code", HEADLINES)
def test_a_headline_is_told_by_itself(code: str) -> None:
    assert {language("", title) for title in HEADLINES[code]} == {code}


@pytest.mark.parametrize("title", FOREIGN_HEADLINES)
def test_a_headline_in_another_language_is_none_of_the_five(title: str) -> None:
    assert language("", title) == "und"


def test_a_declaration_settles_a_doubt_in_its_script_only() -> None:
    text = "Front al-Nosra : Ahrar, Jaïch"
    assert language(text) == "und"
    assert language(text, declared="fr-FR") == "fr"
    assert language(text, declared="ru") == "und"


def test_two_languages_in_one_text_are_a_contradiction() -> None:
    assert language(TEXTS["en"][:150] + TEXTS["ar"][:200]) == "und"


def test_capitals_do_not_change_the_language() -> None:
    assert language(TEXTS["en"].upper()) == "en"
    assert language(TEXTS["ru"].upper()) == "ru"


def test_another_run_gives_the_same_answers() -> None:
    text = "Raqqa Aleppo Idlib Homs Hama Latakia Tartus Daraa Suwayda Quneitra Damascus Hasakah " * 3
    script = f"from processors.annotate.language import language; print(language({text!r}))"
    runs = {subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(runs) == 1
