#include "sandbox/tree_watch.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <initializer_list>
#include <memory>
#include <sstream>

namespace fathom {
namespace {

int64_t page_size() {
  return ::sysconf(_SC_PAGESIZE);
}

// No sum of these overflows, whatever they stand for.
bool plausible(std::initializer_list<int64_t> values) {
  return std::all_of(values.begin(), values.end(),
                     [](int64_t value) { return value >= 0 && value <= int64_t{1} << 40; });
}

// The number after `name` and a colon, which stands at the start of a line; in kB.
std::optional<int64_t> kilobytes_of(const std::string& text, const std::string& name) {
  size_t at = text.rfind(name + ":", 0) == 0 ? 0 : text.find("\n" + name + ":");
  if (at == std::string::npos) return std::nullopt;
  at = text.find_first_of("0123456789\n", text.find(':', at));
  int64_t value = 0;
  if (at == std::string::npos ||
      std::from_chars(text.data() + at, text.data() + text.size(), value).ec != std::errc() ||
      !plausible({value}))
    return std::nullopt;
  return value;
}

}  // namespace

std::optional<TreeUsage> parse_process_stat(const std::string& line) {
  // The second field is the program's name in brackets, and may hold blanks and brackets.
  const size_t end_of_name = line.rfind(')');
  if (end_of_name == std::string::npos) return std::nullopt;
  std::istringstream rest(line.substr(end_of_name + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) rest >> skipped;
  int64_t times[4], priority, nice, threads, interval, started, virtual_size, resident_pages;
  for (int64_t& time : times) rest >> time;
  rest >> priority >> nice >> threads >> interval >> started >> virtual_size >> resident_pages;
  if (!rest || !plausible({times[0], times[1], times[2], times[3], threads, resident_pages}))
    return std::nullopt;
  const auto ticks = static_cast<double>(times[0] + times[1] + times[2] + times[3]);
  return TreeUsage{ticks / static_cast<double>(::sysconf(_SC_CLK_TCK)), resident_pages * page_size(),
                   static_cast<int>(threads)};
}

std::optional<int64_t> sum_of_fields(const std::string& text, const std::vector<std::string>& names) {
  std::optional<int64_t> sum;
  for (const std::string& name : names)
    if (const auto kilobytes = kilobytes_of(text, name)) sum = sum.value_or(0) + *kilobytes * 1024;
  return sum;
}

void TreeWatch::for_each_process(const std::function<void(const std::string& id)>& body) const {
  const int again = ::openat(proc_.value(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (again < 0) return;  // the namespace is gone
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::fdopendir(again), ::closedir);
  if (!folder) {
    ::close(again);
    return;
  }
  while (const dirent* entry = ::readdir(folder.get()))
    if (std::isdigit(static_cast<unsigned char>(entry->d_name[0]))) body(entry->d_name);
}

// Empty if the process is gone, or its file is not for us.
std::string TreeWatch::read(const std::string& path) const {
  const Descriptor file(::openat(proc_.value(), path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 8192> buffer;  // none of these files is longer
  const ssize_t size = file ? ::read(file.value(), buffer.data(), buffer.size()) : 0;
  return {buffer.data(), static_cast<size_t>(size > 0 ? size : 0)};
}

TreeUsage TreeWatch::usage() const {
  TreeUsage sum;
  for_each_process([&](const std::string& id) {
    const auto one = parse_process_stat(read(id + "/stat"));
    if (!one) return;
    sum.cpu_seconds += one->cpu_seconds;
    sum.memory_bytes += one->memory_bytes;
    sum.tasks += one->tasks;
  });
  return sum;
}

int64_t TreeWatch::exact_memory() const {
  int64_t sum = 0;
  for_each_process([&](const std::string& id) {
    auto bytes = sum_of_fields(read(id + "/smaps_rollup"), {"Pss_Anon", "Pss_Shmem"});
    if (!bytes) bytes = sum_of_fields(read(id + "/status"), {"RssAnon", "RssShmem"});
    sum += bytes.value_or(0);
  });
  return sum;
}

DiskUsage disk_usage(const std::vector<Descriptor>& folders) {
  DiskUsage sum;
  for (const Descriptor& folder : folders) {
    struct statfs state {};
    if (::fstatfs(folder.value(), &state) != 0) continue;
    sum.bytes += static_cast<int64_t>(state.f_blocks - state.f_bfree) * state.f_bsize;
    sum.files += static_cast<int64_t>(state.f_files - state.f_ffree);
  }
  return sum;
}

}  // namespace fathom
