// What the sandbox says of itself, and what it refuses.
#include <sys/resource.h>

#include <cstdlib>

#include "io/file.h"
#include "sandbox/probe.h"
#include "sandbox/sandboxed.h"
#include "support/temp_dir.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;

Enforced enforced(const SandboxAbilities& abilities, const std::string& name) {
  for (const SandboxAbility& row : abilities.rows)
    if (row.name == name) return row.enforced;
  ADD_FAILURE() << "no row " << name;
  return Enforced::not_at_all;
}

TEST(SandboxAbilities, EveryLimitHasARow) {
  FATHOM_NEEDS_SANDBOX();
  const SandboxAbilities abilities = find_sandbox_abilities({});
  EXPECT_TRUE(abilities.can_run);
  EXPECT_EQ(abilities.missing(), "");
  for (const char* name :
       {"namespaces", "network", "files", "environment", "privileges", "system calls", "end of the tree"})
    EXPECT_EQ(enforced(abilities, name), Enforced::by_kernel) << name;
  for (const char* name : {"wall time", "processor time", "memory", "processes", "disk", "output"})
    EXPECT_NE(enforced(abilities, name), Enforced::not_at_all) << name;
}

TEST(SandboxAbilities, WithoutBubblewrapNothingRuns) {
  SandboxOptions options;
  options.bubblewrap = "/usr/bin/no-such-bwrap";
  const SandboxAbilities abilities = find_sandbox_abilities(options);
  EXPECT_FALSE(abilities.can_run);
  EXPECT_THAT(abilities.missing(), HasSubstr("/usr/bin/no-such-bwrap: cannot start"));
  for (const bool allow : {false, true}) {
    options.allow_weak = allow;
    EXPECT_THAT(error_of([&] { Sandbox sandbox(options); }),
                HasSubstr("there is no sandbox on this machine"));
  }
}

TEST(SandboxAbilities, ABubblewrapThatDoesNotShutInIsFoundOut) {
  // Runs the command after "--" as it is.
  const TempDir dir("/tmp");
  write_file(dir / "bwrap",
             "#!/bin/bash\nwhile [ \"$1\" != -- ]; do shift; done\nshift\nexec 16>&-\nexec \"$@\"\n");
  ASSERT_EQ(std::system(("chmod -R 755 " + dir.path()).c_str()), 0);
  SandboxOptions options;
  options.bubblewrap = dir / "bwrap";
  EXPECT_FALSE(find_sandbox_abilities(options).can_run);
}

TEST(SandboxAbilities, WeakerIsolationIsSeenAndNeedsLeave) {
  FATHOM_NEEDS_SANDBOX();
  // A bubblewrap that takes no filter, as on a kernel without seccomp.
  const TempDir dir("/tmp");
  write_file(dir / "bwrap",
             "#!/bin/sh\nfor a in \"$@\"; do [ \"$a\" = --seccomp ] && echo no seccomp >&2 && exit 1; "
             "done\nexec bwrap \"$@\"\n");
  ASSERT_EQ(std::system(("chmod -R 755 " + dir.path()).c_str()), 0);
  SandboxOptions options;
  options.bubblewrap = dir / "bwrap";
  const SandboxAbilities abilities = find_sandbox_abilities(options);
  EXPECT_TRUE(abilities.can_run);
  EXPECT_EQ(enforced(abilities, "system calls"), Enforced::not_at_all);
  EXPECT_THAT(abilities.missing(), HasSubstr("no seccomp"));
  EXPECT_THAT(error_of([&] { Sandbox sandbox(options); }),
              HasSubstr("weaker isolation was not allowed: system calls"));
  options.allow_weak = true;
  const Sandbox sandbox(options);
  EXPECT_EQ(sandbox.run(python_program("print(1)")).out.text, "1\n");
}

TEST(SandboxAbilities, AControlGroupThatIsNoneIsAnError) {
  FATHOM_NEEDS_SANDBOX();
  const TempDir dir;
  SandboxOptions options;
  options.control_group = dir.path();
  EXPECT_THAT(error_of([&] { find_sandbox_abilities(options); }), HasSubstr("cannot hold control groups"));
}

TEST(SandboxLimitsChecks, EachNamesItself) {
  SandboxLimits limits;
  check_limits(limits);
  limits.wall_seconds = 0;
  EXPECT_THAT(error_of([&] { check_limits(limits); }), HasSubstr("wall_seconds"));
  limits = {}, limits.memory_bytes = 1;
  EXPECT_THAT(error_of([&] { check_limits(limits); }), HasSubstr("memory_bytes must be between 1048576"));
  limits = {}, limits.cpu_seconds = 0.0 / 0.0;
  EXPECT_THAT(error_of([&] { check_limits(limits); }), HasSubstr("cpu_seconds"));
}

TEST(SandboxTrouble, WhatTheSystemRefusesIsAResult) {
  FATHOM_NEEDS_SANDBOX();
  struct rlimit before {};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const Sandbox& sandbox = shared_sandbox();
  struct rlimit few = before;
  few.rlim_cur = 12;
  ::setrlimit(RLIMIT_NOFILE, &few);
  const SandboxResult result = sandbox.run(python_program("print(1)"));
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(result.ending, SandboxEnding::not_started);
  EXPECT_THAT(result.reason, HasSubstr("Too many open files"));
  EXPECT_EQ(run_python("print(1)").exit_code, 0);
}

TEST(SandboxTrouble, AReadOnlyPathThatIsNotThereIsTold) {
  SandboxOptions options;
  options.read_only = {"/no/such/path"};
  EXPECT_THAT(error_of([&] { Sandbox sandbox(options); }), HasSubstr("/no/such/path"));
}

}  // namespace
}  // namespace fathom::testing
