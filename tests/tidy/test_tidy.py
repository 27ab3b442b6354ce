"""The rules hold in this tree, and each notices a breach."""

import pytest
import tidy


@pytest.mark.parametrize("check", tidy.RULES, ids=lambda check: check.__name__)
def test_rule(check):
    found = tidy.breaches(check)
    if found:
        pytest.fail("\n".join(found), pytrace=False)


LONG_FUNCTION = "void F(int a,\n       int b) {\n" + "  G();\n" * 69 + "}\n"
JUST_SHORT_FUNCTION = "void F(int a,\n       int b) {\n" + "  G();\n" * 67 + "}\n"


@pytest.mark.parametrize("check, path, text, line", [
    (tidy.layers_point_downward, "event/a.h", '#include "collector/config.h"\n', 1),
    (tidy.layers_point_downward, "collector/base/a.h", '\n#include "event/event.h"\n', 2),
    (tidy.layers_point_downward, "collector/middleware/a.h", '#include "collector/coap/a.h"\n', 1),
    (tidy.layers_point_downward, "collector/handlers/a.h", '#include "collector/app.h"\n', 1),
    (tidy.layers_point_downward, "collector/store/store.h",
     '#include "collector/store/sqlite/a.h"\n', 1),
    (tidy.layers_point_downward, "client/a.cc", '#include "collector/config.h"\n', 1),
    (tidy.libraries_stay_in_their_place, "collector/app.cc", "#include <coap3/coap.h>\n", 1),
    (tidy.libraries_stay_in_their_place, "client/send.cc", "#include <curl/curl.h>\n", 1),
    (tidy.libraries_stay_in_their_place, "collector/store/store.h", "#include <sqlite3.h>\n", 1),
    (tidy.event_needs_little, "event/a.cc", "#include <spdlog/spdlog.h>\n", 1),
    (tidy.lines_are_short, "client/a.cc", "\n" + "x" * 101 + "\n", 2),
    (tidy.functions_are_short, "client/a.cc", "\n" + LONG_FUNCTION, 2),
    (tidy.nothing_is_left_for_later, "docs/a.md", "TO" "DO: more\n", 1),
    (tidy.headers_say_what_they_are, "client/a.h", "#pragma once\n", 1),
    (tidy.sources_are_built, "client/a.cc", "", 1),
    (tidy.text_is_clean, "client/a.cc", "int a; \n", 1),
])
def test_rule_notices(tmp_path, check, path, text, line):
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(text)
    (found,) = tidy.breaches(check, tmp_path)
    assert found.startswith(f"{path}:{line}: ")


@pytest.mark.parametrize("check, path, text", [
    (tidy.layers_point_downward, "collector/app.cc", '#include "collector/coap/a.h"\n'),
    (tidy.layers_point_downward, "client/a.cc", '#include "collector/base/result.h"\n'),
    (tidy.libraries_stay_in_their_place, "client/coap_client.cc", "#include <coap3/coap.h>\n"),
    (tidy.event_needs_little, "event/a.cc", "#include <openssl/evp.h>\n#include <string>\n"),
    (tidy.lines_are_short, "client/a.cc", "ü" * 100 + "\n"),
    (tidy.functions_are_short, "client/a.cc", JUST_SHORT_FUNCTION * 3),
])
def test_rule_lets_pass(tmp_path, check, path, text):
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert tidy.breaches(check, tmp_path) == []
