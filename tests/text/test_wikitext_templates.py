"""What templates show, in many languages, and what becomes of those that nobody knows."""

from __future__ import annotations

import pytest

from omni_ray.sources.wikitext import Wiki, render
from omni_ray.sources.wikitext.functions import FUNCTIONS
from omni_ray.sources.wikitext.wiki import _rows, _tables


def text(source: str, lang: str = "en", title: str = "") -> str:
    return " ¶ ".join(render(source, Wiki(lang), title).paragraphs)


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        # Measures: what is given, whole.
        ("{{convert|6|ft|2|in|m}}, {{convert|5|to|10|km|mi}}", "6 ft 2 in, 5 to 10 km"),
        ("A {{convert|10|-|20|cm|in|abbr=on}} by {{cvt|4|x|5|m|ft}} hall", "A 10–20 cm by 4 × 5 m hall"),
        ("It is {{convert|3|mi|km|1}} away at {{convert|-40|C|F}}.", "It is 3 mi away at -40 °C."),
        ("Over {{convert|1,200|sqmi|km2}}, {{convert|10+1/2|in|mm}} deep", "Over 1,200 sq mi, 10½ in deep"),
        ("Weighs {{convert|11|st|4|lb|kg}} or {{convert|1|acre|ha}}", "Weighs 11 st 4 lb or 1 acre"),
        ("Add 5{{frac|1|2}} or {{frac|2|3|4}} or 5{{frac|3|17}} or {{sfrac|3|4}}", "Add 5½ or 2¾ or 5 3⁄17 or ¾"),
        ("Of {{val|1234.5|0.3|u=km}} and 2{{e|-5}} and {{gaps|1|234}}", "Of 1,234.5±0.3 km and 2×10⁻⁵ and 1234"),
        ("About {{formatnum:12345.5}} of {{percentage|1|4}}", "About 12,345.5 of 25%"),
        ("Paid {{US$|5|million}}, {{£|20}}, {{EUR|3}}, {{INR|200}}", "Paid US$5 million, £20, €3, ₹200"),
        ("Pays {{US$}}3 or {{currency|5|GBP}}", "Pays US$3 or £5"),
        ("The {{height|ft=6|in=2}} man ran {{duration|h=1|m=3|s=5}}", "The 6 ft 2 in man ran 1:03:05"),
        # Names.
        ("The {{USS|Gull|CV-9|6}}, {{HMS|Heron}}, {{SS|Lark}} and {{MV|Owl}}", "The USS Gull, HMS Heron, SS Lark and MV Owl"),
        ("{{ship|HMS|Swan|D12}} is a {{sclass|Bird|cruiser}}", "HMS Swan (D12) is a Bird-class cruiser"),
        ("{{nihongo|'''Kita'''|北|Kita}} and {{nihongo3|tea|茶|cha}}", "Kita (北, Kita) and cha (茶, tea)"),
        ("By {{transl|ar|ALA|Allāh}} and {{transliteration|ru|Moskva}}", "By Allāh and Moskva"),
        ("In {{lang|fr|ville}} ({{langx|de|Stadt}}; {{lang-ru|Икс}})", "In ville (Stadt; Икс)"),
        ("He is {{zh|s=北京|p=Běijīng}}", "He is 北京; Běijīng"),
        ("Of {{ill|Foo|de|Fu|lt=Fooo}}, {{w|Bar City|BAR}}, {{w|Baz}}", "Of Fooo, BAR, Baz"),
        ("{{flag|Peru}} beat {{flagicon|CHL}} [[Chile]]", "Peru beat Chile"),
        ("Made of {{chem2|H2SO4}}, {{chem|H|2|O}}, {{CO2}}", "Made of H2SO4, H2O, CO₂"),
        # Quotations, dates, signs.
        ("{{blockquote|text=Mend it.|author=A}}\n{{quote|1=Go.}}\n{{cquote|[[a|Stay]].|B}}", "Mend it. ¶ Go. ¶ Stay."),
        ("On {{start date|2001|5|7}} or {{birth date|1950|6|2|df=yes}}", "On May 7, 2001 or 2 June 1950"),
        ("{{as of|2010|5}} it was {{circa|1500}}.", "As of May 2010 it was c. 1500."),
        ("Open {{as of|2010|5|7|since=y|lc=y}}, {{as of|alt=so far}}", "Open since 7 May 2010, so far"),
        ("On {{birth date|year=1950|month=6|day=2}} or {{start date|2001-05-07}}", "On June 2, 1950 or May 7, 2001"),
        ("On {{start date|June|3|1950}}, {{OldStyleDate|20 May|1918|7 May}}", "On June 3, 1950, 20 May [O.S. 7 May] 1918"),
        ("A{{snd}}B{{nbsp}}C{{ndash}}D {{·}} E{{'}}s", "A – B C–D · E’s"),
        ("{{PAGENAME}} is {{lc:BIG}} and {{#if:x|old|new}}", "Town is big and old"),
    ],
)  # fmt: skip
def test_english_templates(source: str, shown: str) -> None:
    assert text(source, "en", "Town") == shown


