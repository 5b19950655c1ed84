"""Dead letters in the console: groups, what sending again would do, and doing it."""

from collections import Counter

from html_page import Form, Page
from tikrelay.outbox.store import DeadReason
from tikrelay.watch.console.page import DIED_OF, died_of


def press(console, form: Form, **more: str) -> Page:
    """Send a form as a browser does."""
    assert form.method == "post"
    return console.page(form.action, {**form.fields, **more})


def head(page: Page) -> str:
    return " ".join(page.headings[0].split())


def test_letters_are_grouped_by_what_they_died_of(console):
    dead = Counter((letter["event"], str(letter["code"])) for letter in console.gateway.dead())
    page = console.page("/letters")
    forms = [form.fields for form in page.forms if form.action == "/replay"]

    assert set(dead) == {(form["event"], form["code"]) for form in forms}
    assert f"{dead.total()} events TikTok did not take" in page.text


def test_each_group_opens_its_list(console):
    page = console.page("/letters")
    address = next(link for link in page.links if "state=dead" in link and "PlaceAnOrder" in link)
    listed = console.page(address)

    assert 3 == len([link for link in listed.links if link.startswith("/events/")])


def test_a_group_is_sent_again_once_it_is_confirmed_and_never_before(console):
    console.kill("G-1", "G-2", name="contact")
    group = console.page("/letters").form_to("/replay", event="Contact")
    noted = len(console.gateway.said("events_replayed"))
    asked = press(console, group)

    assert "Send 2 dead letters again?" == head(asked)
    assert 2 == len(console.events(event="Contact", state="dead"))
    assert noted == len(console.gateway.said("events_replayed"))
    others = console.events(state="dead", event="AddToCart")
    done = press(console, asked.form_to("/replay", confirm="true"))
    console.gateway.wait_until_settled()
    assert "2 dead letters wait to be sent again" == head(done)
    assert "Noted in the log: events_replayed , 2 by 127.0.0.1" in done.text
    assert ([], others) == (console.events(event="Contact", state="dead"), console.events(event="AddToCart"))
    line = console.gateway.said("events_replayed")[-1]
    assert (2, "127.0.0.1", False) == (line["replayed"], line["by"], line["test"])
    assert "Contact" not in {form.fields.get("event") for form in console.page("/letters").forms}


def test_one_letter_goes_out_again_from_its_own_page(console):
    console.kill("O-1", "O-2", name="subscribe")
    ref = console.ref_of("O-1")
    asked = press(console, console.page(f"/events/{ref}").form_to("/replay", ref=ref))
    press(console, asked.form_to("/replay", confirm="true"))
    console.gateway.wait_until_settled()

    assert "TikTok took it" in console.page(f"/events/{ref}").text
    assert ["O-2"] == [event["event_id"] for event in console.events(event="Subscribe", state="dead")]


def test_the_letters_of_one_product_go_out_again_from_the_list_of_a_search(console):
    console.kill("P-1", "P-2", name="view_item", items=[{"item_id": "SKU-77"}])
    console.kill("P-3", name="view_item", items=[{"item_id": "SKU-78"}])
    listed = console.page("/events", {"text": "SKU-77"})
    asked = press(console, next(form for form in listed.forms if form.action == "/replay"))
    press(console, asked.form_to("/replay", confirm="true"))
    console.gateway.wait_until_settled()

    assert "Send the 2 dead letters shown here again…" in listed.text
    assert "Send 2 dead letters again?" == head(asked)
    assert ["P-3"] == [event["event_id"] for event in console.events(event="ViewContent", state="dead")]


def test_a_letter_goes_to_a_test_code_and_stays_one(console):
    console.kill("T-1", name="search")
    ref = console.ref_of("T-1")
    form = console.page(f"/events/{ref}").form_to("/replay", test_event_code="")
    asked = press(console, form, test_event_code="TEST1234")
    done = press(console, asked.form_to("/replay", confirm="true"))
    sent = console.sandbox.wait_for_events(1, event_id="T-1")

    assert "Send 1 event as a test?" == head(asked)
    assert "1 event went out as a test" == head(done)
    assert ["TEST1234"] == [event["_"]["test_event_code"] for event in sent]
    assert ref in {event["ref"] for event in console.events(event="Search", state="dead")}


def test_a_delivered_event_goes_to_a_test_code_from_its_page_and_stays_delivered(console):
    console.gateway.data([{"event_name": "search", "event_id": "T-2"}])
    console.gateway.wait_until_settled()
    ref = console.ref_of("T-2")
    page = console.page(f"/events/{ref}")
    asked = press(console, page.form_to("/replay", test_event_code=""), test_event_code="TEST1234")
    done = press(console, asked.form_to("/replay", confirm="true"))
    console.gateway.wait_until_settled()
    (test,) = [one["body"] for one in console.sandbox.requests() if one["body"]["data"][0]["event_id"] == "T-2"][1:]

    assert ("Send 1 event as a test?", "1 event went out as a test") == (head(asked), head(done))
    assert f"/events/{ref}" in asked.links
    assert "TEST1234" == test["test_event_code"]
    assert "TikTok took it" in console.page(f"/events/{ref}").text


def test_a_test_code_that_is_none_is_refused_in_words(console):
    page = console.page("/replay", {"ref": console.ref_of("B-1"), "test_event_code": "no code"}, status=400)

    assert "Test_event_code is none" == head(page)


def test_a_form_that_chooses_nothing_sends_nothing(console):
    before = console.gateway.dead()
    page = console.page("/replay", {"confirm": "true"}, status=400)

    assert "Nothing says which dead letters" == head(page)
    assert before == console.gateway.dead()


def test_every_reason_has_its_words():
    assert set(DeadReason) == set(DIED_OF)
    assert all(died_of(reason.value) == DIED_OF[reason] for reason in DeadReason)


def test_a_group_that_is_gone_says_so(console):
    asked = console.page("/replay", {"reason": "maybe_delivered"})

    assert "Send 0 dead letters again?" == head(asked)
    assert "There is nothing to send." in asked.text
