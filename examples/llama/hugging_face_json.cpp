#include "hugging_face_json.hpp"

#include <algorithm>
#include <array>

#include "qlr/io/json_value.hpp"

namespace llama {

namespace {

using Key = std::string_view;

template <std::size_t Count>
bool is_one_of(Key key, const std::array<Key, Count>& keys) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

class Reader : public qlr::JsonValueReader {
 public:
  using JsonValueReader::JsonValueReader;

  bool tokenizer(TokenizerJson& out) {
    return object([&](Key key) {
      if (key == "added_tokens") return array([&] { return added_token(out); });
      if (key == "normalizer") return step(out.normalizer);
      if (key == "pre_tokenizer") return step(out.pre_tokenizer);
      if (key == "post_processor") return step(out.post_processor);
      if (key == "model") return model(out);
      return skip_value();
    });
  }

  bool config(TokenizerConfigJson& out) {
    return object([&](Key key) {
      if (key == "bos_token") return token(out.bos_token);
      if (key == "eos_token") return token(out.eos_token);
      return skip_value();
    });
  }

 private:
  bool text_or_null(std::string& value) { return accept_null() || string(value); }

  /// A token as a text, as an object with its content, or as null.
  bool token(std::string& value) {
    skip_space();
    if (!at('{')) return text_or_null(value);
    return object([&](Key key) { return key == "content" ? string(value) : skip_value(); });
  }

  bool added_token(TokenizerJson& out) {
    JsonAddedToken added;
    const bool ok = object([&](Key key) {
      if (key == "id") return integer(added.id);
      if (key == "content") return string(added.content);
      if (key == "special") return boolean(added.is_special);
      return skip_value();
    });
    if (ok) out.added_tokens.push_back(std::move(added));
    return ok;
  }

  bool step(JsonStep& out) {
    constexpr std::array<Key, 6> texts{"type", "prepend", "content", "replacement", "prepend_scheme", "behavior"};
    constexpr std::array<Key, 5> flags{"add_prefix_space", "use_regex", "individual_digits", "split", "invert"};
    constexpr std::array<Key, 3> sequences{"normalizers", "pretokenizers", "processors"};
    if (accept_null()) return true;
    const bool ok = object([&](Key key) {
      if (is_one_of(key, texts)) return text_or_null(out.texts[std::string(key)]);
      if (is_one_of(key, flags)) return accept_null() || boolean(out.flags[std::string(key)]);
      if (key == "pattern")
        return object([&](Key kind) {
          return kind == "String" || kind == "Regex" ? string(out.texts["pattern"]) : skip_value();
        });
      if (is_one_of(key, sequences)) return array([&] { return out.steps.emplace_back(), step(out.steps.back()); });
      if (key == "single") return templates(out);
      return skip_value();
    });
    out.type = out.text("type");
    return ok;
  }

  /// TemplateProcessing's parts, of which the first matters.
  bool templates(JsonStep& out) {
    bool is_first = true;
    return array([&] {
      const bool wanted = std::exchange(is_first, false);
      return object([&](Key key) {
        if (!wanted || key != "SpecialToken") return skip_value();
        return object([&](Key part) { return part == "id" ? string(out.first_token) : skip_value(); });
      });
    });
  }

  bool model(TokenizerJson& out) {
    return object([&](Key key) {
      if (key == "type") return string(out.model);
      if (key == "vocab") return vocab(out);
      if (key == "merges") return array([&] { return merge(out); });
      if (key == "unk_token") return text_or_null(out.unk_token);
      if (key == "continuing_subword_prefix") return text_or_null(out.subword_prefix);
      if (key == "end_of_word_suffix") return text_or_null(out.word_suffix);
      if (key == "byte_fallback") return accept_null() || boolean(out.byte_fallback);
      if (key == "ignore_merges") return accept_null() || boolean(out.ignore_merges);
      return skip_value();
    });
  }

  bool vocab(TokenizerJson& out) {
    skip_space();
    if (!at('{')) return skip_value();  // that of another type of model
    return object([&](Key token) {
      out.vocab.emplace_back(token, 0);
      return integer(out.vocab.back().second);
    });
  }

  /// "LEFT RIGHT" or ["LEFT", "RIGHT"]
  bool merge(TokenizerJson& out) {
    skip_space();
    if (!at('[')) {
      std::string text;
      if (!string(text)) return false;
      qlr::Result<SpelledMerge> parsed = parse_merge(text);
      if (!parsed) return fail(parsed.error().message);
      out.merges.push_back(std::move(*parsed));
      return true;
    }
    SpelledMerge pair;
    int count = 0;
    const bool ok = array([&] {
      ++count;
      return count <= 2 ? string(count == 1 ? pair.left : pair.right) : fail("expected merges of two tokens, got more");
    });
    if (ok && count != 2) return fail("expected merges of two tokens, got " + std::to_string(count));
    out.merges.push_back(std::move(pair));
    return ok;
  }
};

}  // namespace

qlr::Result<TokenizerJson> read_tokenizer_json(std::string_view json) {
  Reader reader(json);
  TokenizerJson out;
  if (!reader.tokenizer(out) || !reader.end()) return reader.error();
  return out;
}

qlr::Result<TokenizerConfigJson> read_tokenizer_config_json(std::string_view json) {
  Reader reader(json);
  TokenizerConfigJson out;
  if (!reader.config(out) || !reader.end()) return reader.error();
  return out;
}

}  // namespace llama
