// ops_bench [FILTER] [DEVICE]: the table of all ops, on the CPU or on "cuda". OMP_NUM_THREADS and FATHOM_CPU
// have their usual meaning.
#include "bench/ops/rows.h"

int main(int argc, char** argv) {
  using namespace fathom::bench;
  Bench bench(argc > 1 ? argv[1] : "", argc > 2 ? argv[2] : "cpu");
  for (auto rows : {
           attention_rows,
           experts_rows,
           gemm_rows,
           moe_rows,
           pointwise_rows,
           rmsnorm_rows,
           sample_rows,
           training_rows,
       }) {
    rows(bench);
    bench.clear();
  }
}