@pytest.mark.parametrize(
    ("lang", "source", "shown"),
    [
        ("fr", "née le {{date de naissance|2|juin|1950}}, morte le {{date|1|7|2001}}", "née le 2 juin 1950, morte le 1er juillet 2001"),
        ("fr", "sur {{unité|12|km}} ou {{unité|3|m|2}}, {{formatnum:2500}} fois", "sur 12 km ou 3 m², 2 500 fois"),
        ("fr", "au {{s|XIX}}, du {{s2|XVI|XVII}}, {{-s|II}}, {{s-|I}}", "au XIXe siècle, du XVIe et XVIIe siècles, IIe siècle av. J.-C., Ier"),
        ("fr", "le 1{{er}} et la 2{{e}} de {{M.|Dupont}} en 50 {{av JC}}", "le 1er et la 2e de M. Dupont en 50 av. J.-C."),
        ("fr", "dit {{citation|Bonjour}} en {{langue|en|Hello}} à {{heure|10|30}}", "dit « Bonjour » en Hello à 10 h 30"),
        ("fr", "par {{Louis XIV}} au {{XVIIe siècle}}", "par Louis XIV au XVIIe siècle"),
        ("de", "{{\"|Ja}}, {{Zitat|Nein}}, {{frS|ville}}, auf {{Höhe|1234|DE-NN}}", "„Ja“, Nein, ville, auf 1234 m"),
        ("es", "el {{fecha|2|6|1950}} en el {{siglo|XIX||s}}, {{unidad|12|km}}", "el 2 de junio de 1950 en el siglo XIX, 12 km"),
        ("es", "{{cita|Hola}} a {{esd|todos}}, {{formatnum:2500}} y {{formatnum:25000}}", "Hola a todos, 2500 y 25.000"),
        ("it", "{{Citazione|Ciao|A}} per {{M|12|ul=km}}, {{senza fonte|forse}}", "Ciao per 12 km, forse"),
        ("pt", "em {{dtlink|2|6|1950}} no {{séc|XIX}}, {{fmtn|12345|km}}", "em 2 de junho de 1950 no século XIX, 12.345 km"),
        ("nl", "{{citaat|Hallo}} en {{breuk|1|2}}", "Hallo en ½"),
        ("sv", "är {{formatnum:-10}}&nbsp;°C, {{citat|Hej}}", "är -10 °C, Hej"),
        ("ru", "{{lang-en|London}}, {{нп5|Имя|Слово|en}}, {{дата|2|6|1950}}, 30 {{до н. э.}}", "London, Слово, 2 июня 1950, 30 до н. э."),
        ("ru", "{{цитата|Да}} и {{num|12345|м}} {{comment|км|километры}}", "Да и 12 345 м км"),
        ("pl", "{{cytat|Tak}} dnia {{data|2|6|1950}}", "Tak dnia 2 czerwca 1950"),
        ("ja", "{{読み仮名|漢字|かな}}は{{仮リンク|名前|en|Name}}", "漢字（かな）は名前"),
        ("ja", "{{生年月日と年齢|1950|6|2}}に生まれた。{{Quotation|言葉}}", "1950年6月2日に生まれた。言葉"),
        ("zh", "{{tsl|en|London|倫敦}}和{{le|中文|English}}和{{link-en|某|Some}}", "倫敦和中文和某"),
        ("zh", "林{{bd|1950年|6月2日|2010年|1月1日}}和王{{bd|1960年}}", "林（1950年6月2日－2010年1月1日）和王（1960年－）"),
        ("zh", "-{zh-hans:软件; zh-hant:軟體}-和-{只}--{H|a:b}-", "软件和只"),
        ("ko", "{{llang|en|word}} {{인용문|말}}", "word 말"),
        ("cs", "{{Citát|Ano}} {{Vjazyce2|en|word}}", "Ano word"),
        ("uk", "{{дата|2|6|1950}}", "2 червня 1950"),
        ("oc", "{{unité|12|km}}", "12 km"),
    ],
)  # fmt: skip
def test_templates_of_other_languages(lang: str, source: str, shown: str) -> None:
    assert text(source, lang) == shown


