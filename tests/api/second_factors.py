"""A second factor: the device of a user, and the pages that set it up."""

import re
from datetime import timedelta

from pyotp.totp import TOTP

STEP = timedelta(seconds=30)
PAGE = "/settings/account/second-factor"


class Device:
    """An authenticator app, and the recovery codes that its owner has saved."""

    def __init__(self, clock, secret, recovery_codes=()):
        self.clock = clock
        self.secret = secret
        self.recovery_codes = recovery_codes

    def code(self, steps=0):
        return TOTP(self.secret).at(self.clock.now + steps * STEP)

    def next_code(self):
        """Wait for a code that was not used yet."""
        self.clock.now += STEP
        return self.code()


def post_form(browser, path, **fields):
    return browser.post(path, csrf_token=browser.token("/settings/account"), **fields)


def find_secret(page):
    (secret,) = re.findall(r"<code>([A-Z2-7]{32})</code>", page.text)
    return secret


def set_up_device(browser, clock):
    shown = post_form(browser, f"{PAGE}/set-up")
    assert shown.status == 200, shown.text
    device = Device(clock, find_secret(shown))
    confirmed = browser.post(f"{PAGE}/confirm", csrf_token=browser.token(PAGE), code=device.code())
    assert confirmed.status == 200, confirmed.text
    device.recovery_codes = re.findall(r"\b(?:[0-9A-Z]{4}-){3}[0-9A-Z]{4}\b", confirmed.text)
    return device
