#pragma once

#include <xsimd/xsimd.hpp>

#include "qlr/core/arch.hpp"
#include "qlr/format/layer.hpp"

/// Instruction sets that kernels can be asked for: those that the translation unit is compiled for. A tag names the
/// xsimd architecture of its floating-point registers, and what integer operations it has beyond that.
namespace qlr {
inline namespace QLR_ARCH {

namespace isa {

/// What an instruction set has unless it says otherwise.
struct Without {
  static constexpr bool has_vnni = false;     ///< a dot product of four unsigned and four signed bytes
  static constexpr bool has_vbmi = false;     ///< a byte lookup in a whole register
  static constexpr bool has_gfni = false;     ///< a product of each byte with a matrix of bits
  static constexpr bool has_dotprod = false;  ///< a dot product of four signed bytes
};

#if XSIMD_WITH_AVX512BW
struct Avx512 : Without {
  using Xsimd = xsimd::avx512bw;
  static constexpr const char* name = "AVX-512";
};
#if defined(__AVX512VNNI__)
struct Avx512Vnni : Avx512 {
  static constexpr const char* name = "AVX-512 VNNI";
  static constexpr bool has_vnni = true;
};
#if defined(__AVX512VBMI__)
struct Avx512Vbmi : Avx512Vnni {
  static constexpr const char* name = "AVX-512 VNNI VBMI";
  static constexpr bool has_vbmi = true;
#if defined(__GFNI__)
  static constexpr bool has_gfni = true;
#endif
};
#endif
#endif
#endif

#if XSIMD_WITH_FMA3_AVX2
struct Avx2 : Without {
  using Xsimd = xsimd::fma3<xsimd::avx2>;
  static constexpr const char* name = "AVX2";
};
#if defined(__AVXVNNI__)
struct AvxVnni : Avx2 {
  static constexpr const char* name = "AVX-VNNI";
  static constexpr bool has_vnni = true;
};
#endif
#endif

#if XSIMD_WITH_NEON64
struct Neon : Without {
  using Xsimd = xsimd::neon64;
  static constexpr const char* name = "NEON";
};
#if defined(__ARM_FEATURE_DOTPROD)
struct NeonDotprod : Neon {
  static constexpr const char* name = "NEON dotprod";
  static constexpr bool has_dotprod = true;
};
#endif
#endif

/// The best that xsimd knows and none of the others is.
struct Portable : Without {
  using Xsimd = xsimd::default_arch;
  static constexpr const char* name = Xsimd::name();
};

}  // namespace isa

namespace kernel {

/// The instruction set behind a kernel's Arch: itself, or for NativeArch what the translation unit is compiled for.
template <class Arch>
struct IsaOf {
  using type = Arch;
};
template <>
struct IsaOf<NativeArch> {
#if XSIMD_WITH_AVX512BW && defined(__AVX512VNNI__) && defined(__AVX512VBMI__)
  using type = isa::Avx512Vbmi;
#elif XSIMD_WITH_AVX512BW && defined(__AVX512VNNI__)
  using type = isa::Avx512Vnni;
#elif XSIMD_WITH_AVX512BW
  using type = isa::Avx512;
#elif XSIMD_WITH_FMA3_AVX2 && defined(__AVXVNNI__)
  using type = isa::AvxVnni;
#elif XSIMD_WITH_FMA3_AVX2
  using type = isa::Avx2;
#elif XSIMD_WITH_NEON64 && defined(__ARM_FEATURE_DOTPROD)
  using type = isa::NeonDotprod;
#elif XSIMD_WITH_NEON64
  using type = isa::Neon;
#else
  using type = isa::Portable;
#endif
};

/// What the instruction set that kernels of this Arch use is called: "AVX2", "AVX-512 VNNI".
template <class Arch = NativeArch>
constexpr const char* isa_name() noexcept {
  return IsaOf<Arch>::type::name;
}

}  // namespace kernel

}  // namespace QLR_ARCH
}  // namespace qlr
