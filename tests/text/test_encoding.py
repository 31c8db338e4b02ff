"""Which encoding a text is in: what it says and what its bytes say, and doubt where neither is enough."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_ray.corpora.base import Rejected, SourceOptions
from omni_ray.corpora.text_files import TextFiles
from omni_ray.errors import OmniError
from omni_ray.sources import encoding
from omni_ray.sources.encoding import decode, known, named, recoded, sniff
from omni_ray.sources.lists import line_ranges, read_range
from omni_ray.sources.tree import FolderTree

TEXTS = {
    "French": (
        "cp1252 iso8859-15",
        "Le café était déjà fermé, derrière la vieille gare. Où était le garçon ? Ça brûle.",
    ),
    "German": (
        "cp1252 iso8859-1 cp850",
        "Die Mühle steht am Rand des Waldes. Die Straße führt über Köln, schöne Grüße.",
    ),
    "Spanish": ("cp1252", "El niño corría detrás de la montaña. ¿Dónde está el señor? ¡Qué lástima!"),
    "Portuguese": ("cp1252", "A canção é tão bonita; não há razão para chorar. O avô fala à criança, às três."),
    "Swedish": ("cp1252", "Pojken går över ån och hör fåglarna sjunga på våren. Där är ängen."),
    "Polish": (
        "cp1250 iso8859-2",
        "Chłopiec poszedł do szkoły, gdzie spotkał kolegę. Łódź płynie wzdłuż brzegu, zażółć.",
    ),
    "Czech": ("cp1250 iso8859-2", "Děti běží do školy a zpívají písničky. Příliš žluťoučký kůň úpěl ďábelské ódy."),
    "Hungarian": ("cp1250 iso8859-2", "Árvíztűrő tükörfúrógép. A gyerekek ősszel szőlőt ettek az iskolában."),
    "Russian": ("cp1251 koi8-r iso8859-5 cp866", "Рассказ о маленьком саде за рекой. Старый дом стоит у дороги."),
    "Ukrainian": ("cp1251 koi8-u", "Розповідь про маленький сад за річкою. Її дім стоїть біля дороги, є ще ґанок."),
    "Bulgarian": ("cp1251", "Изречението разказва за малка градина зад реката. Къщата стои до пътя."),
    "Greek": ("cp1253 iso8859-7", "Η πρόταση μιλάει για έναν μικρό κήπο πίσω από το ποτάμι. Το παλιό σπίτι."),
    "Turkish": ("cp1254 iso8859-9", "Çocuklar bahçede oynuyor. Küçük şehir ırmağın kıyısında, güneşli bir gün doğdu."),
    "Hebrew": ("cp1255", "המשפט מספר על גן קטן מאחורי הנהר. הבית הישן עומד ליד הדרך."),
    "Arabic": ("cp1256", "الجملة تتحدث عن حديقة صغيرة خلف النهر. البيت القديم يقف بجانب الطريق."),
    "Lithuanian": ("cp1257", "Sakinys pasakoja apie mažą sodą už upės. Ąžuolas auga šalia kelio, žvėrys čiulba."),
    "Thai": ("cp874", "ประโยคนี้เล่าถึงสวนเล็กๆ หลังแม่น้ำ บ้านเก่าตั้งอยู่ข้างถนน"),
    "Chinese": ("gb2312 gb18030", "山后有一条小河，河边有一间旧屋。第二段说到一只白鸟在水上飞。"),
    "Chinese of Taiwan": ("big5", "山後有一條小河，河邊有一間舊屋。第二段說到一隻白鳥在水上飛。"),
    "Japanese": ("shift_jis euc-jp iso2022_jp", "山の後ろに小さな川があり、川のそばに古い家がある。白い鳥が飛ぶ。"),
    "Korean": ("euc-kr cp949", "산 뒤에 작은 강이 있고 강가에 오래된 집이 있다. 흰 새가 물 위를 난다."),
    "English": ("cp1252", "“Well,” he said — “it’s the dog’s …” and that’s it."),
}
EACH = [(language, codec) for language, (codecs, _) in TEXTS.items() for codec in codecs.split()]
WIDE = ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]


@pytest.mark.parametrize(("language", "codec"), EACH)
def test_a_few_sentences_are_enough(language: str, codec: str) -> None:
    text = f"Header: of ASCII\n\n{TEXTS[language][1]}\n"
    for data in (text.encode(codec), TEXTS[language][1].encode(codec)):
        assert decode(data) == data.decode(codec)


@pytest.mark.parametrize("codec", WIDE)
@pytest.mark.parametrize("language", TEXTS)
def test_unicode_with_and_without_a_mark(language: str, codec: str) -> None:
    text = f"{TEXTS[language][1]}\n{TEXTS[language][1]}\n"
    assert decode(text.encode(codec)) == text


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"])), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"])
)
def test_whatever_is_in_unicode_is_read_back(text: str, codec: str) -> None:
    assert (decode(text.encode(codec)) or "").lstrip("\ufeff") == text.lstrip("\ufeff")


@given(st.sampled_from(EACH), st.data())
def test_pieces_of_text_are_never_mistaken(each: tuple[str, str], data: st.DataObject) -> None:
    language, codec = each
    words = TEXTS[language][1].split(" ")
    start = data.draw(st.integers(0, len(words) - 1))
    piece = " ".join(words[start : data.draw(st.integers(start + 1, len(words)))])
    assert decode(piece.encode(codec)) in (piece.encode(codec).decode(codec), None)


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("cp850", "Fehler beim Schließen der Datei"),
        ("cp850", "öffnen"),
        ("cp1255", "המשפט מספר"),
        ("cp1255", "סגירת „ בזמן כתיבת תמונה נכשלה"),
        ("cp949", "작은 강이 있고 강가에"),
        ("gb18030", "变形 PNG 不是 RGB。"),
        ("euc_jp", "よりも大きいです"),
        ("euc_jp", "アドレス“path”のトランスポートはキーの設定が必要があります"),
        (
            "cp1252",
            "Il file è stato modificato dall'esterno. Il file GIF non è completo. Perché? È così: è finito, è zero.",
        ),
        ("cp1252", "È necessario indicare esattamente un nome"),
        ("cp1252", "De droite à gauche, du haut vers le bas"),
        ("cp1252", "Conjunto estilístico nº 12"),
        ("cp1257", "BMP paveikslėlis yra per platus"),
        ("iso8859-2", "Pozycjonowanie kresek pod linią bazową"),
        ("cp1251", "nonce-файла «"),
        ("cp866", "desktop-файле не"),
    ],
)
def test_a_few_words_are_read_rightly_or_not_at_all(codec: str, text: str) -> None:
    assert decode(text.encode(codec)) in (text, None)


@pytest.mark.parametrize("text", ["Das Gerät für Björn.", "Il caffè è già pronto, perché è così.\n" * 9])
def test_what_all_encodings_agree_about_is_read(text: str) -> None:
    assert decode(text.encode("cp1252")) == text


def test_one_odd_byte_is_damage_and_no_other_encoding() -> None:
    text = b"\n".join(b"A sentence of plain words, number %d." % n for n in range(1000))
    assert sniff(text.replace(b"number 500", b"num\xe9ro 500")) == "utf-8"
    assert sniff("Café fermé.\nDéjà vu.\n".encode() + b"d\xe9j\xe0\n") == "utf-8"


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        *(("ISO Latin-1", "cp1252"), ("ISO-8859-1", "cp1252"), ("iso8859_2", "iso8859-2"), ("Latin5", "cp1254")),
        *(
            ("Windows Code Page 1251", "cp1251"),
            ("MS-Windows 1250", "cp1250"),
            ("KOI8-R", "koi8-r"),
            ("big5", "big5hkscs"),
        ),
        *(
            ("Unicode UTF-8", "utf-8"),
            ("ISO-646-US (US-ASCII)", "cp1252"),
            ("Shift_JIS", "cp932"),
            ("gb2312", "gb18030"),
        ),
        *(("", None), ("klingon", None), ("base64", None), ("rot13", None)),
    ],
)
def test_names_of_encodings(name: str, codec: str | None) -> None:
    assert known(name) == codec


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(OmniError, match="--encoding klingon: no such encoding"):
        named("klingon")


@given(
    st.binary(max_size=200),
    st.sampled_from(["cp1252", "gb18030", "cp932", "utf-16-le", "utf-32-be", "koi8-r"]),
    st.integers(1, 9),
)
def test_what_is_invalid_stays_invalid(data: bytes, codec: str, step: int) -> None:
    out = b"".join(recoded((data[n : n + step] for n in range(0, len(data), step)), codec))
    try:
        assert out.decode() == data.decode(codec).removeprefix("\ufeff")
    except UnicodeDecodeError:
        with pytest.raises(UnicodeDecodeError):
            out.decode()
        with pytest.raises(UnicodeDecodeError):
            data.decode(codec)


def read(folder: Path, **options: object) -> tuple[list[str], list[Rejected]]:
    tree = FolderTree(folder)
    texts: list[str] = []
    rejected: list[Rejected] = []
    for unit in TextFiles().units(tree, SourceOptions(**options)):  # type: ignore[arg-type]
        for item in TextFiles().read(tree, unit.payload):
            if isinstance(item, Rejected):
                rejected.append(item)
            else:
                texts += [text.strip() for text in item["text"].to_pylist()]  # type: ignore[call-overload]
    return texts, rejected


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("codec", ["utf-8", "utf-16", "cp1252", "utf-16-be"])
def test_lines_in_every_form_and_cut_anyhow(tmp_path: Path, codec: str, end: str) -> None:
    lines = [f"Le café numéro {n} était déjà fermé." for n in range(200)]
    (tmp_path / "a.txt").write_bytes(end.join(lines).encode(codec))
    for scale in (1.0, 1e-4):
        assert read(tmp_path, unit_scale=scale) == (lines, [])


def test_the_users_word_decides(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"d\xe9j\xe0\n")
    texts, (rejection,) = read(tmp_path)
    assert not texts and rejection.reason == "bad_encoding" and "--encoding" in rejection.detail
    assert read(tmp_path, encoding="cp1252") == (["déjà"], [])
    assert encoding.HINT in rejection.detail


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_lists_in_every_form(tmp_path: Path, codec: str, end: str) -> None:
    lines = [f"clip{n}|Le café numéro {n} était déjà fermé." for n in range(50)]
    (tmp_path / "list.csv").write_bytes(end.join(lines).encode(codec))
    tree = FolderTree(tmp_path)
    found = [
        line.decode("utf-8-sig")
        for part in line_ranges(tree, "list.csv", lambda line: b"clip20" in line)
        for _, line in read_range(tree, "list.csv", part.start, part.end, part.first)
    ]
    assert found == lines
