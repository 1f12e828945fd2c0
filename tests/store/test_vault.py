"""Sealed texts, their keys, and the file that keys are in."""

import base64
import hashlib
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from treaty.errors import InvalidSetting
from treaty.model.webhooks.webhooks import EncryptedText
from treaty.settings import Settings
from treaty.store.engine.vault import KeyFile, KeyStatus, Vault, WrongKey, get_vault

FIRST, SECOND = "the first key", "the second key"


def _of_the_first_form(text: str, key: str) -> EncryptedText:
    derived = hashlib.scrypt(key.encode(), salt=b"treaty: secrets at rest", n=2**14, r=8, p=1, dklen=32)
    nonce = os.urandom(12)
    return EncryptedText("v1:" + base64.b64encode(nonce + AESGCM(derived).encrypt(nonce, text.encode(), None)).decode())


def test_the_newest_key_encrypts_and_all_keys_decrypt() -> None:
    former, now = Vault(lambda: [FIRST]), Vault(lambda: [SECOND, FIRST])
    assert now.decrypt(former.encrypt("a secret")) == "a secret"
    with pytest.raises(WrongKey, match="previous_secret_keys"):
        former.decrypt(now.encrypt("a secret"))


def test_a_text_that_names_no_key_is_opened_by_whichever_fits() -> None:
    sealed = _of_the_first_form("a secret", FIRST)
    assert Vault(lambda: [SECOND, FIRST]).decrypt(sealed) == "a secret"
    assert Vault(lambda: [FIRST]).get_key_status(sealed) is KeyStatus.NEWEST
    assert Vault(lambda: [SECOND, FIRST]).get_key_status(sealed) is KeyStatus.OLDER
    assert Vault(lambda: [SECOND]).get_key_status(sealed) is KeyStatus.UNKNOWN


@pytest.mark.parametrize("text", ["", "v1:", "v2:", "v2:abc", "v2:abc:", "v9:abc:def", "no sealed text", "v1:é"])
def test_a_text_in_another_format_is_not_decrypted(text: str) -> None:
    with pytest.raises(WrongKey):
        Vault(lambda: [FIRST]).decrypt(EncryptedText(text))


def test_a_sealed_text_cannot_be_given_the_name_of_another_key() -> None:
    vault = Vault(lambda: [FIRST])
    form, name, body = vault.encrypt("a secret").text.split(":")
    with pytest.raises(WrongKey):
        vault.decrypt(EncryptedText(f"{form}:{name[::-1]}:{body}"))


def test_a_vault_sees_at_once_that_the_file_has_changed(tmp_path: Path) -> None:
    vault = get_vault(Settings(database_url=f"sqlite:///{tmp_path / 'treaty.sqlite'}"))
    before = vault.encrypt("a secret")
    KeyFile(tmp_path / "treaty.key").add()
    assert vault.get_key_status(before) is KeyStatus.OLDER
    assert vault.decrypt(before) == "a secret"
    KeyFile(tmp_path / "treaty.key").keep_newest()
    assert vault.get_key_status(before) is KeyStatus.UNKNOWN


def test_a_key_file_that_is_temporarily_missing_is_not_created_again(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "treaty.key")
    keys = file.keys()
    file.path.unlink()
    assert file.keys() == keys
    assert not file.path.exists()


def test_a_key_of_several_lines_is_one_key(tmp_path: Path) -> None:
    (tmp_path / "treaty.key").write_text("one\ntwo\n")
    file = KeyFile(tmp_path / "treaty.key")
    assert file.keys() == ("one\ntwo",)
    file.add()
    assert file.keys()[1:] == ("one\ntwo",)


def test_a_changed_key_file_keeps_its_permissions(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "treaty.key")
    file.keys()
    file.path.chmod(0o640)
    file.add()
    assert file.path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [file.path]


def test_an_empty_key_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "treaty.key").write_text("\n")
    with pytest.raises(InvalidSetting, match="is empty"):
        KeyFile(tmp_path / "treaty.key").keys()
