// What a program in the sandbox sees and can reach: its files, its descriptors, no environment, no host, no
// network.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "io/file.h"
#include "sandbox/filter.h"
#include "sandbox/sandboxed.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Isolated : public ::testing::Test {
 protected:
  void SetUp() override { FATHOM_NEEDS_SANDBOX(); }
};

TEST_F(Isolated, ItRunsAProgramWithItsInputAndFiles) {
  SandboxProgram program =
      python_program("import sys; print(sys.stdin.read().upper() + open('/data/x').read())");
  program.files.push_back({"/data/x", "file"});
  program.input = "input ";
  const SandboxResult result = shared_sandbox().run(std::move(program));
  EXPECT_EQ(result.ending, SandboxEnding::exited);
  EXPECT_EQ(result.exit_code, 0) << result.err.text;
  EXPECT_EQ(result.out.text, "INPUT file\n");
  EXPECT_GT(result.wall_seconds, 0);
  EXPECT_GT(result.cpu_seconds, 0);
  EXPECT_GT(result.peak_memory, 0);
}

TEST_F(Isolated, ExitCodesAndSignalsAreTold) {
  EXPECT_EQ(run_python("import sys; sys.exit(7)").exit_code, 7);
  EXPECT_EQ(run_python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)").exit_code, 128 + SIGSEGV);
  const SandboxResult missing = run_command({"/no/such"});
  EXPECT_EQ(missing.exit_code, 127);
  EXPECT_THAT(missing.err.text, HasSubstr("/no/such"));
}

TEST_F(Isolated, TheEnvironmentIsEmptyButForWhatIsGiven) {
  ::setenv("FATHOM_TEST_SECRET", "secret", 1);
  EXPECT_THAT(run_command({"/usr/bin/env"}).out.text, IsEmpty());
  EXPECT_EQ(run_command({"/usr/bin/env"}, {"A=b c"}).out.text, "A=b c\n");
  // Of other processes neither: process 1 shows its own.
  EXPECT_EQ(output_of(R"(
import glob
seen = b""
for path in glob.glob("/proc/[0-9]*/environ"):
    try: seen += open(path, "rb").read()
    except OSError: pass
print(b"FATHOM_TEST_SECRET" in seen))"),
            "False\n");
}

TEST_F(Isolated, ItHasItsOwnDescriptorsAndNoOthers) {
  const int leaked = ::open("/etc/passwd", O_RDONLY);  // without O_CLOEXEC, as other libraries do
  ASSERT_GE(leaked, 0);
  const std::string high = std::to_string(::fcntl(leaked, F_DUPFD, 400));
  EXPECT_EQ(output_of("import os\nprint(sorted(map(int, os.listdir('/proc/self/fd')))[:-1])"), "[0, 1, 2]\n");
  ::close(leaked), ::close(std::stoi(high));
}

TEST_F(Isolated, TheMachinesFilesAreNotThere) {
  const TempDir dir("/tmp");
  write_file(dir / "secret", "secret");
  EXPECT_EQ(
      output_of(
          "import os\nfor path in ['/etc/shadow', '/etc/hostname', '/root', '/home', '/var', '/sys', '/run', "
          "'/boot', '/mnt', '" +
          (dir / "secret") + "', '" + source_dir() +
          "']:\n"
          "    print(path, os.path.exists(path)) if os.path.exists(path) else None"),
      "");
  EXPECT_EQ(output_of("import os; print(os.listdir('/tmp'), os.listdir('/dev/shm'))"), "[] []\n");
}

// Tries every folder there is.
constexpr const char* write_everywhere = R"(
import os
for folder, folders, files in os.walk('/'):
    folders[:] = [f for f in folders if folder != '/' or f != 'proc']
    try:
        open(os.path.join(folder, 'x'), 'w').close()
        print(folder)
    except OSError:
        pass
for name in ['/proc/sys/kernel/hostname', '/proc/sysrq-trigger', '/usr/bin/python3', __file__]:
    try:
        with open(name, 'r+b', buffering=0) as file: print(name, file.write(b'0'))
    except OSError:
        pass
)";

TEST_F(Isolated, ItWritesToItsOwnFoldersOnly) {
  SandboxLimits limits = tight_limits();
  limits.wall_seconds = limits.cpu_seconds = 30;
  EXPECT_EQ(output_of(write_everywhere, limits), "/tmp\n/dev/shm\n");
}

TEST_F(Isolated, ItsOwnFolderIsWritableAndGoesWithIt) {
  EXPECT_EQ(
      output_of(
          "import os\nopen('a', 'w').write('text')\nos.symlink('a', 'b')\nprint(open('/tmp/b').read())"),
      "text\n");
  EXPECT_EQ(output_of("import os; print(os.listdir('.'))"), "[]\n");
}

TEST_F(Isolated, LinksLeadNowhereElse) {
  EXPECT_EQ(output_of(R"(
import os
for target in ['/etc/shadow', '/../../../etc/shadow', '/proc/1/root/etc/shadow', '/proc/self/root/../etc/shadow',
               '/proc/1/cwd/../../etc/shadow']:
    os.path.lexists('l') and os.unlink('l')
    os.symlink(target, 'l')
    try: print(target, open('l').read())
    except OSError: pass
    try: open('l', 'w'); print(target)
    except OSError: pass
)"),
            "");
}

