#include "ops/attention_merge.h"

#include <gmock/gmock.h>

#include "ops/attention.h"
#include "support/op_test.h"

namespace fathom::testing {
namespace {

class AttentionMergeTest : public OpTest {
 protected:
  using Ints = std::vector<int32_t>;

  // A head's sizes and the columns of a latent before the rotary part.
  struct Heads {
    int64_t H, Dn, Dr, Dv, latent;
  };

  // The keys of some sequences, each divided into parts: sizes[i][b] keys of sequence b are in part i.
  struct Parts {
    std::vector<Ints> sizes;
    Ints total() const {
      Ints sum(sizes[0].size(), 0);
      for (const Ints& part : sizes)
        for (size_t b = 0; b < sum.size(); ++b) sum[b] += part[b];
      return sum;
    }
  };

  static Ints starts_of(const Ints& sizes) {
    Ints starts = {0};
    for (const int32_t n : sizes) starts.push_back(starts.back() + n);
    return starts;
  }
  Pair starts_pair(const Ints& sizes) {
    return integers({static_cast<int64_t>(sizes.size()) + 1}, starts_of(sizes));
  }

  // Rows of all sequences' parts number i, one sequence after the other; the order of `all` is by sequence.
  Pair rows_of_part(const Pair& all, const Parts& parts, size_t i) {
    const Ints whole = starts_of(parts.total());
    std::vector<int64_t> from;
    for (size_t b = 0; b + 1 < whole.size(); ++b) {
      int64_t row = whole[b];
      for (size_t before = 0; before < i; ++before) row += parts.sizes[before][b];
      for (int32_t n = 0; n < parts.sizes[i][b]; ++n) from.push_back(row + n);
    }
    const int64_t entry = all.ref.count() / std::max<int64_t>(all.ref.shape[0], 1);
    const auto at = [&](int64_t j) { return from[j / entry] * entry + j % entry; };
    const auto M = static_cast<int64_t>(from.size());
    const Pair flat{all.ref.reshape({all.ref.count()}), all.target.reshape({all.target.count()})};
    Pair part = filled({M, all.ref.rank == 3 ? all.ref.shape[1] : 1, all.ref.cols()}, any(),
                       [&](int64_t j) { return element(flat.target, 0, at(j)); });
    if (all.ref.rank == 2)
      part = {part.ref.reshape({M, all.ref.cols()}), part.target.reshape({M, all.ref.cols()})};
    return part;
  }

  // Of queries without keys, -infinity on both sides.
  void expect_lse_close(const char* name, const Pair& lse) {
    const Pair finite = output_stat({lse.ref.shape[0], lse.ref.cols()});
    for (int64_t n = 0; n < lse.ref.rows(); ++n)
      for (int64_t h = 0; h < lse.ref.cols(); ++h) {
        const bool none = element(lse.ref, n, h) == -INFINITY;
        ASSERT_EQ(element(lse.target, n, h) == -INFINITY, none) << name << " at " << n << ", " << h;
        finite.ref.row<double>(n)[h] = none ? 0 : element(lse.ref, n, h);
        finite.target.row<float>(n)[h] = none ? 0 : static_cast<float>(element(lse.target, n, h));
      }
    expect_close(name, finite);
  }

