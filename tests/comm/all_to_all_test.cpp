#include "comm/ranks.h"

namespace fathom::testing {
namespace {

class AllToAllTest : public Ranks {
 protected:
  using Count = std::function<int64_t(int from, int to)>;
  // Element c of row i that one rank sends to another.
  static double sent(int from, int to, int64_t i, int64_t c) {
    return static_cast<double>((from * 41 + to * 17 + i * 5 + c) % 101);
  }

  // Rows of `cols` columns, in tensors that are wider by `margin` columns on both sides.
  void exchanges(const Count& count, int64_t cols, int64_t margin) {
    std::vector<int64_t> in_rows, out_rows;
    std::vector<double> in_values, out_values;
    for (int r = 0; r < size(); ++r) {
      in_rows.push_back(count(rank(), r)), out_rows.push_back(count(r, rank()));
      for (int64_t i = 0; i < in_rows.back() * cols; ++i)
        in_values.push_back(sent(rank(), r, i / cols, i % cols));
      for (int64_t i = 0; i < out_rows.back() * cols; ++i)
        out_values.push_back(sent(r, rank(), i / cols, i % cols));
    }
    const int64_t width = cols + 2 * margin, n_in = static_cast<int64_t>(in_values.size()) / cols,
                  n_out = static_cast<int64_t>(out_values.size()) / cols;
    const auto within = [&](int64_t i) { return i % width >= margin && i % width < margin + cols; };
    const Tensor in = make<float>({n_in, width}, [&](int64_t i) {
      return within(i) ? in_values[i / width * cols + i % width - margin] : -7;
    });
    const Tensor out = filled<float>({n_out, width}, -9);
    comm().run(AllToAll{.out = out.columns(margin, cols),
                        .out_rows = out_rows,
                        .in = in.columns(margin, cols),
                        .in_rows = in_rows});
    EXPECT_EQ(read<float>(out), expected(n_out * width, [&](int64_t i) {
                return within(i) ? out_values[i / width * cols + i % width - margin] : -9;
              }));
  }
};

TEST_P(AllToAllTest, EvenRows) {
  exchanges([](int, int) { return 3; }, 4, 0);
}

TEST_P(AllToAllTest, UnevenRows) {
  for (const int64_t cols : {1, 4, 33})
    exchanges([](int from, int to) { return (from * 3 + to * 5) % 7; }, cols, 0);
}

TEST_P(AllToAllTest, RowsWithAStride) {
  for (const int64_t cols : {1, 4, 33})
    exchanges([](int from, int to) { return (from * 3 + to * 5) % 7; }, cols, 3);
}

TEST_P(AllToAllTest, RanksWithNothing) {
  exchanges([](int, int) { return 0; }, 4, 1);
  exchanges([](int from, int) { return from == 0 ? 2 : 0; }, 4, 1);
  exchanges([&](int, int to) { return to == size() - 1 ? 2 : 0; }, 4, 0);
  exchanges([](int from, int to) { return from == to ? 3 : 0; }, 4, 1);
}

// What a rank sends to others is told by such an exchange of counts, on the host.
TEST_P(AllToAllTest, Counts) {
  const std::vector<int64_t> one(size(), 1);
  std::vector<int64_t> to(size()), from(size(), -1);
  for (int r = 0; r < size(); ++r) to[r] = 10 * rank() + r;
  comm().host().run(AllToAll{.out = Tensor(from.data(), DType::i64, {size()}),
                             .out_rows = one,
                             .in = Tensor(to.data(), DType::i64, {size()}),
                             .in_rows = one});
  for (int r = 0; r < size(); ++r) EXPECT_EQ(from[r], 10 * r + rank());
}

FATHOM_ON_ALL_MEMORIES(AllToAllTest);

}  // namespace
}  // namespace fathom::testing