TEST_F(Isolated, ItIsNobodyAndAloneInItsNamespaces) {
  EXPECT_EQ(output_of("import os; print(os.getuid(), os.getgid(), os.uname().nodename)"),
            "65534 65534 sandbox\n");
  EXPECT_EQ(output_of("import os; print(sorted(p for p in os.listdir('/proc') if p.isdigit()))"),
            "['1', '2']\n");
  EXPECT_THAT(
      output_of(
          "print([l for l in open('/proc/self/status') if l.startswith(('Cap', 'NoNew', 'Seccomp:'))])"),
      HasSubstr("'CapEff:\\t0000000000000000\\n', 'CapBnd:\\t0000000000000000\\n'"));
}

// A server of ours that a program must not reach: on the loopback, and on a name of the abstract kind.
class Listener {
 public:
  explicit Listener(int family) : socket_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  Descriptor& socket() { return socket_; }
  bool reached() {
    ::fcntl(socket_.value(), F_SETFL, O_NONBLOCK);
    const Descriptor peer(::accept(socket_.value(), nullptr, nullptr));
    return static_cast<bool>(peer);
  }

 private:
  Descriptor socket_;
};

TEST_F(Isolated, NoSocketLeadsOut) {
  Listener loopback(AF_INET), named(AF_UNIX);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(loopback.socket().value(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(loopback.socket().value(), 5), 0);
  ::getsockname(loopback.socket().value(), reinterpret_cast<sockaddr*>(&address), &size);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const std::string text = "fathom-test-" + std::to_string(::getpid());
  text.copy(name.sun_path + 1, text.size());
  const auto name_size = static_cast<socklen_t>(sizeof(sa_family_t) + 1 + text.size());
  ASSERT_EQ(::bind(named.socket().value(), reinterpret_cast<sockaddr*>(&name), name_size), 0);
  ASSERT_EQ(::listen(named.socket().value(), 5), 0);
  const std::string port = std::to_string((address.sin_port >> 8 & 0xff) | (address.sin_port & 0xff) << 8);
  const std::string program = R"(
import socket, sys
def attempt(family, address):
    try:
        s = socket.socket(family, socket.SOCK_STREAM)
        s.settimeout(1)
        s.connect(address)
        print('connected', address)
    except OSError as error:
        pass
attempt(socket.AF_INET, ('127.0.0.1', PORT))
attempt(socket.AF_UNIX, '\0NAME')
attempt(socket.AF_INET, ('8.8.8.8', 53))
attempt(socket.AF_INET6, ('2001:4860:4860::8888', 53))
attempt(40, (2, 1024))  # vsock: the host of a virtual machine
for family in [40, 16, 17, 38]:  # vsock, netlink, packet, alg
    try: socket.socket(family, socket.SOCK_RAW if family in (16, 17) else socket.SOCK_STREAM); print('socket', family)
    except OSError: pass
print(open('/proc/net/dev').read().count(':')))";
  std::string source = program;
  source.replace(source.find("PORT"), 4, port);
  source.replace(source.find("NAME"), 4, text);
  EXPECT_EQ(output_of(source), "1\n");
  EXPECT_FALSE(loopback.reached());
  EXPECT_FALSE(named.reached());
  // The same program reaches both outside: the test can fail.
  const TempDir dir;
  write_file(dir / "p.py", source.substr(0, source.find("attempt(socket.AF_INET, ('8")));
  EXPECT_EQ(std::system(("/usr/bin/python3 " + (dir / "p.py") + " > /dev/null").c_str()), 0);
  EXPECT_TRUE(loopback.reached());
  EXPECT_TRUE(named.reached());
}

TEST_F(Isolated, DangerousSystemCallsFail) {
  EXPECT_EQ(output_of(R"(
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def refused(name, *args):
    ctypes.set_errno(0)
    result = getattr(libc, name)(*args)
    if result != -1 or ctypes.get_errno() != 1: print(name, result, ctypes.get_errno())
refused('ptrace', 16, 1, 0, 0)
refused('ptrace', 0, 0, 0, 0)
refused('unshare', 0x10000000)
refused('setns', 0, 0)
refused('mount', b'none', b'/tmp', b'tmpfs', 0, None)
refused('shmget', 0, 1 << 20, 0o1600)
refused('memfd_create', b'x', 0)
refused('chroot', b'/tmp')
for call in (425, 298, 321, 250):  # io_uring_setup, perf_event_open, bpf, keyctl of x86-64
    if os.uname().machine == 'x86_64': refused('syscall', call, 0, 0, 0, 0, 0)
)"),
            "");
}

TEST_F(Isolated, TheFilterIsWholeInstructions) {
  EXPECT_EQ(system_call_filter().size() % 8, 0u);
}

}  // namespace
}  // namespace fathom::testing
