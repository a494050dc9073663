#include "ops/absorb.h"

#include "ops/linear.h"
#include "support/op_test.h"

namespace fathom::testing {
namespace {

class AbsorbTest : public OpTest {};
FATHOM_OP_TEST(AbsorbTest);

TEST_P(AbsorbTest, QueryAndOutput) {
  const int64_t Dn = 11, Dr = 6, Dv = 9;
  for (int64_t N : {0, 1, 5, 18})
    for (int64_t H : {1, 3})
      for (int64_t Rkv : {1, 33, 64}) {
        const Pair kv_b = random({H, Dn + Dv, Rkv}), q = random({N, H, Dn + Dr}), ctx = random({N, H, Rkv});
        const Pair q_latent = output({N, H, Rkv}), out = output({N, H, Dv});
        run(absorb_query, [&](auto pick) {
          return AbsorbQuery{
              .q_latent = pick(q_latent), .q_nope = pick(columns(q, 0, Dn)), .kv_b = pick(kv_b)};
        });
        expect_close("q_latent", q_latent);
        run(absorb_output,
            [&](auto pick) { return AbsorbOutput{.out = pick(out), .ctx = pick(ctx), .kv_b = pick(kv_b)}; });
        expect_close("out", out);
        const Pair added = random({N, H, Dv});
        run(absorb_output, [&](auto pick) {
          return AbsorbOutput{.out = pick(added), .ctx = pick(ctx), .kv_b = pick(kv_b), .accumulate = true};
        });
        expect_close("out, added", added);
      }
}

// q . (W_UK c) == (W_UK^T q) . c: what absorption rests on.
TEST_P(AbsorbTest, MovesTheProjectionToTheQuery) {
  const int64_t Dn = 5, Dv = 4, Rkv = 7;
  const Pair kv_b = random({1, Dn + Dv, Rkv}), q = random({1, 1, Dn}), c = random({1, Rkv});
  const Pair latent = output({1, 1, Rkv}), kv = output({1, Dn + Dv});
  Device reference = Device::reference();
  absorb_query(reference, {.q_latent = latent.ref, .q_nope = q.ref, .kv_b = kv_b.ref});
  linear_forward(reference, {.out = kv.ref, .x = c.ref, .w = kv_b.ref[0]});
  double absorbed = 0, expanded = 0;
  for (int64_t r = 0; r < Rkv; ++r) absorbed += latent.ref.as<double>()[r] * c.ref.as<double>()[r];
  for (int64_t d = 0; d < Dn; ++d) expanded += kv.ref.as<double>()[d] * q.ref.as<double>()[d];
  EXPECT_NEAR(absorbed, expanded, 1e-12);
}

TEST_P(AbsorbTest, NamesTheFieldThatIsWrong) {
  const Tensor kv_b = random({2, 6, 8}).target, q = random({3, 2, 4}).target, wide = random({3, 2, 7}).target;
  const Tensor latent = output({3, 2, 8}).target;
  EXPECT_THROW(absorb_query(device_, {.q_latent = latent, .q_nope = wide, .kv_b = kv_b}), Error);
  EXPECT_THROW(absorb_query(device_, {.q_latent = q, .q_nope = q, .kv_b = kv_b}), Error);
  EXPECT_THROW(absorb_output(device_, {.out = wide, .ctx = latent, .kv_b = kv_b}), Error);
  EXPECT_THROW(absorb_output(device_, {.out = q, .ctx = q, .kv_b = kv_b}), Error);
}

}  // namespace
}  // namespace fathom::testing
