// wgmma, Hopper's asynchronous tensor core instruction: a warpgroup (four warps) multiplies 64 x 16 by 16 x N
// bf16 matrices. B is in shared memory, A there or in registers. Source: PTX ISA, "Asynchronous Warpgroup
// Level Matrix Multiply-Accumulate Instructions".
//
// Operands in shared memory have the 128-byte swizzle: rows of 64 contiguous elements (128 bytes), whose
// 16-byte chunks are permuted within every eight rows, so that neither TMA nor wgmma has bank conflicts. A
// tile of such rows is a box; it starts at a multiple of 1024 bytes, and wider rows take several boxes. The
// same box can be read K-major (its rows along K) or MN-major (its rows along M or N).
//
// Accumulators are laid out as those of mma.cuh: lane l of warp w holds rows 16 w + l / 4 and 8 further, and
// of every eight columns 2 (l % 4) and the next.
#pragma once
#include "ops/cuda/matmul/mma.cuh"

namespace fathom::cuda {

#ifdef __CUDA_ARCH_FEAT_SM90_ALL
constexpr bool compiled_for_sm90a = true;
#else
constexpr bool compiled_for_sm90a = false;  // kernels are empty there, and never launched
#endif

// Whether this GPU has wgmma.
inline bool has_wgmma(const Device& device) {
  return device.cuda_context().hopper();
}

constexpr int warpgroup_size = 4 * warp_size;
constexpr int swizzle_width = 64, swizzle_bytes = swizzle_width * sizeof(Bf16), swizzle_alignment = 1024;

// The first address that a box may start at; up to swizzle_alignment bytes further on.
__device__ inline Bf16* align_shared(void* shared) {
  return reinterpret_cast<Bf16*>((reinterpret_cast<uintptr_t>(shared) + swizzle_alignment - 1) &
                                 ~uintptr_t{swizzle_alignment - 1});
}

// Where the swizzle puts 16-byte chunk `chunk` of a row.
template <class T>
__device__ T* swizzled_chunk(T* box, int row, int chunk) {
  constexpr int chunk_elements = 16 / sizeof(T);
  return box + row * (swizzle_bytes / static_cast<int>(sizeof(T))) + (chunk ^ row % 8) * chunk_elements;
}

// Orders this thread's writes to shared memory before later accesses through the async proxy (wgmma, TMA); a
// barrier must follow.
__device__ inline void fence_proxy_async() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

// Stores four 8 x 8 matrices of a result, as packed by as_a_fragment(); lane l gives the address of row l % 8
// of matrix l / 8.
__device__ inline void stmatrix_x4(Bf16* p, const Fragment& f) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1,%2,%3,%4};" ::"r"(
                   static_cast<uint32_t>(__cvta_generic_to_shared(p))),
               "r"(f.r[0]), "r"(f.r[1]), "r"(f.r[2]), "r"(f.r[3])
               : "memory");
}

// The same of the transposed matrices: lane l gives the address of what is column l % 8 of matrix l / 8.
__device__ inline void stmatrix_x4_trans(Bf16* p, const Fragment& f) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1,%2,%3,%4};" ::"r"(
                   static_cast<uint32_t>(__cvta_generic_to_shared(p))),
               "r"(f.r[0]), "r"(f.r[1]), "r"(f.r[2]), "r"(f.r[3])
               : "memory");
}

// The matrix descriptor of an operand in boxes.
struct SmemDescriptor {
  uint64_t descriptor;

  // Rows of the boxes run along K.
  __device__ static SmemDescriptor k_major(const Bf16* first_row) { return {describe(first_row, 16)}; }
  // Rows run along M or N; boxes of `box_rows` rows each.
  __device__ static SmemDescriptor mn_major(const Bf16* box, int box_rows) {
    return {describe(box, box_rows * swizzle_bytes)};
  }
  // The same operand from `bytes` further on.
  __device__ SmemDescriptor operator+(int bytes) const { return {descriptor + (bytes >> 4)}; }

 private:
  __device__ static uint64_t describe(const Bf16* p, uint64_t leading_bytes) {
    constexpr uint64_t stride_bytes = 8 * swizzle_bytes, swizzle_128 = 1;
    const uint64_t address = __cvta_generic_to_shared(p);
    return (address & 0x3ffff) >> 4 | leading_bytes >> 4 << 16 | stride_bytes >> 4 << 32 | swizzle_128 << 62;
  }
};

