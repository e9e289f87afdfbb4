// Fuzzes without libFuzzer: usage <program> [rounds [seed]] changes the target's samples at random, the same for the
// same seed; <program> <file>... feeds these files to the target.
// With libFuzzer, link the target with clang++ -fsanitize=fuzzer instead of this file.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "fuzz_target.hpp"
#include "qlr/core/random.hpp"

namespace {

void feed(const std::string& bytes) {
  // a block of just these bytes, so that a sanitizer sees the first byte beyond
  const std::vector<std::uint8_t> exact(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

std::string change(std::string bytes, qlr::Random& random) {
  static const char* const tokens[] = {"0",
                                       "1",
                                       "-1",
                                       "9223372036854775807",
                                       "18446744073709551615",
                                       "4294967296",
                                       "{",
                                       "}",
                                       "[",
                                       "]",
                                       "(",
                                       ")",
                                       "\"",
                                       "'",
                                       ",",
                                       ":",
                                       "\\u",
                                       "\\ud800",
                                       "F64",
                                       ">f8",
                                       " ",
                                       "\xff",
                                       "__metadata__",
                                       "True"};
  const auto place = [&] { return std::size_t(random.below(bytes.size() + 1)); };
  for (std::uint64_t changes = 1 + random.below(4); changes > 0; --changes) {
    const std::size_t at = place(), length = std::size_t(random.below(16));
    switch (random.below(6)) {
      case 0:
        if (at < bytes.size()) bytes[at] = static_cast<char>(static_cast<unsigned char>(random.below(256)));
        break;
      case 1:
        if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ 1 << random.below(8));
        break;
      case 2:
        bytes.erase(at, length);
        break;
      case 3:
        bytes.insert(at, bytes.substr(place(), length));
        break;
      case 4:
        bytes.insert(at, tokens[random.below(std::size(tokens))]);
        break;
      default:
        bytes.replace(at, std::min(length, bytes.size() - at), tokens[random.below(std::size(tokens))]);
    }
  }
  return bytes;
}

}  // namespace

int main(int count, char** arguments) {
  const bool is_number = count > 1 && std::string(arguments[1]).find_first_not_of("0123456789") == std::string::npos;
  if (count > 1 && !is_number) {
    for (int i = 1; i < count; ++i) {
      std::ifstream file(arguments[i], std::ios::binary);
      feed({std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()});
    }
    return 0;
  }
  const unsigned long long rounds = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 100000;
  qlr::Random random(count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 0);
  const std::vector<std::string> samples = fuzz_samples();
  for (const std::string& sample : samples) feed(sample);
  for (unsigned long long round = 0; round < rounds; ++round)
    feed(change(samples[std::size_t(random.below(samples.size()))], random));
  std::printf("%llu inputs\n", rounds + samples.size());
}
