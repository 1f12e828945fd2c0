"""Values are escaped for the format they are inserted into: whatever a name is, a request keeps its shape."""

import json
import re
from dataclasses import replace
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.etree import ElementTree as ET

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tests.scale import choose
from treaty.model.webhooks.parameters import fill_in
from treaty.model.webhooks.presets import PRESETS
from treaty.model.webhooks.rendering import UnusableValue, render
from treaty.model.webhooks.webhooks import WebhookRequest

EXAMPLES = choose(6, slow=15, long=100)
"""For each preset, and for each place of a value."""

PARAMETERS = (
    *("consumerName", "providerName", "consumerVersionNumber", "consumerVersionTags", "consumerVersionBranch"),
    *("providerVersionNumber", "providerVersionTags", "providerVersionBranch", "providerVersionDescriptions"),
    *("pactUrl", "verificationResultUrl", "githubVerificationStatus", "gitlabVerificationStatus", "eventName"),
    *("bitbucketVerificationStatus", "azureDevOpsVerificationStatus", "consumerLabels", "providerLabels", "buildUrl"),
)
HARMLESS = dict.fromkeys(PARAMETERS, "harmless")
HOSTILE = (
    'feat/say-"hi"',
    '1", "ref": "evil',
    "\\",
    '\\"',
    "&ref=evil",
    "a=b&c",
    "a#b?c=d;e",
    "%2e%2e%2f",
    "../../x",
    "a\r\nX-Evil: yes",
    "\r\n\r\n",
    "\x00\x1b\x7f\x85\u2028",
    "]]>",
    "]]",
    "-->",
    "--",
    "<b>&amp;</b>",
    "${pactbroker.consumerName}",
    "é ☃ 𝄞",
    " ",
    "",
    "1",
    "null",
    '{"a": 1}',
    "[1, 2]",
)
PIECES = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=6), st.sampled_from('"\\/&=?#%<>]-:.\r\n\t ${}[]'))
NAMES = st.lists(PIECES, max_size=4).map("".join)
VALUES = st.fixed_dictionaries(dict.fromkeys(PARAMETERS, NAMES))
REQUEST = WebhookRequest(method="POST", url="https://ci.test/x", headers={}, body=None, username=None, password=None)


def json_shape(value):
    """Everything of a JSON value but its strings and numbers."""
    match value:
        case dict():
            return {name: json_shape(member) for name, member in value.items()}
        case list():
            return [json_shape(item) for item in value]
        case str() | int() | float() if not isinstance(value, bool):
            return "scalar"
        case _:
            return value


def url_shape(url):
    split = urlsplit(url)
    fields = [name for name, _ in parse_qsl(split.query, keep_blank_values=True)]
    return split.scheme, split.netloc, split.path.count("/"), fields, bool(split.fragment)


def xml_shape(text):
    def shape(element):
        return element.tag, sorted(element.attrib), [shape(child) for child in element]

    return shape(ET.fromstring(text))  # noqa: S314 - written by the code under test


def form_shape(text):
    return [name for name, _ in parse_qsl(text, keep_blank_values=True)]


def plain_shape(_text):
    return None


def assert_same_shape(request, values, body_shape):
    usual, hostile = render(request, HARMLESS), render(request, values)
    assert url_shape(hostile.url) == url_shape(usual.url)
    assert list(hostile.headers) == list(usual.headers)
    assert not any(re.search(r"[\x00-\x1f\x7f]", value) for value in hostile.headers.values())
    assert body_shape(hostile.body.decode()) == body_shape(usual.body.decode())


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.key)
@given(values=VALUES)
@settings(max_examples=EXAMPLES)
def test_every_preset_keeps_its_shape_whatever_the_names_are(preset, values):
    url = re.sub("<[A-Z-]+>", "mine", preset.url)
    headers = {name.lower(): value for name, value in preset.request_headers.items()}
    request = replace(REQUEST, url=url, headers=headers, body=preset.body or "")
    assume(not _refuses(request, values))
    assert_same_shape(request, values, lambda text: json_shape(json.loads(text)) if text else None)


