"""A page becomes a document with its text, title, date, authors and links, or is declined by name."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processors.extract import MAX_LINKS, extract
from processors.pool import Pool
from processors.records import Capture, Document, Rejection, digest

NOW = datetime(2014, 11, 20, 12, tzinfo=UTC)


def capture(
    body: str | bytes,
    *,
    url: str = "https://outlet.example/news/truce",
    status: int = 200,
    content_type: str = "text/html",
    listed: datetime | None = None,
) -> Capture:
    """A capture of the body, fetched on 20 November 2014."""
    return Capture(
        id=digest("outlet_xx", url, NOW.isoformat()),
        source="outlet_xx",
        url=url,
        fetched_at=NOW,
        status=status,
        headers=(),
        content_type=content_type,
        body=body.encode() if isinstance(body, str) else body,
        locator="outlet.warc.gz:0",
        listed_published=listed,
    )


def page(body: str, head: str = "", title: str = "Two groups agree a truce", lang: str = "en") -> str:
    """An article page with menus around the body."""
    return f"""<!doctype html><html lang="{lang}"><head><title>{title} | The Outlet</title>{head}</head><body>
<header><nav><a href="/">Home</a> <a href="/world">World</a></nav></header>
<main><article><h1>{title}</h1>{body}</article></main>
<aside><h2>Most read</h2><ul><li><a href="/other">Another story</a></li></ul></aside>
<footer><a href="/about">About</a> All rights reserved.</footer></body></html>"""


FIRST = "Fighters of two rival groups north of the town agreed on Saturday to stop shooting at each other for a month."
SECOND = (
    "A commander said that prisoners would be exchanged within a week and that checkpoints would stay where they are."
)
BODY = f"<p>{FIRST}</p><p>{SECOND}</p>"


def read(body: str | bytes, **more: object) -> Document:
    """The document of the page; a rejection fails the test with its reason."""
    found = extract(capture(body, **more))  # type: ignore[arg-type]
    assert isinstance(found, Document), found
    return found


def declined(body: str | bytes, **more: object) -> str:
    """The reason for which the page is declined."""
    found = extract(capture(body, **more))  # type: ignore[arg-type]
    assert isinstance(found, Rejection), found
    assert (found.step, found.source, found.at) == ("extract", "outlet_xx", NOW)
    assert found.capture == digest("outlet_xx", found.url, NOW.isoformat())
    return found.reason


def test_an_article_gives_its_paragraphs_and_none_of_what_stands_around_them() -> None:
    found = read(page(BODY))
    assert found.text == f"{FIRST}\n{SECOND}"
    assert found.title == "Two groups agree a truce"
    assert found.id == digest("https://outlet.example/news/truce")


# Text


def test_the_headline_is_not_the_first_line_of_the_text() -> None:
    inside = (
        f"<html><head><title>x</title></head><body><article><h1>A truce at  last</h1>{BODY}</article></body></html>"
    )
    found = read(inside)
    assert (found.title, found.text) == ("A truce at last", f"{FIRST}\n{SECOND}")


def test_a_statement_of_one_line_is_an_article() -> None:
    found = read(page("<p>The two groups have ceased fire.</p>"))
    assert found.text == "The two groups have ceased fire."


def test_teasers_of_other_articles_are_not_its_text() -> None:
    teasers = f'<h3>Читайте также:</h3><ul><li><a href="/1">Other</a><p>{"Quite another story. " * 20}</p></li></ul>'
    assert read(page(f"<p>{FIRST}</p>{teasers}")).text == FIRST
    section = f"<html><body><h2>Latest news</h2><div><h1>A truce</h1>{BODY}</div></body></html>"
    assert read(section).text == f"{FIRST}\n{SECOND}"


def test_a_page_laid_out_with_tables_is_read_in_paragraphs() -> None:
    menu = "<td><ul><li><a href='/'>Home</a></li></ul></td>"
    old = f"<html><body><table><tr>{menu}<td><h1>A truce</h1><div>{BODY}</div></td></tr></table></body></html>"
    assert read(old).text == f"{FIRST}\n{SECOND}"


def test_comments_stand_apart_from_the_text() -> None:
    comments = (
        '<section id="comments"><h2>Comments</h2><ol class="comment-list">'
        "<li><p>I do not believe a word of it.</p></li></ol></section>"
    )
    found = read(page(BODY).replace("</main>", comments + "</main>"))
    assert "I do not believe" in found.comments
    assert "I do not believe" not in found.text


def test_the_same_capture_gives_the_same_document_again_and_again() -> None:
    shown = capture(page(BODY))
    assert len({extract(shown) for _ in range(5)}) == 1


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ('<meta property="og:title" content="Two groups agree a truce | The Outlet">', "Two groups agree a truce"),
        (
            '<meta property="og:title" content="Truce in the north - Outlet">'
            '<meta property="og:site_name" content="Outlet">',
            "Truce in the north",
        ),
        (
            '<script type="application/ld+json">{"@type": "NewsArticle", "headline": "Truce &amp; swap"}</script>',
            "Truce & swap",
        ),
    ],
)
def test_the_title_comes_without_the_name_of_the_site(head: str, expected: str) -> None:
    assert read(page(BODY, head)).title == expected


@pytest.mark.parametrize(
    ("head", "body", "expected"),
    [
        ('<meta name="author" content="Rana Haddad and Sami Khalil">', "", ("Rana Haddad", "Sami Khalil")),
        (
            '<script type="application/ld+json">{"@graph": [{"@type": ["NewsArticle"], "author": '
            '[{"@type": "Person", "name": "Leyla Aydın"}, {"name": "AFP"}]}]}</script>',
            "",
            ("Leyla Aydın", "AFP"),
        ),
        ("", '<p class="byline">By <a rel="author" href="/who">Ellen Brandt</a></p>', ("Ellen Brandt",)),
        ('<meta name="author" content="admin">', "", ()),
        ('<meta property="article:author" content="https://social.example/outlet">', "", ()),
    ],
)
def test_authors_are_the_people_who_signed(head: str, body: str, expected: tuple[str, ...]) -> None:
    assert read(page(body + BODY, head)).authors == expected


def test_links_are_absolute_and_each_stands_once() -> None:
    links = (
        '<p>See <a href="/old#part">this</a>, <a href="/old">this</a>, <a href="https://other.example/a">that</a>, '
        '<a href="mailto:x@outlet.example">us</a>, <a href="javascript:void(0)">more</a>, <a href="http://[">torn</a>, '
        '<a href="#top">top</a>.</p>'
    )
    assert read(page(BODY + links)).links == ("https://outlet.example/old", "https://other.example/a")
    many = "".join(f'<a href="/{n}">x</a> ' for n in range(MAX_LINKS + 50))
    assert len(read(page(f"{BODY}<p>{many}</p>")).links) == MAX_LINKS


def test_the_language_that_the_page_declares_is_kept_as_written() -> None:
    assert read(page(BODY, lang="ar-SY")).declared == "ar-SY"
    assert read(page(BODY).replace(' lang="en"', "")).declared == ""


# Charsets

TURKISH = "İki grup çatışmaları durdurdu; ağır silahlar çekildi, görüşmeler sürüyor."
RUSSIAN = "Две группировки договорились о перемирии и обмене пленными после трёх дней переговоров."
ARABIC = "اتفق الفصيلان على وقف إطلاق النار وتبادل الأسرى بعد ثلاثة أيام من المفاوضات."
FRENCH = "Les deux groupes ont cessé le feu ; l’échange des prisonniers est prévu là où était le front."
TEXTS = [
    ("iso-8859-9", TURKISH, "tr"),
    ("windows-1254", TURKISH, "tr"),
    ("windows-1251", RUSSIAN, "ru"),
    ("koi8-r", RUSSIAN, "ru"),
    ("windows-1256", ARABIC, "ar"),
    ("windows-1252", FRENCH, "fr"),
    ("utf-8", TURKISH, "tr"),
]


@pytest.mark.parametrize(("charset", "text", "lang"), TEXTS)
@pytest.mark.parametrize("told", ["header", "meta", "language", "nobody"])
def test_a_page_is_read_in_its_charset_whoever_tells_it(charset: str, text: str, lang: str, told: str) -> None:
    head = f'<meta charset="{charset}">' if told == "meta" else ""
    content_type = f"text/html; charset={charset}" if told == "header" else "text/html"
    body = page(f"<p>{text}</p>", head, title=text[:20], lang=lang if told == "language" else "")
    if told != "language":
        body = body.replace(' lang=""', "")
    assert read(body.encode(charset), content_type=content_type).text == text


def test_the_header_wins_over_the_meta_element() -> None:
    body = page(f"<p>{RUSSIAN}</p>", '<meta charset="koi8-r">').encode("windows-1251")
    assert read(body, content_type="text/html; charset=windows-1251").text == RUSSIAN


def test_utf_8_that_a_servers_default_header_denies_is_read_as_utf_8() -> None:
    assert read(page(f"<p>{ARABIC}</p>"), content_type="text/html; charset=iso-8859-1").text == ARABIC


def test_a_byte_order_mark_is_believed() -> None:
    assert read(page(f"<p>{RUSSIAN}</p>").encode("utf-16")).text == RUSSIAN


@pytest.mark.parametrize("name", ["base64", "idna", "unicode_escape", "punycode", "undefined", "rot13", "nonsense"])
def test_a_header_that_names_no_charset_is_passed_over(name: str) -> None:
    body = page(f"<p>{RUSSIAN}</p>", lang="ru").encode("windows-1251")
    assert read(body, content_type=f"text/html; charset={name}").text == RUSSIAN


def test_one_broken_byte_does_not_change_the_charset() -> None:
    body = page(f"<p>{RUSSIAN * 3}</p>", '<meta charset="utf-8">').encode().replace("обмене".encode(), b"\xd0")
    assert "Две группировки договорились" in read(body).text


# Dates

LISTED = datetime(2014, 11, 14, 9, 30, tzinfo=UTC)
DATED = "https://outlet.example/2014/11/13/truce"


@pytest.mark.parametrize(
    "markup",
    [
        '<script type="application/ld+json">{"@type":"Article","datePublished":"2014-11-15T12:30:00+03:00"}</script>',
        '<meta property="article:published_time" content="2014-11-15T09:30:00Z">',
        '<meta name="date" content="2014-11-15 09:30:00">',
        '<meta name="pubdate" content="Sat, 15 Nov 2014 12:30:00 +0300">',
        '<meta itemprop="datePublished" content="2014-11-15T09:30:00.000+0000">',
        '<meta name="publish-date" content="1416043800">',
        '<time itemprop="datePublished" datetime="2014-11-15T09:30Z">that day</time>',
        '<time class="entry-date published" datetime="2014-11-15T09:30:00+00:00">that day</time>',
        '<meta property="article:modified_time" content="2014-11-17T00:00:00Z">'
        '<meta property="article:published_time" content="2014-11-15T09:30:00Z">',
    ],
)
def test_the_pages_markup_gives_the_time_of_publication(markup: str) -> None:
    body = page(markup + BODY) if markup.startswith("<time") else page(BODY, markup)
    found = read(body, url=DATED, listed=LISTED)
    assert (found.published_at, found.published_from) == (datetime(2014, 11, 15, 9, 30, tzinfo=UTC), "page")


def test_a_listing_dates_a_page_without_markup() -> None:
    found = read(page(BODY), url=DATED, listed=LISTED)
    assert (found.published_at, found.published_from) == (LISTED, "listing")


def test_a_listing_adds_the_hour_to_a_day_that_it_agrees_with() -> None:
    same = read(page(BODY, '<meta name="date" content="2014-11-14">'), listed=LISTED)
    assert (same.published_at, same.published_from) == (LISTED, "listing")
    other = read(page(BODY, '<meta name="date" content="2014-11-10">'), listed=LISTED)
    assert (other.published_at, other.published_from) == (datetime(2014, 11, 10, tzinfo=UTC), "page")


@pytest.mark.parametrize(
    ("path", "day"),
    [
        ("2014/11/13/truce", 13),
        ("news/2014-11-12-truce", 12),
        ("world/2014/nov/11/truce", 11),
        ("a/20141110-x.html", 10),
    ],
)
def test_an_address_dates_a_page_that_nothing_else_dates(path: str, day: int) -> None:
    found = read(page(BODY), url=f"https://outlet.example/{path}")
    assert (found.published_at, found.published_from) == (datetime(2014, 11, day, tzinfo=UTC), "url")


def test_a_number_in_an_address_is_no_date() -> None:
    found = read(page(BODY), url="https://outlet.example/story-192647928120141110555")
    assert (found.published_at, found.published_from) == (None, "none")


def test_a_date_that_readers_see_is_the_last_resort() -> None:
    found = read(page(f'<p class="date">15 November 2014</p>{BODY}'))
    assert (found.published_at, found.published_from) == (datetime(2014, 11, 15, tzinfo=UTC), "page")


@pytest.mark.parametrize(
    "wrong", ["2031-01-05T10:00:00Z", "2014-11-22T10:00:00Z", "1970-01-01", "0000-00-00", "soon", "9" * 13]
)
def test_a_date_that_cannot_be_is_refused(wrong: str) -> None:
    found = read(page(BODY, f'<meta property="article:published_time" content="{wrong}">'))
    assert (found.published_at, found.published_from) == (None, "none")
    found = read(page(BODY, f'<meta property="article:published_time" content="{wrong}">'), listed=LISTED)
    assert (found.published_at, found.published_from) == (LISTED, "listing")


def test_the_year_of_the_copyright_line_is_no_date() -> None:
    assert read(page(BODY).replace("All rights", "Copyright 2014. All rights")).published_from == "none"


# What is declined


@pytest.mark.parametrize("status", [301, 404, 410, 500])
def test_a_failed_response_is_declined_by_its_status(status: int) -> None:
    assert declined(page(BODY), status=status) == f"http-{status}"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"%PDF-1.5 ...", "text/html"),
        (b"\x89PNG\r\n", "image/png"),
        (b'{"id": 5, "title": "x"}', "application/json"),
        (b' [{"id": 5}]', "text/html"),
        (b'<?xml version="1.0"?><rss version="2.0"></rss>', "text/xml"),
        (b"just words", "text/plain"),
        (b"\x00\x01\x02", "application/octet-stream"),
    ],
)
def test_what_is_not_html_is_declined(body: bytes, content_type: str) -> None:
    assert declined(body, content_type=content_type) == "not-html"


def test_html_under_a_wrong_header_is_read() -> None:
    assert read(page(BODY), content_type="text/plain").text == f"{FIRST}\n{SECOND}"


@pytest.mark.parametrize(
    "body", ["", "  \n ", "<html></html>", "<html><body><nav><a href='/'>Home</a></nav></body></html>"]
)
def test_a_page_without_text_is_declined(body: str) -> None:
    assert declined(body) == "no-text"


def test_a_page_that_is_too_large_is_declined() -> None:
    assert declined(b"<html>" + b" " * (16 << 20)) == "too-large"


@pytest.mark.parametrize(
    "body",
    [
        f"<p>{'<b>x y</b> foo ' * 8_001}</p>",
        f"<p>{('<span>' + '<b>x</b> y ' * 90 + '</span>') * 100}</p>",
        "".join(f"<div><div><p>{FIRST}</p></div></div>" for _ in range(8_000)),
        "<div>" * 2_000 + FIRST + "</div>" * 2_000,
        ("<div>" + "<p>x</p>" * 100 + "</div>") * 1_000,
        "<i></i>" * 200_000,
    ],
    ids=["wide", "wide-inside", "blocks", "deep", "many", "tags"],
)
def test_a_page_that_would_take_too_long_is_declined_without_reading_it(body: str) -> None:
    assert declined(page(body)) == "too-complex"


WALLS = [
    ("bot-wall", "en", "Just a moment...", "<p>Checking your browser before accessing the site. Please wait.</p>"),
    (
        "bot-wall",
        "en",
        "The Outlet",
        "<noscript>You need to enable JavaScript to run this app.</noscript><div id='root'></div>",
    ),
    (
        "bot-wall",
        "en",
        "outlet.example",
        "<script src='https://ct.captcha-delivery.com/c.js'></script><p>Please wait</p>",
    ),
    ("bot-wall", "fr", "Un instant…", "<p>Vérifiez que vous êtes humain en effectuant l’action ci-dessous.</p>"),
    ("bot-wall", "ru", "Проверка", "<p>Подтвердите, что вы не робот, и мы откроем страницу.</p>"),
    ("bot-wall", "tr", "Bir dakika lütfen...", "<p>Tarayıcınız kontrol ediliyor.</p>"),
    ("bot-wall", "ar", "لحظة...", "<p>تحقق من أنك إنسان بإكمال الإجراء أدناه.</p>"),
    ("soft-404", "en", "Page not found - The Outlet", "<p>The page you are looking for has moved.</p>"),
    ("soft-404", "en", "Oops", "<p>Sorry, the requested page could not be found on this server.</p>"),
    ("soft-404", "fr", "Page introuvable", "<p>La page que vous recherchez n'existe plus.</p>"),
    ("soft-404", "ru", "Страница не найдена", "<p>Возможно, она была удалена.</p>"),
    ("soft-404", "tr", "Sayfa bulunamadı", "<p>Aradığınız sayfa taşınmış olabilir.</p>"),
    ("soft-404", "ar", "الصفحة غير موجودة", "<p>عذرا، لم نجد ما تبحث عنه.</p>"),
    ("login-wall", "en", "Log in", "<form><p>Enter your name and password.</p><input type=password></form>"),
    ("login-wall", "en", "Truce holds", "<p>You must be logged in to view this page of the forum.</p>"),
    ("login-wall", "fr", "Connexion", "<p>Saisissez votre mot de passe pour entrer.</p>"),
    ("login-wall", "ru", "Форум", "<p>Войдите, чтобы прочитать эту запись целиком.</p>"),
    ("login-wall", "tr", "Giriş yap", "<p>Kullanıcı adınızı ve parolanızı girin.</p>"),
    ("login-wall", "ar", "تسجيل الدخول", "<p>أدخل اسم المستخدم وكلمة المرور للمتابعة.</p>"),
    ("paywall-stub", "en", "Truce holds", f"<p>{FIRST}</p><div>Subscribe to continue reading.</div>"),
    (
        "paywall-stub",
        "fr",
        "La trêve tient",
        "<p>Deux groupes rivaux…</p><div>Cet article est réservé aux abonnés.</div>",
    ),
    ("paywall-stub", "ru", "Перемирие", "<p>Две группировки…</p><div>Материал доступен только подписчикам.</div>"),
    ("paywall-stub", "tr", "Ateşkes", "<p>İki grup…</p><div>Bu içerik abonelere özeldir.</div>"),
    ("paywall-stub", "ar", "هدنة", "<p>اتفق الفصيلان…</p><div>هذا المحتوى للمشتركين فقط.</div>"),
]


@pytest.mark.parametrize(("reason", "lang", "title", "body"), WALLS, ids=[f"{wall[0]}-{wall[1]}" for wall in WALLS])
def test_a_page_in_the_articles_place_is_declined_by_name(reason: str, lang: str, title: str, body: str) -> None:
    head = f'<!doctype html><html lang="{lang}"><head><title>{title}</title></head>'
    html = f"{head}<body><h1>{title}</h1>{body}</body></html>"
    assert declined(html) == reason


def test_a_challenge_with_an_error_status_is_a_bot_wall() -> None:
    body = "<html><title>Just a moment...</title><body>Enable JavaScript and cookies to continue</body></html>"
    assert declined(body, status=403) == "bot-wall"


def test_an_article_about_a_wall_is_an_article() -> None:
    sentence = (
        "Readers who were asked to verify you are human by a page not found in the archive complained to the editor. "
    )
    found = read(page(f"<p>{sentence * 12}</p>", title="Why the page is not found"))
    assert found.title == "Why the page is not found"


def test_a_short_article_on_a_site_with_comments_by_script_is_an_article() -> None:
    noscript = "<noscript>Please enable JavaScript to view the comments powered by Disqus.</noscript>"
    login = '<div class="modal"><a href="/login">Log in</a> <a href="/subscribe">Subscribe</a></div>'
    assert read(page(f"<p>{FIRST}</p>").replace("</main>", f"</main>{noscript}{login}")).text == FIRST


CLOSED = '<script type="application/ld+json">{"@type": "NewsArticle", "isAccessibleForFree": %s}</script>'


@pytest.mark.parametrize("value", ["false", '"False"'])
def test_a_teaser_that_its_markup_calls_closed_is_a_paywall_stub(value: str) -> None:
    assert declined(page(BODY, CLOSED % value)) == "paywall-stub"


def test_a_closed_article_that_came_through_whole_is_read() -> None:
    whole = "".join(f"<p>{n}. {FIRST} {SECOND}</p>" for n in range(8))
    assert read(page(whole, CLOSED % "false")).text.count("\n") == 7
    assert read(page(BODY, CLOSED % "true")).text == f"{FIRST}\n{SECOND}"


TEASERS = "".join(f'<article><h2><a href="/{n}">Story {n}</a></h2><p>{n}: {FIRST}</p></article>' for n in range(9))


@pytest.mark.parametrize(
    ("url", "classes", "head"),
    [
        ("https://outlet.example/", "", ""),
        ("https://outlet.example/ar/", "", ""),
        ("https://outlet.example/index.html", "", ""),
        ("https://outlet.example/topics/north", "archive category category-north", ""),
        (
            "https://outlet.example/find/truce",
            "",
            '<script type="application/ld+json">{"@type": "SearchResultsPage"}</script>',
        ),
    ],
)
def test_a_page_that_lists_articles_is_none(url: str, classes: str, head: str) -> None:
    html = f'<html><head><title>The Outlet</title>{head}</head><body class="{classes}">{TEASERS}</body></html>'
    assert declined(html, url=url) == "not-an-article"


def test_an_article_with_a_query_for_an_address_is_an_article() -> None:
    assert read(page(BODY), url="https://outlet.example/?p=123").text == f"{FIRST}\n{SECOND}"


# Poison


def test_a_poison_page_is_declined_while_its_neighbours_come_through() -> None:
    bodies = [page(BODY), page(f"<p>{'<b>x</b> y ' * 9_000}</p>"), page(BODY), page("<div>" * 3_000 + "x"), page(BODY)]
    with Pool("processors.extract.extract", workers=2, wall_seconds=10) as pool:
        found = list(pool.map(capture(body) for body in bodies))
    assert [getattr(each, "reason", getattr(each, "text", "")[:8]) for each in found] == [
        "Fighters",
        "too-complex",
        "Fighters",
        "too-complex",
        "Fighters",
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.binary(max_size=400),
    st.sampled_from(["", "text/html", "text/html; charset=koi8-r", "text/html; charset=nonsense", "image/png", ";;"]),
    st.sampled_from(
        ["%s", "<html><body><article><p>%s</p></article></body></html>", '<html lang="tr"><p>%s', "\xff\xfe%s"]
    ),
)
def test_no_bytes_make_it_raise(body: bytes, content_type: str, frame: str) -> None:
    whole = frame.encode("latin-1").replace(b"%s", body)
    assert isinstance(extract(capture(whole, content_type=content_type)), Document | Rejection)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.sampled_from(
            [
                "<p>",
                "</p>",
                "<b>",
                "<div>",
                "</div>",
                "<table>",
                "<tr>",
                "<td>",
                "<li>",
                "<ul>",
                "<br>",
                "<!--",
                "-->",
                "<script>",
                "</script>",
                "<title>",
                "<h1>",
                "</h1>",
                "<a",
                "href='//['>",
                "<svg>",
                "<math>",
                "<form>",
                "<time",
                "datetime='x'>",
                "<meta",
                "name=date",
                "content='99-99'>",
                "&nbsp;",
                "&#0;",
                "&#xD800;",
                "<?php",
                "<![CDATA[",
                "]]>",
                "word",
            ]
        ),
        max_size=60,
    )
)
def test_no_markup_makes_it_raise(parts: list[str]) -> None:
    assert isinstance(extract(capture("<html><body>" + " ".join(parts))), Document | Rejection)
