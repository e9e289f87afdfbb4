#pragma once

#include <charconv>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/result.hpp"
#include "qlr/io/layer_file.hpp"
#include "qlr/io/mapped_file.hpp"
#include "qlr/io/output_file.hpp"
#include "qlr/io/safetensors.hpp"
#include "qlr/io/save_layer.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// One of `count` processes that share a folder of parts. Who is started in the place of one that died has its number.
struct Shard {
  int number = 0;  ///< of 0 to count - 1
  int count = 1;
};

/// What is finished of a model that is being compressed: a folder with a file for each layer and each text.
/// Files appear whole or not at all, so that a run that was killed goes on where it was, and several processes, on one
/// machine or many, work on the same folder: whoever is free claims a part and makes it.
///
/// All of them must work on the same task: `identity` says in free text what is done to what. Errors throw
/// std::runtime_error and name the file.
class Parts {
 public:
  /// Opens the folder, or makes it. @throws std::runtime_error if there is one of another identity
  Parts(std::filesystem::path folder, const std::string& identity, Shard shard = {})
      : folder_(std::move(folder)), shard_(shard) {
    std::filesystem::create_directories(folder_);
    const std::string path = (folder_ / "identity").string();
    if (!std::filesystem::exists(path)) write(path, identity);
    if (const std::string found = read(path); found != identity)
      throw std::runtime_error(folder_.string() + ": expected parts of " + identity + ", found those of " + found);
  }

  const std::filesystem::path& folder() const noexcept { return folder_; }

  /// Whether this process is to make a part, layer or text. Each asks for all that are missing before it waits for one.
  ///
  /// A claim is a symbolic link to its process's number, which appears with its content, on NFS too; it stays as long
  /// as the parts. That of a process that died is the next one's of its number, modulo count: a run of any count goes
  /// on where another was killed.
  ///
  /// @pre the part is not there. @post of the processes of a run one gets true, however often it asks
  bool claim(std::string_view name) const {
    if (shard_.count == 1) return true;
    const std::string link = path(name, ".claim");
    std::error_code failure;
    std::filesystem::create_symlink(std::to_string(shard_.number), link, failure);
    if (!failure) return true;
    if (failure != std::errc::file_exists) throw std::runtime_error("cannot make " + link + ": " + failure.message());
    return claimant(link) % shard_.count == shard_.number;
  }

  bool has_layer(std::string_view name) const { return std::filesystem::exists(layer_path(name)); }

  /// @param facts free text to keep beside it
  template <class Layer>
  void store_layer(std::string_view name, const Layer& layer, Metadata facts) const {
    facts["name"] = name;
    value_or_throw(save_layer(layer_path(name), layer, std::move(facts)));
  }

  /// @pre has_layer(name)
  template <class Layer>
  Mapped<Layer> layer(std::string_view name) const {
    return value_or_throw(Mapped<Layer>::load(layer_path(name)));
  }

  /// What was kept beside a layer. @pre has_layer(name)
  Metadata facts(std::string_view name) const {
    const std::string path = layer_path(name);
    const MappedFile file = value_or_throw(MappedFile::open(path));
    const Result<Safetensors> tensors = Safetensors::parse(file.data(), file.size());
    if (!tensors.ok()) throw std::runtime_error(path + ": " + tensors.error().message);
    return tensors->metadata();
  }

  /// The text of that name, if it is there.
  std::optional<std::string> text(std::string_view name) const {
    const std::string path = text_path(name);
    if (!std::filesystem::exists(path)) return std::nullopt;
    return read(path);
  }

  void store_text(std::string_view name, const std::string& text) const { write(text_path(name), text); }

  /// The text of that name, once this process or another has stored it.
  std::string wait_for_text(std::string_view name) const {
    wait([&] { return text(name).has_value(); });
    return *text(name);
  }

  /// Returns when another process has stored the layer.
  void wait_for_layer(std::string_view name) const {
    wait([&] { return has_layer(name); });
  }

  /// Removes all parts and claims, and the folder if nothing else is in it. @pre no other process works on it
  void remove() const {
    std::vector<std::filesystem::path> ours;
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
      if (is_ours(entry.path().filename().string())) ours.push_back(entry.path());
    for (const std::filesystem::path& path : ours) std::filesystem::remove(path);
    if (std::filesystem::is_empty(folder_)) std::filesystem::remove(folder_);
  }

 private:
  /// A part, a claim, or what a process that was killed had begun (OutputFile).
  static bool is_ours(std::string_view file) {
    return file == "identity" || file.rfind("part-", 0) == 0 ||
           (file.rfind("qlr-", 0) == 0 && file.size() > 4 && file.substr(file.size() - 4) == ".tmp");
  }

  static int claimant(const std::string& link) {
    const std::string number = std::filesystem::read_symlink(link).string();
    int value = -1;
    const char* const end = number.data() + number.size();
    const auto [stop, error] = std::from_chars(number.data(), end, value);
    if (error != std::errc() || stop != end || value < 0)
      throw std::runtime_error(link + ": expected a link to a process's number, got " + number);
    return value;
  }

  template <class Condition>
  static void wait(Condition&& is_there) {
    constexpr std::chrono::milliseconds pause(50);
    while (!is_there()) std::this_thread::sleep_for(pause);
  }

  std::string layer_path(std::string_view name) const { return path(name, ".safetensors"); }
  std::string text_path(std::string_view name) const { return path(name, ".txt"); }

  /// Names come from files that may be hostile.
  std::string path(std::string_view name, const char* ending) const {
    constexpr std::string_view kept = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    constexpr std::size_t longest = 200;
    std::string file;
    for (const char c : name) {
      if (kept.find(c) != std::string_view::npos) {
        file += c;
        continue;
      }
      char escaped[4];
      std::snprintf(escaped, sizeof escaped, "%%%02x", unsigned(static_cast<unsigned char>(c)));
      file += escaped;
    }
    if (file.empty() || file.size() > longest)
      throw std::runtime_error("expected a name of 1 to " + std::to_string(longest) + " bytes, got " + file);
    return (folder_ / ("part-" + file + ending)).string();
  }

  static std::string read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    if (!file.is_open() || file.bad()) throw std::runtime_error("cannot read " + path);
    return text;
  }

  static void write(const std::string& path, const std::string& text) {
    OutputFile file = value_or_throw(OutputFile::create(path));
    value_or_throw(file.write(text.data(), text.size()));
    value_or_throw(file.commit());
  }

  std::filesystem::path folder_;
  Shard shard_;
};

}  // namespace QLR_ARCH
}  // namespace qlr