def test_the_first_sentence_of_an_italian_biography() -> None:
    bio = (
        "{{Bio\n|Nome = Ada\n|Cognome = Neri\n|Sesso = F\n|LuogoNascita = [[Roma]]\n|GiornoMeseNascita = 2 maggio\n"
        "|AnnoNascita = 1900\n|LuogoMorte = Pisa\n|GiornoMeseMorte = \n|AnnoMorte = 1980\n|Attività = pittrice\n|Nazionalità = italiana\n}}"
    )
    assert text(bio, "it") == "Ada Neri (Roma, 2 maggio 1900 – Pisa, 1980) è stata una pittrice italiana."


@pytest.mark.parametrize(
    ("source", "shown", "counts"),
    [
        ("It is {{foo|12|km}} to {{bar|Rome}}.", "It is 12 km to Rome.", {"templates_shown_by_guess": 2}),
        ("{{Foo|The bar}} is open.", "The bar is open.", {"templates_shown_by_guess": 1}),
        ("The {{foo|xx|bonjour}} is.", "The bonjour is.", {"templates_shown_by_guess": 1}),
        ("One {{foo|a=b}} two {{bar}} three. Four.", "Four.", {"sentences_left_out": 1, "templates_taken_for_notes": 1}),
        ("Dr. A. Ott is {{age|1950|1|1}} old. She ran.", "She ran.", {"sentences_left_out": 1}),
        ("It is {{foo|1=near|2=x}} here.", "It is near here.", {"templates_shown_by_guess": 1}),
        ("In ($ {{inflation|US|5|1900}} now) it fell.", "", {"sentences_left_out": 1}),
        ("It sounds like {{IPA|/x/}} at {{coord|13|19|N|169|9|W}} ({{IPA|y}}; {{coord|1|N|2|E}}) here.",
         "It sounds like /x/ at 13°19′N 169°9′W here.", {}),
        ("He is {{age|1950|1|1}} old. She ran.", "She ran.", {"sentences_left_out": 1}),
        ("A word{{foo|x}} and an end.{{bar|Smith|2001}}", "A word and an end.", {"templates_taken_for_notes": 2}),
        ("An end. {{Foo|x}}", "An end.", {"templates_taken_for_notes": 1}),
        ("{{Hint|Foo}}\n{{Box\n|a = b}}\n{{Flag for editors}}'''Foo''' is.", "Foo is.", {"templates_taken_for_boxes": 3}),
        ("Text {{citation needed|date=May 2001}} {{who}} goes on{{sfn|A|2001}}.", "Text goes on.", {}),
        ("* {{foo|bar}}\n* x", "x", {"templates_taken_for_boxes": 1}),
        ("{| class=a\n| {{Box\n|a = b}}\n|}\nText.", "Text.", {}),
        ("{{Big box\n| of = {{small|one}}\n| and = {{other}}\n}}\n{{age|1950|1|1}}", "", {"templates_taken_for_boxes": 2}),
        (r"Here <math>E = mc^2</math> is <math>\frac{1}{2\pi}</math>.", "Here E = mc² is 1/(2π).", {}),
        (r"Then <math>\begin{pmatrix}a\end{pmatrix}</math> is it. She ran.", "She ran.", {"sentences_left_out": 1}),
        ("It is:\n: <math>\\begin{cases}a\\end{cases}</math>\nSo it is.", "It is: ¶ So it is.", {"formulas_left_out": 1}),
        ("It is:\n: <math>a^2 + b^2 = c^2</math>\nSo it is.", "It is: ¶ a² + b² = c² ¶ So it is.", {}),
        ("A <math></math> b.", "A b.", {}),
    ],
)  # fmt: skip
def test_unknown_templates(source: str, shown: str, counts: dict[str, int]) -> None:
    rendered = render(source, Wiki("en"))
    assert (" ¶ ".join(rendered.paragraphs), rendered.counts) == (shown, counts)


