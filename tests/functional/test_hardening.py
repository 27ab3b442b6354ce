"""What the shipped programs are built with, and what of libcoap meets the network."""

import pathlib
import platform
import re

import pytest
from processes import CLIENT, COLLECTOR, run

pytestmark = pytest.mark.release_only

PROGRAMS = [COLLECTOR, CLIENT]
FUNCTIONS_MIN = 100  # of those that are jumped to by address, the programs have some times as many


def readelf(program, *what):
    done = run("readelf", "--wide", *what, program)
    assert done.returncode == 0, done.stderr
    return done.stdout


def imported(program):
    """The names of what it takes from shared libraries."""
    return re.findall(r" UND ([^\s@]+)", readelf(program, "--dyn-syms"))


@pytest.fixture(params=PROGRAMS, ids=["collector", "client"])
def program(request):
    cache = pathlib.Path(request.param).parents[1] / "CMakeCache.txt"
    if cache.exists() and "CMAKE_BUILD_TYPE:STRING=Debug" in cache.read_text():
        pytest.skip("a debug build is not shipped")
    return request.param


def test_its_place_in_memory_is_random(program):
    assert "DYN" in re.search(r"Type: *(.*)", readelf(program, "-h"))[1]
    assert "PIE" in readelf(program, "-d")


def test_nothing_is_written_and_executed(program):
    headers = readelf(program, "-l")
    assert "GNU_RELRO" in headers
    assert "NOW" in re.search(r"\(FLAGS_1\) *Flags: (.*)", readelf(program, "-d"))[1]
    assert re.search(r"GNU_STACK.* RW +0x", headers)
    assert not re.search(r"LOAD .* RWE ", headers)


def test_no_directory_of_the_build_is_searched_for_libraries(program):
    assert not re.search(r"R(UN)?PATH", readelf(program, "-d"))


def test_writes_beyond_a_buffer_are_noticed(program):
    names = imported(program)
    assert "__stack_chk_fail" in names
    assert [name for name in names if re.fullmatch(r"__(?!stack)\w+_chk", name)]


def test_jumps_arrive_where_they_may(program):
    """The instruction at a function's start, and that which touches each page of a large stack."""
    code = pathlib.Path(program).read_bytes()
    if platform.machine() == "x86_64":
        assert code.count(bytes.fromhex("f30f1efa")) > FUNCTIONS_MIN  # endbr64
        assert bytes.fromhex("48830c2400") in code  # orq $0, (%rsp)
    elif platform.machine() == "aarch64":
        assert code.count(bytes.fromhex("3f2303d5")) > FUNCTIONS_MIN  # paciasp
    else:
        pytest.skip("no such instruction is known here")


@pytest.mark.parametrize("call", ["strcpy", "sprintf", "gets", "system", "popen", "mktemp"])
def test_nothing_unbounded_is_called(program, call):
    assert call not in imported(program)


def test_the_collector_uses_libcoaps_codec_only():
    """SECURITY.md says which of libcoap's known holes concern us, by what we call."""
    codec = {
        "coap_pdu_init", "coap_pdu_parse", "coap_delete_pdu", "coap_pdu_get_type",
        "coap_pdu_get_code", "coap_pdu_get_mid", "coap_pdu_get_token", "coap_get_data",
        "coap_option_iterator_init", "coap_option_next", "coap_opt_length", "coap_opt_value",
        "coap_opt_encode", "coap_decode_var_bytes", "coap_encode_var_safe", "coap_set_log_level",
    }
    used = {name for name in imported(COLLECTOR) if name.startswith("coap_")}
    assert used == codec
