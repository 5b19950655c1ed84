"""Trying a hit in the console."""

from harness import purchase


def test_a_hit_is_explained_under_the_settings_in_force(console):
    hit = f"{console.gateway.url}/g/collect?{purchase(1, **{'ep.user_data.email': 'bob@shop.example', 'ep.odd': '1'})}"
    before = console.gateway.books()
    page = console.page("/try", {"text": hit})

    assert "1 hit, 1 outcome" in page.text
    assert "PlaceAnOrder" in page.text
    assert "b*** (16 characters)" in page.text
    assert "bob@" not in page.text
    assert "bob%40" not in page.text
    assert "odd" in page.text
    assert before == console.gateway.books()


def test_a_dropped_event_says_why_and_what_would_send_it(console):
    page = console.page("/try", {"text": '{"event_name":"scroll"}'})

    assert "no mapping" in page.text
    assert "would send it" in page.text


def test_what_is_no_hit_is_refused_in_words_and_is_not_shown_again(console):
    page = console.page("/try", {"text": "<b>no hit of bob@shop.example</b>"})

    assert "This is neither a URL of a hit nor" in page.text
    assert "bob@" not in page.text
    assert page.form_to("/try")


def test_more_than_a_hit_holds_is_refused_in_words(console):
    page = console.page("/try", {"text": "x" * 70_000})

    assert "This is more than a hit holds" in page.text


def test_no_file_of_the_server_is_read(console):
    page = console.page("/try", {"text": "/etc/hostname"})
    at = console.page("/try", {"text": "@/etc/hostname"})

    assert page.form_to("/try")
    assert at.form_to("/try")