@pytest.mark.parametrize(
    ("lang", "source", "is_one"),
    [
        ("en", "{{Disambiguation|geo}}", True),
        ("en", "{{disambig}}", True),
        ("en", "{{Human name disambiguation}}", True),
        ("en", "{{hndis|Smith, J}}", True),
        ("en", "{{Short description|A word in disambiguation}} Text.", False),
        ("en", "A [[Foo]]{{disambiguation needed|date=May 2001}}.", False),
        ("en", "{{about|a town|other uses|Foo (disambiguation)}} {{For|x|Foo (disambiguation)}}", False),
        ("fr", "{{Homonymie}}", True),
        ("fr", "{{Voir homonymie|Pont}}", False),
        ("fr", "{{Voir homonymes|Pont}}", False),
        ("de", "{{Begriffsklärung}}", True),
        ("de", "{{Begriffsklärungshinweis}}", False),
        ("it", "{{Disambigua}}", True),
        ("it", "{{Nota disambigua|x|Lago (disambigua)}}", False),
        ("es", "{{desambiguación}}", True),
        ("es", "{{otros usos|Foo (desambiguación)}}", False),
        ("pt", "{{Desambiguação}}", True),
        ("pt", "{{Ver desambiguação|Ponte}}", False),
        ("nl", "{{dp}}", True),
        ("nl", "{{Zie dp|Brug}}", False),
        ("en", "It is {{dp|x}}.", False),
        ("pl", "{{Ujednoznacznienie}}", True),
        ("ru", "{{неоднозначность}}", True),
        ("ru", "{{другие значения}}", False),
        ("sv", "{{Förgrening}}", True),
        ("ja", "{{Aimai}}", True),
        ("zh", "{{消歧义}}", True),
        ("zh", "<!-- {{消歧义}} --><nowiki>{{消歧义}}</nowiki>", False),
        ("ko", "{{동음이의}}", True),
    ],
)
def test_disambiguation_pages(lang: str, source: str, is_one: bool) -> None:
    assert render(source, Wiki(lang)).is_disambiguation is is_one


@pytest.mark.parametrize(
    ("lang", "source", "shown"),
    [
        ("ru", "[[Изображение:a.jpg|thumb|250px|Вид]]Да.\n== Ссылки ==\n* [http://x.org Сайт]", "Да."),
        ("zh", "[[文件:a.jpg|200px|圖]]好。[[分类:水]]\n== 外部链接 ==\n* [http://x.org 官网]", "好。"),
        ("de", "[[Bild:a.jpg|mini|x]]Ja.\n== Weblinks ==\n* [http://x.org Seite]\n== Siehe auch ==\n* [[B]]", "Ja."),
        (
            "fr",
            "[[Fichier:a.jpg|x]]Oui.\n== Liens externes ==\n* [http://x.org x]\n=== Articles connexes ===\n* [[B]]",
            "Oui.",
        ),
        ("ja", "[[ファイル:a.jpg|x]]は。\n== 関連項目 ==\n* [[B]]\n== 歴史 ==\n[[C]]", "は。 ¶ C"),
        ("ar", "[[ملف:a.jpg|x]]نعم.\n== وصلات خارجية ==\n* [http://x.org x]", "نعم."),
        ("he", "[[קובץ:a.jpg|x]]כן. [[קטגוריה:א]]", "כן."),
        ("pl", "[[Grafika:a.jpg|x]]Tak.\n== Linki zewnętrzne ==\n* [http://x.org x]", "Tak."),
    ],
)
def test_pictures_categories_and_link_sections_by_language(lang: str, source: str, shown: str) -> None:
    assert text(source, lang) == shown


def test_every_row_of_the_tables_is_sound() -> None:
    assert len(_tables()) > 60
    for lang, shown, names in _rows("templates.txt"):
        assert shown and names, (lang, shown, names)
        assert all("<-" not in name and name == name.strip() for name in names)
    used = {shown[1:].split(" ")[0] for _, shown, _ in _rows("templates.txt") if shown.startswith("@")}
    assert used == FUNCTIONS.keys()
    for name in ("namespaces.txt", "headings.txt"):
        codes = [code for _, code, _ in _rows(name)]
        assert len(codes) == len(set(codes))
