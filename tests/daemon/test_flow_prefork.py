"""Children of prefork have one thread each: what is idle must be found by all of them."""
import pytest

import test_flow
from harness import Site

MODES = ("daemon",)
EVERY_MPM = True
MPMS = ("prefork",)
SITE = Site("""
    WSGIApplicationGroup %{GLOBAL}
    WSGIDaemonProcess pair processes=2 threads=1
    WSGIDaemonProcess threads processes=1 threads=2
    WSGIScriptAlias /pair {apps}/flow.wsgi process-group=pair application-group=%{GLOBAL}
    WSGIScriptAlias /threads {apps}/flow.wsgi process-group=threads application-group=%{GLOBAL}
""", children="""StartServers 9
ServerLimit 9
MaxRequestWorkers 9
MinSpareServers 1
MaxSpareServers 9""")


@pytest.mark.parametrize("pool", ["pair", "threads"])
def test_no_request_waits_behind_a_busy_one(server, pool, key):
    """Eight children and one more, which the busy request holds."""
    test_flow.test_no_request_waits_behind_a_busy_one(server, pool, key)
