// `fathom tokenize`: text to token ids and back, on standard output.
#pragma once

namespace CLI {
class App;
}

namespace fathom {
void add_tokenize(CLI::App& app);
}
