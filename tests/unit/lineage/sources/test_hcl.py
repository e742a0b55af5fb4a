"""HCL expressions, form by form, and what a hostile file cannot do."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.errors import InputError
from groundswell.lineage.sources import hcl
from groundswell.lineage.sources.hcl_functions import FUNCTIONS, KNOWN_ONLY, call
from groundswell.lineage.sources.hcl_values import HclError, to_text

NAMES = {
    "s": "text",
    "n": 3,
    "f": 1.5,
    "t": True,
    "z": None,
    "l": ["a", "b"],
    "o": {"k": "v", "n": [{"x": 1}, {"x": 2}]},
}


def value_of(expression: str) -> Any:
    def variable(name: str) -> Any:
        if name not in NAMES:
            raise HclError(f"there is no variable {name}")
        return NAMES[name]

    body = hcl.parse(f"x = {expression}\n")
    scope = hcl.Scope(variable, lambda name: call(name, FUNCTIONS[name]))
    return hcl.Evaluator().value(hcl.attributes(body)["x"], scope)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3 - 4", 3),
        ("(1 + 2) * 3", 9),
        ("7 / 2", 3.5),
        ("6 / 2", 3),
        ("-7 % 3", -1),
        ("2.0", 2),
        ("1e2", 100),
        ("-n", -3),
        ("!t", False),
        ('"1" + 1', 2),
        ("1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3", True),
        ("false || t", True),
        ('1 == "1"', False),
        ("true == 1", False),
        ("[1, {a = 2}] == [1, {a = 2}]", True),
        ("z == null", True),
        ('s != "text"', False),
        ("t ? 1 : missing", 1),
        ("f > 1 ? s : n", "text"),
        ('"${n}"', 3),
        ('"a${n}b"', "a3b"),
        ('"${f}-${t}"', "1.5-true"),
        ('"$${n} %%{x} $ % {"', "${n} %{x} $ % {"),
        (r'"a\tb\"\\\u00e9"', 'a\tb"\\é'),
        ('"${"${"deep"}"}!"', "deep!"),
        ('"%{ if t }yes%{ else }no%{ endif }"', "yes"),
        ('"%{ if !t }yes%{ endif }."', "."),
        ('"%{ for i, x in l }${i}${x} %{ endfor }"', "0a 1b "),
        ('"%{ for x in l }%{ if x == "a" }[${x}]%{ else }${x}%{ endif }%{ endfor }"', "[a]b"),
        ('"a %{~ if t ~} b %{~ endif ~} c"', "abc"),
        ("[1, [2], []]", [1, [2], []]),
        ('{a = 1, "b": 2, (s) = 3, 4 = 5, "${s}x" = 6}', {"a": 1, "b": 2, "text": 3, "4": 5, "textx": 6}),
        ("{in = 1, for = 2, null = 3, true = 4}", {"in": 1, "for": 2, "null": 3, "true": 4}),
        ("l[1]", "b"),
        ("l.1", "b"),
        ('o["k"]', "v"),
        ("o.k", "v"),
        ("o.n[*].x", [1, 2]),
        ("o.n.*.x", [1, 2]),
        ("[for x in l : upper(x)]", ["A", "B"]),
        ('[for i, x in l : "${i}${x}" if i > 0]', ["1b"]),
        ("[for k, v in o : k]", ["k", "n"]),
        ("{for x in l : x => length(l)}", {"a": 2, "b": 2}),
        ('{for x in ["a", "b", "a"] : x => 1...}', {"a": [1, 1], "b": [1]}),
        ("max([1, 5, 2]...)", 5),
        ("try(missing, o.nothing, 7)", 7),
        ("can(missing)", False),
        ("can(s)", True),
        ("<<E\none ${n}\n  two $${x}\nE", "one 3\n  two ${x}\n"),
        ("<<-E\n    one\n      two\n    E", "one\n  two\n"),
        ("<<E\nE", ""),
        ('<<E\n"quoted" \\n ${join("-", ["x", "}"])}\n%{ if t }in%{ endif }\nE', '"quoted" \\n x-}\nin\n'),
        ("[\n  1, # one\n  2, // two\n  /* three */ 3,\n]", [1, 2, 3]),
        ("t &&\n  t\n  ? 1\n  : 2", 1),
    ],
)
def test_expressions(expression: str, value: object) -> None:
    found = value_of(expression)
    assert json.dumps(found, sort_keys=True) == json.dumps(value, sort_keys=True)


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("missing", "line 1: there is no variable missing"),
        ("1 / 0", "a division by zero"),
        ("1 % 0", "a division by zero"),
        ('"a" + 1', "'a' is not a number"),
        ("!s", "text is not true or false"),
        ("s.x", "text has nothing inside"),
        ("l[2]", "the list has no item 2"),
        ("o.nope", "there is nothing called 'nope' in it"),
        ('"${l}x"', "a list is not text"),
        ('"${z}x"', "null is not text"),
        ("[for x in s : x]", "only a list or an object can be gone through"),
        ('{for x in ["a", "a"] : x => 1}', "two items have the key 'a'"),
        ("try(missing)", "none of its expressions can be computed"),
        ("max(s...)", "only a list can be spread"),
        ('"%{ if t }a"', "has no end"),
        ('"a%{ endif }"', "without its beginning"),
        ("<<E\n${\nE", "a template has no closing brace"),
        (r'"\uZZZZ"', "needs 4 hexadecimal digits"),
        ("9" * 200, "a number has more than 512 bits"),
        ('"1e999" + 1', "the number is not finite"),
        ('"\n\n${missing}"', "missing"),
    ],
)
def test_what_cannot_be_computed_says_so(expression: str, says: str) -> None:
    with pytest.raises(HclError) as caught:
        value_of(expression)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["x = ", "x = {", 'x = "', "{", "x = <<E\nno end", "a b c", "\x00"])
def test_what_is_no_hcl_names_its_line(text: str) -> None:
    with pytest.raises(InputError, match="not valid HCL"):
        hcl.parse(text)


@pytest.mark.parametrize(
    "expression",
    [
        # Doubling, and doubling again.
        'join("", [for i in range(2) : ' * 60 + '"x"' + "])" * 60,
        "[for i in range(1000) : " * 4 + "i" + "]" * 4,
        "concat(l, " * 3 + "[for i in range(1000) : [for j in range(1000) : s]]" + ")" * 3,
        'format("%999s%999s%999s", "a", "b", replace(join("x", range(1000)), "x", join("y", range(1000))))',
        'join(join("-", range(1024)), range(1024))',
        'replace(join("a", range(1024)), "a", join("b", range(1024)))',
        'regex("(a+)+$", "' + "a" * 3000 + 'b")',
        'regex_replace(join("", range(1024)), "", join("", range(1024)))',
        "setproduct(range(100), range(100), range(100))",
        'formatlist("%999s", range(1024))',
        'indent(1000, join("\\n", range(1024)))',
        "pow(10, 400)",
        'parseint("' + "9" * 300 + '", 10)',
        "(" * 3000 + "1" + ")" * 3000,
        "[" * 500 + "]" * 500,
    ],
)
def test_a_hostile_expression_is_refused_soon(expression: str) -> None:
    with pytest.raises((HclError, InputError)) as caught:
        value_of(expression)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("absolute(-2)", 2),
        ("add(1, 2)", 3),
        ("and(true, false)", False),
        ('base64decode(base64encode("é"))', "é"),
        (
            '[basename("a/b"), basename("a/"), basename(""), dirname("a/b"), dirname("a")]',
            ["b", "a", ".", "a", "."],
        ),
        ('byteslen("é")', 2),
        ("[ceil(1.2), floor(1.8), int(-1.8)]", [2, 1, -1]),
        ('chomp("a\\n\\n")', "a"),
        ("chunklist([1, 2, 3], 2)", [[1, 2], [3]]),
        ("coalesce(null, 1)", 1),
        ("coalescelist([], [1])", [1]),
        ('compact(["a", "", "b"])', ["a", "b"]),
        ("concat([1], [2, 3])", [1, 2, 3]),
        ('contains(l, "a")', True),
        ("distinct([1, 2, 1])", [1, 2]),
        ("divide(1, 2)", 0.5),
        ("element(l, 3)", "b"),
        ('equal("a", "a")', True),
        ("flatten([1, [2, [3]]])", [1, 2, 3]),
        (
            'format("%s-%03d-%v-%q-%t-%.2f-%x-%%-%-3s|%5s", "a", 7, [1], "q", true, 1.5, 255, "l", "r")',
            'a-007-[1]-"q"-true-1.50-ff-%-l  |    r',
        ),
        ('formatlist("%s:%s", l, "x")', ["a:x", "b:x"]),
        (
            "[greaterthan(2, 1), greaterthanorequalto(1, 1), lessthan(2, 1), lessthanorequalto(1, 1)]",
            [True, True, False, True],
        ),
        ('[hasindex(l, 1), hasindex(l, 2), hasindex(o, "k")]', [True, False, True]),
        ('indent(2, "a\\nb")', "a\n  b"),
        ("index(l, 0)", "a"),
        ('indexof(l, "b")', 1),
        ('join("-", l, ["c"])', "a-b-c"),
        ('jsondecode("{\\"a\\": [1]}")', {"a": [1]}),
        ("jsonencode({a = [1, null]})", '{"a":[1,null]}'),
        ("keys({b = 1, a = 2})", ["a", "b"]),
        ("[length(l), length(o)]", [2, 2]),
        ("log(8, 2)", 3),
        ('[lookup(o, "k"), lookup(o, "x", 1)]', ["v", 1]),
        ('[lower("A"), upper("a"), title("ab cd")]', ["a", "A", "Ab Cd"]),
        ("[max(1, 2), min(1, 2)]", [2, 1]),
        ('md5("a")', "0cc175b9c0f1b6a831c399e269772661"),
        ("merge({a = 1}, {a = 2, b = 3}, null)", {"a": 2, "b": 3}),
        ("[modulo(7, 3), multiply(2, 3), negate(1), subtract(3, 1)]", [1, 6, -1, 2]),
        ("[not(true), notequal(1, 2), or(true, false)]", [False, True, True]),
        ('parseint("ff", 16)', 255),
        ("pow(2, 10)", 1024),
        ("[range(3), range(1, 3), range(3, 0), range(0, 10, 5)]", [[0, 1, 2], [1, 2], [3, 2, 1], [0, 5]]),
        ('regex("v([0-9]+)\\\\.([0-9]+)", "v1.22")', ["1", "22"]),
        ('regex("[a-z]+", "12ab")', "ab"),
        ('regex("(?P<major>[0-9]+)", "v1")', {"major": "1"}),
        ('regexall("[0-9]", "a1b2")', ["1", "2"]),
        ('regex_replace("a1b2", "([a-z])([0-9])", "$${2}$1$$")', "1a$2b$"),
        ('replace("a.b.c", ".", "-")', "a-b-c"),
        ('[reverse("abc"), reverselist([1, 2])]', ["cba", [2, 1]]),
        ('sanitize("a/b:c_d-e")', "a_b_c_d-e"),
        ("setintersection([1, 2], [2, 3])", [2]),
        ("setproduct([1, 2], [3])", [[1, 3], [2, 3]]),
        ("setsubtract([1, 2], [2])", [1]),
        ("setunion([1], [1, 2])", [1, 2]),
        ('sha1("a")', "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
        ('length([sha256("a"), sha512("a")])', 2),
        ("signum(-3)", -1),
        ("slice([1, 2, 3], 1, 3)", [2, 3]),
        ('sort(["b", "a"])', ["a", "b"]),
        ('[split(",", "a,b"), split("", "ab")]', [["a", "b"], ["a", "b"]]),
        ('strlen("é")', 1),
        ('[substr("hello", 1, 3), substr("hello", -2, -1)]', ["ell", "lo"]),
        (
            '[trim("xax", "x"), trimprefix("vv1", "v"), trimsuffix("a.x", ".x"), trimspace(" a ")]',
            ["a", "v1", "a", "a"],
        ),
        ('urlencode("a b/c")', "a+b%2Fc"),
        ("values({b = 1, a = 2})", [2, 1]),
        ('zipmap(["a"], [1])', {"a": 1}),
        ("ceil(2)", 2),
        ("floor(-0.5)", -1),
    ],
)
def test_functions(expression: str, value: object) -> None:
    found = value_of(expression)
    assert json.dumps(found, sort_keys=True) == json.dumps(value, sort_keys=True)


def test_every_function_is_tested_and_none_is_both_offered_and_not() -> None:
    assert not FUNCTIONS.keys() & KNOWN_ONLY
    tested = " ".join(str(mark.args[1]) for mark in test_functions.pytestmark)  # type: ignore[attr-defined]
    assert [name for name in FUNCTIONS if f"{name}(" not in tested] == []


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("upper()", "upper(): wrong arguments"),
        ("upper(l)", "upper(): a list is not text"),
        ("element([], 0)", "element(): wrong arguments"),
        ("slice([1], 0, 5)", "slice(): the ends lie outside"),
        ("coalesce(null)", "coalesce(): every argument is null"),
        ('indexof(l, "x")', "indexof(): item not found"),
        ('regex("(", "a")', "regex(): the pattern is not valid"),
        ('regex("x", "a")', "regex(): the pattern does not match"),
        ('format("%s")', "format(): there is no value for %s"),
        ('format("a", 1)', "format(): more values than the format names"),
        ('format("%y", 1)', "format(): %y is not known here"),
        ('base64decode("?")', "base64decode(): wrong arguments"),
        ('jsondecode("{")', "jsondecode(): wrong arguments"),
        ("range(5000)", "range(): more than 1,024 numbers"),
        ("zipmap([1], [])", "zipmap(): as many keys as values"),
        ("substr(s, f, 1)", "substr(): 1.5 is not whole"),
    ],
)
def test_wrong_arguments_name_the_function(expression: str, says: str) -> None:
    with pytest.raises(HclError) as caught:
        value_of(expression)
    assert says in str(caught.value)


@given(st.text(max_size=60))
def test_a_text_written_as_json_is_itself(text: str) -> None:
    # The library knows an escaped `${` only with its end; templates have tests of their own.
    if any(mark in text for mark in ("${", "%{")) or any(
        ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in text
    ):
        return
    assert value_of(json.dumps(text, ensure_ascii=False).replace("\\/", "/")) == text


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15))
def test_a_number_as_text_is_the_number(number: float) -> None:
    text = to_text(number)
    assert "e" not in text
    assert float(text) == pytest.approx(number, abs=1e-19)


@given(st.text(alphabet='x=1 {}[]()"$%\n.,:?fori', max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with contextlib.suppress(InputError):
        hcl.parse(text)
