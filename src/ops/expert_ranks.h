// Experts on R ranks: rank r holds experts r * E/R .. (r+1) * E/R - 1. A token is sent once to each rank that
// holds any expert of its choice. Slots, rows and nowhere are those of expert_sort.h, which gives the tokens
// that are sent their rows: with ranks as its experts.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// ranks[n,k] = the rank of expert ids[n,k], or nowhere if an earlier choice of the token is on the same rank
// or this one goes nowhere. choices[r] += how many of ids are experts of rank r.
struct ExpertRanks {
  Tensor ranks;         // [N, K] i32
  Tensor choices;       // [R] i32, +=
  Tensor ids;           // [N, K] i32: the expert of each slot, or nowhere
  int64_t experts = 0;  // E/R, those of a rank
};
// A sent token's choices as the rank r that receives it numbers them: for m = row_of[n,k] and every j,
// local[m,j] = ids[n,j] - r * E/R, or nowhere if that expert is on another rank.
struct ExpertRanksLocal {
  Tensor local;         // [S, K] i32
  Tensor ids;           // [N, K] i32
  Tensor row_of;        // [N, K] i32: rows 0 .. S-1, each once, where ExpertRanks gives a rank
  int64_t experts = 0;  // E/R
};

FATHOM_OP(expert_ranks, ExpertRanks)
FATHOM_OP(expert_ranks_local, ExpertRanksLocal)

}  // namespace fathom
