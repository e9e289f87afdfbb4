#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "qlr/core/result.hpp"
#include "qlr/io/checkpoint.hpp"
#include "qlr/io/gguf.hpp"

namespace llama {

/// Turns text into the numbers of tokens and back.
class Tokenizer {
 public:
  Tokenizer() = default;
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;
  virtual ~Tokenizer() = default;

  /// The tokens of a text, with bos() before them if add_bos and there is one. Any bytes are a text.
  /// @post all are in [0, vocabulary()). Cost: O(n log n) for n bytes
  virtual std::vector<int> encode(std::string_view text, bool add_bos) const = 0;

  /// What a token adds to the text behind `previous`, which is -1 where there is none. A token may be a part of a
  /// character. Nothing for tokens that are not text, and for numbers outside of the vocabulary.
  virtual std::string decode(int previous, int token) const = 0;

  virtual int vocabulary() const = 0;
  virtual int bos() const = 0;  ///< begins a text; -1: none
  virtual int eos() const = 0;  ///< ends a text; -1: none
};

using TokenizerResult = qlr::Result<std::unique_ptr<Tokenizer>>;

/// llama2.c's tokenizer.bin: uint32 bytes of the longest token; then for each token float32 score, uint32 bytes, and
/// the bytes. Token 1 is BOS, 2 is EOS; a byte that no token holds is the token "<0xXX>".
///
/// Of all neighbours whose joined text is a token, those with the best score are joined, the leftmost of several first,
/// until there are none: SentencePiece's byte-pair encoding, arXiv 1808.06226.
/// @return an error that says what was expected and what came, for bytes that are no such file
TokenizerResult parse_llama2c_tokenizer(const std::byte* data, std::size_t size);

/// Hugging Face's tokenizer.json with a model of type BPE:
/// - normalizer: Prepend and Replace of a space, as Llama 2 has them. NFC and NFKC are taken for done already.
/// - pre_tokenizer: ByteLevel (GPT-2's pattern), Metaspace, Digits, and Split by Llama 3's or Qwen 2's pattern.
/// - added_tokens: found in the text as they are; lstrip, rstrip and single_word are not obeyed.
/// - BOS is the special token that TemplateProcessing puts in front, or else that of the config, or else the token <s>,
///   <|begin_of_text|> or <|endoftext|>.
/// - EOS is that of the config, or else the token </s>, <|end_of_text|>, <|eot_id|>, <|endoftext|> or <|im_end|>.
/// @param config a tokenizer_config.json, of which bos_token and eos_token are read; empty: there is none
/// @return an error with the first thing that is not among these
TokenizerResult parse_hugging_face_tokenizer(std::string_view json, std::string_view config = {});

/// The tokenizer's arrays in a GGUF file, by their keys behind "tokenizer.ggml.".
struct GgufTokens {
  std::string model;                     ///< "llama": by scores; "gpt2": bytes by merges
  std::string pre;                       ///< how "gpt2" splits text: "llama-bpe", "qwen2", "smollm", "gpt-2", "default"
  std::vector<std::string> tokens;       ///< with U+2581 for a space ("llama"), or GPT-2's letters for bytes ("gpt2")
  std::vector<float> scores;             ///< "llama" only, one for each token
  std::vector<std::int32_t> token_type;  ///< none, or one for each token: 1 text, 3 control, 4 added, 6 byte
  std::vector<std::string> merges;       ///< "gpt2" only, "LEFT RIGHT" in the order of their ranks
  int bos_token_id = -1;
  int eos_token_id = -1;
  int unknown_token_id = -1;
  bool add_space_prefix = true;  ///< "llama" only
};

TokenizerResult make_gguf_tokenizer(const GgufTokens& gguf);

/// The tokenizer's part of a GGUF file's metadata. @return an error that names the key
qlr::Result<GgufTokens> read_gguf_tokens(const qlr::Gguf& gguf);

/// Reads a file of the kind that its name ends with: .json is Hugging Face's, with a tokenizer_config.json beside it if
/// there is one; .gguf is a GGUF file; anything else is llama2.c's.
/// @return an error that names the path
TokenizerResult load_tokenizer(const std::string& path);

/// The tokenizer of a model at this path, as qlr::Checkpoint::open() takes it: that inside of a GGUF file, or else the
/// first that is in the model's folder of
/// - tokenizer.json,
/// - tokenizer.bin,
/// - tok<vocabulary>.bin, as llama2.c calls those of its small vocabularies.
/// @return an error that names the files that were looked for
TokenizerResult find_tokenizer(const std::string& model_path, const qlr::Checkpoint& checkpoint);

}  // namespace llama
