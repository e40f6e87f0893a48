import pytest

from dnetkit import options
from dnetkit.errors import UsageError


def test_a_cell_has_a_minute_and_is_compared_unless_told_otherwise():
    asked = options.CELL.read("")
    assert (asked.name, asked.timeout, asked.expect_fail, asked.no_diff) == (None, 60.0, False, False)
    asked = options.CELL.read(" host2 --expect-fail --timeout 2.5 --no-diff ")
    assert (asked.name, asked.timeout, asked.expect_fail, asked.no_diff) == ("host2", 2.5, True, True)


def test_on_a_slow_machine_everything_may_take_longer(monkeypatch):
    monkeypatch.delenv("DNETKIT_PATIENCE", raising=False)
    assert options.patient(60.0) == 60.0
    monkeypatch.setenv("DNETKIT_PATIENCE", "2.5")
    assert options.patient(60.0) == 150.0
    for wrong in ("0", "-1", "nan", "much"):
        monkeypatch.setenv("DNETKIT_PATIENCE", wrong)
        with pytest.raises(UsageError, match="DNETKIT_PATIENCE"):
            options.patient(60.0)


def test_what_follows_a_number_sign_is_a_comment():
    assert options.CELL.read("--no-diff  # it changes nothing").no_diff


def test_the_client_takes_no_name_and_a_container_needs_one():
    with pytest.raises(UsageError, match="unrecognized arguments: web"):
        options.CLIENT.read("web")
    with pytest.raises(UsageError, match="NAME"):
        options.CONTAINER.read("--no-diff")


@pytest.mark.parametrize("wrong", ["0", "-1", "nan", "inf", "1e99", "soon"])
def test_a_time_limit_is_a_number_of_seconds_above_zero(wrong):
    with pytest.raises(UsageError, match="--timeout"):
        options.CELL.read(f"--timeout {wrong}")


def test_a_mistake_says_what_is_wrong_and_how_it_is_written():
    with pytest.raises(UsageError, match="unrecognized arguments: --expect-failure") as caught:
        options.CELL.read("--expect-failure")
    assert (
        caught.value.hint
        == "usage: %%host [--expect-fail] [--needs NEED,...] [--timeout SECONDS] [--no-diff] [--python] [NAME]"
    )


def test_python_runs_on_machines_and_not_in_containers():
    assert options.CELL.read("host2 --python").python
    assert options.CLIENT.read("--python").python
    with pytest.raises(UsageError, match="unrecognized arguments: --python"):
        options.CONTAINER.read("web --python")


def test_an_option_is_not_guessed_from_its_beginning():
    with pytest.raises(UsageError):
        options.CELL.read("--no")


def test_an_open_quotation_mark_is_a_mistake_too():
    with pytest.raises(UsageError, match="quotation"):
        options.CELL.read("'host1")


def test_the_lab_line():
    asked = options.LAB.read("open --hosts 2 --no-client --images busybox,redis, --engine 28.5.2 --sandbox root")
    assert (asked.action, asked.hosts, asked.no_client, asked.engine) == ("open", 2, True, "28.5.2")
    assert (asked.images, asked.sandbox) == (("busybox", "redis"), "root")
    assert options.LAB.read("").action == "status"
    assert options.LAB.read("log host1 --lines 500").lines == 500


def test_the_line_about_an_engine():
    asked = options.ENGINE.read("restart host2 --expect-fail --no-diff")
    assert (asked.action, asked.name, asked.expect_fail, asked.no_diff) == ("restart", "host2", True, True)
    asked = options.ENGINE.read("stop")
    assert (asked.name, asked.expect_fail, asked.no_diff) == (None, False, False)


@pytest.mark.parametrize("wrong", ["", "reload", "restart host1 host2"])
def test_the_line_about_an_engine_with_mistakes(wrong):
    with pytest.raises(UsageError, match=r"^%lab engine: "):
        options.ENGINE.read(wrong)


@pytest.mark.parametrize(
    "wrong", ["begin", "open --hosts 0", "open --hosts 51", "open --hosts x", "open --sandbox uml"]
)
def test_the_lab_line_with_mistakes(wrong):
    with pytest.raises(UsageError, match=r"^%lab: "):
        options.LAB.read(wrong)
