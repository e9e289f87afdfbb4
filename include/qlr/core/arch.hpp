#pragma once

/// QLR_ARCH names the inline namespace of qlr that holds all of it, after the instruction set that the translation unit
/// is compiled for: qlr::Index is qlr::arch_avx2::Index, for example.
///
/// A linker keeps one of the inline functions of the same name that several translation units emit, whatever each was
/// compiled for. In a program for several instruction sets that one could be for a later CPU than the program runs on;
/// so no two of them have the same name. Types of two such units are different types for the same reason: between them
/// pass plain types, and layers as copy_layer() says (docs/dispatch.md).
///
/// Units of one program that differ in other flags than those below define QLR_ARCH themselves, each a name of its own.
#ifndef QLR_ARCH
#if defined(__AVX512BW__) && defined(__AVX512VNNI__) && defined(__AVX512VBMI__) && defined(__GFNI__)
#define QLR_ARCH arch_avx512_vnni_vbmi_gfni
#elif defined(__AVX512BW__) && defined(__AVX512VNNI__) && defined(__AVX512VBMI__)
#define QLR_ARCH arch_avx512_vnni_vbmi
#elif defined(__AVX512BW__) && defined(__AVX512VNNI__)
#define QLR_ARCH arch_avx512_vnni
#elif defined(__AVX512BW__)
#define QLR_ARCH arch_avx512
#elif defined(__AVX2__) && defined(__FMA__) && defined(__AVXVNNI__)
#define QLR_ARCH arch_avx2_vnni
#elif defined(__AVX2__) && defined(__FMA__)
#define QLR_ARCH arch_avx2
#elif defined(__AVX__)
#define QLR_ARCH arch_avx
#elif defined(__SSE4_2__)
#define QLR_ARCH arch_sse4_2
#elif defined(__SSSE3__)
#define QLR_ARCH arch_ssse3
#elif defined(__ARM_FEATURE_SVE)
#define QLR_ARCH arch_sve
#elif defined(__ARM_FEATURE_DOTPROD)
#define QLR_ARCH arch_dotprod
#else
#define QLR_ARCH arch_baseline
#endif
#endif
