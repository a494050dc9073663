// `fathom train-tokenizer`: a new vocabulary from text files.
#pragma once

namespace CLI {
class App;
}

namespace fathom {
void add_train_tokenizer(CLI::App& app);
}
