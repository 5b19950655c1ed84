"""What mapping one event costs, beside the work that no mapper can leave out.

``make bench-one NAME=map_hit``. Times are the smallest of many rounds, so that what else the machine does shows least;
each is also told as a multiple of the floor: hashing and encoding, in the same run, what this very event must have
hashed and encoded.
"""

import hashlib
import json
import platform
import sys
import timeit
from collections.abc import Callable

import msgspec

from tikrelay.app.hits.request import Request, read_request
from tikrelay.app.load import parse_settings
from tikrelay.event import Event
from tikrelay.mapping.config import MappedDestination
from tikrelay.mapping.convert import map_event
from tikrelay.mapping.explain import explain
from tikrelay.mapping.rules import Rules

ROUNDS = 40
CALLS = 250
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
HEAD = (
    "/g/collect?v=2&tid=G-DEMO000001&cid=10.20&_p=1&_s=4&sid=1795312000&ul=de-de&sr=1920x1080&gcs=G111"
    "&gcd=13r3r3r3r5l1&dl=https%3A%2F%2Fshop.example%2Fthanks%3Fttclid%3DE.C.P.abc%26utm_source%3Dtiktok"
    "&dr=https%3A%2F%2Fshop.example%2Fcheckout&dt=Shop"
)
HINTS = "&uaa=x86&uab=64&uafvl=Chromium%3B140.0.1.2%7CNot%253DA%3B8.0.0.0&uamb=0&uam=&uap=Linux&uapv=6.1"
PERSON = (
    "&uid=C-77&ep.user_data.email=%20Ann%40Shop.example&ep.user_data.phone_number=%2B4915155501234"
    "&ep.user_data.address.first_name=Ann&ep.user_data.address.last_name=Lee&ep.user_data.address.city=Berlin"
    "&ep.user_data.address.postal_code=10115&ep.user_data.address.country=DE"
)
TWO_ITEMS = (
    "&en=purchase&cu=EUR&ep.transaction_id=R-1001&epn.value=49.5&epn.tax=3"
    "&pr1=idSKU-1~nmMug~caKitchen~brAcme~pr9.5~qt2&pr2=idSKU-2~nmBowl~caKitchen~pr30.5~qt1"
)
HITS = {
    "page_view": HEAD + "&en=page_view",
    "page_view, client hints": HEAD + HINTS + "&en=page_view",
    "purchase, two items": HEAD + TWO_ITEMS,
    "purchase, two items, person": HEAD + TWO_ITEMS + PERSON,
    "purchase, two items, person, client hints": HEAD + TWO_ITEMS + PERSON + HINTS,
}
RULES = "".join(
    f'[[rules]]\nname = "rule {number}"\nevents = "purchase"\nset = {{ "properties.tier" = {number} }}\n'
    f"[rules.when]\nvalue = {{ at_least = {number * 10} }}\n"
    for number in range(10)
)


def rules_of(settings: str) -> Rules:
    """Make the rules of one destination."""
    config = parse_settings(settings, None, {}, to_send=False).config
    return Rules.of(config.mapping, config.privacy, MappedDestination(event_source_id="C0EXAMPLE"), config.rules)


def event_of(url: str) -> Event:
    """Collect one hit."""
    headers = {"User-Agent": AGENT, "Cookie": "_ttp=01JQ7Z9K3M5N7P9R1S3T5V7W9X_.tt.1", "X-Forwarded-For": "8.8.8.8"}
    (event,) = read_request(Request(url=url, headers=headers)).events
    return event


def microseconds(call: Callable[[], object]) -> float:
    """The smallest time of one call."""
    return min(timeit.repeat(call, number=CALLS, repeat=ROUNDS)) / CALLS * 1e6


def floor_of(body: object) -> Callable[[], object]:
    """What must be done: the hashes that stand in the event, and its JSON."""
    text = json.dumps(body)
    hashes = sum(len(word) == 64 and word.isalnum() for word in text.replace('"', " ").split())
    values = [f"somebody-{number}@shop.example".encode() for number in range(hashes)]

    def work() -> object:
        for value in values:
            hashlib.sha256(value).hexdigest()
        return msgspec.json.encode(body)

    return work


def main() -> int:
    """Print the table."""
    plain, ruled = rules_of(""), rules_of(RULES)
    print(f"Python {platform.python_version()}, {platform.machine()}; us a call, smallest of {ROUNDS} rounds\n")
    print(f"| {'event':42} | map | x floor | with 10 rules | encode | floor | explain |")
    print(f"|{'-' * 44}|---|---|---|---|---|---|")
    for name, url in HITS.items():
        event = event_of(url)
        (made,) = map_event(event, plain, fallback_id="made")
        body = getattr(made, "body", None)
        mapped = microseconds(lambda event=event: map_event(event, plain, fallback_id="made"))
        with_rules = microseconds(lambda event=event: map_event(event, ruled, fallback_id="made"))
        encoded = microseconds(lambda body=body: msgspec.json.encode(body))
        floor = microseconds(floor_of(body))
        told = microseconds(lambda event=event: explain(event, plain, fallback_id="made"))
        columns = (mapped, mapped / floor, with_rules, encoded, floor, told)
        print(f"| {name:42} | {' | '.join(f'{column:.1f}' for column in columns)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
