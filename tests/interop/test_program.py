# SPDX-License-Identifier: GPL-2.0-or-later
"""What the program itself says when it is asked or cannot start: text and exit status."""

import ctypes
import errno
import os
import platform
import socket
import struct
import subprocess

import pytest

from servers import PATIENCE, Router

OK, USAGE, UNAVAILABLE, CONFIG = 0, 64, 69, 78
SYS_IO_URING_SETUP = 425
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
SECCOMP_RET_ERRNO, SECCOMP_RET_ALLOW = 0x00050000, 0x7FFF0000


def _filter_out_io_uring():
    """Runs in the child: io_uring_setup() answers EPERM, as in many containers."""
    code = [
        (0x20, 0, 0, 0),  # load the number of the system call
        (0x15, 0, 1, SYS_IO_URING_SETUP),
        (0x06, 0, 0, SECCOMP_RET_ERRNO | errno.EPERM),
        (0x06, 0, 0, SECCOMP_RET_ALLOW),
    ]
    program = b"".join(struct.pack("HBBI", *line) for line in code)
    buffer = ctypes.create_string_buffer(program)
    header = struct.pack("HxxxxxxQ", len(code), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0) == 0


def run(*arguments, **more):
    """The program, to its end."""
    return subprocess.run([Router._binary(), *map(str, arguments)], capture_output=True,
                          text=True, timeout=PATIENCE, check=False, **more)


@pytest.fixture
def files(tmp_path):
    """A registry, a secret and free addresses: all that a start needs."""
    secret = tmp_path / "gw.secret"
    secret.write_text("a component's secret\n")
    secret.chmod(0o600)
    routes = tmp_path / "routes"
    routes.write_text("backend gw component secret-file=gw.secret\nshop.hosted.test gw\n")
    return tmp_path, ["--routes", routes, "--tls", "off", "--listen", "127.0.0.1:0"]


def test_help_and_version():
    """Both are answers, not errors."""
    assert run("--help").returncode == OK
    assert "--component-listen" in run("--help").stdout
    assert run("--version").stdout.startswith("sluice ")


@pytest.mark.parametrize("flags, words", [
    (["--nonsense"], "--nonsense"),
    (["--tls", "off"], "--routes"),
    (["--routes", "x", "--tls", "required"], "--tls"),
    (["--routes", "x", "--tls", "off", "--listen", "here"], "--listen"),
    (["--routes", "x", "--tls", "off", "--workers", "99"], "--workers"),
])
def test_bad_flag(flags, words):
    """Exit 64, and the message names the flag."""
    result = run(*flags)
    assert result.returncode == USAGE
    assert words in result.stderr


def test_check_passes(files):
    """--check says that it would run."""
    _, flags = files
    result = run("--check", *flags)
    assert result.returncode == OK, result.stdout + result.stderr
    assert "io_uring" in result.stdout


@pytest.mark.parametrize("spoil, words", [
    (lambda folder: (folder / "gw.secret").chmod(0o644), "chmod 600"),
    (lambda folder: (folder / "routes").write_text("shop.hosted.test nobody\n"), "routes:1"),
    (lambda folder: (folder / "routes").unlink(), "routes"),
])
@pytest.mark.parametrize("check", [[], ["--check"]])
def test_bad_file(files, spoil, words, check):
    """Exit 78 and the file's name, with --check and without."""
    folder, flags = files
    spoil(folder)
    result = run(*check, *flags)
    assert result.returncode == CONFIG
    assert words in result.stdout + result.stderr


def test_port_in_use(files):
    """The message names the address and the flag."""
    _, flags = files
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        result = run(*flags, "--component-listen", address)
    assert result.returncode == UNAVAILABLE
    assert address in result.stderr and "--component-listen" in result.stderr


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the filter knows one architecture")
@pytest.mark.parametrize("check", [[], ["--check"]])
def test_io_uring_refused(files, check):
    """Exit 78 with cause and remedy: an operator in a container must not have to guess."""
    _, flags = files
    result = run(*check, *flags, preexec_fn=_filter_out_io_uring)
    said = result.stdout + result.stderr
    assert result.returncode == CONFIG, said
    assert "io_uring" in said and "seccomp" in said
    assert os.strerror(errno.EPERM) in said
