#include "ops/absorb.h"

namespace fathom {

void absorb_query(Device& device, const AbsorbQuery& a) {
  Dim N{"N"}, H{"H"}, Dn{"Dn"}, Rkv{"Rkv"}, rows{"Dn+Dv"};
  expect("absorb q_nope", a.q_nope, {N, H, Dn});
  expect("absorb kv_b", a.kv_b, {H, rows, Rkv}, a.q_nope.dtype);
  expect("absorb q_latent", a.q_latent, {N, H, Rkv}, a.q_nope.dtype);
  check(rows >= Dn, "absorb kv_b has {} rows per head, fewer than q_nope's {} columns", rows.size(),
        Dn.size());
  FATHOM_DISPATCH(absorb_query, device, a, moves(a.q_latent, a.q_nope) + moves(a.kv_b) * Dn / rows,
                  2.0 * N * H * Dn * Rkv)
}

void absorb_output(Device& device, const AbsorbOutput& a) {
  Dim N{"N"}, H{"H"}, Dv{"Dv"}, Rkv{"Rkv"}, rows{"Dn+Dv"};
  expect("absorb ctx", a.ctx, {N, H, Rkv});
  expect("absorb kv_b", a.kv_b, {H, rows, Rkv}, a.ctx.dtype);
  expect("absorb out", a.out, {N, H, Dv}, a.ctx.dtype);
  check(rows >= Dv, "absorb kv_b has {} rows per head, fewer than out's {} columns", rows.size(), Dv.size());
  FATHOM_DISPATCH(absorb_output, device, a,
                  (a.accumulate ? 2 : 1) * moves(a.out) + moves(a.ctx) + moves(a.kv_b) * Dv / rows,
                  2.0 * N * H * Dv * Rkv)
}

}  // namespace fathom
