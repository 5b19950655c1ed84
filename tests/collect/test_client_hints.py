"""What the browser says it is."""

from tikrelay.collect.client_hints import from_headers, from_parameters, read_versions


def test_the_parameters_become_event_data():
    hints = from_parameters(
        {
            "uaa": "arm",
            "uab": "64",
            "uamb": "1",
            "uam": "",
            "uap": "Android",
            "uapv": "14.0.0",
            "uaw": "0",
            "uafvl": "A;1",
        }
    )

    assert {
        "architecture": "arm", "bitness": "64", "mobile": True, "model": "", "platform": "Android",
        "platform_version": "14.0.0", "wow64": False, "full_version_list": [{"brand": "A", "version": "1"}],
    } == hints  # fmt: skip


def test_a_flag_that_is_neither_0_nor_1_is_left_out():
    assert {} == from_parameters({"uamb": "yes", "uaw": ""})


def test_a_brand_is_encoded_once_more_and_may_hold_a_semicolon():
    versions = read_versions("Not%3BA%3DBrand;99.0.0.0|Not;B;8|Chromium;140.0.1|broken||;5")

    assert [("Not;A=Brand", "99.0.0.0"), ("Not;B", "8"), ("Chromium", "140.0.1")] == [
        (version["brand"], version["version"]) for version in versions
    ]


def test_headers_are_read_with_their_quotes_off():
    hints = from_headers(
        {
            "sec-ch-ua": '"Chromium";v="140", "Not\\"A;Brand" ; v="99"',
            "sec-ch-ua-mobile": "?0",
            "sec-ch-ua-platform": '"macOS"',
            "sec-ch-ua-arch": '""',
        }
    )

    assert "macOS" == hints["platform"]
    assert hints["mobile"] is False
    assert "full_version_list" not in hints  # Sec-CH-UA has major versions only
    assert "architecture" not in hints


def test_headers_that_make_no_sense_are_left_out():
    assert {} == from_headers({"sec-ch-ua": "Chromium;v=140", "sec-ch-ua-mobile": "true"})


def test_the_full_versions_count_before_the_short_ones():
    hints = from_headers({"sec-ch-ua": '"C";v="1"', "sec-ch-ua-full-version-list": '"C";v="1.2.3"'})

    assert [{"brand": "C", "version": "1.2.3"}] == hints["full_version_list"]
