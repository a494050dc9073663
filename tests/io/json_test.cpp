#include "io/json.h"

#include <gmock/gmock.h>

#include "io/file.h"
#include "support/captured_log.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// The error of reading field "x" of {"x": <value>} as T.
template <class T>
std::string field_error(const std::string& value) {
  const Json json = parse_json("{\"x\": " + value + "}", "config.json");
  return error_of([&] { JsonObject(json, "config.json").required<T>("x"); });
}

template <class T>
T field(const std::string& value) {
  const Json json = parse_json("{\"x\": " + value + "}", "config.json");
  return JsonObject(json, "config.json").required<T>("x");
}

TEST(Json, ErrorNamesFileAndByte) {
  TempDir dir;
  write_file(dir / "bad.json", "{\"a\": 1,, }");
  EXPECT_THAT(error_of([&] { read_json(dir / "bad.json"); }),
              AllOf(StartsWith(dir / "bad.json: not valid JSON at byte 9: syntax error")));
  EXPECT_THAT(error_of([&] { read_json(dir / "gone.json"); }), StartsWith(dir / "gone.json: cannot open"));
  for (const char* bad : {"", "{", "[1 2]", "nul", "\"\xff\"", "{\"a\": 1e999}", "\"\\ud800\"", "1 2", "NaN"})
    EXPECT_THAT(error_of([&] { parse_json(bad, "f"); }), StartsWith("f: not valid JSON")) << bad;
}

TEST(Json, NulBytesAndWhatFollowsThemAreNotSkipped) {
  using namespace std::string_literals;
  EXPECT_EQ(error_of([] { parse_json("{\"a\": 1}\0"s, "f"); }), "f: not valid JSON at byte 9: a NUL byte");
  for (const std::string& bad : {"{\"a\": 1}\0{\"a\": 2}"s, "{\"a\": 1}\0 garbage"s, "\0{\"a\": 1}"s,
                                 "{\"a\"\0: 1}"s, "{\"a\0\": 1}"s, "[1, 2\0]"s})
    EXPECT_THAT(error_of([&] { parse_json(bad, "f"); }), HasSubstr("a NUL byte"));
  for (const char* bad : {"{} {}", "{}x", "[],", "{}\x01", "1\n2"})
    EXPECT_THAT(error_of([&] { parse_json(bad, "f"); }), StartsWith("f: not valid JSON at byte")) << bad;
  EXPECT_EQ(parse_json("{\"a\": \"\\u0000\"} \n", "f")["a"], "\0"s);
}

TEST(Json, AFieldGivenTwiceIsNamed) {
  const auto error = [](const char* text) { return error_of([&] { parse_json(text, "f"); }); };
  EXPECT_EQ(error(R"({"a": 1, "b": 2, "a": 1})"), "f: field 'a' is given twice");
  EXPECT_EQ(error(R"({"rope": {"x": 1, "factor": [2], "factor": null}})"),
            "f: field 'rope.factor' is given twice");
  EXPECT_EQ(error(R"([{"a": {"b": [0, {"c": 1, "c": 2}]}}])"), "f: field '0.a.b.1.c' is given twice");
  EXPECT_EQ(error(R"({"a": 1, "\u0061": 2})"), "f: field 'a' is given twice");
  EXPECT_EQ(error(R"({"a": {"a": [{"a": 1}, {"a": 2}]}, "b": {"a": 3}})"), "");
}

TEST(Json, BuildsWhatTheLibraryBuilds) {
  const char* text =
      R"([{"a": [1, -2, 3.5, 1e3, true, null, "x", [], {}]}, [[[{"b": {"c": [{}, [1]]}}]]], 18446744073709551615])";
  EXPECT_EQ(parse_json(text, "f"), Json::parse(text));
}

TEST(Json, AByteOrderMarkIsSkippedAndSaidOnce) {
  const testing::CapturedLog log;
  EXPECT_EQ(parse_json("\xEF\xBB\xBF{\"a\": 1}", "marked.json")["a"], 1);
  EXPECT_EQ(parse_json("\xEF\xBB\xBF{\"a\": 1}", "marked.json")["a"], 1);
  EXPECT_EQ(log.text(), "marked.json: starts with a byte order mark (BOM), which is skipped\n");
}

TEST(Json, DepthIsLimited) {
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_NO_THROW(parse_json(nested(max_json_depth), "f"));
  EXPECT_EQ(error_of([&] { parse_json(nested(max_json_depth + 1), "f"); }), "f: JSON nested deeper than 256");
  EXPECT_THAT(error_of([&] { parse_json(std::string(10'000'000, '['), "f"); }), HasSubstr("nested deeper"));
  EXPECT_THAT(error_of([&] { parse_json(std::string(10'000'000, ']'), "f"); }), HasSubstr("not valid JSON"));
  // Brackets in strings are not nesting, and an escaped quote does not end a string.
  EXPECT_NO_THROW(parse_json("[\"\\\"" + std::string(1000, '[') + "\"]", "f"));
}

