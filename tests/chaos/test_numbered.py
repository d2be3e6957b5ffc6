"""The numbered client sees what it is to see: without that, the other tests prove nothing."""
import chaoskit as chaos
from numbered import NUMBERS, QUICK, Load, Result, ask, recorded

MODES = ("daemon",)
MPMS = ("event",)


def test_quiet(make_server):
    """Nothing happens: every request is answered, once, by one of two processes."""
    made = chaos.start(make_server, chaos.site())
    with Load(made) as load:
        pass
    result = load.result()
    chaos.nothing_lost(result)
    assert result.versions == {"1"} and 1 <= len(result.pids) <= 2


def test_failures_are_seen(make_server):
    """A process that ends: 502 and cuts, and who was to blame. Another answer is a wrong one."""
    made = chaos.start(make_server, chaos.site())
    made.allow_log(chaos.FAULT_LINES)
    made.allow_log(chaos.REQUEST_LINES)
    with Load(made, count=200, mix=QUICK) as load:
        outcome = load.send("&do=exit")
    result = load.result()
    assert outcome.problem == "status" and outcome.status == 502
    assert outcome in result.failed and result.seen[outcome.number].pid
    assert "exited with code 3" in made.expect_log("WGW0052")[0].message
    chaos.replace_script(made, chaos.source("1").replace("zlib.crc32(body)", "7"))
    chaos.kit.eventually(lambda: ask(made, next(NUMBERS)).problem == "wrong", "a wrong answer")


def test_seen_twice_and_never(make_server):
    """The same number sent twice counts; so does an answer without a record."""
    made = chaos.start(make_server, chaos.site())
    number = next(NUMBERS)
    outcomes = [ask(made, number), ask(made, number)]
    assert [one.problem for one in outcomes] == ["", ""]
    assert Result(outcomes, recorded(made)).twice == [number]
    assert Result(outcomes, []).unseen == outcomes


def test_hang_is_seen(make_server, monkeypatch):
    """A request that takes longer than the client's patience hangs."""
    monkeypatch.setattr("numbered.HANG_S", 0.3)
    made = chaos.start(make_server, chaos.site())
    assert ask(made, next(NUMBERS), ms=1500).problem == "hang"
