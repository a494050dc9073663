// MPI from its start to its end.
#include "comm/session.h"

#include <cstdlib>
#include <exception>
#include <optional>

#include "base/error.h"
#include "comm/mpi/mpi_backend.h"
#include "comm/mpi/watch_thread.h"

namespace fathom {
namespace mpi {
namespace {

class MpiSession : public Session {
 public:
  MpiSession();
  ~MpiSession() override {
    if (std::uncaught_exceptions() > 0) return;
    thread_.reset();
    progress_.end_watch();
    MPI_Finalize();
  }
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  std::unique_ptr<CommBackend> everyone(int threads, const CommLimits& limits) override;
  std::unique_ptr<CommBackend> on_this_host() override;
  std::string library_version() const override;
  void watch(double seconds, std::vector<std::string> hosts,
             std::function<void(const std::string&)> on_hang) override {
    thread_.reset();
    thread_.emplace(progress_, progress_.watch(seconds, std::move(hosts)), std::move(on_hang));
  }
  WaitListener* waits() override { return thread_ ? &*thread_ : nullptr; }
  [[noreturn]] void abort() final {
    const auto locked = progress_.lock();
    MPI_Abort(MPI_COMM_WORLD, 1);
    std::_Exit(1);
  }

 private:
  Progress progress_;
  std::optional<WatchThread> thread_;
};

// Serialized: kernels have threads, which do not call MPI; this one, the helper and WatchThread do, one at a
// time (Progress). A higher level would take locks.
MpiSession::MpiSession() {
  int level = 0;
  mpi_check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &level), "starting");
  mpi_check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "choosing how errors are told");
  check(level >= MPI_THREAD_SERIALIZED, "this MPI was built for programs without threads");
  progress_.start_helper();
  int* largest = nullptr;
  int found = 0;
  mpi_check(MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_TAG_UB, &largest, &found), "asking for the largest tag");
  check(found && *largest > 2 * max_tag, "this MPI has only {} tags: {} are needed", found ? *largest : 0,
        2 * max_tag + 2);
}

std::unique_ptr<CommBackend> MpiSession::everyone(int threads, const CommLimits& limits) {
  MPI_Comm all = MPI_COMM_NULL;
  mpi_check(MPI_Comm_dup(MPI_COMM_WORLD, &all), "making a group of all ranks");
  return std::make_unique<MpiBackend>(all, progress_, threads, limits);
}

std::unique_ptr<CommBackend> MpiSession::on_this_host() {
  MPI_Comm here = MPI_COMM_NULL;
  mpi_check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &here),
            "finding the ranks of this host");
  return std::make_unique<MpiBackend>(here, progress_, 1, CommLimits{});
}

std::string MpiSession::library_version() const {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  mpi_check(MPI_Get_library_version(text, &length), "asking for the version");
  return text;
}

}  // namespace
}  // namespace mpi

std::unique_ptr<Session> start_session(const Launch& launch) {
  auto session = std::make_unique<mpi::MpiSession>();
  int size = 1;
  mpi::mpi_check(MPI_Comm_size(MPI_COMM_WORLD, &size), "asking for the number of ranks");
  if (size != launch.ranks)
    refuse(launch,
           fmt::format("MPI sees {}: the launcher belongs to another MPI than this program ({}), or srun "
                       "needs --mpi=pmix",
                       size, session->library_version()));
  return session;
}

}  // namespace fathom
