// Templates against Jinja itself (tools/make_jinja_golden.py), and what only fathom's rendering has: bounds,
// errors that name the line, and which bytes came from the data.
#include "text/jinja.h"

#include <gmock/gmock.h>

#include "io/file.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace fathom::jinja {
namespace {

using ::testing::HasSubstr;

std::string rendered(std::string_view source, const Json& variables = Json::object(),
                     const Limits& limits = {}) {
  Dict dict;
  for (const auto& [key, value] : variables.items()) dict.emplace_back(key, Value::from_json(value));
  return Template(source, "t").render(std::move(dict), limits).bytes;
}
std::string error(std::string_view source, const Limits& limits = {}) {
  return error_of([&] { rendered(source, {{"a", 1}, {"b", "text"}, {"d", {{"x", 1}}}}, limits); });
}

TEST(Jinja, GivesWhatJinjaGives) {
  const std::string file = testing::source_dir() + "/tests/text/data/jinja_golden.json";
  const OrderedJson cases = OrderedJson::parse(read_file(file));
  EXPECT_GT(cases.size(), 40u);
  for (const OrderedJson& c : cases) {
    const auto source = c["template"].get<std::string>();
    Dict variables;
    for (const auto& [key, value] : c["variables"].items())
      variables.emplace_back(key, Value::from_json(value));
    std::string got;
    const std::string refused = error_of([&] { got = Template(source, "t").render(variables).bytes; });
    if (c.contains("error"))
      EXPECT_NE(refused, "") << source;
    else
      EXPECT_EQ(refused + got, c["expected"].get<std::string>()) << source;
  }
}

TEST(Jinja, ErrorsNameLineAndConstruct) {
  EXPECT_EQ(error("{% if a %}\n\n{{ b|shout }}\n{% endif %}"),
            "t, line 3: the filter 'shout' is not supported");
  EXPECT_EQ(error("\n{% include 'x' %}"), "t, line 2: the statement 'include' is not supported");
  EXPECT_EQ(error("{{ b.encode() }}"), "t, line 1: the method 'encode' of a text is not supported");
  EXPECT_EQ(error("{{ a is prime }}"), "t, line 1: the test 'prime' is not supported");
  EXPECT_EQ(error("\n\n{{ url_for(a) }}"), "t, line 3: the function 'url_for' is not supported");
  EXPECT_EQ(error("{{ a + b }}"), "t, line 1: '+' cannot be applied to an integer and a text");
  EXPECT_EQ(error("{{ nothing.x }}"), "t, line 1: what 'x' is asked of is undefined");
  EXPECT_EQ(error("{{ raise_exception('roles must alternate') }}"), "t, line 1: roles must alternate");
  EXPECT_EQ(error("{% for x in d %}{{ x }}"), "t, line 1: expected 'endfor', not 'end of the template'");
  EXPECT_EQ(error("{{ a"), "t, line 1: the tag has no end: expected }}");
  EXPECT_EQ(error("{{ 'a }}"), "t, line 1: the text has no closing '");
  EXPECT_EQ(error("{% set a.b = 1 %}"), "t, line 1: 'a' is no namespace");
  EXPECT_EQ(error("{{ 9223372036854775807 + 1 }}"), "t, line 1: 9223372036854775807 + 1 is too large");
}

TEST(Jinja, StrictlyNothingUndefinedIsWritten) {
  const Limits strict{.strict = true};
  EXPECT_THAT(error("a\n{{ c }}", strict), HasSubstr("line 2: 'c' is undefined"));
  EXPECT_THAT(error("{{ c | trim }}", strict), HasSubstr("'c' is undefined"));
  EXPECT_THAT(error("{{ d.y }}", strict), HasSubstr("'y' is undefined"));
  EXPECT_THAT(error("{{ 'x' ~ c }}", strict), HasSubstr("'c' is undefined"));
  EXPECT_EQ(
      error("{{ c | default(1) }}{{ c is defined }}{{ a if c is undefined else c }}{% if c %}{% endif %}",
            strict),
      "");
  EXPECT_EQ(error("{{ c }}{{ c | trim }}"), "");
}

TEST(Jinja, IsBounded) {
  EXPECT_THAT(
      error("{% for x in range(1000) %}{% for y in range(1000) %}{% endfor %}{% endfor %}", {.steps = 5000}),
      HasSubstr("more than 5000 steps"));
  EXPECT_THAT(error("{% for x in range(1000000000) %}{% endfor %}"), HasSubstr("range has more than"));
  EXPECT_THAT(error("{% set ns = namespace(t='xxxxxxxx') %}{% for x in range(40) %}{% set ns.t = ns.t + ns.t "
                    "%}{% endfor %}",
                    {.output = 1 << 20}),
              HasSubstr("a text of more than 1048576 bytes"));
  EXPECT_THAT(error("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"), HasSubstr("more than 100 deep"));
  EXPECT_THAT(error("{{ " + std::string(5000, '(') + "1" + std::string(5000, ')') + " }}"),
              HasSubstr("nested more than"));
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "{% if a %}";
  EXPECT_THAT(error(deep), HasSubstr("nested more than"));
}

TEST(Jinja, KnowsWhatCameFromTheData) {
  const Text text =
      Template("<s>{{ m.content|trim }}</s>{{ m|tojson }}{{ m.content.split('b')[1] + '<e>' }}", "t")
          .render({{"m", Value::from_json(Json{{"content", " a<s>bc "}})}});
  EXPECT_EQ(text.bytes, "<s>a<s>bc</s>{\"content\": \" a<s>bc \"}c <e>");
  std::string data;
  for (size_t i = 0; i < text.size(); ++i) data += text.data[i] ? text.bytes[i] : '.';
  EXPECT_EQ(data, "...a<s>bc....{\"content\": \" a<s>bc \"}c ...");
}

}  // namespace
}  // namespace fathom::jinja
