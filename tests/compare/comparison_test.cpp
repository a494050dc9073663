// What a comparison says: values, paired differences with their tests, the macro average, published scores.
#include "compare/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compare/paired_tests.h"
#include "compare/result_folder.h"

namespace fathom::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class Comparisons : public ::testing::Test {
 protected:
  CompareChoice choice(const std::vector<std::string>& folders) const {
    CompareChoice c;
    for (const std::string& folder : folders) c.runs.paths.push_back(dir_ / folder);
    return c;
  }
  static const Measure& measure(const Comparison& c, const std::string& task, const std::string& metric = "",
                                const std::string& over = "") {
    for (const Measure& m : c.measures)
      if (m.task == task && (metric.empty() || m.metric == metric) && (over.empty() || m.over == over))
        return m;
    throw std::runtime_error("no measure of " + task);
  }
  TempDir dir_;
};

std::string repeated(const std::string& text, int n) {
  std::string all;
  for (int i = 0; i < n; ++i) all += text;
  return all;
}

TEST_F(Comparisons, CountWhatOneHasRightAndTheOtherWrong) {
  made_task(repeated("1100", 10)).write(dir_ / "a");
  made_task(repeated("1011", 10)).write(dir_ / "b");
  const Comparison c = compare(choice({"a", "b"}));
  const Measure& m = measure(c, "t");
  EXPECT_EQ(m.test, "exact McNemar");
  const PairedDifference d = *m.difference(0, 1);
  EXPECT_DOUBLE_EQ(d.difference, 0.25);
  EXPECT_EQ(d.only_first, 10);
  EXPECT_EQ(d.only_second, 20);
  EXPECT_DOUBLE_EQ(d.p, mcnemar_exact(10, 20));
  EXPECT_LT(*d.low, 0.25);
  EXPECT_GT(*d.high, 0.25);
  const PairedDifference turned = *m.difference(1, 0);
  EXPECT_EQ(turned.difference, -d.difference);
  EXPECT_EQ(turned.low, -*d.high);
  EXPECT_EQ(turned.only_first, 20);
  EXPECT_EQ(m.holm[0][1], d.p) << "one comparison is not adjusted";
  const std::string table = comparison_table(c, false);
  EXPECT_THAT(table, HasSubstr("+25.00 ["));
  EXPECT_THAT(table, HasSubstr("20 : 10"));
  EXPECT_THAT(table, Not(HasSubstr("Holm")));
}

TEST_F(Comparisons, ItemsOfAClusterAreDrawnAndFlippedTogether) {
  MadeTask a = made_task(repeated("1100", 10)), b = made_task(repeated("1011", 10));
  for (MadeTask* task : {&a, &b})
    for (size_t i = 0; i < task->items.size(); ++i) task->items[i].cluster = "c" + std::to_string(i / 4);
  a.write(dir_ / "a");
  b.write(dir_ / "b");
  const Comparison c = compare(choice({"a", "b"}));
  const Measure& m = measure(c, "t");
  EXPECT_EQ(m.clusters, 10);
  EXPECT_EQ(m.test, "sign-flip permutation, exact");
  // Every cluster has the same difference: of 2^10 flips two give as much.
  EXPECT_DOUBLE_EQ(m.difference(0, 1)->p, 2.0 / 1024);
  EXPECT_FALSE(m.difference(0, 1)->only_first)
      << "McNemar's counts are of items, which are no fair coins here";
}

TEST_F(Comparisons, OfOtherScoresUsePermutations) {
  MadeTask a = made_task(repeated("10", 20), "t", "f1"), b = a;
  for (size_t i = 0; i < b.items.size(); i += 2) b.items[i].scores["f1"] = 0.5;
  a.write(dir_ / "a");
  b.write(dir_ / "b");
  const Comparison c = compare(choice({"a", "b"}));
  EXPECT_EQ(measure(c, "t").test, "sign-flip permutation, 9999 draws");
  EXPECT_LT(measure(c, "t").difference(0, 1)->p, 0.001);
}