TEST(Json, QuotesText) {
  EXPECT_EQ(json_quoted("a\"b\n"), R"("a\"b\n")");
  EXPECT_THAT(error_of([] { json_quoted("\xff"); }), HasSubstr("not valid UTF-8"));
}

TEST(JsonObject, ErrorsNameTheField) {
  const Json json =
      parse_json(R"({"hidden_size": "abc", "rope": {"factor": true, "none": null}})", "config.json");
  const JsonObject config(json, "config.json");
  EXPECT_EQ(error_of([&] { config.required<int>("layers"); }), "config.json: field 'layers' is missing");
  EXPECT_EQ(error_of([&] { config.required<int>("hidden_size"); }),
            "config.json: field 'hidden_size' must be an integer, got \"abc\"");
  EXPECT_EQ(error_of([&] { config.child("hidden_size"); }),
            "config.json: field 'hidden_size' must be an object, got \"abc\"");
  EXPECT_EQ(error_of([&] { config.child("gone"); }), "config.json: field 'gone' is missing");
  const JsonObject rope = config.child("rope");
  EXPECT_EQ(error_of([&] { rope.required<float>("factor"); }),
            "config.json: field 'rope.factor' must be a number, got true");
  EXPECT_EQ(error_of([&] { rope.required<float>("none"); }), "config.json: field 'rope.none' is null");
  EXPECT_EQ(error_of([&] { JsonObject(json["hidden_size"], "config.json"); }),
            "config.json: must be a JSON object, got \"abc\"");
}

TEST(JsonObject, NullIsAbsent) {
  const Json json = parse_json(R"({"a": null, "b": 3})", "f");
  const JsonObject object(json, "f");
  EXPECT_FALSE(object.has("a"));
  EXPECT_TRUE(object.has("b"));
  EXPECT_EQ(object.optional<int>("a", 7), 7);
  EXPECT_EQ(object.optional<int>("b", 7), 3);
  EXPECT_EQ(object.optional<std::string>("c", "x"), "x");
  EXPECT_TRUE(object.contains("a"));
  EXPECT_FALSE(object.contains("c"));
  EXPECT_EQ(object.defaulted<int>("c", 7), 7);
  EXPECT_EQ(object.defaulted<int>("b", 7), 3);
  EXPECT_EQ(error_of([&] { object.defaulted<int>("a", 7); }), "f: field 'a' must be an integer, got null");
}

TEST(JsonObject, IntegersAreChecked) {
  EXPECT_EQ(field<int>("1e4"), 10000);
  EXPECT_EQ(field<int64_t>("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(field<int64_t>("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(field<uint64_t>("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(field<uint8_t>("255.0"), 255);
  EXPECT_EQ(field_error<uint8_t>("256"), "config.json: field 'x' must be between 0 and 255, got 256");
  EXPECT_EQ(field_error<int>("2147483648"),
            "config.json: field 'x' must be between -2147483648 and 2147483647, got 2147483648");
  for (const char* bad : {"-1", "-1.0", "-9223372036854775808"})
    EXPECT_THAT(field_error<uint64_t>(bad), HasSubstr("must be between")) << bad;
  EXPECT_THAT(field_error<int64_t>("9223372036854775808"), HasSubstr("must be between"));
  for (const char* bad : {"1.5", "true", "\"1\"", "1e300", "[1]", "{}", "36893488147419103232"})
    EXPECT_THAT(field_error<int64_t>(bad), HasSubstr("must be an integer")) << bad;
}

TEST(JsonObject, OtherTypes) {
  EXPECT_EQ(field<double>("3"), 3.0);
  EXPECT_EQ(field<float>("1e-6"), 1e-6f);
  EXPECT_THAT(field_error<float>("1e300"), HasSubstr("too large"));
  EXPECT_TRUE(field<bool>("true"));
  EXPECT_THAT(field_error<bool>("1"), HasSubstr("must be true or false, got 1"));
  EXPECT_THAT(field_error<std::string>("1"), HasSubstr("must be a string"));
  EXPECT_THAT(field<std::vector<int>>("[1, 2]"), ElementsAre(1, 2));
  EXPECT_THAT(field_error<std::vector<int>>("[1, 2.5]"),
              HasSubstr("field 'x[1]' must be an integer, got 2.5"));
  EXPECT_THAT(field_error<std::vector<int>>("3"), HasSubstr("must be a list"));
  EXPECT_EQ(field<Json>("{\"y\": 1}")["y"], 1);
  EXPECT_LT(field_error<int>('"' + std::string(10'000, 'x') + '"').size(), 200u);
}

}  // namespace
}  // namespace fathom
