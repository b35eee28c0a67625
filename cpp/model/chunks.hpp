// Sums over many samples, in an order that keeps the accuracy of float32.
//
// A chunk's products are one chain of multiply-adds; the sums of eight chunks are added to those of a group, eight groups'
// sums to the next level's, and so on. A chain of n equal numbers is off by about n / 4 units in the last place; chunks and
// groups are so short that the sum stays within 1e-6 of the sum of magnitudes for 10^7 samples and more.
#pragma once

#include <algorithm>

#include "kernels/kernels.hpp"

namespace chainrule::model {

constexpr Index chunk_samples = 48, chunks_together = 8;
constexpr Index group_samples = chunk_samples * chunks_together;
constexpr Index block_samples = group_samples * chunks_together;

// Calls chunk(first, count, adds) for the chunks of a group of samples, once where there are none; `adds`: to what is there.
template <class Chunk> void for_each_chunk(Index samples, const Chunk& chunk) {
    Index first = 0;
    do chunk(first, std::min(samples - first, chunk_samples), first > 0);
    while ((first += chunk_samples) < samples);
}

// The same for the groups of a block of samples.
template <class Group> void for_each_group(Index samples, const Group& group) {
    Index first = 0;
    do group(first, std::min(samples - first, group_samples), first > 0);
    while ((first += group_samples) < samples);
}

// sums += values, with what each sum has lost so far in `lost`: as good as sums of twice the precision, in fixed order.
template <class T> void add_up(Index elements, const T* values, T* sums, T* lost) {
    for (Index e = 0; e < elements; ++e) {
        const T value = values[e] - lost[e], sum = sums[e] + value;
        lost[e] = (sum - sums[e]) - value;
        sums[e] = sum;
    }
}

// Adds up sums of groups or of whole blocks, each an array of `elements`, as they come.
template <class T> class Cascade {
  public:
    // Levels that so many sums need, the one that they come to included.
    static int levels(Index sums) {
        int count = 1;
        for (; sums > 1; sums = (sums + chunks_together - 1) / chunks_together) ++count;
        return count;
    }
    // `room` holds levels(sums) * elements.
    Cascade(T* room, Index elements) : elements_(elements) {
        for (int k = 0; k < most_levels; ++k) level_[k] = room + k * elements;
    }

    // Where the next sum is to be written.
    T* place() const { return level_[0]; }

    // It is there.
    void add() {
        count_[0] = 1;
        for (int k = 0; k + 1 < most_levels; ++k) {
            raise(k);
            if (count_[k + 1] < chunks_together) break;
        }
    }

    // The total so far; nothing can be added after it.
    const T* total() {
        int top = 0;
        for (int k = 0; k < most_levels; ++k)
            if (count_[k] > 0) top = k;
        for (int k = 0; k < top; ++k)
            if (count_[k] > 0) raise(k);
        return level_[top];
    }

  private:
    static constexpr int most_levels = 12;

    // A level's sum goes to the next one, which begins with it.
    void raise(int k) {
        if (count_[k + 1] == 0) std::swap(level_[k], level_[k + 1]);
        else
            for (Index e = 0; e < elements_; ++e) level_[k + 1][e] += level_[k][e];
        ++count_[k + 1];
        count_[k] = 0;
    }

    Index elements_;
    T* level_[most_levels];
    Index count_[most_levels] = {};
};

}  // namespace chainrule::model
