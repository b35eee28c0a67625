// What a training reports: the last step's row, and the finished epochs' columns with the seconds that each took.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/monitor.hpp"
#include "runtime/clock.hpp"

namespace chainrule::model {

using runtime::Clock;

// What the epochs finished since they were last taken reported, column by column. A column is used only where its values
// differ from epoch to epoch: a million tiny epochs a second would spend their time writing it down.
struct Epochs {
    std::size_t count = 0;
    std::vector<double> data_loss, seconds;
    std::vector<double> regularization_loss;  // 0 without regularisation
    std::vector<double> accuracy;             // not computed without a metric
    std::vector<double> rate;                 // that of the last step without decay
    std::vector<double> validation_loss, validation_accuracy;
};
struct StepRow {
    double accuracy, data_loss, regularization_loss, rate;
};

// Sums over batches; the accumulators of the notebooks.
struct Sums {
    double loss = 0, weight = 0, hits = 0, rows = 0;
    void add(const Sums& other) {
        loss += other.loss;
        weight += other.weight;
        hits += other.hits;
        rows += other.rows;
    }
    double mean_loss() const { return loss / weight; }
    double accuracy() const { return hits / rows; }
};

// Which of the columns are used.
struct Columns {
    bool regularization_loss = false, accuracy = false, rate = false, validation = false;
};

// Nothing is allocated but in `reserve`: where there is no more room, Python takes the epochs first.
class Record {
  public:
    StepRow last_step = {};

    // Forgets everything that was reported.
    void begin();
    // Room for so many epochs more, or as many as one stretch can report; before the first one of a stretch.
    void reserve(std::int64_t epochs, const Columns& columns);
    bool full() const { return epochs_.count == capacity_; }
    const Epochs& epochs() const { return epochs_; }
    void forget_epochs();  // keeps their memory for the next ones

    // The batch of the epoch in progress.
    void add(const Sums& sums) { sums_.add(sums); }
    // It counts by its samples: its mean loss, and the penalty before its step.
    void add_batch(const Sums& sums, double penalty) {
        sums_.add({sums.rows * sums.mean_loss(), sums.rows, sums.hits, sums.rows});
        penalties_ += sums.rows * penalty;
    }
    double mean_penalty() const { return penalties_ / sums_.rows; }
    void add_validation(const Sums& sums) { validation_.add(sums); }
    void close_epoch(double regularization_loss);
    // Of the epoch that was closed last; NaN where it was not computed.
    double last(Monitored value) const;

    // The clock. A step may be one that was passed over; `step` are those of the epoch in progress, of `steps_each`.
    void start_clock() { last_clock_ = Clock::now(); }
    Clock::time_point last_clock() const { return last_clock_; }
    void count_step() { ++steps_; }
    void spread_seconds(Clock::time_point now, std::int64_t step, std::int64_t steps_each);

  private:
    Columns columns_;
    Epochs epochs_;
    std::size_t capacity_ = 0;
    Sums sums_, validation_;  // of the epoch in progress
    double penalties_ = 0;    // of its batches, times their samples
    double seconds_ = 0;      // of it, up to last_clock_
    Clock::time_point last_clock_ = {};
    std::int64_t steps_ = 0;         // since then
    std::size_t without_seconds_ = 0;  // epochs finished since then
};

}  // namespace chainrule::model
