// The finished shards of a data set that is being prepared, in OUT.partial: an interrupted `prepare` that is
// run again encodes only the documents that are not in them. What the shards depend on stands in
// settings.json there.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "data/corpus.h"
#include "io/descriptor.h"
#include "train/prepare.h"
#include "train/token_shard.h"

namespace fathom {

class PrepareWork {
 public:
  // Makes the folder, or takes up what is in it. Error naming a setting that was another one then, or when
  // another process works there. `keep` as in CorpusReader::keep_only().
  PrepareWork(const PrepareOptions& options, const std::vector<CorpusFile>& files,
              const std::vector<bool>& keep, const TokenVocabulary& vocabulary);

  const std::string& folder() const { return folder_; }
  // Error naming a shard that is damaged.
  void continue_after(TokenShardWriter& writer, std::string_view split) const;
  // The shards, there too.
  void link_into(const std::string& folder) const;
  void remove();

 private:
  std::string folder_;
  Descriptor lock_;
  int threads_;
};

}  // namespace fathom
