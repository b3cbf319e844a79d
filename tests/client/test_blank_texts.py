"""The web client and the server agree on which texts show nothing."""

import json
import subprocess

from schemas.field_types import VISIBLE
from tests.kit.javascript import WEB, require_node

PROGRAM = """
import { isBlank } from "./src/page/blank.js";
const all = Array.from({ length: 0x110000 }, (_, code) => code);
const isHalf = (code) => code >= 0xd800 && code <= 0xdfff;
const isOne = (code) => !isHalf(code) && isBlank(String.fromCodePoint(code));
console.log(JSON.stringify(all.filter(isOne)));
"""
HALVES = range(0xD800, 0xE000)


def test_client_and_server_call_the_same_signs_blank() -> None:
    """Nothing the page sends is refused as blank, nothing it keeps would be taken."""
    require_node()
    command = ["node", "--input-type=module", "--eval", PROGRAM]
    said = subprocess.run(command, cwd=WEB, check=True, capture_output=True).stdout
    blank = [code for code in range(0x110000) if not VISIBLE.search(chr(code))]
    assert json.loads(said) == [code for code in blank if code not in HALVES]
