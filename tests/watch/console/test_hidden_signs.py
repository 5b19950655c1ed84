"""What the console makes of signs that nobody sees: it shows them, and gives back in a form what it was given."""

import html
import json

import pytest

EMAIL = "ann@shop.example"
NAMES = ["می\u200cخرم", "\U0001f469\u200d\U0001f467", "a\u200bb"]


@pytest.mark.parametrize("name", NAMES)
def test_a_group_whose_name_has_hidden_signs_is_the_one_that_is_sent(console, name):
    console.kill(f"Z-{name}", name=name)
    group = console.page("/letters").form_to("/replay", event=name)
    asked = console.page("/replay", group.fields)

    assert "Send 1 dead letter again?" == " ".join(asked.headings[0].split())
    assert name == asked.form_to("/replay", confirm="true").fields["event"]


@pytest.mark.parametrize("name", [*NAMES, "\u202eesahcrup"])
def test_the_filters_of_a_list_are_given_back_as_they_were(console, name):
    form = next(form for form in console.page("/events", {"event": name, "text": name}).forms if "state" in form.names)

    assert (name, name) == (form.fields["event"], form.fields["text"])


def test_the_json_of_an_event_is_what_is_sent_and_shows_its_hidden_signs(console):
    console.gateway.data([{"event_name": "contact", "event_id": "H\u200b-\u202e\U000e0101\u3164x"}])
    console.gateway.wait_until_settled()
    (event,) = [one for one in console.events(event="Contact") if one["event_id"].startswith("H\u200b")]
    address = f"/events/{event['ref']}"
    shown = html.unescape(console.ask(address)[2].split('<pre id="event-json" tabindex="0">')[1].split("</pre>")[0])

    assert event["event_id"] == json.loads(shown)["event_id"]
    assert r"H\u200b-\u202e\udb40\udd01\u3164x" in shown
    assert "H⟨200B⟩-⟨202E⟩⟨E0101⟩⟨3164⟩x" in console.page(address).headings[0]


@pytest.mark.parametrize(
    "text",
    ["0170 1234567", "00491701234567", "(213) 373-4253", f"Ann <{EMAIL}>", f"mailto:{EMAIL}", f"{EMAIL} {EMAIL}",
     EMAIL.replace("@", "%40"), EMAIL.replace("@", "\uff20"), EMAIL],
)  # fmt: skip
def test_the_heading_of_a_search_shows_of_a_person_only_how_it_begins(console, text):
    page = console.page("/events", {"text": text, "most": "2"})

    assert f"Events with “{text[0]}*** ({len(text)} characters)”" == " ".join(page.headings[0].split())
