// Parts of config_from_json and config_to_json: the rotary fields, those of a score head, and those that
// only some values are supported of.
#pragma once
#include "model/config.h"

namespace fathom {

const char* name_of(TopkMethod method);

// Whether its model_type is one with grouped-query attention instead of MLA.
bool has_grouped_attention(const JsonObject& config);

// Errors and warnings about fields whose effect fathom does not have, each named once.
void check_supported(const JsonObject& config);

// Sets num_labels and what stands beside it, of a model with a score head.
void read_score_head(const JsonObject& config, Config& c);
// The same, into the config.json of a language model.
void write_score_head(const Config& c, OrderedJson& json);

// Sets rope_theta and rope_scaling; max_position_embeddings is read already.
void read_rope(const JsonObject& config, Config& c);
// The value of config.json's rope_scaling; rope_theta stands beside it. Null for plain rotary embedding.
OrderedJson rope_scaling_json(const RopeScaling& scaling);

}  // namespace fathom