def _refuses(request, values):
    try:
        render(request, values)
    except UnusableValue:
        return True
    return False


BRANCH = "${pactbroker.consumerVersionBranch}"
NUMBER = "${pactbroker.consumerVersionNumber}"
JSON, FORM, XML = "application/json; charset=utf-8", "application/x-www-form-urlencoded", "application/xml"
OBJECT = {"ref": "main", "inputs": [{"branch": BRANCH, "text": f"<{NUMBER}> of {BRANCH}"}, None, 1.5, True]}


def nested_shape(text):
    return json_shape(json.loads(json.loads(json.loads(text)["Message"])["inner"]))


NESTED = {"Message": json.dumps({"branch": BRANCH, "inner": json.dumps({"number": NUMBER})})}


@pytest.mark.parametrize(
    ("content_type", "body", "shape"),
    [
        (JSON, OBJECT, lambda text: json_shape(json.loads(text))),
        (None, OBJECT, lambda text: json_shape(json.loads(text))),
        (None, [BRANCH, {"x": NUMBER}], lambda text: json_shape(json.loads(text))),
        (JSON, json.dumps(OBJECT, indent=2), lambda text: json_shape(json.loads(text))),
        ("application/vnd.api+json", json.dumps(OBJECT), lambda text: json_shape(json.loads(text))),
        (None, json.dumps(OBJECT), lambda text: json_shape(json.loads(text))),
        (JSON, f'{{"number": {NUMBER}, "all": [{BRANCH}, 1]}}', lambda text: json_shape(json.loads(text))),
        (JSON, BRANCH, lambda text: json_shape(json.loads(text))),
        (JSON, NESTED, nested_shape),
        (
            JSON,
            json.dumps(NESTED),
            nested_shape,
        ),
        (FORM, f"ref=main&branch={BRANCH}&number={NUMBER}", form_shape),
        (None, f"ref=main&branch={BRANCH}&number={NUMBER}", form_shape),
        (XML, f'<build ref="main" branch="{BRANCH}"><n a=\'{NUMBER}\'>{NUMBER}</n></build>', xml_shape),
        ("text/xml", f"<b><!-- {BRANCH}--><![CDATA[{BRANCH}>{NUMBER}]]></b>", xml_shape),
        ("application/soap+xml", f"<b>{BRANCH}</b>", xml_shape),
        ("text/plain", f"{BRANCH} is here", plain_shape),
    ],
)
@given(values=VALUES)
@settings(max_examples=EXAMPLES)
@example(values=dict.fromkeys(PARAMETERS, '1", "ref": "evil'))
@example(values=dict.fromkeys(PARAMETERS, "&ref=evil"))
@example(values=dict.fromkeys(PARAMETERS, "]]><evil/>"))
def test_bodies_headers_and_urls_keep_their_shape_whatever_the_names_are(content_type, body, shape, values):
    headers = {"x-branch": BRANCH, "authorization": f"Bearer {NUMBER}"}
    headers |= {"content-type": content_type} if content_type else {}
    url = f"https://ci.test/job/{BRANCH}/a-{NUMBER}?branch={BRANCH}&n={NUMBER}#{BRANCH}."
    request = replace(REQUEST, url=url, headers=headers, body=body)
    assume(not _refuses(request, values))
    assert_same_shape(request, values, shape)


TRICKY = 'feat/say-"hi" & \\ <b>\n'


