#!/usr/bin/env python3
"""What Jinja makes of templates, as transformers renders chat templates with it (trim_blocks, lstrip_blocks, its own tojson):

  make_jinja_golden.py > tests/text/data/jinja_golden.json

A list of {template, variables, expected}, or {template, variables, error: true} where Jinja refuses it or its rendering. The chat
templates at hand can be added: make_jinja_golden.py FOLDER of .jinja files. Made with Jinja 3.1.6.
fathom has lists where Python has tuples, so that no tuple is printed.
"""

import json
import sys
from pathlib import Path

from jinja2.ext import loopcontrols
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi\nthere"}, {"role": "assistant", "content": " Hello "}, {"role": "user", "content": "Bye"}]
TOOLS = [{"role": "user", "content": "Weather?"}, {"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": {"name": "weather", "arguments": '{"city": "Bonn"}'}}]}, {"role": "tool", "content": "rain"}, {"role": "assistant", "content": "It rains."}]  # fmt: skip
DATA = {"a": 3, "b": "text", "none": None, "list": [1, 2, 3], "dict": {"x": 1, "y": "é\"\n<"}, "messages": CHAT, "words": ["b", "a", "c", "a"], "f": 1.5, "yes": True}

SNIPPETS = """
{{ a }}|{{ b }}|{{ none }}|{{ yes }}|{{ f }}|{{ missing }}|{{ list }}|{{ dict }}|{{ [] }}|{{ {} }}|{{ [b, none, yes, 'it\\'s'] }}
{{ 1 + 2 * 3 - 4 }}|{{ 7 // 2 }}|{{ -7 // 2 }}|{{ -7 % 3 }}|{{ 7 / 2 }}|{{ 2 ** 10 }}|{{ 1.5 + 1 }}|{{ 4 / 2 }}|{{ -a }}|{{ 10 ** 20 == 10.0 ** 20 }}
{{ 'a' ~ 1 ~ none }}|{{ 'x' + 'y' }}|{{ 'ab' * 2 if false else 'no' }}|{{ [1] + [2, 3] }}
{{ a == 3 }}|{{ a != 3 }}|{{ 1 < 2 < 3 }}|{{ 1 < 2 > 5 }}|{{ 'a' < 'b' }}|{{ a is defined and not missing is defined }}|{{ true == 1 }}|{{ 1 == 1.0 }}|{{ 'a' == none }}
{{ 2 in list }}|{{ 5 not in list }}|{{ 'ex' in b }}|{{ 'x' in dict }}|{{ not 2 in list }}
{{ list[0] }}|{{ list[-1] }}|{{ list[1:] }}|{{ list[::-1] }}|{{ b[1:3] }}|{{ b[-2:] }}|{{ dict.x }}|{{ dict['y'] }}|{{ list[9] }}|{{ messages[0].role }}|{{ list[:-1] }}
{{ '  x '|trim }}|{{ b|upper }}|{{ 'hELLO wORLD'|capitalize }}|{{ 'hello world'|title }}|{{ b|length }}|{{ list|length }}|{{ dict|length }}|{{ 'ä€😀'|length }}
{{ missing|default('d') }}|{{ ''|default('d') }}|{{ ''|default('d', true) }}|{{ none|d('x') }}|{{ list|join(', ') }}|{{ words|unique|join }}|{{ list|first }}|{{ list|last }}|{{ list|reverse|list }}
{{ dict|tojson }}|{{ list|tojson }}|{{ none|tojson }}|{{ yes|tojson }}|{{ 'a/b'|tojson }}|{{ f|tojson }}
{{ dict|tojson(indent=2) }}|{{ [list, {}, []]|tojson(indent=4) }}
{{ '12'|int + 1 }}|{{ 'x'|int }}|{{ 3.9|int }}|{{ a|string ~ 'z' }}|{{ '1.5'|float }}|{{ b|replace('t', 'T') }}|{{ b|replace('t', 'T', 1) }}
{{ messages|map(attribute='role')|join(',') }}|{{ messages|selectattr('role', 'equalto', 'user')|list|length }}|{{ messages|rejectattr('role', 'equalto', 'user')|map(attribute='content')|list }}|{{ words|map('upper')|list }}
{{ b.upper() }}|{{ ' x '.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'a,b,c'.split(',') }}|{{ 'a b  c '.split() }}|{{ 'a b  c '.split(none, 1) }}|{{ 'a,b,c'.split(',', 1)[1] }}|{{ 'abc'.startswith('ab') }}|{{ 'abc'.endswith(('x', 'c')) }}|{{ 'abc'.find('c') }}|{{ '-'.join(words) }}
{{ dict.items()|list|length }}|{{ dict.keys()|list }}|{{ dict.get('x') }}|{{ dict.get('q') }}|{{ dict.get('q', 5) }}|{% for k, v in dict|items %}{{ k }}={{ v }};{% endfor %}
{{ a is number }}|{{ b is string }}|{{ dict is mapping }}|{{ list is iterable }}|{{ none is none }}|{{ a is not none }}|{{ yes is true }}|{{ a is integer }}|{{ f is float }}|{{ b is sequence }}|{{ yes is boolean }}|{{ 4 is even }}|{{ a is odd }}|{{ a is eq(3) }}|{{ 2 is in(list) }}
{{ 'yes' if a > 2 else 'no' }}|{{ 'only' if a > 5 }}|{{ (1, 2)[0] }}|{{ 'a' 'b' }}|{{ "tab\\there\\x41\\u00e9\\q" }}
{% if a == 1 %}one{% elif a == 3 %}three{% else %}other{% endif %}|{% if missing %}x{% else %}y{% endif %}
{% for x in list %}{{ loop.index }}/{{ loop.length }}:{{ x }}{% if not loop.last %}, {% endif %}{% endfor %}|{% for x in [] %}x{% else %}empty{% endfor %}
{% for x in list if x != 2 %}{{ loop.index0 }}{{ x }}{{ loop.first }}{{ loop.previtem }}{{ loop.nextitem }};{% endfor %}
{% for x in range(3) %}{{ x }}{% endfor %}{% for x in range(5, 0, -2) %}{{ x }}{% endfor %}{% for x in range(2, 4) %}{{ x }}{% endfor %}{% for c in 'añ' %}[{{ c }}]{% endfor %}
{% for x in list %}{% if x == 2 %}{% continue %}{% endif %}{{ x }}{% if x == 3 %}{% break %}{% endif %}{% endfor %}
{% set x = 1 %}{% for y in list %}{% set x = y %}{{ x }}{% endfor %}{{ x }}|{% set ns = namespace(n=0) %}{% for y in list %}{% set ns.n = ns.n + y %}{% endfor %}{{ ns.n }}
{% set p, q = list[:2] %}{{ p }}-{{ q }}|{% set t %}in {{ a }}{% endset %}{{ t|upper }}
{% macro hi(name, mark='!') %}Hi {{ name }}{{ mark }}{% endmacro %}{{ hi('A') }}{{ hi('B', mark='?') }}{{ hi(name='C') }}
{% if a %}{% if b %}{{ a }}{% endif %}{% endif %}{# a comment #}|{{ '{{' }}|{{ '%}' }}|{{ {'a': {'b': 1}}['a']['b'] }}|{{ {'k': a}.k }}
{{ raise_exception('stop here') }}
{{ a.b.c }}
{{ 1 + 'x' }}
{{ 1 // 0 }}
{% if a %}never closed
{{ a
{% unknown %}
{{ b|nofilter }}
{{ nofunction() }}
{{ a is notest }}
{% endfor %}
{{ 'open }}
""".strip().splitlines()

