#include "codecs.hpp"

template std::unique_ptr<qlr::Codec> qlr::make_codec(const cli::Q&);
template std::unique_ptr<qlr::Codec> qlr::make_codec(const cli::L&);
template std::unique_ptr<qlr::Codec> qlr::make_codec(const cli::R&);
