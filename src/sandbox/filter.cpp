#include "sandbox/filter.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace fathom {
namespace {

#if defined(__x86_64__)
constexpr uint32_t architecture = AUDIT_ARCH_X86_64;
constexpr uint32_t foreign_calls = 0x40000000;  // x32's numbers start here
#elif defined(__aarch64__)
constexpr uint32_t architecture = AUDIT_ARCH_AARCH64;
constexpr uint32_t foreign_calls = 0;
#else
constexpr uint32_t architecture = 0, foreign_calls = 0;
#endif

constexpr uint32_t denied_calls[] = {
    // Memory that belongs to no process's address space, so that no limit of a process counts it.
    SYS_memfd_create,
    SYS_shmget,
    SYS_msgget,
    SYS_mq_open,
#ifdef SYS_memfd_secret
    SYS_memfd_secret,
#endif
    // Other processes.
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kcmp,
#ifdef SYS_pidfd_getfd
    SYS_pidfd_getfd,
#endif
    // Namespaces and mounts.
    SYS_unshare,
    SYS_setns,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_open_by_handle_at,
    SYS_name_to_handle_at,
    SYS_fanotify_init,
    SYS_quotactl,
    SYS_swapon,
    SYS_swapoff,
#ifdef SYS_open_tree
    SYS_open_tree,
    SYS_move_mount,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
#endif
#ifdef SYS_mount_setattr
    SYS_mount_setattr,
#endif
    // Large parts of the kernel that were the way out of other sandboxes.
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
#ifdef SYS_io_uring_setup
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
#endif
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_reboot,
    SYS_syslog,
    SYS_acct,
};

constexpr uint32_t error(uint32_t number) {
  return SECCOMP_RET_ERRNO | number;
}

class Assembler {
 public:
  void load(size_t offset) {
    code_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset)));
  }
  void answer(uint32_t action) { code_.push_back(BPF_STMT(BPF_RET | BPF_K, action)); }
  // `test` (BPF_JEQ, BPF_JGE) against value; the answer where it holds, or where it does not.
  void answer_if(uint16_t test, uint32_t value, uint32_t action) {
    code_.push_back(BPF_JUMP(static_cast<uint16_t>(BPF_JMP | test | BPF_K), value, 0, 1));
    answer(action);
  }
  void answer_unless(uint32_t value, uint32_t action) {
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0));
    answer(action);
  }
  std::string bytes() const {
    return {reinterpret_cast<const char*>(code_.data()), code_.size() * sizeof(sock_filter)};
  }

 private:
  std::vector<sock_filter> code_;
};

}  // namespace

std::string system_call_filter() {
  if (architecture == 0) return {};
  Assembler code;
  code.load(offsetof(seccomp_data, arch));
  code.answer_unless(architecture, SECCOMP_RET_KILL_PROCESS);
  code.load(offsetof(seccomp_data, nr));
  if (foreign_calls) code.answer_if(BPF_JGE, foreign_calls, SECCOMP_RET_KILL_PROCESS);
  for (const uint32_t call : denied_calls) code.answer_if(BPF_JEQ, call, error(EPERM));
  code.answer_unless(SYS_socket, SECCOMP_RET_ALLOW);
  // Sockets of a few families only: network namespaces do not hold AF_VSOCK back, which leads from a virtual
  // machine to its host.
  code.load(offsetof(seccomp_data, args[0]));
  for (const int family : {AF_UNIX, AF_INET, AF_INET6})
    code.answer_if(BPF_JEQ, static_cast<uint32_t>(family), SECCOMP_RET_ALLOW);
  code.answer(error(EAFNOSUPPORT));
  return code.bytes();
}

}  // namespace fathom
