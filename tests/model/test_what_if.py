"""The changes of a what-if question: which versions they end and add, and which of them are impossible."""

import pytest

from treaty.model.decisions.version_sets import LiveVersion
from treaty.model.decisions.what_if import Change, ChangeKind, Effect, ImpossibleChange, apply_changes

SHOP = LiveVersion("Shop", "1")
BLUE = LiveVersion("Shop", "2", "blue")
RELEASED = LiveVersion("Shop", "3", is_released=True)
OTHER = LiveVersion("Prices", "1")
LIVE = [SHOP, BLUE, RELEASED, OTHER]
PREVIOUS = {("Shop", ""): "0", ("Shop", "blue"): "1"}


def change(kind: ChangeKind, version: str | None = None, instance: str | None = None, name: str = "Shop") -> Change:
    return Change(kind=kind, pacticipant=name, version=version, application_instance=instance)


@pytest.mark.parametrize(
    ("changed", "removed", "added"),
    [
        (change(ChangeKind.DEPLOY, "9"), [SHOP], LiveVersion("Shop", "9")),
        (change(ChangeKind.DEPLOY, "9", ""), [SHOP], LiveVersion("Shop", "9", "")),
        (change(ChangeKind.DEPLOY, "9", "blue"), [BLUE], LiveVersion("Shop", "9", "blue")),
        (change(ChangeKind.DEPLOY, "9", "green"), [], LiveVersion("Shop", "9", "green")),
        (change(ChangeKind.DEPLOY, "9", name="Stock"), [], LiveVersion("Stock", "9")),
        (change(ChangeKind.RELEASE, "9"), [], LiveVersion("Shop", "9", is_released=True)),
        (change(ChangeKind.RELEASE, "3"), [RELEASED], RELEASED),
        (change(ChangeKind.ROLL_BACK), [SHOP], LiveVersion("Shop", "0")),
        (change(ChangeKind.ROLL_BACK, instance="blue"), [BLUE], LiveVersion("Shop", "1", "blue")),
        (change(ChangeKind.UNDEPLOY), [SHOP], None),
        (change(ChangeKind.UNDEPLOY, instance="blue"), [BLUE], None),
        (change(ChangeKind.END_SUPPORT, "3"), [RELEASED], None),
        (change(ChangeKind.RETIRE), [SHOP, BLUE, RELEASED], None),
        (change(ChangeKind.RETIRE, name="Prices"), [OTHER], None),
    ],
)
def test_a_change_ends_and_adds_versions(
    changed: Change, removed: list[LiveVersion], added: LiveVersion | None
) -> None:
    current, (effect,) = apply_changes(LIVE, [changed], PREVIOUS)
    assert current == [version for version in LIVE if version not in removed] + ([added] if added else [])
    assert list(effect.removed) == [version.number for version in removed]
    assert effect.added == (added.number if added else None)


@pytest.mark.parametrize(
    ("impossible", "reason"),
    [
        (change(ChangeKind.ROLL_BACK, name="Prices"), "no other version of 'Prices' was deployed there before"),
        (
            change(ChangeKind.ROLL_BACK, instance="green"),
            "no version of 'Shop' is deployed there in the application instance 'green'",
        ),
        (
            change(ChangeKind.UNDEPLOY, name="Stock"),
            "no version of 'Stock' is deployed there without an application instance",
        ),
        (change(ChangeKind.END_SUPPORT, "1"), "version '1' of 'Shop' is not released there, or no longer supported"),
        (change(ChangeKind.RETIRE, name="Stock"), "no version of 'Stock' is deployed or released there"),
    ],
)
def test_a_change_of_a_missing_version_is_impossible(impossible: Change, reason: str) -> None:
    with pytest.raises(ImpossibleChange) as refusal:
        apply_changes(LIVE, [change(ChangeKind.DEPLOY, "9"), impossible], PREVIOUS)
    assert (refusal.value.index, refusal.value.text) == (1, reason)


def test_changes_apply_one_after_the_other() -> None:
    changes = [change(ChangeKind.UNDEPLOY), change(ChangeKind.DEPLOY, "8"), change(ChangeKind.DEPLOY, "9")]
    current, effects = apply_changes([SHOP], changes, {})
    assert current == [LiveVersion("Shop", "9")]
    assert [(list(effect.removed), effect.added) for effect in effects] == [(["1"], None), ([], "8"), (["8"], "9")]


@pytest.mark.parametrize(
    ("effect", "sentence"),
    [
        (Effect(change(ChangeKind.DEPLOY, "9"), [], "9"), "Deploy Shop to 9 in test."),
        (Effect(change(ChangeKind.DEPLOY, "9"), ["1", "2"], "9"), "Deploy Shop to 9 in test, instead of 1 and 2."),
        (
            Effect(change(ChangeKind.ROLL_BACK, instance="blue"), ["2"], "1"),
            "Roll back Shop to 1 in test (blue), instead of 2.",
        ),
        (Effect(change(ChangeKind.UNDEPLOY, instance="blue"), ["2"]), "Undeploy Shop (2) from test (blue)."),
        (Effect(change(ChangeKind.RELEASE, "9"), [], "9"), "Release Shop (9) to test."),
        (Effect(change(ChangeKind.END_SUPPORT, "3"), ["3"]), "End the support of Shop (3) in test."),
        (Effect(change(ChangeKind.RETIRE), ["1", "3"]), "Retire Shop (1 and 3) from test."),
    ],
)
def test_an_effect_is_described_in_a_sentence(effect: Effect, sentence: str) -> None:
    assert effect.describe("test") == sentence
