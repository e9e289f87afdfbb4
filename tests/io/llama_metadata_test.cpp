#include "qlr/io/llama_metadata.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace qlr;

namespace {

LlamaConfig small() {
  LlamaConfig config;
  config.dim = 24;
  config.hidden_dim = 40;
  config.blocks = 3;
  config.heads = 6;
  config.key_value_heads = 2;
  config.head_dim = 4;
  config.vocabulary = 99;
  config.positions = 128;
  config.norm_epsilon = 1e-6;
  config.rope_base = 500000.1;
  config.rope_pairs = RopePairs::halves;
  config.tied = true;
  return config;
}

std::string refusal(Metadata metadata, const char* key, const char* value) {
  if (value == nullptr)
    metadata.erase(key);
  else
    metadata[key] = value;
  const auto config = llama_config(metadata);
  return config.ok() ? "" : config.error().message;
}

}  // namespace

TEST_CASE("a config that is stored is read again") {
  Metadata metadata;
  const LlamaConfig config = small();
  store_llama_config(config, metadata);
  const auto read = llama_config(metadata);
  REQUIRE(read.ok());
  CHECK(read->dim == 24);
  CHECK(read->hidden_dim == 40);
  CHECK(read->blocks == 3);
  CHECK(read->heads == 6);
  CHECK(read->key_value_heads == 2);
  CHECK(read->head_dim == 4);
  CHECK(read->vocabulary == 99);
  CHECK(read->positions == 128);
  CHECK(read->norm_epsilon == config.norm_epsilon);
  CHECK(read->rope_base == config.rope_base);
  CHECK(read->rope_pairs == RopePairs::halves);
  CHECK(read->tied);
}

TEST_CASE("what is no config is refused by its key") {
  Metadata metadata;
  store_llama_config(small(), metadata);
  CHECK(refusal(metadata, "llama.heads", nullptr) == "expected metadata llama.heads, got none of that key");
  CHECK(refusal(metadata, "llama.tied", nullptr) == "expected metadata llama.tied, got none of that key");
  for (const char* value : {"", "-1", "1.5", "99999999999999999999", "12x"})
    CHECK(refusal(metadata, "llama.dim", value).find("metadata llama.dim: expected a length") == 0);
  for (const char* value : {"", "x", "1e5 "})
    CHECK(refusal(metadata, "llama.rope_base", value).find("metadata llama.rope_base: expected a number") == 0);
  CHECK(refusal(metadata, "llama.rope_pairs", "none").find("expected neighbours or halves, got \"none\"") !=
        std::string::npos);
  CHECK(refusal(metadata, "llama.key_value_heads", "4") != "");
  CHECK(refusal(metadata, "llama.dim", "0") != "");
  CHECK(refusal(metadata, "llama.rope_base", "nan") != "");
}
