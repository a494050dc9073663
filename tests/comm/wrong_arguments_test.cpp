// Each mistake once: an Error on the rank that makes it, before anything is sent.
#include "base/error.h"
#include "comm/ranks.h"

namespace fathom::testing {
namespace {

class WrongArgumentsTest : public Ranks {
 protected:
  template <class Collective>
  void refuses(const Collective& a, const std::string& why) {
    try {
      comm().run(a);
      ADD_FAILURE() << "expected: " << why;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(why), std::string::npos) << e.what();
    }
  }
};

TEST_P(WrongArgumentsTest, OfReductions) {
  const Tensor matrix = filled<float>({4, 6}, 1), whole = filled<int32_t>({4, 6}, 1);
  refuses(AllReduce{.x = matrix.columns(0, 3)}, "must be contiguous");
  Tensor half = matrix;
  half.dtype = DType::f16;
  refuses(AllReduce{.x = half}, "f16");
  refuses(ReduceScatter{.out = whole, .in = filled<float>({4 * size(), 6}, 1)}, "not of one type");
  refuses(ReduceScatter{.out = matrix, .in = filled<float>({4 * size() + 1, 6}, 1)},
          "rows where the counts say");
}

TEST_P(WrongArgumentsTest, OfRowCounts) {
  const Tensor x = filled<float>({3, 2}, 1), all = filled<float>({3 * size(), 2}, 1);
  const std::vector<int64_t> right(size(), 3), too_many(size() + 1, 3), too_large(size(), 4);
  std::vector<int64_t> negative(size(), 3);
  negative.back() = -3;
  refuses(AllGather{.out = all, .in = x, .rows = too_many}, "row counts for");
  refuses(AllGather{.out = all, .in = x, .rows = too_large}, "rows where the counts say");
  refuses(AllGather{.out = all, .in = x, .rows = negative}, "a row count is -3");
  refuses(AllToAll{.out = all, .out_rows = too_large, .in = all, .in_rows = right}, "all-to-all, received");
  refuses(AllToAll{.out = all, .out_rows = right, .in = all, .in_rows = too_large}, "all-to-all, sent");
  refuses(AllToAll{.out = all, .out_rows = right, .in = all.columns(0, 1), .in_rows = right},
          "not of one type");
  const Tensor cube = filled<float>({3 * size(), 2, 4}, 1).columns(0, 2);
  refuses(AllToAll{.out = cube, .out_rows = right, .in = cube, .in_rows = right}, "only those of matrices");
}

TEST_P(WrongArgumentsTest, OfRanksAndTags) {
  const Tensor x = filled<float>({3}, 1);
  refuses(Broadcast{.x = x, .root = size()}, "there is no rank");
  refuses(Send{.x = x, .to = rank()}, "cannot name rank");
  refuses(Receive{.x = x, .from = -1}, "cannot name rank");
  if (size() > 1) refuses(Send{.x = x, .to = (rank() + 1) % size(), .tag = max_tag + 1}, "the tag is");
}

FATHOM_ON_ALL_MEMORIES(WrongArgumentsTest);

}  // namespace
}  // namespace fathom::testing
