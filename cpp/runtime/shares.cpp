#include "runtime/shares.hpp"

#include <algorithm>
#include <numeric>

#include "runtime/team.hpp"

namespace chainrule::runtime {
namespace {

// A shorter time tells more about interruptions than about cores.
constexpr auto window = std::chrono::milliseconds(4);
// Less is noise, and equal shares divide rows and tiles best.
constexpr double tolerated_lateness = 0.03;
// A share goes half the way to the one that was measured, and changes by so much at most: a worker that was interrupted
// once is as fast again in the next window.
constexpr double most_growth = 1.25;
// Of an equal share: a worker that got nothing could not show that it is fast again.
constexpr double least_share = 0.1;

}  // namespace

void follow_speeds(std::vector<double>& shares, const std::vector<double>& busy) {
    const double count = static_cast<double>(shares.size());
    const double mean = std::accumulate(busy.begin(), busy.end(), 0.0) / count;
    if (*std::max_element(busy.begin(), busy.end()) <= (1 + tolerated_lateness) * mean) return;
    double speeds = 0, total = 0;
    for (std::size_t i = 0; i < shares.size(); ++i) speeds += shares[i] / busy[i];
    for (std::size_t i = 0; i < shares.size(); ++i) {
        const double halfway = (shares[i] + shares[i] / busy[i] / speeds) / 2;
        shares[i] = std::max(std::clamp(halfway, shares[i] / most_growth, shares[i] * most_growth), least_share / count);
        total += shares[i];
    }
    for (double& share : shares) share /= total;
}

void Shares::reset(int workers) {
    const std::size_t count = static_cast<std::size_t>(workers);
    if (shares_.size() == count) return;
    shares_.assign(count, 1);
    if (team_is_forced()) std::iota(shares_.begin(), shares_.end(), 1);
    const double total = std::accumulate(shares_.begin(), shares_.end(), 0.0);
    for (double& share : shares_) share /= total;
    ticks_ = std::vector<Ticks>(count);
    busy_.resize(count);
    places_.resize(count + 1);
    elapsed_ = {};
    place();
}

Worker Shares::worker(int index, int count) const {
    const std::size_t i = static_cast<std::size_t>(index);
    if (shares_.size() != static_cast<std::size_t>(count)) return {index, count, static_cast<double>(index) / count, static_cast<double>(index + 1) / count};
    return {index, count, places_[i], places_[i + 1]};
}

void Shares::adjust(Clock::duration elapsed) {
    elapsed_ += elapsed;
    if (elapsed_ < window) return;
    const double least = 0.01 * static_cast<double>(elapsed_.count());
    for (std::size_t i = 0; i < busy_.size(); ++i) busy_[i] = std::max(static_cast<double>(ticks_[i].busy.exchange(0, std::memory_order_relaxed)), least);
    elapsed_ = {};
    follow_speeds(shares_, busy_);
    place();
}

void Shares::place() {
    std::partial_sum(shares_.begin(), shares_.end(), places_.begin() + 1);
    places_.back() = 1;
}

}  // namespace chainrule::runtime
