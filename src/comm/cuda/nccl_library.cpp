#include "comm/cuda/nccl_library.h"

#include <dlfcn.h>

#include <string>

#include "base/error.h"

namespace fathom::cuda {
namespace {

constexpr int oldest = NCCL_VERSION(2, 18, 0);  // ncclCommSplit

void* open_library() {
  std::string why;  // of the first name: the most telling
  for (const char* path : {"libnccl.so.2", "libnccl.so", "/usr/local/cuda/lib64/libnccl.so.2"}) {
    if (void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL)) return library;
    if (const char* error = dlerror(); error && why.empty()) why = error;
  }
  fail("NCCL (libnccl.so.2), which ranks on GPUs need, is not installed: {}", why);
}

template <class Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  check(function != nullptr, "NCCL has no {}: version 2.18 or later is needed", name);
}

}  // namespace

// Never closed: unloading CUDA libraries at exit is not safe.
NcclLibrary NcclLibrary::load() {
  void* opened = open_library();
  NcclLibrary l{};
  find(opened, "ncclGetVersion", l.version);
  find(opened, "ncclGetErrorString", l.error_text);
  find(opened, "ncclGetLastError", l.last_error);
  find(opened, "ncclGetUniqueId", l.unique_id);
  find(opened, "ncclCommInitRank", l.init);
  find(opened, "ncclCommSplit", l.split);
  find(opened, "ncclCommUserRank", l.rank);
  find(opened, "ncclCommCount", l.count);
  find(opened, "ncclCommDestroy", l.destroy);
  find(opened, "ncclCommAbort", l.abort);
  find(opened, "ncclCommGetAsyncError", l.async_error);
  find(opened, "ncclGroupStart", l.group_start);
  find(opened, "ncclGroupEnd", l.group_end);
  find(opened, "ncclAllReduce", l.all_reduce);
  find(opened, "ncclReduce", l.reduce);
  find(opened, "ncclReduceScatter", l.reduce_scatter);
  find(opened, "ncclAllGather", l.all_gather);
  find(opened, "ncclBroadcast", l.broadcast);
  find(opened, "ncclSend", l.send);
  find(opened, "ncclRecv", l.receive);
  int version = 0;
  l.expect(l.version(&version), "asking for the version");
  check(version >= oldest, "NCCL's version is {}: at least {} is needed", version, oldest);
  return l;
}

void NcclLibrary::expect(ncclResult_t status, const char* what) const {
  if (status == ncclSuccess || status == ncclInProgress) return;
  const char* detail = last_error(nullptr);
  fail("NCCL: {} failed: {}{}{}", what, error_text(status), detail && *detail ? ": " : "",
       detail ? detail : "");
}

}  // namespace fathom::cuda
