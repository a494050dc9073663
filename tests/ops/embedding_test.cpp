#include "ops/embedding.h"

#include <cstring>

#include "support/op_test.h"

namespace fathom::testing {
namespace {

class EmbeddingTest : public OpTest {};
FATHOM_OP_TEST(EmbeddingTest);

TEST_P(EmbeddingTest, ForwardAndBackward) {
  for (int64_t C : {1, 7, 16, 77}) {
    const Pair ids = integers({6}, {3, 0, 9, 3, 3, 8});
    const Pair table = random({10, C}), out = output({6, C}), dout = random({6, C});
    run(embedding_forward, [&](auto pick) {
      return EmbeddingForward{.out = pick(out), .ids = pick(ids), .table = pick(table)};
    });
    expect_close("out", out);
    EXPECT_EQ(element(out.target, 3, 0), element(table.target, 3, 0));
    for (bool accumulate : {true, false}) {
      const Pair dtable = accumulate ? random_stat({10, C}) : output_stat({10, C});
      run(embedding_backward, [&](auto pick) {
        return EmbeddingBackward{
            .dtable = pick(dtable), .ids = pick(ids), .dout = pick(dout), .accumulate = accumulate};
      });
      expect_close(accumulate ? "dtable, added" : "dtable, written", dtable);
    }
  }
}

TEST_P(EmbeddingTest, GradientMatchesDifferences) {
  const Pair ids = integers({4}, {1, 0, 1, 1}), table = random({3, 5}), out = output({4, 5});
  const Pair dout = random({4, 5}), dtable = filled({3, 5}, stat(), [](int64_t) { return 0; });
  auto forward = [&](Device& d) {
    embedding_forward(d, {.out = out.ref, .ids = ids.ref, .table = table.ref});
  };
  Device reference = Device::reference();
  embedding_backward(reference, {.dtable = dtable.ref, .ids = ids.ref, .dout = dout.ref});
  expect_gradient("dtable", table.ref, dtable.ref, out.ref, dout.ref, forward);
}

TEST_P(EmbeddingTest, BackwardIsTheSameForEveryNumberOfThreads) {
  if (GetParam().backend != Backend::cpu) return;
  std::vector<int32_t> tokens(100);
  for (int i = 0; i < 100; ++i) tokens[i] = i * i % 7;
  const Pair ids = integers({100}, tokens), dout = random({100, 53});
  const Pair one = filled({7, 53}, stat(), [](int64_t) { return 0; });
  const Pair many = filled({7, 53}, stat(), [](int64_t) { return 0; });
  Device single = Device::cpu(1);
  embedding_backward(single, {.dtable = one.target, .ids = ids.target, .dout = dout.target});
  embedding_backward(device_, {.dtable = many.target, .ids = ids.target, .dout = dout.target});
  EXPECT_EQ(std::memcmp(one.target.data, many.target.data, one.target.bytes()), 0);
}

TEST_P(EmbeddingTest, NamesTheFieldThatIsWrong) {
  const Pair ids = integers({2}, {0, 1}), table = random({3, 5}), out = output({2, 4});
  EXPECT_THROW(embedding_forward(device_, {.out = out.target, .ids = ids.target, .table = table.target}),
               Error);
  EXPECT_THROW(embedding_forward(device_, {.out = table.target, .ids = ids.target, .table = table.target}),
               Error);
  EXPECT_THROW(embedding_backward(device_, {.dtable = table.target, .ids = {}, .dout = out.target}), Error);
}

}  // namespace
}  // namespace fathom::testing
