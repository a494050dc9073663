// Hopper's own tensor core instruction: the four warps of a warpgroup multiply 64 x 16 by 16 x N bf16
// matrices, the right one in shared memory, the left one there or in registers, while they go on. Source: PTX
// ISA, "Asynchronous Warpgroup Level Matrix Multiply-Accumulate".
//
// Operands lie in boxes: lines of 64 contiguous elements (128 bytes), whose 16-byte chunks are permuted
// within every eight lines (the 128-byte swizzle), so that neither copies nor products meet in a bank. A box
// starts at a multiple of 1024 bytes; wider rows take several boxes. One box serves both ways: its lines
// along the depth, or across it.
//
// Sums are laid out as those of mma.cuh: lane l of warp w has rows 16 w + l / 4 and 8 further, of every eight
// columns 2 (l % 4) and the next.
#pragma once
#include "ops/cuda/matmul/mma.cuh"

namespace fathom::cuda {

#ifdef __CUDA_ARCH_FEAT_SM90_ALL
constexpr bool wgmma_here = true;
#else
constexpr bool wgmma_here = false;  // a kernel's other versions are never launched
#endif

// Whether this GPU has the instruction.
inline bool has_wgmma(const Device& device) {
  return device.cuda_context().hopper();
}

constexpr int warpgroup_size = 4 * warp_size;
constexpr int box_width = 64, box_line_bytes = box_width * sizeof(Bf16), box_alignment = 1024;

// Where the first box may lie in shared memory that has box_alignment bytes to spare.
__device__ inline Bf16* first_box(void* shared) {
  return reinterpret_cast<Bf16*>((reinterpret_cast<uintptr_t>(shared) + box_alignment - 1) &
                                 ~uintptr_t{box_alignment - 1});
}

// Chunk (16 bytes) `chunk` of a line of a box.
template <class T>
__device__ T* chunk_of(T* box, int line, int chunk) {
  constexpr int in_chunk = 16 / sizeof(T);
  return box + line * (box_line_bytes / static_cast<int>(sizeof(T))) + (chunk ^ line % 8) * in_chunk;
}

// What this thread wrote to shared memory becomes visible to the products, and to the copy engine, that
// follow the next barrier.
__device__ inline void publish_boxes() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

// Four matrices of 8 x 8 of a result, as as_left() packs them; lane l says where row l % 8 of matrix l / 8
// goes.
__device__ inline void store_matrices(Bf16* p, const Fragment4& f) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1,%2,%3,%4};" ::"r"(
                   static_cast<uint32_t>(__cvta_generic_to_shared(p))),
               "r"(f.r[0]), "r"(f.r[1]), "r"(f.r[2]), "r"(f.r[3])
               : "memory");
}

// An operand in boxes of `lines` lines each, as the instruction wants it described.
struct BoxOperand {
  uint64_t descriptor;

  // Lines are the operand's rows (of the left) or columns (of the right), the depth runs along them.
  __device__ static BoxOperand along_depth(const Bf16* first_line) { return {describe(first_line, 16)}; }
  // Lines are steps of depth.
  __device__ static BoxOperand across_depth(const Bf16* box, int lines) {
    return {describe(box, lines * box_line_bytes)};
  }
  // So many bytes further.
  __device__ BoxOperand operator+(int bytes) const { return {descriptor + (bytes >> 4)}; }

 private:
  __device__ static uint64_t describe(const Bf16* p, uint64_t box_bytes) {
    constexpr uint64_t eight_lines = 8 * box_line_bytes, swizzle_128 = 1;
    const uint64_t address = __cvta_generic_to_shared(p);
    return (address & 0x3ffff) >> 4 | box_bytes >> 4 << 16 | eight_lines >> 4 << 32 | swizzle_128 << 62;
  }
};

// The step from a depth of 16 to the next, in bytes, of boxes of `lines` lines.
__device__ constexpr int step_along(int k, int lines) {
  return k / box_width * lines * box_line_bytes + k % box_width * static_cast<int>(sizeof(Bf16));
}
__device__ constexpr int step_across(int k) {
  return k * box_line_bytes;
}

// Sums, and left operands in registers, were written before the products that follow.
__device__ inline void products_begin() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
// Closes a group of products.
__device__ inline void products_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
// Waits until at most so many groups are on their way.
template <int groups>
__device__ void products_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(groups) : "memory");
}
// Holds the compiler from using values that products may be writing: call it after the wait for them.
template <int n>
__device__ void products_written(float (&c)[n][4]) {
#pragma unroll
  for (int i = 0; i < n; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j) asm volatile("" : "+f"(c[i][j])::"memory");
}

// This warpgroup goes on with so many registers a thread, which others have given, or gives those above.
template <int registers>
__device__ void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(registers));
}
template <int registers>
__device__ void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(registers));
}

// The instruction's many registers, in text: 32 sums for every 64 columns, then the operands from number `a`
// on.
#define FATHOM_REGISTERS_0                                 \
  "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15," \
  "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31"
#define FATHOM_REGISTERS_1                                           \
  "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47," \
  "%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"
#define FATHOM_REGISTERS_2                                           \
  "%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79," \
  "%80,%81,%82,%83,%84,%85,%86,%87,%88,%89,%90,%91,%92,%93,%94,%95"
#define FATHOM_REGISTERS_3                                                       \
  "%96,%97,%98,%99,%100,%101,%102,%103,%104,%105,%106,%107,%108,%109,%110,%111," \
  "%112,%113,%114,%115,%116,%117,%118,%119,%120,%121,%122,%123,%124,%125,%126,%127"
