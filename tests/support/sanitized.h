// Whether this is a build with sanitizers, whose runtimes make system calls and reserve memory of their own.
#pragma once

#ifndef __has_feature
#define __has_feature(x) 0
#endif

namespace fathom::testing {

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
inline constexpr bool thread_sanitized = true;
#else
inline constexpr bool thread_sanitized = false;
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = thread_sanitized;
#endif

}  // namespace fathom::testing
