#include "comm/cuda/nccl_library.h"

#include "base/error.h"
#include "tensor/cuda/shared_library.h"

namespace fathom::cuda {
namespace {

constexpr int oldest = NCCL_VERSION(2, 18, 0);  // ncclCommSplit

}  // namespace

NcclLibrary NcclLibrary::load() {
  const SharedLibrary opened("NCCL", "2.18 or later",
                             "NCCL (libnccl.so.2), which ranks on GPUs need, is not installed",
                             {"libnccl.so.2", "libnccl.so", "/usr/local/cuda/lib64/libnccl.so.2"});
  NcclLibrary l{};
  opened.find("ncclGetVersion", l.version);
  opened.find("ncclGetErrorString", l.error_text);
  opened.find("ncclGetLastError", l.last_error);
  opened.find("ncclGetUniqueId", l.unique_id);
  opened.find("ncclCommInitRank", l.init);
  opened.find("ncclCommSplit", l.split);
  opened.find("ncclCommUserRank", l.rank);
  opened.find("ncclCommCount", l.count);
  opened.find("ncclCommDestroy", l.destroy);
  opened.find("ncclCommAbort", l.abort);
  opened.find("ncclCommGetAsyncError", l.async_error);
  opened.find("ncclGroupStart", l.group_start);
  opened.find("ncclGroupEnd", l.group_end);
  opened.find("ncclAllReduce", l.all_reduce);
  opened.find("ncclReduce", l.reduce);
  opened.find("ncclReduceScatter", l.reduce_scatter);
  opened.find("ncclAllGather", l.all_gather);
  opened.find("ncclBroadcast", l.broadcast);
  opened.find("ncclSend", l.send);
  opened.find("ncclRecv", l.receive);
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
