import pytest

from dnetkit.errors import CommandError, CommandTimeout
from dnetkit.failures import failure
from dnetkit.model import CommandResult, Step


def failed(source, status=1, stderr="", stdout="", ended=""):
    return CommandResult("host1", (Step("true", 0), Step(source, status, stdout, stderr)), ended)


def test_a_good_result_is_no_failure():
    assert failure(CommandResult("host1", (Step("true", 0),)), 60) is None
    assert failure(CommandResult("host1"), 60) is None


def test_shows_the_line_its_status_and_what_it_said():
    error = failure(failed("docker network rm blue", 1, "Error: has active endpoints\n"), 60)
    assert type(error) is CommandError
    assert error.message == "host1: `docker network rm blue` failed with status 1.\n  Error: has active endpoints"
    assert error.result.steps[-1].status == 1


@pytest.mark.parametrize(
    ("stderr", "status", "hint"),
    [
        ("bash: line 3: dokcer: command not found\n", 127, "Did you mean docker?"),
        ("sh: pnig: not found\n", 127, "Did you mean ping?"),
        ("sh: frobnicate: not found\n", 127, "no frobnicate on this machine"),
        (
            'docker: Error response from daemon: Conflict. The container name "/web" is already in use by "12ab".',
            125,
            "docker rm -f web",
        ),
        ("Unable to find image 'redis:latest' locally\n", 125, "%lab open --images redis"),
        ("Error: No such image: nginx:1\n", 1, "%lab open --images nginx"),
        ("Bind for 0.0.0.0:8080 failed: port is already allocated.", 125, "docker ps"),
        ("Error response from daemon: No such container: wbe\n", 1, "docker ps -a"),
        ('Cannot find device "docker1"\n', 1, "ip link"),
        ("Error: network blue not found", 1, "docker network ls"),
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", 1, "%lab log host1"),
        ("failed to connect to the docker API at unix:///var/run/docker.sock; check", 1, "%lab log host1"),
        ("something that no one has seen before", 1, ""),
    ],
)
def test_hints(stderr, status, hint):
    error = failure(failed("x", status, stderr), 60)
    assert hint in error.hint
    assert bool(error.hint) == bool(hint)


def test_a_time_limit():
    error = failure(failed("ping 1.2.3.4", None, ended="timeout"), 5)
    assert isinstance(error, CommandTimeout)
    assert "`ping 1.2.3.4` was still running after 5 s" in error.message
    assert "--timeout" in error.hint


def test_of_a_traceback_it_says_where_in_the_program_and_what():
    frames = '  File "<stdin>", line 4, in <module>\n' + '  File "/lib/x.py", line 9, in f\n    raise error\n' * 30
    stderr = f"Traceback (most recent call last):\n{frames}NetlinkError: (17, 'File exists')\n"
    error = failure(failed("python3 -", 1, stderr), 60)
    assert error.message.split("\n")[1:] == [
        '  File "<stdin>", line 4, in <module>',
        "  NetlinkError: (17, 'File exists')",
    ]


def test_long_messages_are_cut():
    error = failure(failed("x", 1, "".join(f"line {n}\n" for n in range(1000))), 60)
    assert "line 19" in error.message
    assert "line 20\n" not in error.message
    assert "980 lines more" in error.message


def test_a_script_of_many_lines_shows_its_first():
    assert "`for i in 1 2 ...` failed" in failure(failed("for i in 1 2\ndo false\ndone"), 60).message