TEST_F(Comparisons, OfEqualModelsHaveAnIntervalAllTheSame) {
  made_task(repeated("10", 50)).write(dir_ / "a");
  made_task(repeated("10", 50)).write(dir_ / "b");
  const Comparison c = compare(choice({"a", "b"}));
  const PairedDifference d = *measure(c, "t").difference(0, 1);
  EXPECT_EQ(d.p, 1);
  EXPECT_NEAR(*d.high, 3.8415 / 103.8415, 1e-5);
  EXPECT_EQ(*d.low, -*d.high);
}

TEST_F(Comparisons, AreAdjustedOverAllHeadlines) {
  for (const auto& [folder, right] :
       std::map<std::string, std::string>{{"a", "1100"}, {"b", "1011"}, {"c", "0000"}})
    for (const char* task : {"t", "u"}) made_task(repeated(right, 10), task).write(dir_ / folder);
  CompareChoice with_c = choice({"a", "b", "c"});
  with_c.baseline = "c";
  const Comparison c = compare(with_c);
  EXPECT_EQ(c.baseline, 2u);
  // Two models against the third, by two tasks and the macro average.
  EXPECT_THAT(c.comparisons, ElementsAre(6, 6, 6));
  std::vector<double> p, adjusted;
  for (const Measure& m : c.measures)
    for (const size_t other : {0, 1})
      p.push_back(m.difference(2, other)->p), adjusted.push_back(*m.holm[2][other]);
  EXPECT_EQ(adjusted, holm(p));
  EXPECT_THAT(comparison_table(c, false), HasSubstr("6 comparisons of headlines: adjusted p are Holm's"));
  EXPECT_THAT(error_of([&] { with_c.baseline = "d", compare(with_c); }),
              HasSubstr("--baseline: no run is named 'd'"));
}

TEST_F(Comparisons, TheMacroAverageIsOfTheTasksThatAllHave) {
  made_task("1111", "t").write(dir_ / "a");
  made_task("1100", "u").write(dir_ / "a");
  made_task("1000", "v").write(dir_ / "a");
  made_task("1110", "t").write(dir_ / "b");
  made_task("0000", "u").write(dir_ / "b");
  const Comparison c = compare(choice({"a", "b"}));
  const Measure& m = c.measures[0];
  EXPECT_EQ(m.task, "macro average");
  EXPECT_EQ(m.over, "2 tasks");
  EXPECT_DOUBLE_EQ(m.values[0]->value, 0.75);
  EXPECT_DOUBLE_EQ(m.values[1]->value, 0.375);
  EXPECT_FALSE(measure(c, "v").values[1]);
  EXPECT_THAT(c.remarks, ElementsAre("v: no results of b"));
  EXPECT_THAT(comparison_table(c, false), HasSubstr("v: no results of b"));
}

TEST_F(Comparisons, OfSomeItemsHaveNamesOfTheirOwn) {
  made_task("1010").write(dir_ / "a");
  MadeTask b = made_task("101101");
  b.run["limit"] = 6;
  b.write(dir_ / "b");
  CompareChoice common = choice({"a", "b"});
  common.common = true;
  const Comparison c = compare(common);
  EXPECT_EQ(c.measures[0].over, "common items");
  EXPECT_DOUBLE_EQ(c.measures[0].values[1]->value, 0.75);
  EXPECT_EQ(c.measures[0].values[1]->items, 4);
  EXPECT_THAT(c.remarks[0], HasSubstr("2 of 6 items are left out"));
}

TEST_F(Comparisons, SubjectsAreStrata) {
  MadeTask a = made_task("1110"), b = made_task("1011");
  for (MadeTask* task : {&a, &b}) {
    for (size_t i = 0; i < 4; ++i) task->items[i].subject = i < 3 ? "x" : "y";
    const double x = task == &a ? 1 : 2.0 / 3, y = task == &a ? 0 : 1;
    OrderedJson averages = task->averages()["averages"];
    averages.push_back({{"metric", "sum"},
                        {"over", "subjects (2)"},
                        {"items", 4},
                        {"value", (x + y) / 2},
                        {"error", 0},
                        {"low", 0},
                        {"high", 1}});
    task->result["averages"] = averages;
  }
  a.write(dir_ / "a");
  b.write(dir_ / "b");
  const Comparison c = compare(choice({"a", "b"}));
  EXPECT_NEAR(measure(c, "t", "sum", "subjects (2)").difference(0, 1)->difference, (-1.0 / 3 + 1) / 2, 1e-12);
  EXPECT_NEAR(measure(c, "t", "sum", "items").difference(0, 1)->difference, 0, 1e-12);
}

