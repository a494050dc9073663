// A model folder named on the command line.
#pragma once
#include <string>

namespace fathom {

// Error when `path` is a folder without `file` in it; names the folder below it that was most likely meant,
// as a training run leaves them: `model`, or the last `step-N`. What does not exist is for the reader to
// refuse.
void check_model_folder(const std::string& path, const std::string& file = "config.json");

}  // namespace fathom
