#include "ops/cpu/matmul/gemm_batch.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace fathom::cpu {
namespace {

constexpr int64_t packing_elements = 1 << 15;  // of a packing task, about
constexpr double least_work = 1 << 19;         // multiply-adds of a compute task, about
constexpr int64_t col_limit = 512;             // columns of a compute task
constexpr int64_t skinny_unit = 64;            // columns of a skinny task are a multiple of this
constexpr double skinny_weight = 8;  // an element of B read by a skinny GEMM costs this many multiply-adds

int64_t parts(int64_t n, int64_t size) {
  return (n + size - 1) / size;
}
int64_t round_up(int64_t n, int64_t unit) {
  return parts(n, unit) * unit;
}

const std::byte* at(const Matrix& x, int64_t row, int64_t col) {
  const int64_t index = x.transposed ? col * x.row_stride + row : row * x.row_stride + col;
  return static_cast<const std::byte*>(x.data) + index * size_of(x.dtype);
}

template <class T>
void add_values(float* c, const T* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) c[i] += static_cast<float>(x[i]);
}
void add_values(float* c, const void* x, DType dtype, int64_t offset, int64_t n) {
  if (dtype == DType::bf16)
    add_values(c, static_cast<const bf16*>(x) + offset, n);
  else
    add_values(c, static_cast<const float*>(x) + offset, n);
}

// Initializes the f32 block that sums are added to; false if there is nothing to add to.
bool start_block(const Gemm& g, int64_t row, int64_t rows, int64_t col, int64_t cols, float* c,
                 int64_t stride, bool accumulator) {
  const bool load_c = accumulator && g.accumulate;
  if (!g.bias && !load_c) return g.accumulate;
  for (int64_t i = 0; i < rows; ++i, c += stride) {
    if (load_c)
      convert_to_f32(at({.data = g.c, .dtype = g.c_dtype, .row_stride = g.c_stride}, row + i, col), g.c_dtype,
                     1, cols, c);
    else if (!g.accumulate)
      std::fill_n(c, cols, 0.0f);
    if (g.bias) add_values(c, g.bias, g.bias_dtype, col, cols);
  }
  return true;
}

void finish_block(const Gemm& g, int64_t row, int64_t rows, int64_t col, int64_t cols,
                  const float* accumulator, int64_t stride) {
  for (int64_t i = 0; i < rows; ++i)
    convert_to_bf16(accumulator + i * stride, cols, static_cast<bf16*>(g.c) + (row + i) * g.c_stride + col);
}

}  // namespace

double GemmBatch::Block::work() const {
  const double columns = static_cast<double>(cols) * static_cast<double>(std::max<int64_t>(depth, 1));
  return columns * (kernel ? static_cast<double>(rows) : skinny_weight);
}

int64_t GemmBatch::Block::a_tasks() const {
  return parts(rows, a_rows);
}
int64_t GemmBatch::Block::b_tasks() const {
  return kernel ? parts(cols, b_cols) : 0;
}
int64_t GemmBatch::Block::col_tasks() const {
  return parts(cols, col_block);
}

void GemmBatch::Block::pack(int64_t task) const {
  if (!kernel) {
    const int64_t step = g->a.transposed ? g->a.row_stride : 1;
    convert_to_f32(at(g->a, task, 0), g->a.dtype, step, depth, reinterpret_cast<float*>(a) + task * depth);
  } else if (task < a_tasks()) {
    const int64_t i = task * a_rows;
    kernel->pack_a({.data = at(g->a, row + i, k),
                    .dtype = g->a.dtype,
                    .stride = g->a.row_stride,
                    .by_row = !g->a.transposed,
                    .rows = std::min(a_rows, rows - i),
                    .depth = depth},
                   a + i * padded_depth * kernel->element);
  } else {
    const int64_t j = (task - a_tasks()) * b_cols;
    kernel->pack_b({.data = at(g->b, k, col + j),
                    .dtype = g->b.dtype,
                    .stride = g->b.row_stride,
                    .by_row = g->b.transposed,
                    .rows = std::min(b_cols, cols - j),
                    .depth = depth},
                   b + j * padded_depth * kernel->element);
  }
}

void GemmBatch::Block::compute(int64_t task) const {
  const int64_t j = task % col_tasks() * col_block, n = std::min(col_block, cols - j);
  if (!kernel) return skinny_product(*g, reinterpret_cast<const float*>(a), j, j + n);
  const int64_t i = task / col_tasks() * row_block, m = std::min(row_block, rows - i);
  float* c = accumulator ? accumulator + i * cols + j
                         : static_cast<float*>(g->c) + (row + i) * g->c_stride + col + j;
  const int64_t stride = accumulator ? cols : g->c_stride;
  const bool add = !first || start_block(*g, row + i, m, col + j, n, c, stride, accumulator != nullptr);
  if (kernel->begin) kernel->begin();
  product(i, m, j, n, c, stride, add);
  if (kernel->end) kernel->end();
  if (accumulator && last) finish_block(*g, row + i, m, col + j, n, c, stride);
}

