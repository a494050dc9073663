#include "io/hidden_folder.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <random>

#include "base/error.h"
#include "base/log.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view unfinished = ".unfinished-", replaced = ".replaced-";
constexpr size_t suffix_length = 6;

std::string hidden_name(std::string_view marker, const std::string& destination) {
  static thread_local std::random_device random;
  const fs::path path(destination);
  const std::string name = fmt::format("{}{}-{:06x}", marker, path.filename().string(), random() & 0xffffffu);
  return (path.parent_path() / name).string();
}

// NAME of ".unfinished-NAME-XXXXXX".
std::optional<std::string> destination_name(std::string_view hidden, std::string_view marker) {
  if (!hidden.starts_with(marker) || hidden.size() < marker.size() + 2 + suffix_length) return std::nullopt;
  const std::string_view suffix = hidden.substr(hidden.size() - suffix_length);
  const bool hex = std::all_of(suffix.begin(), suffix.end(),
                               [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  const std::string_view name = hidden.substr(0, hidden.size() - suffix_length);
  if (!hex || !name.ends_with('-')) return std::nullopt;
  return std::string(name.substr(marker.size(), name.size() - marker.size() - 1));
}

bool exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

bool is_folder(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool same_file(const std::string& a, const std::string& b) {
  struct stat x {
  }, y{};
  return ::lstat(a.c_str(), &x) == 0 && ::lstat(b.c_str(), &y) == 0 && x.st_dev == y.st_dev &&
         x.st_ino == y.st_ino;
}

// 0 or an errno; never replaces what is at `to`.
int move_to_free_name(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  if (exists(to)) return EEXIST;
  return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

int remove_file(const std::string& path) {
  return ::unlink(path.c_str()) == 0 || errno == ENOENT ? 0 : errno;
}

// What keeps an entry of `hidden` from leaving it: 0 once it has.
struct Kept {
  int error = 0;
  bool ours = false;
};

Kept dispose_entry(const std::string& hidden, const std::string& destination, const std::string& name,
                   const FilePatterns& ours) {
  const std::string path = file_in(hidden, name), kept = file_in(destination, name);
  if (!is_folder(path) && (matches(ours, name) || same_file(path, kept))) return {remove_file(path), true};
  const int error = move_to_free_name(path, kept);
  return {error == ENOENT && !exists(path) ? 0 : error, false};
}

void sweep(const std::string& hidden, const std::string& destination, bool is_old, const FilePatterns& ours) {
  const Descriptor folder(::open(hidden.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder || try_lock(folder) != Lock::taken || !still_at(folder, hidden)) return;
  // The only copy of the old content, unless the new one has taken its place.
  if (is_old && move_to_free_name(hidden, destination) != EEXIST) return;
  dispose_hidden_folder(hidden, destination, ours);
}

void list(const std::string& folder, std::vector<std::string>& names, std::error_code& error) {
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    names.push_back(it->path().filename().string());
  std::sort(names.begin(), names.end());
}

// Names in a folder that may be gone.
std::vector<std::string> names_in_if_there(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  list(folder, names, ignored);
  return names;
}

}  // namespace

bool matches(const FilePatterns& patterns, std::string_view name) {
  // An AtomicFile that was not finished counts as the file that it was to become.
  return std::any_of(patterns.begin(), patterns.end(),
                     [text = std::string(name)](const std::string& pattern) {
                       return ::fnmatch(pattern.c_str(), text.c_str(), 0) == 0 ||
                              ::fnmatch((pattern + ".tmp.*").c_str(), text.c_str(), 0) == 0;
                     });
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  list(folder, names, error);
  check(!error, "{}: cannot list the folder: {}", folder, error.message());
  return names;
}

HiddenFolder make_hidden_folder(const std::string& destination) {
  for (;;) {
    const std::string path = hidden_name(unfinished, destination);
    if (::mkdir(path.c_str(), 0777) != 0) {
      if (errno == EEXIST) continue;
      fail("{}: cannot make a folder beside it: {}", destination, reason(errno));
    }
    Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!folder && errno != ENOENT) {
      const int error = errno;
      ::rmdir(path.c_str());
      fail("{}: cannot open the folder made beside it: {}", destination, reason(error));
    }
    // Another process may have swept it away before it was locked.
    if (folder && try_lock(folder) != Lock::busy && still_at(folder, path)) return {path, std::move(folder)};
  }
}

std::string replaced_name(const std::string& destination) {
  for (;;)
    if (std::string path = hidden_name(replaced, destination); !exists(path)) return path;
}

void dispose_hidden_folder(const std::string& hidden, const std::string& destination,
                           const FilePatterns& ours) {
  std::string name_kept;
  Kept kept;
  for (const std::string& name : names_in_if_there(hidden)) {
    const Kept result = dispose_entry(hidden, destination, name, ours);
    if (result.error && !kept.ours) name_kept = name, kept = result;
  }
  if (!kept.error) {
    if (::rmdir(hidden.c_str()) != 0 && errno != ENOENT)
      log::warn("{}: cannot remove the folder: {}", hidden, reason(errno));
    return;
  }
  // Without a destination, the user's files that are left are all there is under that name.
  if (!kept.ours && !exists(destination) && move_to_free_name(hidden, destination) == 0) return;
  log::warn("{}/{}: cannot {}: {}", hidden, name_kept, kept.ours ? "remove it" : "move it to " + destination,
            reason(kept.error));
}

void sweep_leftovers_of(const std::string& destination, const FilePatterns& ours) {
  const fs::path wanted(destination);
  for (const std::string& name : names_in_if_there(folder_of(destination)))
    for (const std::string_view marker : {unfinished, replaced})
      if (destination_name(name, marker) == wanted.filename().string())
        sweep((wanted.parent_path() / name).string(), destination, marker == replaced, ours);
}

void sweep_leftovers(const std::string& parent, const FilePatterns& ours) {
  for (const std::string& name : names_in_if_there(parent))
    for (const std::string_view marker : {unfinished, replaced})
      if (const auto destination = destination_name(name, marker))
        sweep(file_in(parent, name), file_in(parent, *destination), marker == replaced, ours);
}

void remove_folder(const std::string& folder, const FilePatterns& ours) {
  for (;;) {
    const std::string hidden = hidden_name(unfinished, folder);
    const int error = move_to_free_name(folder, hidden);
    if (error == EEXIST) continue;
    check(error == 0, "{}: cannot remove: {}", folder, reason(error));
    sync_folder(folder_of(folder));
    return dispose_hidden_folder(hidden, folder, ours);
  }
}

}  // namespace fathom
