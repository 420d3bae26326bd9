# SPDX-License-Identifier: GPL-2.0-or-later
"""Real servers around the router; see lab.py for who is there."""

import asyncio
import inspect
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from lab import CLEAR, TRUSTED, Lab  # noqa: E402

TEST_SECONDS = 1800  # for one that hangs; what a test waits for has a time of its own
LOG_TAIL = 12000


async def _run(function, arguments, lab):
    """A test that hangs must fail by itself, and leave no connection behind."""
    try:
        await asyncio.wait_for(function(**arguments), TEST_SECONDS)
    finally:
        if lab is not None:
            await lab.leave()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Runs `async def` tests; Debian's pytest alone cannot."""
    function = pyfuncitem.obj
    if not inspect.iscoroutinefunction(function):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    asyncio.run(_run(function, arguments, pyfuncitem.funcargs.get("lab")))
    return True


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failure shows what each server wrote."""
    report = (yield).get_result()
    lab = getattr(item, "funcargs", {}).get("lab")
    if report.failed and lab is not None:
        for server in lab.servers:
            report.sections.append((server.name, server.output()[-LOG_TAIL:]))


@pytest.fixture
def security():
    """Modules whose tests want TLS say so by @pytest.mark.parametrize; see lab.py."""
    return CLEAR


@pytest.fixture
def lab(tmp_path, security):
    """Only the resolver runs; everything is of this test alone."""
    with Lab(tmp_path, security) as lab:
        lab.start_unbound()
        yield lab


@pytest.fixture
def router(lab):
    """It must have survived the test, and leave in order."""
    router = lab.start_router()
    yield router
    router.stop()
    assert router.process.returncode == 0


@pytest.fixture
def prosody(lab):
    return lab.start_remote("prosody")


@pytest.fixture
def ejabberd(lab):
    return lab.start_remote("ejabberd")


@pytest.fixture
def jabberd2(lab):
    return lab.start_remote("jabberd2")


@pytest.fixture(params=["prosody", "ejabberd", "jabberd2"])
def remote(lab, request):
    return lab.start_remote(request.param)


@pytest.fixture(params=["prosody", "ejabberd", "jabberd2"])
def receiver(lab, request, security):
    """For what the router sends. jabberd2 never proves itself by its certificate: one that does is
    not asked about its keys, and then it does not get well from an error (docs/interop.md)."""
    weak = security == TRUSTED and request.param == "jabberd2"
    return lab.start_remote(request.param, {"self_signed": True} if weak else None)
