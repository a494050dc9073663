// The hidden folders beside a destination that AtomicFolder works with, and what becomes of those that a
// killed process left behind:
//   .unfinished-NAME-XXXXXX   the new content of NAME, or, once the two are exchanged, the old
//   .replaced-NAME-XXXXXX     the old content of NAME, where a file system cannot exchange two folders
// A live process holds a lock on the folder that it works in, so that no other one sweeps it away.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "io/descriptor.h"

namespace fathom {

// Names of the files that a command writes into a folder, as shell patterns ("train-*.safetensors").
// Everything else in there belongs to the user and is never removed.
using FilePatterns = std::vector<std::string>;

bool matches(const FilePatterns& patterns, std::string_view name);

std::vector<std::string> names_in(const std::string& folder);

// Makes .unfinished-NAME-XXXXXX beside `destination` and locks it.
struct HiddenFolder {
  std::string path;
  Descriptor lock;
};
HiddenFolder make_hidden_folder(const std::string& destination);

// A free name .replaced-NAME-XXXXXX beside `destination`.
std::string replaced_name(const std::string& destination);

// Removes a hidden folder of `destination`: deletes what is `ours`; what is not goes to `destination`, unless
// it is there already. A file that cannot go there stays, and one warning names it.
void dispose_hidden_folder(const std::string& hidden, const std::string& destination,
                           const FilePatterns& ours);

// What killed processes left of `destination`, or of any folder in `parent`, goes: a .replaced folder back to
// its place if that is empty, the rest to dispose_hidden_folder(). Symbolic links are not followed.
void sweep_leftovers_of(const std::string& destination, const FilePatterns& ours);
void sweep_leftovers(const std::string& parent, const FilePatterns& ours);

// Removes a folder so that it is never seen half removed: renamed to a hidden name first. What is not `ours`
// stays, in a folder of the old name.
void remove_folder(const std::string& folder, const FilePatterns& ours);

}  // namespace fathom
