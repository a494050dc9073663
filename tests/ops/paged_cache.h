// For tests of the paged latent cache.
#pragma once
#include "support/op_test.h"

namespace fathom::testing {

// A paged cache of sequences of the given lengths. Pages are handed out in a shuffled order; every slot and
// every table entry that no sequence owns is poison: NaN, and ids that do not exist.
struct Cache {
  Pair pages, block_table;
  std::vector<int64_t> row_of;  // for token t of sequence b, the row of pages: row_of[starts[b] + t]
};

class PagedCacheTest : public OpTest {
 protected:
  // Rows of `latent` are the tokens of all sequences, one after the other.
  Cache cache(const Pair& latent, const std::vector<int32_t>& lengths, int64_t page) {
    const int64_t width = latent.ref.cols(), B = static_cast<int64_t>(lengths.size());
    int64_t used = 0, longest = 0;
    for (int64_t length : lengths)
      used += (length + page - 1) / page, longest = std::max(longest, (length + page - 1) / page);
    const int64_t P = used + 3, max_pages = longest + 2;
    std::vector<int32_t> order(P), table(B * max_pages, -7);
    for (int64_t i = 0; i < P; ++i) order[i] = static_cast<int32_t>(i);
    for (int64_t i = P - 1; i > 0; --i) std::swap(order[i], order[rng_.below(i + 1)]);
    for (size_t i = 1; i < table.size(); i += 2) table[i] = 1 << 30;
    Cache c{.pages = output({P, page, width}), .block_table = {}, .row_of = {}};
    int64_t next = 0, token = 0;
    for (int64_t b = 0; b < B; ++b)
      for (int64_t t = 0; t < lengths[b]; ++t, ++token) {
        if (t % page == 0) table[b * max_pages + t / page] = order[next++];
        c.row_of.push_back(table[b * max_pages + t / page] * page + t % page);
        copy_row(latent, token, c.pages, c.row_of.back());
      }
    c.block_table = integers({B, max_pages}, table);
    return c;
  }

  static void copy_row(const Pair& from, int64_t i, const Pair& to, int64_t j) {
    for (int64_t c = 0; c < from.ref.cols(); ++c) {
      to.ref.row<double>(j)[c] = from.ref.row<double>(i)[c];
      if (from.target.dtype == DType::f32)
        to.target.row<float>(j)[c] = from.target.row<float>(i)[c];
      else
        to.target.row<bf16>(j)[c] = from.target.row<bf16>(i)[c];
    }
  }
};

}  // namespace fathom::testing