TEST_F(Comparisons, PublishedScoresStandBesideTheirMetricWithWhatIsOtherwise) {
  MadeTask gsm = made_task("1010", "gsm8k", "lenient");
  gsm.run["shots"] = 5, gsm.run["limit"] = 4;
  gsm.write(dir_ / "a");
  made_task("10", "drop", "exact").write(dir_ / "a");
  const Comparison c = compare(choice({"a"}));
  const auto v2 = std::find_if(c.published.models.begin(), c.published.models.end(),
                               [](const PublishedModel& m) { return m.name == "DeepSeek-V2"; });
  ASSERT_NE(v2, c.published.models.end());
  const auto cell = c.published_cell(*v2, measure(c, "gsm8k"));
  ASSERT_TRUE(cell);
  EXPECT_DOUBLE_EQ(cell->value, 0.792);
  EXPECT_EQ(cell->note, "with 8 examples, here with 5; of all items, here of the first 4 of each file");
  EXPECT_FALSE(c.published_cell(*v2, measure(c, "drop"))) << "the paper has F1";
  CompareChoice without = choice({"a"});
  without.published = false;
  EXPECT_TRUE(compare(without).published.models.empty());
}

TEST_F(Comparisons, HeadlinesAreThePapersOrWhatIsChosen) {
  MadeTask arc = made_task("1010", "arc_easy");
  arc.metrics = {"sum", "chars", "tokens"};
  for (MadeItem& item : arc.items) item.scores = {{"sum", 1}, {"chars", 0}, {"tokens", 1}};
  arc.write(dir_ / "a");
  const auto headline = [&](const std::vector<std::string>& metrics) {
    CompareChoice chosen = choice({"a"});
    chosen.metrics = metrics;
    const Comparison c = compare(chosen);
    for (const Measure& m : c.measures)
      if (m.headline) return m.metric;
    return std::string();
  };
  EXPECT_EQ(headline({}), "tokens");
  EXPECT_EQ(headline({"chars"}), "chars");
  EXPECT_THAT(error_of([&] { headline({"char"}); }), HasSubstr("--metric: no task has a metric 'char'"));
}

TEST_F(Comparisons, AllPublishedScoresAreOfTasksAndInRange) {
  for (const PublishedModel& model : published_scores().models)
    for (const auto& [task, score] : model.scores) {
      EXPECT_GT(score, 0) << task;
      EXPECT_LE(score, task == "mt_bench" ? 10 : 1) << task;
    }
  EXPECT_THAT(
      error_of([] {
        parse_published(
            "[tasks.base]\n[tasks.chat]\n[[model]]\nname=\"m\"\nform=\"base\"\nsource=\"s\"\nscores={x=1}\n",
            "p");
      }),
      HasSubstr("p: model 'm' has a score of 'x', which is no task here"));
}

TEST_F(Comparisons, JsonHasAllOfIt) {
  made_task(repeated("1100", 10)).write(dir_ / "a");
  made_task(repeated("1011", 10)).write(dir_ / "b");
  const OrderedJson json = comparison_json(compare(choice({"a", "b"})));
  const OrderedJson& m = json["measures"][0];
  EXPECT_EQ(m["pairs"][0][0], 0);
  EXPECT_EQ(m["pairs"][0][1], 1);
  EXPECT_EQ(m["pairs"][0][2]["only_second"], 20);
  EXPECT_EQ(m["test"], "exact McNemar");
  EXPECT_EQ(json["models"][1]["name"], "b");
}

}  // namespace
}  // namespace fathom::testing
