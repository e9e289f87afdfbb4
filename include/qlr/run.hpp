#pragma once

/// The run side: what an inference engine includes. C++17, the standard library and xsimd; no exceptions needed.
#include "qlr/format/any.hpp"
#include "qlr/format/bind.hpp"
#include "qlr/format/columns.hpp"
#include "qlr/format/e8.hpp"
#include "qlr/format/owned.hpp"
#include "qlr/format/q_plus_lr.hpp"
#include "qlr/format/sparse24.hpp"
#include "qlr/format/transformed.hpp"
#include "qlr/format/trellis.hpp"
#include "qlr/io/layer_file.hpp"
#include "qlr/io/mapped_file.hpp"
#include "qlr/io/safetensors.hpp"
#include "qlr/kernel/multiply.hpp"
