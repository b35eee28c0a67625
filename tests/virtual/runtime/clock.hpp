// In the place of cpp/runtime/clock.hpp, for crew.cpp: time goes by as the test says, whatever the machine does beside it.
#pragma once

#include <atomic>
#include <chrono>

namespace chainrule::runtime {

struct Clock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<Clock>;
    static constexpr bool is_steady = true;
    static inline std::atomic<rep> nanoseconds{1'000'000'000};
    static time_point now() noexcept { return time_point(duration(nanoseconds.load())); }
};

inline Clock::duration duration(double seconds) { return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds)); }
inline double seconds_between(Clock::time_point from, Clock::time_point to) { return std::chrono::duration<double>(to - from).count(); }

}  // namespace chainrule::runtime
