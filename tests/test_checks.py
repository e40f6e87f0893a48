from functools import cache

import pytest
from fake_lab import FakeLab, snapshot

from dnetkit import checks
from dnetkit.checks import CheckResult, evaluate, settled
from dnetkit.errors import UsageError

S = snapshot()


def test_the_learners_variables_can_be_used():
    assert evaluate("link_exists(place, f'{name}0')", S, variables={"place": "host1", "name": "docker"})


def test_a_variable_does_not_hide_a_check():
    assert evaluate('link_exists("host1", "docker0")', S, variables={"link_exists": 3})


def test_and_joins_claims():
    good, bad = 'link_exists("host1", "docker0")', 'link_exists("host1", "docker9")'
    assert evaluate(f"{good} and {good}", S)
    assert not evaluate(f"{good} and {bad}", S)


@pytest.mark.parametrize(
    ("expression", "times"),
    [
        ('link_exists("host1", "docker0") and equal(index_of("host1", "docker0"), index_of("host1", "docker0"))', 1),
        ('reaches("host1", "192.0.2.1")', 0),
    ],
)
def test_a_snapshot_is_taken_once_and_only_for_what_looks_at_it(expression, times):
    taken = []

    def take():
        taken.append(S)
        return S

    evaluate(expression, cache(take), FakeLab())
    assert len(taken) == times


@pytest.mark.parametrize(
    "expression", ["True", "1 + 1", '"docker0"', 'not link_exists("host1", "docker0")', "None", 'gateway_of("web")']
)
def test_what_is_not_a_claim_is_an_error(expression):
    with pytest.raises(UsageError, match="not a check"):
        evaluate(expression, S)


def test_an_unknown_name_lists_the_checks():
    with pytest.raises(UsageError) as caught:
        evaluate('link_exist("host1", "docker0")', S)
    assert "Did you mean link_exists?" in caught.value.message
    assert all(name in caught.value.hint for name in checks.names())


def test_wrong_arguments_show_the_right_form():
    with pytest.raises(UsageError) as caught:
        evaluate('pair("web")', S)
    assert "pair(where" in caught.value.hint
    assert "snapshot" not in caught.value.hint


@pytest.mark.parametrize("expression", ["pair(", "x = 1", "a b", ""])
def test_what_is_not_an_expression_is_an_error(expression):
    with pytest.raises(UsageError):
        evaluate(expression, S)


def test_a_result_shows_itself_escaped_in_both_forms():
    result = CheckResult(False, "<b>", "<script>", "do & dare")
    bundle = result._repr_mimebundle_()
    assert bundle["text/plain"] == "FAILED: <b>\n  seen: <script>\n  hint: do & dare"
    body = bundle["text/html"].split("</style>")[-1]
    assert "&lt;b&gt;" in body
    assert "<script>" not in body
    assert "do &amp; dare" in body
    passed = CheckResult(True, "x", "y", "hint")._repr_mimebundle_()
    assert "passed" in passed["text/html"]
    assert "hint" not in passed["text/plain"]


def test_a_trial_needs_a_lab():
    with pytest.raises(UsageError, match="no lab"):
        evaluate('reaches("web", "172.17.0.1")', S)
    lab = FakeLab()
    assert evaluate('reaches("web", "172.17.0.1")', S, lab)
    assert not evaluate('reaches("nobody", "172.17.0.1")', S, lab)


def test_settled_tries_again_until_it_holds_or_time_is_up():
    lab, seen = FakeLab(), []
    answers = iter([False, False, True])
    assert settled(lab, lambda look: seen.append(look()) or next(answers), 30) is True
    assert seen == [lab.state] * 3
    assert (lab.looks, lab.snapshots) == (1, 3), "what did not hold a moment ago is looked at anew"
    assert settled(lab, lambda look: look() and None, 0) is None
    assert (lab.looks, lab.snapshots) == (1, 4), "without patience there is one look, at what is now"
