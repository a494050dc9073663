// DROP's rules, on the cases of its evaluator's own tests (allennlp-reading-comprehension, drop_eval_test).
#include "answers/drop_score.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "answers/assignment.h"
#include "base/rng.h"

namespace fathom {
namespace {

using ::testing::ElementsAre;

using Spans = std::vector<std::string>;

struct Case {
  Spans predicted, answer;
  double exact, f1;
};

TEST(DropScore, IsUpstreamsOnItsOwnCases) {
  const std::vector<Case> cases = {
      {{"78"}, {"78.0"}, 1, 1},
      // The numbers of spans count.
      {{"td"}, {"td", "td"}, 0, 0.5},
      {{"td", "td"}, {"td"}, 0, 0.5},
      {{"the", "fat", "cat", "the fat", "fat cat", "the fat cat"}, {"cat"}, 0, 0.17},
      {{"cat"}, {"the", "fat", "cat", "the fat", "fat cat", "the fat cat"}, 0, 0.17},
      {{"the", "fat", "cat", "the fat", "fat cat", "the fat cat"}, {"cat", "cat dog"}, 0, 0.25},
      // Articles, the order of words, punctuation, hyphens and capitals.
      {{"td"}, {"the td"}, 1, 1},
      {{"the a NOT an ARTICLE the an a"}, {"NOT ARTICLE"}, 1, 1},
      {{"John Elton"}, {"Elton John"}, 0, 1},
      {{"50 yard"}, {"yard 50"}, 0, 1},
      {{"Per.i.o.d...."}, {".P....e.r,,i;;;o...d,,"}, 1, 1},
      {{"Spa     c  e   s     "}, {"    Spa c     e s"}, 1, 1},
      {{"78-yard"}, {"78 yard"}, 1, 1},
      {{"78"}, {"78-yard"}, 0, 0.67},
      {{"78-yard"}, {"78"}, 0, 0.67},
      {{"This was a triumph"}, {"tHIS Was A TRIUMPH"}, 1, 1},
      {{"Green", "bay", "packers"}, {"Green", "bay", "packers"}, 1, 1},
      // Words in common; numbers must be the same.
      {{""}, {"army"}, 0, 0},
      {{"packers"}, {"Green bay packers"}, 0, 0.5},
      {{"packers"}, {"Green bay"}, 0, 0},
      {{"yard"}, {"36 yard td"}, 0, 0},
      {{"23 yards"}, {"43 yards"}, 0, 0},
      {{"56 yards"}, {"56 yd"}, 0, 0.5},
      {{"26"}, {"26 yard td"}, 0, 0.5},
      // Spans are aligned one to one.
      {{"78-yard", "56", "28", "40", "44", "touchdown"}, {"78-yard", "56 yard", "1 yard touchdown"}, 0, 0.28},
      {{"23", "23 yard"}, {"23-yard", "56 yards"}, 0, 0.5},
      {{"John Karman", "Joe Hardy"}, {"Joe Karman", "John Hardy"}, 0, 0.5},
      {{"ottoman", "Kantakouzenous"}, {"ottoman", "army of Kantakouzenous"}, 0, 0.75},
      {{"b"}, {"a", "b"}, 0, 0.5},
      {{"b"}, {"b", "a"}, 0, 0.5},
      {{"17 August"}, {"17 August "}, 1, 1},
  };
  for (const Case& c : cases) {
    const DropScore score = drop_score(c.predicted, c.answer);
    EXPECT_EQ(score.exact, c.exact) << c.predicted[0] << " / " << c.answer[0];
    EXPECT_DOUBLE_EQ(score.f1, c.f1) << c.predicted[0] << " / " << c.answer[0];
  }
}

TEST(DropScore, FormsAreAsPythonWritesThem) {
  for (const char* text : {"12.0", "12.0  ", "12.000", "12", "  1.2e1  ", "+12", "1_2", "12.", "$12"})
    EXPECT_EQ(drop_form(text), "12.0") << text;
  EXPECT_EQ(drop_form("12.0 persons"), "12.0 persons");
  EXPECT_EQ(drop_form("S.K. Singh"), "sk singh");
  EXPECT_EQ(drop_form("1,234"), "1234.0");
  EXPECT_EQ(drop_form(".5"), "0.5");
  EXPECT_EQ(drop_form("1__2 5e 1e400 -1e-400 NaN"), "12.0 5e inf 1e 400.0 nan");
  EXPECT_EQ(drop_form("\u00c9ire and the \u00c4"), "\u00e9ire and \u00e4");
  EXPECT_EQ(drop_form("a\u2013b the\u00e9"), "\u2013b the\u00e9");  // a word of its own, and part of one
}

TEST(DropScore, AListIsCutIntoSpans) {
  EXPECT_THAT(drop_spans("Ann, Eve and Bo"), ElementsAre("Ann", "Eve", "Bo"));
  EXPECT_THAT(drop_spans("Ann, and Eve"), ElementsAre("Ann", "Eve"));
  EXPECT_THAT(drop_spans("1,200 sands"), ElementsAre("1,200 sands"));
  EXPECT_THAT(drop_spans(""), ElementsAre());
}

// Against all ways to pair the sides.
TEST(Assignment, IsTheLargest) {
  Rng rng(7, 1);
  for (int round = 0; round < 200; ++round) {
    const size_t rows = 1 + rng.below(5), columns = 1 + rng.below(5);
    std::vector<std::vector<double>> w(rows, std::vector<double>(columns));
    for (auto& row : w)
      for (double& value : row) value = rng.below(3) ? static_cast<double>(rng.below(100)) / 100 : 0;
    std::vector<size_t> order(std::max(rows, columns));
    std::iota(order.begin(), order.end(), size_t{0});
    double best = 0;
    do {
      double sum = 0;
      for (size_t r = 0; r < rows; ++r)
        if (order[r] < columns) sum += w[r][order[r]];
      best = std::max(best, sum);
    } while (std::next_permutation(order.begin(), order.end()));
    EXPECT_NEAR(largest_assignment(w), best, 1e-12) << rows << " x " << columns;
  }
  EXPECT_EQ(largest_assignment({}), 0);
}

}  // namespace
}  // namespace fathom