// Byte offset of column k of K, a multiple of 16, in boxes of `box_rows` rows.
__device__ constexpr int k_major_offset(int k, int box_rows) {
  return k / swizzle_width * box_rows * swizzle_bytes + k % swizzle_width * static_cast<int>(sizeof(Bf16));
}
__device__ constexpr int mn_major_offset(int k) {
  return k * swizzle_bytes;
}

// wgmma.fence: orders register writes (accumulators, A fragments) before the wgmmas that follow.
__device__ inline void warpgroup_arrive() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
// Commits the wgmmas since the last commit as one group.
__device__ inline void warpgroup_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
// Waits until at most `groups` groups are in flight.
template <int groups>
__device__ void warpgroup_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(groups) : "memory");
}
// Keeps the compiler from moving uses of the accumulators above the wait for the wgmmas that write them.
template <int n>
__device__ void warpgroup_fence_operand(float (&c)[n][4]) {
#pragma unroll
  for (int i = 0; i < n; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j) asm volatile("" : "+f"(c[i][j])::"memory");
}

// Sets the warpgroup's registers per thread: inc waits until others have released enough, dec releases.
template <int registers>
__device__ void setmaxnreg_inc() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(registers));
}
template <int registers>
__device__ void setmaxnreg_dec() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(registers));
}

// Operand lists of the inline assembly: 32 accumulator registers per 64 columns, then the other operands.
#define FATHOM_D_8 "%0,%1,%2,%3"
#define FATHOM_D_16 FATHOM_D_8 ",%4,%5,%6,%7"
#define FATHOM_D_32 FATHOM_D_16 ",%8,%9,%10,%11,%12,%13,%14,%15"
#define FATHOM_D_0                                         \
  "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15," \
  "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31"
#define FATHOM_D_1                                                   \
  "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47," \
  "%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"
#define FATHOM_D_2                                                   \
  "%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79," \
  "%80,%81,%82,%83,%84,%85,%86,%87,%88,%89,%90,%91,%92,%93,%94,%95"
#define FATHOM_D_3                                                               \
  "%96,%97,%98,%99,%100,%101,%102,%103,%104,%105,%106,%107,%108,%109,%110,%111," \
  "%112,%113,%114,%115,%116,%117,%118,%119,%120,%121,%122,%123,%124,%125,%126,%127"
#define FATHOM_D_QUAD(i) "+f"(c[i][0]), "+f"(c[i][1]), "+f"(c[i][2]), "+f"(c[i][3])
#define FATHOM_D_OPERANDS(i)                                                                                \
  FATHOM_D_QUAD(i), FATHOM_D_QUAD(i + 1), FATHOM_D_QUAD(i + 2), FATHOM_D_QUAD(i + 3), FATHOM_D_QUAD(i + 4), \
      FATHOM_D_QUAD(i + 5), FATHOM_D_QUAD(i + 6), FATHOM_D_QUAD(i + 7)
#define FATHOM_WGMMA(columns) "wgmma.mma_async.sync.aligned.m64n" columns "k16.f32.bf16.bf16 "
#define FATHOM_WGMMA_SS(columns, registers, a_index, b_index, scale_d, a_major, b_major, ...)               \
  asm volatile("{.reg .pred p; setp.ne.b32 p, " scale_d                                                     \
               ", 0; " FATHOM_WGMMA(columns) "{" registers "}, " a_index ", " b_index ", p, 1, 1, " a_major \
                                             ", " b_major ";}"                                              \
               : __VA_ARGS__                                                                                \
               : "l"(a.descriptor), "l"(b.descriptor), "r"(static_cast<int>(accumulate)),                   \
                 "n"(static_cast<int>(a_mn_major)), "n"(static_cast<int>(b_mn_major)))
