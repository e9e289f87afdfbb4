#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

/// What libFuzzer calls; aborts when the bytes make a reader break a promise.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

/// Inputs that are read without an error, to be changed by fuzzing.
std::vector<std::string> fuzz_samples();
