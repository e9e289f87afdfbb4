#pragma once

#include <memory>

#include "layer_types.hpp"
#include "qlr/rounding/make_codec.hpp"

/// The codecs of all types are compiled once, in codecs.cpp, beside the rest and not before it.
extern template std::unique_ptr<qlr::Codec> qlr::make_codec(const cli::Q&);
extern template std::unique_ptr<qlr::Codec> qlr::make_codec(const cli::L&);
extern template std::unique_ptr<qlr::Codec> qlr::make_codec(const cli::R&);
