"""A broker without users: pages explain how to add one instead of offering to sign in."""


def test_a_page_for_administrators_does_not_ask_for_a_sign_in_that_cannot_succeed(show):
    page = show("/settings/users")
    assert page.status == 403
    assert "has no users yet" in page.text
    assert "treaty user add NAME --role administrator" in page.text


def test_the_sign_in_page_has_no_form_before_there_are_users(show):
    page = show("/sign-in")
    assert page.status == 200
    assert "has no users yet" in page.text
    assert [field for field in page.all("input") if field.attributes.get("type") == "password"] == []