// Rows i.. and columns j.. of the block: panels of B by panels of A, one range of K after the other.
void GemmBatch::Block::product(int64_t i, int64_t m, int64_t j, int64_t n, float* c, int64_t c_stride,
                               bool add) const {
  const int64_t mr = kernel->mr, nr = kernel->nr, element = kernel->element;
  alignas(64) float edge[max_tile * max_tile];
  int64_t kb = 0;
  do {
    const int64_t kn = std::min(kernel->depth_block, padded_depth - kb);
    for (int64_t jr = 0; jr < n; jr += nr) {
      const std::byte* b_panel = b + ((j + jr) * padded_depth + kb * nr) * element;
      for (int64_t ir = 0; ir < m; ir += mr) {
        const std::byte* a_panel = a + ((i + ir) * padded_depth + kb * mr) * element;
        float* target = c + ir * c_stride + jr;
        const int64_t mn = std::min(mr, m - ir), nn = std::min(nr, n - jr);
        if (mn == mr && nn == nr) {
          kernel->tile(kn, a_panel, b_panel, target, c_stride, g->alpha, add);
          continue;
        }
        kernel->tile(kn, a_panel, b_panel, edge, nr, g->alpha, false);
        for (int64_t r = 0; r < mn; ++r)
          for (int64_t s = 0; s < nn; ++s)
            target[r * c_stride + s] = (add ? target[r * c_stride + s] : 0.0f) + edge[r * nr + s];
      }
    }
    kb += kn;
    add = true;
  } while (kb < padded_depth);
}

void GemmBatch::add(const Gemm& g, const BlockShape& shape) {
  if (g.M <= 0 || g.N <= 0) return;
  for (int64_t col = 0; col < g.N; col += shape.cols)
    for (int64_t row = 0; row < g.M; row += shape.rows)
      add_block(g, shape, row, std::min(shape.rows, g.M - row), col, std::min(shape.cols, g.N - col));
}

// A block whose K is sliced is alone in its rounds: each slice adds to the result of the previous one.
void GemmBatch::add_block(const Gemm& g, const BlockShape& shape, int64_t row, int64_t rows, int64_t col,
                          int64_t cols) {
  const bool k_slices = shape.depth < g.K;
  if (k_slices || count_ == static_cast<int>(blocks_.size()) || used_ + shape.bytes() > size_) run();
  float* accumulator =
      shape.accumulator_bytes ? reinterpret_cast<float*>(take(shape.accumulator_bytes)) : nullptr;
  const int64_t accumulator_end = used_, unit = shape.kernel ? shape.kernel->depth_unit : 1;
  int64_t k = 0;
  do {
    const int64_t depth = std::min(shape.depth, g.K - k);
    blocks_[count_++] = {.g = &g,
                         .kernel = shape.kernel,
                         .row = row,
                         .rows = rows,
                         .col = col,
                         .cols = cols,
                         .k = k,
                         .depth = depth,
                         .padded_depth = round_up(depth, unit),
                         .first = k == 0,
                         .last = k + depth >= g.K,
                         .a = take(shape.a_bytes),
                         .b = take(shape.b_bytes),
                         .accumulator = accumulator};
    k += depth;
    if (k_slices) {
      run();
      used_ = k < g.K ? accumulator_end : 0;
    }
  } while (k < g.K);
}

std::byte* GemmBatch::take(int64_t bytes) {
  assert(used_ + bytes <= size_);
  std::byte* block = pool_ + used_;
  used_ += bytes;
  return block;
}

// Tasks small enough that every thread gets several. The division of C does not influence its values.
void GemmBatch::cut_tasks() {
  double total = 0;
  for (int i = 0; i < count_; ++i) total += blocks_[i].work();
  const double share = std::max(total / (8.0 * threads_), least_work);
  int64_t packing = 0, compute = 0;
  for (int i = 0; i < count_; ++i) {
    Block& p = blocks_[i];
    if (p.kernel) {
      const int64_t height = std::max<int64_t>(packing_elements / std::max<int64_t>(p.depth, 1), 1);
      p.a_rows = round_up(height, p.kernel->mr), p.b_cols = round_up(height, p.kernel->nr);
      p.row_block = round_up(parts(p.rows, parts(p.rows, p.kernel->row_block)), p.kernel->mr);
      const double wanted = share * static_cast<double>(p.rows) / p.work() * static_cast<double>(p.cols) /
                            static_cast<double>(p.row_block);
      p.col_block = std::min(col_limit, round_up(static_cast<int64_t>(wanted) + 1, p.kernel->nr));
      compute += parts(p.rows, p.row_block) * p.col_tasks();
    } else {
      p.a_rows = 1;
      const double wanted = share * static_cast<double>(p.cols) / p.work();
      p.col_block = round_up(std::min(static_cast<int64_t>(wanted), p.cols) + 1, skinny_unit);
      compute += p.col_tasks();
    }
    packing += p.a_tasks() + p.b_tasks();
    p.packing_end = packing, p.compute_end = compute;
  }
}

void GemmBatch::run() {
  if (count_ > 0) {
    cut_tasks();
    const Block *begin = blocks_.data(), *end = begin + count_, *last = end - 1;
    const auto in_phase = [&](int64_t Block::*phase_end, int threads, const auto& body) {
      parallel_tasks(threads, last->*phase_end, [&](int, int64_t task) {
        const Block* p =
            std::upper_bound(begin, end, task, [&](int64_t t, const Block& q) { return t < q.*phase_end; });
        body(*p, task - (p == begin ? 0 : p[-1].*phase_end));
      });
    };
    int64_t packed = 0;
    for (const Block* p = begin; p < end; ++p) packed += (p->rows + (p->kernel ? p->cols : 0)) * p->depth;
    in_phase(&Block::packing_end, packed < packing_elements ? 1 : threads_,
             [](const Block& p, int64_t task) { p.pack(task); });
    in_phase(&Block::compute_end, threads_, [](const Block& p, int64_t task) { p.compute(task); });
  }
  count_ = 0;
  used_ = 0;
}

}  // namespace fathom::cpu
