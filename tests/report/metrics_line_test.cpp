#include "report/metrics_line.h"

#include <gmock/gmock.h>

#include <cmath>

#include "support/temp_dir.h"

namespace fathom {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsNan;

TEST(MetricsLine, HasTheValuesOfItsNames) {
  MetricsLine line;
  line.parse(R"({"step":7,"time":1764331200.125,"loss":2.5,"lr":3e-05})", "f", 1);
  EXPECT_EQ(line.step(), 7);
  EXPECT_TRUE(line.new_names());
  EXPECT_THAT(line.names(), ElementsAre("time", "loss", "lr"));
  EXPECT_THAT(line.values(), ElementsAre(1764331200.125, 2.5, DoubleEq(3e-5)));
  line.parse(R"({"step":8,"time":1.5,"loss":null,"lr":-0.0})", "f", 2);
  EXPECT_FALSE(line.new_names()) << "the same as before";
  EXPECT_THAT(line.values(), ElementsAre(1.5, IsNan(), 0.0));
  line.parse(R"({"step":8,"time":2})", "f", 3);
  EXPECT_TRUE(line.new_names());
  EXPECT_THAT(line.names(), ElementsAre("time"));
  line.parse(R"({"step":9,"validation_loss":2})", "f", 4);
  EXPECT_TRUE(line.new_names());
  EXPECT_THAT(line.names(), ElementsAre("validation_loss"));
}

TEST(MetricsLine, AnyNotationOfJsonWillDo) {
  MetricsLine line;
  line.parse("  { \"loss\" : 1e1 , \"\\u0061 \\\"b\\\"\" : 2 , \"step\" : 1e2 }\t", "f", 1);
  EXPECT_EQ(line.step(), 100);
  EXPECT_THAT(line.names(), ElementsAre("a \"b\"", "loss"));
  EXPECT_THAT(line.values(), ElementsAre(2, 10));
}

TEST(MetricsLine, ErrorsNameTheLineAndTheField) {
  const auto error = [](const std::string& text) {
    return error_of([&] { MetricsLine().parse(text, "m.jsonl", 12); });
  };
  EXPECT_THAT(error("{\"loss\":1}"), HasSubstr("m.jsonl:12: field 'step'"));
  EXPECT_THAT(error("{\"step\":-1}"), HasSubstr("m.jsonl:12: field 'step' must be 0 to 2^53, got -1"));
  EXPECT_THAT(error("{\"step\":1.5}"), HasSubstr("'step' must be an integer"));
  EXPECT_THAT(error("{\"step\":1,\"loss\":\"x\"}"), HasSubstr("m.jsonl:12: field 'loss' must be a number"));
  EXPECT_THAT(error("{\"step\":1,\"loss\":1,\"loss\":2}"), HasSubstr("'loss' is given twice"));
  EXPECT_THAT(error("{\"step\":1,\"step\":2}"), HasSubstr("'step' is given twice"));
  for (const char* bad :
       {"NaN", "nan", "Infinity", "-inf", "01", "1.", ".5", "1e", "+1", "0x10", "1e999", ""})
    EXPECT_THAT(error(std::string("{\"step\":1,\"loss\":") + bad + "}"),
                HasSubstr("m.jsonl:12: not valid JSON"))
        << bad;
  for (const char* bad : {"", "{", "[]", "{\"step\":1", "{\"step\":1}}", "{\"step\":1,}", "{}", "null"})
    EXPECT_THAT(error(bad), HasSubstr("m.jsonl:12")) << bad;
}

TEST(MetricsLine, TheStepAloneIsThatOfTheWhole) {
  EXPECT_EQ(plain_step("{\"step\":12,\"loss\""), 12) << "no more of the line is looked at";
  EXPECT_EQ(plain_step("{\"step\":12}"), 12);
  for (const char* other :
       {"{\"step\":1e1}", "{\"step\":-1}", "{ \"step\":1}", "{\"step\":12", "{\"loss\":1}"})
    EXPECT_EQ(plain_step(other), std::nullopt) << other;
  const auto place = [] { return std::string("m.jsonl:3"); };
  EXPECT_EQ(step_of_line("{\"loss\":1, \"step\":1e1}", place), 10);
  EXPECT_THAT(error_of([&] { step_of_line("{\"loss\":1}", place); }), HasSubstr("m.jsonl:3: field 'step'"));
}

}  // namespace
}  // namespace fathom
