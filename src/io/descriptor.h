// What files and folders share: a descriptor that closes itself, the lock that tells a
// live process's temporary file or folder from a leftover, syncing a folder, and the system's reason for an
// error.
#pragma once
#include <string>
#include <utility>

namespace fathom {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() { close(); }
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }

  int value() const { return value_; }
  explicit operator bool() const { return value_ >= 0; }
  // 0, or the error of close().
  int close() noexcept;

 private:
  int value_ = -1;
};

// Error "PATH: cannot open: ..." if that fails.
Descriptor open_for_reading(const std::string& path);
[[noreturn]] void fail_to_open(const std::string& path);

// strerror's words for an errno.
std::string reason(int error);

// The folder a path lies in; "." for a bare name.
std::string folder_of(const std::string& path);
// The path of an entry of a folder.
std::string file_in(const std::string& folder, const std::string& name);

// flock(2), without waiting. It belongs to the open file itself: it follows renames, and ends with the
// process however that ends.
enum class Lock { taken, busy, unsupported };
Lock try_lock(const Descriptor& file);

// The path still names the file or folder that is open.
bool still_at(const Descriptor& file, const std::string& path);

// fsync of the folder's entries; Error if that fails. File systems that cannot sync a folder are left alone.
void sync_folder(const std::string& path);

}  // namespace fathom