  // Queries of sequences that see all keys, or causally with their own keys in the last part: attention part
  // by part, merged, against attention to all keys at once in the reference.
  void expect_merged(const Heads& z, const Ints& queries, const Parts& parts, bool causal) {
    const Ints keys = parts.total();
    const int64_t N = starts_of(queries).back(), M = starts_of(keys).back();
    const double scale = 1.5 / std::sqrt(static_cast<double>(z.Dn + z.Dr));
    const Pair q = random({N, z.H, z.Dn + z.Dr}), kv = random({M, z.H, z.Dn + z.Dv});
    const Pair rope = random({M, z.latent + z.Dr}), q_starts = starts_pair(queries);
    const Pair out = output({N, z.H, z.Dv}), lse = output_stat({N, z.H});
    const Pair merged = output_stat({N, z.H, z.Dv}), merged_lse = output_stat({N, z.H});
    const auto attend = [&](auto pick, const Pair& kv_part, const Pair& rope_part, const Pair& starts,
                            bool mask) {
      return AttentionForward{.out = pick(out),
                              .lse = pick(lse),
                              .q = pick(q),
                              .kv = pick(kv_part),
                              .k_rope = pick(columns(rope_part, z.latent, z.Dr)),
                              .q_starts = pick(q_starts),
                              .kv_starts = pick(starts),
                              .scale = scale,
                              .causal = mask};
    };
    for (size_t i = 0; i < parts.sizes.size(); ++i) {
      const bool last = i + 1 == parts.sizes.size();
      const Pair kv_part = rows_of_part(kv, parts, i), rope_part = rows_of_part(rope, parts, i);
      const Pair starts = starts_pair(parts.sizes[i]);
      run(attention_forward,
          [&](auto pick) { return attend(pick, kv_part, rope_part, starts, causal && last); });
      expect_close("a part's out", out);
      expect_lse_close("a part's lse", lse);
      run(attention_merge, [&](auto pick) {
        return AttentionMerge{.merged = pick(merged),
                              .merged_lse = pick(merged_lse),
                              .part = pick(out),
                              .part_lse = pick(lse),
                              .out = last ? pick(out) : Tensor(),
                              .first = i == 0};
      });
      if (last) break;
      // Parts are rounded to the activation type before they are merged.
      EXPECT_LE(relative_error(merged.target, merged.ref), tolerance(any())) << "merged";
      expect_lse_close("merged lse", merged_lse);
    }
    expect_close("out", out);
    // At once, in the reference; then its parts must have given the same.
    const Tensor in_parts = out.ref;
    const Pair at_once = output({N, z.H, z.Dv});
    AttentionForward a = attend([](const Pair& p) { return p.ref; }, kv, rope, starts_pair(keys), causal);
    a.out = at_once.ref;
    Device reference = Device::reference();
    attention_forward(reference, a);
    EXPECT_LE(relative_error(in_parts, at_once.ref), 1e-12);
  }
};
FATHOM_OP_TEST(AttentionMergeTest);

TEST_P(AttentionMergeTest, PartsOfAPrefix) {
  const AttentionMergeTest::Heads odd = {3, 24, 8, 16, 7}, no_vector = {2, 5, 3, 7, 1};
  for (const auto& z : {odd, no_vector}) {
    expect_merged(z, {70}, {{{130}, {33}, {75}}}, true);
    expect_merged(z, {5, 1, 64}, {{{200, 0, 1}, {0, 31, 70}, {6, 1, 64}}}, true);
    expect_merged(z, {5, 1, 64}, {{{1, 2, 3}}}, false);
  }
}

// Heads of DeepSeek-V2 and of the small recipes, in aligned rows: the kernels with tensor cores.
TEST_P(AttentionMergeTest, HeadsOfTheModels) {
  const AttentionMergeTest::Heads v2 = {2, 128, 64, 128, 16}, moe = {3, 64, 32, 64, 16},
                                  small = {2, 32, 16, 32, 16};
  for (const auto& z : {v2, moe, small}) {
    expect_merged(z, {65}, {{{64}, {63}, {65}, {130}}}, true);
    expect_merged(z, {200, 3, 0, 1, 129}, {{{300, 0, 5, 0, 0}, {1, 0, 0, 65, 0}, {200, 7, 0, 1, 190}}}, true);
    expect_merged(z, {130, 64}, {{{1, 70}, {64, 0}, {2, 3}}}, false);
  }
}

TEST_P(AttentionMergeTest, QueriesWithoutKeys) {
  const AttentionMergeTest::Heads odd = {3, 24, 8, 16, 7}, v2 = {2, 128, 64, 128, 16};
  for (const auto& z : {odd, v2}) {
    expect_merged(z, {4, 70, 0}, {{{0, 0, 0}, {0, 9, 0}, {5, 0, 3}, {0, 0, 0}}}, false);
    const Pair q = random({66, z.H, z.Dn + z.Dr}), kv = random({0, z.H, z.Dn + z.Dv});
    const Pair rope = random({0, z.Dr}), q_starts = starts_pair({66}), starts = starts_pair({0});
    const Pair out = output({66, z.H, z.Dv}), lse = output_stat({66, z.H});
    run(attention_forward, [&](auto pick) {
      return AttentionForward{.out = pick(out),
                              .lse = pick(lse),
                              .q = pick(q),
                              .kv = pick(kv),
                              .k_rope = pick(rope),
                              .q_starts = pick(q_starts),
                              .kv_starts = pick(starts),
                              .causal = false};
    });
    for (int64_t r = 0; r < out.target.rows(); ++r)
      for (int64_t c = 0; c < z.Dv; ++c) ASSERT_EQ(element(out.target, r, c), 0) << r << ", " << c;
    for (int64_t n = 0; n < 66; ++n)
      for (int64_t h = 0; h < z.H; ++h) ASSERT_EQ(element(lse.target, n, h), -INFINITY) << n << ", " << h;
  }
}

// What has no keys is not read, however large or broken; sums far apart do not overflow.
TEST_P(AttentionMergeTest, WeightsByTheSums) {
  const int64_t N = 3, H = 2;
  for (const int64_t Dv : {5, 16}) {
    const Pair merged = random_stat({N, H, Dv}), part = random({N, H, Dv}), out = output({N, H, Dv});
    const Ints before = {0, 3, 1, 0, 2, 3}, more = {1, 0, 2, 0, 1, 3};
    const double lse[] = {-INFINITY, 900, -700, 0.5};
    const Pair merged_lse = filled({N, H}, stat(), [&](int64_t i) { return lse[before[i]]; });
    const Pair part_lse = filled({N, H}, stat(), [&](int64_t i) { return lse[more[i]]; });
    for (int64_t r = 0; r < N * H; ++r)
      for (int64_t c = 0; c < Dv; ++c) {
        if (before[r] == 0)  // an earlier merge of nothing leaves zeros
          merged.ref.row<double>(r)[c] = merged.target.row<float>(r)[c] = more[r] == 0 ? 0.0f : NAN;
        if (more[r] > 0) continue;
        part.ref.row<double>(r)[c] = NAN;
        if (any() == DType::f32) part.target.row<float>(r)[c] = NAN;
        if (any() == DType::bf16) part.target.row<bf16>(r)[c] = bf16(NAN);
      }
    const auto arguments = [&](auto pick, bool into_out) {
      return AttentionMerge{.merged = pick(merged),
                            .merged_lse = pick(merged_lse),
                            .part = pick(part),
                            .part_lse = pick(part_lse),
                            .out = into_out ? pick(out) : Tensor()};
    };
    run(attention_merge, [&](auto pick) { return arguments(pick, true); });
    expect_close("out", out);
    run(attention_merge, [&](auto pick) { return arguments(pick, false); });
    expect_close("merged", merged);
    expect_lse_close("merged lse", merged_lse);
  }
}

TEST_P(AttentionMergeTest, NamesTheFieldThatIsWrong) {
  const Pair merged = random_stat({4, 3, 8}), lse = random_stat({4, 3}), part = random({4, 3, 8});
  const auto refuses = [&](const char* words, auto change) {
    AttentionMerge a{
        .merged = merged.target, .merged_lse = lse.target, .part = part.target, .part_lse = lse.target};
    change(a);
    EXPECT_THAT([&] { attention_merge(device_, a); },
                ::testing::ThrowsMessage<Error>(::testing::HasSubstr(words)));
  };
  refuses("attention_merge merged ", [](auto& a) { a.merged = a.merged.slice(0, 3); });
  refuses("attention_merge merged_lse ", [](auto& a) { a.merged_lse = {}; });
  refuses("attention_merge part_lse ", [](auto& a) { a.part_lse = a.part_lse.columns(0, 2); });
  refuses("attention_merge out ", [](auto& a) { a.out = a.part.columns(0, 7); });
}

}  // namespace
}  // namespace fathom::testing
