// The clock that speeds and stretches follow.
#pragma once

#include <chrono>

namespace chainrule::runtime {

using Clock = std::chrono::steady_clock;

inline Clock::duration duration(double seconds) { return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds)); }
inline double seconds_between(Clock::time_point from, Clock::time_point to) { return std::chrono::duration<double>(to - from).count(); }

}  // namespace chainrule::runtime