@pytest.mark.parametrize(
    ("content_type", "body", "value_in"),
    [
        (JSON, {"b": BRANCH}, lambda text: json.loads(text)["b"]),
        (JSON, f'{{"b": "{BRANCH}"}}', lambda text: json.loads(text)["b"]),
        (JSON, f'{{"b": {BRANCH}}}', lambda text: json.loads(text)["b"]),
        (FORM, f"b={BRANCH}", lambda text: dict(parse_qsl(text))["b"]),
        (XML, f'<b a="{BRANCH}"/>', lambda text: ET.fromstring(text).get("a")),  # noqa: S314
        (XML, f"<b>{BRANCH}</b>", lambda text: ET.fromstring(text).text),  # noqa: S314
        (XML, f"<b><![CDATA[{BRANCH}]]></b>", lambda text: ET.fromstring(text).text),  # noqa: S314
        ("text/plain", BRANCH, lambda text: text),
        (None, f"plain {BRANCH}", lambda text: text.removeprefix("plain ")),
    ],
)
def test_a_receiver_reads_the_very_value(content_type, body, value_in):
    headers = {"content-type": content_type} if content_type else {}
    request = replace(REQUEST, headers=headers, body=body)
    assert value_in(render(request, {"consumerVersionBranch": TRICKY}).body.decode()) == TRICKY


def test_a_number_without_quotes_stays_a_number():
    request = replace(REQUEST, headers={"content-type": JSON}, body=f'{{"n": {NUMBER}}}')
    assert render(request, {"consumerVersionNumber": "12"}).body == b'{"n": 12}'
    assert render(request, {"consumerVersionNumber": "true"}).body == b'{"n": "true"}'


@pytest.mark.parametrize("headers", [{}, {"content-type": "application/json"}])
def test_a_value_without_quotes_adds_nothing_to_json_whether_or_not_it_is_declared(headers):
    request = replace(REQUEST, headers=headers, body='{"build": ${pactbroker.consumerVersionNumber}, "ref": "main"}')
    rendered = render(request, {**HARMLESS, "consumerVersionNumber": '1, "ref": "evil"'})
    assert json.loads(rendered.body) == {"build": '1, "ref": "evil"', "ref": "main"}
    assert rendered.headers["content-type"] == "application/json"


def test_the_text_of_a_json_body_is_left_as_it_was_written():
    body = f'{{ "a": 1.10,\t"b": "{BRANCH}", "a": "\\u00e9" }}'
    request = replace(REQUEST, headers={"content-type": JSON}, body=body)
    assert render(request, {"consumerVersionBranch": "main"}).body.decode() == body.replace(BRANCH, "main")


def test_names_of_properties_are_filled_in_but_never_replace_another():
    request = replace(REQUEST, body={BRANCH: "x", "ref": "main"})
    assert json.loads(render(request, {"consumerVersionBranch": "b"}).body) == {"b": "x", "ref": "main"}
    with pytest.raises(UnusableValue, match="same name"):
        render(request, {"consumerVersionBranch": "ref"})


@pytest.mark.parametrize("value", ["feat/a b", "a?b#c", "50%", "é", ";x=1", "\\..\\"])
def test_values_in_the_path_are_percent_encoded_as_one_segment(value):
    url = render(replace(REQUEST, url=f"https://ci.test/{BRANCH}/go"), {"consumerVersionBranch": value}).url
    assert url.count("/") == 4
    assert "+" not in url
    assert unquote(url.split("/")[3]) == value


@pytest.mark.parametrize(
    ("segment", "value"),
    [(BRANCH, ".."), (BRANCH, "."), (f".{BRANCH}", "."), (f"%2e{BRANCH}", "."), (f".{BRANCH}", "")],
)
def test_a_value_that_makes_a_dot_segment_is_refused_with_a_next_step(segment, value):
    request = replace(REQUEST, url=f"https://ci.test/a/{segment}/b")
    with pytest.raises(UnusableValue, match="Move the parameter to the query or the body"):
        render(request, {"consumerVersionBranch": value})


def test_dots_are_fine_elsewhere():
    url = f"https://ci.test/a/../v{BRANCH}?b={BRANCH}"
    assert render(replace(REQUEST, url=url), {"consumerVersionBranch": ".."}).url == "https://ci.test/a/../v..?b=.."


