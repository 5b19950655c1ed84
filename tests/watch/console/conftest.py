"""A server whose console can be looked at, with events of every fate behind it."""

import urllib.parse
from typing import Any

import pytest

from harness import Gateway, Sandbox, get, get_json, purchase, wait_for
from html_page import Page

SPOILT = "a description that TikTok refuses"
EMAIL = "ann@shop.example"


class Console:
    """The console of a gateway, as a browser asks for it."""

    def __init__(self, gateway: Gateway, sandbox: Sandbox) -> None:
        self.gateway, self.sandbox = gateway, sandbox

    def ask(self, path: str, form: dict[str, str] | None = None, **headers: str):
        """One request; returns (status, headers, text)."""
        given = {"Accept": "text/html,*/*", **headers}
        data = None
        if form is not None:
            given = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin", **given}
            data = urllib.parse.urlencode(form).encode()
        status, told, body = get(self.gateway.admin_url + path, data=data, headers=given)
        return status, told, body.decode()

    def page(self, path: str, form: dict[str, str] | None = None, *, status: int = 200) -> Page:
        """A page that was asked for and is sound."""
        got, told, text = self.ask(path, form)
        assert (got, told["content-type"]) == (status, "text/html; charset=utf-8"), text
        page = Page(text)
        assert page.faults == []
        return page

    def events(self, **query: str) -> list[dict]:
        return get_json(f"{self.gateway.admin_url}/api/events?{urllib.parse.urlencode(query)}")["events"]

    def ref_of(self, event_id: str) -> str:
        (event,) = self.events(event_id=event_id)
        return event["ref"]

    def kill(self, *event_ids: str, name: str, **more: Any) -> None:
        """Send events that TikTok refuses, and wait until they are dead letters; then one that it takes.

        Five refusals in a row would pause the destination.
        """
        before = self.gateway.books()["dead"]
        self.sandbox.fault("refuse", field="properties.description", value=SPOILT)
        spoilt = {"event_name": name, "description": SPOILT, **more}
        self.gateway.data([{**spoilt, "event_id": one} for one in event_ids])
        wait_for(lambda: self.gateway.books()["dead"] == before + len(event_ids))
        self.sandbox.heal()
        self.gateway.data([{"event_name": "page_view"}])
        self.gateway.wait_until_settled()


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory):
    """One for all tests of this folder, with events that ended in every way; a test may add its own."""
    folder = tmp_path_factory.mktemp("console")
    sandbox = Sandbox(folder)
    gateway = Gateway(folder / "gateway", sandbox.url).start()
    console = Console(gateway, sandbox)
    gateway.hit(purchase(1001, **{"ep.user_data.email": EMAIL, "ep.colour": "red"}))
    gateway.hit(purchase(1002, pr1="idSKU-9~nmCup~pr4~qt1"))
    console.kill("B-0", "B-1", "B-2", name="purchase")
    console.kill("B-9", name="add_to_cart")
    gateway.data([{"event_name": "scroll"}])
    yield console
    gateway.close()
    sandbox.close()
