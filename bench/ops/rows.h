// The functions that make up ops_bench, one per file of bench/ops/.
#pragma once
#include "bench/bench.h"

namespace fathom::bench {

void attention_rows(Bench& b);
void experts_rows(Bench& b);
void gemm_rows(Bench& b);
void moe_rows(Bench& b);
void pointwise_rows(Bench& b);
void rmsnorm_rows(Bench& b);
void sample_rows(Bench& b);
void training_rows(Bench& b);

}  // namespace fathom::bench