#define FATHOM_WGMMA_RS(columns, registers, a0, a1, a2, a3, b_index, scale_d, b_major, ...)             \
  asm volatile("{.reg .pred p; setp.ne.b32 p, " scale_d                                                 \
               ", 0; " FATHOM_WGMMA(columns) "{" registers "}, {" a0 "," a1 "," a2 "," a3 "}, " b_index \
                                             ", p, 1, 1, " b_major ";}"                                 \
               : __VA_ARGS__                                                                            \
               : "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "l"(b.descriptor),                 \
                 "r"(static_cast<int>(accumulate)), "n"(static_cast<int>(b_mn_major)))

// c (+)= a b with A and B in shared memory (SS); N is 8, 16, 32, 64, 128, 192 or 256.
template <bool a_mn_major, bool b_mn_major, int n8>
__device__ void wgmma(float (&c)[n8][4], SmemDescriptor a, SmemDescriptor b, bool accumulate) {
  if constexpr (n8 == 1)
    FATHOM_WGMMA_SS("8", FATHOM_D_8, "%4", "%5", "%6", "%7", "%8", FATHOM_D_QUAD(0));
  else if constexpr (n8 == 2)
    FATHOM_WGMMA_SS("16", FATHOM_D_16, "%8", "%9", "%10", "%11", "%12", FATHOM_D_QUAD(0), FATHOM_D_QUAD(1));
  else if constexpr (n8 == 4)
    FATHOM_WGMMA_SS("32", FATHOM_D_32, "%16", "%17", "%18", "%19", "%20", FATHOM_D_QUAD(0), FATHOM_D_QUAD(1),
                    FATHOM_D_QUAD(2), FATHOM_D_QUAD(3));
  else if constexpr (n8 == 8)
    FATHOM_WGMMA_SS("64", FATHOM_D_0, "%32", "%33", "%34", "%35", "%36", FATHOM_D_OPERANDS(0));
  else if constexpr (n8 == 16)
    FATHOM_WGMMA_SS("128", FATHOM_D_0 "," FATHOM_D_1, "%64", "%65", "%66", "%67", "%68", FATHOM_D_OPERANDS(0),
                    FATHOM_D_OPERANDS(8));
  else if constexpr (n8 == 24)
    FATHOM_WGMMA_SS("192", FATHOM_D_0 "," FATHOM_D_1 "," FATHOM_D_2, "%96", "%97", "%98", "%99", "%100",
                    FATHOM_D_OPERANDS(0), FATHOM_D_OPERANDS(8), FATHOM_D_OPERANDS(16));
  else if constexpr (n8 == 32)
    FATHOM_WGMMA_SS("256", FATHOM_D_0 "," FATHOM_D_1 "," FATHOM_D_2 "," FATHOM_D_3, "%128", "%129", "%130",
                    "%131", "%132", FATHOM_D_OPERANDS(0), FATHOM_D_OPERANDS(8), FATHOM_D_OPERANDS(16),
                    FATHOM_D_OPERANDS(24));
  else
    static_assert(n8 == 0, "no wgmma for this N");
}

// c (+)= a b with A in registers (RS); N is 64, 128, 192 or 256.
template <bool b_mn_major, int n8>
__device__ void wgmma(float (&c)[n8][4], const Fragment& a, SmemDescriptor b, bool accumulate = true) {
  if constexpr (n8 == 8)
    FATHOM_WGMMA_RS("64", FATHOM_D_0, "%32", "%33", "%34", "%35", "%36", "%37", "%38", FATHOM_D_OPERANDS(0));
  else if constexpr (n8 == 16)
    FATHOM_WGMMA_RS("128", FATHOM_D_0 "," FATHOM_D_1, "%64", "%65", "%66", "%67", "%68", "%69", "%70",
                    FATHOM_D_OPERANDS(0), FATHOM_D_OPERANDS(8));
  else if constexpr (n8 == 24)
    FATHOM_WGMMA_RS("192", FATHOM_D_0 "," FATHOM_D_1 "," FATHOM_D_2, "%96", "%97", "%98", "%99", "%100",
                    "%101", "%102", FATHOM_D_OPERANDS(0), FATHOM_D_OPERANDS(8), FATHOM_D_OPERANDS(16));
  else if constexpr (n8 == 32)
    FATHOM_WGMMA_RS("256", FATHOM_D_0 "," FATHOM_D_1 "," FATHOM_D_2 "," FATHOM_D_3, "%128", "%129", "%130",
                    "%131", "%132", "%133", "%134", FATHOM_D_OPERANDS(0), FATHOM_D_OPERANDS(8),
                    FATHOM_D_OPERANDS(16), FATHOM_D_OPERANDS(24));
  else
    static_assert(n8 == 0, "no wgmma for this N");
}

#undef FATHOM_D_8
#undef FATHOM_D_16
#undef FATHOM_D_32
#undef FATHOM_D_0
#undef FATHOM_D_1
#undef FATHOM_D_2
#undef FATHOM_D_3
#undef FATHOM_D_QUAD
#undef FATHOM_D_OPERANDS
#undef FATHOM_WGMMA
#undef FATHOM_WGMMA_SS
#undef FATHOM_WGMMA_RS

}  // namespace fathom::cuda