@pytest.mark.parametrize(
    ("value", "header"), [("a\r\nX-Evil: yes", "v a  X-Evil: yes"), ("\x00\x1b", "v"), ("é", "v é")]
)
def test_values_in_headers_have_no_control_characters(value, header):
    request = replace(REQUEST, headers={"x-branch": f"v {BRANCH}"})
    assert render(request, {"consumerVersionBranch": value}).headers["x-branch"] == header


def test_a_user_name_does_not_reach_into_the_password():
    request = replace(REQUEST, username=BRANCH, password="p")  # noqa: S106 - made up
    with pytest.raises(UnusableValue, match="colon"):
        render(request, {"consumerVersionBranch": "a:b"})


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"a": 1}, "application/json"),
        ('{"a": 1}', "application/json"),
        ("a=1", FORM),
        ("text", FORM),
        (None, FORM),
        ("", FORM),
    ],
)
def test_the_content_type_follows_the_body_if_the_webhook_names_none(body, expected):
    assert render(replace(REQUEST, body=body), {}).headers.get("content-type") == expected


def test_unknown_parameters_stay_as_they_are():
    request = replace(REQUEST, body={"a": "${pactbroker.unknown} ${other}"})
    assert render(request, HARMLESS).body == b'{"a":"${pactbroker.unknown} ${other}"}'
    assert fill_in("${pactbroker.unknown}", HARMLESS) == "${pactbroker.unknown}"


@pytest.mark.parametrize(
    ("value", "header"), [("a", "a"), (" a ", "a"), ("", ""), ("z ", "z"), ("! ", "!"), ("a\nb", "a b")]
)
def test_a_header_that_is_filled_in_has_no_spaces_at_its_ends(value, header):
    request = replace(REQUEST, headers={"x-name": "${pactbroker.consumerName}", "x-fixed": " a "})
    headers = render(request, {"consumerName": value}).headers
    assert (headers["x-name"], headers["x-fixed"]) == (header, " a ")


@pytest.mark.parametrize(
    ("password", "rendered"), [(None, ""), ("secret", "secret"), ("${pactbroker.consumerName}", "Till")]
)
def test_a_password_is_filled_in(password, rendered):
    request = replace(REQUEST, username="u", password=password)
    assert render(request, {"consumerName": "Till"}).password == rendered


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/xml", "a=a&amp;b"),
        ("text/xml; charset=utf-8", "a=a&amp;b"),
        ("application/soap+xml", "a=a&amp;b"),
        ("application/x-www-form-urlencoded", "a=a%26b"),
        ("application/yaml", "a=a&b"),
        ("application/zip", "a=a&b"),
        ("text/plain", "a=a&b"),
        ("application/json", 'a="a&b"'),
    ],
)
def test_a_value_is_escaped_for_the_media_type(media_type, body):
    request = replace(REQUEST, headers={"content-type": media_type}, body="a=${pactbroker.consumerName}")
    assert render(request, {"consumerName": "a&b"}).body.decode() == body


def test_values_outside_of_ascii_stay_readable_in_json():
    request = replace(REQUEST, body='{"a": ${pactbroker.consumerName}, "b": "${pactbroker.consumerName}"}')
    assert render(request, {"consumerName": "é"}).body.decode() == '{"a": "é", "b": "é"}'


@pytest.mark.parametrize(
    ("body", "rendered"),
    [
        # A line break in a string is escaped, and text that is not valid JSON stays unchanged.
        ('{"a": "x\n${pactbroker.consumerName}"}', '{"a": "x\\nsay \\"hi\\""}'),
        ('{"a": "\\x ${pactbroker.consumerName}"}', '{"a": "\\x say \\"hi\\""}'),
        ({"é": "ü ${pactbroker.consumerName}"}, '{"é":"ü say \\"hi\\""}'),
    ],
)
def test_the_rest_of_a_json_body_keeps_its_meaning(body, rendered):
    request = replace(REQUEST, headers={"content-type": "application/json"}, body=body)
    assert render(request, {"consumerName": 'say "hi"'}).body.decode() == rendered