BLOCKS = [
    "begin\n  {% if a %}\n  kept\n  {% endif %}\nend\n",
    "a  {%- if a -%}  b  {%- endif -%}  c",
    "x\n{%- for i in list %}\n{{ i }}\n{%- endfor %}\n\ny",
    "one {{- ' two ' -}} three",
    "   {# comment #}\nafter",
    "line\n    {%+ if a %}kept{% endif +%}\nend",
    "text {% if a %}inline{% endif %} more\n",
    "\n\n{{ a }}\n\n",
    "tail\n\n",
    "{% for m in messages %}\n{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}",
]


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])

    def raise_exception(message):
        raise TemplateError(message)

    env.filters["tojson"] = lambda x, indent=None: json.dumps(x, ensure_ascii=False, indent=indent)
    env.globals["raise_exception"] = raise_exception
    return env


def case(template, variables):
    made = {"template": template, "variables": variables}
    try:
        return {**made, "expected": environment().from_string(template).render(**variables)}
    except Exception as error:  # every kind of refusal
        print(f"refused: {template!r}: {error}", file=sys.stderr)
        return {**made, "error": True}


def chats(source):
    for messages in (CHAT, TOOLS):
        for prompt in (False, True):
            yield case(source, {"messages": messages, "add_generation_prompt": prompt, "bos_token": "<bos>", "eos_token": "<eos>"})


cases = [case(snippet, DATA) for snippet in [*SNIPPETS, *BLOCKS]]
for folder in sys.argv[1:]:
    for path in sorted(Path(folder).glob("*.jinja")):
        cases += chats(path.read_text())
json.dump(cases, sys.stdout, ensure_ascii=False, indent=1)
print()