#define FATHOM_QUAD(i) "+f"(c[i][0]), "+f"(c[i][1]), "+f"(c[i][2]), "+f"(c[i][3])
#define FATHOM_SUMS(i)                                                                            \
  FATHOM_QUAD(i), FATHOM_QUAD(i + 1), FATHOM_QUAD(i + 2), FATHOM_QUAD(i + 3), FATHOM_QUAD(i + 4), \
      FATHOM_QUAD(i + 5), FATHOM_QUAD(i + 6), FATHOM_QUAD(i + 7)
#define FATHOM_INSTRUCTION(columns) "wgmma.mma_async.sync.aligned.m64n" columns "k16.f32.bf16.bf16 "
#define FATHOM_SHARED_BY_SHARED(columns, registers, a, b, add, a_way, b_way, ...)                   \
  asm volatile("{.reg .pred p; setp.ne.b32 p, " add                                                 \
               ", 0; " FATHOM_INSTRUCTION(columns) "{" registers "}, " a ", " b ", p, 1, 1, " a_way \
                                                   ", " b_way ";}"                                  \
               : __VA_ARGS__                                                                        \
               : "l"(left.descriptor), "l"(right.descriptor), "r"(static_cast<int>(add_to)),        \
                 "n"(static_cast<int>(left_across)), "n"(static_cast<int>(right_across)))
#define FATHOM_REGISTERS_BY_SHARED(columns, registers, a0, a1, a2, a3, b, b_way, ...)                   \
  asm volatile(FATHOM_INSTRUCTION(columns) "{" registers "}, {" a0 "," a1 "," a2 "," a3 "}, " b         \
                                           ", 1, 1, 1, " b_way ";"                                      \
               : __VA_ARGS__                                                                            \
               : "r"(left.r[0]), "r"(left.r[1]), "r"(left.r[2]), "r"(left.r[3]), "l"(right.descriptor), \
                 "n"(static_cast<int>(right_across)))

// c = a b, added to c if `add_to`; 64, 128, 192 or 256 columns. *_across: that operand's lines are steps of
// depth.
template <bool left_across, bool right_across, int eighths>
__device__ void multiply(float (&c)[eighths][4], BoxOperand left, BoxOperand right, bool add_to) {
  if constexpr (eighths == 8)
    FATHOM_SHARED_BY_SHARED("64", FATHOM_REGISTERS_0, "%32", "%33", "%34", "%35", "%36", FATHOM_SUMS(0));
  else if constexpr (eighths == 16)
    FATHOM_SHARED_BY_SHARED("128", FATHOM_REGISTERS_0 "," FATHOM_REGISTERS_1, "%64", "%65", "%66", "%67",
                            "%68", FATHOM_SUMS(0), FATHOM_SUMS(8));
  else if constexpr (eighths == 24)
    FATHOM_SHARED_BY_SHARED("192", FATHOM_REGISTERS_0 "," FATHOM_REGISTERS_1 "," FATHOM_REGISTERS_2, "%96",
                            "%97", "%98", "%99", "%100", FATHOM_SUMS(0), FATHOM_SUMS(8), FATHOM_SUMS(16));
  else if constexpr (eighths == 32)
    FATHOM_SHARED_BY_SHARED(
        "256", FATHOM_REGISTERS_0 "," FATHOM_REGISTERS_1 "," FATHOM_REGISTERS_2 "," FATHOM_REGISTERS_3,
        "%128", "%129", "%130", "%131", "%132", FATHOM_SUMS(0), FATHOM_SUMS(8), FATHOM_SUMS(16),
        FATHOM_SUMS(24));
  else
    static_assert(eighths == 0, "no instruction for so many columns");
}

// c += a b.
template <bool right_across, int eighths>
__device__ void multiply(float (&c)[eighths][4], const Fragment4& left, BoxOperand right) {
  if constexpr (eighths == 8)
    FATHOM_REGISTERS_BY_SHARED("64", FATHOM_REGISTERS_0, "%32", "%33", "%34", "%35", "%36", "%37",
                               FATHOM_SUMS(0));
  else if constexpr (eighths == 16)
    FATHOM_REGISTERS_BY_SHARED("128", FATHOM_REGISTERS_0 "," FATHOM_REGISTERS_1, "%64", "%65", "%66", "%67",
                               "%68", "%69", FATHOM_SUMS(0), FATHOM_SUMS(8));
  else if constexpr (eighths == 24)
    FATHOM_REGISTERS_BY_SHARED("192", FATHOM_REGISTERS_0 "," FATHOM_REGISTERS_1 "," FATHOM_REGISTERS_2, "%96",
                               "%97", "%98", "%99", "%100", "%101", FATHOM_SUMS(0), FATHOM_SUMS(8),
                               FATHOM_SUMS(16));
  else
    static_assert(eighths == 0, "no instruction for so many columns");
}

#undef FATHOM_REGISTERS_0
#undef FATHOM_REGISTERS_1
#undef FATHOM_REGISTERS_2
#undef FATHOM_REGISTERS_3
#undef FATHOM_QUAD
#undef FATHOM_SUMS
#undef FATHOM_INSTRUCTION
#undef FATHOM_SHARED_BY_SHARED
#undef FATHOM_REGISTERS_BY_SHARED

}  // namespace fathom::cuda
